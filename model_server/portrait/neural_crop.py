"""The square around a head that Face-vid2vid sees, cut from a photograph or a frame of a video."""

from __future__ import annotations

import cv2
import numpy as np

from .arrays import Bytes, Floats
from .fit import PortraitFit

CROP_SPAN = 0.255
"""Metres of the head across the networks' picture, as in training."""
CROP_CENTRE = (0.0, -0.032, 0.005)
"""Metres in the avatar's axes: what lies in the middle of the networks' picture."""


def head_square(fit: PortraitFit) -> tuple[Floats, float]:
    """Return the middle (2,) of the square, column and row in pixels, and its side in pixels."""
    x, y, _ = fit.to_camera(np.asarray(CROP_CENTRE, np.float32))
    return np.array([x, -y], np.float32), CROP_SPAN * fit.scale


def square_matrix(middle: Floats, side: float, size: int) -> Floats:
    """Return (2, 3): picture pixels to pixels of the square drawn at ``size``; centres are whole numbers."""
    scale = size / side
    offset = scale * (0.5 - (middle - side / 2)) - 0.5
    return np.array([[scale, 0, offset[0]], [0, scale, offset[1]]], np.float32)


def cut_square(pixels: Bytes, middle: Floats, side: float, size: int) -> Bytes:
    """Return the square (size, size, 3) of (H, W, 3) uint8; outside the picture its border goes on."""
    # Made smaller in whole steps afterwards, so that fine detail is averaged and does not flicker.
    steps = max(1, round(side / size))
    matrix = square_matrix(middle, side, size * steps)
    large = cv2.warpAffine(
        pixels, matrix, (size * steps, size * steps), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    small = cv2.resize(large, (size, size), interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(small, np.uint8)
