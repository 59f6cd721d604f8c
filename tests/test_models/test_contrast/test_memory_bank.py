"""The ring of keys."""

from __future__ import annotations

import pytest
import torch

from mmpixcon.models.contrast import MemoryBank


@pytest.mark.parametrize('batches', [[3, 3, 3], [4, 7, 1, 6, 5], [10], [0, 2, 13, 25, 3]])
def test_holds_the_last_keys_in_the_places_of_a_ring(batches):
    bank = MemoryBank(10, 2)
    ring = bank.keys.clone()
    assert torch.allclose(ring.norm(dim=1), torch.ones(10))
    place = 0
    for count in batches:
        keys = torch.randn(count, 2)
        bank.enqueue(keys)
        for key in keys:  # one by one
            ring[place % 10] = key
            place += 1
        assert torch.equal(bank.keys, ring)
        assert bank.pointer.item() == place % 10


def test_state_resumes_and_refuses_another_size():
    bank, other = MemoryBank(6, 2), MemoryBank(6, 2)
    bank.enqueue(torch.randn(4, 2))
    other.load_state_dict(bank.state_dict())
    assert torch.equal(other.keys, bank.keys) and other.pointer == 4
    with pytest.raises(ValueError, match=r'memory bank .* of \(6, 2\) keys, the config one of'):
        MemoryBank(8, 2).load_state_dict(bank.state_dict())
    with pytest.raises(ValueError, match=r'queue_len = 0 .* must be at least 1'):
        MemoryBank(0, 2)


def test_keys_of_half_precision_are_kept_in_full():
    bank = MemoryBank(4, 2)
    bank.enqueue(torch.ones(2, 2, dtype=torch.float16))
    assert bank.keys.dtype == torch.float32 and (bank.keys[:2] == 1).all()
