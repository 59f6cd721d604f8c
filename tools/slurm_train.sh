#!/usr/bin/env bash
# Train on Slurm: tools/slurm_train.sh PARTITION JOB_NAME CONFIG WORK_DIR [arguments of train.py]
# GPUS (8), GPUS_PER_NODE (8), CPUS_PER_TASK (5), GRACE (120) and SRUN_ARGS come from the environment.
# GRACE seconds before the time is up, the training is told to save and end. Within a job of sbatch,
# it is then queued again, and --resume goes on: docs/interruptions.md.
set -euo pipefail
if [[ $# -lt 4 ]]; then
    sed -n '2,5s/^# //p' "$0" >&2
    exit 2
fi
HERE=$(cd "$(dirname "$0")" && pwd)
GPUS_PER_NODE=${GPUS_PER_NODE:-8}
status=0
# SRUN_ARGS holds several arguments, so it is split on purpose.
# shellcheck disable=SC2086
PYTHONPATH="$HERE/..${PYTHONPATH:+:$PYTHONPATH}" srun -p "$1" --job-name="$2" \
    --gres="gpu:$GPUS_PER_NODE" --ntasks="${GPUS:-8}" --ntasks-per-node="$GPUS_PER_NODE" \
    --cpus-per-task="${CPUS_PER_TASK:-5}" --kill-on-bad-exit=1 \
    --signal="TERM@${GRACE:-120}" ${SRUN_ARGS:-} \
    python -u "$HERE/train.py" "$3" --work-dir="$4" --launcher=slurm "${@:5}" || status=$?
# 143: saved on SIGTERM.
if [[ $status -eq 143 && -n ${SLURM_JOB_ID:-} ]]; then
    echo "Saved before the time was up; job $SLURM_JOB_ID is queued again." >&2
    scontrol requeue "$SLURM_JOB_ID"
fi
exit "$status"
