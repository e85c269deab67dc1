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

    def deform(self, values: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        """Return vertex positions (..., V, 3) for shape values (..., 52)."""
        weights = np.asarray(values, dtype=np.float32)
        moved = weights.reshape(-1, ARKIT_COUNT) @ self.deltas.reshape(ARKIT_COUNT, -1)
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
    deltas = np.zeros((ARKIT_COUNT, len(arrays["vertices"]), 3), dtype=np.float32)
    steps = arrays.pop("delta_steps").astype(np.float32) * np.float32(DELTA_STEP)
    deltas[arrays.pop("delta_shape"), arrays.pop("delta_vertex")] = steps
    arrays["vertex_colors"] = arrays["vertex_colors"].astype(np.float32) / np.float32(255)
    arrays["deltas"] = deltas
    for array in arrays.values():
        array.flags.writeable = False
    return ProxyAvatar(
        materials=materials,
        material_colors={name: (red, green, blue) for name, (red, green, blue) in zip(materials, colours, strict=True)},
        **arrays,
    )
