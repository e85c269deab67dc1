"""Fine relief of the skin that the cage is too coarse for: nostrils, the groove above the lip, the lids' creases."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from .base_face import smooth_step
from .cage import Cage
from .topology import UPPER_LID_RINGS, Floats

NOSTRIL = np.array([0.0068, -0.0372, 0.0385])
NOSTRIL_SIZE = np.array([0.0030, 0.0040, 0.0042])


def nostrils(points: Floats) -> Floats:
    """Return how much points (V, 3) belong to a nostril's hollow, 0 to 1 (V,)."""
    folded = np.stack([np.abs(points[:, 0]), points[:, 1], points[:, 2]], axis=1)
    return np.asarray(np.exp(-((((folded - NOSTRIL) / NOSTRIL_SIZE) ** 2).sum(axis=1))))


def _groove(points: Floats) -> Floats:
    """Return the depth (V,), metres, of the groove between nose and upper lip; its ridges are negative."""
    x, y, z = points.T
    along = smooth_step(y, -0.0570, -0.0500) * (1 - smooth_step(y, -0.0440, -0.0395)) * smooth_step(z, 0.025, 0.032)
    x = np.abs(x)
    return np.asarray(
        along * (0.0011 * np.exp(-((x / 0.0024) ** 2)) - 0.0007 * np.exp(-(((x - 0.0052) / 0.0022) ** 2)))
    )


def _creases(cage: Cage, matrix: sparse.csr_matrix) -> Floats:
    """Return the depth (V,), metres, of the upper lids' creases; the folds above them are negative."""
    row, middle = np.full(len(cage.points), 4.0), np.zeros(len(cage.points))
    for number, ring in enumerate(UPPER_LID_RINGS):
        for index, share in zip(ring, np.sin(np.linspace(0.0, np.pi, 9)), strict=True):
            both = [index, int(cage.mirror[index])]
            row[both], middle[both] = number, share
    row, middle = matrix @ row, matrix @ middle
    crease = 0.0009 * np.exp(-(((row - 1.0) / 0.28) ** 2)) - 0.0005 * np.exp(-(((row - 1.6) / 0.35) ** 2))
    return np.asarray(crease * smooth_step(middle, 0.2, 0.8))


def relief(cage: Cage, matrix: sparse.csr_matrix, points: Floats, normals: Floats) -> Floats:
    """Return the displacement (V, 3) in metres of fine points at rest."""
    depth = _creases(cage, matrix) + _groove(points)
    hollow = nostrils(points)[:, None] * np.array([0.0, 0.0042, -0.0006])
    return np.asarray(hollow - normals * depth[:, None])
