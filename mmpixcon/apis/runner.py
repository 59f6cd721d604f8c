"""Parts that tools/train.py and tools/test.py share: arguments, and the config they make."""

from __future__ import annotations

import argparse
import contextlib
import os
import os.path as osp
from collections.abc import Iterator, Sequence

import torch
from mmdet.registry import RUNNERS
from mmdet.utils import setup_cache_size_limit_of_dynamo
from mmengine.config import Config
from mmengine.runner import Runner

from mmpixcon.datasets.checks.configs import check_annotations
from mmpixcon.datasets.checks.problems import describe
from mmpixcon.datasets.data_files import STAGES, check_data_files, packs_rgb, set_data_root
from mmpixcon.engine.checkpoint.safe_files import find_newest_checkpoint
from mmpixcon.engine.cpu_dist import prepare_cpu_dist
from mmpixcon.engine.restarts import join_again
from mmpixcon.models.backbones.pixel_check import check_pixels
from mmpixcon.models.necks.neck_check import check_neck_inputs
from mmpixcon.models.unwrap import unwrap
from mmpixcon_ops import describe_operators

from .config import check_compile, drop_unread, merge_options
from .options import OptionsAction

#: Types of mixed precision.
AMP_DTYPES = ('float16', 'bfloat16')


def add_common_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that every tool which runs a config has.

    Args:
        parser (argparse.ArgumentParser): Has ``config`` already.
    """
    parser.add_argument('--work-dir', help='folder for logs, checkpoints and results')
    parser.add_argument('--data-root', help="folder of the data, in place of the config's")
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=OptionsAction,
        help='settings to change, as key=value; lists as key="[a,b]" or key=a,b, an element of a '
        'list by its type: custom_hooks.PlainCheckpointHook.min_loaded=0.3',
    )
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='how several processes are started',
    )
    # torch.distributed.launch passes it, spelled one way or the other.
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)


def load_config(args: argparse.Namespace, stages: tuple[str, ...]) -> Config:
    """Read the config, apply the command line, and check what would fail late.

    Args:
        args (argparse.Namespace): arguments with ``config`` and the common ones. Gets ``notes``,
            what was found in the data, for ``build_runner`` to log.
        stages (tuple[str]): stages that will run, of 'train', 'val' and 'test'.

    Returns:
        Config: Ready for ``build_runner``.

    Raises:
        FileNotFoundError: The config or data that it names are missing.
        BadDataError: Training would go wrong with the annotations.
    """
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    setup_cache_size_limit_of_dynamo()
    if not osp.isfile(args.config):
        raise FileNotFoundError(
            f'Config {args.config} does not exist (looked in {os.getcwd()}). '
            f'`mim search mmpixcon` lists the configs of mmpixcon.'
        )
    cfg = Config.fromfile(args.config)
    cfg.launcher = args.launcher
    # Before the options, which may name hooks that it adds.
    make_safe(cfg)
    if args.cfg_options is not None:
        merge_options(cfg, args.cfg_options)
    if args.data_root is not None:
        set_data_root(cfg, args.data_root)
    if args.work_dir is not None:
        cfg.work_dir = args.work_dir
    elif cfg.get('work_dir') is None:
        cfg.work_dir = osp.join('work_dirs', osp.splitext(osp.basename(args.config))[0])
    used = tuple(stage for stage in stages if cfg.get(f'{stage}_cfg') is not None)
    check_data_files(cfg, used)
    args.notes = [describe(report) for report in check_annotations(cfg, used) if report.problems]
    return cfg


def check_checkpoint(path: str, source: str) -> None:
    """Check that a checkpoint is there before models and data are built.

    Args:
        path (str): File; URLs and names of model zoos are not checked.
        source (str): Argument or config key that gave it, for the message.

    Raises:
        FileNotFoundError: There is no such file.
    """
    if '://' not in path and not osp.isfile(osp.expanduser(path)):
        raise FileNotFoundError(f'Checkpoint {path}, given by {source}, does not exist.')


# What any training gets: checkpoints that every torch loads, with a report of what was loaded,
# and a stop before a loss that is not finite reaches the weights.
SAFE_HOOKS = ('PlainCheckpointHook', 'FiniteLossHook')
# What the tools add besides: an end on signals, which a program has to want, a look at the
# schedule of a resumed run, and one at detections that do not depend on the image.
TOOL_HOOKS = ('InterruptionHook', 'ScheduleHook', 'DetectionMonitorHook')


def use_mixed_precision(cfg: Config, dtype: str = 'auto') -> None:
    """Let a config train in mixed precision.

    bfloat16 has the range of float32: losses need no scaling, and so the optimizer does not wait
    for the device to learn whether gradients overflowed.

    Args:
        cfg (Config): a training config; its ``optim_wrapper`` is changed.
        dtype (str): of ``AMP_DTYPES``, or 'auto': bfloat16 where the card computes in it, else
            float16. Defaults to 'auto'.
    """
    if dtype == 'auto':
        # torch says that cards before Ampere have it, too, which only imitate it.
        has_bfloat16 = torch.cuda.is_available() and torch.cuda.get_device_capability() >= (8, 0)
        dtype = 'bfloat16' if has_bfloat16 else 'float16'
    scale = dict(enabled=False) if dtype == 'bfloat16' else 'dynamic'
    cfg.optim_wrapper.update(type='AmpOptimWrapper', dtype=dtype, loss_scale=scale)


def make_safe(cfg: Config) -> None:
    """Give any config, a stock one too, what makes a run safe to interrupt and to go on from.

    Args:
        cfg (Config): config, changed in place; what it sets itself stays. It gets
            ``SAFE_HOOKS``, checkpoints that an interruption cannot damage, an end on signals that
            loses nothing, and a loop that does not read past data again on resuming.
    """
    hooks = cfg.get('custom_hooks') or []
    names = {str(hook.get('type')).rsplit('.', 1)[-1] for hook in hooks}
    missing = [name for name in (*SAFE_HOOKS, *TOOL_HOOKS) if name not in names]
    cfg.custom_hooks = [*hooks, *(dict(type=f'mmpixcon.{name}') for name in missing)]
    if 'default_hooks' not in cfg:
        cfg.default_hooks = dict()
    saving = cfg.default_hooks.setdefault('checkpoint', dict(type='CheckpointHook', interval=1))
    if saving and saving.get('type') in ('CheckpointHook', 'mmengine.CheckpointHook'):
        saving['type'] = 'mmpixcon.SafeCheckpointHook'
    for stage in STAGES:
        # mmengine passes it on to the function where a config is a base of another package.
        collate = (cfg.get(f'{stage}_dataloader') or {}).get('collate_fn')
        if isinstance(collate, dict):
            collate.pop('_scope_', None)
    loop = cfg.get('train_cfg') or {}
    by_epoch = loop.pop('by_epoch', None) if 'type' not in loop else None
    if loop.get('type') == 'IterBasedTrainLoop' or by_epoch is False:
        loop['type'] = 'mmpixcon.ResumableIterBasedTrainLoop'
    elif loop.get('type') == 'EpochBasedTrainLoop' or by_epoch:
        loop['type'] = 'mmpixcon.ResumableEpochBasedTrainLoop'


def resume_newest(cfg: Config) -> list[str]:
    """Let a config go on from the newest checkpoint of its work folder that can be read.

    Without one, the run starts from the beginning, or from ``load_from`` if the config has it.

    Args:
        cfg (Config): config with a ``work_dir``, changed in place.

    Returns:
        list[str]: what a user should know: which checkpoints could not be read, and what is done.

    Raises:
        ValueError: There are checkpoints, and none of them can be read.
    """
    checkpoint, unreadable = find_newest_checkpoint(cfg.work_dir)
    if checkpoint is not None:
        cfg.resume, cfg.load_from = True, str(checkpoint)
        notes = [f'Not resumed from {reason}.' for reason in unreadable]
        return [*notes, f'Resumed from {checkpoint}, the newest that can be read.'] if notes else []
    if unreadable:
        lines = '\n  '.join(unreadable)
        raise ValueError(
            f'--resume: no checkpoint of {cfg.work_dir} can be read:\n  {lines}\n'
            'Restore one, or move them away to start a new run.'
        )
    cfg.resume = False
    start = cfg.get('load_from') or 'the weights that the config says'
    return [f'--resume: {cfg.work_dir} has no checkpoint yet. The run begins from {start}.']


def build_runner(cfg: Config, notes: Sequence[str] = ()) -> Runner:
    """Build the runner of a config, with several processes on CPUs as well.

    Args:
        cfg (Config): config that ``load_config`` returned.
        notes (Sequence[str]): warnings to write into the log of the run. Defaults to (), none.

    Returns:
        Runner: Of the config's ``runner_type``, mmengine's by default. A projector that does not
        fit its backbone says so (:func:`check_neck_inputs`), as does a wrong ``compile``.

    Raises:
        ValueError: Images are normalized otherwise than the weights of the backbone know them.
    """
    check_compile(cfg)
    prepare_cpu_dist(cfg)
    join_again(cfg)
    make_safe(cfg)
    dropped = drop_unread(cfg)
    runner = RUNNERS.build(cfg) if 'runner_type' in cfg else Runner.from_cfg(cfg)
    runner.logger.info(describe_operators())
    for note in notes:
        runner.logger.warning(note)
    if dropped:
        runner.logger.info(
            f'Left out of the config: {len(dropped)} keys that no run reads, '
            f'{", ".join(dropped)}. kept_keys=[...] in the config keeps what hooks of yours read.'
        )
    check_neck_inputs(unwrap(runner.model))
    check_pixels(unwrap(runner.model), packs_rgb(cfg))
    return runner


@contextlib.contextmanager
def explained(cfg: Config) -> Iterator[None]:
    """Say of errors from deep inside torch what of the config they come from.

    Args:
        cfg (Config): config of the run.

    Raises:
        RuntimeError: with the cause and a remedy, in place of torch's own.
    """
    try:
        yield
    except RuntimeError as error:
        text = str(error)
        model = cfg.model.get('detector', cfg.model)
        if 'selected index k out of range' in text and 'num_queries' in model:
            raise RuntimeError(
                f'{text}: model.num_queries = {model.num_queries} are more than the cells that a '
                'two-stage detector takes them from, or model.test_cfg.max_per_img is more than '
                'num_queries x num_classes. Lower model.num_queries (and max_per_img), or enlarge '
                'the images.'
            ) from error
        if 'killed by signal: Bus error' in text or 'unable to open shared memory' in text:
            raise RuntimeError(
                f'{text}. Workers pass images on through /dev/shm, which is too small here: give '
                'the container more (docker run --shm-size 8g), or set '
                'train_dataloader.num_workers=0 and persistent_workers=False.'
            ) from error
        raise
