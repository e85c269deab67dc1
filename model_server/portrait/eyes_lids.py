"""The lids of one eye: skin that unrolls from the fold above the eye, and the lashes at its edge."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from .arrays import Floats
from .eyes_shape import EyeShape, smooth_step
from .layers import fill_from_known

_FOLD_FOLLOW = 0.16  # of the upper lid's travel: how far its fold comes down
_LASH_REACH = 0.17  # of the eye's width above the margin
_LASH_EVERY = 0.028  # of the eye's width between one drawn lash and the next
_FEWEST_PIXELS = 2.2  # between two lashes: below this they melt into a line
_FAINTEST = 0.12  # a lid's edge is always a little darker than its skin


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
    """The skin and lashes around one eye.

    Args:
        crop: (h, w, 3) float32, the photograph at the eye.
        shape: the eye in it.
        foreign: (h, w) float32 in [0, 1], what is no skin: a glasses' frame and its reflections.
        grain: (h, w) float32 of the photograph's noise.
    """

    def __init__(self, crop: Floats, shape: EyeShape, foreign: Floats, grain: Floats) -> None:
        self._photo, self._shape, self._grain = crop, shape, grain
        y, x = np.mgrid[: crop.shape[0], : crop.shape[1]].astype(np.float32)
        self._x, self._y = x, y
        across = shape.u / shape.width
        self._outward = np.asarray(across if shape.outer_right else 1 - across, np.float32)
        self.skin = self._skin_around(crop, foreign)
        self._lash, self.lash_colour = self._lashes_of(crop)
        strip = shape.upper - shape.fold
        in_strip = (shape.v > shape.fold) & (shape.v < shape.upper) & (shape.gap > 0)
        self._bare = crop + (self.skin - crop) * self._lash[:, :, None]
        self._lid = self.skin * self._lid_tint(in_strip & (foreign < 0.5))
        self._band = np.asarray(np.minimum(0.04 * shape.width, 0.3 * np.maximum(strip, 1)), np.float32)
        columns = np.clip(np.round(shape.u).astype(int), 0, int(shape.width))
        near = (shape.v < shape.upper + 1) & (shape.v > shape.upper - _LASH_REACH * shape.width) & (shape.gap > 0)
        self._density = self._along(columns, near, np.maximum)[columns]
        thickness = self._along(columns, near, np.add)[columns]
        self._thickness = np.clip(thickness, 0.015 * shape.width, 0.11 * shape.width)
        noise = np.random.default_rng(5).uniform(-1, 1, (3, 512)).astype(np.float32)
        self._lash_noise = noise

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
        skin = self._sampled(self._bare, source)

        drawn_out = smooth_step((stretch - 1.1) / 1.5)
        on_lid = smooth_step((shape.v - fold) / np.maximum(0.45 * (place.upper - fold), 1))
        on_lid *= shape.v < place.upper + 1
        in_fold = 0.6 * place.closing * smooth_step((shape.v - fold) / (0.1 * shape.width) + 0.5)
        weight = drawn_out * np.maximum(on_lid, in_fold)
        skin += (self._lid_at(place, fold, fall) - skin) * weight[:, :, None]
        if place.squint > 0:
            skin *= self._swelling(place)[:, :, None]
        return np.asarray(skin, np.float32)

    def lay_lashes(self, picture: Floats, place: LidPlace) -> Floats:
        """Return ``picture`` (h, w, 3) with the upper lashes, which turn down as the lid falls."""
        shape, closing = self._shape, place.closing
        height = place.upper - shape.v
        upright = float(np.clip(1 - 1.2 * closing, 0.4, 1))
        source = shape.upper - height / upright
        own = self._sampled(self._lash, source) * (shape.v < place.upper + 1)
        cover = own * float(1 - smooth_step(np.float32((closing - 0.1) / 0.4)))
        colour = self._sampled(self._photo, source)
        result = picture + (colour - picture) * cover[:, :, None]
        drawn = self._drawn_lashes(-height, closing)
        return np.asarray(result + (self.lash_colour - result) * drawn[:, :, None], np.float32)

    def _sampled(self, image: Floats, source: Floats) -> Floats:
        """Return ``image`` looked up at ``source`` (h, w), a ``v`` in the pixel's own column."""
        move = source - self._shape.v
        down = self._shape.down
        columns, rows = self._x + move * down[0], self._y + move * down[1]
        return np.asarray(
            cv2.remap(image, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32
        )

    def _lid_at(self, place: LidPlace, fold: Floats, fall: Floats) -> Floats:
        """Return the unrolled lid: round over the eyeball, darker in the fold and towards the edge."""
        shape = self._shape
        down = (shape.v - fold) / np.maximum(place.upper - fold, 1)
        across = shape.u / shape.width * 2 - 1
        light = 1 + 0.05 * np.exp(-np.square((down - 0.45) / 0.3)) - 0.07 * np.exp(-np.square(down / 0.16))
        light -= 0.07 * smooth_step((down - 0.6) / 0.4) + 0.05 * np.square(np.clip(across, -1, 1))
        grain = self._sampled(self._grain, shape.v - fall)
        return np.asarray(self._lid * light[:, :, None] + grain[:, :, None], np.float32)

    def _swelling(self, place: LidPlace) -> Floats:
        """Return (h, w) factors: a lower lid drawn up swells below its edge and folds beneath."""
        down = (self._shape.v - place.lower) / self._shape.width
        inner = np.square(np.clip(2 * self._shape.u / self._shape.width - 1, -1, 1))
        bump = 0.05 * np.exp(-np.square((down - 0.07) / 0.05)) - 0.10 * np.exp(-np.square((down - 0.19) / 0.045))
        return np.asarray(1 + place.squint * bump * (1 - inner) * (down > 0), np.float32)

    def _drawn_lashes(self, below: Floats, closing: float) -> Floats:
        """Return (h, w) coverage of the fallen lid's lash line and of single lashes that hang ``below`` its edge."""
        shown = float(smooth_step(np.float32((closing - 0.05) / 0.5)))
        if shown == 0:
            return np.zeros_like(below)
        shape, width = self._shape, self._shape.width
        across = shape.u / width
        # The line runs on past the corners and thins out there; towards the nose there are few lashes.
        present = smooth_step((np.minimum(across, 1 - across) + 0.1) / 0.3)
        lashed = smooth_step((self._outward + 0.05) / 0.45) * smooth_step((1.04 - self._outward) / 0.12)
        soft = max(0.6, 0.012 * width)
        line = np.maximum(0.28 * self._thickness, 0.012 * width) * (0.5 + 0.5 * present)
        strength = _FAINTEST + (0.8 - _FAINTEST) * self._density
        from_line = np.maximum(np.abs(below - 0.3 * line) - 0.35 * line, 0)
        core = np.exp(-np.square(from_line / soft)) * strength * (0.6 + 0.4 * lashed)
        reach = 0.5 * self._thickness + 0.045 * width
        # Lashes fan out from the middle of the lid, each with its own slant and length.
        along = (across - 0.5) * (1 - 0.35 * np.clip(below / width, 0, 0.3)) / _LASH_EVERY
        number = np.floor(along).astype(int)
        slant, length, place = (row[number % 512] for row in self._lash_noise)
        end = reach * (0.75 + 0.25 * length)
        done = np.clip(below / end, 0, 1)
        centre = 0.5 + 0.15 * place + 0.25 * slant * done
        every = _LASH_EVERY * width
        thick = np.maximum(0.30 * (1 - done), 0.05)
        single = smooth_step((thick - np.abs(along - number - centre)) * every / 1.2 + 0.5)
        melted = float(np.clip((every - _FEWEST_PIXELS + 1) / 1.5, 0, 1))
        single = single * melted + 0.4 * (1 - melted)
        hanging = single * (1 - smooth_step(done)) * (below > 0) * strength * lashed
        return np.asarray(np.maximum(core, 0.85 * hanging) * present * shown, np.float32)

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

    def _lashes_of(self, crop: Floats) -> tuple[Floats, Floats]:
        """Return the coverage (h, w) of the upper lashes in the photograph, and their colour (3,)."""
        shape, width = self._shape, self._shape.width
        brightness, skin = crop.mean(axis=2), self.skin.mean(axis=2)
        height = shape.upper - shape.v
        band = (height < _LASH_REACH * width) & (shape.u > 0) & (shape.u < width)
        band &= height > 0.01 * width
        dark = float(np.percentile(brightness[band], 6)) if band.any() else float(skin.mean())
        colour = crop[band & (brightness <= dark + 2)].mean(axis=0) if band.any() else self.skin.mean(axis=(0, 1))
        contrast = np.maximum(skin - dark, 40)
        cover = np.clip((skin - brightness) / contrast * 1.15 - 0.12, 0, 1)
        # Lashes are longest at the outer corner.
        reach = _LASH_REACH * width * (1 + 0.7 * smooth_step((self._outward - 0.55) / 0.4))
        window = smooth_step((reach - height) / (0.05 * width)) * smooth_step((height + 1.5) / 1.5)
        window *= smooth_step((self._outward + 0.1) / 0.1) * smooth_step((1.3 - self._outward) / 0.12)
        # At the outer corner lashes reach past it and hang below.
        hanging = smooth_step((self._outward - 0.95) / 0.05) * smooth_step((1.3 - self._outward) / 0.1)
        window = np.maximum(window, hanging * smooth_step((0.12 * width - np.abs(height)) / (0.05 * width)))
        return np.asarray(cover * window, np.float32), np.asarray(colour, np.float32)

    def _lid_tint(self, strip: npt.NDArray[np.bool_]) -> Floats:
        """Return (3,) how the visible strip of the lid differs in colour from the skin around it."""
        weight = strip * (1 - self._lash)
        if weight.sum() < 4:
            return np.full(3, 0.97, np.float32)
        ratio = (self._bare * weight[:, :, None]).sum(axis=(0, 1)) / (self.skin * weight[:, :, None]).sum(axis=(0, 1))
        # Mostly its brightness: shadows of the fold tint it.
        ratio = 0.7 * ratio.mean() + 0.3 * ratio
        return np.asarray(1 + 0.5 * (np.clip(ratio, 0.75, 1.1) - 1), np.float32)

    def _along(self, columns: npt.NDArray[np.int_], near: npt.NDArray[np.bool_], gather: np.ufunc) -> Floats:
        """Return a smooth value for each whole ``u``: the lash coverage there, added up or its largest."""
        total = np.zeros(int(self._shape.width) + 1, np.float32)
        gather.at(total, columns[near], self._lash[near])
        smooth = cv2.GaussianBlur(total[None], (0, 0), max(1.0, 0.06 * self._shape.width))
        return np.asarray(smooth[0], np.float32)
