"""Parts that every method shares: momentum encoder, memory bank, gathering, shuffled keys."""

from .gather import gather_counts, gather_rows, gather_with_gradient
from .memory_bank import MemoryBank
from .momentum_encoder import MomentumEncoder, update_after_steps
from .shuffle import ShuffledKeys

__all__ = [
    'MemoryBank',
    'MomentumEncoder',
    'ShuffledKeys',
    'gather_counts',
    'gather_rows',
    'gather_with_gradient',
    'update_after_steps',
]
