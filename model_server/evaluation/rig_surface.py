"""Measurements on posed surfaces: triangles that turned over, points that went through."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.spatial import cKDTree

Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.integer[Any]]


SEEN = 0.25e-6
"""Square metres: a triangle with sides of three quarters of a millimetre."""


EDGE = 0.003
"""Metres that a triangle may reach from its middle to be found by it."""


class FlipCounter:
    """Counts triangles that are turned inside out by a pose.

    A triangle is *flipped* where its normal turns by more than 90 degrees against its resting normal after that was
    turned with the triangle's neighbourhood. The neighbourhood is the triangle's corners and all points that share an
    edge with them; its turn is the rotation that brings its resting points closest to the posed ones (Kabsch). So a
    lip that rolls in as a whole turns its triangles honestly, and only a fold within a few millimetres counts.
    Triangles smaller than ``SEEN`` in the pose are left out: the needles at the mouth's corners.
    """

    def __init__(self, points: Floats, triangles: Ints) -> None:
        self.rest = np.asarray(points, np.float64)
        self.triangles = triangles
        self.normals = unit_normals(self.rest, triangles)
        self.around = _neighbourhoods(len(points), triangles)
        weight = np.asarray(self.around.sum(axis=1)).ravel()
        self.means = sparse.diags(1 / weight) @ self.around
        self.rest_means = self.means @ self.rest

    def flipped(self, posed: Floats) -> npt.NDArray[np.intp]:
        """Return the indices of the flipped triangles for posed points (V, 3)."""
        posed = np.asarray(posed, np.float64)
        normals = unit_normals(posed, self.triangles)
        # A neighbourhood that turned by less than 30 degrees hides no flip among triangles that turned by less than 60.
        suspects = np.flatnonzero((normals * self.normals).sum(axis=1) < 0.5)
        if not len(suspects):
            return suspects
        turns = self._turns(posed, suspects)
        carried = (turns @ self.normals[suspects, :, None])[..., 0]
        corners = posed[self.triangles[suspects]]
        area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1) / 2
        result: npt.NDArray[np.intp] = suspects[((carried * normals[suspects]).sum(axis=1) < 0) & (area > SEEN)]
        return result

    def _turns(self, posed: Floats, which: Ints) -> Floats:
        """Return the rotations (N, 3, 3) of the neighbourhoods of the triangles ``which``."""
        means, mixed = self.means[which], self.rest[:, None, :] * posed[:, :, None]
        covariance = (means @ mixed.reshape(-1, 9)).reshape(-1, 3, 3)
        covariance -= (means @ posed)[:, :, None] * self.rest_means[which, None, :]
        u, _, vt = np.linalg.svd(covariance)
        sign = np.linalg.det(u @ vt)
        u[:, :, 2] *= sign[:, None]
        turns: Floats = u @ vt
        return turns


def unit_normals(points: Floats, triangles: Ints) -> Floats:
    """Return the unit normals (F, 3) of triangles (F, 3)."""
    corners = points[triangles]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    result: Floats = normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-18)
    return result


def _neighbourhoods(count: int, triangles: Ints) -> sparse.csr_matrix:
    """Return (F, V) with 1 where a point belongs to a triangle's neighbourhood."""
    corners = sparse.coo_matrix(
        (np.ones(triangles.size), (np.repeat(np.arange(len(triangles)), 3), triangles.ravel())),
        shape=(len(triangles), count),
    ).tocsr()
    linked = (corners.T @ corners) > 0
    reached = (corners @ linked.astype(np.float64)) > 0
    return reached.astype(np.float64).tocsr()


class Surface:
    """A part of the mesh as a surface with an inside, against which points of other parts are measured.

    ``triangles`` (F, 3) are the part's, wound outwards. Points are measured against the nearest corner's surroundings:
    exact to a fraction of the edge's length, which is about a millimetre around the mouth.
    """

    def __init__(self, triangles: Ints) -> None:
        self.triangles = triangles
        self.points = np.unique(triangles)
        numbers = np.full(int(self.points.max()) + 1, -1)
        numbers[self.points] = np.arange(len(self.points))
        self.local = numbers[triangles]
        self.at_border = np.isin(self.local, _border(self.local)).any(axis=1)

    def depths(self, posed: Floats, samples: Ints, reach: float, borders: bool = True) -> Floats:
        """Return how deep in metres the points ``samples`` (N,) of posed points (V, 3) lie inside the surface (N,).

        Outside, or further than ``reach`` from the surface, is zero; so is a point nearest to the surface's border
        where ``borders`` is false.
        """
        place = posed[self.points]
        middles = place[self.local].mean(axis=1)
        normals = unit_normals(place, self.local)
        points = posed[samples]
        lower, upper = place.min(axis=0) - reach, place.max(axis=0) + reach
        near = np.flatnonzero(((points > lower) & (points < upper)).all(axis=1))
        result = np.zeros(len(samples))
        if not len(near):
            return result
        _, candidates = cKDTree(middles).query(points[near], k=8, distance_upper_bound=reach + EDGE)
        found = candidates[:, 0] < len(middles)
        near, candidates = near[found], candidates[found]
        candidates = np.where(candidates < len(middles), candidates, candidates[:, :1])
        closest = nearest_on_triangles(points[near], place[self.local[candidates]])
        offset = points[near, None, :] - closest
        distance = np.linalg.norm(offset, axis=2)
        # Triangles that share the nearest edge or corner are as near as each other: the one seen most squarely decides.
        side = (offset * normals[candidates]).sum(axis=2)
        squareness = np.abs(side) / np.maximum(distance, 1e-12)
        best = np.argmin(distance - 1e-6 * squareness, axis=1)
        rows = np.arange(len(near))
        inside = (side[rows, best] < 0) & (distance[rows, best] < reach)
        if not borders:
            inside &= ~self.at_border[candidates[rows, best]]
        result[near[inside]] = distance[rows, best][inside]
        return result


def _border(triangles: Ints) -> Ints:
    """Return the points on edges that only one triangle has."""
    edges = np.sort(triangles[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    unique, uses = np.unique(edges, axis=0, return_counts=True)
    result: Ints = np.unique(unique[uses == 1])
    return result


def nearest_on_triangles(points: Floats, corners: Floats) -> Floats:
    """Return the nearest places (N, K, 3) to points (N, 3) on triangles (N, K, 3, 3).

    Source: Ericson, Real-Time Collision Detection (2005), section 5.1.5.
    """
    a, b, c = corners[..., 0, :], corners[..., 1, :], corners[..., 2, :]
    p = points[:, None, :]
    ab, ac = b - a, c - a

    def dot(first: Floats, second: Floats) -> Floats:
        return np.asarray((first * second).sum(axis=-1))

    d1, d2 = dot(ab, p - a), dot(ac, p - a)
    d3, d4 = dot(ab, p - b), dot(ac, p - b)
    d5, d6 = dot(ab, p - c), dot(ac, p - c)
    va, vb, vc = d3 * d6 - d5 * d4, d5 * d2 - d1 * d6, d1 * d4 - d3 * d2

    def share(top: Floats, bottom: Floats) -> Floats:
        return np.asarray(top / np.where(np.abs(bottom) < 1e-30, 1e-30, bottom))[..., None]

    whole: Floats = np.asarray(va + vb + vc)
    result = a + ab * share(vb, whole) + ac * share(vc, whole)
    on_bc = (va <= 0) & (d4 - d3 >= 0) & (d5 - d6 >= 0)
    result = np.where(on_bc[..., None], b + (c - b) * share(d4 - d3, (d4 - d3) + (d5 - d6)), result)
    on_ac = (vb <= 0) & (d2 >= 0) & (d6 <= 0)
    result = np.where(on_ac[..., None], a + ac * share(d2, d2 - d6), result)
    on_ab = (vc <= 0) & (d1 >= 0) & (d3 <= 0)
    result = np.where(on_ab[..., None], a + ab * share(d1, d1 - d3), result)
    result = np.where(((d6 >= 0) & (d5 <= d6))[..., None], c, result)
    result = np.where(((d3 >= 0) & (d4 <= d3))[..., None], b, result)
    return np.where(((d1 <= 0) & (d2 <= 0))[..., None], a, result)
