"""Lids and gaze: blink, squint, wide and look of both eyes from the lids' margins and the irises.

Everything is measured against the corners of the same eye and calibrated by the clip: how far the lids are apart at
rest, how near they come in a blink, and where the iris rests. All lengths are shares of the eye's width.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from blendshape_rigs.arkit import ARKIT_COUNT, ARKIT_INDEX
from blendshape_rigs.avatar import load_proxy_avatar
from model_server.portrait.topology import IRIS_CENTRES, UPPER_LID_RINGS

from .curve_solver import solve_bounded
from .face_regions import lid_landmarks
from .neutral import Neutral
from .rest import most_usual
from .tracked_head import TrackedHead

Array = npt.NDArray[np.float64]
Linked = npt.NDArray[np.bool_]

_SIDES = ("Left", "Right")
_LIDS = ("eyeBlink", "eyeSquint", "eyeWide")
_LOOKS = ("eyeLookIn", "eyeLookOut", "eyeLookUp", "eyeLookDown")
_SHUT = 0.45  # of the aperture at rest: less is a shut eye, by which a full blink is calibrated
_USUAL_SHUT = 0.2  # of the same: what the tracker makes of a shut eye where the clip shows none
_LEAST_APERTURE = 0.12  # of the eye's width: an eye that rests narrower counts as partly shut
_SHUT_QUANTILE = 0.003
_LID_RIDGE, _LID_COST = 0.0012, (0.0006, 0.002, 0.001)
_LID_SMOOTH = 2e-4  # blinks are over in three frames: next to nothing
_LOOK_RIDGE, _LOOK_COST, _LOOK_SMOOTH = 0.001, 0.0003, 0.004
_LOOK_SHOWN = np.array([0.6, 0.6, 0.7, 0.8])  # share of the iris' way that its landmarks make, measured on renders
_SEEN_IRIS = (0.35, 0.7)  # of the aperture at rest: from where to where an iris is believed
_BOTH_EYES = 1.0  # weight of the other eye's gaze beside the own: eyes turn together, one iris is noisy


@dataclass(frozen=True)
class EyeMeasures:
    """One eye in T frames, shares of its width.

    Attributes:
        lids: (T, 2) heights of the upper and lower lid over the line between the corners.
        iris: (T, 2) place of the iris from the middle between the corners, to the subject's left and up.
    """

    lids: Array
    iris: Array

    @property
    def aperture(self) -> Array:
        """(T,) how far the lids are apart."""
        return np.asarray(self.lids[:, 0] - self.lids[:, 1])


@dataclass(frozen=True)
class EyeCalibration:
    """One eye at rest.

    Attributes:
        lids: (2,) heights of the lids.
        shut: aperture of a shut eye.
        iris: (2,) place of the iris.
    """

    lids: Array
    shut: float
    iris: Array

    @property
    def aperture(self) -> float:
        """How far the lids are apart."""
        return float(self.lids[0] - self.lids[1])


def measure_eyes(
    head: TrackedHead, landmarks: Array, offsets: Array, neutral: Neutral
) -> tuple[EyeMeasures, EyeMeasures]:
    """Return the subject's left eye and right eye.

    Args:
        head: poses of T frames.
        landmarks: (T, 478, 3) pixels in camera axes.
        offsets: (T, 468, 3) metres from the face at rest.
        neutral: that face.
    """
    left, right = (_measured(head, landmarks, offsets, neutral, side) for side in (0, 1))
    return left, right


def _measured(head: TrackedHead, landmarks: Array, offsets: Array, neutral: Neutral, side: int) -> EyeMeasures:
    corners = _corners(side)
    width = float(np.linalg.norm(np.diff(neutral.shape[corners, :2], axis=0)))
    line = offsets[:, corners, :2].mean(axis=1)
    height = neutral.shape[corners, 1].mean()
    lids = [
        offsets[:, part, 1].mean(axis=1) - line[:, 1] + neutral.shape[part, 1].mean() - height
        for part in lid_landmarks()[side]
    ]
    avatar = load_proxy_avatar()
    own = avatar.vertices[avatar.landmark_vertices[corners]].mean(axis=0)
    pupil = neutral.shape[corners].mean(axis=0) + avatar.vertices[_pupil(side)] - own
    iris = head.offsets(landmarks[:, [IRIS_CENTRES[side]]], pupil[None])[:, 0, :2] - line
    return EyeMeasures(np.stack(lids, axis=1) / width, iris / width)


def calibrate_eye(eye: EyeMeasures) -> EyeCalibration:
    """Return the rest of an eye from its measures in frames all over a clip."""
    aperture = eye.aperture
    rest = max(most_usual(aperture[aperture > 0.5 * np.median(aperture)]), _LEAST_APERTURE)
    open_eye = np.abs(aperture / rest - 1) < 0.2
    chosen = open_eye if open_eye.any() else np.ones(len(aperture), bool)
    lids = np.median(eye.lids[chosen], axis=0)
    lids = lids + (rest - (lids[0] - lids[1])) * np.array([1.0, 0.0])
    least = float(np.quantile(aperture, _SHUT_QUANTILE))
    shut = max(least, 0.0) if least < _SHUT * rest else _USUAL_SHUT * rest
    iris = np.array([most_usual(eye.iris[chosen, axis]) for axis in (0, 1)])
    return EyeCalibration(lids, shut, iris)


def eye_curves(
    eyes: tuple[EyeMeasures, EyeMeasures],
    rests: tuple[EyeCalibration, EyeCalibration],
    linked: Linked,
    stiffness: float,
) -> Array:
    """Return (T, 52) values of which the fourteen of the eyes are set.

    Args:
        eyes: the left eye and the right.
        rests: their calibrations.
        linked: (T - 2,) whether three frames follow each other.
        stiffness: weight of bending against 30 frames a second.
    """
    values = np.zeros((len(eyes[0].lids), ARKIT_COUNT))
    looks = _looks(eyes, rests, linked, stiffness)
    for side in (0, 1):
        values[:, [ARKIT_INDEX[name + _SIDES[side]] for name in _LOOKS]] = looks[side] / _LOOK_SHOWN
        lids = _lids(side, eyes[side], rests[side], looks[side], linked, stiffness)
        values[:, [ARKIT_INDEX[name + _SIDES[side]] for name in _LIDS]] = lids
    return values


def _looks(
    eyes: tuple[EyeMeasures, EyeMeasures],
    rests: tuple[EyeCalibration, EyeCalibration],
    linked: Linked,
    stiffness: float,
) -> list[Array]:
    """Return (T, 4) in, out, up and down of both eyes."""
    moved = [eye.iris - rest.iris for eye, rest in zip(eyes, rests, strict=True)]
    seen = [_believed(eye.aperture / rest.aperture) for eye, rest in zip(eyes, rests, strict=True)]
    found = []
    for side in (0, 1):
        columns = iris_movements(side)
        weight = np.stack([seen[side], _BOTH_EYES * seen[1 - side]], axis=1)
        total = weight.sum(axis=1) + 1e-6
        mixed = (weight[:, :1] * moved[side] + weight[:, 1:] * moved[1 - side]) / total[:, None]
        normal = total[:, None, None] * (columns @ columns.T) + _LOOK_RIDGE * np.eye(len(columns))
        right = total[:, None] * (mixed @ columns.T) - _LOOK_COST
        smooth = np.full(len(columns), _LOOK_SMOOTH * stiffness)
        found.append(solve_bounded(normal, right, smooth, linked))
    return found


def _believed(aperture: Array) -> Array:
    low, high = _SEEN_IRIS
    return np.clip((aperture - low) / (high - low), 0, 1)


def _lids(side: int, eye: EyeMeasures, rest: EyeCalibration, looks: Array, linked: Linked, stiffness: float) -> Array:
    """Return (T, 3) blink, squint and wide of one eye; what lids do because the gaze goes up or down is no blink."""
    blink, squint, wide, up, down = lid_movements(side)
    full = (rest.aperture - rest.shut) / -(blink[0] - blink[1])
    columns = np.stack([blink * full, squint, wide])
    moved = eye.lids - rest.lids - looks[:, 2:3] * up - looks[:, 3:4] * down
    normal = np.broadcast_to(columns @ columns.T + _LID_RIDGE * np.eye(3), (len(moved), 3, 3))
    right = moved @ columns.T - np.array(_LID_COST)
    return solve_bounded(normal, right, np.full(3, _LID_SMOOTH * stiffness), linked)


def lid_movements(side: int) -> Array:
    """Return (5, 2) what blink, squint, wide, look up and look down do to the upper and lower lid; shares of width."""
    avatar = load_proxy_avatar()
    corners = avatar.landmark_vertices[_corners(side)]
    rows = [ARKIT_INDEX[name + _SIDES[side]] for name in (*_LIDS, "eyeLookUp", "eyeLookDown")]
    lids = avatar.landmark_vertices[lid_landmarks()[side]]
    moved = avatar.deltas[rows][:, lids, 1].mean(axis=2) - avatar.deltas[rows][:, corners, 1].mean(axis=1)[:, None]
    return np.asarray(moved / _own_width(side), np.float64)


def iris_movements(side: int) -> Array:
    """Return (4, 2) what look in, out, up and down do to the iris; shares of the eye's width."""
    rows = [ARKIT_INDEX[name + _SIDES[side]] for name in _LOOKS]
    return np.asarray(load_proxy_avatar().deltas[rows, _pupil(side), :2] / _own_width(side), np.float64)


def _corners(side: int) -> list[int]:
    ring = UPPER_LID_RINGS[side][0]
    return [ring[0], ring[-1]]


def _own_width(side: int) -> float:
    """Return the width in metres of the proxy avatar's eye."""
    avatar = load_proxy_avatar()
    return float(np.abs(np.diff(avatar.vertices[avatar.landmark_vertices[_corners(side)], 0]))[0])


@cache
def _pupil(side: int) -> int:
    """Return the vertex of the pupil: what looking moves most among what lies straight before the eye's centre."""
    avatar = load_proxy_avatar()
    rows = [ARKIT_INDEX[name + _SIDES[side]] for name in _LOOKS]
    before = np.flatnonzero(np.linalg.norm((avatar.vertices - avatar.eye_centres[side])[:, :2], axis=1) < 2e-3)
    reach = np.linalg.norm(avatar.deltas[rows][:, before], axis=2).sum(axis=0)
    return int(before[reach.argmax()])
