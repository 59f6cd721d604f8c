"""L_a, the point affinity distillation of PLRC."""

from __future__ import annotations

from torch import Tensor, nn

from mmpixcon.registry import MODELS

from ..precision import full_precision
from .affinities import affinities, check_points, log_partition

STRATEGIES = (1, 2, 3)


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
        """Of the points' own ``log Z``, tau, if the loss needs it."""
        return None if self.strategy == 2 or self.exclude_self else self.student_temperature

    @property
    def needs_first_view(self) -> bool:
        """Whether the momentum encoder must see the first view too."""
        return self.strategy == 3

    @full_precision
    def forward(
        self,
        points: Tensor,
        momentum: Tensor,
        valid: Tensor,
        pool: Tensor,
        pool_valid: Tensor,
        log_z: Tensor | None = None,
        self_index: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Compute the loss, in full precision under autocast.

        Args:
            points (Tensor): Unit rows p_i, (N, n, C).
            momentum (Tensor): Unit rows p_{i'}, (N, n, C); no gradient.
            valid (Tensor): (N, n) bool, whether i is a point.
            pool (Tensor): Unit rows p'_k, (N, M, C), the keys of each image, or
                (1, M, C), of all; no gradient.
            pool_valid (Tensor): (N, M) or (1, M) bool, whether these are keys.
            log_z (Tensor, optional): ``log Z`` of the points, (N, n), where
                :func:`log_partition` has formed it already, with
                ``log_z_temperature``.
            self_index (Tensor, optional): (N, n) int64, which key of the pool is i',
                for ``exclude_self``.

        Returns:
            dict[str, Tensor]: ``loss_affinity``, a scalar; and for strategy 1, if i' is
            one of its keys, ``teacher_self_weight``, the mean of A_{i'i'} over points:
            1 where the teacher sees nothing but itself. float64 stays float64,
            everything else is computed in float32.

        Raises:
            ValueError: Shapes do not fit, or ``exclude_self`` needs ``self_index``.
        """
        check_points(points, momentum, pool, pool_valid)
        if momentum.shape != points.shape or valid.shape != points.shape[:2]:
            raise ValueError(
                f'points {tuple(points.shape)}, momentum {tuple(momentum.shape)} and valid '
                f'{tuple(valid.shape)} do not fit'
            )
        if not self.exclude_self:
            self_index = None
        elif self_index is None:
            raise ValueError('affinity_loss.exclude_self = True needs self_index')
        momentum = momentum.detach()
        teacher, student = (momentum, points) if self.strategy != 2 else (points, momentum)
        grouped = teacher.reshape(len(pool), -1, teacher.shape[2])
        left_out = None if self_index is None else self_index.reshape(grouped.shape[:2])
        # -sum_k A_ik log A_ik = log Z_i - s_i . sum_k A_ik k_k / tau_s.
        teacher_log_z, target = affinities(
            grouped, pool, pool_valid, self.teacher_temperature, left_out
        )
        if log_z is None or self.log_z_temperature is None:
            log_z = log_partition(student, pool, pool_valid, self.student_temperature, self_index)
        agreement = (student * target.view_as(student)).sum(2) / self.student_temperature
        entropy = (log_z - agreement) * valid
        losses = dict(loss_affinity=(entropy.sum(1) / valid.sum(1).clamp(min=1)).mean())
        if self.strategy == 1 and not self.exclude_self:
            similarity = teacher.square().sum(2) / self.teacher_temperature
            weight = (similarity - teacher_log_z.view_as(similarity)).exp() * valid
            losses['teacher_self_weight'] = weight.sum() / valid.sum().clamp(min=1)
        return losses
