"""Models of mmpixcon."""

from .contrast import *  # noqa: F403
from .losses import *  # noqa: F403
