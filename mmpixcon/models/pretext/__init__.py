"""Pretraining without labels."""

from .detco import DetCo
from .moco import MoCo
from .plrc import PLRC
from .vicreg import VICReg

__all__ = ['PLRC', 'DetCo', 'MoCo', 'VICReg']
