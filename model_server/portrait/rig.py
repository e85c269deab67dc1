"""The proxy avatar, reduced to what a portrait needs: its landmarks and how each ARKit shape moves them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from blendshape_rigs.avatar import ProxyAvatar

from .arrays import Floats, Reals


@dataclass(frozen=True)
class LandmarkRig:
    """Landmarks of the proxy avatar in metres: +X the subject's left, +Y up, +Z forward.

    Attributes:
        rest: (468, 3) float32, in the order of the MediaPipe Face Mesh.
        deltas: (52, 468, 3) float32, the movement of each full ARKit shape.
        neck_pivot: (3,) float32, the point about which the head turns.
    """

    rest: Floats
    deltas: Floats
    neck_pivot: Floats

    @classmethod
    def from_avatar(cls, avatar: ProxyAvatar) -> LandmarkRig:
        """Return the landmarks of ``avatar``."""
        index = avatar.landmark_vertices
        deltas = np.ascontiguousarray(avatar.deltas[:, index])
        return cls(avatar.vertices[index], deltas, np.asarray(avatar.neck_pivot, np.float32))

    def move(self, values: Reals) -> Floats:
        """Return (468, 3) metres of movement for (52,) weights."""
        flat = np.asarray(values, np.float32) @ self.deltas.reshape(len(self.deltas), -1)
        return np.asarray(flat.reshape(self.rest.shape), np.float32)

    def shape(self, values: Reals) -> Floats:
        """Return (468, 3) metres of the landmarks for (52,) weights."""
        return self.rest + self.move(values)
