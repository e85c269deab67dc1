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
    folded = points * np.array([1.0, 1.0, 1.0])
    folded[:, 0] = np.abs(folded[:, 0])
    return np.asarray(np.exp(-((((folded - NOSTRIL) / NOSTRIL_SIZE) ** 2).sum(axis=1))))


def _groove(points: Floats) -> Floats:
    """Return the depth (V,), metres, of the groove between nose and upper lip; its ridges are negative."""
    x, y, z = points.T
    along = smooth_step(y, -0.0570, -0.0500) * (1 - smooth_step(y, -0.0440, -0.0395)) * smooth_step(z, 0.025, 0.032)
    x = np.abs(x)
    return np.asarray(
        along * (0.0011 * np.exp(-((x / 0.0024) ** 2)) - 0.0007 * np.exp(-(((x - 0.0052) / 0.0022) ** 2)))
    )


def _lid_row(cage: Cage, matrix: sparse.csr_matrix) -> Floats:
    """Return where fine points (V,) lie on an upper lid: 0 margin, 1 and 2 the rings above, more elsewhere."""
    row = np.full(len(cage.points), 4.0)
    strength = np.sin(np.linspace(0.0, np.pi, 9)) ** 0.5
    for number, ring in enumerate(UPPER_LID_RINGS):
        for index, middle in zip(ring, strength, strict=True):
            row[[index, cage.mirror[index]]] = number + 4.0 * (1 - middle)
    return np.asarray(matrix @ row)


def relief(cage: Cage, matrix: sparse.csr_matrix, points: Floats, normals: Floats) -> Floats:
    """Return the displacement (V, 3) in metres of fine points at rest."""
    row = _lid_row(cage, matrix)
    crease = 0.0009 * np.exp(-(((row - 1.0) / 0.28) ** 2)) - 0.0005 * np.exp(-(((row - 1.6) / 0.35) ** 2))
    depth = crease + _groove(points)
    hollow = nostrils(points)[:, None] * np.array([0.0, 0.0042, -0.0006])
    return np.asarray(hollow - normals * depth[:, None])
