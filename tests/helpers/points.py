"""Points of random regions, with keys."""

from __future__ import annotations

import torch
import torch.nn.functional as F

BATCH, CHANNELS = 4, 5


def unit(*shape):
    return F.normalize(torch.randn(*shape, dtype=torch.float64), dim=-1)


def random_case(seed, negatives, count=6):
    """Points of random regions; some are none, and images without any come in."""
    torch.manual_seed(seed)
    points, keys, momentum = (unit(BATCH, count, CHANNELS) for _ in range(3))
    regions = torch.randint(-1, 3, (BATCH, 2, count))
    # Images without points, some seeds all of them.
    for image in range(BATCH):
        if seed == 0 or torch.rand(()) < 0.3:
            regions[image] = -1
    first, second = regions.unbind(1)
    positive = (first[:, :, None] == second[:, None, :]) & (first >= 0)[:, :, None]
    keys_of = [k[a >= 0] for k, a in zip(keys, second)]
    if negatives == 'image':
        pools, pool, valid = keys_of, keys, second >= 0
    else:
        pools = [torch.cat(keys_of)] * BATCH
        pool, valid = keys.flatten(0, 1)[None], (second >= 0).flatten()[None]
    return points, keys, momentum, regions, positive, pools, pool, valid
