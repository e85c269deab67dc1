"""The closed loop of portraits: what a landmark detector finds in rendered frames against what was asked for.

Each figure has a baseline beside it: the detector's own error on the untouched photograph, and what the photograph
alone would score, held still.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from scipy.spatial.transform import Rotation
from scipy.stats import spearmanr

from blendshape_rigs.arkit import ARKIT_COUNT
from blendshape_rigs.avatar import load_proxy_avatar
from blendshape_rigs.face_mesh import LANDMARKS
from model_server.metrics.picture import smeared_pixels, torn_pixels
from model_server.portrait.arrays import Bytes, Floats
from model_server.portrait.avatar_picture import Appearance, AvatarPainter
from model_server.portrait.fit import PortraitFit, detect_faces, fit_portrait, rotation_angles
from model_server.portrait.motion import mouth_activity
from model_server.portrait.photo import Photo
from model_server.portrait.renderer import PortraitRenderer
from model_server.portrait.rig import LandmarkRig
from model_server.portrait.topology import LOWER_LID_RINGS, UPPER_LID_RINGS

from .portrait_picture import Mask, eyes_and_mouth, gradient_energy, hole_pixels, skin_difference, skin_mask
from .portrait_poses import RESPONSES, SHEET_POSES, TURNS, Pose, Response

FRAMES = sum(len(r.poses) for r in RESPONSES) + sum(len(poses) for poses in TURNS.values()) + len(SHEET_POSES)
"""How many frames of a portrait are rendered and searched for landmarks."""
_NOTHING = np.zeros(3, np.float32)
_LOST = float("nan")
_AVATAR_SPAN, _AVATAR_PIXELS = 0.34, 256  # metres and pixels across the picture of the avatar
# Small known movements of the whole photograph: degrees, zoom, columns and rows in face widths.
_FLOOR_MOVES = ((0.0, 1.0, 0.013, 0.007), (4.0, 1.03, -0.02, 0.01), (-6.0, 0.96, 0.01, -0.02), (9.0, 1.0, 0.0, 0.0))


@dataclass(frozen=True)
class Gain:
    """How a movement came out.

    Attributes:
        name: what was driven.
        commanded: (N,) what was asked for, growing steps; in face widths, relative lid openings, or degrees.
        measured: (N,) what was found in the frames, same unit; NaN where no face was found.
    """

    name: str
    commanded: Floats
    measured: Floats

    @property
    def slope(self) -> float:
        """Measured over commanded, by least squares over the steps; 1 is true, 0 does not move."""
        asked = self.commanded - self.commanded.mean()
        return float(asked @ (self.measured - self.measured.mean()) / (asked @ asked))

    @property
    def order(self) -> float:
        """Spearman's rank correlation of measured and commanded; 1 is monotone, 0 where nothing moves."""
        if not np.isfinite(self.measured).all() or np.ptp(self.measured) == 0:
            return 0.0
        return float(spearmanr(self.commanded, self.measured).statistic)


@dataclass(frozen=True)
class PortraitMeasurement:
    """Everything that was measured of one portrait. Shares, not percent.

    Attributes:
        name: of the photograph.
        face_width: pixels.
        floor: the detector's mesh error on the untouched photograph, moved as a whole; in face widths.
        mesh_errors: by pose; mean distance of the 468 landmarks in face widths; NaN where no face was found.
        still_errors: by pose; the same for the photograph held still, against what was asked for.
        gains: of the face's responses and the head's turns, by name.
        identity: by pose; share of the skin's colour histogram that differs from the photograph's.
        sharpness: by pose; gradient energy of the skin over the photograph's.
        holes: by pose; black pixels that show nothing.
        smears: by pose; share of the moving region that is drawn out more than five times, or torn.
        rest_difference: largest difference of any pixel at rest from the photograph, 0 to 255.
        flicker: largest difference of any pixel between two frames of a constant take, 0 to 255.
    """

    name: str
    face_width: float
    floor: float
    mesh_errors: dict[str, float]
    still_errors: dict[str, float]
    gains: dict[str, Gain]
    identity: dict[str, float]
    sharpness: dict[str, float]
    holes: dict[str, int]
    smears: dict[str, float]
    rest_difference: int
    flicker: int


def measure_portrait(
    renderer: PortraitRenderer, progress: Callable[[float], None] | None = None
) -> PortraitMeasurement:
    """Return the closed loop's figures of one portrait.

    Args:
        renderer: the portrait.
        progress: called with the number of frames that are done.
    """
    loop = _Loop(renderer, progress)
    gains = loop.gains()
    for pose in SHEET_POSES:
        loop.look(pose)
    rest = np.abs(renderer.render(np.zeros(ARKIT_COUNT)).astype(int) - renderer.photo.pixels)
    return PortraitMeasurement(
        renderer.photo.name,
        loop.width,
        detector_floor(renderer),
        loop.mesh_errors,
        loop.still_errors,
        gains,
        loop.identity,
        loop.sharpness,
        loop.holes,
        loop.smears,
        int(rest.max()),
        flicker(renderer),
    )


class _Loop:
    """Renders poses of one portrait and keeps what was measured of each."""

    def __init__(self, renderer: PortraitRenderer, progress: Callable[[float], None] | None) -> None:
        self.renderer, self._progress, self._done = renderer, progress, 0
        self.width = renderer.fit.face_width
        self.mesh_errors: dict[str, float] = {}
        self.still_errors: dict[str, float] = {}
        self.identity: dict[str, float] = {}
        self.sharpness: dict[str, float] = {}
        self.holes: dict[str, int] = {}
        self.smears: dict[str, float] = {}
        self._rest = renderer.fit.points * np.array([1, -1], np.float32)
        self._skin = skin_mask(renderer.photo.pixels, renderer.fit.points)

    def _frame(self, pose: Pose) -> Bytes:
        frame = self.renderer.render(pose.values, pose.rotation)
        self._done += 1
        if self._progress is not None:
            self._progress(float(self._done))
        return frame

    def look(self, pose: Pose) -> None:
        """Measure one pose: the mesh, the skin, what is broken."""
        frame, photo = self._frame(pose), self.renderer.photo.pixels
        driven = driven_landmarks(self.renderer, pose)
        found = found_landmarks(frame, driven)
        self.mesh_errors[pose.label] = _LOST if found is None else _distance(found, driven) / self.width
        self.still_errors[pose.label] = _distance(self._rest, driven) / self.width
        points = driven * np.array([1, -1], np.float32)
        skin = skin_mask(frame, points)
        self.identity[pose.label] = skin_difference(frame, skin, photo, self._skin)
        self.sharpness[pose.label] = gradient_energy(frame, skin) / gradient_energy(photo, self._skin)
        self._look_for_faults(pose, frame, eyes_and_mouth(frame, points))

    def _look_for_faults(self, pose: Pose, frame: Bytes, open_parts: Mask) -> None:
        column, row = self.renderer.flow(pose.values, pose.rotation)
        left, top, right, bottom = self.renderer.motion.mesh.roi
        region = (slice(top, bottom), slice(left, right))
        shown = cv2.remap(self.renderer.photo.pixels, column, row, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
        self.holes[pose.label] = hole_pixels(frame[region], np.asarray(shown, np.uint8), open_parts[region])
        faults = smeared_pixels(column, row) | torn_pixels(column, row)
        self.smears[pose.label] = float(faults.mean())

    def gains(self) -> dict[str, Gain]:
        """Measure the responses of the face and the turns of the head."""
        fit, rig = self.renderer.fit, self.renderer.motion.rig
        found = [response_gain(response, fit, rig, self._frame) for response in RESPONSES]
        found += [turn_gain(axis, fit, self._frame) for axis in range(len(TURNS))]
        return {gain.name: gain for gain in found}


def response_gain(response: Response, fit: PortraitFit, rig: LandmarkRig, draw: Callable[[Pose], Bytes]) -> Gain:
    """Return a movement of a face against what the avatar's landmarks do, laid on this face.

    Args:
        response: what is driven and measured.
        fit: the face at rest.
        rig: the avatar's landmarks.
        draw: gives the picture of a pose.
    """
    commanded, measured = [], []
    rest = fit.points * np.array([1, -1], np.float32)
    units = (fit.face_width, fit.face_width)
    if response.relative:
        units = response.measure(fit.to_camera(rig.rest)[:, :2]), response.measure(rest)
    for pose in response.poses:
        asked = fit.to_camera(rig.shape(pose.values))[:, :2]
        found = found_landmarks(draw(pose), rest)
        commanded.append(response.measure(asked) / units[0])
        measured.append(_LOST if found is None else response.measure(found) / units[1])
    return Gain(response.name, np.array(commanded, np.float32), np.array(measured, np.float32))


def turn_gain(axis: int, fit: PortraitFit, draw: Callable[[Pose], Bytes]) -> Gain:
    """Return a turn of the head (0 pitch, 1 yaw, 2 roll): the rotation that lays the face at rest on the found one."""
    name, poses = tuple(TURNS.items())[axis]
    rest = fit.landmarks[:LANDMARKS]
    measured = []
    for pose in poses:
        found = _found_face(draw(pose), rest[:, :2])
        if found is None:
            measured.append(_LOST)
            continue
        # Kabsch, 1976.
        turn, _ = Rotation.align_vectors(found - found.mean(axis=0), rest - rest.mean(axis=0))
        measured.append(float(rotation_angles(turn.as_matrix())[axis]))
    commanded = np.array([pose.degrees[axis] for pose in poses], np.float32)
    return Gain(name, commanded, np.array(measured, np.float32))


def avatar_gains() -> dict[str, Gain]:
    """Return what the same detector reads from the proxy avatar itself, truly moved and turned in three dimensions.

    It is what a perfect portrait would score: the detector sees some movements larger or smaller than they are.
    """
    avatar = load_proxy_avatar()
    painter = AvatarPainter(avatar, Appearance(span=_AVATAR_SPAN))
    rig = LandmarkRig.from_avatar(avatar)

    def draw(pose: Pose) -> Bytes:
        return painter.draw(painter.vertices(pose.values, pose.rotation), _AVATAR_PIXELS)[0]

    fit = fit_portrait(Photo("avatar", draw(Pose("rest"))), rig)
    found = [response_gain(response, fit, rig, draw) for response in RESPONSES]
    found += [turn_gain(axis, fit, draw) for axis in range(len(TURNS))]
    return {gain.name: gain for gain in found}


def driven_landmarks(renderer: PortraitRenderer, pose: Pose) -> Floats:
    """Return where ``pose`` puts the landmarks (468, 2): pixels, x to the right and y up.

    The lids are painted and leave the mesh in place, so they are moved here as they are painted.
    """
    motion = renderer.motion
    shaped = motion.expression(pose.values, float(mouth_activity(pose.values[None])[0]))
    for side in (0, 1):
        upper, lower = (list(rings[side][0]) for rings in (UPPER_LID_RINGS, LOWER_LID_RINGS))
        span = shaped[lower] - shaped[upper]
        fall, lift = motion.lid_moves(pose.values, side)
        shaped[upper] += fall * span
        shaped[lower] -= lift * span
    return motion.turn(shaped, pose.rotation, _NOTHING)[:LANDMARKS, :2]


def found_landmarks(frame: Bytes, near: Floats) -> Floats | None:
    """Return the landmarks (468, 2) of the face of ``frame`` that lies nearest to ``near``, or None."""
    found = _found_face(frame, near)
    return None if found is None else found[:, :2]


def _found_face(frame: Bytes, near: Floats) -> Floats | None:
    faces = [face[:LANDMARKS] for face in detect_faces(frame)]
    if not faces:
        return None
    return min(faces, key=lambda face: _distance(face[:, :2], near))


def detector_floor(renderer: PortraitRenderer) -> float:
    """Return the detector's mesh error, in face widths, on the photograph moved as a whole in known ways."""
    fit, photo = renderer.fit, renderer.photo.pixels
    centre = fit.points.mean(axis=0)
    errors = []
    for degrees, zoom, across, down in _FLOOR_MOVES:
        matrix = cv2.getRotationMatrix2D((float(centre[0]), float(centre[1])), degrees, zoom)
        matrix[:, 2] += np.array([across, down]) * fit.face_width
        moved = cv2.warpAffine(photo, matrix, photo.shape[1::-1], flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
        truth = (fit.points @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32) * np.array([1, -1], np.float32)
        found = found_landmarks(np.asarray(moved, np.uint8), truth)
        if found is not None:
            errors.append(_distance(found, truth) / (fit.face_width * zoom))
    return float(np.mean(errors)) if errors else _LOST


def flicker(renderer: PortraitRenderer) -> int:
    """Return the largest difference of any pixel between two frames of one pose, with another pose between them."""
    pose, other = SHEET_POSES[-1], SHEET_POSES[2]
    first = renderer.render(pose.values, pose.rotation)
    renderer.render(other.values, other.rotation)
    second = renderer.render(pose.values, pose.rotation)
    return int(np.abs(first.astype(int) - second).max())


def _distance(first: Floats, second: Floats) -> float:
    return float(np.linalg.norm(first - second, axis=1).mean())
