"""Models of mmpixcon."""

from .backbones import *  # noqa: F403
from .contrast import *  # noqa: F403
from .detectors import *  # noqa: F403
from .geometry import *  # noqa: F403
from .heads import *  # noqa: F403
from .losses import *  # noqa: F403
from .necks import *  # noqa: F403
from .pretext import *  # noqa: F403
from .task_modules import *  # noqa: F403
