"""Curves to vertex movement: expressions from the proxy avatar's shapes, closed lips and lids, the turning head."""

from __future__ import annotations

import cv2
import numpy as np
from scipy.ndimage import maximum_filter1d, uniform_filter1d

from blendshape_rigs.arkit import REGIONS
from blendshape_rigs.face_mesh import FACE_OVAL, LANDMARKS, LOWER_LIP_RINGS, UPPER_LIP_RINGS

from .arrays import Floats, Reals
from .fit import PortraitFit, rotation_matrix
from .mesh import PortraitMesh
from .rig import LandmarkRig
from .topology import LOWER_LID_RINGS, UPPER_LID_RINGS

PITCH_LIMIT, YAW_LIMIT, ROLL_LIMIT = np.radians([10.0, 15.0, 20.0])
_YAW_GAIN = 1.3  # the edge of the face is drawn forward, which takes from the turn that is seen
_TRANSLATION_LIMIT = 0.03  # metres
_LIP_FOLLOW = (1.0, 0.85, 0.6, 0.35)  # how much of a lip contact's correction each ring takes, from the inside out
_LID_FOLLOW = (1.0, 0.42, 0.08)
_BROW_FOLLOW = (0.0, 0.3, 0.65)  # how much of the brows' movement each lid ring takes: none at the eye itself
_HOLD_SECONDS = 0.35
_BROWS = list(REGIONS["brow"])
_MOUTH = list(REGIONS["jaw"] + REGIONS["mouth"])


def eased(angle: float, limit: float) -> float:
    """Return ``angle`` unchanged up to 0.7 of ``limit``, then easing towards ``limit`` without reaching it."""
    knee = 0.7 * limit
    over = abs(angle) - knee
    if over <= 0:
        return angle
    return float(np.sign(angle) * (knee + (limit - knee) * np.tanh(over / (limit - knee))))


def mouth_activity(values: Reals) -> Floats:
    """Return (T,) float32 in [0, 1] of (T, 52) weights: 0 for a mouth at rest, 1 for one that does anything.

    While it is 1 the mouth shows the curves alone; at 0 it shows what it does in the photograph.
    """
    strongest = np.abs(values[:, _MOUTH]).max(axis=1)
    x = np.clip(strongest / 0.12, 0, 1)
    return np.asarray(x * x * (3 - 2 * x), np.float32)


class PortraitMotion:
    """Moves the vertices of one portrait's mesh. Holds no state between frames."""

    def __init__(self, fit: PortraitFit, mesh: PortraitMesh, rig: LandmarkRig) -> None:
        self.fit, self.mesh, self.rig = fit, mesh, rig
        self.pivot = fit.to_camera(rig.neck_pivot)
        self._up = fit.rotation[:2, 1] / np.linalg.norm(fit.rotation[:2, 1])
        landmarks = fit.landmarks[:LANDMARKS, :2]
        self._lip_pairs = [np.array(UPPER_LIP_RINGS[0][1:-1]), np.array(LOWER_LIP_RINGS[0][1:-1])]
        self.rest_gap = self._gaps(landmarks)

    def vertices(self, values: Floats, activity: float, rotation: Floats, translation: Floats) -> Floats:
        """Return (V, 3) float32 pixels in camera axes.

        Args:
            values: (52,) ARKit weights.
            activity: 0..1, see :func:`mouth_activity`.
            rotation: (3,) pitch, yaw, roll rad, relative to the photograph; eased into the limits.
            translation: (3,) metres.
        """
        return self.turn(self.expression(values, activity), rotation, translation)

    def expression(self, values: Floats, activity: float) -> Floats:
        """Return (V, 3) float32 pixels of the mesh with the expression alone."""
        drive = self.fit.drive(values, activity)
        offset = self.fit.scale * self.rig.move(drive) @ self.fit.rotation.T
        placed = self.fit.landmarks[:LANDMARKS] + offset
        self._meet_lips(placed, values, activity)
        for side in (0, 1):
            self._close_lids(placed, values, side)
        offset = placed - self.fit.landmarks[:LANDMARKS]
        moved = self.mesh.points + self.mesh.oval_weights @ offset[list(FACE_OVAL)]
        moved[:LANDMARKS] = self.mesh.points[:LANDMARKS] + offset
        return np.asarray(moved, np.float32)

    def turn(self, points: Floats, rotation: Floats, translation: Floats) -> Floats:
        """Return (V, 3) points turned about the neck and moved, each by its own share."""
        turned = self.turn_rigid(points, rotation, translation)
        return np.asarray(points + self.mesh.head_weight[:, None] * (turned - points), np.float32)

    def turn_rigid(self, points: Floats, rotation: Floats, translation: Floats) -> Floats:
        """Return (N, 3) points that follow the skull fully."""
        pitch, yaw, roll = (float(a) for a in rotation)
        yaw = _YAW_GAIN * eased(yaw, YAW_LIMIT)
        matrix = rotation_matrix(eased(pitch, PITCH_LIMIT), yaw, eased(roll, ROLL_LIMIT))
        reach = float(np.linalg.norm(translation))
        move = translation * (eased(reach, _TRANSLATION_LIMIT) / reach if reach > 0 else 0) * self.fit.scale
        return np.asarray((points - self.pivot) @ matrix.T + self.pivot + move, np.float32)

    def rigid(self, anchor: Floats, rotation: Floats, translation: Floats, extra: Floats | float = 0.0) -> Floats:
        """Return (2, 3): resting to moved picture pixels near ``anchor`` (3,), for what is fixed to the skull."""
        arms = np.array([[0, 0, 0], [1, 0, 0], [0, -1, 0]], np.float32) * 10
        moved = in_picture(self.turn_rigid(anchor + arms + extra, rotation, translation))
        return np.asarray(cv2.getAffineTransform(in_picture(anchor + arms), moved), np.float32)

    def gap_change(self, points: Floats) -> float:
        """Return pixels by which the opening of the lips (V, 3) differs most from the photograph's."""
        change = self._gaps(points[:LANDMARKS]) - self.rest_gap
        return float(change[np.argmax(np.abs(change))])

    def lid_ratio(self, values: Floats, side: int) -> float:
        """Return the opening of an eye (0 left, 1 right) over its opening at rest, 0 to 1.4."""
        upper, lower = (list(rings[side][0][3:6]) for rings in (UPPER_LID_RINGS, LOWER_LID_RINGS))
        rest, now = self.rig.rest, self.rig.shape(values)
        ratio = (now[upper, 1] - now[lower, 1]).mean() / (rest[upper, 1] - rest[lower, 1]).mean()
        return float(np.clip(ratio, 0, 1.4))

    def _gaps(self, landmarks: Floats) -> Floats:
        """Return (9,) pixels between the inner lips, positive when parted, along the head's up axis."""
        upper, lower = self._lip_pairs
        return np.asarray((landmarks[upper, :2] - landmarks[lower, :2]) @ self._up, np.float32)

    def _meet_lips(self, placed: Floats, values: Floats, activity: float) -> None:
        """Part the lips as far as the avatar's are parted: closed is closed, and they never cross."""
        avatar = self.rig.shape(values)
        upper, lower = self._lip_pairs
        wanted = np.maximum((avatar[upper, 1] - avatar[lower, 1]) * self.fit.scale, 0)
        gap = self._gaps(placed)
        wanted = np.maximum((1 - activity) * gap + activity * wanted, 0)
        # Towards the corners the opening closes roundly, however wide the mouth of the photograph is.
        corners = self.fit.landmarks[[78, 308], :2]
        across = (self.fit.landmarks[upper, :2] - corners.mean(axis=0)) @ (corners[1] - corners[0])
        across = np.clip(2 * across / ((corners[1] - corners[0]) ** 2).sum(), -1, 1)
        wanted = np.minimum(wanted, np.maximum(wanted.max() * np.sqrt(1 - across**2), self.rest_gap))
        correction = np.zeros(len(UPPER_LIP_RINGS[0]), np.float32)
        correction[1:-1] = gap - wanted
        for share, rings in ((-0.4, UPPER_LIP_RINGS), (0.6, LOWER_LIP_RINGS)):
            for follow, ring in zip(_LIP_FOLLOW, rings, strict=True):
                placed[list(ring), :2] += share * follow * correction[:, None] * self._up

    def _close_lids(self, placed: Floats, values: Floats, side: int) -> None:
        """Open the lids by the avatar's ratio of open to rest, so that a full blink closes any eye."""
        upper, lower = (list(rings[side][0]) for rings in (UPPER_LID_RINGS, LOWER_LID_RINGS))
        ratio = self.lid_ratio(values, side)
        eye = self.fit.landmarks[:LANDMARKS, :2]
        only_brows = np.zeros_like(values)
        only_brows[_BROWS] = self.fit.drive(values, 0.0)[_BROWS]
        brows = self.fit.scale * self.rig.move(only_brows) @ self.fit.rotation.T
        # The upper lid comes down most of the way; the lower one rises a little.
        line = 0.12 * eye[upper] + 0.88 * eye[lower]
        for rings, share in ((UPPER_LID_RINGS, line - eye[upper]), (LOWER_LID_RINGS, line - eye[lower])):
            for follow, brow, ring in zip(_LID_FOLLOW, _BROW_FOLLOW, rings[side], strict=True):
                lid = (1 - ratio) * follow * share
                placed[list(ring), :2] = eye[list(ring)] + lid + brow * brows[list(ring), :2]


def in_picture(points: Floats) -> Floats:
    """Return (N, 2) float32 columns and rows of points (N, 3) in camera axes."""
    return np.ascontiguousarray(points[:, :2] * np.array([1, -1], np.float32))


def take_activity(values: Reals, fps: float) -> Floats:
    """Return (T,) float32: :func:`mouth_activity` over a take, held through short pauses and eased in and out."""
    window = 2 * max(1, round(_HOLD_SECONDS * fps)) + 1
    held = maximum_filter1d(mouth_activity(values), window, mode="nearest")
    return np.asarray(uniform_filter1d(held, window, mode="nearest"), np.float32)
