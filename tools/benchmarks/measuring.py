"""Time and memory of work, and a table of them: what the benchmarks share."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch


def measure(work: Callable[[], None], device: str, rounds: int) -> tuple[float, float]:
    """Run work several times.

    Args:
        work (Callable): Takes and returns nothing.
        device (str): Where it runs, 'cpu' or a GPU.
        rounds (int): How often.

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
        if device != 'cpu':
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds), (peak_memory(device) - before) / 1e6


def start_of_peak(device: str) -> int:
    """Forget the peak so far; bytes held now."""
    if device != 'cpu':
        torch.cuda.synchronize()
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
