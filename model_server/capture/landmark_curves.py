"""Curves from the landmarks of a clip: pose and expression, by the proxy avatar's own shapes.

The clip is gone through twice. Frames from all over it tell the face at rest (:mod:`.neutral`) and the rest of the
eyes (:mod:`.eye_curves`); then windows of it are solved, each with some frames of its neighbours, so that any clip fits
in memory.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO

import numpy as np
import numpy.typing as npt

from blendshape_rigs.face_mesh import LANDMARKS
from model_server.portrait.fit import rotation_angles, rotation_matrix

from .curve_solver import Linked, linked_frames, smoothed, solve_bounded
from .eye_curves import EyeCalibration, calibrate_eye, eye_curves, measure_eyes
from .face_mesh import TRACKED_LANDMARKS, Landmarks
from .face_regions import brow_region, landmark_rig, mouth_region
from .neutral import Neutral, find_neutral, fitted_poses
from .tracked_head import TrackedHead

Array = npt.NDArray[np.float64]

CHANNELS = 58
"""52 shapes, three angles, three metres."""

_CALIBRATION_FRAMES = 900
_WINDOW = 600
_OVERLAP = 45
_HEAD_STRENGTH = 4.0
_TURN_SHOWN = np.array([0.75, 1.1, 1.0])  # of pitch, yaw and roll, what the landmarks make; measured on renders
_HALF_LENS_DEGREES = 31.5  # MediaPipe takes the lens to see 63° from top to bottom


class LandmarkTrack:
    """The landmarks of a clip, kept in a temporary file: an hour at 30 frames a second is 0.6 GB."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._frames: npt.NDArray[np.float32] | None = None
        self.count = 0

    def add(self, landmarks: Landmarks) -> None:
        """Keep the (478, 3) landmarks of one more frame."""
        self._file.write(np.ascontiguousarray(landmarks, np.float32).tobytes())
        self.count += 1

    def frames(self, chosen: slice | npt.NDArray[np.intp]) -> Array:
        """Return the (N, 478, 3) landmarks of the ``chosen`` frames."""
        if self._frames is None:
            self._file.flush()
            self._frames = np.memmap(self._file, np.float32, "r", shape=(self.count, TRACKED_LANDMARKS, 3))
        return np.asarray(self._frames[chosen], np.float64)


@contextmanager
def open_track() -> Iterator[LandmarkTrack]:
    """Give a track whose file is gone afterwards."""
    with tempfile.TemporaryFile(prefix="dreamtalk-") as file:
        yield LandmarkTrack(file)


def curves_of_track(
    track: LandmarkTrack, times: Array, fps: float, size: tuple[int, int], between: Callable[[], None] | None = None
) -> Array:
    """Return (T, 58) shape values in [0, 1], head rotation in radians and head translation in metres.

    Both are relative to the clip's middle turn: whoever looks past the camera all the time looks
    straight ahead. Translation is that of the point where the head turns on the neck.

    Args:
        track: the landmarks of T frames.
        times: (T,) seconds.
        fps: the frame rate, which may have gaps.
        size: width and height of the pictures in pixels.
        between: called now and then; may raise to stop.
    """
    some = np.unique(np.linspace(0, track.count - 1, min(track.count, _CALIBRATION_FRAMES)).round().astype(np.intp))
    landmarks = track.frames(some)
    neutral = find_neutral(landmarks[:, :LANDMARKS])
    head, offsets = fitted_poses(landmarks[:, :LANDMARKS], neutral)
    left, right = (calibrate_eye(eye) for eye in measure_eyes(head, landmarks, offsets, neutral))
    curves = np.empty((track.count, CHANNELS))
    for first in range(0, track.count, _WINDOW):
        last = min(first + _WINDOW, track.count)
        start, stop = max(0, first - _OVERLAP), min(track.count, last + _OVERLAP)
        window = slice(start, stop)
        linked = linked_frames(times[window], fps)
        solved = _solve(track.frames(window), neutral, (left, right), linked, fps, size)
        curves[first:last] = solved[first - start : last - start]
        if between is not None:
            between()
    return _from_middle_turn(curves)


def _from_middle_turn(curves: Array) -> Array:
    """Return (T, 58) ``curves`` whose head pose, given in camera axes, is in those of the head at its middle turn."""
    middle = rotation_matrix(*np.median(curves[:, 52:55], axis=0)).astype(np.float64)
    turned = (middle.T @ rotation_matrix(*angles) for angles in curves[:, 52:55])
    result = curves.copy()
    result[:, 52:55] = np.radians([rotation_angles(rotation) for rotation in turned]) / _TURN_SHOWN
    result[:, 55:] = curves[:, 55:] @ middle
    return result


def _solve(
    landmarks: Array,
    neutral: Neutral,
    rests: tuple[EyeCalibration, EyeCalibration],
    linked: Linked,
    fps: float,
    size: tuple[int, int],
) -> Array:
    """Return (T, 58) of (T, 478, 3) landmarks."""
    # Weights are made for 30 frames a second: at other rates the same bend has other second differences.
    stiffness = (fps / 30) ** 4
    head, offsets = fitted_poses(landmarks[:, :LANDMARKS], neutral)
    rig = landmark_rig()
    values = np.zeros((len(landmarks), len(rig.deltas)))
    # What the mouth does to cheeks and lids is taken off before brows and eyes are read.
    for region in (mouth_region(), brow_region()):
        smooth = stiffness * region.smooth
        solved = solve_bounded(region.normal(head.rotation), region.right(offsets), smooth, linked)
        values += region.values(solved)
        if region is mouth_region():
            offsets = offsets - (region.seen(solved) @ rig.deltas.reshape(len(rig.deltas), -1)).reshape(offsets.shape)
    eyes = measure_eyes(head, landmarks, offsets, neutral)
    values += eye_curves(eyes, rests, linked, stiffness)
    pose = np.concatenate([head.angles, _pivots(head, size)], axis=1)
    pose = smoothed(pose, linked, _HEAD_STRENGTH * stiffness)
    return np.concatenate([np.clip(values, 0, 1), pose], axis=1)


def _pivots(head: TrackedHead, size: tuple[int, int]) -> Array:
    """Return (T, 3) metres, camera axes: where the head turns on the neck."""
    width, height = size
    lens = height / 2 / np.tan(np.radians(_HALF_LENS_DEGREES))
    aside = (head.place - np.array([width, -height]) / 2) / head.scale[:, None]
    origin = np.concatenate([aside, -lens / head.scale[:, None]], axis=1)
    pivot = landmark_rig().neck_pivot.astype(np.float64)
    return np.asarray(origin + head.rotation @ pivot)
