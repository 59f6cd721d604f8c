"""L_c, the point-level region contrast of PLRC."""

from __future__ import annotations

from torch import Tensor, nn

from mmpixcon.registry import MODELS

from ..precision import full_precision
from .affinities import check_points, log_partition


@MODELS.register_module()
class PointRegionContrastLoss(nn.Module):
    r"""Contrasts each point with those of its region in the other view, and with all others.

    Equation (2) of PLRC ("Point-Level Region Contrast for Object Detection
    Pre-Training"), averaged over the C positive pairs of an image, then over
    images:

    .. math::
        L_c = -\frac{1}{C} \sum_{a_i = a_k} \log
            \frac{\exp(p_i \cdot p'_k / \tau)}{\sum_j \exp(p_i \cdot p'_j / \tau)}

    j runs over all keys, positives included, as printed. An image without a
    positive pair is skipped: it counts with 0, which stays in the graph. Keys
    take no gradient.

    Args:
        temperature (float): tau. Defaults to 0.1.

    Raises:
        ValueError: The temperature is not positive.
    """

    def __init__(self, temperature: float = 0.1) -> None:
        super().__init__()
        if not temperature > 0:
            raise ValueError(f'point_loss.temperature must be positive, got {temperature}')
        self.temperature = temperature

    @full_precision
    def forward(
        self,
        points: Tensor,
        keys: Tensor,
        positive: Tensor,
        pool: Tensor,
        pool_valid: Tensor,
        log_z: Tensor | None = None,
    ) -> Tensor:
        """Compute the loss, in full precision under autocast.

        Args:
            points (Tensor): Unit rows p, (N, n, C).
            keys (Tensor): Unit rows p' of the same images, (N, m, C).
            positive (Tensor): (N, n, m) bool, whether a_i = a_k; all False for
                what is no point.
            pool (Tensor): Unit rows p'_j, the keys of the denominator: (N, M, C),
                of each image, or (1, M, C), of all.
            pool_valid (Tensor): (N, M) or (1, M) bool, whether these are keys.
            log_z (Tensor, optional): Logarithms of the denominators, (N, n),
                where :func:`log_partition` has formed them already.

        Returns:
            Tensor: Scalar. float64 stays float64, everything else is computed
            in float32.

        Raises:
            ValueError: Shapes do not fit.
        """
        check_points(points, keys, pool, pool_valid)
        if positive.shape != (*points.shape[:2], keys.shape[1]):
            raise ValueError(f'positive has shape {tuple(positive.shape)}, not (N, n, m)')
        if log_z is None:
            log_z = log_partition(points, pool, pool_valid, self.temperature)
        # A pair's share, 1 / C in the mean over images.
        pairs = positive.sum((1, 2), keepdim=True, dtype=points.dtype).clamp_(min=1)
        share = positive / pairs.mul_(len(points))
        # sum_k p_i . p'_k = p_i . sum_k p'_k over the positives of i.
        attraction = share @ (keys.detach() / self.temperature)
        return (share.sum(2) * log_z).sum() - (points * attraction).sum()
