"""Backward warp of a triangle mesh: triangle-id buffer, one affine map a triangle, one ``cv2.remap``."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from .arrays import Floats, Ints, Reals

_SUBPIXEL_BITS = 4
_THINNEST = 0.2  # of its resting area: a triangle squeezed further is treated as folded
_COARSE = 4  # pixels between the samples of the map where nothing overlaps


class MeshWarp:
    """Maps each pixel of a region to where it comes from in the resting picture.

    Args:
        source: (V, 2) resting vertices in pixels of the region.
        triangles: (F, 3) int32, those to be covered by all others first.
        holes: number of triangles, at the front, that others cover.
        size: height and width of the region.
        detailed: number of vertices, at the front, around which every pixel is mapped by itself. Elsewhere the map
            is smooth, and every fourth pixel is enough.
        margin: pixels around these.
    """

    def __init__(
        self, source: Floats, triangles: Ints, holes: int, size: tuple[int, int], detailed: int, margin: int
    ) -> None:
        self.triangles = triangles
        self._source = source[triangles].astype(np.float64)
        self._rest_area = _signed_area(self._source)
        self._is_hole = np.arange(len(triangles)) < holes
        self._size, self._detailed, self._margin = size, detailed, margin
        self._x = np.arange(size[1], dtype=np.float32)[None, :]
        self._y = np.arange(size[0], dtype=np.float32)[:, None]

    def maps(self, vertices: Floats, depth: Floats) -> tuple[Floats, Floats]:
        """Return source column and row (H, W) float32 of each pixel.

        Args:
            vertices: (V, 2) moved vertices, pixels of the region.
            depth: (V,) larger is nearer; nearer triangles cover others. Triangles turned inside out or
                squeezed to nothing are covered by all.
        """
        corners = vertices[self.triangles]
        stretch = _signed_area(corners) / np.where(self._rest_area == 0, 1, self._rest_area)
        sound = stretch > _THINNEST
        level = np.where(sound, np.where(self._is_hole, 1, 2), 0)
        order = np.lexsort((depth[self.triangles].mean(axis=1), level))
        affine = self._affine(corners, sound)
        area, first = self._detailed_area(vertices)
        low, high = corners.min(axis=1) - first, corners.max(axis=1) - first
        limit = np.array([area[1].stop - area[1].start, area[0].stop - area[0].start])
        # A triangle well inside the detailed area is not seen in the coarse map.
        within = ((low > _COARSE) & (high < limit - _COARSE)).all(axis=1)
        column, row = self._coarse(affine, corners, order[~within[order]])
        if limit.min() > 0:
            near = ((high >= 0) & (low < limit)).all(axis=1)
            ids = _rasterised(corners - first, order[near[order]], (int(limit[1]), int(limit[0])))
            x, y = self._x[:, area[1]], self._y[area[0]]
            column[area], row[area] = _mapped(affine[:3], ids, x, y), _mapped(affine[3:], ids, x, y)
        return column, row

    def _coarse(self, affine: Floats, corners: Floats, order: Ints) -> tuple[Floats, Floats]:
        """Return source column and row (H, W), interpolated between every fourth pixel."""
        height, width = (-(-side // _COARSE) for side in self._size)
        middle = (_COARSE - 1) / 2
        ids = _rasterised((corners - middle) / _COARSE, order, (height, width))
        x = np.arange(width, dtype=np.float32)[None, :] * _COARSE + middle
        y = np.arange(height, dtype=np.float32)[:, None] * _COARSE + middle
        maps = []
        for coefficients, place, full in ((affine[:3], x, self._x), (affine[3:], y, self._y)):
            shift = _mapped(coefficients, ids, x, y) - place
            wide = cv2.resize(shift, (width * _COARSE, height * _COARSE), interpolation=cv2.INTER_LINEAR)
            maps.append(wide[: self._size[0], : self._size[1]] + full)
        return maps[0], maps[1]

    def _detailed_area(self, vertices: Floats) -> tuple[tuple[slice, slice], Floats]:
        """Return the rows and columns around the detailed vertices, and their first column and row."""
        points = vertices[: self._detailed]
        limit = np.array(self._size[::-1])
        low = np.clip(np.floor(points.min(axis=0)).astype(int) - self._margin, 0, limit)
        high = np.clip(np.ceil(points.max(axis=0)).astype(int) + self._margin + 1, 0, limit)
        return (slice(low[1], high[1]), slice(low[0], high[0])), low.astype(np.float32)

    def _affine(self, corners: Floats, sound: npt.NDArray[np.bool_]) -> Floats:
        """Return (6, F) float32: the affine map of each triangle from moved to resting pixels.

        Where a triangle is unsound its middle is kept and the rest moves along: an inverse would throw the pixels
        beside it far away.
        """
        middle, rest_middle = corners.mean(axis=1), self._source.mean(axis=1)
        moved = (corners - middle[:, None])[:, 1:].astype(np.float64)
        rest = (self._source - rest_middle[:, None])[:, 1:]
        moved[~sound] = rest[~sound] = np.eye(2)
        (a, b), (c, d) = moved[:, 0].T, moved[:, 1].T
        inverse = np.stack([d, -b, -c, a], axis=1).reshape(-1, 2, 2) / (a * d - b * c)[:, None, None]
        linear = (inverse @ rest).swapaxes(1, 2)
        shift = rest_middle - (linear @ middle[..., None])[..., 0]
        rows = [linear[:, 0, 0], linear[:, 0, 1], shift[:, 0], linear[:, 1, 0], linear[:, 1, 1], shift[:, 1]]
        return np.ascontiguousarray(rows, np.float32)


def _rasterised(corners: Floats, order: Ints, size: tuple[int, int]) -> npt.NDArray[np.int16]:
    """Return (H, W) the number of the last triangle in ``order`` that covers each pixel."""
    fixed = np.round(corners[order] * (1 << _SUBPIXEL_BITS)).astype(np.int32)
    ids = np.zeros(size, np.int16)
    for index, polygon in zip(order.tolist(), list(fixed), strict=True):
        cv2.fillConvexPoly(ids, polygon, index, cv2.LINE_8, _SUBPIXEL_BITS)
    return ids


def _mapped(affine: Floats, ids: npt.NDArray[np.int16], x: Floats, y: Floats) -> Floats:
    """Return (H, W) float32: x a + y b + c with each pixel's own (3, F) coefficients."""
    result = affine[0].take(ids)
    result *= x
    along_y = affine[1].take(ids)
    along_y *= y
    result += along_y
    result += affine[2].take(ids)
    return np.asarray(result, np.float32)


def _signed_area(corners: Reals) -> Floats:
    first, second = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    return np.asarray(first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0], np.float32)
