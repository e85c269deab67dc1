"""Backward warp of a triangle mesh: triangle-id buffer, one affine map a triangle, one ``cv2.remap``."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]

_SUBPIXEL_BITS = 4


class MeshWarp:
    """Maps each pixel of a region to where it comes from in the resting picture.

    Args:
        source: (V, 2) resting vertices in pixels of the region.
        triangles: (F, 3) int32.
        size: height and width of the region.
    """

    def __init__(self, source: Floats, triangles: Ints, size: tuple[int, int]) -> None:
        self.triangles = triangles
        self._source = np.concatenate([source[triangles], np.ones((len(triangles), 3, 1))], axis=2)
        self._rest_sign = np.sign(_signed_area(source[triangles]))
        self._height, self._width = size
        self._x = np.arange(self._width, dtype=np.float32)[None, :]
        self._y = np.arange(self._height, dtype=np.float32)[:, None]
        self._ids = np.zeros(size, np.int16)

    def maps(self, vertices: Floats, depth: Floats) -> tuple[Floats, Floats]:
        """Return source column and row (H, W) float32 of each pixel.

        Args:
            vertices: (V, 2) moved vertices, pixels of the region.
            depth: (V,) larger is nearer; nearer triangles cover others. Triangles turned inside out are covered by all.
        """
        corners = vertices[self.triangles]
        area = _signed_area(corners) * self._rest_sign
        usable = np.abs(area) > 1e-3
        order = np.lexsort((depth[self.triangles].mean(axis=1), area > 0))
        fixed = np.round(corners * (1 << _SUBPIXEL_BITS)).astype(np.int32)
        ids = self._ids
        for index in order[usable[order]].tolist():
            cv2.fillConvexPoly(ids, fixed[index], index, cv2.LINE_8, _SUBPIXEL_BITS)
        affine = self._affine(corners, usable)[ids]
        column = affine[..., 0] * self._x + affine[..., 1] * self._y + affine[..., 2]
        row = affine[..., 3] * self._x + affine[..., 4] * self._y + affine[..., 5]
        return column, row

    def _affine(self, corners: Floats, usable: npt.NDArray[np.bool_]) -> Floats:
        """Return (F, 6) float32: the affine map of each triangle from moved to resting pixels."""
        moved = np.concatenate([corners, np.ones((*corners.shape[:2], 1))], axis=2)
        moved[~usable] = np.eye(3)
        matrix = np.linalg.solve(moved, self._source[..., :2])
        return np.asarray(np.swapaxes(matrix, 1, 2).reshape(len(corners), 6), np.float32)


def _signed_area(corners: npt.NDArray[np.floating]) -> Floats:
    first, second = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    return np.asarray(first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0], np.float32)
