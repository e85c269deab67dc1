"""Renders one portrait, frame by frame: everything about the photograph is prepared once."""

from __future__ import annotations

import cv2
import numpy as np

from blendshape_rigs.arkit import ARKIT_INDEX
from blendshape_rigs.avatar import load_proxy_avatar

from .arrays import Bytes, Floats, Reals
from .eyes import Eye, EyePose
from .fit import FaceChoice, PortraitFit, fit_portrait
from .layers import PersonLayers, person_matte, split_layers
from .mesh import build_mesh
from .motion import PortraitMotion, mouth_activity
from .mouth import MouthInterior, MouthPose
from .photo import Photo
from .rig import LandmarkRig
from .topology import EYE_LOOPS, INNER_MOUTH, IRIS_CENTRES, UPPER_LID_RINGS
from .warp import MeshWarp

_TEETH_BEHIND_LIPS = 0.008  # metres
_LOWER_LIP = 14  # the front teeth behind it drop with it
_GAZE_REACH = (0.26, 0.14)  # of the eye's width, sideways and up or down
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
        self._rest_points = _picture(mesh.points)
        self._warp = MeshWarp(
            self._rest_points - self._corner, mesh.triangles, mesh.holes, (bottom - top, right - left)
        )
        self._mouth, self._mouth_anchor = _mouth_of(photo, self.fit)
        self._eyes = [_eye_of(photo, self.fit, side) for side in (0, 1)]

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
        points = _picture(moved)

        eyes = [self._eye_pose(side, values, points, rotation, move) for side in (0, 1)]
        mouth = self._mouth_pose(values, activity, shaped, points, rotation, move)
        person = self._layers.person.copy()
        for eye, pose in zip(self._eyes, eyes, strict=True):
            eye.prepare(person, pose.openness)
        self._mouth.prepare(person, mouth.change)

        frame = self.photo.pixels.copy()
        frame[self._region] = self._warped(person, points, moved[:, 2])
        for eye, pose in zip(self._eyes, eyes, strict=True):
            eye.draw(frame, pose)
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

    def _rigid(self, anchor: Floats, rotation: Floats, move: Floats, extra: Floats | float = 0.0) -> Floats:
        """Return (2, 3): resting to moved picture pixels near ``anchor`` (3,), for what is fixed to the skull."""
        arms = np.array([[0, 0, 0], [1, 0, 0], [0, -1, 0]], np.float32) * 10
        moved = _picture(self.motion.turn_rigid(anchor + arms + extra, rotation, move))
        rest = _picture(anchor + arms)
        return np.asarray(cv2.getAffineTransform(rest, moved), np.float32)

    def _mouth_pose(
        self, values: Floats, activity: float, shaped: Floats, points: Floats, rotation: Floats, move: Floats
    ) -> MouthPose:
        jaw = np.zeros_like(values)
        jaw[_JAW_CHANNELS] = (values - activity * self.fit.expression)[_JAW_CHANNELS]
        drop = self.fit.scale * self._rig.move(jaw)[_LOWER_LIP] @ self.fit.rotation.T
        change = self.motion.gap_change(shaped)
        return MouthPose(
            points[list(INNER_MOUTH)],
            self._rigid(self._mouth_anchor, rotation, move),
            self._rigid(self._mouth_anchor, rotation, move, drop),
            1000 * change / self.fit.scale,
        )

    def _eye_pose(self, side: int, values: Floats, points: Floats, rotation: Floats, move: Floats) -> EyePose:
        name = ("Left", "Right")[side]
        look = {way: float(values[ARKIT_INDEX[f"eyeLook{way}{name}"]]) for way in ("In", "Out", "Up", "Down")}
        outward = (1.0, -1.0)[side]
        width = float(np.ptp(self._rest_points[list(EYE_LOOPS[side]), 0]))
        gaze = np.array(
            [outward * (look["Out"] - look["In"]) * _GAZE_REACH[0], (look["Down"] - look["Up"]) * _GAZE_REACH[1]]
        )
        anchor = self.fit.landmarks[list(EYE_LOOPS[side])].mean(axis=0)
        openness = self.motion.lid_ratio(values, side)
        return EyePose(
            points[list(EYE_LOOPS[side])],
            self._rigid(anchor, rotation, move),
            (gaze * width).astype(np.float32),
            openness,
        )


def _picture(points: Floats) -> Floats:
    """Return (N, 2) float32 columns and rows of points (N, 3) in camera axes."""
    return np.ascontiguousarray(points[:, :2] * np.array([1, -1], np.float32))


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


def _eye_of(photo: Photo, fit: PortraitFit, side: int) -> Eye:
    centre = IRIS_CENTRES[side]
    picture = fit.landmarks[:, :2] * np.array([1, -1], np.float32)
    radius = float(np.linalg.norm(picture[centre + 1 : centre + 5] - picture[centre], axis=1).mean())
    crease = fit.points[list(UPPER_LID_RINGS[side][1])]
    return Eye(photo.pixels, fit.points[list(EYE_LOOPS[side])], crease, picture[centre], radius)
