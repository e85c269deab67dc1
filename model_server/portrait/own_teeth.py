"""The teeth that a photograph shows: cut out, so that they stay when the lips move away from them."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .arrays import Bytes, Floats, Reals
from .layers import polygon_mask
from .mouth_light import LUMINANCE
from .mouth_model import to_linear

_LEAST_HEIGHT = 1.0  # mm of teeth across the mouth, on average: what is thinner is left to the drawn teeth
_MIDDLE = 12.0  # mm to each side in which the rows are told apart
_CROWN = 9.0  # mm: how tall a front tooth is
_GROWN = 2.5  # times what shows of a tooth: it goes on no further
_GUM = 1.0  # mm between teeth and lip: less is the lip's shadow, more is gum
_SPECK = 0.2  # of the largest row: smaller bright spots are spit and highlights


@dataclass(frozen=True)
class OwnTeeth:
    """Cut-out teeth of a photograph.

    Attributes:
        upper: (h, w, 4) float32, colour 0..255 and alpha 0..1, of what hangs from the skull.
        upper_corner: (2,) pixels of the picture, where it begins.
        lower: (h, w, 4), of what is fixed to the jaw.
        lower_corner: (2,) pixels, where it begins.
        line: (K, 2) pixels, the upper row's biting edge from the subject's right to left.
        enamel: (3,) linear light of the brighter teeth.
    """

    upper: Floats
    upper_corner: Floats
    lower: Floats
    lower_corner: Floats
    line: Floats
    enamel: Floats

    def lay(self, inside: Floats, skull: Floats, jaw: Floats, corner: Floats) -> None:
        """Blend into ``inside`` (h, w, 3), a part of the picture that begins at ``corner``.

        ``skull`` and ``jaw`` (2, 3) map resting pixels of the picture to moved ones.
        """
        rows = ((self.lower, self.lower_corner, jaw), (self.upper, self.upper_corner, skull))
        for patch, begin, matrix in rows:
            placed = np.array(matrix, np.float64)
            placed[:, 2] += placed[:, :2] @ begin - corner
            seen = cv2.warpAffine(
                patch, placed, inside.shape[1::-1], flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_CONSTANT
            )
            alpha = np.clip(seen[:, :, 3:], 0, 1)
            inside += (seen[:, :, :3] - inside) * alpha


def find_own_teeth(pixels: Bytes, opening: Floats, axes: Floats, mm: float) -> OwnTeeth | None:
    """Return the teeth of a photograph, None where the mouth is shut or shows none.

    Args:
        pixels: (H, W, 3) uint8.
        opening: (20, 2) pixels, the line of the inner lips.
        axes: (2, 2) unit columns and rows of the mouth's right-to-left and downward directions.
        mm: pixels a millimetre.
    """
    margin = 3 + int(mm)
    corner = np.maximum(np.floor(opening.min(axis=0)).astype(int) - margin, 0)
    size = np.ceil(opening.max(axis=0)).astype(int) + margin - corner
    crop = pixels[corner[1] : corner[1] + size[1], corner[0] : corner[0] + size[0]].astype(np.float32)
    mask = polygon_mask(opening - corner, (crop.shape[0], crop.shape[1]))
    linear = to_linear(crop / 255)
    bright = linear @ LUMINANCE
    inside = mask > 0.5
    if inside.sum() < 12:
        return None
    score = _whole_rows(_toothness(linear, bright, mask) * inside, mm)
    if (score * mask).sum() < _LEAST_HEIGHT * mm * np.ptp(opening @ axes[0]):
        return None
    rows, columns = np.mgrid[: crop.shape[0], : crop.shape[1]].astype(np.float32)
    middle = opening.mean(axis=0) - corner
    across = (columns - middle[0]) * axes[0, 0] + (rows - middle[1]) * axes[0, 1]
    down = (columns - middle[0]) * axes[1, 0] + (rows - middle[1]) * axes[1, 1]
    split = _gap_between_rows(score, across, down, mm)
    # The lips' own edge pixels must not stay behind when the lips move away.
    tight = np.clip(cv2.GaussianBlur(mask, (0, 0), max(0.5, 0.3 * mm)) * 2 - 1, 0, 1)
    lower = np.dstack([crop, score * tight * (down > split)]).astype(np.float32)
    places, lips, tops, edges = _upper_row(score * (down <= split), mask, across, down, mm)
    upper, rise = _grown_upwards(crop, np.stack([places, lips, tops, edges]), (middle, axes), mm)
    chosen = bright[(score > 0.6) & inside]
    enamel = linear[(score > 0.6) & inside][chosen >= np.quantile(chosen, 0.5)].mean(axis=0)
    line = corner + middle + places[:, None] * axes[0] + edges[:, None] * axes[1]
    return OwnTeeth(
        upper,
        (corner - [0, rise]).astype(np.float32),
        lower,
        corner.astype(np.float32),
        line.astype(np.float32),
        enamel.astype(np.float32),
    )


def _toothness(linear: Floats, bright: Floats, mask: Floats) -> Floats:
    """Return (h, w) 0..1: bright and less red than the lips around the opening."""
    inside = mask > 0.5
    top = float(np.quantile(bright[inside], 0.9))
    level = np.clip((bright / max(top, 1e-4) - 0.22) / 0.2, 0, 1)
    redness = linear[:, :, 0] / np.maximum(linear[:, :, 1:].mean(axis=2), 1e-4)
    teeth = float(np.median(redness[inside & (bright >= top * 0.8)]))
    lips = float(np.quantile(redness[~inside], 0.7))
    # A grey picture tells them apart by brightness alone.
    pale = np.clip((0.75 * lips + 0.25 * teeth - redness) / max(0.35 * (lips - teeth), 0.05) + 0.2, 0, 1)
    return np.asarray(level * (pale if lips > 1.15 * teeth else 1.0), np.float32)


def _whole_rows(score: Floats, mm: float) -> Floats:
    """Return ``score`` without specks, and with the dark lines between teeth as part of them."""
    size = 2 * max(1, round(0.6 * mm)) + 1
    closed = cv2.morphologyEx(score, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)))
    count, labels, facts, _ = cv2.connectedComponentsWithStats((closed > 0.5).astype(np.uint8))
    if count < 2:
        return np.asarray(closed, np.float32)
    areas = facts[:, cv2.CC_STAT_AREA]
    kept = np.flatnonzero(areas >= _SPECK * areas[1:].max())
    row = np.isin(labels, kept[kept > 0]).astype(np.uint8)
    near = cv2.dilate(row, np.ones((3, 3), np.uint8))
    return np.asarray(closed * near, np.float32)


def _gap_between_rows(score: Floats, across: Floats, down: Floats, mm: float) -> float:
    """Return where along ``down`` the gap between the upper and the lower row is; past all where one row shows."""
    step = max(0.5 * mm, 0.5)
    middle = np.abs(across) < _MIDDLE * mm
    bins = np.round(down[middle] / step).astype(int)
    first = bins.min()
    profile = np.bincount(bins - first, score[middle]) / np.maximum(np.bincount(bins - first), 1)
    best = int(np.argmax(profile))
    low = np.flatnonzero(profile[best:] < 0.5 * profile[best])
    if len(low):
        later = profile[best + low[0] :]
        if later.max() > 0.5 * profile[best]:
            return float((best + low[0] + int(np.argmin(later[: int(np.argmax(later)) + 1])) + first) * step)
    return float(down.max() + 1)


def _upper_row(score: Floats, mask: Floats, across: Floats, down: Floats, mm: float) -> tuple[Floats, ...]:
    """Return places (K,) along ``across``, and there, along ``down``, the upper lip and the row's top and edge."""
    step = max(0.8 * mm, 1.0)
    seen = score > 0.5
    first = int(np.round(across[seen] / step).min())
    count = int(np.round(across[seen] / step).max()) - first + 1
    lips, tops, edges = np.full(count, np.inf), np.full(count, np.inf), np.full(count, -np.inf)
    for extreme, line, part in ((np.minimum, lips, mask > 0.5), (np.minimum, tops, seen), (np.maximum, edges, seen)):
        slot = np.round(across[part] / step).astype(int) - first
        fits = (slot >= 0) & (slot < count)
        extreme.at(line, slot[fits], down[part][fits])
    known = np.isfinite(edges) & np.isfinite(lips)
    smooth = np.array([0.25, 0.5, 0.25])
    lips, tops, edges = (
        np.convolve(np.pad(line[known], 1, mode="edge"), smooth, "valid") for line in (lips, tops, edges)
    )
    return ((np.arange(count) + first) * step)[known], lips, tops, edges - 0.2 * mm + 0.3


def _grown_upwards(crop: Floats, lines: Reals, frame: tuple[Floats, Floats], mm: float) -> tuple[Floats, int]:
    """Return the upper row with what the lip hid of it, (h, w, 4), and by how many rows it begins above ``crop``.

    ``lines`` are the rows of :func:`_upper_row`. A tooth goes on upwards as it enters under the lip, up to the gum;
    where the gum shows, nothing was hidden.
    """
    places, lips, tops, edges = lines
    middle, axes = frame
    rise = round(_CROWN * mm)
    rows, columns = np.mgrid[-rise : crop.shape[0], : crop.shape[1]].astype(np.float32)
    across = (columns - middle[0]) * axes[0, 0] + (rows - middle[1]) * axes[0, 1]
    down = (columns - middle[0]) * axes[1, 0] + (rows - middle[1]) * axes[1, 1]
    lip, top, edge = (np.interp(across, places, line) for line in (lips, tops, edges))
    gum = float(np.clip(np.quantile(tops - lips, 0.75) / mm - _GUM, 0, 1))
    # The row right under the lip lies in its shade.
    hidden = np.maximum(np.minimum(top + 0.8 * mm, 0.5 * (top + edge)) - down, 0) * (1 - gum)
    colour = cv2.remap(
        crop,
        (columns + hidden * axes[1, 0]).astype(np.float32),
        (rows + hidden * axes[1, 1]).astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    soft = max(0.5 * mm, 0.6)
    alpha = np.clip((edge - down) / soft + 0.5, 0, 1)
    crown = np.maximum(np.minimum(_CROWN * mm, _GROWN * (edge - top)), edge - top)
    crown += gum * (edge - lip - 0.4 * mm - crown)
    alpha *= np.clip((down - edge + crown) / (2 * soft) + 0.5, 0, 1)
    ends = 3 * soft
    alpha *= np.clip((across - places[0]) / ends, 0, 1) * np.clip((places[-1] - across) / ends, 0, 1)
    return np.dstack([colour, alpha]).astype(np.float32), rise
