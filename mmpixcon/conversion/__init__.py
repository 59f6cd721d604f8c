"""Checkpoints from one layout to another: mmdet's, those of other libraries, and of releases."""

from .convert import TARGETS, Conversion, convert
from .layouts import SOURCES

__all__ = ['SOURCES', 'TARGETS', 'Conversion', 'convert']
