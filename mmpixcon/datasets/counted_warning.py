"""Warnings about what happens again and again."""

from __future__ import annotations

import logging

import torch
from mmengine.logging import print_log


class CountedWarning:
    """Logs a warning the 1st, 10th, 100th, ... time, of all workers of a loader."""

    def __init__(self) -> None:
        # In memory that workers share.
        self._count = torch.zeros(1, dtype=torch.long).share_memory_()

    @property
    def count(self) -> int:
        """int: How often it happened."""
        return int(self._count)

    def __call__(self, message: str) -> None:
        """Count, and maybe log.

        Args:
            message (str): What happened, without a full stop.
        """
        self._count += 1
        if str(self.count).rstrip('0') == '1':
            print_log(
                f'{message}; {self.count} times so far.', logger='current', level=logging.WARNING
            )
