"""Renders one portrait, frame by frame: everything about the photograph is prepared once."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from blendshape_rigs.arkit import ARKIT_COUNT
from blendshape_rigs.avatar import load_proxy_avatar
from blendshape_rigs.face_mesh import LANDMARKS
from model_server.errors import PortraitError

from .arrays import Bytes, Floats, Reals
from .calibration import turn_corrections
from .eye_rig import EyeRig
from .fit import FaceChoice, fit_portrait
from .glasses import find_glasses
from .lip_line import with_lip_line
from .matte import person_matte
from .mesh import build_mesh
from .motion import PortraitMotion, in_picture, mouth_activity
from .mouth import MouthPose
from .mouth_rig import MouthRig
from .person import PersonLayers, split_layers
from .photo import Photo
from .rig import LandmarkRig
from .warp import MeshWarp

_DETAILED = 0.2  # face widths around the face where each pixel is mapped by itself: parts overlap there


@dataclass(frozen=True)
class _Pose:
    """One frame: weights (52,), vertices (V, 2) pixels and (V,) nearness, the mouth, and what tells frames apart."""

    values: Floats
    points: Floats
    depth: Floats
    mouth: MouthPose
    key: bytes


class PortraitRenderer:
    """Animates one photograph. The same input gives the same picture, whatever came before; the last one is kept.

    Args:
        photo: the photograph.
        rig: how ARKit shapes move a face; by default the proxy avatar's.
        choice: which face, or where it is; by default the largest that is found.

    Attributes:
        separable: whether the person could be told from the background; ``render_person`` needs it.

    Raises:
        PortraitError: when no usable face is in the photograph.
    """

    def __init__(self, photo: Photo, rig: LandmarkRig | None = None, *, choice: FaceChoice | None = None) -> None:
        rig = rig or LandmarkRig.from_avatar(load_proxy_avatar())
        self.photo, self._rig = photo, rig
        self.fit = with_lip_line(photo.pixels, fit_portrait(photo, rig, choice))
        matte = person_matte(photo, self.fit)
        mesh = build_mesh(self.fit, matte, self.fit.to_camera(rig.neck_pivot))
        glasses = find_glasses(photo.pixels, self.fit)
        self.motion = PortraitMotion(self.fit, mesh, rig, None if glasses is None else glasses.held)
        self._layers: PersonLayers = split_layers(photo, matte, self.fit.face_width)
        left, top, right, bottom = mesh.roi
        self._corner = np.array([left, top], np.float32)
        self._region = (slice(top, bottom), slice(left, right))
        self._behind = np.ascontiguousarray(self._layers.background[self._region])
        self.separable = matte.separable
        self._rest_points = in_picture(mesh.points)
        self._warp = MeshWarp(
            self._rest_points - self._corner,
            mesh.triangles,
            mesh.holes,
            (bottom - top, right - left),
            LANDMARKS,
            round(_DETAILED * self.fit.face_width),
        )
        self._mouth = MouthRig(photo, self.fit, self.motion, rig)
        self._eyes = EyeRig(photo, self.fit, self.motion, glasses)
        self._last: tuple[bytes, Bytes] | None = None
        pitch, yaw = turn_corrections(lambda turn: self.render(np.zeros(ARKIT_COUNT), turn), self.fit)
        self.motion.gains = (pitch * self.motion.gains[0], yaw * self.motion.gains[1])

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
            head_translation: (3,) metres; eased into 0.03.
            activity: how far the mouth follows the curves instead of the photograph, see ``mouth_activity``.
        """
        pose = self._posed(values, head_rotation, head_translation, activity)
        key, last = pose.key, self._last
        if last is not None and last[0] == key:
            return last[1].copy()
        person = self._warped(pose)
        behind = cv2.cvtColor(cv2.bitwise_not(person[:, :, 3]), cv2.COLOR_GRAY2RGB)
        seen = cv2.multiply(self._behind, behind, scale=1 / 255)
        frame = self.photo.pixels.copy()
        frame[self._region] = cv2.add(cv2.cvtColor(person, cv2.COLOR_RGBA2RGB), seen)
        self._mouth.draw(frame, pose.mouth)
        self._last = (key, frame.copy())
        return frame

    def render_person(
        self,
        values: Reals,
        head_rotation: Reals | None = None,
        head_translation: Reals | None = None,
        activity: float | None = None,
    ) -> Bytes:
        """Return one frame (H, W, 4) uint8 RGBA of the person alone, straight alpha. Arguments as of ``render``.

        Raises:
            PortraitError: where the person could not be told from the background.
        """
        if not self.separable:
            raise PortraitError(
                f"the person in '{self.photo.name}' could not be told from the background; keep the background, "
                "or give a picture with transparency"
            )
        pose = self._posed(values, head_rotation, head_translation, activity)
        border = self._layers.border
        person = self._layers.person[border:-border, border:-border].copy()
        person[self._region] = self._warped(pose)
        colour = np.ascontiguousarray(person[:, :, :3])
        self._mouth.draw(colour, pose.mouth)
        alpha = person[:, :, 3]
        edge = (alpha > 0) & (alpha < 255)
        person[:, :, :3] = colour
        straight = colour[edge] * (255.0 / alpha[edge][:, None])
        person[edge, :3] = np.minimum(np.round(straight), 255)
        return person

    def _posed(
        self, values: Reals, head_rotation: Reals | None, head_translation: Reals | None, activity: float | None
    ) -> _Pose:
        values = np.clip(np.asarray(values, np.float32), 0, 1)
        rotation = np.zeros(3, np.float32) if head_rotation is None else np.asarray(head_rotation, np.float32)
        move = np.zeros(3, np.float32) if head_translation is None else np.asarray(head_translation, np.float32)
        if activity is None:
            activity = float(mouth_activity(values[None])[0])
        shaped = self.motion.expression(values, activity)
        moved = self.motion.turn(shaped, rotation, move)
        points = in_picture(moved)
        mouth = self._mouth.pose(values, activity, shaped, points, rotation, move)
        return _Pose(
            values, points, moved[:, 2], mouth, values.tobytes() + moved.tobytes() + bytes(str(activity), "ascii")
        )

    def flow(
        self,
        values: Reals,
        head_rotation: Reals | None = None,
        head_translation: Reals | None = None,
        activity: float | None = None,
    ) -> tuple[Floats, Floats]:
        """Return (h, w) float32 columns and rows of the photograph that a frame shows where it moves."""
        return self._maps(self._posed(values, head_rotation, head_translation, activity))

    def _maps(self, pose: _Pose) -> tuple[Floats, Floats]:
        """Return (h, w) columns and rows of the photograph for the region that moves."""
        column, row = self._warp.maps(pose.points - self._corner, pose.depth)
        column += self._corner[0]
        row += self._corner[1]
        return column, row

    def _warped(self, pose: _Pose) -> Bytes:
        """Return the person (h, w, 4), premultiplied, in the region that moves."""
        border = self._layers.border
        layer = self._layers.person.copy()
        inner = layer[border:-border, border:-border]
        self._eyes.paint(inner, pose.values)
        self._mouth.prepare(inner, pose.mouth)
        column, row = self._maps(pose)
        column += border
        row += border
        person = cv2.remap(layer, column, row, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(person, np.uint8)
