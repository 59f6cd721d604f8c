"""Parts that detectors are trained with."""

from .finite_assigner import FiniteHungarianAssigner, NonFiniteError

__all__ = ['FiniteHungarianAssigner', 'NonFiniteError']
