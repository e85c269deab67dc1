"""What a picture of a face shows: the skin's colours and its sharpness."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from blendshape_rigs.face_mesh import FACE_OVAL, LOWER_LIP_RINGS, UPPER_LIP_RINGS
from model_server.portrait.arrays import Bytes, Floats
from model_server.portrait.topology import LOWER_LID_RINGS, UPPER_LID_RINGS

_BINS = 32
_BLACK, _NOT_BLACK = 2, 40
"""Levels of 255: a hole, and what is surely something."""
_BROWS = (
    (46, 53, 52, 65, 55, 107, 66, 105, 63, 70),
    (276, 283, 282, 295, 285, 336, 296, 334, 293, 300),
)
Mask = npt.NDArray[np.bool_]


def skin_mask(picture: Bytes, points: Floats) -> Mask:
    """Return (H, W) where the face shows skin alone; its landmarks ``points`` (468, 2) are columns and rows.

    Eyes, brows and mouth are left out, and so is the face's edge, where hair and background begin.
    """
    mask = np.zeros(picture.shape[:2], np.uint8)
    width = float(np.ptp(points[:, 0]))
    _fill(mask, points[list(FACE_OVAL)], 1)
    mask = cv2.erode(mask, np.ones((3, 3)), iterations=max(1, round(0.02 * width)), borderValue=0).astype(np.uint8)
    holes = [UPPER_LIP_RINGS[3] + LOWER_LIP_RINGS[3][::-1], *_BROWS]
    holes += [upper[1] + lower[1][::-1] for upper, lower in zip(UPPER_LID_RINGS, LOWER_LID_RINGS, strict=True)]
    for hole in holes:
        _fill(mask, points[list(hole)], 0)
    return np.asarray(mask > 0)


def _fill(mask: Bytes, outline: Floats, value: int) -> None:
    cv2.fillPoly(mask, [np.round(outline).astype(np.int32)], value)


def skin_difference(first: Bytes, first_mask: Mask, second: Bytes, second_mask: Mask) -> float:
    """Return how much the skin's colours of two pictures differ, 0 to 1.

    Half the summed difference of the histograms of lightness and both colour axes (CIE Lab, 32 bins), their mean.
    """
    parts = []
    colours = [cv2.cvtColor(p, cv2.COLOR_RGB2LAB)[m] for p, m in ((first, first_mask), (second, second_mask))]
    for channel in range(3):
        shares = []
        for colour in colours:
            counts = np.bincount(colour[:, channel].astype(np.intp) * _BINS // 256, minlength=_BINS)
            shares.append(counts / counts.sum())
        parts.append(np.abs(shares[0] - shares[1]).sum() / 2)
    return float(np.mean(parts))


def gradient_energy(picture: Bytes, mask: Mask) -> float:
    """Return the mean squared gradient of the brightness (0 to 255) inside ``mask``: higher is sharper."""
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
    across, down = cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)
    return float((across**2 + down**2)[mask].mean())


def hole_pixels(frame: Bytes, shown: Bytes, open_parts: Mask) -> int:
    """Return how many pixels of a frame (H, W, 3) are black although what they show of the photograph is not.

    Args:
        frame: the rendered picture.
        shown: (H, W, 3) the photograph, moved as the frame moves it.
        open_parts: (H, W) where eyes and mouth are drawn, whose pupils and depths are black by right.
    """
    black = (frame.max(axis=2) <= _BLACK) & (shown.max(axis=2) >= _NOT_BLACK) & ~open_parts
    return int(np.count_nonzero(black))


def eyes_and_mouth(picture: Bytes, points: Floats) -> Mask:
    """Return (H, W) where eyes and mouth of a face with landmarks ``points`` (468, 2) are, with their edges."""
    mask = np.zeros(picture.shape[:2], np.uint8)
    for upper, lower in zip(UPPER_LID_RINGS, LOWER_LID_RINGS, strict=True):
        _fill(mask, points[list(upper[1] + lower[1][::-1])], 1)
    _fill(mask, points[list(UPPER_LIP_RINGS[3] + LOWER_LIP_RINGS[3][::-1])], 1)
    return np.asarray(mask > 0)
