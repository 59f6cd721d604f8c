"""Tests of mmpixcon.utils."""
