"""How the avatar's shapes move beside those of ICT-FaceKit, a head made from scanned people.

Source: Li et al., Learning Formation of Physically-Based Face Attributes (2020); its 68 landmarks are those of the
300-W annotation (Sagonas et al. 2013). The files are a user's own download of its public repository.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.interpolate import RBFInterpolator
from scipy.spatial import cKDTree

from blendshape_rigs.arkit import ARKIT_NAMES
from blendshape_rigs.avatar import ProxyAvatar
from blendshape_rigs.ict_facekit import MISSING, IctFaceKit, IctFaceKitError, read_ict_facekit
from blendshape_rigs.transfer.surface import Surface
from blendshape_rigs.transfer.warp import fit_similarity
from model_server.errors import ConfigError

from .rig_surface import Floats, Ints

LANDMARK_FILE = "vertex_indices.json"
_LARGEST_FILE = 16 * 2**20  # bytes; the landmarks' own are about 1 MiB
SKIN_POINTS = 9409
"""The model's first vertices are the face's and head's skin; behind them lie mouth, eyes and lashes."""
MOVING = 0.25
"""A point moves where the reference moves at least this share of its largest movement in that shape."""
LEAST_MOVE = 0.0003
"""Metres: where the avatar moves less than this it does not take part, and its coverage falls."""
REACH = 0.006
"""Metres between corresponding points beyond which a point has no partner."""

LANDMARKS: dict[int, int] = {
    8: 152,
    **dict(zip(range(17, 27), (70, 63, 105, 66, 107, 336, 296, 334, 293, 300), strict=True)),
    **dict(zip(range(27, 36), (168, 197, 5, 4, 98, 97, 2, 326, 327), strict=True)),
    **dict(zip(range(36, 48), (33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380), strict=True)),
    **dict(zip(range(48, 60), (61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181), strict=True)),
    **dict(zip(range(60, 68), (78, 82, 13, 312, 308, 317, 14, 87), strict=True)),
}
"""Number in the 68-point annotation to number in the MediaPipe Face Mesh, where both mark the same place."""


@dataclass(frozen=True)
class Reference:
    """``points`` (V, 3) and ``normals`` (V, 3) of the skin in the model's unit, ``landmarks`` (68,) vertex numbers,
    ``fields`` ARKit name to displacement (V, 3) at value 1."""

    points: Floats
    normals: Floats
    landmarks: Ints
    fields: dict[str, Floats]


@dataclass(frozen=True)
class Agreement:
    """How one shape's direction agrees: the median cosine over the points that move on both heads, and ``coverage``,
    the share of the points moving on the reference that move on the avatar too."""

    name: str
    cosine: float
    coverage: float


def read_reference(folder: Path) -> Reference:
    """Return ICT-FaceKit's skin with its shapes under ARKit's names, from the repository or its ``FaceXModel``.

    Raises:
        ConfigError: where the folder lacks the model's files, or one is broken.
    """
    marks = next((place for place in (folder, folder / "FaceXModel") if (place / LANDMARK_FILE).is_file()), None)
    if marks is None or (marks / LANDMARK_FILE).stat().st_size > _LARGEST_FILE:
        raise ConfigError(f"'{folder}' has no {LANDMARK_FILE}; name the folder of ICT-FaceKit's repository")
    try:
        head = read_ict_facekit(folder)
        stored = json.loads((marks / LANDMARK_FILE).read_text(encoding="utf-8"))
        landmarks = np.array(stored["idx_to_landmark_verts"], np.int64)
    except (IctFaceKitError, KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"'{folder}' is not ICT-FaceKit's: {error}") from error
    if len(head.vertices) < SKIN_POINTS or landmarks.shape != (68,) or not (landmarks >= 0).all():
        raise ConfigError(f"'{folder}' holds another head than ICT-FaceKit's")
    points = head.vertices[:SKIN_POINTS].astype(np.float64)
    deltas = head.deltas[:, :SKIN_POINTS].astype(np.float64)
    fields = {name: field for name, field in zip(ARKIT_NAMES, deltas, strict=True) if name not in MISSING}
    return Reference(points, Surface(points, _skin_triangles(head)).normals, landmarks, fields)


def _skin_triangles(head: IctFaceKit) -> npt.NDArray[np.int32]:
    """Return the triangles of the skin; faces of four corners are split."""
    ends = np.append(head.face_starts[1:], len(head.corners))
    fans = [
        head.corners[[start, middle, middle + 1]]
        for start, end in zip(head.face_starts.tolist(), ends.tolist(), strict=True)
        for middle in range(start + 1, end - 1)
    ]
    triangles = np.array(fans, np.int32)
    skin: npt.NDArray[np.int32] = triangles[(triangles < SKIN_POINTS).all(axis=1)]
    return skin


def agreements(avatar: ProxyAvatar, reference: Reference) -> list[Agreement]:
    """Return the agreement of each ARKit shape that the reference has and that moves its skin."""
    mine = _skin_points(avatar)
    turn, partners, near = _corresponding(avatar, reference, mine)
    mine, partners = mine[near], partners[near]
    result = []
    for number, name in enumerate(ARKIT_NAMES):
        if name not in reference.fields:
            continue
        theirs = reference.fields[name][partners] @ turn
        ours = avatar.deltas[number, mine].astype(np.float64)
        size, own = np.linalg.norm(theirs, axis=1), np.linalg.norm(ours, axis=1)
        moving = size > MOVING * size.max()
        both = moving & (own > LEAST_MOVE)
        if not both.any():
            result.append(Agreement(name, 0.0, 0.0))
            continue
        cosine = (ours[both] * theirs[both]).sum(axis=1) / (own[both] * size[both])
        result.append(Agreement(name, float(np.median(cosine)), float(both.sum() / moving.sum())))
    return result


def _skin_points(avatar: ProxyAvatar) -> Ints:
    """Return the vertices of the face's outer skin and lips."""
    wanted = [avatar.materials.index(name) for name in ("skin", "lips")]
    used = np.unique(avatar.triangles[np.isin(avatar.triangle_materials, wanted)])
    face = avatar.vertices[avatar.landmark_vertices]
    low, high = face.min(axis=0), face.max(axis=0)
    place = avatar.vertices[used]
    result: Ints = used[((place > low) & (place < high)).all(axis=1)]
    return result


def _corresponding(avatar: ProxyAvatar, reference: Reference, mine: Ints) -> tuple[Floats, Ints, npt.NDArray[Any]]:
    """Return the scaled rotation (3, 3) of the reference's displacements into the avatar's space, each point's partner
    (N,) on the reference and whether it is near enough (N,).

    A similarity by landmarks brings the heads together, a thin-plate spline by the same landmarks lays lips on lips,
    then the nearest point that faces the same way is the partner.
    """
    source = reference.points[reference.landmarks[list(LANDMARKS)]]
    target = avatar.vertices[avatar.landmark_vertices[list(LANDMARKS.values())]].astype(np.float64)
    together = fit_similarity(source, target)
    bend = RBFInterpolator(together.apply(source), target, kernel="thin_plate_spline", smoothing=1e-9)
    moved = bend(together.apply(reference.points))
    normals = reference.normals @ together.rotation.T
    own = Surface(avatar.vertices.astype(np.float64), avatar.triangles.astype(np.int32)).normals
    facing = 0.004
    tree = cKDTree(np.concatenate([moved, normals * facing], axis=1))
    distance, partners = tree.query(np.concatenate([avatar.vertices[mine], own[mine] * facing], axis=1))
    return together.scale * together.rotation.T, np.asarray(partners), distance < REACH
