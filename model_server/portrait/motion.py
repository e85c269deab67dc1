"""Curves to vertex movement: expressions from the proxy avatar's shapes, closed lips and lids, the turning head."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
from scipy.ndimage import maximum_filter1d, uniform_filter1d

from blendshape_rigs.arkit import ARKIT_COUNT, ARKIT_INDEX, ARKIT_NAMES, LIP_CHANNELS
from blendshape_rigs.face_mesh import FACE_OVAL, LANDMARKS, LOWER_LIP_RINGS, UPPER_LIP_RINGS

from .arrays import Floats, Reals
from .fit import PortraitFit, rotation_matrix
from .mesh import PortraitMesh
from .rig import LandmarkRig
from .topology import LOWER_LID_RINGS, UPPER_LID_RINGS

PITCH_LIMIT, YAW_LIMIT, ROLL_LIMIT = np.radians([10.0, 15.0, 20.0])
# The face's edge is drawn forward and its neck holds on, which takes from the turn that is seen.
_PITCH_GAIN, _YAW_GAIN = 1.25, 1.3
# Up to the first angle in the photograph a head turns as far as any, then less over the second: back, and further away.
_SEEN_BACK, _SEEN_AWAY = np.radians([8.0, 14.0]), np.radians([15.0, 25.0])
_LEAST_TURN = 0.2  # of the limit
_TRANSLATION_LIMIT = 0.03  # metres
_CAMERA_DISTANCE = 0.8  # metres from which portraits are taken
_LIP_FOLLOW = (1.0, 0.85, 0.6, 0.35)  # how much of a lip contact's correction each ring takes, from the inside out
# How much of what moves around it each ring of an eye takes, from the lid margin outwards: none at the eye itself.
_BROW_FOLLOW = (0.0, 0.45, 1.0)
_CHEEK_FOLLOW = (0.0, 0.15, 0.55)
_SQUEEZE = 0.55  # of the skin between two rows from the eye up to the brow: the most that a lowered brow takes
# The lower and the upper edge of the brow over the middle columns of the outermost lid ring.
_BROW_EDGES = (((276, 283, 282, 295, 285), (300, 293, 334, 296, 336)), ((46, 53, 52, 65, 55), (70, 63, 105, 66, 107)))
_BROW_COLUMNS = slice(2, 7)
_HOLD_SECONDS = 0.35
_LIDS = [index for index, name in enumerate(ARKIT_NAMES) if name.startswith("eye")]
_MOUTH = list(LIP_CHANNELS)

# A flat picture shows no lips that come forward and no brow that rounds: the same movement reads weaker than on a
# head. Chosen on four portraits by what a landmark detector finds again; four of five others come nearer too.
_FLAT = np.ones(ARKIT_COUNT, np.float32)
_FLAT[ARKIT_INDEX["mouthPucker"]] = 1.35
_FLAT[[ARKIT_INDEX[name] for name in ("mouthSmileLeft", "mouthSmileRight")]] = 1.12
_FLAT[[ARKIT_INDEX[name] for name in ("browInnerUp", "browOuterUpLeft", "browOuterUpRight")]] = 1.12


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
    """Moves the vertices of one portrait's mesh. Holds no state between frames.

    Args:
        fit: the measured face.
        mesh: what is moved.
        rig: how ARKit shapes move a face.
        held: (468,) in [0, 1], how much expressions leave each landmark where it is: glasses keep their shape.

    Attributes:
        gains: by which pitch and yaw are multiplied, so that a turn looks as large as it is commanded.
    """

    def __init__(self, fit: PortraitFit, mesh: PortraitMesh, rig: LandmarkRig, held: Floats | None = None) -> None:
        self.fit, self.mesh, self.rig = fit, mesh, rig
        self._free = None if held is None else 1 - held[:, None]
        self.gains = (_PITCH_GAIN, _YAW_GAIN)
        self.pivot = fit.to_camera(rig.neck_pivot)
        self._up = fit.rotation[:2, 1] / np.linalg.norm(fit.rotation[:2, 1])
        landmarks = fit.landmarks[:LANDMARKS, :2]
        self._lip_pairs = [np.array(UPPER_LIP_RINGS[0][1:-1]), np.array(LOWER_LIP_RINGS[0][1:-1])]
        self.rest_gap = self._gaps(landmarks)
        middles = [[list(rings[side][0][3:6]) for rings in (UPPER_LID_RINGS, LOWER_LID_RINGS)] for side in (0, 1)]
        self._lid_openings = [float((rig.rest[up, 1] - rig.rest[low, 1]).mean()) for up, low in middles]
        # What each shape covers of an eye's opening: (2, 52) for the upper and the lower lid.
        self._lid_shapes = [
            np.stack([-rig.deltas[:, up, 1].mean(axis=1), rig.deltas[:, low, 1].mean(axis=1)]) / opening
            for (up, low), opening in zip(middles, self._lid_openings, strict=True)
        ]

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
        # Lids and gaze are painted on the resting picture; no vertex follows them.
        drive[_LIDS] = 0
        offset = self.fit.scale * self.rig.move(drive * _FLAT) @ self.fit.rotation.T
        placed = self.fit.landmarks[:LANDMARKS] + offset
        self._meet_lips(placed, values, activity)
        for side in (0, 1):
            self._keep_eyes(placed, side)
        offset = placed - self.fit.landmarks[:LANDMARKS]
        if self._free is not None:
            offset *= self._free
        moved = self.mesh.points + self.mesh.oval_weights @ offset[list(FACE_OVAL)]
        moved[:LANDMARKS] = self.mesh.points[:LANDMARKS] + offset
        return np.asarray(moved, np.float32)

    def turn(self, points: Floats, rotation: Floats, translation: Floats) -> Floats:
        """Return (V, 3) points turned about the neck and moved, each by its own share."""
        turned = self.turn_rigid(points, rotation, translation)
        return np.asarray(points + self.mesh.head_weight[:, None] * (turned - points), np.float32)

    def yaw_limit(self, yaw: float) -> float:
        """Return radians that the head turns at most towards the side of ``yaw``.

        A face that looks aside in the photograph hides a cheek, which turning back to the camera would show.
        """
        aside = float(np.radians(self.fit.pose_degrees[1]))
        whole, span = _SEEN_BACK if yaw * aside < 0 else _SEEN_AWAY
        return float(YAW_LIMIT * np.clip(1 - (abs(aside) - whole) / span, _LEAST_TURN, 1))

    def turn_rigid(self, points: Floats, rotation: Floats, translation: Floats) -> Floats:
        """Return (N, 3) points that follow the skull fully."""
        pitch, yaw, roll = (float(a) for a in rotation)
        pitch, yaw = self.gains[0] * eased(pitch, PITCH_LIMIT), self.gains[1] * eased(yaw, self.yaw_limit(yaw))
        matrix = rotation_matrix(pitch, yaw, eased(roll, ROLL_LIMIT))
        reach = float(np.linalg.norm(translation))
        move = translation * (eased(reach, _TRANSLATION_LIMIT) / reach if reach > 0 else 0)
        # Towards the camera is larger; the photograph's perspective is otherwise left alone.
        zoom = _CAMERA_DISTANCE / (_CAMERA_DISTANCE - float(move[2]))
        return np.asarray((points - self.pivot) @ (zoom * matrix.T) + self.pivot + move * self.fit.scale, np.float32)

    def rigid(self, anchor: Floats, rotation: Floats, translation: Floats, extra: Floats | float = 0.0) -> Floats:
        """Return (2, 3): resting to moved picture pixels near ``anchor`` (3,), for what is fixed to the skull."""
        arms = np.array([[0, 0, 0], [1, 0, 0], [0, -1, 0]], np.float32) * 10
        moved = in_picture(self.turn_rigid(anchor + arms + extra, rotation, translation))
        return np.asarray(cv2.getAffineTransform(in_picture(anchor + arms), moved), np.float32)

    def gap_change(self, points: Floats) -> float:
        """Return pixels by which the opening of the lips (V, 3) differs most from the photograph's."""
        change = self._gaps(points[:LANDMARKS]) - self.rest_gap
        return float(change[np.argmax(np.abs(change))])

    def rig_opening(self, side: int) -> float:
        """Return metres between the lids of the avatar's eye (0 left, 1 right) at rest."""
        return float(self._lid_openings[side])

    def lid_moves(self, values: Floats, side: int) -> tuple[float, float]:
        """Return how much of an eye's opening (0 left, 1 right) its upper and its lower lid have covered.

        Negative where a lid opens the eye further. Together they are 1 for an eye that is shut, never more.
        """
        fall, lift = (float(move) for move in self._lid_shapes[side] @ values)
        over = max(1.0, fall + lift)
        return fall / over, lift / over

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

    def _keep_eyes(self, placed: Floats, side: int) -> None:
        """Leave the eye where it is in the skull; brows and cheeks move around it."""
        rest, around = self.fit.landmarks[:LANDMARKS], placed.copy()
        for rings, follow in ((UPPER_LID_RINGS, _BROW_FOLLOW), (LOWER_LID_RINGS, _CHEEK_FOLLOW)):
            for share, ring in zip(follow, rings[side], strict=True):
                row = list(ring)
                placed[row] = rest[row] + share * (around[row] - rest[row])
        self._limit_brow(placed, side)

    def _limit_brow(self, placed: Floats, side: int) -> None:
        """Let a lowered brow squeeze the skin over the eye only so far, and never its own hair."""
        height = self.fit.landmarks[:LANDMARKS, :2] @ self._up
        rows = [list(ring) for ring in UPPER_LID_RINGS[side]]
        low = np.zeros(len(rows[0]), np.float32)
        for inner, ring in pairwise(rows):
            low = self._lowered(placed, ring, low + _SQUEEZE * np.maximum(height[ring] - height[inner], 0))
        lower, upper = (list(edge) for edge in _BROW_EDGES[side])
        below = rows[-1][_BROW_COLUMNS]
        room = low[_BROW_COLUMNS] + _SQUEEZE * np.maximum(height[lower] - height[below], 0)
        low = self._lowered(placed, lower, room)
        self._lowered(placed, upper, low)

    def _lowered(self, placed: Floats, row: list[int], room: Floats) -> Floats:
        """Ease the landmarks of ``row`` so that none drops more pixels than ``room``; return how far each drops."""
        drop = (self.fit.landmarks[row, :2] - placed[row, :2]) @ self._up
        knee = 0.6 * room
        over = np.maximum(drop - knee, 0)
        rest = np.maximum(room - knee, 1e-3)
        eased_drop = np.minimum(drop, knee) + rest * np.tanh(over / rest)
        placed[row, :2] += (drop - eased_drop)[:, None] * self._up
        return np.asarray(np.maximum(eased_drop, 0), np.float32)


def in_picture(points: Floats) -> Floats:
    """Return (N, 2) float32 columns and rows of points (N, 3) in camera axes."""
    return np.ascontiguousarray(points[:, :2] * np.array([1, -1], np.float32))


def take_activity(values: Reals, fps: float) -> Floats:
    """Return (T,) float32: :func:`mouth_activity` over a take, held through short pauses and eased in and out."""
    window = 2 * max(1, round(_HOLD_SECONDS * fps)) + 1
    held = maximum_filter1d(mouth_activity(values), window, mode="nearest")
    return np.asarray(uniform_filter1d(held, window, mode="nearest"), np.float32)
