"""A small mark in the corner of every frame that says to viewers what the file's tags say to programs."""

from __future__ import annotations

import cv2
import numpy as np

from .arrays import Bytes, Floats

TEXT, SHORT_TEXT = "AI-generated", "AI"
_FONT = cv2.FONT_HERSHEY_DUPLEX
_LETTER_SHARE, _SMALLEST_LETTER = 0.026, 7.0  # of the shorter side; pixels
_WIDEST_SHARE = 0.55  # of the picture's width; beyond it the short text is used
_PLATE, _PLATE_OPACITY, _EDGE, _EDGE_OPACITY = 20.0, 0.62, 255.0, 0.45
_FINE = 8  # drawn this much larger, then averaged: smooth at any size


class Badge:
    """The mark for frames of one size; made once.

    Args:
        size: width and height of the frames in pixels.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        width, height = size
        letter = max(_SMALLEST_LETTER, _LETTER_SHARE * min(size))
        colour, opacity = _drawn(TEXT, letter)
        if colour.shape[1] > _WIDEST_SHARE * width:
            colour, opacity = _drawn(SHORT_TEXT, letter)
        margin = round(0.8 * letter)
        bottom, right = height - margin, width - margin
        self.area = np.s_[bottom - colour.shape[0] : bottom, right - colour.shape[1] : right]
        self._opacity = opacity[:, :, None]
        self._laid = (colour * opacity)[:, :, None]

    def draw(self, frame: Bytes) -> None:
        """Lay the mark on ``frame``: (H, W, 3) RGB or (H, W, 4) RGBA of straight alpha, uint8, changed in place."""
        area = frame[self.area].astype(np.float32)
        if frame.shape[2] == 4:
            behind = area[:, :, 3:] / 255 * (1 - self._opacity)
            alpha = self._opacity + behind
            area[:, :, :3] = (self._laid + area[:, :, :3] * behind) / np.maximum(alpha, 1e-6)
            area[:, :, 3:] = 255 * alpha
        else:
            area = self._laid + area * (1 - self._opacity)
        frame[self.area] = np.round(area).astype(np.uint8)


def _drawn(text: str, letter: float) -> tuple[Floats, Floats]:
    """Return grey (H, W) 0..255 and opacity (H, W) 0..1 of ``text`` in capitals ``letter`` pixels high, on a plate."""
    scale = letter * _FINE / 21  # the font's capitals are 21 units high
    thickness = max(1, round(0.11 * letter * _FINE))
    (wide, high), _ = cv2.getTextSize(text, _FONT, scale, thickness)
    pad, line = letter * _FINE * 0.65, max(1, round(letter * _FINE * 0.09))
    width, height = (_FINE * round((side + 2 * pad) / _FINE) for side in (wide, high))
    plate = np.zeros((height, width), np.float32)
    radius = height // 2 - 1
    for inset, value in ((0, _EDGE_OPACITY), (line, _PLATE_OPACITY)):
        left, right = (radius, height // 2), (width - 1 - radius, height // 2)
        cv2.line(plate, left, right, value, 2 * (radius - inset))
    edge = (plate == np.float32(_EDGE_OPACITY)).astype(np.float32)
    letters = np.zeros((height, width), np.uint8)
    cv2.putText(letters, text, ((width - wide) // 2, (height + high) // 2), _FONT, scale, 255, thickness, cv2.LINE_AA)
    ink = letters.astype(np.float32) / 255
    opacity = np.maximum(plate, ink)
    # White letters and edge on a dark plate: whatever lies behind, one of them stands out.
    colour = np.maximum(_PLATE * (1 - edge) + _EDGE * edge, 255 * ink)
    size = (width // _FINE, height // _FINE)
    weighted = cv2.resize(colour * opacity, size, interpolation=cv2.INTER_AREA)
    opacity = cv2.resize(opacity, size, interpolation=cv2.INTER_AREA)
    return np.asarray(weighted / np.maximum(opacity, 1e-6), np.float32), np.asarray(opacity, np.float32)
