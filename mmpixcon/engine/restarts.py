"""Processes that torchrun started again after one of them was lost."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

import torch
from mmengine.config import Config
from mmengine.dist import is_distributed
from torch import distributed
from torch.distributed.distributed_c10d import default_pg_timeout
from torch.distributed.rendezvous import rendezvous

# Environment that torchrun gives its processes: how often it started them again, on how many
# machines.
COUNT = 'TORCHELASTIC_RESTART_COUNT'
MACHINES = 'GROUP_WORLD_SIZE'


def count_restarts() -> int:
    """Return how often torchrun has started this process again; 0 without torchrun.

    Returns:
        int: restarts, of which this machine knows.
    """
    return int(os.environ.get(COUNT, 0))


def fresh_store(timeout: timedelta = default_pg_timeout) -> dict[str, Any]:
    """Return where restarted processes find each other.

    Without ``--rdzv-backend=c10d`` torchrun keeps one store for all of its restarts, in which
    torch looks up addresses under the same names. Some would be those of processes that are gone,
    and each restart would end as the one before. So each restart has names of its own.

    With several machines nothing is changed: each counts the restarts that it has seen, which
    need not be as many, and ``--rdzv-backend=c10d`` has a store for each restart.

    Args:
        timeout (timedelta): time to wait for the other processes. Defaults to torch's own.

    Returns:
        dict: arguments of ``init_process_group``; empty where nothing was restarted.
    """
    restarts = count_restarts()
    if restarts == 0 or os.environ.get(MACHINES) != '1':
        return {}
    store, rank, world_size = next(rendezvous('env://', timeout=timeout))
    store.set_timeout(timeout)
    store = distributed.PrefixStore(f'restart_{restarts}', store)
    return dict(store=store, rank=rank, world_size=world_size)


def join_again(cfg: Config) -> None:
    """Start the group of restarted processes with a GPU each, in mmengine's place.

    Does nothing where nothing was restarted, and where mmengine would not call torch.

    Args:
        cfg (Config): config whose ``env_cfg.dist_cfg`` is read.
    """
    if cfg.get('launcher') != 'pytorch' or is_distributed() or not torch.cuda.is_available():
        return
    options = {'backend': 'nccl', **cfg.get('env_cfg', {}).get('dist_cfg', {})}
    if options.pop('init_backend', 'torch') != 'torch' or 'init_method' in options:
        return
    if options.get('timeout') is not None:
        options['timeout'] = timedelta(seconds=options['timeout'])
    if store := fresh_store():
        torch.cuda.set_device(int(os.environ['LOCAL_RANK']))
        distributed.init_process_group(**options, **store)
