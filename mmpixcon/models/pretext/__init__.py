"""Pretraining without labels."""

from .detco import DetCo
from .moco import MoCo

__all__ = ['DetCo', 'MoCo']
