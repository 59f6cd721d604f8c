"""Data sets and transforms of mmpixcon."""

from .coco import RobustCocoDataset  # noqa: F401
from .transforms import *  # noqa: F403
from .unlabelled import UnlabelledDataset  # noqa: F401
