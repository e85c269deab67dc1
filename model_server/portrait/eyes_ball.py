"""The eyeball of a photograph: white, iris and catch-lights taken apart, and put together for another gaze."""

from __future__ import annotations

import cv2
import numpy as np

from .arrays import Floats
from .eyes_shape import EyeShape, smooth_step, warmth
from .layers import fill_from_known

_RINGS, _SPOKES = 48, 128
_IRIS_EDGE = 1.16  # iris radii up to which its texture is kept
_IRIS_DEPTH = 1.78  # iris radii from the eyeball's middle to the iris: 10.4 mm over 5.85 mm
_GLINT_FOLLOW = 0.5  # of the iris's shift: the cornea's middle lies half as far from the eyeball's as the iris
_WHITE_OF_SKIN = (0.5, 0.85)  # least and most brightness of an eyeball's white over that of the skin around it
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
        self._photo, self._shape = crop, shape
        self._iris, self._radius = _iris_edges(crop, shape, iris, max(radius, 1.0))
        height, width = crop.shape[:2]
        y, x = np.mgrid[:height, :width].astype(np.float32)
        self._x, self._y = x - self._iris[0], y - self._iris[1]
        away = np.hypot(self._x, self._y) / self._radius
        # Lashes and the lids' wet edges are no part of the eyeball.
        inside = np.minimum(shape.v - shape.upper - 0.045 * shape.width, shape.lower - shape.v - 0.02 * shape.width)
        self.known = smooth_step(inside / max(1.0, 0.03 * shape.width) + 0.5)
        # Where lids leave the eye, their old edges and shadows must not stay behind.
        self._clear = smooth_step((inside - 0.04 * shape.width) / max(1.0, 0.03 * shape.width) + 0.5)
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
        made *= (1 - 0.2 * np.exp(-np.square(np.maximum(depth, 0))))[:, :, None]
        own = ((1 - turned) * (1 - widened * (1 - self._clear)))[:, :, None]
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
        disc = smooth_step((1.03 - away) / soft + 0.5)[:, :, None]
        result = self._white + (iris[:, :, :3] - self._white) * disc
        shift = _GLINT_FOLLOW * size * np.array([np.sin(right) * np.cos(down), np.sin(down)])
        move = np.array([[1, 0, shift[0]], [0, 1, shift[1]]], np.float64)
        glint = cv2.warpAffine(self._glint, move, self._glint.shape[1::-1])
        return np.asarray(result + glint * disc, np.float32)

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
        over = cv2.GaussianBlur(cv2.dilate(over, np.ones((5, 9), np.uint8)), (0, 0), 1.2)
        weight = seen * (1 - over) + 1e-6
        mirrored = (_SPOKES // 2 - np.arange(_SPOKES)) % _SPOKES
        other, other_weight = polar[:, mirrored], weight[:, mirrored] * (1 - weight)
        mean = np.stack([_weighted_median(polar[:, :, channel], weight) for channel in range(3)], axis=-1)[:, None]
        rest = np.maximum(1 - weight - other_weight, 0)
        clean = polar * weight[:, :, None] + other * other_weight[:, :, None] + mean * rest[:, :, None]
        # The rim is soft in the photograph: what shows through it there is white or lid.
        rim = int(0.93 / _IRIS_EDGE * _RINGS)
        clean[rim:] = clean[rim - 3 : rim].mean(axis=0) * 0.94
        around = np.concatenate([clean[:, -8:], clean, clean[:, :8]], axis=1)
        clean = cv2.GaussianBlur(around, (0, 0), 1.0)[:, 8:-8]
        away = np.hypot(self._x, self._y) / self._radius
        place_row = np.clip(away / _IRIS_EDGE * _RINGS - 0.5, 0, _RINGS - 1).astype(np.float32)
        place_column = (np.arctan2(self._y, self._x) % (2 * np.pi) / (2 * np.pi) * _SPOKES).astype(np.float32)
        wrapped = np.concatenate([clean, clean[:, :1]], axis=1)
        iris = cv2.remap(wrapped, place_column, place_row, cv2.INTER_LINEAR)
        light = cv2.remap(np.concatenate([over, over[:, :1]], axis=1), place_column, place_row, cv2.INTER_LINEAR)
        between = np.minimum(self._shape.v - self._shape.upper, self._shape.lower - self._shape.v)
        light = light * smooth_step((1.04 - away) / 0.2) * smooth_step(between / 2 + 0.5)
        return iris, np.asarray(np.maximum(crop - iris, 0) * light[:, :, None], np.float32)

    def _clean_white(self, crop: Floats, away: Floats, skin: Floats, grain: Floats) -> Floats:
        """Return the eyeball without its iris (h, w, 3); where too little white is seen it is told from the skin."""
        level = skin.mean(axis=2)
        brightness = crop.mean(axis=2)
        beside = (self.known > 0.5) & (away > 1.2)
        seen_share = np.percentile((brightness / np.maximum(level, 1))[beside], 85) if beside.sum() > 3 else 1.0
        share_of_skin = float(np.clip(1.1 * seen_share, *_WHITE_OF_SKIN))
        guess = share_of_skin * level[:, :, None] * (0.55 + 0.45 * skin / np.maximum(level, 1)[:, :, None])
        tint, skin_tint = warmth(crop), warmth(skin)
        # Lids, lashes and the corner's pink are more coloured or darker than the white.
        pale = smooth_step((skin_tint * 0.95 - tint) / np.maximum(0.3 * skin_tint, 0.02))
        bright = smooth_step((brightness / np.maximum(level, 1) - 0.4) / 0.2)
        beside_iris = self.known * smooth_step((away - 1.1) / 0.12)
        seen = beside_iris * pale * bright
        trusted = fill_from_known(crop, seen**4) if seen.max() > 0.3 else guess
        wanted = 0.02 * self._shape.width**2
        share = float(np.clip(seen.sum() / wanted, 0, 1))
        trusted = cv2.GaussianBlur(trusted, (0, 0), max(0.6, 0.04 * self._shape.width))
        filled = trusted * share + guess * (1 - share) + grain[:, :, None]
        across = np.abs(self._shape.u / self._shape.width - 0.5) * 2
        # The ball is round and its socket dark: light falls off to the corners and the lower lid.
        low = (self._shape.lower - self._shape.v) / (0.09 * self._shape.width)
        light = (1 - 0.3 * (1 - share) * across**2) * (1 - 0.15 * np.exp(-np.maximum(low, 0)))
        filled = filled * light[:, :, None]
        own = np.maximum(seen * share, 0.5 * self.known * smooth_step((away - 1.1) / 0.5))
        return np.asarray(filled + (crop - filled) * own[:, :, None], np.float32)


def _iris_edges(crop: Floats, shape: EyeShape, iris: Floats, radius: float) -> tuple[Floats, float]:
    """Return centre (2,) and radius pixels of the iris, corrected where both its sides show against the white."""
    along = np.array([shape.down[1], -shape.down[0]], np.float32)
    distance = np.linspace(0.7, 1.4, 29, dtype=np.float32) * radius
    rows = np.linspace(-0.25, 0.45, 9, dtype=np.float32)[:, None] * radius
    edges = []
    for way in (-1.0, 1.0):
        place = iris + way * distance[None, :, None] * along + rows[:, :, None] * shape.down
        line = cv2.remap(crop, place[..., 0].copy(), place[..., 1].copy(), cv2.INTER_LINEAR).mean(axis=2)
        rise = np.diff(cv2.GaussianBlur(np.median(line, axis=0)[None], (0, 0), 2.0)[0])
        best = int(rise.argmax())
        if rise[best] * len(rise) < 40 or best in (0, len(rise) - 1):
            return iris, radius
        edges.append(way * float(distance[best : best + 2].mean()))
    middle, half = sum(edges) / 2, (edges[1] - edges[0]) / 2
    return np.asarray(iris + middle * along, np.float32), half


def _weighted_median(rows: Floats, weights: Floats) -> Floats:
    """Return (R,) medians of ``rows`` (R, N) over entries of some weight; the plain median where there are none."""
    masked = np.where(weights > 0.5, rows, np.nan)
    empty = ~(weights > 0.5).any(axis=1)
    masked[empty] = rows[empty]
    return np.asarray(np.nanmedian(masked, axis=1), np.float32)
