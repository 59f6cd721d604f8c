"""Tests of conversions write much and leave nothing."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def written_files_are_removed(tmp_path: Path):
    """Not kept, as pytest would: gigabytes of weights."""
    yield
    shutil.rmtree(tmp_path)
