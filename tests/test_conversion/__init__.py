"""Tests of mmpixcon.conversion."""
