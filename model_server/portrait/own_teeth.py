"""The teeth that a photograph shows: cut out, so that they stay when the lips move away from them."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .arrays import Bytes, Floats
from .layers import polygon_mask
from .mouth_light import LUMINANCE
from .mouth_model import to_linear

_LEAST_HEIGHT = 1.0  # mm of teeth across the mouth, on average: what is thinner is left to the drawn teeth
_MIDDLE = 12.0  # mm to each side in which the rows are told apart


@dataclass(frozen=True)
class OwnTeeth:
    """Cut-out teeth of a photograph.

    Attributes:
        upper: (h, w, 4) float32, colour 0..255 and alpha 0..1, of what hangs from the skull.
        lower: the same, of what is fixed to the jaw.
        corner: (2,) pixels of the picture, where both begin.
        edge: (2,) pixels of the picture, the middle of the upper row's lower edge.
        enamel: (3,) linear light of the brighter teeth.
    """

    upper: Floats
    lower: Floats
    corner: Floats
    edge: Floats
    enamel: Floats

    def lay(self, inside: Floats, skull: Floats, jaw: Floats, corner: Floats) -> None:
        """Blend into ``inside`` (h, w, 3), a part of the picture that begins at ``corner``.

        ``skull`` and ``jaw`` (2, 3) map resting pixels of the picture to moved ones.
        """
        for patch, matrix in ((self.lower, jaw), (self.upper, skull)):
            placed = np.array(matrix, np.float64)
            placed[:, 2] += placed[:, :2] @ self.corner - corner
            # Colour is not blended with what lies around the teeth: only the alpha ends at their edge.
            seen = cv2.warpAffine(
                patch, placed, inside.shape[1::-1], flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
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
    score = _toothness(linear, bright, mask)
    if (score * mask).sum() < _LEAST_HEIGHT * mm * np.ptp(opening @ axes[0]):
        return None
    # The lips' own edge pixels must not stay behind when the lips move away.
    alpha = score * np.clip(cv2.GaussianBlur(mask, (0, 0), max(0.5, 0.3 * mm)) * 2 - 1, 0, 1)
    rows, columns = np.mgrid[: crop.shape[0], : crop.shape[1]].astype(np.float32)
    middle = opening.mean(axis=0) - corner
    across = (columns - middle[0]) * axes[0, 0] + (rows - middle[1]) * axes[0, 1]
    down = (columns - middle[0]) * axes[1, 0] + (rows - middle[1]) * axes[1, 1]
    split, edge = _rows_of_teeth(score * mask, across, down, mm)
    above = np.clip((split - down) / max(0.5 * mm, 0.5) + 0.5, 0, 1)
    chosen = bright[(score > 0.6) & inside]
    enamel = linear[(score > 0.6) & inside][chosen >= np.quantile(chosen, 0.5)].mean(axis=0)
    return OwnTeeth(
        np.dstack([crop, alpha * above]).astype(np.float32),
        np.dstack([crop, alpha * (1 - above)]).astype(np.float32),
        corner.astype(np.float32),
        (corner + middle + edge * axes[1]).astype(np.float32),
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


def _rows_of_teeth(score: Floats, across: Floats, down: Floats, mm: float) -> tuple[float, float]:
    """Return where along ``down`` the upper row ends: the gap to the lower row (past all when none), and its edge."""
    middle = np.abs(across) < _MIDDLE * mm
    bins = np.round(down[middle] / max(0.5 * mm, 0.5)).astype(int)
    first = bins.min()
    weight = np.bincount(bins - first, score[middle])
    profile = weight / np.maximum(np.bincount(bins - first), 1)
    place = (np.arange(len(profile)) + first) * max(0.5 * mm, 0.5)
    best = int(np.argmax(profile))
    low = np.flatnonzero(profile < 0.5 * profile[best])
    after = low[low > best]
    edge = int(after[0]) if len(after) else len(profile) - 1
    later = profile[edge:]
    if len(later) > 1 and later.max() > 0.5 * profile[best] and edge > 0:
        return float(place[edge + int(np.argmin(later[: int(np.argmax(later)) + 1]))]), float(place[edge])
    return float(place[-1] + 1), float(place[edge])
