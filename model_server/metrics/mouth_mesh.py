"""Distances in the mouth of the proxy avatar, in metres, for ARKit weights over time.

The mesh is a head of human size, its shapes add up linearly, so every distance is a fixed combination of the channels.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from blendshape_rigs.arkit import ARKIT_INDEX
from blendshape_rigs.avatar import ProxyAvatar, load_proxy_avatar

FloatArray = npt.NDArray[np.floating[Any]]
Result = npt.NDArray[np.float32]

_INCISOR_HALF_WIDTH = 0.006


@dataclass(frozen=True)
class MouthMesh:
    """Vertices of the mouth: the corners and the edges of the incisors."""

    avatar: ProxyAvatar
    right_corner: int
    left_corner: int
    upper_incisor: int
    lower_incisor: int

    def lip_gap(self, values: FloatArray) -> Result:
        """Return (T,) metres between the middles of the inner lips for (T, 52) weights; 0 is closed."""
        return self.avatar.lip_gap(values[:, :52])

    def width(self, values: FloatArray) -> Result:
        """Return (T,) metres between the corners of the mouth for (T, 52) weights; rounding makes it narrow."""
        return self._apart(self.left_corner, self.right_corner, 0, values)

    def teeth_gap(self, values: FloatArray) -> Result:
        """Return (T,) vertical metres between the edges of the incisors for (T, 52) weights."""
        return self._apart(self.upper_incisor, self.lower_incisor, 1, values)

    def _apart(self, first: int, second: int, axis: int, values: FloatArray) -> Result:
        vertices, deltas = self.avatar.vertices, self.avatar.deltas
        rest = vertices[first, axis] - vertices[second, axis]
        change = deltas[:, first, axis] - deltas[:, second, axis]
        return np.asarray(rest + np.asarray(values[:, :52], np.float32) @ change, np.float32)


@cache
def load_mouth_mesh() -> MouthMesh:
    """Return the mouth of the packaged avatar."""
    avatar = load_proxy_avatar()
    teeth = np.unique(avatar.triangles[avatar.triangle_materials == avatar.materials.index("teeth")])
    front = teeth[np.abs(avatar.vertices[teeth, 0]) < _INCISOR_HALF_WIDTH]
    # The lower teeth are those that the jaw carries along.
    is_lower = np.abs(avatar.deltas[ARKIT_INDEX["jawOpen"], front]).sum(axis=1) > 1e-3
    upper, lower = front[~is_lower], front[is_lower]
    return MouthMesh(
        avatar,
        int(avatar.upper_lip[0]),
        int(avatar.upper_lip[-1]),
        int(upper[avatar.vertices[upper, 1].argmin()]),
        int(lower[avatar.vertices[lower, 1].argmax()]),
    )
