"""Tells a mouth that is to be seen from one that a hand, a mask or a microphone covers.

The detector draws lips wherever lips should be. Real lips have a line between them, dark where they meet, or dark or
bright where they part, all along the mouth: here its contrast is compared with that of brows and eyes, which share
the picture's light, haze and blur. It is below 0.08 for most plain covers and above 0.1 for free mouths, closed, open,
bearded, painted, drawn, dim or 44 pixels small. A cover with an edge of its own along the lips, and one that hides
half of the mouth, is not told apart.
"""

from __future__ import annotations

import cv2
import numpy as np

from blendshape_rigs.face_mesh import LOWER_LIP_RINGS, UPPER_LIP_RINGS

from .arrays import Bytes, Floats
from .topology import EYE_LOOPS

COVERED_BELOW = 0.08
_SIDE = 64  # pixels of the patch in which the line is looked for
_REACH = 7  # of its rows by which the landmarks may miss the line
_THICKNESS = (4, 7)  # of its rows from the line to what lies above and below
_UPPER_FACE = [i for loop in EYE_LOOPS for i in loop]
_UPPER_FACE += [70, 63, 105, 66, 107, 300, 293, 334, 296, 336, 6, 168, 197]  # brows and the bridge of the nose


def lip_line_contrast(pixels: Bytes, points: Floats) -> float:
    """Return the contrast of the line between the lips over that of the eyes and brows; see the module.

    Args:
        pixels: (H, W, 3) uint8 RGB.
        points: (468, 2) landmarks in pixels.
    """
    light = cv2.cvtColor(_mouth_patch(pixels, points), cv2.COLOR_RGB2LAB)[:, :, 0].astype(np.float32)
    light = cv2.GaussianBlur(light, (0, 0), 0.8)
    middle = np.arange(_SIDE // 2 - _REACH, _SIDE // 2 + _REACH + 1)
    lines = [(light[middle - far] + light[middle + far]) / 2 - light[middle] for far in _THICKNESS]
    depth = float(np.abs(np.mean(lines, axis=2)).max())

    corner = np.maximum(points[_UPPER_FACE].min(axis=0).astype(int), 0)
    end = np.maximum(points[_UPPER_FACE].max(axis=0).astype(int), corner) + 2
    area = np.ascontiguousarray(pixels[corner[1] : end[1], corner[0] : end[0]])
    hull = cv2.convexHull(np.round(points[_UPPER_FACE] - corner).astype(np.int32))
    inside = cv2.fillConvexPoly(np.zeros(area.shape[:2], np.uint8), hull, 1) > 0
    dark, bright = np.percentile(cv2.cvtColor(area, cv2.COLOR_RGB2LAB)[:, :, 0][inside], [5, 95])
    return depth / max(1.0, float(bright - dark))


def _mouth_patch(pixels: Bytes, points: Floats) -> Bytes:
    """Return (64, 64, 3) of the mouth: columns along the line of the lips, rows across it, the line in the middle."""
    line = (points[list(UPPER_LIP_RINGS[0])] + points[list(LOWER_LIP_RINGS[0])]) / 2
    corners = points[[UPPER_LIP_RINGS[3][0], UPPER_LIP_RINGS[3][-1]]]
    width = max(1.0, float(np.linalg.norm(corners[1] - corners[0])))
    right = (corners[1] - corners[0]) / width
    down = np.array([-right[1], right[0]])
    along = np.linspace(0.12, 0.88, _SIDE) * width  # the corners themselves are creases, free or covered
    sag = np.interp(along, (line - corners[0]) @ right, (line - corners[0]) @ down)
    across = np.linspace(-0.55, 0.55, _SIDE) * width
    maps = corners[0] + along[:, None] * right + (sag + across[:, None])[:, :, None] * down
    pixels = cv2.GaussianBlur(pixels, (0, 0), 0.5 * width / _SIDE) if width > _SIDE else pixels
    column, row = (np.ascontiguousarray(maps[:, :, axis], np.float32) for axis in (0, 1))
    return np.asarray(cv2.remap(pixels, column, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.uint8)
