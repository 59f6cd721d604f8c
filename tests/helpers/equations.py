"""The papers' equations, term by term: what the plain versions of the losses are tested with."""

from __future__ import annotations

import math

import torch


def info_nce(query, key, negatives, temperature):
    """Equation (1) of MoCo, query by query."""
    terms = []
    for q, k in zip(query, key):
        positive = ((q * k).sum() / temperature).exp()
        others = sum(((q * b).sum() / temperature).exp() for b in negatives)
        terms.append(-(positive / (positive + others)).log())
    return torch.stack(terms).mean()


def vicreg(first, second, inv=25.0, var=25.0, cov=1.0, eps=1e-4):
    """Loops over images and dimensions."""
    n, d = first.shape
    s = sum((first[i, j] - second[i, j]) ** 2 for i in range(n) for j in range(d)) / (n * d)
    v, c = 0.0, 0.0
    for z in (first, second):
        mean = [sum(z[:, j]) / n for j in range(d)]

        def covariance(j, k, z=z, mean=mean):
            return sum((z[i, j] - mean[j]) * (z[i, k] - mean[k]) for i in range(n)) / (n - 1)

        for j in range(d):
            v = v + torch.clamp(1 - (covariance(j, j) + eps).sqrt(), min=0) / d / 2
            c = c + sum(covariance(j, k) ** 2 for k in range(d) if k != j) / d
    return inv * s, var * v, cov * c


def cross_correlation(first, second, lambd=0.0051, eps=1e-5):
    """Loops over pairs of dimensions."""
    n, d = first.shape

    def normal(z, j):
        mean = z[:, j].mean()
        return (z[:, j] - mean) / (((z[:, j] - mean) ** 2).mean() + eps).sqrt()

    total = 0.0
    for j in range(d):
        for k in range(d):
            c = (normal(first, j) * normal(second, k)).sum() / n
            total = total + ((1 - c) ** 2 if j == k else lambd * c**2)
    return total


def affinity(point, key, pool, tau):
    """A_{ik}, equation (3)."""
    total = sum(math.e ** (point @ other / tau) for other in pool)
    return math.e ** (point @ key / tau) / total


def point_region_contrast(points, keys, regions, pools, tau):
    """L_c, equation (2), image by image; -1 is no point."""
    total = points.sum() * 0
    for p, k, (a, b), pool in zip(points, keys, regions, pools):
        pairs = [(i, j) for i in range(len(a)) for j in range(len(b)) if a[i] == b[j] >= 0]
        if pairs:
            logs = [affinity(p[i], k[j], pool, tau).log() for i, j in pairs]
            total = total - sum(logs) / len(pairs)
    return total / len(points)


def point_affinity_distillation(points, momentum, regions, pools, strategy, tau_t, tau_s):
    """L_a, equation (4), the mean over an image's points."""
    total = points.sum() * 0
    for p, m, (a, _), pool in zip(points, momentum, regions, pools):
        terms = []
        for i in range(len(a)):
            if a[i] < 0:
                continue
            teacher, student = (p[i], m[i]) if strategy == 2 else (m[i], p[i])
            terms += [
                affinity(teacher, key, pool, tau_t) * affinity(student, key, pool, tau_s).log()
                for key in pool
            ]
        if terms:
            total = total - sum(terms) / int((a >= 0).sum())
    return total / len(points)
