"""The command ``mmpixcon``."""
