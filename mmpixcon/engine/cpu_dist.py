"""Several processes on a machine without a GPU.

mmengine's launchers select a CUDA device, and its model wrapper names one;
both fail where there is none.
"""

from __future__ import annotations

import torch
from mmengine.config import Config
from mmengine.dist import is_distributed
from torch import distributed

from .restarts import fresh_store


def prepare_cpu_dist(cfg: Config) -> None:
    """Start gloo in mmengine's place if a distributed run has no GPU.

    Does nothing without a launcher or with a GPU.

    Args:
        cfg (Config): ``launcher`` is read; ``env_cfg.dist_cfg.backend`` and
            ``model_wrapper_cfg`` are set.

    Raises:
        RuntimeError: Another launcher than 'pytorch' without a GPU.
    """
    if cfg.get('launcher', 'none') == 'none' or torch.cuda.is_available():
        return
    if cfg.launcher != 'pytorch':
        raise RuntimeError(
            f'--launcher {cfg.launcher} needs a GPU for each process and none is visible here; '
            'on CPUs use tools/dist_train.sh or --launcher pytorch.'
        )
    cfg.merge_from_dict({'env_cfg': {'dist_cfg': {'backend': 'gloo'}}})
    # The runner leaves a process group alone that is there already.
    if not is_distributed():
        distributed.init_process_group('gloo', **fresh_store())
    # What the runner would use by default, without a device.
    default = {
        'type': 'MMDistributedDataParallel',
        'broadcast_buffers': False,
        'find_unused_parameters': cfg.get('find_unused_parameters', False),
    }
    cfg.model_wrapper_cfg = {**default, **cfg.get('model_wrapper_cfg', {}), 'device_ids': None}
