"""Tests of mmpixcon.engine."""
