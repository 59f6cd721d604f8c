"""The losses in plain PyTorch, to read beside the papers and to test the fast ones with.

Nothing here is fused, blocked or computed in place, so that a function is its equation. Memory
grows with the square of the number of cells or points.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..geometry import PixelPairs
from .functional import NORM_EPS


def pixel_masks(pairs: PixelPairs) -> tuple[Tensor, Tensor, Tensor]:
    """Tell positives, negatives and anchors of PixCon apart (section 3.2).

    Args:
        pairs (PixelPairs): geometry of one image with n query cells and m key cells.

    Returns:
        tuple[Tensor, Tensor, Tensor]: positives and negatives, (n, m) bool, and anchors, (n, )
        bool.
    """
    distance = torch.cdist(
        pairs.query_raw, pairs.key_raw, compute_mode='donot_use_mm_for_euclid_dist'
    )
    on_image = pairs.query.valid.to(distance.device)[:, None] & pairs.key_valid
    mean = (distance * on_image).sum() / on_image.sum().clamp(min=1)
    positive = (distance <= mean / pairs.S) & on_image
    anchors = pairs.candidates.to(distance.device) & positive.any(1)
    return positive, ~positive & on_image, anchors


def pixel_cosine(query: Tensor, key: Tensor, pairs: PixelPairs) -> Tensor:
    r"""L_Cos of one image, equation (5) of PixCon, averaged over anchors.

    .. math:: L_{Cos}^i = -\frac{1}{|P_i|} \sum_{j \in P_i} l_2(\gamma_i) \cdot l_2(\Psi_j)

    Args:
        query (Tensor): gamma, (C, h, w).
        key (Tensor): Psi, (C, h', w').
        pairs (PixelPairs): geometry of the image.

    Returns:
        Tensor: scalar, 0 without anchors.
    """
    positive, _, anchors = pixel_masks(pairs)
    similarity = _unit_cells(query) @ _unit_cells(key.detach()).T
    mean = (similarity * positive).sum(1) / positive.sum(1).clamp(min=1)
    return -(mean * anchors).sum() / anchors.sum().clamp(min=1)


def pixel_nce(query: Tensor, key: Tensor, pairs: PixelPairs, temperature: float) -> Tensor:
    r"""L_NCE of one image, equation (4) of PixCon, averaged over anchors.

    .. math::
        L_{NCE}^i = -\frac{1}{|P_i|} \sum_{j \in P_i}
        \log \frac{e^{s_{ij}}}{e^{s_{ij}} + \sum_{k \in N_i} e^{s_{ik}}}, \quad
        s_{ij} = l_2(\Gamma_i) \cdot l_2(\Psi_j) / \tau

    Args:
        query (Tensor): Gamma, (C, h, w).
        key (Tensor): Psi, (C, h', w').
        pairs (PixelPairs): geometry of the image.
        temperature (float): tau.

    Returns:
        Tensor: scalar, 0 without anchors.
    """
    positive, negative, anchors = pixel_masks(pairs)
    s = _unit_cells(query) @ _unit_cells(key.detach()).T / temperature
    log_negatives = s.masked_fill(~negative, -torch.inf).logsumexp(1, keepdim=True)
    terms = torch.logaddexp(s, log_negatives) - s
    mean = (terms * positive).sum(1) / positive.sum(1).clamp(min=1)
    return (mean * anchors).sum() / anchors.sum().clamp(min=1)


def info_nce(query: Tensor, key: Tensor, negatives: Tensor, temperature: float) -> Tensor:
    r"""The loss of MoCo, equation (1).

    .. math::
        L = -\frac{1}{N} \sum_n \log
        \frac{e^{q_n \cdot k_n / \tau}}{e^{q_n \cdot k_n / \tau} + \sum_j e^{q_n \cdot b_j / \tau}}

    Args:
        query (Tensor): unit rows q, (N, C).
        key (Tensor): unit rows k, (N, C).
        negatives (Tensor): unit rows b, (K, C).
        temperature (float): tau.

    Returns:
        Tensor: scalar.
    """
    positive = (query * key.detach()).sum(1, keepdim=True)
    logits = torch.cat([positive, query @ negatives.detach().T], dim=1) / temperature
    return F.cross_entropy(logits, torch.zeros(len(query), dtype=torch.long, device=query.device))


def log_affinity(
    points: Tensor,
    pool: Tensor,
    valid: Tensor,
    temperature: float,
    left_out: Tensor | None = None,
) -> Tensor:
    r"""Logarithm of the affinity of points to keys, equation (3) of PLRC.

    .. math:: A_{ik} = \frac{e^{p_i \cdot k_k / \tau}}{\sum_j e^{p_i \cdot k_j / \tau}}

    Args:
        points (Tensor): unit rows p, (N, n, C).
        pool (Tensor): unit rows k, (N, M, C), or (1, M, C) for all images.
        valid (Tensor): whether these are keys, (N, M) or (1, M) bool.
        temperature (float): tau.
        left_out (Tensor, optional): (N, n) int64, the key that is not one for this point.

    Returns:
        Tensor: (N, n, M); minus infinity for what is no key.
    """
    logits = points @ pool.detach().mT / temperature
    logits = logits.masked_fill(~valid[:, None], -torch.inf)
    if left_out is not None:
        logits = logits.scatter(2, left_out[..., None], -torch.inf)
    return logits.log_softmax(2)


def point_region_contrast(
    points: Tensor,
    keys: Tensor,
    positive: Tensor,
    pool: Tensor,
    pool_valid: Tensor,
    temperature: float,
) -> Tensor:
    r"""L_c, equation (2) of PLRC: the mean of :math:`-\log A_{ik}` over pairs of a region.

    Args:
        points (Tensor): unit rows p, (N, n, C).
        keys (Tensor): unit rows of the same images, (N, m, C).
        positive (Tensor): which points and keys have one region, (N, n, m) bool.
        pool (Tensor): keys of the denominator, (N, M, C) or (1, M, C).
        pool_valid (Tensor): whether these are keys, (N, M) or (1, M) bool.
        temperature (float): tau.

    Returns:
        Tensor: scalar; an image without pairs counts with 0.
    """
    logits = points @ pool.detach().mT / temperature
    log_z = logits.masked_fill(~pool_valid[:, None], -torch.inf).logsumexp(2)
    terms = log_z[..., None] - points @ keys.detach().mT / temperature
    terms = terms.masked_fill(~positive, 0)
    return (terms.sum((1, 2)) / positive.sum((1, 2)).clamp(min=1)).mean()


def point_affinity_distillation(
    teacher: Tensor,
    student: Tensor,
    valid: Tensor,
    pool: Tensor,
    pool_valid: Tensor,
    teacher_temperature: float,
    student_temperature: float,
    left_out: Tensor | None = None,
) -> Tensor:
    r"""L_a, equation (4) of PLRC: the mean of :math:`-\sum_k A_{ik} \log A'_{ik}` over points.

    Args:
        teacher (Tensor): unit rows whose affinities are A, (N, n, C).
        student (Tensor): unit rows whose affinities are A', (N, n, C).
        valid (Tensor): which are points, (N, n) bool.
        pool (Tensor): keys, (N, M, C) or (1, M, C).
        pool_valid (Tensor): whether these are keys, (N, M) or (1, M) bool.
        teacher_temperature (float): tau of A.
        student_temperature (float): tau of A'.
        left_out (Tensor, optional): (N, n) int64, the key that is not one for this point.

    Returns:
        Tensor: scalar; an image without points counts with 0.
    """
    weights = log_affinity(teacher, pool, pool_valid, teacher_temperature, left_out).exp()
    logs = log_affinity(student, pool, pool_valid, student_temperature, left_out)
    entropy = -(weights * logs.masked_fill(logs.isneginf(), 0)).sum(2)
    entropy = entropy.masked_fill(~valid, 0)
    return (entropy.sum(1) / valid.sum(1).clamp(min=1)).mean()


def cross_correlation(first: Tensor, second: Tensor, lambd: float, eps: float) -> Tensor:
    r"""The loss of Barlow Twins, equations (1) and (2).

    .. math:: L = \sum_d (1 - C_{dd})^2 + \lambda \sum_{d \ne e} C_{de}^2

    Args:
        first (Tensor): z, (N, D).
        second (Tensor): z', (N, D).
        lambd (float): lambda.
        eps (float): what is added to variances.

    Returns:
        Tensor: scalar.
    """
    pair = [(z - z.mean(0)) / (z.var(0, correction=0) + eps).sqrt() for z in (first, second)]
    correlation = pair[0].T @ pair[1] / len(first)
    diagonal = correlation.diagonal()
    off_diagonal = correlation.square().sum() - diagonal.square().sum()
    return (1 - diagonal).square().sum() + lambd * off_diagonal


def vicreg(first: Tensor, second: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor]:
    r"""The terms of VICReg, equations (1) to (6), scaled as its authors' code does.

    .. math::
        s = \frac{1}{N D} \sum_{n,d} (z_{nd} - z'_{nd})^2, \quad
        v = \frac{1}{2} \sum_{z, z'} \frac{1}{D} \sum_d
            \max(0, 1 - \sqrt{\mathrm{Var}(z_d) + \epsilon}), \quad
        c = \sum_{z, z'} \frac{1}{D} \sum_{d \ne e} \mathrm{Cov}(z_d, z_e)^2

    Args:
        first (Tensor): z, (N, D).
        second (Tensor): z', (N, D).
        eps (float): epsilon.

    Returns:
        tuple[Tensor, Tensor, Tensor]: invariance s, variance v and covariance c, without their
        coefficients.
    """
    variance = covariance = first.new_zeros(())
    for z in (first, second):
        variance = variance + F.relu(1 - (z.var(0) + eps).sqrt()).mean() / 2
        matrix = z.T.cov()
        off_diagonal = matrix.square().sum() - matrix.diagonal().square().sum()
        covariance = covariance + off_diagonal / z.shape[1]
    return (first - second).square().mean(), variance, covariance


def _unit_cells(feature_map: Tensor) -> Tensor:
    """Unit rows of the cells of a map (C, h, w), (h * w, C)."""
    return F.normalize(feature_map.flatten(1).T, dim=1, eps=NORM_EPS)
