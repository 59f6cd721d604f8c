"""k-nearest-neighbor classification of features: what they know without training."""

from __future__ import annotations

import torch
from torch import Tensor

# Elements of a block of similarities, 64 MB in float32.
BLOCK_ELEMENTS = 1 << 24


@torch.no_grad()
def knn_scores(
    queries: Tensor,
    memory: Tensor,
    labels: Tensor,
    num_classes: int,
    k: int = 20,
    temperature: float = 0.07,
) -> Tensor:
    """Weighted votes of the nearest features.

    Each of the k features of ``memory`` most similar to a query votes for its
    class with weight exp(similarity / temperature), as in "Unsupervised Feature
    Learning via Non-Parametric Instance Discrimination" (section 3.4).

    Args:
        queries (Tensor): Unit rows, (n, C).
        memory (Tensor): Unit rows, (m, C), m at least 1.
        labels (Tensor): Classes of ``memory``, (m, ).
        num_classes (int): number of classes.
        k (int): Neighbors; all of ``memory`` if it has fewer. Defaults to 20.
        temperature (float): Defaults to 0.07.

    Returns:
        Tensor: (n, num_classes), rows that sum to 1.

    Raises:
        ValueError: ``memory`` is empty.
    """
    if not len(memory):
        raise ValueError('k-nearest-neighbor classification needs labeled features, got none')
    k = min(k, len(memory))
    scores = queries.new_zeros(len(queries), num_classes)
    step = max(BLOCK_ELEMENTS // len(memory), 1)
    for start in range(0, len(queries), step):
        block = slice(start, start + step)
        similarity, nearest = (queries[block] @ memory.T).topk(k, dim=1)
        # Less the largest, which cancels: exp(1 / 0.07) is beyond half precision.
        votes = ((similarity - similarity[:, :1]) / temperature).exp()
        scores[block].scatter_add_(1, labels[nearest], votes)
    return scores / scores.sum(1, keepdim=True)
