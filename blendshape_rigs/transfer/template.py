"""What transfer needs of the proxy avatar: its skin with lip sides, its landmarks, and how its jaw and eyes move."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..arkit import ARKIT_INDEX
from ..avatar import ProxyAvatar
from ..face_mesh import LOWER_LIP_RINGS, UPPER_LIP_RINGS
from .lips import lip_sides
from .surface import Surface
from .warp import Points

FACE_POINTS: Final[dict[str, int]] = {
    "nose tip": 1,
    "chin": 152,
    "mouth corner left": 291,
    "mouth corner right": 61,
    "upper lip": 0,
    "lower lip": 17,
    "eye outer corner left": 263,
    "eye inner corner left": 362,
    "eye inner corner right": 133,
    "eye outer corner right": 33,
}
"""The points that an animator may drag, and the Face Mesh landmark of each. Left is the character's; those of the
lips are the middles of the red's upper and lower edge."""
FACE_LANDMARKS: Final = tuple(FACE_POINTS.values())

UPPER_SEEDS: Final = UPPER_LIP_RINGS[2][1:-1] + UPPER_LIP_RINGS[3][1:-1]
LOWER_SEEDS: Final = LOWER_LIP_RINGS[2][1:-1] + LOWER_LIP_RINGS[3][1:-1]
"""Landmarks on the upper and on the lower lip, corners left out."""

_SKIN: Final = ("skin", "lips", "mouth_cavity")
_MOUTH: Final = ("teeth", "gums", "tongue")
_EYES: Final = ("eye_white", "iris", "pupil")


@dataclass(frozen=True, eq=False)
class Template:
    """The avatar, taken apart to be laid over another head.

    ``skin`` with its lip ``sides`` (S,) as ``lip_sides`` tells them, ``landmarks`` (468,) vertices of it, and
    ``deltas`` (52, S, 3) float32 metres. ``lips`` (2, L): vertices of the skin that touch at rest, upper and lower.
    ``mouth`` (M, 3): rest places of teeth, gums and tongue, and ``is_tongue`` (M,); ``bite``: height at which the rows
    of teeth meet; ``jaw`` (52, 4, 3): each shape's motion of the lower teeth, affine in the place. ``tongue`` (T, 3)
    with its ``tongue_deltas`` (52, T, 3). ``eye_centres`` (2, 3) and ``eyes`` (2, 52, 3, 3): each shape's motion of the
    left and right eye, linear in the place about the centre.
    """

    skin: Surface
    sides: Points
    landmarks: NDArray[np.intp]
    deltas: NDArray[np.float32]
    lips: NDArray[np.intp]
    mouth: Points
    is_tongue: NDArray[np.bool_]
    bite: float
    jaw: Points
    tongue: Points
    tongue_deltas: NDArray[np.float32]
    eye_centres: Points
    eyes: Points

    @property
    def face_points(self) -> Points:
        """Return where the avatar has the ``FACE_POINTS`` (10, 3), metres."""
        points: Points = self.skin.vertices[self.landmarks[list(FACE_LANDMARKS)]]
        return points


@cache
def template_of(avatar: ProxyAvatar) -> Template:
    """Return what transfer needs of ``avatar``; computed once for each."""
    vertices = _used(avatar, _SKIN)
    triangles = np.searchsorted(vertices, _triangles(avatar, _SKIN)).astype(np.int32)
    skin = Surface(avatar.vertices[vertices].astype(np.float64), triangles)
    landmarks = np.searchsorted(vertices, avatar.landmark_vertices)
    mouth, teeth, tongue = (_used(avatar, materials) for materials in (_MOUTH, ("teeth",), ("tongue",)))
    opened = np.linalg.norm(avatar.deltas[ARKIT_INDEX["jawOpen"], teeth], axis=1)
    is_lower = opened > opened.max() / 2
    jaw = teeth[is_lower]
    heights = avatar.vertices[teeth, 1]
    return Template(
        skin=skin,
        sides=lip_sides(skin, landmarks[list(UPPER_SEEDS)], landmarks[list(LOWER_SEEDS)]),
        landmarks=landmarks,
        deltas=avatar.deltas[:, vertices],
        lips=np.searchsorted(vertices, np.stack([avatar.upper_lip, avatar.lower_lip])),
        mouth=avatar.vertices[mouth].astype(np.float64),
        is_tongue=np.isin(mouth, tongue),
        bite=float(heights[is_lower].mean() + heights[~is_lower].mean()) / 2,
        jaw=_affine_motions(avatar.vertices[jaw], avatar.deltas[:, jaw]),
        tongue=avatar.vertices[tongue].astype(np.float64),
        tongue_deltas=avatar.deltas[:, tongue],
        eye_centres=avatar.eye_centres.astype(np.float64),
        eyes=_eye_motions(avatar),
    )


def _triangles(avatar: ProxyAvatar, materials: tuple[str, ...]) -> NDArray[np.int32]:
    numbers = [number for number, name in enumerate(avatar.materials) if name in materials]
    chosen: NDArray[np.int32] = avatar.triangles[np.isin(avatar.triangle_materials, numbers)]
    return chosen


def _used(avatar: ProxyAvatar, materials: tuple[str, ...]) -> NDArray[np.intp]:
    used: NDArray[np.intp] = np.unique(_triangles(avatar, materials)).astype(np.intp)
    return used


def _affine_motions(places: NDArray[np.float32], deltas: NDArray[np.float32]) -> Points:
    """Return for each shape the affine map (4, 3) that best tells ``deltas`` (52, N, 3) from ``places`` (N, 3)."""
    known = np.column_stack([np.ones(len(places)), places])
    motions: Points = np.einsum("kn,snx->skx", np.linalg.pinv(known), deltas)
    return motions


def _eye_motions(avatar: ProxyAvatar) -> Points:
    numbers = _used(avatar, _EYES)
    motions = []
    for centre in avatar.eye_centres:
        own = numbers[np.sign(avatar.vertices[numbers, 0]) == np.sign(centre[0])]
        arms = avatar.vertices[own] - centre
        motions.append(np.einsum("kn,snx->sxk", np.linalg.pinv(arms), avatar.deltas[:, own]))
    stacked: Points = np.stack(motions).astype(np.float64)
    return stacked
