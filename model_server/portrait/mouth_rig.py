"""Places the inside of a portrait's mouth: what it was in the photograph and where a frame moves it."""

from __future__ import annotations

import numpy as np

from blendshape_rigs.arkit import ARKIT_INDEX

from .arrays import Bytes, Floats
from .fit import PortraitFit
from .motion import PortraitMotion
from .mouth import MouthInterior, MouthPose
from .photo import Photo
from .rig import LandmarkRig
from .topology import INNER_MOUTH

_TEETH_BEHIND_LIPS = 0.008  # metres
_LOWER_LIP = 14  # the front teeth behind it drop with it
_JAW_CHANNELS = [ARKIT_INDEX[name] for name in ("jawOpen", "jawForward", "jawLeft", "jawRight")]


class MouthRig:
    """The mouth of one portrait.

    Args:
        photo: the photograph.
        fit: its measured face.
        motion: what moves the portrait's mesh.
        rig: how ARKit shapes move a face.
    """

    def __init__(self, photo: Photo, fit: PortraitFit, motion: PortraitMotion, rig: LandmarkRig) -> None:
        self._fit, self._motion, self._rig = fit, motion, rig
        self._interior, self._anchor = _mouth_of(photo, fit)

    def pose(
        self, values: Floats, activity: float, shaped: Floats, points: Floats, rotation: Floats, move: Floats
    ) -> MouthPose:
        """Return one frame's mouth.

        Args:
            values: (52,) ARKit weights.
            activity: 0..1, see ``mouth_activity``.
            shaped: (V, 3) pixels in camera axes, the mesh with the expression alone.
            points: (V, 2) pixels of the picture, the mesh moved and turned.
            rotation: (3,) pitch, yaw, roll rad.
            move: (3,) metres.
        """
        jaw = np.zeros_like(values)
        jaw[_JAW_CHANNELS] = (values - activity * self._fit.expression)[_JAW_CHANNELS]
        drop = self._fit.scale * self._rig.move(jaw)[_LOWER_LIP] @ self._fit.rotation.T
        return MouthPose(
            points[list(INNER_MOUTH)],
            self._motion.rigid(self._anchor, rotation, move),
            self._motion.rigid(self._anchor, rotation, move, drop),
            1000 * self._motion.gap_change(shaped) / self._fit.scale,
        )

    def prepare(self, picture: Bytes, pose: MouthPose) -> None:
        """Paint lip skin over what shows between the resting lips in ``picture`` (H, W, 3 or 4)."""
        self._interior.prepare(picture, pose.change)

    def draw(self, frame: Bytes, pose: MouthPose) -> None:
        """Paint into ``frame`` (H, W, 3) uint8 what shows through the lips."""
        self._interior.draw(frame, pose)


def _mouth_of(photo: Photo, fit: PortraitFit) -> tuple[MouthInterior, Floats]:
    points, opening = fit.points, fit.points[list(INNER_MOUTH)]
    right = fit.rotation[:2, 0] / np.linalg.norm(fit.rotation[:2, 0]) * np.array([1, -1])
    down = -fit.rotation[:2, 1] / np.linalg.norm(fit.rotation[:2, 1]) * np.array([1, -1])
    anchor = fit.landmarks[[13, 78, 308]].mean(axis=0) - fit.scale * _TEETH_BEHIND_LIPS * fit.rotation[:, 2]
    # The corners keep the height of the resting lip line even when the lips part.
    middle = (points[13] + points[14]) / 2
    upper = (points[13] + points[[78, 308]].mean(axis=0)) / 2
    lower = np.where(points[14] @ down > middle @ down, points[14], middle)
    cheeks = np.round(points[[50, 280, 101, 330, 151]]).astype(int)
    patches = [photo.pixels[max(0, y - 1) : y + 2, max(0, x - 1) : x + 2].reshape(-1, 3) for x, y in cheeks]
    skin = np.median(np.concatenate(patches), axis=0).astype(np.float32)
    interior = MouthInterior(photo.pixels, opening, np.stack([right, down]), upper, lower, fit.scale / 1000, skin)
    return interior, anchor
