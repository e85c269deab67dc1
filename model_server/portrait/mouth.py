"""The inside of the mouth: the photograph's own teeth where they show, painted teeth, tongue and darkness elsewhere.

Painted parts live in millimetre canvases. The upper teeth move with the skull, the lower teeth and the tongue with
the jaw; the lips only uncover them.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .arrays import Bytes, Floats, Reals
from .layers import polygon_mask, skin_patch

_CANVAS = (64.0, 48.0)  # width and height in millimetres
_CENTRE = np.array([32.0, 20.0])  # where the line between the resting lips lies
_UPPER_EDGE = 2.2  # mm: how far the upper front teeth reach below the resting lip line
_LOWER_EDGE = -0.8  # mm: how far the lower ones end above the lower lip
_UPPER_WIDTHS, _UPPER_HEIGHTS = (8.4, 6.5, 6.8, 5.2, 4.4, 3.4), (10.4, 9.0, 10.0, 8.4, 7.4, 6.4)
_LOWER_WIDTHS, _LOWER_HEIGHTS = (5.2, 5.6, 6.2, 5.2, 4.6, 3.8), (8.6, 8.8, 9.4, 8.0, 7.0, 6.0)
_EDGE_STEPS = (0.0, -0.7, -0.1, -0.9, -1.5, -2.0)  # the edges' rise from tooth to tooth
_ENAMEL = np.array([1.0, 0.93, 0.82])
_GUM = np.array([0.72, 0.36, 0.34])
_TONGUE = np.array([0.66, 0.30, 0.29])
_SHADOW_TINT = np.array([0.7, 1.0, 1.1], np.float32)  # flesh around a shadow keeps it warm
_CAVITY = np.array([0.17, 0.06, 0.05])


@dataclass(frozen=True)
class MouthPose:
    """One frame's mouth. Points are pixels of the picture.

    Attributes:
        opening: (20, 2) the moved line of the inner lips, a closed loop.
        skull: (2, 3) resting to moved pixels for what is fixed to the skull at the teeth's depth.
        jaw: (2, 3) the same for what is fixed to the jaw.
        change: millimetres by which the opening differs from the photograph's.
    """

    opening: Floats
    skull: Floats
    jaw: Floats
    change: float


class MouthInterior:
    """Paints the inside of one portrait's mouth.

    Args:
        pixels: (H, W, 3) uint8 photograph.
        opening: (20, 2) pixels, the line of the inner lips in the photograph.
        axes: (2, 2) unit columns and rows of the mouth's right-to-left and downward directions.
        upper: (2,) pixels of the middle of the resting lip line, which places the upper teeth.
        lower: (2,) pixels of the middle of the lower lip's edge, which places the lower teeth.
        pixels_per_mm: the photograph's scale.
        skin: (3,) 0..255, the brightness and tint of the lit face.
    """

    def __init__(
        self,
        pixels: Bytes,
        opening: Floats,
        axes: Floats,
        upper: Floats,
        lower: Floats,
        pixels_per_mm: float,
        skin: Floats,
    ) -> None:
        self._mm = pixels_per_mm
        self._own = _own_patch(pixels, opening, pixels_per_mm)
        self._lips = skin_patch(pixels, opening, 0.5 * pixels_per_mm)
        light = _light_of(skin)
        density = float(np.clip(2 * pixels_per_mm, 2.0, 12.0))
        self._upper = _teeth_row(density, light, upper=True)
        self._lower = _teeth_row(density, light * 0.85, upper=False)
        self._tongue = _tongue(density, light)
        self._cavity = (_CAVITY * light).astype(np.float32)
        # From canvas pixels to picture pixels.
        to_mm = np.array([[1 / density, 0, -_CENTRE[0]], [0, 1 / density, -_CENTRE[1]]])
        turn = axes.T * pixels_per_mm @ to_mm
        self._at_upper, self._at_lower = (
            np.concatenate([turn + np.array([[0, 0, c[0]], [0, 0, c[1]]]), [[0, 0, 1]]]) for c in (upper, lower)
        )

    @staticmethod
    def presence(change: float) -> float:
        """Return 0..1, how much of the photograph's mouth gives way when its opening changes by millimetres."""
        return float(np.clip((abs(change) - 0.25) / 0.9, 0, 1))

    def prepare(self, picture: Bytes, change: float) -> None:
        """Paint lip skin over what shows between the resting lips in ``picture`` (H, W, 3 or 4)."""
        if self.presence(change) > 0:
            self._lips.lay(picture, self.presence(change))

    def draw(self, frame: Bytes, pose: MouthPose) -> None:
        """Paint into ``frame`` (H, W, 3) uint8 what shows through the lips."""
        presence = self.presence(pose.change)
        if presence == 0:
            return
        margin = 2 + int(3 * self._mm)
        left, top = np.maximum(np.floor(pose.opening.min(axis=0)).astype(int) - margin, 0)
        right, bottom = np.minimum(np.ceil(pose.opening.max(axis=0)).astype(int) + margin, frame.shape[1::-1])
        if right <= left or bottom <= top:
            return
        corner, size = np.array([left, top]), (int(bottom - top), int(right - left))
        # A polygon without area still covers its outline.
        mask = polygon_mask(pose.opening - corner, size) * float(np.clip(_mean_height(pose.opening) / 0.5, 0, 1))
        inside = np.broadcast_to(self._cavity, (*size, 3)).copy()
        for canvas, moved in (
            (self._tongue, pose.jaw @ self._at_lower),
            (self._lower, pose.jaw @ self._at_lower),
            (self._upper, pose.skull @ self._at_upper),
        ):
            _lay(inside, _warped(canvas, moved, corner, size))
        inside *= self._shade(mask)[:, :, None] ** _SHADOW_TINT
        if self._own is not None:
            patch, offset = self._own
            move = np.concatenate([np.eye(2), offset[:, None]], axis=1)
            _lay(inside, _warped(patch, pose.skull @ np.concatenate([move, [[0, 0, 1]]]), corner, size))
        area = frame[top:bottom, left:right]
        cover = (mask * presence)[:, :, None]
        area[:] = np.round(area * (1 - cover) + np.clip(inside, 0, 255) * cover)

    def _shade(self, mask: Floats) -> Floats:
        """Return (h, w) brightness: dark by the lips, darker under the upper one, so that slits are nearly black."""
        sigma = 1.5 * self._mm
        soft = cv2.GaussianBlur(mask, (0, 0), sigma, borderType=cv2.BORDER_CONSTANT)
        shift = np.array([[1, 0, 0], [0, 1, 0.8 * self._mm]], np.float32)
        soft = cv2.warpAffine(soft, shift, mask.shape[::-1])
        return np.asarray(0.25 + 0.75 * np.clip((soft - 0.3) / 0.6, 0, 1), np.float32)


def _light_of(skin: Floats) -> Floats:
    """Return (3,) 0..255: what a white thing in the face would look like, from the skin's brightness."""
    grey = float(skin @ np.array([0.299, 0.587, 0.114]))
    level = np.clip(0.7 * grey + 80, 70, 240)
    tint = skin / max(grey, 1.0)
    # Most of the tint is skin colour, a little of it is the light's.
    return np.asarray(level * (0.6 + 0.4 * tint), np.float32)


def _mean_height(loop: Floats) -> float:
    """Return the mean height in pixels of a closed loop (N, 2) over its width."""
    area = 0.5 * abs(float(np.cross(loop, np.roll(loop, -1, axis=0)).sum()))
    return area / max(float(np.ptp(loop[:, 0])), 1e-3)


def _own_patch(pixels: Bytes, opening: Floats, mm: float) -> tuple[Floats, Floats] | None:
    """Return the photograph's open mouth, (h, w, 4) float32 with alpha 0..1, and its corner; None if it is closed."""
    if _mean_height(opening) < 1.0 * mm:
        return None
    corner = np.floor(opening.min(axis=0)).astype(int) - 2
    size = tuple((np.ceil(opening.max(axis=0)).astype(int) + 3 - corner)[::-1])
    mask = polygon_mask(opening - corner, (int(size[0]), int(size[1])))
    # The lips' own edge pixels must not stay behind when the lips move away.
    alpha = np.clip(cv2.GaussianBlur(mask, (0, 0), max(0.6, 0.5 * mm)) * 1.8 - 0.8, 0, 1)
    crop = pixels[corner[1] : corner[1] + size[0], corner[0] : corner[0] + size[1]].astype(np.float32)
    return np.concatenate([crop, alpha[:, :, None]], axis=2), corner.astype(np.float64)


def _warped(canvas: Floats, matrix: Reals, corner: Floats, size: tuple[int, int]) -> Floats:
    placed = np.array(matrix, np.float64)
    placed[:, 2] -= corner
    return np.asarray(cv2.warpAffine(canvas, placed, size[::-1], flags=cv2.INTER_LINEAR), np.float32)


def _lay(below: Floats, above: Floats) -> None:
    alpha = above[:, :, 3:]
    below *= 1 - alpha
    below += above[:, :, :3] * alpha


def _canvas_grid(density: float) -> tuple[Floats, Floats]:
    """Return x and y (h, w) millimetres from the middle of the lip line."""
    width, height = (round(side * density) for side in _CANVAS)
    x = (np.arange(width) + 0.5) / density - _CENTRE[0]
    y = (np.arange(height) + 0.5) / density - _CENTRE[1]
    across, down = np.meshgrid(x.astype(np.float32), y.astype(np.float32))
    return across, down


def _teeth_row(density: float, light: Floats, upper: bool) -> Floats:
    """Return a row of teeth with gums, (h, w, 4) float32: colour 0..255 and alpha 0..1."""
    x, y = _canvas_grid(density)
    widths, heights = (_UPPER_WIDTHS, _UPPER_HEIGHTS) if upper else (_LOWER_WIDTHS, _LOWER_HEIGHTS)
    # Below, measure upwards from the edge, so that one drawing serves both rows.
    depth = (_UPPER_EDGE - y) if upper else (y - _LOWER_EDGE)
    enamel = np.zeros_like(x)
    gum = np.zeros_like(x)
    tone = np.ones_like(x)
    begin = 0.0
    for width, height, step in zip(widths, heights, _EDGE_STEPS, strict=True):
        middle = begin + width / 2
        begin += width
        rise = depth + step * (1.0 if upper else 0.6)
        across = np.abs(np.abs(x) - middle) / (width / 2)
        along = np.abs(rise - height / 2) / (height / 2)
        # A superellipse with a straighter incisal edge.
        form = (across**4.5 + along ** np.where(rise < height / 2, 6.0, 3.0)) ** (1 / 4.5)
        inside = np.clip((1.0 - form) * width / 2 * density * 0.5 + 0.6, 0, 1)
        enamel = np.maximum(enamel, inside)
        body = 1 - 0.10 * np.clip(across, 0, 1) ** 3 - 0.10 * np.clip(rise / height, 0, 1) ** 2
        tone = np.where(across <= 1.0, body, tone)
        gum = np.maximum(
            gum, np.clip((1.15 - across) * 4, 0, 1) * np.clip((rise - height * 0.55) * density * 0.5, 0, 1)
        )
    away = np.exp(-((x / 19.0) ** 2) * 1.15)
    translucent = 0.90 + 0.10 * np.clip(depth / 2.0, 0, 1)
    shape = (tone * away * translucent)[:, :, None]
    colour = shape * (enamel[:, :, None] * _ENAMEL + (1 - enamel[:, :, None]) * _GUM * 0.62) * light
    alpha = np.maximum(enamel, gum * (depth > 0))
    picture = np.concatenate([colour, alpha[:, :, None]], axis=2).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), 0.30 * density), np.float32)


def _tongue(density: float, light: Floats) -> Floats:
    """Return the tongue's dome behind the lower teeth, (h, w, 4) float32."""
    x, y = _canvas_grid(density)
    top, bottom = -9.0, 15.0
    along = (y - top) / (bottom - top)
    dome = (np.abs(x) / 19.0) ** 2.4 + np.abs(np.clip(along * 2 - 1, -1, 1)) ** 2.4
    alpha = np.clip((1 - dome) * 2.2, 0, 1)
    groove = 1 - 0.18 * np.exp(-((x / 1.8) ** 2))
    shading = (0.30 + 0.65 * np.clip(along * 1.5, 0, 1)) * groove * np.exp(-((x / 17) ** 2))
    colour = shading[:, :, None] * _TONGUE * light
    picture = np.concatenate([colour, alpha[:, :, None]], axis=2).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), 1.0 * density), np.float32)
