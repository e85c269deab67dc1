"""Finds the line between closed lips to the pixel: the detector's is up to two millimetres off.

A line that lies beside the real one tears a strip of one lip off and leaves it on the other when the mouth opens.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from blendshape_rigs.face_mesh import LOWER_LIP_RINGS, UPPER_LIP_RINGS

from .arrays import Bytes, Floats
from .fit import PortraitFit

_CLOSED = 0.9  # mm between the inner lips' middles: what is wider open has no line
_REACH = 2.2  # mm to each side in which the line is looked for
_STEP = 0.1
_STIFFNESS = 0.35  # how much a line that leaves the detector's, and one that bends, costs
_FOLLOW = (1.0, 0.6, 0.25)  # how much of the correction each ring of the lips takes, from the inside out


def with_lip_line(pixels: Bytes, fit: PortraitFit) -> PortraitFit:
    """Return ``fit`` with the inner lips of a closed mouth on the dark line between them; others as they are.

    Args:
        pixels: (H, W, 3) uint8 RGB.
        fit: the measured face.
    """
    upper, lower = list(UPPER_LIP_RINGS[0][1:-1]), list(LOWER_LIP_RINGS[0][1:-1])
    up = fit.rotation[:2, 1] / np.linalg.norm(fit.rotation[:2, 1])
    mm = fit.scale / 1000
    gaps = (fit.landmarks[upper, :2] - fit.landmarks[lower, :2]) @ up
    if gaps.max() > _CLOSED * mm:
        return fit
    middle = (fit.landmarks[upper, :2] + fit.landmarks[lower, :2]) / 2
    shift = _darkest(pixels, middle, up, mm) * mm
    landmarks = fit.landmarks.copy()
    for rings, side in ((UPPER_LIP_RINGS, 0.5), (LOWER_LIP_RINGS, -0.5)):
        for follow, ring in zip(_FOLLOW, rings, strict=False):
            landmarks[list(ring[1:-1]), :2] += follow * (shift - side * gaps)[:, None] * up
    return replace(fit, landmarks=landmarks)


def _darkest(pixels: Bytes, points: Floats, up: Floats, mm: float) -> Floats:
    """Return (K,) mm along ``up`` from points (K, 2), camera axes, to the dark line through the lips.

    Method: the cheapest path (Viterbi 1967) through the brightness along each normal.
    """
    steps = np.arange(-_REACH, _REACH + _STEP / 2, _STEP, dtype=np.float32)
    grey = cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2GRAY).astype(np.float32)
    grey = cv2.GaussianBlur(grey, (0, 0), max(0.5, 0.25 * mm))
    places = points[:, None] + steps[None, :, None] * mm * up
    seen = cv2.remap(
        grey,
        places[..., 0].astype(np.float32),
        -places[..., 1].astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    seen = seen / max(float(np.ptp(seen, axis=1).mean()), 8.0)
    cost = seen + _STIFFNESS * (steps / _REACH) ** 2
    bend = 2 * _STIFFNESS * (steps[:, None] - steps[None]) ** 2
    best, choice = cost[0], []
    for row in cost[1:]:
        total = best[:, None] + bend
        choice.append(total.argmin(axis=0))
        best = total.min(axis=0) + row
    path = [int(best.argmin())]
    for before in reversed(choice):
        path.append(int(before[path[-1]]))
    return np.asarray(steps[path[::-1]], np.float32)
