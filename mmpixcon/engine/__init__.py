"""Hooks, loops, schedules, and what is saved and loaded."""

from .hooks import *  # noqa: F403
from .initializers import ReportingPretrainedInit  # noqa: F401
from .load_report import LoadReport, compare_state_dicts  # noqa: F401
from .optimizers import *  # noqa: F403
from .plain import from_plain, to_plain  # noqa: F401
from .runner import *  # noqa: F403
from .schedules import ScalarSchedule  # noqa: F401
