"""The eyeball of a photograph: white, iris and catch-lights taken apart, and put together for another gaze."""

from __future__ import annotations

import cv2
import numpy as np

from .arrays import Floats
from .eyes_shape import EyeShape, smooth_step
from .layers import fill_from_known

_RINGS, _SPOKES = 48, 128
_IRIS_EDGE = 1.16  # iris radii up to which its texture is kept
_IRIS_DEPTH = 1.78  # iris radii from the eyeball's middle to the iris: 10.4 mm over 5.85 mm
_GLINT_FOLLOW = 0.5  # of the iris's shift: the cornea's middle lies half as far from the eyeball's as the iris
_WHITE_OF_SKIN = 0.92  # brightness of an eyeball's white over that of the lit skin around it
_STEEPEST = np.radians(42.0)


class Eyeball:
    """One eyeball, fixed to the skull.

    Args:
        crop: (h, w, 3) float32, the photograph at the eye.
        shape: the eye in it.
        iris: (2,) pixels of the iris's centre in the crop.
        radius: pixels of the iris.
        skin: (h, w, 3) float32, the smooth skin around the eye.
        grain: (h, w) float32 of the photograph's noise.
    """

    def __init__(self, crop: Floats, shape: EyeShape, iris: Floats, radius: float, skin: Floats, grain: Floats) -> None:
        self._photo, self._shape, self._iris, self._radius = crop, shape, iris, max(radius, 1.0)
        height, width = crop.shape[:2]
        y, x = np.mgrid[:height, :width].astype(np.float32)
        self._x, self._y = x - iris[0], y - iris[1]
        away = np.hypot(self._x, self._y) / self._radius
        # Lashes and the lids' wet edges are no part of the eyeball.
        inside = np.minimum(shape.v - shape.upper - 0.045 * shape.width, shape.lower - shape.v - 0.02 * shape.width)
        self.known = smooth_step(inside / max(1.0, 0.03 * shape.width) + 0.5)
        colour, glint = self._clean_iris(crop)
        self._texture = np.concatenate([colour, np.ones_like(away)[:, :, None]], axis=2)
        self._glint = glint
        self._white = self._clean_white(crop, away, skin, grain)

    def draw(self, gaze: tuple[float, float], widened: float, upper: Floats) -> Floats:
        """Return (h, w, 3) float32, the crop with this eyeball; only what lies between the lids is meant.

        Args:
            gaze: radians to the picture's right and down, relative to the photograph.
            widened: 0..1, how far the lids have left the photograph's eyeball behind.
            upper: (h, w) ``v`` of the upper lid's margin, whose shadow falls on the eyeball.
        """
        turned = float(np.clip(np.hypot(*gaze) / 0.03, 0, 1))
        if turned == 0 and widened == 0:
            return self._photo
        made = self._composed(gaze)
        depth = (self._shape.v - upper) / (0.16 * self._shape.width)
        made *= (1 - 0.28 * np.exp(-np.square(np.maximum(depth, 0))))[:, :, None]
        own = ((1 - turned) * (1 - widened * (1 - self.known)))[:, :, None]
        return np.asarray(made + (self._photo - made) * own, np.float32)

    def _composed(self, gaze: tuple[float, float]) -> Floats:
        """Return white, iris and catch-lights of a gaze: each pixel is looked up on the turned ball."""
        size = _IRIS_DEPTH * self._radius
        right, down = (float(np.clip(angle, -_STEEPEST, _STEEPEST)) for angle in gaze)
        x, y = self._x / size, self._y / size
        z = np.sqrt(np.maximum(1 - x * x - y * y, 0.05))
        # The inverse turn: first the nod back, then the turn back.
        y, z = y * np.cos(down) - z * np.sin(down), y * np.sin(down) + z * np.cos(down)
        x, z = x * np.cos(right) - z * np.sin(right), x * np.sin(right) + z * np.cos(right)
        away = np.hypot(x, y) * _IRIS_DEPTH + np.where(z > 0, 0, 9)
        columns, rows = x * size + self._iris[0], y * size + self._iris[1]
        columns, rows = columns.astype(np.float32), rows.astype(np.float32)
        iris = cv2.remap(self._texture, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        soft = max(0.16, 1.2 / self._radius)
        disc = smooth_step((1.08 - away) / soft + 0.5)[:, :, None]
        result = self._white + (iris[:, :, :3] - self._white) * disc
        shift = _GLINT_FOLLOW * size * np.array([np.sin(right) * np.cos(down), np.sin(down)])
        move = np.array([[1, 0, shift[0]], [0, 1, shift[1]]], np.float64)
        glint = cv2.warpAffine(self._glint, move, self._glint.shape[1::-1])
        return np.asarray(result + glint, np.float32)

    def _clean_iris(self, crop: Floats) -> tuple[Floats, Floats]:
        """Return the iris without lids and catch-lights (h, w, 3), and the light that these add (h, w, 3).

        What the lids hide is taken from the other side of the iris, or else from the same distance to its centre.
        """
        ring = (np.arange(_RINGS, dtype=np.float32) + 0.5) / _RINGS * _IRIS_EDGE
        angle = np.arange(_SPOKES, dtype=np.float32) / _SPOKES * 2 * np.pi
        columns = self._iris[0] + self._radius * ring[:, None] * np.cos(angle)
        rows = self._iris[1] + self._radius * ring[:, None] * np.sin(angle)
        polar = cv2.remap(crop, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        seen = cv2.remap(self.known, columns, rows, cv2.INTER_LINEAR)
        brightness = polar.mean(axis=2)
        usual = _weighted_median(brightness, seen)
        error = np.abs(brightness - usual[:, None])[(seen > 0.5) & (ring < 0.92)[:, None]]
        spread = max(6.0, 1.5 * float(np.median(error))) if error.size else 6.0
        over = smooth_step((brightness - usual[:, None] - 2 * spread) / (2 * spread)) * (ring < 0.92)[:, None]
        over = cv2.dilate(over, np.ones((5, 9), np.uint8))
        weight = seen * (1 - over) + 1e-6
        mirrored = (_SPOKES // 2 - np.arange(_SPOKES)) % _SPOKES
        other, other_weight = polar[:, mirrored], weight[:, mirrored] * (1 - weight)
        mean = (polar * weight[:, :, None]).sum(axis=1, keepdims=True) / weight.sum(axis=1)[:, None, None]
        rest = np.maximum(1 - weight - other_weight, 0)
        clean = polar * weight[:, :, None] + other * other_weight[:, :, None] + mean * rest[:, :, None]
        around = np.concatenate([clean[:, -8:], clean, clean[:, :8]], axis=1)
        clean = cv2.GaussianBlur(around, (0, 0), 1.0)[:, 8:-8]
        away = np.hypot(self._x, self._y) / self._radius
        place_row = np.clip(away / _IRIS_EDGE * _RINGS - 0.5, 0, _RINGS - 1).astype(np.float32)
        place_column = (np.arctan2(self._y, self._x) % (2 * np.pi) / (2 * np.pi) * _SPOKES).astype(np.float32)
        wrapped = np.concatenate([clean, clean[:, :1]], axis=1)
        iris = cv2.remap(wrapped, place_column, place_row, cv2.INTER_LINEAR)
        light = cv2.remap(np.concatenate([over, over[:, :1]], axis=1), place_column, place_row, cv2.INTER_LINEAR)
        light = light * (away < 1) * self.known
        return iris, np.asarray(np.maximum(crop - iris, 0) * light[:, :, None], np.float32)

    def _clean_white(self, crop: Floats, away: Floats, skin: Floats, grain: Floats) -> Floats:
        """Return the eyeball without its iris (h, w, 3); where too little white is seen it is told from the skin."""
        level = skin.mean(axis=2)
        guess = _WHITE_OF_SKIN * level[:, :, None] * (0.72 + 0.28 * skin / np.maximum(level, 1)[:, :, None])
        brightness = crop.mean(axis=2)
        tint, skin_tint = _saturation(crop), _saturation(skin)
        # Lids, lashes and the corner's pink are more coloured or darker than the white.
        pale = smooth_step((skin_tint * 0.95 - tint) / np.maximum(0.3 * skin_tint, 0.02))
        bright = smooth_step((brightness / np.maximum(level, 1) - 0.4) / 0.2)
        seen = self.known * smooth_step((away - 1.12) / 0.12) * pale * bright
        trusted = fill_from_known(crop, np.minimum(seen, 1)) if seen.max() > 0.3 else guess
        wanted = 0.02 * self._shape.width**2
        share = float(np.clip(seen.sum() / wanted, 0, 1))
        trusted = cv2.GaussianBlur(trusted, (0, 0), max(0.6, 0.04 * self._shape.width))
        filled = trusted * share + guess * (1 - share) + grain[:, :, None]
        across = np.abs(self._shape.u / self._shape.width - 0.5) * 2
        filled = filled * (1 - 0.18 * (1 - share) * across**2)[:, :, None]
        return np.asarray(filled + (crop - filled) * (seen * share)[:, :, None], np.float32)


def _weighted_median(rows: Floats, weights: Floats) -> Floats:
    """Return (R,) medians of ``rows`` (R, N) over entries of some weight; the plain median where there are none."""
    masked = np.where(weights > 0.5, rows, np.nan)
    empty = ~(weights > 0.5).any(axis=1)
    masked[empty] = rows[empty]
    return np.asarray(np.nanmedian(masked, axis=1), np.float32)


def _saturation(colour: Floats) -> Floats:
    """Return (h, w): how far red exceeds blue, over the brightness."""
    return np.asarray((colour[:, :, 0] - colour[:, :, 2]) / np.maximum(colour.mean(axis=2), 8), np.float32)
