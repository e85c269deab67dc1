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
        triangles: (F, 3); those that run counter-clockwise as seen are drawn, the others are backs.
        size: height and width.
    """
    triangles = triangles[_in_view(points, triangles, size)]
    x, y, z = (values.astype(np.float32)[triangles.T] for values in (points[:, 0], points[:, 1], np.asarray(depth)))
    # Twice the area, negative for what is seen; then depth as a plane over the picture.
    area = (x[1] - x[0]) * (y[2] - y[0]) - (y[1] - y[0]) * (x[2] - x[0])
    z_x = ((z[1] - z[0]) * (y[2] - y[0]) - (z[2] - z[0]) * (y[1] - y[0])) / area
    z_y = ((z[2] - z[0]) * (x[1] - x[0]) - (z[1] - z[0]) * (x[2] - x[0])) / area
    which, row, left, count = _spans(x, y, size)
    first = np.cumsum(count, dtype=np.int32) - count
    span = np.repeat(np.arange(len(which), dtype=np.int32), count)
    step = np.arange(len(span), dtype=np.int32)
    pixel = (row * size[1] + left - first)[span] + step
    start = z[0][which] + z_y[which] * (row - y[0][which]) + z_x[which] * (left - first - x[0][which])
    near = start[span] + z_x[which][span] * step
    seen = _nearest(pixel, near, size[0] * size[1])
    pixel, found = pixel[seen], which[span[seen]]
    down = pixel // size[1] - y[0][found]
    along = pixel % size[1] - x[0][found]
    u = (along * (y[2] - y[0])[found] - down * (x[2] - x[0])[found]) / area[found]
    v = (down * (x[1] - x[0])[found] - along * (y[1] - y[0])[found]) / area[found]
    return Raster(pixel, triangles[found], np.stack([1 - u - v, u, v], axis=1).astype(np.float32))


def _spans(x: Floats, y: Floats, size: tuple[int, int]) -> tuple[Ints, Ints, Ints, Ints]:
    """Return triangle, row, first column and number of pixels of each row that corners (3, F) cover."""
    top = np.maximum(np.ceil(np.minimum(np.minimum(y[0], y[1]), y[2])), 0).astype(np.int32)
    bottom = np.minimum(np.maximum(np.maximum(y[0], y[1]), y[2]), size[0] - 1).astype(np.int32)
    tall = np.maximum(bottom - top + 1, 0)
    which = np.repeat(np.arange(len(top), dtype=np.int32), tall)
    row = np.arange(len(which), dtype=np.int32) - (np.cumsum(tall, dtype=np.int32) - tall - top)[which]
    left = np.zeros(len(which), np.float32)
    right = np.full(len(which), size[1] - 1, np.float32)
    for begin, end in ((0, 1), (1, 2), (2, 0)):
        rise = y[end] - y[begin]
        # Corners run counter-clockwise as seen: an edge that goes down the picture is a left side.
        slope = (x[end] - x[begin]) / np.where(rise == 0, 1, rise)
        cross = (x[begin] - slope * y[begin])[which] + slope[which] * row
        left = np.maximum(left, np.where((rise > 0)[which], cross, left))
        right = np.minimum(right, np.where((rise < 0)[which], cross, right))
    first = np.ceil(left).astype(np.int32)
    count = np.floor(right).astype(np.int32) - first + 1
    kept = np.flatnonzero(count > 0)
    return which[kept], row[kept], first[kept], count[kept]


def _in_view(points: Floats, triangles: Ints, size: tuple[int, int]) -> Ints:
    """Return which triangles show their front and may touch the picture."""
    x, y = np.ascontiguousarray(points[:, 0], np.float32), np.ascontiguousarray(points[:, 1], np.float32)
    # One bit for each side of the picture that a vertex lies beyond: what all corners share is out of view.
    beyond = (x < 0) * 1 | (x > size[1] - 1) * 2 | (y < 0) * 4 | (y > size[0] - 1) * 8
    beyond = beyond.astype(np.int8)
    a, b, c = triangles.T
    near = np.flatnonzero((beyond[a] & beyond[b] & beyond[c]) == 0)
    a, b, c = a[near], b[near], c[near]
    facing = (x[b] - x[a]) * (y[c] - y[a]) - (y[b] - y[a]) * (x[c] - x[a]) < -1e-6
    return np.asarray(near[facing], np.int32)


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
