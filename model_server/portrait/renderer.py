"""Renders one portrait, frame by frame: everything about the photograph is prepared once."""

from __future__ import annotations

import cv2
import numpy as np

from blendshape_rigs.arkit import ARKIT_INDEX
from blendshape_rigs.avatar import load_proxy_avatar

from .arrays import Bytes, Floats, Reals
from .eye_rig import EyeRig
from .fit import FaceChoice, PortraitFit, fit_portrait
from .layers import PersonLayers, person_matte, split_layers
from .mesh import build_mesh
from .motion import PortraitMotion, in_picture, mouth_activity
from .mouth import MouthInterior, MouthPose
from .photo import Photo
from .rig import LandmarkRig
from .topology import INNER_MOUTH
from .warp import MeshWarp

_TEETH_BEHIND_LIPS = 0.008  # metres
_LOWER_LIP = 14  # the front teeth behind it drop with it
_JAW_CHANNELS = [ARKIT_INDEX[name] for name in ("jawOpen", "jawForward", "jawLeft", "jawRight")]


class PortraitRenderer:
    """Animates one photograph. ``render`` keeps nothing between frames: the same input gives the same picture.

    Args:
        photo: the photograph.
        rig: how ARKit shapes move a face; by default the proxy avatar's.
        choice: which face, or where it is; by default the largest that is found.

    Raises:
        PortraitError: when no usable face is in the photograph.
    """

    def __init__(self, photo: Photo, rig: LandmarkRig | None = None, *, choice: FaceChoice | None = None) -> None:
        rig = rig or LandmarkRig.from_avatar(load_proxy_avatar())
        self.photo, self._rig = photo, rig
        self.fit = fit_portrait(photo, rig, choice)
        matte = person_matte(photo, self.fit)
        mesh = build_mesh(self.fit, matte, self.fit.to_camera(rig.neck_pivot))
        self.motion = PortraitMotion(self.fit, mesh, rig)
        self._layers: PersonLayers = split_layers(photo, matte, self.fit.face_width)
        left, top, right, bottom = mesh.roi
        self._corner = np.array([left, top], np.float32)
        self._region = (slice(top, bottom), slice(left, right))
        self._rest_points = in_picture(mesh.points)
        self._warp = MeshWarp(
            self._rest_points - self._corner, mesh.triangles, mesh.holes, (bottom - top, right - left)
        )
        self._mouth, self._mouth_anchor = _mouth_of(photo, self.fit)
        self._eyes = EyeRig(photo, self.fit, self.motion)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the frames in pixels; both even."""
        return self.photo.pixels.shape[1], self.photo.pixels.shape[0]

    def render(
        self,
        values: Reals,
        head_rotation: Reals | None = None,
        head_translation: Reals | None = None,
        activity: float | None = None,
    ) -> Bytes:
        """Return one frame (H, W, 3) uint8 RGB.

        Args:
            values: (52,) ARKit weights.
            head_rotation: (3,) pitch, yaw, roll rad relative to the photograph; eased into ±10°, ±15°, ±20°.
            head_translation: (3,) metres.
            activity: how far the mouth follows the curves instead of the photograph, see ``mouth_activity``.
        """
        values = np.clip(np.asarray(values, np.float32), 0, 1)
        rotation = np.zeros(3, np.float32) if head_rotation is None else np.asarray(head_rotation, np.float32)
        move = np.zeros(3, np.float32) if head_translation is None else np.asarray(head_translation, np.float32)
        if activity is None:
            activity = float(mouth_activity(values[None])[0])
        shaped = self.motion.expression(values, activity)
        moved = self.motion.turn(shaped, rotation, move)
        points = in_picture(moved)

        eyes = self._eyes.pose(values, points, rotation, move)
        mouth = self._mouth_pose(values, activity, shaped, points, rotation, move)
        person = self._layers.person.copy()
        self._eyes.prepare(person, eyes)
        self._mouth.prepare(person, mouth.change)

        frame = self.photo.pixels.copy()
        frame[self._region] = self._warped(person, points, moved[:, 2])
        self._eyes.draw(frame, eyes)
        self._mouth.draw(frame, mouth)
        return frame

    def _warped(self, person: Bytes, points: Floats, depth: Floats) -> Bytes:
        column, row = self._warp.maps(points - self._corner, depth)
        column += self._corner[0]
        row += self._corner[1]
        person = cv2.remap(person, column, row, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        behind = cv2.cvtColor(255 - person[:, :, 3], cv2.COLOR_GRAY2BGR)
        seen = cv2.multiply(np.ascontiguousarray(self._layers.background[self._region]), behind, scale=1 / 255)
        return np.asarray(cv2.add(np.ascontiguousarray(person[:, :, :3]), seen), np.uint8)

    def _mouth_pose(
        self, values: Floats, activity: float, shaped: Floats, points: Floats, rotation: Floats, move: Floats
    ) -> MouthPose:
        jaw = np.zeros_like(values)
        jaw[_JAW_CHANNELS] = (values - activity * self.fit.expression)[_JAW_CHANNELS]
        drop = self.fit.scale * self._rig.move(jaw)[_LOWER_LIP] @ self.fit.rotation.T
        change = self.motion.gap_change(shaped)
        return MouthPose(
            points[list(INNER_MOUTH)],
            self.motion.rigid(self._mouth_anchor, rotation, move),
            self.motion.rigid(self._mouth_anchor, rotation, move, drop),
            1000 * change / self.fit.scale,
        )


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
