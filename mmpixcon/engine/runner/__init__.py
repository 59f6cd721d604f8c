"""Loops of mmpixcon."""

from .resumable_epoch_loop import ResumableEpochBasedTrainLoop
from .resumable_loop import ResumableIterBasedTrainLoop

__all__ = ['ResumableEpochBasedTrainLoop', 'ResumableIterBasedTrainLoop']
