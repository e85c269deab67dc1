"""Subdivides a surface finely where people look and coarsely where they do not, without cracks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from .surface import edges_of, loop_subdivide
from .topology import Ints


@dataclass(frozen=True)
class Refined:
    """A refined surface.

    ``matrix`` (V, count) makes the smooth points and ``linear`` (V, count) those that halve straight edges;
    ``triangles`` (T, 3); ``source`` (T,) the triangle that each one comes from; ``creases`` (C, 2) between points in
    use.
    """

    matrix: sparse.csr_matrix
    linear: sparse.csr_matrix
    triangles: Ints
    source: Ints
    creases: Ints


def refine(triangles: Ints, count: int, creases: Ints, levels: Ints) -> Refined:
    """Apply Loop subdivision as often as ``levels`` (F,) asks of each triangle.

    All points lie where even subdivision puts them; the first ones keep their numbers. Neighbouring levels differ by
    at most one.
    """
    matrix: sparse.csr_matrix = sparse.identity(count, format="csr")
    linear = matrix
    even, kept, source = triangles, triangles, np.arange(len(triangles))
    for level in range(int(levels.max())):
        step, finer, creases = loop_subdivide(even, count, creases)
        kept, parent = _split(kept, levels[source] > level, even, count)
        source = source[parent]
        linear = sparse.vstack([linear, _halves(even, count) @ linear]).tocsr()
        even, matrix, count = finer, (step @ matrix).tocsr(), step.shape[0]
    used, corners = np.unique(kept, return_inverse=True)
    number = np.full(count, -1)
    number[used] = np.arange(len(used))
    creases = number[creases]
    creases = creases[(creases >= 0).all(axis=1)]
    return Refined(matrix[used], linear[used], corners.reshape(-1, 3), source, creases)


def _halves(triangles: Ints, count: int) -> sparse.csr_matrix:
    """Return the matrix (E, count) that makes the middles of all edges."""
    edges, _ = edges_of(triangles)
    rows = np.repeat(np.arange(len(edges)), 2)
    return sparse.coo_matrix((np.full(len(rows), 0.5), (rows, edges.ravel())), shape=(len(edges), count)).tocsr()


def _split(kept: Ints, wanted: NDArray[np.bool_], even: Ints, count: int) -> tuple[Ints, Ints]:
    """Split the wanted triangles in four and their neighbours as far as their shared edges demand.

    The middle of an edge has the number that ``loop_subdivide`` gives it on the evenly subdivided surface ``even``.
    Returns triangles and each one's row in ``kept``.
    """
    key = np.array([count, 1])
    split = np.unique(np.sort(kept[wanted][:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1) @ key)
    even_keys = edges_of(even)[0] @ key  # sorted, as the edges are
    own = np.sort(kept[:, [[0, 1], [1, 2], [2, 0]]], axis=2) @ key
    middle = np.where(np.isin(own, split), np.searchsorted(even_keys, own) + count, -1)
    triangles, parents = [], []
    for row, (corners, middles) in enumerate(zip(kept.tolist(), middle.tolist(), strict=True)):
        made = _pieces(corners, middles)
        triangles += made
        parents += [row] * len(made)
    return np.array(triangles), np.array(parents)


def _pieces(corners: list[int], middles: list[int]) -> list[list[int]]:
    """Return the triangles of one triangle whose edges ab, bc, ca have a middle point or -1."""
    count = sum(middle >= 0 for middle in middles)
    if count == 0:
        return [corners]
    while count < 3 and not (middles[0] >= 0 and (count == 1 or middles[1] >= 0)):
        corners, middles = corners[1:] + corners[:1], middles[1:] + middles[:1]
    (a, b, c), (ab, bc, ca) = corners, middles
    if count == 1:
        return [[a, ab, c], [ab, b, c]]
    if count == 2:
        return [[ab, b, bc], [a, ab, bc], [a, bc, c]]
    return [[a, ab, ca], [ab, b, bc], [ca, bc, c], [ab, bc, ca]]
