"""Makes both sides of the finished mesh exact mirror images, to the last bit that the asset stores."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.spatial import cKDTree

from blendshape_rigs.arkit import mirror_name

from .base_face import MIRROR
from .correctives import JOINT
from .topology import Floats, Ints


def mirror_partners(points: Floats, names: Sequence[str], deltas: Floats) -> Ints:
    """Return the vertex on the other side of each vertex (V,), or the vertex itself where nothing moves it.

    Vertices in the same place (lips touch) are told apart by how the shapes carry them. ``deltas`` is (N, V, 3).

    Raises:
        RuntimeError: where the two sides do not have the same vertices.
    """
    moving = np.flatnonzero((deltas != 0).any(axis=(0, 2)))
    index = {name: number for number, name in enumerate(names)}
    other = [index[_mirrored(name)] for name in names]
    telling = [index[name] for name in ("jawOpen", "mouthFunnel", "mouthRollUpper", "mouthRollLower", "mouthSmileLeft")]
    own = np.concatenate([points[moving], *deltas[telling][:, moving]], axis=1)
    image = np.concatenate([points[moving], *deltas[[other[number] for number in telling]][:, moving]], axis=1)
    _, nearest = cKDTree(own).query(image * np.tile(MIRROR, len(telling) + 1), k=8, distance_upper_bound=1e-4)
    partners = np.full(len(points), -1)
    for vertex, candidates in zip(moving.tolist(), nearest.tolist(), strict=True):
        # Vertices that are the same in everything pair off one by one.
        free = [moving[c] for c in candidates if c < len(moving) and partners[moving[c]] < 0]
        if partners[vertex] >= 0:
            continue
        if not free:
            raise RuntimeError(f"vertex {vertex} has no mirror image")
        partners[vertex], partners[free[0]] = free[0], vertex
    return np.where(partners < 0, np.arange(len(points)), partners)


def even_points(points: Floats, partners: Ints) -> Floats:
    """Return the points (V, 3) with each pair of partners mirrored exactly."""
    paired = partners != np.arange(len(points))
    even = np.where(paired[:, None], (points + points[partners] * MIRROR) / 2, points)
    # Nanometres beside the middle are on it.
    even[np.abs(even[:, 0]) < 1e-9, 0] = 0.0
    return even


def even_steps(names: Sequence[str], deltas: Floats, partners: Ints, step: float) -> Floats:
    """Return the displacements (N, V, 3) rounded to ``step`` so that mirrored names hold mirrored displacements."""
    other = [list(names).index(_mirrored(name)) for name in names]
    steps = np.empty_like(deltas)
    for number, mirror in enumerate(other):
        if mirror < number:
            continue
        even = (deltas[number] + deltas[mirror][partners] * MIRROR) / 2
        # Rounded by size, so that a value and its mirror image round alike.
        steps[number] = np.copysign(np.floor(np.abs(even) / step + 0.5), even)
        if mirror == number:
            steps[number] = _own_mirror(steps[number], partners)
        steps[mirror] = np.where(mirror == number, steps[number], steps[number][partners] * MIRROR)
    return steps * step


def _own_mirror(steps: Floats, partners: Ints) -> Floats:
    """Return a middle shape's steps (V, 3) with the right side copied to the left and no sideways move in between."""
    own = np.arange(len(partners))
    even: Floats = np.where((own > partners)[:, None], steps[partners] * MIRROR, steps)
    return even


def _mirrored(name: str) -> str:
    """Return the name on the other side; a corrective's drivers change sides together."""
    return JOINT.join(mirror_name(part) for part in name.split(JOINT))
