"""Pretraining without labels."""

from .detco import DetCo
from .detreg import DETReg
from .moco import MoCo
from .plrc import PLRC
from .siamese_detr import SiameseDETR
from .updetr import UPDETR
from .vicreg import VICReg

__all__ = ['PLRC', 'UPDETR', 'DETReg', 'DetCo', 'MoCo', 'SiameseDETR', 'VICReg']
