"""Pretraining without labels."""

from .detco import DetCo
from .moco import MoCo
from .plrc import PLRC

__all__ = ['PLRC', 'DetCo', 'MoCo']
