"""Hooks, loops, schedules, and what is saved and loaded."""

from .checkpoint import *  # noqa: F403
from .hooks import *  # noqa: F403
from .optimizers import *  # noqa: F403
from .runner import *  # noqa: F403
from .schedules import ScalarSchedule  # noqa: F401
