"""Finds the face in a photograph and measures it: landmarks, head pose, the expression it already wears."""

from __future__ import annotations

import os
import re
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np

from blendshape_rigs.arkit import ARKIT_COUNT, ARKIT_INDEX, REGIONS
from blendshape_rigs.face_mesh import LANDMARKS
from model_server.errors import PortraitError

from .arrays import Bytes, Floats, Reals
from .mouth_cover import COVERED_BELOW, lip_line_contrast
from .photo import Photo
from .rig import LandmarkRig
from .source_expression import source_expression
from .topology import CHIN, EYE_LOOPS, FOREHEAD, LANDMARKS_WITH_IRISES, LEFT_CHEEK, RIGHT_CHEEK

MINIMUM_FACE_PIXELS = 40
MAXIMUM_YAW_DEGREES, MAXIMUM_PITCH_DEGREES = 32.0, 32.0  # 30° and what the estimate may be off
_DETECTION_SIDE = 1280
_MAXIMUM_FACES = 16
_SAME_FACE = 0.25  # boxes that share this much of their area show one face
_LONG, _MOST_SQUARES = 1.2, 7
_IRIS_SHARE = 0.2  # of the eye's width: an iris of 12 mm in a lid opening of 30 mm

_EXPRESSIVE = REGIONS["brow"] + REGIONS["nose_cheek"] + REGIONS["jaw"] + REGIONS["mouth"]
_SPEAKING = list(REGIONS["jaw"] + REGIONS["mouth"] + REGIONS["tongue"])
_BLINKS = [ARKIT_INDEX["eyeBlinkLeft"], ARKIT_INDEX["eyeBlinkRight"]]
_SHUT = 0.8
_STILL_TRAVEL = 0.002  # metres
# Measured on renders of the proxy avatar whose pose is known: 8° to 10° for heads that face the camera.
_DETECTOR_TILT = float(np.radians(8.5))

# Lines that MediaPipe's C++ parts print on every start; everything else is passed on.
_NOISE = re.compile(
    rb"Created TensorFlow Lite XNNPACK delegate|before absl::InitializeLog|inference_feedback_manager"
    rb"|landmark_projection_calculator|gl_context|XNNPACK|xnnpack|GL version"
)


@dataclass(frozen=True)
class FaceChoice:
    """Which face of a photograph is meant, or where it is when no detector finds it.

    Attributes:
        index: counts the faces from the left, from 0; None is the largest.
        landmarks: (468 or 478, 2) float32 pixel columns and rows in the photograph as it was read; then nothing is
            detected. The last ten of 478 are the irises.
    """

    index: int | None = None
    landmarks: Floats | None = None


@dataclass(frozen=True)
class PortraitFit:
    """Where the face of a photograph is and how it is posed. Camera axes: x right in the picture, y up, z forward.

    Attributes:
        landmarks: (478, 3) float32 pixels, camera axes with y negated image rows; the last ten are the irises.
        rotation: (3, 3) float32, head axes to camera axes.
        scale: pixels a metre.
        origin: (3,) float32 pixels, where the rig's origin lies in camera axes.
        expression: (52,) float32 in [0, 1], what mouth, brows and lids already do.
        faces: how many faces were found.
        notes: what a user should know, one sentence each.
    """

    landmarks: Floats
    rotation: Floats
    scale: float
    origin: Floats
    expression: Floats
    faces: int
    notes: tuple[str, ...] = ()

    @property
    def points(self) -> Floats:
        """(468, 2) float32 pixel columns and rows of the landmarks."""
        return self.landmarks[:LANDMARKS, :2] * np.array([1, -1], np.float32)

    @property
    def face_width(self) -> float:
        """Pixels between the ears' landmarks, in the face's own plane."""
        return float(np.linalg.norm(self.landmarks[LEFT_CHEEK] - self.landmarks[RIGHT_CHEEK]))

    @property
    def face_height(self) -> float:
        """Pixels from the chin to the top of the forehead, in the face's own plane."""
        return float(np.linalg.norm(self.landmarks[FOREHEAD] - self.landmarks[CHIN]))

    @property
    def pose_degrees(self) -> Floats:
        """(3,) float32 pitch, yaw, roll degrees of the head in the photograph."""
        return rotation_angles(self.rotation)

    def to_camera(self, head: Reals) -> Floats:
        """Return points (..., 3) of the rig's axes, metres, as pixels in camera axes."""
        return np.asarray(self.scale * head @ self.rotation.T + self.origin, np.float32)

    def drive(self, values: Reals, activity: float) -> Floats:
        """Return (52,) float32, the change from the photograph's own expression that shows ``values`` (52,).

        Mouth and jaw: the difference, by ``activity`` (see ``mouth_activity``), so that a smile on a smile stays one.
        Elsewhere the photograph's expression is this face's rest and leaves that much less to go.
        """
        drive = np.asarray(values * (1 - self.expression), np.float32)
        drive[_SPEAKING] = (values - activity * self.expression)[_SPEAKING]
        return drive


def rotation_matrix(pitch: float, yaw: float, roll: float) -> Floats:
    """Return the (3, 3) head rotation of FaceCurves angles in radians: yaw, then pitch, then roll, on moved axes."""
    (cp, sp), (cy, sy), (cr, sr) = ((np.cos(a), np.sin(a)) for a in (pitch, yaw, -roll))
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_x = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    about_z = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return np.asarray(about_y @ about_x @ about_z, np.float32)


def rotation_angles(rotation: Reals) -> Floats:
    """Return (3,) pitch, yaw, roll in degrees of a (3, 3) rotation; undoes :func:`rotation_matrix`."""
    pitch = np.arcsin(np.clip(-rotation[1, 2], -1, 1))
    yaw = np.arctan2(rotation[0, 2], rotation[2, 2])
    roll = -np.arctan2(rotation[1, 0], rotation[1, 1])
    return np.asarray(np.degrees([pitch, yaw, roll]), np.float32)


def fit_portrait(photo: Photo, rig: LandmarkRig, choice: FaceChoice | None = None) -> PortraitFit:
    """Find and measure the face of ``photo``; of several faces the largest is taken unless ``choice`` says which.

    Raises:
        PortraitError: for no face, no face of that number, landmarks that are no face, a face that is too small or
            turned too far away, or a mouth that is covered.
    """
    choice = choice or FaceChoice()
    placed = choice.landmarks is not None
    faces = [] if placed else detect_faces(photo.pixels)
    if choice.landmarks is not None:
        face = _placed_face(choice.landmarks, photo, rig)
    else:
        face = chosen_face(faces, photo.name, choice.index)
    width = float(np.ptp(face[:, 0]))
    if width < MINIMUM_FACE_PIXELS:
        raise PortraitError(
            f"the face in '{photo.name}' is only {width:.0f} pixels wide; crop closer or give a larger "
            f"photograph (at least {MINIMUM_FACE_PIXELS} pixels)"
        )
    fit = _measure(face, rig, max(1, len(faces)))
    pitch, yaw, _ = (abs(float(angle)) for angle in fit.pose_degrees)
    if yaw > MAXIMUM_YAW_DEGREES or pitch > MAXIMUM_PITCH_DEGREES:
        way = f"{yaw:.0f}° to the side" if yaw > MAXIMUM_YAW_DEGREES else f"{pitch:.0f}° up or down"
        raise PortraitError(
            f"the face in '{photo.name}' is turned {way}, so that half of it is hidden; give a photograph that looks "
            "at the camera (up to about 30°)"
        )
    # Drawings may have no line between the lips: who places landmarks has seen the mouth.
    if not placed and lip_line_contrast(photo.pixels, fit.points) < COVERED_BELOW:
        raise PortraitError(
            f"the mouth in '{photo.name}' seems to be covered: no line between the lips is to be seen; give a "
            "photograph whose mouth is free, or landmarks of your own (--write-landmarks, then --landmarks)"
        )
    return replace(fit, notes=_notes(fit, photo.name, faces, choice))


def _notes(fit: PortraitFit, name: str, faces: list[Floats], choice: FaceChoice) -> tuple[str, ...]:
    """Return what a user should know, one sentence each."""
    notes = []
    if len(faces) > 1 and choice.index is None:
        number = 1 + sum(float(face[:, 0].mean()) < float(fit.landmarks[:, 0].mean()) - 1 for face in faces)
        notes.append(
            f"'{name}' shows {len(faces)} faces; the largest is animated, number {number} from the left; "
            "choose another with --face"
        )
    if fit.expression[_BLINKS].min() > _SHUT:
        notes.append(f"the eyes in '{name}' are shut and stay shut: there is nothing to blink with")
    return tuple(notes)


def chosen_face(faces: list[Floats], name: str, index: int | None) -> Floats:
    """Return the landmarks of the face number ``index`` from the left, from 0; None is the largest.

    Raises:
        PortraitError: for no faces, or no face of that number.
    """
    if not faces:
        raise PortraitError(
            f"no face was found in '{name}'; give a photograph with one face, seen from the front, well lit, or say "
            "where the face is with a file of landmarks (--landmarks)"
        )
    faces = sorted(faces, key=lambda face: float(face[:, 0].mean()))
    if index is None:
        index = int(np.argmax([np.ptp(face[:, 0]) for face in faces]))
    if not 0 <= index < len(faces):
        places = ", ".join(f"{i} at {f[:, 0].mean():.0f}|{-f[:, 1].mean():.0f}" for i, f in enumerate(faces, 1))
        raise PortraitError(
            f"'{name}' has no face number {index + 1}; numbered from the left, with pixel column|row: {places}"
        )
    return faces[index]


def _placed_face(points: Floats, photo: Photo, rig: LandmarkRig) -> Floats:
    """Return landmarks (478, 3) in camera axes of (468 or 478, 2) pixels; the rig lends depth, the eyes the irises."""
    points = np.asarray(points, np.float64)
    if points.shape not in ((LANDMARKS, 2), (LANDMARKS_WITH_IRISES, 2)) or not np.isfinite(points).all():
        raise PortraitError(f"landmarks must be ({LANDMARKS} or {LANDMARKS_WITH_IRISES}, 2), got {points.shape}")
    height, width = photo.pixels.shape[:2]
    inside = ((points >= 0) & (points <= [width, height])).all(axis=1).mean()
    if inside < 0.5:
        raise PortraitError(
            f"most of the landmarks lie outside '{photo.name}' ({width} x {height} pixels); place them on its face"
        )
    flat = with_irises(points) * [1, -1]
    depth = camera_rest(flat[:LANDMARKS], rig)[:, 2]
    irises = [np.full(5, depth[list(EYE_LOOPS[side])].mean()) for side in (1, 0)]
    return np.asarray(np.concatenate([flat, np.concatenate([depth, *irises])[:, None]], axis=1), np.float32)


def with_irises(points: Reals) -> Reals:
    """Return (478, 2) of (468 or 478, 2) pixels: irises that are not given lie in the middle of the eyes."""
    if len(points) == LANDMARKS_WITH_IRISES:
        return points
    irises = []
    for side in (1, 0):
        loop = points[list(EYE_LOOPS[side])]
        radius = _IRIS_SHARE * float(np.ptp(loop[:, 0]))
        irises.append(loop.mean(axis=0) + radius * np.array([[0, 0], [1, 0], [0, -1], [-1, 0], [0, 1]]))
    return np.concatenate([points, *irises])


def camera_rest(seen: Reals, rig: LandmarkRig) -> Floats:
    """Return the rig's resting landmarks (468, 3) laid on ``seen`` (468, 2) in camera axes: pixels, with depth.

    Scaled orthography: the affine camera that fits best, then the rotation nearest to it.
    """
    model = detector_view(rig.rest).astype(np.float64)
    centre, middle = model.mean(axis=0), np.asarray(seen, np.float64).mean(axis=0)
    camera = np.linalg.lstsq(model - centre, seen - middle, rcond=None)[0].T
    u, stretch, vt = np.linalg.svd(camera, full_matrices=False)
    rows = u @ vt
    rotation = np.vstack([rows, np.cross(rows[0], rows[1])])
    laid = stretch.mean() * (model - centre) @ rotation.T
    laid[:, :2] += middle
    return np.asarray(laid, np.float32)


def detect_faces(pixels: Bytes) -> list[Floats]:
    """Return the landmarks (478, 3) float32 pixels, camera axes, of every face found in (H, W, 3) uint8 RGB.

    Faces are looked for in the whole picture, by a detector for near and one for distant faces, and in overlapping
    squares of it where it is long; each that is found is then measured in a crop of its own.
    """
    from mediapipe.python.solutions.face_detection import FaceDetection
    from mediapipe.python.solutions.face_mesh import FaceMesh

    options = {"static_image_mode": True, "refine_landmarks": True, "min_detection_confidence": 0.5}
    shrink = min(1.0, _DETECTION_SIDE / max(pixels.shape[:2]))
    small = cv2.resize(pixels, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA) if shrink < 1 else pixels
    with without_native_noise():
        with FaceMesh(max_num_faces=_MAXIMUM_FACES, **options) as mesh:
            boxes = [_box(face) for face in _landmarks(mesh, np.ascontiguousarray(small))]
        with FaceDetection(model_selection=1, min_detection_confidence=0.5) as detector:
            for left, top, right, bottom in _looks(small.shape[1], small.shape[0]):
                part = np.ascontiguousarray(small[top:bottom, left:right])
                boxes += [box + np.array([left, top, left, top]) for box in _distant_faces(detector, part)]
        boxes = _distinct(boxes)[:_MAXIMUM_FACES]
        found: list[Floats] = []
        with FaceMesh(max_num_faces=2, **options) as mesh:
            for box in boxes:
                crop, corner, zoom = _square_crop(pixels, box / shrink)
                move = np.array([corner[0], -corner[1], 0], np.float32)
                faces = [face / zoom + move for face in _landmarks(mesh, crop)]
                # A neighbour may reach into the crop.
                faces.sort(key=lambda face: -_overlap(_box(face), box / shrink))
                found.extend(face for face in faces[:1] if _overlap(_box(face), box / shrink) > _SAME_FACE)
    kept = _distinct([_box(face) for face in found])
    return [face for face in found if any(np.array_equal(_box(face), box) for box in kept)]


def _landmarks(mesh: Any, image: Bytes) -> list[Floats]:
    height, width = image.shape[:2]
    scale = np.array([width, -height, -width], np.float32)
    faces = mesh.process(image).multi_face_landmarks or []
    return [np.array([[p.x, p.y, p.z] for p in face.landmark], np.float32) * scale for face in faces]


def _looks(width: int, height: int) -> list[tuple[int, int, int, int]]:
    """Return left, top, right, bottom of the whole picture and of half-overlapping squares along its longer side."""
    side, length = min(width, height), max(width, height)
    looks = [(0, 0, width, height)]
    count = min(_MOST_SQUARES, int(np.ceil(2 * length / side)) - 1)
    if length / side < _LONG:
        return looks
    for start in np.linspace(0, length - side, count).astype(int):
        corner = (int(start), 0) if width > height else (0, int(start))
        looks.append((*corner, corner[0] + side, corner[1] + side))
    return looks


def _box(face: Floats) -> Floats:
    """Return (4,) left, top, right, bottom pixels."""
    x, y = face[:, 0], -face[:, 1]
    return np.array([x.min(), y.min(), x.max(), y.max()], np.float32)


def _overlap(a: Floats, b: Floats) -> float:
    """Return the shared area of two boxes (4,) over the area of both together."""
    shared = np.prod(np.maximum(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0))
    return float(shared / max(1e-6, np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - shared))


def _distinct(boxes: list[Floats]) -> list[Floats]:
    """Return the boxes (4,) without those of a face that came before."""
    kept: list[Floats] = []
    for box in boxes:
        if all(_overlap(box, other) < _SAME_FACE for other in kept):
            kept.append(box)
    return kept


def _distant_faces(detector: Any, image: Bytes) -> list[Floats]:
    """Return boxes (4,) in pixels of the faces that the detector for distant faces finds."""
    height, width = image.shape[:2]
    detections = detector.process(image).detections or []
    boxes = [d.location_data.relative_bounding_box for d in detections[:_MAXIMUM_FACES]]
    return [
        np.array([b.xmin * width, b.ymin * height, (b.xmin + b.width) * width, (b.ymin + b.height) * height])
        for b in boxes
    ]


def _square_crop(pixels: Bytes, box: Floats) -> tuple[Bytes, Floats, float]:
    """Return a square around a face at a size that suits the detector, its corner in pixels and its zoom."""
    centre, side = (box[:2] + box[2:]) / 2, 2.0 * float((box[2:] - box[:2]).max())
    corner = np.maximum(np.floor(centre - side / 2), 0).astype(int)
    end = np.minimum(np.ceil(centre + side / 2).astype(int), pixels.shape[1::-1])
    crop = pixels[corner[1] : end[1], corner[0] : end[0]]
    zoom = 512.0 / max(crop.shape[:2])
    interpolation = cv2.INTER_AREA if zoom < 1 else cv2.INTER_CUBIC
    crop = cv2.resize(crop, None, fx=zoom, fy=zoom, interpolation=interpolation)
    return np.ascontiguousarray(crop), corner.astype(np.float32), zoom


def _measure(face: Floats, rig: LandmarkRig, faces: int) -> PortraitFit:
    """Fit pose and expression in turns: each needs the other."""
    expression = np.zeros(ARKIT_COUNT, np.float32)
    weight = _pose_weights(rig)
    for _ in range(4):
        rotation, scale, origin = _similarity(rig.shape(expression), face[:LANDMARKS], weight)
        local = (face[:LANDMARKS] - origin) @ rotation / scale
        expression = source_expression(local, rig)
    return PortraitFit(face, rotation, scale, origin, expression, faces)


def _pose_weights(rig: LandmarkRig) -> Reals:
    """Return (468,) weights, sum 1: what expressions move tells little about the pose of the head."""
    travel = np.linalg.norm(rig.deltas[list(_EXPRESSIVE)], axis=2).max(axis=0)
    weight = 1 / (1 + (travel / _STILL_TRAVEL) ** 2)
    return np.asarray(weight / weight.sum(), np.float64)


def _similarity(model: Floats, seen: Floats, weight: Reals) -> tuple[Floats, float, Floats]:
    """Return rotation, scale and translation that lay ``model`` on ``seen`` best, each landmark by its weight."""
    tilted = detector_view(model)
    a, b = weight @ tilted, weight @ seen
    u, _, vt = np.linalg.svd((seen - b).T @ (weight[:, None] * (tilted - a)))
    sign = np.array([1, 1, np.linalg.det(u @ vt)])
    rotation = (u * sign) @ vt
    # The scale is taken in the picture's plane alone: the detector's depth is only a guess.
    flat = ((tilted - a) @ rotation.T)[:, :2]
    scale = float((weight[:, None] * flat * (seen - b)[:, :2]).sum() / (weight[:, None] * flat**2).sum())
    return rotation.astype(np.float32), scale, (b - scale * rotation @ (weight @ model)).astype(np.float32)


def detector_view(points: Floats) -> Floats:
    """Return points (N, 3) of the rig as the detector's landmarks have them: every face looks down a little."""
    return np.asarray(points @ rotation_matrix(_DETECTOR_TILT, 0, 0).T, np.float32)


class _HeldErrors:
    """The process's stderr held back while anybody asks for that, for several threads may."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._holders = 0

    def hold(self) -> None:
        with self._lock:
            if not self._holders:
                self._file = tempfile.TemporaryFile()  # noqa: SIM115 # release() closes it
                self._original = os.dup(2)
                os.dup2(self._file.fileno(), 2)
            self._holders += 1

    def release(self) -> None:
        with self._lock:
            self._holders -= 1
            if self._holders:
                return
            os.dup2(self._original, 2)
            os.close(self._original)
            with self._file as held:
                held.seek(0)
                for line in held:
                    if not _NOISE.search(line):
                        os.write(2, line)


_errors = _HeldErrors()


@contextmanager
def without_native_noise() -> Iterator[None]:
    """Hold back what MediaPipe writes to stderr, then pass on all but the known start-up lines; safe in threads."""
    _errors.hold()
    try:
        yield
    finally:
        _errors.release()
