"""One eye, painted in the resting photograph: the eyeball stays in the skull, lids and gaze move over it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .arrays import Bytes, Floats
from .eyes_ball import Eyeball
from .eyes_lids import LidPlace, Lids
from .eyes_shape import EyeShape, is_shut, smooth_step, with_seen_white

_HANG = 0.035  # of the eye's width


@dataclass(frozen=True)
class EyePose:
    """One eye in one frame, relative to the photograph.

    Attributes:
        fall: how much of the opening the upper lid has covered, 0 to 1.
        lift: how much of the opening the lower lid has covered; negative where it is drawn down.
        rise: pixels by which the upper lid is raised.
        gaze: radians to the picture's right and down.
        squint: 0..1, how far the lower lid swells.
    """

    fall: float
    lift: float
    rise: float
    gaze: tuple[float, float]
    squint: float


class Eye:
    """One eye of a portrait.

    Args:
        pixels: (H, W, 3) uint8 photograph.
        shape: the eye in it.
        iris: (2,) pixels of the iris's centre in the photograph.
        iris_radius: pixels.
        foreign: (H, W) float32 in [0, 1], what lies in front of the eye and stays as it is: glasses.
        grain: (h, w) float32, the photograph's noise, as large as the shape's area.
    """

    def __init__(
        self, pixels: Bytes, shape: EyeShape, iris: Floats, iris_radius: float, foreign: Floats, grain: Floats
    ) -> None:
        crop = np.ascontiguousarray(pixels[shape.area], np.float32)
        self.shut = is_shut(shape, crop)
        shape = with_seen_white(shape, crop)
        self._shape, self._crop = shape, crop
        self._keep = np.ascontiguousarray(foreign[shape.area], np.float32)
        if self.shut:
            return
        self._lids = Lids(crop, shape, self._keep, grain)
        self._ball = Eyeball(crop, shape, iris - shape.corner, iris_radius, self._lids.skin, grain)
        across = np.clip(shape.u / shape.width, 0, 1)
        self._raised = np.asarray(np.maximum(np.sin(np.pi * across), 0) ** 0.8, np.float32)
        inside = np.minimum(shape.v - shape.top, shape.bottom - shape.v)
        self._mine = smooth_step(inside / (0.06 * shape.width) + 1) * (1 - self._keep)

    def paint(self, picture: Bytes, pose: EyePose) -> None:
        """Paint the eye into the resting ``picture`` (H, W, 3 or 4) uint8. An eye shut in the photograph stays so."""
        strongest = max(abs(pose.fall), abs(pose.lift), pose.rise / self._shape.width, *np.abs(pose.gaze), pose.squint)
        presence = float(np.clip(strongest / 0.02, 0, 1))
        if self.shut or presence == 0:
            return
        below = picture[self._shape.area][..., :3]
        cover = (self._mine * presence)[:, :, None]
        below[:] = cv2.convertScaleAbs(below + (self._posed(pose) - below) * cover)

    def _posed(self, pose: EyePose) -> Floats:
        shape = self._shape
        closing = float(np.clip(pose.fall + pose.lift, 0, 1))
        # Shut lids meet near the lower lid, on a line that hangs a little.
        hang = _HANG * closing**2 * shape.width * self._raised
        upper = shape.upper + max(pose.fall, 0.0) * shape.gap - pose.rise * self._raised + hang
        lower = np.maximum(shape.lower - pose.lift * shape.gap + hang, upper)
        place = LidPlace(upper, lower, closing, pose.squint)
        moves = pose.fall > 0 or pose.rise > 0 or pose.lift != 0 or pose.squint > 0
        skin = self._lids.skin_at(place) if moves else self._crop
        open_by = np.clip(lower - upper, 0, 1)
        between = np.clip(np.minimum(shape.v - upper, lower - shape.v) + 0.5, 0, 1) * open_by
        widened = float(np.clip((pose.rise + max(0.0, -pose.lift) * shape.gap.max()) / 1.5, 0, 1))
        ball = self._ball.draw(pose.gaze, widened, upper)
        if place.closing > 0:
            depth = np.maximum(shape.v - upper, 0) / (0.13 * shape.width)
            ball = ball * (1 - 0.35 * min(1.0, 3 * place.closing) * np.exp(-depth))[:, :, None]
        result = skin + (ball - skin) * between[:, :, None]
        return self._lids.lashes.lay(result, upper, closing) if moves else np.asarray(result, np.float32)
