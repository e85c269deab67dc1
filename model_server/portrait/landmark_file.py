"""Landmarks placed by hand, for faces that no detector finds: drawings, masks, sculptures.

A file is one JSON object::

    {"size": [1200, 1600],
     "points": {"left_eye_outer": [812.5, 640], "left_eye_inner": [700, 652], …}}

``size`` is the width and height of the picture, upright, in which the points count their pixels: columns to the
right and rows down from the upper left corner. ``points`` are some of :data:`POINTS`, left and right being the
subject's; those in :data:`NEEDED_POINTS` must be there. ``landmarks``, in their place or beside them, are all 468 or
478 points of the MediaPipe Face Mesh as [column, row]; named points then move the mesh along.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy.interpolate import RBFInterpolator

from blendshape_rigs.arkit import ARKIT_COUNT, ARKIT_INDEX
from blendshape_rigs.avatar import load_proxy_avatar
from blendshape_rigs.face_mesh import LANDMARKS
from model_server.errors import ExportError, PortraitError

from .arrays import Floats, Reals
from .fit import chosen_face, detect_faces, detector_view, with_irises
from .photo import Photo, animated_size, fitting_scale
from .rig import LandmarkRig
from .topology import IRIS_CENTRES, LANDMARKS_WITH_IRISES

MAXIMUM_FILE_BYTES = 2**20
MAXIMUM_SIDE = 100_000

POINTS: Final[dict[str, int]] = {
    "left_eye_outer": 263, "left_eye_inner": 362, "left_eye_top": 386, "left_eye_bottom": 374,
    "right_eye_outer": 33, "right_eye_inner": 133, "right_eye_top": 159, "right_eye_bottom": 145,
    "left_iris": 473, "right_iris": 468,
    "left_brow_inner": 336, "left_brow_middle": 334, "left_brow_outer": 300,
    "right_brow_inner": 107, "right_brow_middle": 105, "right_brow_outer": 70,
    "nose_tip": 1, "nose_left": 358, "nose_right": 129,
    "mouth_left": 291, "mouth_right": 61,
    "upper_lip_top": 0, "upper_lip_bottom": 13, "lower_lip_top": 14, "lower_lip_bottom": 17,
    "chin": 152, "forehead": 10, "left_cheek": 454, "right_cheek": 234, "left_jaw": 397, "right_jaw": 172,
}  # fmt: skip
"""Names of points and the landmark of the Face Mesh that each stands for."""
NEEDED_POINTS: Final = (
    "left_eye_outer", "left_eye_inner", "right_eye_outer", "right_eye_inner",
    "nose_tip", "mouth_left", "mouth_right", "chin",
)  # fmt: skip

_IRISES = tuple(IRIS_CENTRES)
_INNER_LIPS = (POINTS["upper_lip_bottom"], POINTS["lower_lip_top"])
_NEAR_SHARE = 0.02  # of the face's width: points this near move as one, or the warp between them would fold


def read_landmarks(path: Path, photo: Photo, rig: LandmarkRig) -> Floats:
    """Return the landmarks (478, 2) float32 pixels of ``photo`` that the file ``path`` places.

    Raises:
        PortraitError: for a file that is missing, too large, no JSON, or whose points cannot be used.
    """
    if not path.is_file():
        raise PortraitError(f"'{path}' does not exist or is no file; check the path of the landmarks")
    if path.stat().st_size > MAXIMUM_FILE_BYTES:
        raise PortraitError(
            f"'{path.name}' is larger than {MAXIMUM_FILE_BYTES >> 20} MiB; that is no file of landmarks"
        )
    try:
        document = json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise PortraitError(
            f"'{path.name}' is no JSON ({error}); see --write-landmarks for a file to begin with"
        ) from error
    return parse_landmarks(document, photo, rig, path.name)


def parse_landmarks(document: object, photo: Photo, rig: LandmarkRig, name: str = "landmarks") -> Floats:
    """Return the landmarks (478, 2) float32 pixels of ``photo`` that the JSON ``document`` places.

    Raises:
        PortraitError: for a document that breaks the format of this module.
    """
    if not isinstance(document, dict) or not {"points", "landmarks"} & set(document):
        raise PortraitError(f'\'{name}\' must be a JSON object with "size" and "points" or "landmarks"')
    unknown = sorted(set(map(str, document)) - {"size", "points", "landmarks"})
    if unknown:
        raise PortraitError(f"'{name}' has an unknown entry \"{unknown[0][:40]}\"; leave it out")
    scale = _scale(document.get("size"), photo, name)
    points = _named_points(document["points"], name, whole="landmarks" not in document) if "points" in document else {}
    if "landmarks" in document:
        mesh = _numbers(document["landmarks"], name, "landmarks")
        if len(mesh) not in (LANDMARKS, LANDMARKS_WITH_IRISES):
            raise PortraitError(f"'{name}' has {len(mesh)} landmarks; give {LANDMARKS} or {LANDMARKS_WITH_IRISES}")
        mesh = with_irises(mesh)
    else:
        mesh = _avatar_mesh(points, rig)
    if points:
        mesh = _moved(mesh, points, rig)
    return np.asarray(scale * mesh, np.float32)


def write_found_landmarks(path: Path, photo: Photo, index: int | None = None) -> bool:
    """Write named points of ``photo``, to be corrected by hand; return whether a face was found.

    Args:
        path: JSON file to write.
        photo: the photograph; the points count the pixels of its source, before it was made to fit.
        index: which of several faces, from the left, from 0; None is the largest.

    Where no face is found the points are the proxy avatar's, in the middle of the picture.

    Raises:
        PortraitError: for no face of that number.
        ExportError: when the file cannot be written.
    """
    width, height = photo.source_size or photo.pixels.shape[1::-1]
    size = np.array([width, height], np.float64)
    faces = detect_faces(photo.pixels)
    if faces:
        face = chosen_face(faces, photo.name, index)
        placed = face[:, :2] * [1, -1] / fitting_scale(width, height)
    else:
        flat = detector_view(LandmarkRig.from_avatar(load_proxy_avatar()).rest)[:, :2] * [1, -1]
        span = np.ptp(flat, axis=0)
        placed = with_irises((flat - flat.min(axis=0) - span / 2) * 0.5 * (size / span).min() + size / 2)
    points = {name: [round(float(x), 1) for x in placed[index]] for name, index in POINTS.items()}
    rows = ",\n".join(f"  {json.dumps(name)}: {json.dumps(point)}" for name, point in points.items())
    try:
        path.write_text(f'{{"size": [{width}, {height}], "points": {{\n{rows}\n}}}}\n', encoding="utf-8")
    except OSError as error:
        raise ExportError(f"'{path}' cannot be written: {error.strerror}; choose another place") from error
    return bool(faces)


def _scale(size: Any, photo: Photo, name: str) -> float:
    """Return the factor from the file's pixels to the photograph's as it is animated."""
    sides = size if isinstance(size, list) else []
    if len(sides) != 2 or not all(type(side) is int and 0 < side <= MAXIMUM_SIDE for side in sides):
        raise PortraitError(f"'{name}' must have \"size\": [width, height] of the picture in whole pixels")
    width, height = sides
    have = photo.pixels.shape[1::-1]
    if animated_size(width, height) != have:
        raise PortraitError(
            f"'{name}' is for a picture of {width} x {height} pixels, which '{photo.name}' is not "
            f"(it is animated at {have[0]} x {have[1]})"
        )
    return fitting_scale(width, height)


def _numbers(rows: Any, name: str, what: str) -> npt.NDArray[np.float64]:
    """Return (N, 2) finite numbers of a JSON list of pairs."""
    pairs = rows if isinstance(rows, list) and 0 < len(rows) <= LANDMARKS_WITH_IRISES else []
    good = [
        isinstance(pair, list)
        and len(pair) == 2
        and all(type(x) in (int, float) and abs(x) <= MAXIMUM_SIDE for x in pair)
        for pair in pairs
    ]
    if not good or not all(good):
        raise PortraitError(f"'{name}': {what} must be [column, row] in pixels")
    return np.array(pairs, np.float64)


def _named_points(points: Any, name: str, *, whole: bool) -> dict[int, Reals]:
    """Return {landmark: (2,)} of the file's named points; ``whole``: no mesh is given, so some are needed."""
    if not isinstance(points, dict):
        raise PortraitError(f"'{name}': \"points\" must be an object of names and [column, row]")
    unknown = sorted(set(map(str, points)) - set(POINTS))
    if unknown:
        raise PortraitError(f"'{name}' has an unknown point \"{unknown[0][:40]}\"; points are {', '.join(POINTS)}")
    missing = [needed for needed in NEEDED_POINTS if needed not in points]
    if whole and missing:
        raise PortraitError(f"'{name}' lacks the points {', '.join(missing)}")
    placed = {POINTS[key]: _numbers([value], name, f'point "{key}"')[0] for key, value in points.items()}
    if whole:
        needed = np.stack([placed[POINTS[key]] for key in NEEDED_POINTS])
        if np.linalg.matrix_rank(needed - needed.mean(axis=0), tol=1.0) < 2:
            raise PortraitError(f"'{name}': the points lie on one line or on one spot; place them on the face")
        eyes, mouth = needed[:4].mean(axis=0), needed[5:7].mean(axis=0)
        across, down = needed[:2].mean(axis=0) - needed[2:4].mean(axis=0), mouth - eyes
        if across[0] * down[1] - across[1] * down[0] <= 0:
            raise PortraitError(
                f"'{name}': left and right are the subject's own; the subject's left eye is on the right of the picture"
            )
    return placed


def _avatar_mesh(points: dict[int, Reals], rig: LandmarkRig) -> npt.NDArray[np.float64]:
    """Return (478, 2) pixels of the avatar's landmarks laid on ``points`` by the best similarity."""
    flat = with_irises(detector_view(rig.rest)[:, :2] * [1, -1])
    rows = [POINTS[name] for name in NEEDED_POINTS]
    model, seen = flat[rows], np.stack([points[row] for row in rows])
    centre, middle = model.mean(axis=0), seen.mean(axis=0)
    # As complex numbers a similarity is one factor: it turns and scales, and never mirrors.
    a, b = ((x[:, 0] + 1j * x[:, 1]) for x in (model - centre, seen - middle))
    factor = np.vdot(a, b) / np.vdot(a, a)
    turn = np.array([[factor.real, -factor.imag], [factor.imag, factor.real]])
    return np.asarray((flat - centre) @ turn.T + middle, np.float64)


def _moved(mesh: npt.NDArray[np.float64], points: dict[int, Reals], rig: LandmarkRig) -> npt.NDArray[np.float64]:
    """Return (478, 2): ``mesh`` warped smoothly so that it goes through ``points``.

    The warp is a thin-plate spline over the mesh (Bookstein 1989). Lips are parted by the jaw's movement before it.
    """
    mesh = _opened(mesh, points, rig)
    near = _NEAR_SHARE * float(np.ptp(mesh[:LANDMARKS, 0]))
    places: list[Reals] = []
    moves: list[list[Reals]] = []
    for row, point in points.items():
        if row in _IRISES:
            continue
        close = [i for i, place in enumerate(places) if np.linalg.norm(mesh[row] - place) < near]
        if close:
            moves[close[0]].append(point - mesh[row])
        else:
            places.append(mesh[row])
            moves.append([point - mesh[row]])
    shift = np.stack([np.mean(move, axis=0) for move in moves])
    if len(places) >= 3:
        shift = RBFInterpolator(np.stack(places), shift, kernel="thin_plate_spline", degree=1)(mesh)
    else:
        shift = np.broadcast_to(shift.mean(axis=0), mesh.shape) if len(places) else np.zeros_like(mesh)
    moved: npt.NDArray[np.float64] = mesh + shift
    for row in set(_IRISES) & set(points):
        moved[row : row + 5] += points[row] - moved[row]
    return moved


def _opened(mesh: npt.NDArray[np.float64], points: dict[int, Reals], rig: LandmarkRig) -> npt.NDArray[np.float64]:
    """Return ``mesh`` (478, 2) with the jaw as far open as the points of the inner lips ask for."""
    if not all(row in points for row in _INNER_LIPS):
        return mesh
    values = np.zeros(ARKIT_COUNT)
    values[ARKIT_INDEX["jawOpen"]] = 1
    upper, lower = _INNER_LIPS
    move = rig.move(values)[:, :2] * [1, -1]
    across = mesh[POINTS["left_eye_outer"]] - mesh[POINTS["right_eye_outer"]]
    scale = np.linalg.norm(across) / np.linalg.norm(
        (rig.rest[POINTS["left_eye_outer"]] - rig.rest[POINTS["right_eye_outer"]])[:2]
    )
    right = across / np.linalg.norm(across)
    down = np.array([-right[1], right[0]])
    turned = scale * (move[:, :1] * right + move[:, 1:] * down)
    wanted = (points[lower] - points[upper]) @ down - (mesh[lower] - mesh[upper]) @ down
    amount = np.clip(wanted / ((turned[lower] - turned[upper]) @ down), 0, 1)
    opened = mesh.copy()
    opened[:LANDMARKS] += amount * turned
    return opened
