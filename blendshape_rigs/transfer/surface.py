"""Triangle surfaces: normals, neighbours, loose parts and closest points, by numpy alone."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from .warp import Points

_BLOCK: Final = 20_000_000  # entries of the distance table that are held at once


@dataclass(frozen=True, eq=False)
class Surface:
    """Vertices (V, 3) in metres and triangles (F, 3), wound counter-clockwise seen from outside."""

    vertices: Points
    triangles: NDArray[np.int32]

    @cached_property
    def normals(self) -> Points:
        """Unit vertex normals (V, 3), weighted by area; zero where no triangle is."""
        corners = self.vertices[self.triangles]
        across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        normals = np.stack(
            [
                np.bincount(self.triangles.ravel(), np.repeat(across[:, axis], 3), len(self.vertices))
                for axis in range(3)
            ],
            axis=1,
        )
        unit: Points = normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-30)
        return unit

    @cached_property
    def areas(self) -> Points:
        """Area (V,) that each vertex stands for, in square metres."""
        corners = self.vertices[self.triangles]
        across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        share = np.repeat(np.linalg.norm(across, axis=1) / 6, 3)
        areas: Points = np.bincount(self.triangles.ravel(), share, len(self.vertices)).astype(np.float64)
        return areas

    @cached_property
    def edges(self) -> NDArray[np.int64]:
        """Each edge once (E, 2), the lower vertex first."""
        pairs = np.concatenate([self.triangles[:, [0, 1]], self.triangles[:, [1, 2]], self.triangles[:, [2, 0]]])
        ordered = np.sort(pairs, axis=1).astype(np.int64)
        codes = np.unique(ordered[:, 0] * len(self.vertices) + ordered[:, 1])
        return np.stack([codes // len(self.vertices), codes % len(self.vertices)], axis=1)

    @cached_property
    def neighbours(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Starts (V + 1,) and neighbours (2 E,): those of vertex v are ``neighbours[starts[v]:starts[v + 1]]``."""
        both = np.concatenate([self.edges, self.edges[:, ::-1]])
        order = np.argsort(both[:, 0], kind="stable")
        counts = np.bincount(both[:, 0], minlength=len(self.vertices))
        return np.concatenate([[0], np.cumsum(counts)]), both[order, 1]

    @cached_property
    def parts(self) -> NDArray[np.int64]:
        """Number (V,) of the loose part that each vertex belongs to, from 0."""
        label = np.arange(len(self.vertices))
        first, second = self.edges[:, 0], self.edges[:, 1]
        while True:
            lowest = np.minimum(label[first], label[second])
            if np.array_equal(lowest, label[first]) and np.array_equal(lowest, label[second]):
                numbers: NDArray[np.int64] = np.unique(label, return_inverse=True)[1].astype(np.int64)
                return numbers
            # Hook whole trees onto their lowest neighbour, then flatten them: few rounds however long the mesh.
            np.minimum.at(label, label[first], lowest)
            np.minimum.at(label, label[second], lowest)
            while not np.array_equal(label, label[label]):
                label = label[label]

    @cached_property
    def fans(self) -> NDArray[np.int64]:
        """Triangles around each vertex (V, K), padded by repeating one of them; every vertex needs a triangle."""
        corners = self.triangles.ravel()
        order = np.argsort(corners, kind="stable")
        counts = np.bincount(corners, minlength=len(self.vertices))
        starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
        steps = np.arange(counts.max()) % np.maximum(counts, 1)[:, None]
        fans: NDArray[np.int64] = order[np.minimum(starts[:, None] + steps, len(corners) - 1)] // 3
        return fans

    def part_of(self, chosen: NDArray[np.bool_]) -> tuple[Surface, NDArray[np.intp]]:
        """Return the surface of the triangles whose three vertices are ``chosen`` (V,), and its vertices' numbers."""
        triangles = self.triangles[chosen[self.triangles].all(axis=1)]
        used, inverse = np.unique(triangles, return_inverse=True)
        return Surface(self.vertices[used], inverse.reshape(-1, 3).astype(np.int32)), used


@dataclass(frozen=True, eq=False)
class Matches:
    """Places on a surface: ``triangles`` (N, 3) vertex numbers, ``weights`` (N, 3) that sum to 1, ``points`` (N, 3)."""

    triangles: NDArray[np.int32]
    weights: Points
    points: Points

    def take(self, values: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
        """Return per-vertex ``values`` (V, ...) at the places (N, ...)."""
        weights = self.weights.astype(values.dtype).reshape(*self.weights.shape, *(1,) * (values.ndim - 1))
        taken: NDArray[np.floating[Any]] = weights[:, 0] * values[self.triangles[:, 0]]
        for corner in (1, 2):
            taken += weights[:, corner] * values[self.triangles[:, corner]]
        return taken


def nearest(queries: NDArray[np.floating[Any]], places: NDArray[np.floating[Any]]) -> NDArray[np.intp]:
    """Return for each query (Q, D) the number of the nearest of ``places`` (P, D)."""
    centre = places.mean(axis=0)
    table = np.ascontiguousarray((places - centre).T, dtype=np.float32)
    half = (table**2).sum(axis=0) / 2
    moved = (queries - centre).astype(np.float32)
    step = max(1, _BLOCK // max(1, len(places)))
    found = [np.argmin(half - moved[i : i + step] @ table, axis=1) for i in range(0, len(moved), step)]
    return np.concatenate(found) if found else np.zeros(0, np.intp)


def match(
    points: Points,
    normals: Points,
    surface: Surface,
    turn: float,
    tags: tuple[Points, Points] | None = None,
) -> Matches:
    """Return the places on ``surface`` that lie nearest to ``points`` (N, 3) and face as ``normals`` (N, 3) do.

    Args:
        points: where to search from, metres.
        normals: unit vectors.
        surface: where to search; every vertex needs a triangle.
        turn: metres of distance that a normal's difference of 1 counts as.
        tags: further coordinates of the points (N, D) and of the surface's vertices (V, D), metres.
    """
    queries, places = [points, turn * normals], [surface.vertices, turn * surface.normals]
    if tags is not None:
        queries.append(tags[0])
        places.append(tags[1])
    return project(points, surface, nearest(np.concatenate(queries, axis=1), np.concatenate(places, axis=1)))


def project(points: Points, surface: Surface, vertices: NDArray[np.intp]) -> Matches:
    """Return the closest places to ``points`` (N, 3) in the triangles around ``vertices`` (N,) of ``surface``."""
    fans = surface.triangles[surface.fans[vertices]]
    weights = _closest_weights(points[:, None], surface.vertices[fans])
    places = (weights[..., None] * surface.vertices[fans]).sum(axis=2)
    best = np.argmin(((places - points[:, None]) ** 2).sum(axis=2), axis=1)
    rows = np.arange(len(points))
    return Matches(fans[rows, best], weights[rows, best], places[rows, best])


def _closest_weights(points: Points, corners: Points) -> Points:
    """Return barycentric weights (..., 3) of the closest places in triangles ``corners`` (..., 3, 3)."""
    first, second = corners[..., 1, :] - corners[..., 0, :], corners[..., 2, :] - corners[..., 0, :]
    reach = points - corners[..., 0, :]
    ff, fs, ss = (first * first).sum(-1), (first * second).sum(-1), (second * second).sum(-1)
    rf, rs = (reach * first).sum(-1), (reach * second).sum(-1)
    determinant = np.maximum(ff * ss - fs * fs, 1e-30)
    v, w = (ss * rf - fs * rs) / determinant, (ff * rs - fs * rf) / determinant
    inside = np.stack([1 - v - w, v, w], axis=-1)
    along_first = np.clip(rf / np.maximum(ff, 1e-30), 0, 1)
    along_second = np.clip(rs / np.maximum(ss, 1e-30), 0, 1)
    third = second - first
    along_third = np.clip(((reach - first) * third).sum(-1) / np.maximum((third * third).sum(-1), 1e-30), 0, 1)
    none = np.zeros_like(v)
    borders = np.stack(
        [
            np.stack([1 - along_first, along_first, none], -1),
            np.stack([1 - along_second, none, along_second], -1),
            np.stack([none, 1 - along_third, along_third], -1),
        ],
        axis=-2,
    )
    missing = np.einsum("...kc,...cx->...kx", borders, corners) - points[..., None, :]
    edge = np.argmin((missing**2).sum(-1), axis=-1)
    border = np.take_along_axis(borders, edge[..., None, None], axis=-2)[..., 0, :]
    result: Points = np.where((inside >= 0).all(-1)[..., None], inside, border)
    return result
