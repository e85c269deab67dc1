"""The ICT-FaceKit head, read from a user's own download of its public repository.

Source: R. Li et al., "Learning Formation of Physically-Based Face Attributes" (CVPR 2020); the repository
ICT-FaceKit, MIT licence, holds ``FaceXModel/generic_neutral_mesh.obj`` and one ``.obj`` for each shape.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .arkit import ARKIT_COUNT, ARKIT_INDEX, ARKIT_NAMES
from .avatar import load_proxy_avatar
from .transfer.template import template_of

NEUTRAL_FILE: Final = "generic_neutral_mesh.obj"
MISSING: Final = ("tongueOut",)
"""ARKit shapes that ICT-FaceKit does not have."""
PARTS: Final[dict[str, tuple[int, int]]] = {
    "skin": (0, 14062),
    "gums": (14062, 17039),
    "teeth": (17039, 21451),
    "eye_white": (21451, 24591),
    "tear_film": (24591, 25351),
    "lash": (25351, 26719),
}
"""First vertex and end of each part of the full head."""

_IN_BOTH_HALVES: Final = ("browInnerUp", "cheekPuff")
_METRES: Final = 0.01  # its unit is the centimetre
_LARGEST_FILE: Final = 64 * 2**20  # bytes; its own are about 3 MiB
_MOST_VERTICES: Final = 500_000
_FARTHEST: Final = 1e4  # centimetres
_EYES: Final = ((21451, 23021), (23021, 24591))  # left, right: sclera with cornea, then what lies within
_OUTER: Final = 770  # vertices of an eye's outer shell


class IctFaceKitError(Exception):
    """A folder or file that is not ICT-FaceKit's; the message names it."""


@dataclass(frozen=True, eq=False)
class IctFaceKit:
    """A head in metres; +X is its left, +Y up, +Z forward.

    ``vertices`` (V, 3) float32. ``corners`` (C,) int32: vertices around the faces, one face after another;
    ``face_starts`` (F,) int32: the first corner of each; ``uvs`` (C, 2) float32 per corner, without rows when the file
    has none. ``face_parts`` (F,) int32 into ``parts``. ``deltas`` (52, V, 3) float32 metres at value 1, zero for
    ``MISSING``.
    """

    vertices: NDArray[np.float32]
    corners: NDArray[np.int32]
    face_starts: NDArray[np.int32]
    uvs: NDArray[np.float32]
    face_parts: NDArray[np.int32]
    parts: tuple[str, ...]
    deltas: NDArray[np.float32]


def ict_names(name: str) -> tuple[str, ...]:
    """Return the ICT-FaceKit shapes whose sum is the ARKit shape ``name``; none for ``MISSING``."""
    if name in MISSING:
        return ()
    if name in _IN_BOTH_HALVES:
        return f"{name}_L", f"{name}_R"
    for side in ("Left", "Right"):
        if name.endswith(side) and name not in ("jawLeft", "jawRight", "mouthLeft", "mouthRight"):
            return (f"{name.removesuffix(side)}_{side[0]}",)
    return (name,)


def read_ict_facekit(folder: Path) -> IctFaceKit:
    """Return the head of the repository ``folder``, or of its ``FaceXModel``.

    Where the full head's eyes stand still in their own looking shapes, they are turned as the avatar's are.

    Raises:
        IctFaceKitError: a file is missing, too large or no such head's.
    """
    home = next((place for place in (folder, folder / "FaceXModel") if (place / NEUTRAL_FILE).is_file()), None)
    if home is None:
        raise IctFaceKitError(f"There is no {NEUTRAL_FILE} in {folder} or in its FaceXModel")
    wanted = [part for name in ARKIT_NAMES for part in ict_names(name)]
    absent = [name for name in wanted if not (home / f"{name}.obj").is_file()]
    if absent:
        raise IctFaceKitError(f"{len(absent)} shapes are missing in {home}, such as {absent[0]}.obj")
    neutral, corners, counts, uvs = _read_mesh(home / NEUTRAL_FILE)
    deltas = np.zeros((ARKIT_COUNT, *neutral.shape))
    for index, name in enumerate(ARKIT_NAMES):
        for part in ict_names(name):
            deltas[index] += _read_vertices(home / f"{part}.obj", len(neutral)) - neutral
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.int32)
    parts, face_parts = _face_parts(neutral, corners, starts)
    if len(neutral) == PARTS["lash"][1]:
        _turn_eyes(neutral, deltas)
    return IctFaceKit(
        vertices=(neutral * _METRES).astype(np.float32),
        corners=corners,
        face_starts=starts,
        uvs=uvs,
        face_parts=face_parts,
        parts=parts,
        deltas=(deltas * _METRES).astype(np.float32),
    )


def _bytes_of(path: Path) -> bytes:
    if path.stat().st_size > _LARGEST_FILE:
        raise IctFaceKitError(f"{path.name} is larger than {_LARGEST_FILE >> 20} MiB")
    return path.read_bytes()


def _numbers(path: Path, lines: list[bytes], columns: int) -> NDArray[np.float64]:
    """Return the first ``columns`` numbers of lines such as ``v 1 2 3``; further ones, as of colours, are left out."""
    rows = [line.split()[1 : 1 + columns] for line in lines]
    try:
        table = np.array(rows, np.float64).reshape(len(rows), columns)
    except ValueError as error:
        raise IctFaceKitError(f"{path.name} has a vertex line without {columns} numbers") from error
    if not np.isfinite(table).all() or np.abs(table).max(initial=0) > _FARTHEST:
        raise IctFaceKitError(f"{path.name} has a number that is no place on a head")
    return table


def _read_vertices(path: Path, expected: int) -> NDArray[np.float64]:
    lines = [line for line in _bytes_of(path).splitlines() if line.startswith(b"v ")]
    if len(lines) != expected:
        raise IctFaceKitError(f"{path.name} has {len(lines)} vertices where {NEUTRAL_FILE} has {expected}")
    return _numbers(path, lines, 3)


def _read_mesh(
    path: Path,
) -> tuple[NDArray[np.float64], NDArray[np.int32], NDArray[np.int32], NDArray[np.float32]]:
    """Return vertices (V, 3) in centimetres, corners (C,), corners per face (F,) and UVs (C, 2) or (0, 2)."""
    lines = _bytes_of(path).splitlines()
    places = [line for line in lines if line.startswith(b"v ")]
    if not 3 <= len(places) <= _MOST_VERTICES:
        raise IctFaceKitError(f"{path.name} has {len(places)} vertices; a head has 3 to {_MOST_VERTICES}")
    vertices = _numbers(path, places, 3)
    flat = _numbers(path, [line for line in lines if line.startswith(b"vt ")], 2)
    corners: list[int] = []
    texture: list[int] = []
    counts: list[int] = []
    for face in _faces(path, lines, len(vertices), len(flat)):
        counts.append(len(face))
        corners += [vertex for vertex, _ in face]
        texture += [uv for _, uv in face]
    if not counts:
        raise IctFaceKitError(f"{path.name} has no faces")
    uvs = flat[texture] if len(flat) and min(texture) >= 0 else np.zeros((0, 2))
    return vertices, np.array(corners, np.int32), np.array(counts, np.int32), uvs.astype(np.float32)


def _faces(path: Path, lines: list[bytes], vertices: int, uvs: int) -> Iterator[list[tuple[int, int]]]:
    """Yield (vertex, UV) of each corner of each face, from 0; the UV is -1 where there is none."""
    for line in lines:
        if not line.startswith(b"f "):
            continue
        face = []
        for corner in line.split()[1:]:
            fields = corner.split(b"/")
            try:
                vertex = int(fields[0])
                uv = int(fields[1]) if len(fields) > 1 and fields[1] else 0
            except ValueError as error:
                raise IctFaceKitError(f"{path.name} has a face with a corner that is no number") from error
            if not (1 <= vertex <= vertices and 0 <= uv <= uvs):
                raise IctFaceKitError(f"{path.name} has a face that names vertex {vertex} of {vertices}")
            face.append((vertex - 1, uv - 1))
        if len({vertex for vertex, _ in face}) != len(face) or len(face) < 3:
            raise IctFaceKitError(f"{path.name} has a face with fewer than three different vertices")
        yield face


def _face_parts(
    neutral: NDArray[np.float64], corners: NDArray[np.int32], starts: NDArray[np.int32]
) -> tuple[tuple[str, ...], NDArray[np.int32]]:
    """Return the parts' names and which part each face is of, irises and pupils by their angle from straight ahead."""
    if len(neutral) != PARTS["lash"][1]:
        return ("skin",), np.zeros(len(starts), np.int32)
    names = (*PARTS, "iris", "pupil")
    ends = np.array([end for _, end in PARTS.values()])
    part = np.searchsorted(ends, corners[starts], side="right").astype(np.int32)
    middles = np.add.reduceat(neutral[corners], starts, axis=0)
    middles /= np.diff([*starts, len(corners)])[:, None]
    for start, _ in _EYES:
        arms = middles - _centre(neutral, start)
        angle = np.degrees(np.arccos(arms[:, 2] / np.linalg.norm(arms, axis=1)))
        own = (corners[starts] >= start) & (corners[starts] < start + _OUTER)
        part[own & (angle < 21)] = names.index("iris")
        part[own & (angle < 8)] = names.index("pupil")
    return names, part


def _centre(neutral: NDArray[np.float64], start: int) -> NDArray[np.float64]:
    """Return the centre (3,) of the eye whose outer shell begins at vertex ``start``, from its back half: no cornea."""
    shell = neutral[start : start + _OUTER]
    back = shell[shell[:, 2] < shell[:, 2].mean()]
    solved = np.linalg.lstsq(np.column_stack([2 * back, np.ones(len(back))]), (back**2).sum(axis=1), rcond=None)[0]
    centre: NDArray[np.float64] = solved[:3]
    return centre


def _turn_eyes(neutral: NDArray[np.float64], deltas: NDArray[np.float64]) -> None:
    """Turn the eyes in place in the looking shapes that leave them still."""
    motions = template_of(load_proxy_avatar()).eyes
    for side, (start, end), motion in zip(("Left", "Right"), _EYES, motions, strict=True):
        arms = neutral[start:end] - _centre(neutral, start)
        for way in ("Down", "In", "Out", "Up"):
            index = ARKIT_INDEX[f"eyeLook{way}{side}"]
            if not deltas[index, start:end].any():
                deltas[index, start:end] = arms @ motion[index].T
