"""What tests share: data on disk and the shipped configs."""

from __future__ import annotations

import gc
import itertools
import os
from functools import lru_cache
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope, init_default_scope
from mmengine.runner import Runner

import mmpixcon  # noqa: F401  (registers)
from mmpixcon.datasets.scenes.write import write_scenes
from tests.helpers.configs import ROOT
from tests.helpers.processes import forget_visualizers

# Several test processes at once (pytest -n) share the cores, as do the programs that they start:
# more threads than that only wait.
if 'PYTEST_XDIST_WORKER_COUNT' in os.environ:
    threads = max((os.cpu_count() or 1) // int(os.environ['PYTEST_XDIST_WORKER_COUNT']), 1)
    torch.set_num_threads(threads)
    os.environ.setdefault('OMP_NUM_THREADS', str(threads))


def pytest_xdist_auto_num_workers() -> int:
    """One process more than cores: tests wait for programs, disks and time limits as well."""
    return (os.cpu_count() or 1) + 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files first that run programs and trainings.

    Files are handed out whole: a long one at the end would be waited for by one process alone.
    """
    long = ('test_tools', 'test_runs', 'test_recipes')
    items.sort(key=lambda item: item.path.parent.name not in long)


@pytest.fixture(scope='session', autouse=True)
def libraries_are_no_garbage():
    """The same garbage, without a look at half a million objects of the libraries.

    Each data set collects it once it is built.
    """
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(scope='session', autouse=True)
def configs_are_written_without_layout():
    """The same configs in logs and checkpoints, without yapf.

    It takes two seconds of each of the five or more that a run writes: most of a short run.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr('mmengine.config.config.FormatCode', lambda text, **options: (text, True))
        yield


@pytest.fixture(scope='session', autouse=True)
def bases_of_other_packages_are_looked_up_once():
    """The same files, without all of mmdet's metafiles for each ``mmdet::`` of a config.

    They are read anew for every one of them: two thirds of the time that reading a config takes.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Config, '_get_cfg_path', staticmethod(lru_cache(None)(Config._get_cfg_path)))
        yield


@pytest.fixture(scope='session', autouse=True)
def runs_of_one_second_are_two():
    """A name of its own for each run, where mmengine names a run by its config and the second.

    Two short runs of one config in one process would share their log and its scalars.
    """
    numbers = itertools.count()
    set_up = Runner.setup_env

    def with_number(self: Runner, env_cfg: dict) -> None:
        set_up(self, env_cfg)
        self._timestamp += f'_{next(numbers):06d}'

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Runner, 'setup_env', with_number)
        yield


@pytest.fixture(autouse=True)
def scope_and_seed():
    """Each test starts in mmdet's scope, where the shipped configs run, and seeded."""
    DefaultScope._instance_dict.clear()
    init_default_scope('mmdet')
    torch.manual_seed(0)
    yield
    # After the test, not before: fixtures of the next module come before its first test.
    forget_visualizers()


@pytest.fixture(scope='session')
def scenes_root(tmp_path_factory) -> Path:
    """The built-in scenes: 16 to train on, 8 to evaluate."""
    root = tmp_path_factory.mktemp('data') / 'scenes'
    write_scenes(root, num_train=16, num_val=8)
    return root


@pytest.fixture(scope='session')
def bccd_root() -> Path:
    """Real photos: 364 of blood cells, in the repository."""
    return ROOT / 'examples' / 'bccd'
