"""The shape of one eye in the photograph: lid margins, fold and cheek line as curves over the eye's own axis."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import cv2
import numpy as np
from scipy.interpolate import PchipInterpolator
from scipy.ndimage import gaussian_filter1d, maximum_filter1d, median_filter

from .arrays import Floats

_WHITE_REACH = 0.11  # of the eye's width: how far the white may lie past the measured margins
_IRIS_GAP = 0.55  # of the eye's width: the most that an iris keeps two whites apart
_LEAST_SKIN_WARMTH = 0.06  # of the skin for its colour to tell anything
# Height over width of an eye: surely shut, and so low that it may be; and the contrast in it over the lid's brightness.
# Open eyes of 12 pictures had at least 0.5; the same shut, where the detector saw a slit, 0.17 to 0.6.
_SHUT_OPENNESS, _SHUT_CONTRAST = (0.055, 0.13), (0.34, 0.48)
_SIDEWAYS, _BELOW = 0.15, 0.05  # of the eye's width: how far the painted area reaches past the lid rings


@dataclass(frozen=True)
class EyeShape:
    """One eye in a crop of the photograph. ``u`` runs along the line between the eye's corners, ``v`` down from it.

    All arrays but ``down`` are (h, w) float32: a value for each pixel of the crop, in pixels.

    Attributes:
        area: rows and columns of the photograph that the crop shows.
        down: (2,) unit vector of ``v`` in the photograph.
        width: pixels between the corners.
        outer_right: whether the outer corner is the right one in the photograph.
        u, v: where a pixel lies; the left corner in the photograph is (0, 0), the right one (width, 0).
        upper, lower: ``v`` of the lid margins in the pixel's column; 0 past the corners.
        fold: ``v`` of the fold above the upper lid.
        top: ``v`` above which no lid moves anything, below the brow.
        bottom: ``v`` below which no lid moves anything.
        gap: lower - upper.
        outward: 0 at the inner corner, 1 at the outer.
    """

    area: tuple[slice, slice]
    down: Floats
    width: float
    outer_right: bool
    u: Floats
    v: Floats
    upper: Floats
    lower: Floats
    fold: Floats
    top: Floats
    bottom: Floats
    gap: Floats
    outward: Floats

    @property
    def corner(self) -> Floats:
        """(2,) float32 column and row of the crop's first pixel in the photograph."""
        return np.array([self.area[1].start, self.area[0].start], np.float32)

    @property
    def openness(self) -> float:
        """How high the eye is open in the photograph, over its width."""
        return float(self.gap.max() / self.width)

    def looked_up(self, image: Floats, source: Floats) -> Floats:
        """Return ``image`` (h, w) or (h, w, 3) looked up at ``source`` (h, w), a ``v`` in each pixel's own column."""
        columns, rows = _grid(self.u.shape[0], self.u.shape[1])
        move = source - self.v
        columns, rows = columns + move * self.down[0], rows + move * self.down[1]
        return np.asarray(
            cv2.remap(image, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32
        )


def eye_shape(upper: list[Floats], lower: list[Floats], size: tuple[int, int]) -> EyeShape:
    """Return the shape of an eye.

    Args:
        upper: three rings (9, 2) of pixels, from the upper lid's margin outwards, each from the eye's outer corner.
        lower: the same of the lower lid.
        size: height and width of the photograph.
    """
    outer_right = bool(upper[0][0, 0] > upper[0][-1, 0])
    if outer_right:
        upper, lower = [ring[::-1] for ring in upper], [ring[::-1] for ring in lower]
    start, end = upper[0][0], upper[0][-1]
    width = max(float(np.linalg.norm(end - start)), 1.0)
    along = (end - start) / width
    down = np.array([-along[1], along[0]], np.float32)
    every = np.concatenate([*upper, *lower])
    reach = np.array([_SIDEWAYS * width, _BELOW * width])
    left, above = np.clip(np.floor(every.min(axis=0) - reach), 0, None).astype(int)
    right, below = np.minimum(np.ceil(every.max(axis=0) + reach).astype(int) + 1, (size[1], size[0]))
    rows, columns = np.mgrid[above:below, left:right].astype(np.float32)
    u = (columns - start[0]) * along[0] + (rows - start[1]) * along[1]
    v = (columns - start[0]) * down[0] + (rows - start[1]) * down[1]

    def curve(ring: Floats) -> Floats:
        return _curve((ring - start) @ along, (ring - start) @ down, u)

    inside = (u > 0) & (u < width)
    margin = np.where(inside, curve(upper[0]), 0)
    # Where lids cross in the measurement they are shut.
    lid = np.where(inside, np.maximum(curve(lower[0]), margin), 0)
    fold = np.minimum(curve(upper[1]), np.minimum(margin, 0) - 0.05 * width)
    top = np.minimum(curve(upper[2]) - 0.06 * width, fold - 0.1 * width)
    away = (u if outer_right else width - u) / width
    bottom = np.maximum(curve(lower[2]), lid + 0.2 * width)
    parts = [np.asarray(part, np.float32) for part in (u, v, margin, lid, fold, top, bottom, lid - margin, away)]
    return EyeShape((slice(above, below), slice(left, right)), down, width, outer_right, *parts)


def with_seen_white(shape: EyeShape, crop: Floats) -> EyeShape:
    """Return ``shape`` with its opening widened to the white of the eye that is seen beside it.

    Measured margins cut corners. White is told from skin by its colour, so a photograph without colour keeps them.

    Args:
        shape: the eye as measured.
        crop: (h, w, 3) float32, the photograph at the eye.
    """
    reach = _WHITE_REACH * shape.width
    around = (shape.v > shape.fold - reach) & (shape.v < shape.lower + 2 * reach)
    lid = around & ((shape.v < shape.fold + 1) | (shape.v > shape.lower + reach))
    lid &= (shape.u > 0) & (shape.u < shape.width)
    tint = warmth(crop)
    skin = float(np.median(tint[lid])) if lid.any() else 0.0
    if skin < _LEAST_SKIN_WARMTH:
        return shape
    level = float(np.median(crop[lid].mean(axis=1)))
    white = (tint < 0.4 * skin) & (crop.mean(axis=2) > 0.75 * level)
    white &= (shape.v > shape.upper - reach) & (shape.v < shape.lower + 0.35 * reach)
    white &= (shape.u > -0.5 * reach) & (shape.u < shape.width + reach)
    opening = (shape.v > shape.upper) & (shape.v < shape.lower)
    count, parts = cv2.connectedComponents((white | opening).astype(np.uint8), connectivity=4)
    joined = np.isin(parts, np.unique(parts[opening])) if count > 1 else opening
    column = np.round(shape.u + reach).astype(int)
    inside = joined & white & (column >= 0)
    bins = int(shape.width + 2 * reach) + 2
    highest, lowest = np.zeros(bins), np.zeros(bins)
    np.maximum.at(highest, column[inside], (shape.upper - shape.v)[inside] + 0.5)
    np.maximum.at(lowest, column[inside], (shape.v - shape.lower)[inside] + 0.5)
    where = np.clip(shape.u + reach, 0, bins - 1)
    sides = []
    for side, spread in ((highest, 0.04), (lowest, 0.1)):
        near = maximum_filter1d(median_filter(np.minimum(side, reach), 3), 3)
        smooth = gaussian_filter1d(near, max(0.7, spread * shape.width))
        smooth[[0, -1]] = 0
        sides.append(np.interp(where, np.arange(bins), smooth))
    raised, lowered = sides
    upper, lower = shape.upper - raised, shape.lower + lowered
    fold = np.minimum(shape.fold, upper - 0.07 * shape.width)
    top = np.minimum(shape.top, fold - 0.08 * shape.width)
    upper, lower, fold, top = (np.asarray(part, np.float32) for part in (upper, lower, fold, top))
    return replace(shape, upper=upper, lower=lower, gap=lower - upper, fold=fold, top=top)


def is_shut(shape: EyeShape, crop: Floats) -> bool:
    """Return whether the photograph shows the eye shut: no opening, or one that shows neither white nor pupil.

    The detector often sees a slit where the lids meet, so that a low opening counts with little contrast in it.
    """
    if shape.openness < _SHUT_OPENNESS[0]:
        return True
    below, above = shape.v - shape.upper, shape.lower - shape.v
    middle = np.abs(shape.u / shape.width - 0.5) < 0.38
    inside = middle & (below > 0.25 * shape.gap) & (above > 0.1 * shape.gap) & (shape.gap > 0.04 * shape.width)
    lid = middle & (shape.v > shape.fold) & (shape.v < shape.fold + 0.08 * shape.width)
    if inside.sum() < 6 or not lid.any():
        return False
    brightness = crop.mean(axis=2)
    dark, light = np.percentile(brightness[inside], [8, 92])
    contrast = (light - dark) / max(float(np.median(brightness[lid])), 1.0)
    low = shape.openness < _SHUT_OPENNESS[1]
    return bool(contrast < (_SHUT_CONTRAST[1] if low else _SHUT_CONTRAST[0]))


def warmth(colour: Floats) -> Floats:
    """Return (h, w): how far red exceeds blue, over the brightness."""
    return np.asarray((colour[:, :, 0] - colour[:, :, 2]) / np.maximum(colour.mean(axis=2), 8), np.float32)


def smooth_step(x: Floats | float) -> Floats:
    """Return 0 below 0, 1 above 1 and a smooth rise between, of any shape."""
    x = np.minimum(np.maximum(x, 0), 1)
    return np.asarray(x * x * (3 - 2 * x), np.float32)


@lru_cache(maxsize=8)
def _grid(height: int, width: int) -> tuple[Floats, Floats]:
    """Return columns and rows (height, width) of pixels."""
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    return columns, rows


def _curve(along: Floats, height: Floats, u: Floats) -> Floats:
    """Return heights at ``u`` of a smooth curve through points; level past its ends."""
    # Seen from the side, points near a corner can fold back.
    along = np.maximum.accumulate(along + 1e-3 * np.arange(len(along)))
    places = np.linspace(along[0], along[-1], 65)
    heights = PchipInterpolator(along + 1e-6 * np.arange(len(along)), height)(places)
    return np.asarray(np.interp(u, places, heights), np.float32)
