"""The lids of one eye: skin that unrolls from the fold above the eye."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from .arrays import Floats
from .eyes_lashes import Lashes
from .eyes_shape import EyeShape, smooth_step
from .layers import fill_from_known

_FOLD_FOLLOW = 0.16  # of the upper lid's travel: how far its fold comes down


@dataclass(frozen=True)
class LidPlace:
    """Where the lids are in one frame: (h, w) float32 ``v`` of the moved margins, and how far the eye has closed.

    Attributes:
        upper: of the upper lid's margin.
        lower: of the lower lid's margin, never above the upper.
        closing: 0 as in the photograph, 1 shut.
        squint: 0..1, how far the lower lid swells.
    """

    upper: Floats
    lower: Floats
    closing: float
    squint: float


class Lids:
    """The skin around one eye.

    Args:
        crop: (h, w, 3) float32, the photograph at the eye.
        shape: the eye in it.
        foreign: (h, w) float32 in [0, 1], what is no skin: a glasses' frame and its reflections.
        grain: (h, w) float32 of the photograph's noise.
    """

    def __init__(self, crop: Floats, shape: EyeShape, foreign: Floats, grain: Floats) -> None:
        self._shape, self._grain = shape, grain
        self.skin = self._skin_around(crop, foreign)
        self.lashes = Lashes(crop, shape, self.skin)
        strip = shape.upper - shape.fold
        in_strip = (shape.v > shape.fold) & (shape.v < shape.upper) & (shape.gap > 0) & (foreign < 0.5)
        self._bare = crop + (self.skin - crop) * self.lashes.cover[:, :, None]
        self._lid = self.skin * self._lid_tint(in_strip)
        self._band = np.asarray(np.minimum(0.04 * shape.width, 0.3 * np.maximum(strip, 1)), np.float32)
        across = np.clip(2 * shape.u / shape.width - 1, -1, 1)
        self._roundness = np.square(across)

    def skin_at(self, place: LidPlace) -> Floats:
        """Return (h, w, 3) float32: the skin, the lids drawn to where ``place`` has them."""
        shape = self._shape
        fall = place.upper - shape.upper
        fold = shape.fold + _FOLD_FOLLOW * fall
        edge = place.upper - self._band
        stretch = (edge - fold) / np.maximum(shape.upper - self._band - shape.fold, 0.5)
        above = shape.top + (shape.v - shape.top) * (shape.fold - shape.top) / (fold - shape.top)
        strip = shape.fold + (shape.v - fold) / np.maximum(stretch, 0.05)
        below = shape.lower + (shape.v - place.lower) * (shape.bottom - shape.lower) / (shape.bottom - place.lower)
        source = np.where(shape.v < fold, above, np.where(shape.v < edge, strip, shape.v - fall))
        source = np.where(shape.v < shape.top, shape.v, source)
        source = np.where(shape.v > place.upper, np.where(shape.v > shape.bottom, shape.v, below), source)
        skin = shape.looked_up(self._bare, source)

        drawn_out = smooth_step((stretch - 1.1) / 1.5)
        on_lid = smooth_step((shape.v - fold) / np.maximum(0.45 * (place.upper - fold), 1))
        in_fold = 0.6 * place.closing * smooth_step((shape.v - fold) / (0.1 * shape.width) + 0.5)
        weight = drawn_out * np.maximum(on_lid, in_fold) * (shape.v < place.upper + 1)
        skin += (self._lid_at(place, fold, fall) - skin) * weight[:, :, None]
        if place.squint > 0:
            skin *= self._swelling(place)[:, :, None]
        return np.asarray(skin, np.float32)

    def _lid_at(self, place: LidPlace, fold: Floats, fall: Floats) -> Floats:
        """Return the unrolled lid: round over the eyeball, darker in the fold and towards the edge."""
        shape = self._shape
        down = (shape.v - fold) / np.maximum(place.upper - fold, 1)
        light = 1 + 0.05 * np.exp(-np.square((down - 0.45) / 0.3)) - 0.07 * np.exp(-np.square(down / 0.16))
        light -= 0.07 * smooth_step((down - 0.6) / 0.4) + 0.05 * self._roundness
        grain = shape.looked_up(self._grain, shape.v - fall)
        return np.asarray(self._lid * light[:, :, None] + grain[:, :, None], np.float32)

    def _swelling(self, place: LidPlace) -> Floats:
        """Return (h, w) factors: a lower lid drawn up swells below its edge and folds beneath."""
        down = (self._shape.v - place.lower) / self._shape.width
        bump = 0.05 * np.exp(-np.square((down - 0.07) / 0.05)) - 0.10 * np.exp(-np.square((down - 0.19) / 0.045))
        return np.asarray(1 + place.squint * bump * (1 - self._roundness) * (down > 0), np.float32)

    def _skin_around(self, crop: Floats, foreign: Floats) -> Floats:
        """Return the smooth skin around the eye as if there were neither eye, lashes nor brow."""
        shape, width = self._shape, self._shape.width
        inside = (shape.u > -0.18 * width) & (shape.u < 1.18 * width)
        eye = inside & (shape.v > shape.fold - 0.02 * width) & (shape.v < shape.lower + 0.1 * width)
        known = 1.0 - eye.astype(np.float32)
        brightness = crop.mean(axis=2)
        near = (known > 0) & (foreign < 0.2)
        usual = np.median(brightness[near]) if near.any() else np.median(brightness)
        # Brow hair, the frame of glasses and the hair of the head are darker than skin.
        hair = (1 - smooth_step((brightness / usual - 0.62) / 0.15)) * (shape.v < shape.fold - 0.08 * width)
        known *= (1 - hair) * (foreign < 0.2)
        filled = fill_from_known(crop, known if known.any() else np.ones_like(known))
        return np.asarray(cv2.GaussianBlur(filled, (0, 0), max(0.8, 0.06 * width)), np.float32)

    def _lid_tint(self, strip: npt.NDArray[np.bool_]) -> Floats:
        """Return (3,) how the visible strip of the lid differs in colour from the skin around it."""
        weight = strip * (1 - self.lashes.cover)
        if weight.sum() < 4:
            return np.full(3, 0.97, np.float32)
        ratio = (self._bare * weight[:, :, None]).sum(axis=(0, 1)) / (self.skin * weight[:, :, None]).sum(axis=(0, 1))
        # Mostly its brightness: shadows of the fold tint it.
        ratio = 0.7 * ratio.mean() + 0.3 * ratio
        return np.asarray(1 + 0.5 * (np.clip(ratio, 0.75, 1.1) - 1), np.float32)
