# mmpixcon on a CPU or on CUDA, by the same set-up as everywhere else, tools/setup_env.sh:
#
#   docker build -t mmpixcon .
#   docker build -t mmpixcon:cpu --build-arg INDEX=https://download.pytorch.org/whl/cpu .
#   docker run --rm -it --shm-size 4g -v "$PWD/work_dirs:/mmpixcon/work_dirs" mmpixcon make demo
#   docker run --rm -it --gpus all --shm-size 8g mmpixcon mim train mmpixcon CONFIG
#
# PyPI's torch brings its own CUDA libraries, so that the CUDA image needs a driver on the host and
# nothing else. Workers of a data loader share images through /dev/shm: Docker's 64 MB are too few.
FROM python:3.11-slim

RUN apt-get update \
    && apt-get install -y --no-install-recommends git make libgl1 libglib2.0-0 \
    && rm -rf /var/lib/apt/lists/*
# Empty: PyPI alone, whose torch is built for CUDA.
ARG INDEX=
ENV PIP_EXTRA_INDEX_URL=$INDEX PIP_NO_CACHE_DIR=1
WORKDIR /mmpixcon
COPY . .
RUN make env
ENV PATH=/mmpixcon/.venv/bin:$PATH
CMD ["mmpixcon", "--help"]
