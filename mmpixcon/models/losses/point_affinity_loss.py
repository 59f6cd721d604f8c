"""L_a, the point affinity distillation of PLRC."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn

from mmpixcon.registry import MODELS

from ..precision import full_precision
from .affinities import affinities, check_points

STRATEGIES = (1, 2, 3)


class AffinityTerms(NamedTuple):
    """Products of teacher and student with all keys, reduced.

    Attributes:
        log_z (Tensor): ``log Z`` of the student's points, (N, n).
        teacher_log_z (Tensor): that of the teacher's.
        target (Tensor): the teacher's mean key ``sum_k A_ik k_k``, (N, n, C).
    """

    log_z: Tensor
    teacher_log_z: Tensor
    target: Tensor


@MODELS.register_module()
class PointAffinityLoss(nn.Module):
    r"""Distils soft affinities of points from the momentum encoder.

    Equation (4) of PLRC ("Point-Level Region Contrast for Object Detection
    Pre-Training"), with the affinities of equation (3) over all keys:

    .. math::
        L_a = -\sum_{i,k} A^{teacher}_{ik}(\tau_t) \log A^{student}_{ik}(\tau_s)

    The mean over the points of an image, then over images; as a sum over points,
    as printed, it would outweigh L_c some hundred times. An image without
    points counts with 0, which stays in the graph.

    k are the momentum encoder's points of the second view throughout. The
    strategies (section 4.5.2) differ in what i is:

    1. Teacher A_{i'k'}, i' a point of the *second* view that was drawn for the
       same region as i; student A_{ik'}. No extra forward pass.
    2. The two exchange roles: teacher A_{ik'}, student A_{i'k'}. Nothing in
       A_{i'k'} learns, so the gradient goes through the teacher.
    3. As 1, but i' is point i itself, in the first view, by the momentum
       encoder, which has to see that view too.

    Args:
        strategy (int): 1, 2 or 3. Defaults to 1.
        teacher_temperature (float): tau_t. Defaults to 0.07.
        student_temperature (float): tau_s. Defaults to 0.1.
        exclude_self (bool): Whether i' is left out of its own keys. As equation (3)
            is printed, it is one of them, with the largest product there is, 1, and
            at tau_t = 0.07 it takes most of the teacher's weight when the other keys
            are far away. Left out of the teacher and of the student, so that both
            are distributions over the same keys. Strategy 3 compares points of the
            first view with keys of the second and has no such key. Defaults to False.

    Raises:
        ValueError: The strategy is unknown, a temperature is not positive, or there
            is no key to leave out.
    """

    def __init__(
        self,
        strategy: int = 1,
        teacher_temperature: float = 0.07,
        student_temperature: float = 0.1,
        exclude_self: bool = False,
    ) -> None:
        super().__init__()
        if strategy not in STRATEGIES:
            raise ValueError(
                f'affinity_loss.strategy = {strategy!r}: choose 1, 2 or 3 (section 4.5.2 of PLRC)'
            )
        if not (teacher_temperature > 0 and student_temperature > 0):
            raise ValueError(
                f'affinity_loss: teacher_temperature = {teacher_temperature} and '
                f'student_temperature = {student_temperature} must be positive'
            )
        if exclude_self and strategy == 3:
            raise ValueError(
                'affinity_loss.exclude_self = True has no effect with strategy = 3, whose points '
                'are of the first view and whose keys are of the second: set it to False, or '
                'choose strategy 1 or 2'
            )
        self.strategy = strategy
        self.teacher_temperature = teacher_temperature
        self.student_temperature = student_temperature
        self.exclude_self = exclude_self

    @property
    def log_z_temperature(self) -> float | None:
        """Temperature of ``AffinityTerms.log_z``, if that is the points' own over all keys."""
        return None if self.strategy == 2 or self.exclude_self else self.student_temperature

    @property
    def needs_first_view(self) -> bool:
        """Return whether the momentum encoder must see the first view too."""
        return self.strategy == 3

    @full_precision
    def forward(
        self,
        points: Tensor,
        momentum: Tensor,
        valid: Tensor,
        pool: Tensor,
        pool_valid: Tensor,
        self_index: Tensor | None = None,
        terms: AffinityTerms | None = None,
    ) -> dict[str, Tensor]:
        """Compute the loss, in full precision under autocast.

        Args:
            points (Tensor): Unit rows p_i, (N, n, C).
            momentum (Tensor): Unit rows p_{i'}, (N, n, C); no gradient.
            valid (Tensor): (N, n) bool, whether i is a point.
            pool (Tensor): Unit rows p'_k, (N, M, C), the keys of each image, or
                (1, M, C), of all; no gradient.
            pool_valid (Tensor): (N, M) or (1, M) bool, whether these are keys.
            self_index (Tensor, optional): (N, n) int64, which key of the pool is i',
                for ``exclude_self``.
            terms (AffinityTerms, optional): What :meth:`terms` gives for the same
                points, where it has been formed already.

        Returns:
            dict[str, Tensor]: ``loss_affinity``, a scalar; and for strategy 1, if i' is
            one of its keys, ``teacher_self_weight``, the mean of A_{i'i'} over points:
            1 where the teacher sees nothing but itself. float64 stays float64,
            everything else is computed in float32.

        Raises:
            ValueError: Shapes do not fit, or ``exclude_self`` needs ``self_index``.
        """
        if valid.shape != points.shape[:2]:
            raise ValueError(
                f'points {tuple(points.shape)} and valid {tuple(valid.shape)} do not fit'
            )
        if terms is None:
            terms = self.terms(points, momentum, pool, pool_valid, self_index)
        student = momentum.detach() if self.strategy == 2 else points
        # A point's share, 1 / n of its image in the mean over images.
        count = valid.sum(1, keepdim=True, dtype=points.dtype)
        share = valid / count.clamp(min=1).mul_(len(points))
        # -sum_k A_ik log A_ik = log Z_i - s_i . sum_k A_ik k_k / tau_s.
        attraction = (share / self.student_temperature)[..., None] * student
        loss = (share * terms.log_z).sum() - (attraction * terms.target).sum()
        losses = dict(loss_affinity=loss)
        if self.strategy == 1 and not self.exclude_self:
            # The product of a unit vector with itself is 1.
            weight = (1 / self.teacher_temperature - terms.teacher_log_z).exp() * valid
            losses['teacher_self_weight'] = weight.sum() / count.sum().clamp_(min=1)
        return losses

    @full_precision
    def terms(
        self,
        points: Tensor,
        momentum: Tensor,
        pool: Tensor,
        pool_valid: Tensor,
        self_index: Tensor | None = None,
    ) -> AffinityTerms:
        """Compute what the loss needs of all products with keys, in full precision.

        Args:
            points (Tensor): unit rows p_i, (N, n, C).
            momentum (Tensor): unit rows p_{i'}, (N, n, C); no gradient.
            pool (Tensor): unit rows p'_k, (N, M, C), the keys of each image, or (1, M, C), of all;
                no gradient.
            pool_valid (Tensor): (N, M) or (1, M) bool, whether these are keys.
            self_index (Tensor, optional): (N, n) int64, index of the key of the pool that is i',
                for ``exclude_self``.

        Returns:
            AffinityTerms: teacher's and student's.

        Raises:
            ValueError: Shapes do not fit, or ``exclude_self`` needs ``self_index``.
        """
        check_points(points, momentum, pool, pool_valid)
        if momentum.shape != points.shape:
            raise ValueError(
                f'points {tuple(points.shape)} and momentum {tuple(momentum.shape)} do not fit'
            )
        if self.exclude_self and self_index is None:
            raise ValueError('affinity_loss.exclude_self = True needs self_index')
        teacher, student = momentum.detach(), points
        if self.strategy == 2:
            teacher, student = student, teacher
        shape = len(pool), -1, points.shape[2]
        left_out = None
        if self.exclude_self and self_index is not None:
            left_out = self_index.reshape(shape[:2])
        (teacher_log_z, log_z), (target, _) = affinities(
            [teacher.reshape(shape), student.reshape(shape)],
            pool,
            pool_valid,
            [self.teacher_temperature, self.student_temperature],
            left_out,
        )
        rows = points.shape[:2]
        return AffinityTerms(log_z.view(rows), teacher_log_z.view(rows), target.view_as(points))
