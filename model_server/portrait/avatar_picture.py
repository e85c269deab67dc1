"""Draws the proxy avatar without Blender: a depth-buffered picture in numpy, quick enough to make training data.

Parallel projection, smooth normals, lights without shadows. Picture axes are those of Face-vid2vid's keypoints: x to
the right, y down, z away from the viewer, all with the same unit, so that -1 to 1 is the width of the picture.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from blendshape_rigs.avatar import ProxyAvatar

from .arrays import Bytes, Floats, Reals
from .fit import rotation_matrix

HEAD_AXES = np.diag([1.0, -1.0, -1.0]).astype(np.float32)
"""Turns the avatar's axes (y up, z to the viewer) into picture axes, and back."""

_CLEAR = "cornea"
_MATT = ("hair", "cloth", "brow", "lash")
_IN_MOUTH = {"teeth": 0.8, "gums": 0.55, "tongue": 0.65, "mouth_cavity": 0.35}
"""Share of the light that reaches what lies in the mouth."""
_WRAP = 0.35  # light that scatters past the edge of the shadow in skin

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Light:
    """Light from afar: ``direction`` (3,) towards it in picture axes, ``colour`` (3,) linear, 1 is full daylight."""

    direction: tuple[float, float, float]
    colour: tuple[float, float, float]


STUDIO = (Light((-0.6, -0.6, -1.0), (0.75, 0.72, 0.68)), Light((0.9, -0.3, -0.6), (0.18, 0.20, 0.22)))


@dataclass(frozen=True)
class Appearance:
    """Who is drawn, and how the picture is lit and framed.

    Attributes:
        identity: value, -1 to 1, by the avatar's slider names.
        tints: (3,) factor of the linear colour by material.
        lights: what shines.
        ambient: light from everywhere.
        background: (3,) sRGB colours 0 to 1, at the top and at the bottom.
        span: metres across the picture.
        centre: (3,) metres in the avatar's axes, what lies in the middle of the picture.
    """

    identity: Mapping[str, float] = field(default_factory=dict)
    tints: Mapping[str, tuple[float, float, float]] = field(default_factory=dict)
    lights: tuple[Light, ...] = STUDIO
    ambient: float = 0.30
    background: tuple[tuple[float, float, float], tuple[float, float, float]] = ((0.8, 0.82, 0.85), (0.6, 0.62, 0.65))
    span: float = 0.32
    centre: tuple[float, float, float] = (0.0, -0.03, -0.02)


class AvatarPainter:
    """Draws one person; prepared once, then frame by frame without memory of the last.

    Args:
        avatar: the proxy avatar.
        appearance: who, lit and framed how.
    """

    def __init__(self, avatar: ProxyAvatar, appearance: Appearance | None = None) -> None:
        self.avatar = avatar
        self.appearance = look = appearance or Appearance()
        form = [value * avatar.identities[name] for name, value in look.identity.items()]
        self._form = np.sum(form, axis=0, dtype=np.float32) if form else np.zeros_like(avatar.vertices)
        seen = avatar.triangle_materials != avatar.materials.index(_CLEAR)
        self._triangles = avatar.triangles[seen].astype(np.int64)
        materials = np.asarray(avatar.triangle_materials[seen], np.int64)
        self._albedo, self._gloss, self._reach = _surfaces(avatar, look.tints, self._triangles, materials)
        self._weight = avatar.head_weight[:, None]

    def vertices(
        self, values: Reals, head_rotation: Reals | None = None, head_translation: Reals | None = None
    ) -> Floats:
        """Return where the avatar's vertices are (V, 3) float32, picture axes, -1 to 1 across.

        Args:
            values: (52,) ARKit weights.
            head_rotation: (3,) pitch, yaw, roll rad about the neck, as in ``FaceCurves``.
            head_translation: (3,) metres.
        """
        avatar, look = self.avatar, self.appearance
        points = avatar.deform(np.asarray(values, np.float32)) + self._form
        if head_rotation is not None:
            pitch, yaw, roll = (float(angle) for angle in head_rotation)
            turned = (points - avatar.neck_pivot) @ rotation_matrix(pitch, yaw, roll).T + avatar.neck_pivot
            if head_translation is not None:
                turned = turned + np.asarray(head_translation, np.float32)
            points = points + self._weight * (turned - points)
        return np.asarray((points - np.asarray(look.centre)) @ HEAD_AXES * (2 / look.span), np.float32)

    def draw(self, points: Floats, size: int) -> tuple[Bytes, Floats]:
        """Draw vertices (V, 3) as :meth:`vertices` gives them.

        Returns:
            Picture (size, size, 3) uint8 sRGB, and the depth (2 size, 2 size) float32 of what is seen there, infinite
            where nothing is.
        """
        side = 2 * size
        placed = np.concatenate([(points[:, :2] + 1) * (side / 2), points[:, 2:]], axis=1)
        pixels, faces, shares, depth = rasterise(placed, self._triangles, side)
        corners = self._triangles[faces]
        normals = _normals(points, self.avatar.triangles)
        normal = np.einsum("nk,nkx->nx", shares, normals[corners])
        normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-6)
        # What is seen faces the viewer: thin hair shows its back too.
        normal *= np.where(normal[:, 2:] > 0, -1.0, 1.0)
        albedo = np.einsum("nk,nkx->nx", shares, self._albedo[corners])
        lit = self._shade(albedo, normal, self._gloss[faces], self._reach[faces])
        top, bottom = np.asarray(self.appearance.background, np.float32)
        fall = np.linspace(0, 1, side, dtype=np.float32)[:, None, None]
        picture = np.broadcast_to((top * (1 - fall) + bottom * fall) ** 2.2, (side, side, 3)).copy()
        picture.reshape(-1, 3)[pixels] = lit
        small = cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA)
        return np.round(255 * np.clip(small, 0, 1) ** (1 / 2.2)).astype(np.uint8), depth

    def _shade(self, albedo: Floats, normal: Floats, gloss: Floats, reach: Floats) -> Floats:
        look = self.appearance
        light = np.full_like(albedo, look.ambient) * (1 - 0.25 * normal[:, 1:2])
        shine = np.zeros_like(albedo)
        for lamp in look.lights:
            direction = np.asarray(lamp.direction, np.float32) / np.float32(np.linalg.norm(lamp.direction))
            colour = np.asarray(lamp.colour, np.float32)
            facing = np.clip((normal @ direction + _WRAP) / (1 + _WRAP), 0, None)
            light += facing[:, None] * colour
            half = direction + np.array([0, 0, -1], np.float32)
            shine += (np.clip(normal @ (half / np.linalg.norm(half)), 0, None) ** 40)[:, None] * colour
        return np.asarray(reach[:, None] * (albedo * light + gloss[:, None] * shine), np.float32)


def rasterise(points: Floats, triangles: Ints, side: int) -> tuple[Ints, Ints, Floats, Floats]:
    """Find what is seen of a mesh in a square picture; what is nearer (smaller z) hides what is behind it.

    Args:
        points: (V, 3) columns and rows in pixels from the upper left corner, and depth.
        triangles: (F, 3) corners.
        side: pixels of a side.

    Returns:
        For each of N covered pixels its number (row * side + column), its triangle, and the shares (N, 3) float32 of
        the corners; and the depth (side, side) float32, infinite where nothing is.
    """
    corners = points[triangles]
    low = np.clip(np.ceil(corners[..., :2].min(axis=1) - 0.5), 0, side).astype(np.int64)
    high = np.clip(np.floor(corners[..., :2].max(axis=1) - 0.5), -1, side - 1).astype(np.int64)
    extent = np.maximum(high - low + 1, 0)
    count = extent.prod(axis=1)
    faces = np.flatnonzero(count)
    planes, faces = _share_planes(corners, low, faces)
    count = count[faces]
    # Every pixel of every triangle's box, numbered within its box.
    which = np.repeat(np.arange(len(faces)), count)
    number = np.arange(len(which)) - np.repeat(np.cumsum(count) - count, count)
    width = extent[faces, 0][which]
    across, down = number % width, number // width
    first, second = (planes[which, k, 0] * across + planes[which, k, 1] * down + planes[which, k, 2] for k in (0, 1))
    inside = np.flatnonzero((first >= -1e-6) & (second >= -1e-6) & (first + second <= 1 + 1e-6))
    which, first, second = which[inside], first[inside], second[inside]
    shares = np.stack([first, second, 1 - first - second], axis=1)
    face = faces[which]
    pixel = (low[face, 1] + down[inside]) * side + low[face, 0] + across[inside]
    depth = np.einsum("nk,nk->n", shares, corners[face, :, 2])
    # Of equal indices numpy keeps the last one written: the nearest.
    order = np.argsort(-depth, kind="stable")
    winner = np.full(side * side, -1, np.int64)
    winner[pixel[order]] = order
    seen = np.flatnonzero(winner >= 0)
    chosen = winner[seen]
    buffer = np.full(side * side, np.inf, np.float32)
    buffer[seen] = depth[chosen]
    return seen, face[chosen], np.asarray(shares[chosen], np.float32), buffer.reshape(side, side)


def visible(points: Floats, depth: Floats, tolerance: float = 0.03) -> npt.NDArray[np.bool_]:
    """Return which of (N, 3) points in picture axes lie on what is seen in the ``depth`` of :meth:`draw`."""
    side = len(depth)
    cell = np.floor((points[:, :2] + 1) * (side / 2)).astype(int)
    within = ((cell >= 0) & (cell < side)).all(axis=1)
    column, row = np.clip(cell, 0, side - 1).T
    return np.asarray(within & (points[:, 2] <= depth[row, column] + tolerance) & np.isfinite(depth[row, column]))


def _share_planes(corners: Floats, low: Ints, faces: Ints) -> tuple[Floats, Ints]:
    """Return how the shares of a triangle's first two corners change over its box, and the triangles that have area.

    Args:
        corners: (F, 3, 3) of all triangles, in pixels.
        low: (F, 2) pixel in the upper left of each triangle's box.
        faces: (N,) triangles to look at.

    Returns:
        (M, 2, 3) float32: share a column further, a row further, and in the middle of the box's first pixel; and the
        numbers (M,) of the triangles.
    """
    place = corners[faces, :, :2] - low[faces, None] - 0.5
    one, two, three = place[:, 0], place[:, 1], place[:, 2]
    area: Floats = (two[:, 0] - one[:, 0]) * (three[:, 1] - one[:, 1]) - (two[:, 1] - one[:, 1]) * (
        three[:, 0] - one[:, 0]
    )
    real = np.flatnonzero(np.abs(area) > 1e-9)
    planes = np.empty((len(real), 2, 3), np.float32)
    for number, (start, end) in enumerate(((two, three), (three, one))):
        edge, base = (end - start)[real] / area[real, None], start[real]
        planes[:, number, 0], planes[:, number, 1] = -edge[:, 1], edge[:, 0]
        planes[:, number, 2] = edge[:, 1] * base[:, 0] - edge[:, 0] * base[:, 1]
    return planes, faces[real]


def _normals(points: Floats, triangles: npt.NDArray[np.integer[Any]]) -> Floats:
    """Return (V, 3) sums of the triangles' normals, not of unit length."""
    first, second, third = (points[triangles[:, corner]] for corner in range(3))
    face = np.cross(second - first, third - first)
    index = triangles.T.ravel()
    sums = [np.bincount(index, np.tile(face[:, axis], 3), minlength=len(points)) for axis in range(3)]
    return np.asarray(np.stack(sums, axis=1), np.float32)


def _surfaces(
    avatar: ProxyAvatar, tints: Mapping[str, tuple[float, float, float]], triangles: Ints, materials: Ints
) -> tuple[Floats, Floats, Floats]:
    """Return linear colours (V, 3) of vertices, gloss (F,) and share of light (F,) of triangles."""
    albedo = np.asarray(avatar.vertex_colors, np.float32) ** 2.2
    for name, tint in tints.items():
        rows = np.unique(triangles[materials == avatar.materials.index(name)])
        albedo[rows] *= np.asarray(tint, np.float32)
    gloss = np.array([0.0 if name in _MATT or name in _IN_MOUTH else 0.06 for name in avatar.materials], np.float32)
    for name in ("eye_white", "iris", "pupil"):
        gloss[avatar.materials.index(name)] = 0.5
    reach = np.array([_IN_MOUTH.get(name, 1.0) for name in avatar.materials], np.float32)
    return np.clip(albedo, 0, 1), gloss[materials], reach[materials]
