"""The upper lashes of one eye: those of the photograph while it is open, and how they hang once the lid has fallen."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from .arrays import Floats
from .eyes_shape import EyeShape, smooth_step

_REACH = 0.17  # of the eye's width above the margin
_EVERY = 0.028  # of the eye's width between one drawn lash and the next
_FEWEST_PIXELS = 2.2  # between two lashes: below this they melt into a line
_FAINTEST, _STRONGEST = 0.12, 0.8  # a lid's edge is always a little darker than its skin
_SLANT, _LENGTH, _PLACE = np.random.default_rng(5).uniform(-1, 1, (3, 512)).astype(np.float32)


class Lashes:
    """The upper lashes of one eye.

    Args:
        crop: (h, w, 3) float32, the photograph at the eye.
        shape: the eye in it.
        skin: (h, w, 3) float32, the smooth skin around the eye.

    Attributes:
        cover: (h, w) float32 in [0, 1], where lashes hide the skin in the photograph.
    """

    def __init__(self, crop: Floats, shape: EyeShape, skin: Floats) -> None:
        self._photo, self._shape = crop, shape
        self.cover, self._colour = self._measured(crop, skin)
        width = shape.width
        column = np.clip(np.round(shape.u).astype(int), 0, int(width))
        near = (shape.v < shape.upper + 1) & (shape.v > shape.upper - _REACH * width) & (shape.gap > 0)
        thickness = np.clip(self._along(column, near, np.add)[column], 0.015 * width, 0.11 * width)
        self._strength = _FAINTEST + (_STRONGEST - _FAINTEST) * self._along(column, near, np.maximum)[column]
        self._across = shape.u / width
        # The line runs on past the corners and thins out there; towards the nose there are few lashes.
        self._present = smooth_step((np.minimum(self._across, 1 - self._across) + 0.1) / 0.3)
        self._lashed = smooth_step((shape.outward + 0.05) / 0.45) * smooth_step((1.04 - shape.outward) / 0.12)
        self._line = np.maximum(0.28 * thickness, 0.012 * width) * (0.5 + 0.5 * self._present)
        self._reach = np.asarray(0.5 * thickness + 0.045 * width, np.float32)

    def lay(self, picture: Floats, upper: Floats, closing: float) -> Floats:
        """Return ``picture`` (h, w, 3) with the lashes of a lid whose margin is at ``upper`` (h, w).

        As the lid falls the photograph's lashes are seen ever more from their ends, and then hang below the margin.
        """
        below = self._shape.v - upper
        own = float(1 - smooth_step((closing - 0.1) / 0.4))
        drawn = float(smooth_step((closing - 0.05) / 0.5))
        if own > 0:
            source = self._shape.upper + below / max(0.4, 1 - 1.2 * closing)
            cover = self._shape.looked_up(self.cover, source) * (below < 1) * own
            picture = picture + (self._shape.looked_up(self._photo, source) - picture) * cover[:, :, None]
        if drawn > 0:
            cover = self._hanging(below) * drawn
            picture = picture + (self._colour - picture) * cover[:, :, None]
        return np.asarray(picture, np.float32)

    def _hanging(self, below: Floats) -> Floats:
        """Return (h, w) coverage of the fallen lid's edge and of single lashes that hang ``below`` it."""
        width = self._shape.width
        from_line = np.maximum(np.abs(below - 0.3 * self._line) - 0.35 * self._line, 0)
        edge = np.exp(-np.square(from_line / max(0.6, 0.012 * width))) * (0.6 + 0.4 * self._lashed)
        # Lashes fan out from the middle of the lid, each with its own slant and length.
        spread = 1 - 0.35 * np.minimum(np.maximum(below / width, 0), 0.3)
        along = (self._across - 0.5) * spread / _EVERY
        number = np.floor(along)
        lash = number.astype(np.int32) % len(_SLANT)
        done = np.minimum(np.maximum(below / (self._reach * (0.75 + 0.25 * _LENGTH[lash])), 0), 1)
        centre = 0.5 + 0.15 * _PLACE[lash] + 0.25 * _SLANT[lash] * done
        every = _EVERY * width
        thick = np.maximum(0.30 * (1 - done), 0.05)
        single = smooth_step((thick - np.abs(along - number - centre)) * (every / 1.2) + 0.5)
        melted = min(1.0, max(0.0, (_FEWEST_PIXELS + 0.5 - every) / 1.5))
        single += (0.4 - single) * melted
        hairs = 0.85 * single * (1 - smooth_step(done)) * (below > 0) * self._lashed
        return np.asarray(np.maximum(edge, hairs) * self._strength * self._present, np.float32)

    def _measured(self, crop: Floats, skin: Floats) -> tuple[Floats, Floats]:
        """Return the coverage (h, w) of the lashes in the photograph, and their colour (3,)."""
        shape, width = self._shape, self._shape.width
        brightness, level = crop.mean(axis=2), skin.mean(axis=2)
        height = shape.upper - shape.v
        band = (height > 0.01 * width) & (height < _REACH * width) & (shape.u > 0) & (shape.u < width)
        if not band.any():
            return np.zeros_like(level), np.asarray(0.5 * skin.mean(axis=(0, 1)), np.float32)
        dark = float(np.percentile(brightness[band], 6))
        # Single lashes at the outer corner are fainter than the line along the lid.
        gain = 1.15 + 1.2 * smooth_step((shape.outward - 0.8) / 0.2)
        cover = np.clip((level - brightness) / np.maximum(level - dark, 40) * gain - 0.12, 0, 1)
        # Lashes are longest at the outer corner, reach past it and hang below.
        reach = _REACH * width * (1 + 0.7 * smooth_step((shape.outward - 0.55) / 0.4))
        window = smooth_step((reach - height) / (0.05 * width)) * smooth_step((height + 1.5) / 1.5)
        window *= smooth_step((shape.outward + 0.1) / 0.1) * smooth_step((1.3 - shape.outward) / 0.12)
        outside = smooth_step((shape.outward - 0.95) / 0.05) * smooth_step((1.3 - shape.outward) / 0.1)
        window = np.maximum(window, outside * smooth_step((0.12 * width - np.abs(height)) / (0.05 * width)))
        colour = crop[band & (brightness <= dark + 2)].mean(axis=0)
        return np.asarray(cover * window, np.float32), np.asarray(colour, np.float32)

    def _along(self, column: npt.NDArray[np.int_], near: npt.NDArray[np.bool_], gather: np.ufunc) -> Floats:
        """Return a smooth value for each whole ``u``: the lashes' coverage there, added up or its largest."""
        total = np.zeros(int(self._shape.width) + 1, np.float32)
        gather.at(total, column[near], self.cover[near])
        smooth = cv2.GaussianBlur(total[None], (0, 0), max(1.0, 0.06 * self._shape.width))
        return np.asarray(smooth[0], np.float32)
