"""Backward warp of a triangle mesh: triangle-id buffer, one affine map a triangle, one ``cv2.remap``."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from .arrays import Floats, Ints, Reals

_SUBPIXEL_BITS = 4
_THINNEST = 0.2  # of its resting area: a triangle squeezed further is treated as folded


class MeshWarp:
    """Maps each pixel of a region to where it comes from in the resting picture.

    Args:
        source: (V, 2) resting vertices in pixels of the region.
        triangles: (F, 3) int32, those to be covered by all others first.
        holes: number of triangles, at the front, that others cover.
        size: height and width of the region.
    """

    def __init__(self, source: Floats, triangles: Ints, holes: int, size: tuple[int, int]) -> None:
        self.triangles = triangles
        self._source = source[triangles].astype(np.float64)
        self._rest_area = _signed_area(self._source)
        self._is_hole = np.arange(len(triangles)) < holes
        self._size = size
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
        fixed = np.round(corners * (1 << _SUBPIXEL_BITS)).astype(np.int32)
        ids = np.zeros(self._size, np.int16)
        for index in order.tolist():
            cv2.fillConvexPoly(ids, fixed[index], index, cv2.LINE_8, _SUBPIXEL_BITS)
        affine = self._affine(corners, sound)
        return self._mapped(affine[:3], ids), self._mapped(affine[3:], ids)

    def _mapped(self, affine: Floats, ids: npt.NDArray[np.int16]) -> Floats:
        """Return (H, W) float32: x a + y b + c with each pixel's own (3, F) coefficients."""
        result = affine[0].take(ids)
        result *= self._x
        along_y = affine[1].take(ids)
        along_y *= self._y
        result += along_y
        result += affine[2].take(ids)
        return np.asarray(result, np.float32)

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


def _signed_area(corners: Reals) -> Floats:
    first, second = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    return np.asarray(first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0], np.float32)
