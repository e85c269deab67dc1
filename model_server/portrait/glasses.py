"""Finds glasses in a photograph: a rim around both eyes and a bridge between them, which stay fixed to the skull.

A rim is searched as the closed path of strongest edges around an eye, by dynamic programming over angles. Skin below
an eye has no such path: the weakest quarter of it there tells a rim from bags and wrinkles. Rimless glasses, and rims
of the skin's own colour, are not found; the picture then moves as without glasses.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from scipy.ndimage import median_filter

from blendshape_rigs.face_mesh import LANDMARKS

from .arrays import Bytes, Floats, Ints
from .eyes_shape import smooth_step, warmth
from .fit import PortraitFit
from .topology import EYE_LOOPS, LOWER_LID_RINGS, UPPER_LID_RINGS, face_triangles

# Pictures of the eyes are compared at one size: the outer corners of the eyes lie here.
_SIZE = (180, 280)
_CORNERS = np.array([[77.5, 80.0], [202.5, 80.0]], np.float32)
_OUTER_CORNERS = (33, 263)
_INNER_CORNERS = (133, 362)
_ANGLES, _RADII = 120, 48
_NEAREST, _FARTHEST, _FLATNESS = 0.5, 1.25, 0.85  # of an eye's width
_BEND = 0.012  # cost of a step of the path away from a circle
# Measured on 15 pictures without glasses at four sizes each: rims up to 0.026, their geometric mean with the bridge up
# to 0.040; on four pictures with glasses: at least 0.036 and 0.059.
_LEAST_RIM = 0.03
_LEAST_GLASSES = 0.049
_HELD, _FREE = 6.0, 24.0  # pixels of the compared picture from the frame: fully held, not held at all
_GLARE = 1.3  # of the skin's brightness behind the lens


@dataclass(frozen=True)
class Glasses:
    """Glasses in a photograph.

    Attributes:
        frame: (H, W) float32 in [0, 1], the frame.
        front: (H, W) float32 in [0, 1], the frame and what the lenses reflect: all that lies before the eyes.
        held: (468,) float32 in [0, 1], how much each landmark is kept from moving by expressions.
    """

    frame: Floats
    front: Floats
    held: Floats


def find_glasses(pixels: Bytes, fit: PortraitFit) -> Glasses | None:
    """Return the glasses that the face of (H, W, 3) uint8 ``pixels`` wears, or None."""
    to_small = _alignment(fit)
    small = cv2.warpAffine(pixels, to_small, _SIZE[::-1], flags=cv2.INTER_AREA).astype(np.float32)
    if np.linalg.norm(to_small[:, 0]) < 1:
        # Finer than the compared picture: blur before shrinking, or a thin rim breaks up.
        fine = cv2.GaussianBlur(pixels, (0, 0), 0.45 / float(np.linalg.norm(to_small[:, 0])))
        small = cv2.warpAffine(fine, to_small, _SIZE[::-1], flags=cv2.INTER_LINEAR).astype(np.float32)
    small = cv2.GaussianBlur(small, (0, 0), 0.8)
    points = fit.points @ to_small[:, :2].T + to_small[:, 2]
    rims = [_rim(small, points[list(loop)]) for loop in EYE_LOOPS]
    bridge, strength = _bridge(small, points)
    rim = float(np.mean([strong for _, strong in rims]))
    if rim < _LEAST_RIM or np.sqrt(rim * strength) < _LEAST_GLASSES:
        return None
    frame = bridge
    lens = np.zeros(_SIZE, np.uint8)
    for (inner, outer), _ in rims:
        ring = cv2.fillPoly(np.zeros(_SIZE, np.uint8), [np.round(outer).astype(np.int32)], 1)
        hole = cv2.fillPoly(np.zeros(_SIZE, np.uint8), [np.round(inner).astype(np.int32)], 1)
        frame |= ring
        lens |= hole
    # The bridge lies between the lenses, not on them.
    frame[lens > 0] = 0
    front = np.maximum(frame, _glare(small, lens, points))
    back = cv2.invertAffineTransform(to_small)
    size = pixels.shape[1::-1]
    soft = [cv2.GaussianBlur(part.astype(np.float32), (0, 0), 0.8) for part in (frame, front)]
    whole = [np.asarray(cv2.warpAffine(part, back, size, flags=cv2.INTER_LINEAR), np.float32) for part in soft]
    return Glasses(whole[0], whole[1], _held(frame, points))


def _alignment(fit: PortraitFit) -> Floats:
    """Return (2, 3): pixels of the photograph to those of the compared picture."""
    here = fit.points[list(_OUTER_CORNERS)]
    across, there = here[1] - here[0], _CORNERS[1] - _CORNERS[0]
    scale = np.linalg.norm(there) / np.linalg.norm(across)
    cosine, sine = across / np.linalg.norm(across)
    turn = scale * np.array([[cosine, sine], [-sine, cosine]])
    return np.asarray(np.concatenate([turn, (_CORNERS.mean(axis=0) - turn @ here.mean(axis=0))[:, None]], axis=1))


def _rim(small: Floats, loop: Floats) -> tuple[tuple[Floats, Floats], float]:
    """Return the inner and outer edge (120, 2) of what looks most like a rim around an eye, and how much it does."""
    width = float(np.ptp(loop[:, 0]))
    centre = np.array([(loop[:, 0].min() + loop[:, 0].max()) / 2, loop[[0, 8], 1].mean() + 0.08 * width])
    angle = np.arange(_ANGLES) / _ANGLES * 2 * np.pi
    way = np.stack([np.cos(angle), _FLATNESS * np.sin(angle)], axis=1)
    radius = np.linspace(_NEAREST, _FARTHEST, _RADII) * width
    place = (centre + radius[:, None, None] * way).astype(np.float32)
    polar = cv2.remap(small, place[..., 0].copy(), place[..., 1].copy(), cv2.INTER_LINEAR)
    level = max(20.0, float(np.median(polar.mean(axis=2))))
    edge = np.asarray(np.abs(np.diff(polar, axis=0)).max(axis=2) / level, np.float32)
    path = _strongest_path(edge)
    strength = edge[path, np.arange(_ANGLES)]
    below = (angle > np.radians(20)) & (angle < np.radians(160))
    inner, outer = _thickness(edge, path)
    ends = [centre + np.interp(side, np.arange(_RADII), radius)[:, None] * way for side in (inner, outer)]
    return (np.asarray(ends[0], np.float32), np.asarray(ends[1], np.float32)), float(np.percentile(strength[below], 25))


def _strongest_path(edge: Floats) -> Ints:
    """Return (A,) rows of the strongest smooth path through (R, A); twice around, so that its ends meet."""
    rows, angles = edge.shape
    steps = np.arange(-2, 3)
    total = edge[:, 0].copy()
    back = np.zeros((2 * angles, rows), np.int32)
    for turn in range(1, 2 * angles):
        padded = np.pad(total, 2, constant_values=-1e6)
        choice = np.stack([padded[2 + step : 2 + step + rows] - _BEND * abs(step) for step in steps])
        back[turn] = steps[choice.argmax(axis=0)]
        total = edge[:, turn % angles] + choice.max(axis=0)
    path, row = np.zeros(angles, np.int32), int(total.argmax())
    for turn in range(2 * angles - 1, angles - 1, -1):
        path[turn - angles] = row
        row += int(back[turn, row])
    return path


def _thickness(edge: Floats, path: Ints) -> tuple[Floats, Floats]:
    """Return (A,) rows where the rim begins and ends: its two edges lie on either side of the path or on it."""
    reach = 7
    rows = np.arange(len(edge))[:, None]
    strong = (edge > 0.4 * edge[path, np.arange(edge.shape[1])]) & (np.abs(rows - path) <= reach)
    first = np.where(strong, rows, len(edge)).min(axis=0)
    last = np.where(strong, rows, -1).max(axis=0)
    inner, outer = (median_filter(side.astype(np.float32), 7, mode="wrap") for side in (first, last))
    return np.asarray(inner - 0.5, np.float32), np.asarray(outer + 1.5, np.float32)


def _bridge(small: Floats, points: Floats) -> tuple[Bytes, float]:
    """Return a mask of the bridge between the lenses and the strength of its edge across the nose."""
    left, right = points[list(_INNER_CORNERS)]
    span = float(np.linalg.norm(right - left))
    middle = (left + right) / 2
    rows = middle[1] + np.linspace(-0.45, 0.6, 70) * span
    columns = middle[0] + np.linspace(-0.16, 0.16, 9) * span
    strip = cv2.remap(
        small, np.float32(np.tile(columns, (70, 1))), np.float32(np.tile(rows[:, None], (1, 9))), cv2.INTER_LINEAR
    )
    step = np.abs(np.diff(np.median(strip, axis=1), axis=0)).max(axis=1) / max(float(strip.mean()), 20.0)
    peak = int(step.argmax())
    near = np.abs(np.arange(len(step)) - peak) < 14
    strong = np.nonzero((step >= 0.4 * step[peak]) & near)[0]
    mask = np.zeros(_SIZE, np.uint8)
    top, bottom = int(rows[strong[0]]) - 1, int(np.ceil(rows[strong[-1] + 1])) + 1
    mask[max(top, 0) : bottom, int(middle[0] - 0.42 * span) : int(middle[0] + 0.42 * span)] = 1
    return mask, float(step[peak])


def _glare(small: Floats, lens: Bytes, points: Floats) -> Bytes:
    """Return a mask of pale light on the lenses that is no white of an eye."""
    eyes = np.zeros(_SIZE, np.uint8)
    for upper, lower in zip(UPPER_LID_RINGS, LOWER_LID_RINGS, strict=True):
        cv2.fillPoly(eyes, [np.round(points[list(upper[1] + lower[1][::-1])]).astype(np.int32)], 1)
    skin = (lens > 0) & (eyes == 0)
    if not skin.any():
        return np.zeros(_SIZE, np.uint8)
    tint, brightness = warmth(small), small.mean(axis=2)
    usual_tint, usual = float(np.median(tint[skin])), float(np.median(brightness[skin]))
    pale = (lens > 0) & (brightness > _GLARE * usual) & (tint < 0.5 * usual_tint)
    count, parts = cv2.connectedComponents(pale.astype(np.uint8))
    # What lies mostly within the lids is the white of an eye.
    for part in range(1, count):
        if eyes[parts == part].mean() > 0.5:
            pale[parts == part] = False
    return np.asarray(cv2.dilate(pale.astype(np.uint8), np.ones((3, 3), np.uint8)), np.uint8)


def _held(frame: Bytes, points: Floats) -> Floats:
    """Return (468,) how much landmarks are held: fully at the corners of every triangle that the frame touches."""
    away = cv2.distanceTransform(1 - frame, cv2.DIST_L2, 5)
    x, y = np.clip(np.round(points[:LANDMARKS]).astype(int), 0, np.array(_SIZE[::-1]) - 1).T
    outside = np.abs(points[:LANDMARKS] - np.stack([x, y], axis=1)).max(axis=1)
    held = 1 - smooth_step((away[y, x] + outside - _HELD) / (_FREE - _HELD))
    triangles = face_triangles()
    numbers = np.full(_SIZE, -1, np.int32)
    for number, corners in enumerate(np.round(points[triangles]).astype(np.int32)):
        cv2.fillConvexPoly(numbers, corners, number)
    touched = np.unique(numbers[frame > 0])
    held[triangles[touched[touched >= 0]]] = 1
    return np.asarray(held, np.float32)
