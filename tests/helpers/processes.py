"""Programs and processes of tests, without importing torch and mmdet anew for each."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import multiprocessing
import runpy
import socket
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import torch.multiprocessing as mp
from mmengine.visualization import Visualizer


def in_two_processes(function: Callable, *args: object) -> None:
    """Run ``function(rank, port, *args)`` twice at a time; wait for both.

    The processes are forked from one that has imported mmpixcon, is started
    once a session and has done nothing else: none of the threads that this one
    may have by now.

    Args:
        function (Callable): Of a module. Its ``port`` is free, for a process group.
        *args: What it takes besides, pickled.
    """
    multiprocessing.set_forkserver_preload(['mmpixcon'])
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    mp.start_processes(function, (port, *args), nprocs=2, start_method='forkserver')


def forget_visualizers() -> None:
    """Let the next run have a visualizer of its own.

    All runs of a process share that of the first, which writes into its work folder.
    """
    classes = [Visualizer]
    for visualizer in classes:
        visualizer._instance_dict.clear()
        classes += visualizer.__subclasses__()


def run_tool(path: Path, *arguments: object) -> tuple[int, str, str]:
    """Run a program of ``tools`` in this process, as if it were one of its own.

    Args:
        path (Path): The program.
        *arguments: Of its command line.

    Returns:
        tuple[int, str, str]: Exit status, and what it wrote to stdout and stderr.
    """
    out, err, status = io.StringIO(), io.StringIO(), 0
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        patch.setattr(sys, 'argv', [str(path), *map(str, arguments)])
        # Where Python looks first, for modules beside the program.
        patch.syspath_prepend(str(path.parent))
        try:
            runpy.run_path(str(path), run_name='__main__')
        except SystemExit as exit_:
            status = exit_.code if isinstance(exit_.code, int) else int(exit_.code is not None)
            if isinstance(exit_.code, str):
                print(exit_.code, file=sys.stderr)
        except Exception:
            traceback.print_exc()
            status = 1
        finally:
            forget_visualizers()
    return status, out.getvalue(), err.getvalue()


def load_tool(path: Path) -> ModuleType:
    """Import a program of ``tools``, with what lies beside it."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    # Where Python looks first, for modules beside the program.
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(path.parent))
        spec.loader.exec_module(module)
    return module
