"""Eyes: the eyeball stays where it is and is clipped by the moving lids; the iris shifts for the gaze."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from .layers import fill_from_known, polygon_mask

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class EyePose:
    """One frame's eye. Points are pixels of the picture.

    Attributes:
        opening: (16, 2) the moved lid margins, a closed loop from the outer corner over the upper lid.
        head: (2, 3) resting to moved pixels for what is fixed to the skull at the eye's depth.
        gaze: (2,) pixels by which the iris is shifted.
        openness: 1 as in the photograph, 0 closed.
    """

    opening: Floats
    head: Floats
    gaze: Floats
    openness: float


class Eye:
    """One eye of a portrait.

    Args:
        pixels: (H, W, 3) uint8 photograph.
        opening: (16, 2) pixels of the lid margins in the photograph.
        iris: (2,) pixels of the iris's centre.
        iris_radius: pixels.
    """

    def __init__(self, pixels: Bytes, opening: Floats, iris: Floats, iris_radius: float) -> None:
        width = float(np.ptp(opening[:, 0]))
        margin = int(0.5 * width) + 2
        self._corner = np.maximum(np.floor(opening.min(axis=0)).astype(int) - margin, 0)
        end = np.minimum(np.ceil(opening.max(axis=0)).astype(int) + margin, pixels.shape[1::-1])
        crop = pixels[self._corner[1] : end[1], self._corner[0] : end[0]].astype(np.float32)
        known = polygon_mask(opening - self._corner, crop.shape[:2])
        # Lashes and lid edges are no part of the eyeball.
        known = cv2.erode((known > 0.5).astype(np.float32), np.ones((3, 3), np.uint8))
        ball = fill_from_known(crop, known) if known.any() else crop
        self._ball = np.clip(ball, 0, 255).astype(np.uint8)
        self._iris, self._radius, self._width = iris - self._corner, iris_radius, width

    def draw(self, frame: Bytes, pose: EyePose) -> None:
        """Paint into ``frame`` (H, W, 3) uint8 the eyeball that shows between the lids."""
        moved = float(np.abs(pose.gaze).max()) / (0.01 * self._width)
        presence = float(np.clip(max(abs(1 - pose.openness) / 0.06, moved), 0, 1))
        if presence == 0:
            return
        left, top = np.maximum(np.floor(pose.opening.min(axis=0)).astype(int) - 2, 0)
        right, bottom = np.minimum(np.ceil(pose.opening.max(axis=0)).astype(int) + 3, frame.shape[1::-1])
        if right <= left or bottom <= top:
            return
        corner, size = np.array([left, top]), (int(bottom - top), int(right - left))
        mask = polygon_mask(pose.opening - corner, size) * presence
        ball = self._eyeball(pose, corner, size)
        area = frame[top:bottom, left:right]
        area[:] = np.round(area * (1 - mask[:, :, None]) + ball * mask[:, :, None])

    def _eyeball(self, pose: EyePose, corner: Floats, size: tuple[int, int]) -> Floats:
        back = cv2.invertAffineTransform(pose.head.astype(np.float64))
        x, y = np.meshgrid(np.arange(size[1]) + corner[0], np.arange(size[0]) + corner[1])
        column = (back[0, 0] * x + back[0, 1] * y + back[0, 2] - self._corner[0]).astype(np.float32)
        row = (back[1, 0] * x + back[1, 1] * y + back[1, 2] - self._corner[1]).astype(np.float32)
        centre = self._iris + pose.gaze
        distance = (column - centre[0]) ** 2 + (row - centre[1]) ** 2
        # The iris moves whole, the white beside it gives way.
        share = np.exp(-np.maximum(distance / (1.1 * self._radius) ** 2 - 1, 0)).astype(np.float32)
        column -= share * pose.gaze[0]
        row -= share * pose.gaze[1]
        return cv2.remap(self._ball, column, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE).astype(np.float32)
