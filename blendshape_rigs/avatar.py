"""The proxy avatar: one mesh with all 52 ARKit shapes, loaded from the packaged asset.

The asset is made by ``python -m avatar_builder``; its face region has the MediaPipe Face Mesh's landmarks.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from .arkit import ARKIT_COUNT

PROXY_AVATAR_FILE: Final = Path(__file__).with_name("assets") / "proxy_avatar.npz"
DELTA_STEP: Final = 2e-6
"""Metres per unit of the asset's 16-bit displacements: reaches 65 mm."""
UNIT_STEP: Final = 1 / 65535
"""Unit of the asset's 16-bit numbers between 0 and 1: texture coordinates and head weights."""


@dataclass(frozen=True, eq=False)
class Corrective:
    """A displacement that repairs the sum of several shapes.

    ``drivers`` are ``ARKIT_NAMES`` indices; ``deltas`` (V, 3) float32 metres at strength 1. The strength is the
    product of the drivers' values, each clipped to 0..1.
    """

    name: str
    drivers: tuple[int, ...]
    deltas: NDArray[np.float32]

    def strength(self, values: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        """Return the strength (...), 0 to 1, for shape values (..., 52)."""
        driven = np.clip(np.asarray(values, dtype=np.float32)[..., list(self.drivers)], 0.0, 1.0)
        result: NDArray[np.float32] = driven.prod(axis=-1)
        return result


@dataclass(frozen=True, eq=False)
class ProxyAvatar:
    """A talking head in metres; +X is the subject's left, +Y up, +Z forward. The arrays are read-only.

    ``vertices`` (V, 3) float32 at rest, origin midway between the eyes' centres; ``triangles`` (F, 3) int32, wound
    counter-clockwise from outside; ``triangle_materials`` (F,) int8 into ``materials``; ``material_colors`` maps each
    material to its sRGB display colour, 0 to 1; ``vertex_colors`` (V, 3) float32 is the finer painting, sRGB 0 to 1.
    ``deltas`` (52, V, 3) float32 metres at value 1, in ``ARKIT_NAMES`` order. ``landmark_vertices`` (468,) int32: the
    vertex of each MediaPipe Face Mesh landmark. ``neck_pivot`` (3,): the point about which head pose turns.
    ``eye_centres`` (2, 3): left, right. ``upper_lip`` and ``lower_lip`` (L,) int32: vertices that touch at rest, pair
    by pair from the right corner to the left corner.

    ``face_uvs`` (F, 3, 2) float32: texture coordinates, 0 to 1, of each triangle's corners. ``head_weight`` (V,)
    float32: how far a vertex follows the head's rotation about ``neck_pivot``, 0 shoulders to 1 head. ``identities``
    maps each identity slider, -1 to 1, to its displacement (V, 3) float32 in metres at 1. ``correctives`` repair sums
    of shapes; they leave the vertical gap of the middle lip vertices as it is.
    """

    vertices: NDArray[np.float32]
    triangles: NDArray[np.int32]
    triangle_materials: NDArray[np.int8]
    materials: tuple[str, ...]
    material_colors: dict[str, tuple[float, float, float]]
    vertex_colors: NDArray[np.float32]
    deltas: NDArray[np.float32]
    landmark_vertices: NDArray[np.int32]
    neck_pivot: NDArray[np.float32]
    eye_centres: NDArray[np.float32]
    upper_lip: NDArray[np.int32]
    lower_lip: NDArray[np.int32]
    face_uvs: NDArray[np.float32]
    head_weight: NDArray[np.float32]
    identities: dict[str, NDArray[np.float32]]
    correctives: tuple[Corrective, ...]

    def deform(self, values: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        """Return vertex positions (..., V, 3) for shape values (..., 52), correctives included."""
        weights = np.asarray(values, dtype=np.float32)
        rows = weights.reshape(-1, ARKIT_COUNT)
        moved = rows @ self.deltas.reshape(ARKIT_COUNT, -1)
        for corrective in self.correctives:
            strength = corrective.strength(rows)
            active = np.flatnonzero(strength)
            if len(active):
                moved[active] += strength[active, None] * corrective.deltas.ravel()
        result: NDArray[np.float32] = self.vertices + moved.reshape(*weights.shape[:-1], *self.vertices.shape)
        return result

    def lip_gap(self, values: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        """Return the vertical distance (T,) in metres between the inner lips' middles for values (T, 52).

        Zero is closed; below zero the lower lip is above the upper.
        """
        middle = len(self.upper_lip) // 2
        upper, lower = int(self.upper_lip[middle]), int(self.lower_lip[middle])
        opening = self.deltas[:, upper, 1] - self.deltas[:, lower, 1]
        rest = self.vertices[upper, 1] - self.vertices[lower, 1]
        result: NDArray[np.float32] = rest + np.asarray(values, dtype=np.float32) @ opening
        return result


@cache
def load_proxy_avatar() -> ProxyAvatar:
    """Return the packaged avatar; the first call reads the asset, later calls return the same object."""
    return read_proxy_avatar(PROXY_AVATAR_FILE)


def read_proxy_avatar(path: Path) -> ProxyAvatar:
    """Return the avatar of an asset that the builder wrote."""
    with np.load(path, allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    materials = tuple(str(name) for name in arrays.pop("materials"))
    colours = arrays.pop("material_colors").tolist()
    count = len(arrays["vertices"])
    identity_names = [str(name) for name in arrays.pop("identity_names")]
    corrective_names = [str(name) for name in arrays.pop("corrective_names")]
    corrective_drivers = [tuple(int(n) for n in row if n >= 0) for row in arrays.pop("corrective_drivers")]
    identities = _displacements(arrays, "identity", len(identity_names), count)
    correctives = _displacements(arrays, "corrective", len(corrective_names), count)
    arrays["deltas"] = _displacements(arrays, "delta", ARKIT_COUNT, count)
    arrays["vertex_colors"] = arrays["vertex_colors"].astype(np.float32) / np.float32(255)
    for name in ("face_uvs", "head_weight"):
        arrays[name] = arrays[name].astype(np.float32) * np.float32(UNIT_STEP)
    for array in (*arrays.values(), identities, correctives):
        array.flags.writeable = False
    return ProxyAvatar(
        materials=materials,
        material_colors={name: (red, green, blue) for name, (red, green, blue) in zip(materials, colours, strict=True)},
        identities=dict(zip(identity_names, identities, strict=True)),
        correctives=tuple(map(Corrective, corrective_names, corrective_drivers, correctives)),
        **arrays,
    )


def _displacements(arrays: dict[str, NDArray[Any]], kind: str, shapes: int, count: int) -> NDArray[np.float32]:
    """Take one kind of displacements out of the asset's arrays and return them (shapes, count, 3) in metres."""
    result = np.zeros((shapes, count, 3), dtype=np.float32)
    steps = arrays.pop(f"{kind}_steps").astype(np.float32) * np.float32(DELTA_STEP)
    result[arrays.pop(f"{kind}_shape"), arrays.pop(f"{kind}_vertex")] = steps
    return result
