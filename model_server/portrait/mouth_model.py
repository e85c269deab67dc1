"""What is inside the proxy avatar's mouth: both rows of teeth, gums, tongue and cavity, ready to be drawn."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import product

import numpy as np
import numpy.typing as npt

from blendshape_rigs.arkit import ARKIT_COUNT, ARKIT_INDEX
from blendshape_rigs.avatar import ProxyAvatar, load_proxy_avatar

from .arrays import Floats, Ints, Reals
from .fit import rotation_matrix
from .raster import rasterise

MATERIALS = ("teeth", "gums", "tongue", "mouth_cavity")
_POSES = ((0.05, 0.0), (0.3, 0.0), (1.0, 0.0), (0.2, 0.3), (0.3, 0.7), (0.3, 1.0))  # jawOpen, tongueOut
_SURVEY = 1.5  # pixels a millimetre in the search for what is ever seen
_TURNING_CHANNELS = ("jawOpen", "tongueOut")  # those that turn surfaces, not only move them
_LOWER_JAW_DROP = 0.005  # metres at jawOpen 1: teeth and gums that move more belong to the jaw


@dataclass(frozen=True, eq=False)
class MouthModel:
    """Meshes in metres; +X is the subject's left, +Y up, +Z forward.

    Attributes:
        vertices: (N, 3) float32 at rest.
        deltas: (52, N, 3) float32, the movement at each full ARKit shape.
        triangles: (F, 3) int32, counter-clockwise seen from outside.
        normals: (N, 3) float32 unit, at rest.
        normal_deltas: (2, N, 3) float32, their change at full jawOpen and tongueOut.
        colours: (N, 3) float32 linear light, 0..1, as painted on the avatar.
        kind: (N,) int8 into ``MATERIALS``.
        on_skull: (N,) bool, the upper teeth and gum.
        channels: indices of the ARKit shapes that move anything here.
    """

    vertices: Floats
    deltas: Floats
    triangles: Ints
    normals: Floats
    normal_deltas: Floats
    colours: Floats
    kind: npt.NDArray[np.int8]
    on_skull: npt.NDArray[np.bool_]
    channels: Ints

    @classmethod
    def from_avatar(cls, avatar: ProxyAvatar) -> MouthModel:
        """Return the mouth of ``avatar``."""
        whole = cls._whole(avatar)
        triangles = whole.triangles[_ever_seen(whole)]
        used, flat = np.unique(triangles, return_inverse=True)
        return cls(
            whole.vertices[used],
            whole.deltas[:, used],
            flat.reshape(-1, 3).astype(np.int32),
            whole.normals[used],
            whole.normal_deltas[:, used],
            whole.colours[used],
            whole.kind[used],
            whole.on_skull[used],
            whole.channels,
        )

    @classmethod
    def _whole(cls, avatar: ProxyAvatar) -> MouthModel:
        numbers = [avatar.materials.index(name) for name in MATERIALS]
        inside = np.isin(avatar.triangle_materials, numbers)
        used, flat = np.unique(avatar.triangles[inside], return_inverse=True)
        triangles = flat.reshape(-1, 3).astype(np.int32)
        kind = np.zeros(len(used), np.int8)
        for place, number in enumerate(numbers):
            kind[triangles[avatar.triangle_materials[inside] == number]] = place
        rest, deltas = avatar.vertices[used], avatar.deltas[:, used]
        for place in range(MATERIALS.index("mouth_cavity")):
            _face_outward(rest, triangles, np.flatnonzero(kind[triangles[:, 0]] == place))
        normals = vertex_normals(rest, triangles)
        turned = [vertex_normals(rest + deltas[ARKIT_INDEX[name]], triangles) - normals for name in _TURNING_CHANNELS]
        drop = np.abs(deltas[ARKIT_INDEX["jawOpen"], :, 1])
        return cls(
            rest,
            deltas,
            triangles,
            normals,
            np.stack(turned),
            to_linear(avatar.vertex_colors[used]),
            kind,
            (kind <= MATERIALS.index("gums")) & (drop < _LOWER_JAW_DROP),
            np.flatnonzero(np.abs(deltas).max(axis=(1, 2)) > 1e-5).astype(np.int32),
        )

    def moved(self, values: Reals) -> Floats:
        """Return (N, 3) metres of movement for (52,) weights."""
        weights = np.asarray(values, np.float32)[self.channels]
        active = self.channels[weights != 0]
        flat = np.asarray(values, np.float32)[active] @ self.deltas[active].reshape(len(active), self.vertices.size)
        return np.asarray(flat.reshape(self.vertices.shape), np.float32)

    def turned(self, values: Reals) -> Floats:
        """Return (N, 3) unit normals for (52,) weights."""
        weights = np.array([values[ARKIT_INDEX[name]] for name in _TURNING_CHANNELS], np.float32)
        normals = self.normals + np.tensordot(weights, self.normal_deltas, 1)
        return np.asarray(normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-6), np.float32)


@cache
def load_mouth_model() -> MouthModel:
    """Return the packaged avatar's mouth."""
    return MouthModel.from_avatar(load_proxy_avatar())


def _ever_seen(model: MouthModel) -> Ints:
    """Return the triangles that show from the front in any of many poses: roots and backs of teeth never do."""
    seen = np.zeros(len(model.triangles), bool)
    numbers = {tuple(corners): place for place, corners in enumerate(model.triangles.tolist())}
    for jaw, tongue in _POSES:
        values = np.zeros(ARKIT_COUNT, np.float32)
        values[[ARKIT_INDEX["jawOpen"], ARKIT_INDEX["tongueOut"]]] = jaw, tongue
        points = model.vertices + model.moved(values)
        for pitch, yaw in product((-30, -10, 10, 30), (-45, -20, 0, 20, 45)):
            turned = points @ rotation_matrix(np.radians(pitch), np.radians(yaw), 0).T * (1000 * _SURVEY)
            flat = turned[:, :2] * np.array([1, -1], np.float32)
            flat -= flat.min(axis=0)
            width, height = np.ceil(flat.max(axis=0)).astype(int).tolist()
            raster = rasterise(flat, turned[:, 2], model.triangles, (height + 1, width + 1))
            seen[[numbers[tuple(corners)] for corners in np.unique(raster.corners, axis=0).tolist()]] = True
    return np.flatnonzero(seen).astype(np.int32)


def _face_outward(points: Reals, triangles: Ints, solid: Ints) -> None:
    """Turn the triangles ``solid`` of ``triangles`` (F, 3) round where they enclose a volume from within."""
    corners = points[triangles[solid]].astype(np.float64)
    corners -= corners.mean(axis=(0, 1))
    if np.einsum("fk,fk->", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])) < 0:
        triangles[solid] = triangles[solid, ::-1]


def vertex_normals(points: Reals, triangles: Ints) -> Floats:
    """Return (N, 3) unit normals of points (N, 3), weighted by the area of the triangles (F, 3) around them."""
    first, second, third = (points[triangles[:, k]] for k in range(3))
    faces = np.cross(second - first, third - first)
    normals = np.zeros_like(points, dtype=np.float64)
    for corner in range(3):
        np.add.at(normals, triangles[:, corner], faces)
    return np.asarray(normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12), np.float32)


def to_linear(display: Reals) -> Floats:
    """Return linear light 0..1 of sRGB values 0..1, by a power of 2.2."""
    return np.asarray(np.power(np.clip(display, 0, None), 2.2), np.float32)


def to_display(linear: Reals) -> Floats:
    """Return sRGB values of linear light; undoes :func:`to_linear`."""
    return np.asarray(np.power(np.clip(linear, 0, None), 1 / 2.2), np.float32)
