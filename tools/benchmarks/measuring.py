"""Time and memory of work, and a table of them: what the benchmarks share."""

from __future__ import annotations

import multiprocessing
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch


def measure(work: Callable[[], None], device: str, rounds: int) -> tuple[float, float]:
    """Run work several times.

    Args:
        work (Callable): Takes and returns nothing.
        device (str): device that the work runs on, 'cpu' or a GPU.
        rounds (int): number of times that the work runs.

    Returns:
        tuple[float, float]: Median of the seconds, and most MB held beyond what
        was held before. On the CPU that is right in a fresh process only, where
        no memory was freed before.
    """
    before = start_of_peak(device)
    seconds = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        synchronize(device)
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds), (peak_memory(device) - before) / 1e6


def start_of_peak(device: str) -> int:
    """Forget the peak so far; bytes held now."""
    if device != 'cpu':
        synchronize(device)
        torch.cuda.reset_peak_memory_stats()
        return torch.cuda.memory_allocated()
    # Linux: 5 sets the peak of the resident set back to what it is now.
    Path('/proc/self/clear_refs').write_text('5')
    return peak_memory(device)


def peak_memory(device: str) -> int:
    """Most bytes held since ``start_of_peak``."""
    if device != 'cpu':
        return torch.cuda.max_memory_allocated()
    status = Path('/proc/self/status').read_text()
    return int(status.split('VmHWM:')[1].split()[0]) * 1024


def in_fresh_process(function: Callable[[Any], Any], job: Any, device: str) -> Any:
    """Call a function where its peak memory is right.

    On the CPU that is a process of its own. A GPU's allocator counts right in this one, where
    nothing has to be imported again.

    Args:
        function (Callable): takes ``job``; of a module, so that another process finds it.
        job (Any): its argument.
        device (str): where it runs.

    Returns:
        Any: what it returns.
    """
    if device != 'cpu':
        return function(job)
    with multiprocessing.get_context('spawn').Pool(1) as pool:
        return pool.apply(function, [job])


def describe(device: str) -> str:
    """Name a device and the versions that work on it."""
    if device == 'cpu':
        return f'CPU, {torch.get_num_threads()} threads, torch {torch.__version__}'
    return f'{torch.cuda.get_device_name()}, torch {torch.__version__}, CUDA {torch.version.cuda}'


def synchronize(device: str) -> None:
    """Wait until a GPU has done what was asked of it."""
    if device != 'cpu':
        torch.cuda.synchronize()


def autocast(device: str, dtype: str) -> torch.autocast:
    """Autocast to 'bfloat16' or 'float16'; with 'float32' none."""
    enabled = dtype != 'float32'
    number = getattr(torch, dtype if enabled else 'bfloat16')
    return torch.autocast(torch.device(device).type, dtype=number, enabled=enabled)
