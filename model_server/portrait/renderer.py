"""Renders one portrait, frame by frame: everything about the photograph is prepared once."""

from __future__ import annotations

import cv2
import numpy as np

from blendshape_rigs.avatar import load_proxy_avatar

from .arrays import Bytes, Floats, Reals
from .eye_rig import EyeRig
from .fit import FaceChoice, fit_portrait
from .matte import person_matte
from .lip_line import with_lip_line
from .mesh import build_mesh
from .motion import PortraitMotion, in_picture, mouth_activity
from .mouth_rig import MouthRig
from .person import PersonLayers, split_layers
from .photo import Photo
from .rig import LandmarkRig
from .warp import MeshWarp


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
        self.fit = with_lip_line(photo.pixels, fit_portrait(photo, rig, choice))
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
        self._mouth = MouthRig(photo, self.fit, self.motion, rig)
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

        mouth = self._mouth.pose(values, activity, shaped, points, rotation, move)
        border = self._layers.border
        layer = self._layers.person.copy()
        inner = layer[border:-border, border:-border]
        self._eyes.paint(inner, values)
        self._mouth.prepare(inner, mouth)

        frame = self.photo.pixels.copy()
        frame[self._region] = self._warped(layer, points, moved[:, 2])
        self._mouth.draw(frame, mouth)
        return frame

    def _warped(self, person: Bytes, points: Floats, depth: Floats) -> Bytes:
        column, row = self._warp.maps(points - self._corner, depth)
        column += self._corner[0] + self._layers.border
        row += self._corner[1] + self._layers.border
        person = cv2.remap(person, column, row, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        behind = cv2.cvtColor(255 - person[:, :, 3], cv2.COLOR_GRAY2BGR)
        seen = cv2.multiply(np.ascontiguousarray(self._layers.background[self._region]), behind, scale=1 / 255)
        return np.asarray(cv2.add(np.ascontiguousarray(person[:, :, :3]), seen), np.uint8)
