"""Eyes: the eyeball stays where it is and is clipped by the moving lids; the iris shifts for the gaze."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .arrays import Bytes, Floats
from .layers import fill_from_known, polygon_mask, skin_patch


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
        opening: (16, 2) pixels of the lid margins in the photograph, the upper lid first.
        crease: (9, 2) pixels of the fold above the upper lid, outer to inner.
        iris: (2,) pixels of the iris's centre.
        iris_radius: pixels.
    """

    def __init__(self, pixels: Bytes, opening: Floats, crease: Floats, iris: Floats, iris_radius: float) -> None:
        self._width = float(np.ptp(opening[:, 0]))
        margin = int(0.5 * self._width) + 2
        self._corner = np.maximum(np.floor(opening.min(axis=0)).astype(int) - margin, 0)
        end = np.minimum(np.ceil(opening.max(axis=0)).astype(int) + margin, pixels.shape[1::-1])
        crop = pixels[self._corner[1] : end[1], self._corner[0] : end[0]].astype(np.float32)
        inside = polygon_mask(opening - self._corner, (crop.shape[0], crop.shape[1]))
        # Lashes and lid edges are no part of the eyeball.
        known = cv2.erode((inside > 0.5).astype(np.float32), np.ones((3, 3), np.uint8))
        y, x = np.mgrid[: crop.shape[0], : crop.shape[1]].astype(np.float32)
        distance = np.hypot(x - (iris[0] - self._corner[0]), y - (iris[1] - self._corner[1]))
        white = known * (distance > 1.25 * iris_radius)
        self._white = fill_from_known(crop, white if white.any() else known)
        disc = np.clip((1.12 - distance / iris_radius) / 0.24, 0, 1)
        coloured = fill_from_known(crop, known * (distance < 1.3 * iris_radius)) if known.any() else crop
        self._iris = np.concatenate([coloured, disc[:, :, None]], axis=2)
        lid = np.concatenate([crease, opening[8:], opening[:1]])
        self._lid = skin_patch(pixels, lid, 0.03 * self._width, detail=0.25)
        self._lash_colour = 0.55 * np.percentile(crop.reshape(-1, 3), 4, axis=0)

    def prepare(self, picture: Bytes, openness: float) -> None:
        """Paint smooth lid skin over the resting eye in ``picture`` (H, W, 3 or 4) as the eye closes."""
        closing = float(np.clip((0.92 - openness) / 0.5, 0, 1))
        if closing > 0:
            self._lid.lay(picture, closing)

    def draw(self, frame: Bytes, pose: EyePose) -> None:
        """Paint into ``frame`` (H, W, 3) uint8 the eyeball that shows between the lids, and the lash line."""
        moved = float(np.abs(pose.gaze).max()) / (0.01 * self._width)
        presence = float(np.clip(max(abs(1 - pose.openness) / 0.06, moved), 0, 1))
        if presence == 0:
            return
        left, top = np.maximum(np.floor(pose.opening.min(axis=0)).astype(int) - 4, 0)
        right, bottom = np.minimum(np.ceil(pose.opening.max(axis=0)).astype(int) + 5, frame.shape[1::-1])
        if right <= left or bottom <= top:
            return
        corner, size = np.array([left, top]), (int(bottom - top), int(right - left))
        area = frame[top:bottom, left:right]
        mask = (polygon_mask(pose.opening - corner, size) * presence)[:, :, None]
        result = area * (1 - mask) + self._eyeball(pose, corner, size) * mask
        closing = float(np.clip((0.92 - pose.openness) / 0.5, 0, 1))
        if closing > 0:
            lash = self._lash_line(pose.opening[:9] - corner, size)[:, :, None] * (0.75 * closing)
            result = result * (1 - lash) + self._lash_colour * lash
        area[:] = np.round(np.clip(result, 0, 255))

    def _eyeball(self, pose: EyePose, corner: Floats, size: tuple[int, int]) -> Floats:
        place = pose.head.astype(np.float64)
        place = np.concatenate([place[:, :2], place @ np.append(self._corner, 1.0)[:, None]], axis=1)
        place[:, 2] -= corner
        ball = cv2.warpAffine(self._white, place, size[::-1], borderMode=cv2.BORDER_REPLICATE)
        place[:, 2] += place[:, :2] @ pose.gaze
        iris = cv2.warpAffine(self._iris, place, size[::-1])
        return np.asarray(ball * (1 - iris[:, :, 3:]) + iris[:, :, :3] * iris[:, :, 3:], np.float32)

    def _lash_line(self, margin: Floats, size: tuple[int, int]) -> Floats:
        """Return (h, w) coverage of a soft line along the upper lid's margin (9, 2), thinner at the corners."""
        line = _smooth_line(margin)
        along = np.linspace(0, 1, len(line))
        thick = 0.022 * self._width * (0.35 + 0.65 * np.sin(np.pi * along) ** 0.6)[:, None]
        ribbon = np.concatenate([line - [0, 1] * thick, (line + [0, 1] * thick)[::-1]])
        soft = cv2.GaussianBlur(polygon_mask(ribbon, size), (0, 0), max(0.5, 0.012 * self._width))
        return np.asarray(soft, np.float32)


def _smooth_line(points: Floats) -> Floats:
    """Return (33, 2) points of a smooth curve along (9, 2) points."""
    along = np.linspace(0, len(points) - 1, 33)
    return np.stack([np.polyval(np.polyfit(np.arange(len(points)), axis, 4), along) for axis in points.T], axis=1)
