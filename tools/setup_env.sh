#!/usr/bin/env bash
# Builds the virtual environment that the targets of the Makefile run in. It needs Python with its
# venv module, and nothing to compile with.
#
#   PYTHON=python3.13     interpreter to build with (3.10 to 3.13)
#   TORCH=2.1.2           another torch than the one that requirements/constraints.txt pins
#   MMCV=compiled         mmcv with its own operators, compiled here: g++, Python's headers, and a
#                         torch below 2.14, whose headers mmcv's setup can still compile against
#   TESTS=1               what the tests need as well
#   PACKAGES_ONLY=1       all but mmpixcon itself, whose installation writes into the checkout
#   VENV=FOLDER           where it is built; by default .venv, .venv-torch2.1.2, .venv-compiled
#   MMPIXCON_WHEELS=DIR   where compiled mmcv wheels are kept (default ~/.cache/mmpixcon/wheels)
#   MAX_JOBS=N            compilers at a time (default: the number of cores)
#
# Finished steps leave a stamp in <environment>/.setup, so an interrupted run goes on where it was
# and a finished one costs nothing.
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
cd "$ROOT"
MMCV=${MMCV:-lite}
if [[ -z ${VENV:-} ]]; then
    VENV=.venv${TORCH:+-torch$TORCH}
    [[ $MMCV == lite ]] || VENV=$VENV-$MMCV
fi
case $VENV in /*) ENV_DIR=$VENV ;; *) ENV_DIR=$ROOT/$VENV ;; esac
STATE=$ENV_DIR/.setup
PY=$ENV_DIR/bin/python
WHEELS=${MMPIXCON_WHEELS:-$HOME/.cache/mmpixcon/wheels}
# The newest torch that mmcv 2.1.0 was compiled and tested with.
COMPILABLE_TORCH=2.11.0

say() { printf '[setup] %s\n' "$*"; }
die() {
    printf '[setup] %s\n' "$@" >&2
    exit 1
}

# What a user gets, and what the tests need besides.
INSTALL=(requirements.txt requirements/runtime.txt)
case $MMCV in
lite) INSTALL+=(requirements/lite.txt) ;;
compiled)
    INSTALL+=(requirements/mminstall.txt)
    TORCH=${TORCH:-$COMPILABLE_TORCH}
    ;;
*) die "MMCV is '$MMCV'; it can be lite (the default: nothing is compiled) or compiled." ;;
esac

# torch below 2.3 does not take numpy 2.
minor_of() { cut -d. -f2 <<<"$1"; }
PINS=requirements/constraints.txt
[[ -z ${TORCH:-} || $(minor_of "$TORCH") -ge 3 ]] || PINS=requirements/constraints-oldest.txt
# The pins, with another torch if one is asked for. torchvision 0.(N+15).p belongs to torch 2.N.p
# up to 2.14; a later one runs with several, and pip chooses.
constraints() {
    if [[ -z ${TORCH:-} ]]; then
        cat "$PINS"
        return
    fi
    grep -vE '^torch(vision)?==' "$PINS"
    echo "torch==$TORCH"
    local minor patch
    IFS=. read -r _ minor patch <<<"$TORCH"
    [[ $minor -gt 14 ]] || echo "torchvision==0.$((minor + 15)).${patch:-0}"
}
pin() { constraints | sed -n "s/^$1==\([^ ;]*\).*/\1/p"; }
TORCH_VERSION=$(pin torch)
MMCV_VERSION=$(pin mmcv)

hash_of() { sha256sum | cut -c1-16; }
PACKAGING=(setup.py pyproject.toml build_backend.py mmpixcon_ops.pth mmpixcon/version.py)
KEY_TORCH="$TORCH_VERSION $(constraints | hash_of)"
KEY_MMCV="$KEY_TORCH $MMCV_VERSION"
KEY_REST="$KEY_MMCV $MMCV $(cat "${INSTALL[@]}" | hash_of)"
KEY_TESTS="$KEY_REST $(cat requirements/tests.txt requirements/lint.txt | hash_of)"
KEY_PACKAGE="$ROOT $(cat "${PACKAGING[@]}" requirements/*.txt | hash_of)"
KEY_ALL="$KEY_REST $KEY_PACKAGE"

done_with() { [[ -f $STATE/$1.done && $(<"$STATE/$1.done") == "$2" ]]; }

version_of() { "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])'; }

check_interpreter() {
    command -v "$PYTHON" >/dev/null || die "Interpreter '$PYTHON' not found." \
        'Install Python (Debian: apt-get install python3 python3-venv)' \
        'or name another one: make ... PYTHON=/path/to/python3.13'
    VERSION=$(version_of "$PYTHON")
    case $VERSION in
    3.10 | 3.11 | 3.12 | 3.13) ;;
    *) die "$PYTHON is Python $VERSION; mmpixcon runs on 3.10 to 3.13." \
        'Name another interpreter: make ... PYTHON=python3.13' ;;
    esac
    if [[ -x $PY && $(version_of "$PY") != "$VERSION" ]]; then
        die "$ENV_DIR was built with Python $(version_of "$PY"), PYTHON=$PYTHON is $VERSION." \
            "Remove it to build it anew: rm -rf $ENV_DIR" \
            'or build another one beside it: make ... VENV=.venv-other'
    fi
}

if [[ -x $PY ]] && done_with all "$KEY_ALL" &&
    { [[ -z ${TESTS:-} ]] || done_with tests "$KEY_TESTS"; }; then
    [[ -z ${PYTHON:-} ]] || check_interpreter
    exit 0
fi

check_host() {
    local missing=()
    "$PYTHON" -c 'import ensurepip, venv' 2>/dev/null || missing+=("python$VERSION-venv")
    if [[ $MMCV == compiled ]]; then
        [[ $(minor_of "$TORCH_VERSION") -lt 14 ]] ||
            die "mmcv $MMCV_VERSION cannot be compiled against torch $TORCH_VERSION: its setup asks" \
                'for C++17, and the headers of torch 2.14 and newer want C++20.' \
                "Name an older one: make env MMCV=compiled TORCH=$COMPILABLE_TORCH"
        [[ -f $("$PYTHON" -c 'import sysconfig; print(sysconfig.get_path("include"))')/Python.h ]] ||
            missing+=("python$VERSION-dev")
        command -v g++ >/dev/null || missing+=(g++)
    fi
    [[ ${#missing[@]} -eq 0 ]] || die 'This is missing:' \
        "$(printf '  %s (Debian package)\n' "${missing[@]}")" \
        "Install: apt-get install ${missing[*]}"
    local free
    free=$(($(df -Pk "$ROOT" | awk 'NR == 2 {print $4}') / 1048576))
    [[ $free -ge 8 ]] || say "Only $free GB free here; torch and its libraries take about 6 GB."
}

# step NAME KEY SECONDS HINT COMMAND...: run COMMAND with a sign of life every 20 s.
JOB=
STEPS=()
trap '[[ -z $JOB ]] || kill -- "-$JOB" 2>/dev/null' EXIT
trap 'say "Interrupted; run the same command again to go on."; exit 130' INT TERM
step() {
    local name=$1 key=$2 expected=$3 hint=$4 log=$STATE/$1.log start=$SECONDS tick=0 status=0
    shift 4
    if done_with "$name" "$key"; then return; fi
    say "$name: about $expected s. Log: $log"
    # A process group of its own, so that an interrupt ends the compilers as well.
    set -m
    "$@" >"$log" 2>&1 </dev/null &
    JOB=$!
    set +m
    while kill -0 "$JOB" 2>/dev/null; do
        sleep 0.5
        tick=$((tick + 1))
        if [[ $((tick % 40)) -eq 0 ]]; then
            say "$name: $((SECONDS - start)) s of about $expected s$(progress "$name")"
        fi
    done
    wait "$JOB" || status=$?
    JOB=
    if [[ $status -ne 0 ]]; then
        tail -n 15 "$log" | sed 's/^/    /' >&2
        die "Step '$name' failed (exit status $status). Full log: $log" "$hint" \
            'Then run the same command again; finished steps are not repeated.'
    fi
    printf '%s' "$key" >"$STATE/$name.done"
    STEPS+=("$name $((SECONDS - start))")
    say "$name: done in $((SECONDS - start)) s"
}

MMCV_BUILD=$STATE/mmcv
MMCV_SOURCE=$MMCV_BUILD/mmcv-$MMCV_VERSION
progress() {
    [[ $1 == mmcv && -d $MMCV_SOURCE/build ]] || return 0
    local sources=$MMCV_SOURCE/mmcv/ops/csrc/pytorch
    printf ', %d of %d files compiled' \
        "$(find "$MMCV_SOURCE/build" -name '*.o' | wc -l)" \
        "$(find "$sources" "$sources/cpu" -maxdepth 1 -name '*.cpp' | wc -l)"
}

# Python compiles a module when it is first imported; of torch's most never are.
pip_install() { "$PY" -m pip install --no-compile --progress-bar off "$@"; }

install_venv() { [[ -x $PY ]] || "$PYTHON" -m venv "$ENV_DIR"; }

install_torch() { pip_install torch torchvision; }

# The CUDA operators are built where a GPU and nvcc are, into a folder of their own.
cuda_suffix() {
    "$PY" - <<'PYTHON'
import torch
from torch.utils.cpp_extension import CUDA_HOME

if torch.cuda.is_available() and CUDA_HOME:
    print('-cu' + torch.version.cuda.replace('.', ''))
PYTHON
}

install_mmcv() {
    local suffix folder
    pip_install setuptools wheel ninja
    suffix=$(cuda_suffix)
    folder=$WHEELS/torch$TORCH_VERSION-cp${VERSION/./}$suffix
    mkdir -p "$folder" "$MMCV_BUILD"
    if ! compgen -G "$folder/mmcv-$MMCV_VERSION-*.whl" >/dev/null; then
        if [[ ! -d $MMCV_SOURCE ]]; then
            "$PY" -m pip download --no-deps --no-build-isolation --no-binary mmcv \
                -d "$MMCV_BUILD" "mmcv==$MMCV_VERSION"
            mkdir -p "$MMCV_BUILD/unpacked"
            tar xzf "$MMCV_BUILD/mmcv-$MMCV_VERSION.tar.gz" -C "$MMCV_BUILD/unpacked"
            mv "$MMCV_BUILD/unpacked/mmcv-$MMCV_VERSION" "$MMCV_SOURCE"
        fi
        # Without nvcc a visible GPU would only make the build fail.
        [[ -n $suffix ]] || export CUDA_VISIBLE_DEVICES=
        MMCV_WITH_OPS=1 MAX_JOBS=${MAX_JOBS:-$(nproc)} "$PY" -m pip wheel --no-deps \
            --no-build-isolation --verbose -w "$MMCV_BUILD/built" "$MMCV_SOURCE"
        mv "$MMCV_BUILD/built"/mmcv-*.whl "$folder/"
        rm -rf "$MMCV_BUILD"
    fi
    # Operators built against another torch fail to import; those are replaced.
    "$PY" -c 'import mmcv._ext' 2>/dev/null ||
        pip_install --no-deps --force-reinstall "$folder"/mmcv-"$MMCV_VERSION"-*.whl
}

install_packages() {
    if [[ $MMCV == lite ]]; then
        pip_install -r requirements.txt wheel
    else
        pip_install -r requirements/runtime.txt -r requirements/mminstall.txt openmim wheel
    fi
}

install_tests() { pip_install -r requirements/tests.txt -r requirements/lint.txt; }

install_package() { pip_install --no-deps --no-build-isolation -e . && "$PY" -m pip check; }

# mmdet first, alone, as a user of it would. Where Python is told not to keep what it compiles, each
# program would compile it anew: for this import it does.
check_import() {
    env -u PYTHONDONTWRITEBYTECODE "$PY" -c \
        'import mmdet.models, mmpixcon, mim.cli; print(mmpixcon.__version__)'
}

PYTHON=${PYTHON:-python3}
check_interpreter
check_host
say "Python $VERSION, torch $TORCH_VERSION -> $ENV_DIR"
NETWORK='If a download failed: check the network or the proxy (HTTPS_PROXY).'
# Before the environment exists its folder must hold only what pip and venv do not mind.
mkdir -p "$STATE"
step venv "$VERSION" 5 'Check that the disk is writable and not full.' install_venv
export PIP_CONSTRAINT=$STATE/constraints.txt PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1
constraints >"$PIP_CONSTRAINT"
step torch "$KEY_TORCH" 70 "$NETWORK Torch needs about 6 GB of disk." install_torch
[[ $MMCV == lite ]] || step mmcv "$KEY_MMCV" 400 \
    "If a compiler was killed, memory ran out: run again with MAX_JOBS=1. $NETWORK" install_mmcv
step packages "$KEY_REST" 40 "$NETWORK" install_packages
[[ -z ${TESTS:-} ]] || step tests "$KEY_TESTS" 30 "$NETWORK" install_tests
[[ -z ${PACKAGES_ONLY:-} ]] || exit 0
step mmpixcon "$KEY_PACKAGE" 5 "$NETWORK" install_package
step import "$KEY_ALL" 20 "Remove $ENV_DIR and build it anew." check_import
printf '%s' "$KEY_ALL" >"$STATE/all.done"
say "Ready in $SECONDS s ($(IFS=,; echo "${STEPS[*]}" | sed 's/,/, /g')): $ENV_DIR," \
    "$(du -sh "$ENV_DIR" | cut -f1)"
