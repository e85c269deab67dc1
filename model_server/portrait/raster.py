"""A small rasteriser for many small triangles: depth buffer and barycentric weights, all triangles at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .arrays import Floats, Ints

_DEPTH_LEVELS = 1 << 20


@dataclass(frozen=True)
class Raster:
    """The covered pixels of a picture.

    Attributes:
        pixels: (P,) flat indices into (H, W).
        corners: (P, 3) vertex indices of the triangle that is seen.
        weights: (P, 3) float32 barycentric weights.
    """

    pixels: Ints
    corners: Ints
    weights: Floats

    def blend(self, values: Floats) -> Floats:
        """Return (P, C) of (V, C) values at the vertices."""
        result = values[self.corners[:, 0]] * self.weights[:, :1]
        result += values[self.corners[:, 1]] * self.weights[:, 1:2]
        result += values[self.corners[:, 2]] * self.weights[:, 2:]
        return np.asarray(result, np.float32)


def rasterise(points: Floats, depth: Floats, triangles: Ints, size: tuple[int, int]) -> Raster:
    """Return what is seen of a mesh. A pixel belongs to a triangle that its middle lies in.

    Args:
        points: (V, 2) columns and rows; the middle of the first pixel is 0, 0.
        depth: (V,) larger is nearer.
        triangles: (F, 3); those that run clockwise on the picture are seen, the others are backs.
        size: height and width.
    """
    height, width = size
    triangles = triangles[_in_view(points, triangles, size)]
    (x0, y0), (x1, y1), (x2, y2) = (points[triangles[:, k]].T.astype(np.float32) for k in range(3))
    left = np.maximum(np.ceil(np.minimum(np.minimum(x0, x1), x2)), 0).astype(np.int32)
    top = np.maximum(np.ceil(np.minimum(np.minimum(y0, y1), y2)), 0).astype(np.int32)
    right = np.minimum(np.maximum(np.maximum(x0, x1), x2), width - 1).astype(np.int32)
    bottom = np.minimum(np.maximum(np.maximum(y0, y1), y2), height - 1).astype(np.int32)
    wide = np.maximum(right - left + 1, 0)
    count = wide * np.maximum(bottom - top + 1, 0)
    which = np.repeat(np.arange(len(triangles), dtype=np.int32), count)
    step = np.arange(len(which), dtype=np.int32) - (np.cumsum(count, dtype=np.int32) - count)[which]
    down = step // wide[which]
    column, row = left[which] + step - down * wide[which], top[which] + down
    # Both weights are linear over the picture: constant + slope * column + slope * row, for each triangle.
    area = 1 / ((x1 - x0) * (y2 - y0) - (y1 - y0) * (x2 - x0))
    u = _plane((y2 - y0) * area, (x0 - x2) * area, x0, y0, which, column, row)
    v = _plane((y0 - y1) * area, (x1 - x0) * area, x0, y0, which, column, row)
    hit = np.flatnonzero((u >= 0) & (v >= 0) & (u + v <= 1))
    which, u, v = which[hit], u[hit], v[hit]
    pixel = row[hit] * width + column[hit]
    z0, z1, z2 = (depth[triangles[:, k]].astype(np.float32) for k in range(3))
    seen = _nearest(pixel, z0[which] + u * (z1 - z0)[which] + v * (z2 - z0)[which], height * width)
    u, v = u[seen], v[seen]
    return Raster(pixel[seen], triangles[which[seen]], np.stack([1 - u - v, u, v], axis=1))


def _in_view(points: Floats, triangles: Ints, size: tuple[int, int]) -> Ints:
    """Return which triangles show their front and may touch the picture."""
    x, y = np.ascontiguousarray(points[:, 0], np.float32), np.ascontiguousarray(points[:, 1], np.float32)
    # One bit for each side of the picture that a vertex lies beyond: what all corners share is out of view.
    beyond = (x < 0) * 1 | (x > size[1] - 1) * 2 | (y < 0) * 4 | (y > size[0] - 1) * 8
    beyond = beyond.astype(np.int8)
    a, b, c = triangles.T
    near = np.flatnonzero((beyond[a] & beyond[b] & beyond[c]) == 0)
    a, b, c = a[near], b[near], c[near]
    return near[(x[b] - x[a]) * (y[c] - y[a]) - (y[b] - y[a]) * (x[c] - x[a]) < -1e-6]


def _plane(along: Floats, across: Floats, x: Floats, y: Floats, which: Ints, column: Ints, row: Ints) -> Floats:
    """Return for each sample ``along * (column - x) + across * (row - y)`` of its own triangle."""
    result = along[which] * column
    result += across[which] * row
    result -= (along * x + across * y)[which]
    return np.asarray(result, np.float32)


def _nearest(pixel: Ints, z: Floats, pixels: int) -> Ints:
    """Return which samples are the nearest of their pixel."""
    if not len(pixel):
        return np.zeros(0, np.int32)
    low, high = float(z.min()), float(z.max())
    level = ((z - low) * ((_DEPTH_LEVELS - 1) / max(high - low, 1e-9))).astype(np.int64)
    key = level * len(pixel) + np.arange(len(pixel))
    best = np.full(pixels, -1, np.int64)
    np.maximum.at(best, pixel, key)
    return np.asarray(best[best >= 0] % len(pixel), np.int32)
