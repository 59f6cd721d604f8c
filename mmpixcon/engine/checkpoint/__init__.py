"""Saving and loading of checkpoints, and reports of it."""

from .load_report import LoadReport, compare_state_dicts
from .plain import from_plain, to_plain
from .pretrained_init import ReportingPretrainedInit

__all__ = [
    'LoadReport',
    'ReportingPretrainedInit',
    'compare_state_dicts',
    'from_plain',
    'to_plain',
]
