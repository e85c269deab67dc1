"""Both eyes of a portrait, from ARKit weights: where lids and gaze are in one frame."""

from __future__ import annotations

import cv2
import numpy as np

from blendshape_rigs.arkit import ARKIT_INDEX

from .arrays import Bytes, Floats
from .eyes import Eye, EyePose
from .eyes_shape import EyeShape, eye_shape
from .fit import PortraitFit
from .glasses import Glasses
from .motion import PortraitMotion
from .photo import Photo
from .topology import IRIS_CENTRES, LOWER_LID_RINGS, UPPER_LID_RINGS

# Radians at a full eyeLook shape, as the proxy avatar's eyeballs turn.
_SIDEWAYS, _UP, _DOWN = np.radians([30.0, 24.0, 28.0])
_WIDEST = 1.45  # of the avatar's opening at rest: eyes open so far in the photograph open no further
_CALM_SKIN = (50, 280, 205, 425, 151, 108, 337)  # cheeks and forehead


class EyeRig:
    """The eyes of one photograph. Keeps nothing between frames.

    Args:
        photo: the photograph.
        fit: its measured face.
        motion: how its mesh moves.
        glasses: what lies before the eyes.
    """

    def __init__(self, photo: Photo, fit: PortraitFit, motion: PortraitMotion, glasses: Glasses | None = None) -> None:
        self._fit, self._motion = fit, motion
        front = np.zeros(photo.pixels.shape[:2], np.float32) if glasses is None else glasses.front
        self._shapes = [_shape_of(fit, photo, side) for side in (0, 1)]
        self._eyes = [_eye_of(photo, fit, side, self._shapes[side], front) for side in (0, 1)]

    def pose(self, values: Floats) -> tuple[EyePose, EyePose]:
        """Return the left and the right eye for (52,) ARKit weights."""
        return (self._side(values, 0), self._side(values, 1))

    def paint(self, person: Bytes, values: Floats) -> None:
        """Paint both eyes into the resting picture (H, W, 3 or 4) uint8 for (52,) ARKit weights."""
        for eye, pose in zip(self._eyes, self.pose(values), strict=True):
            eye.paint(person, pose)

    def _side(self, values: Floats, side: int) -> EyePose:
        name, outward = ("Left", "Right")[side], (1.0, -1.0)[side]
        look = {way: float(values[ARKIT_INDEX[f"eyeLook{way}{name}"]]) for way in ("In", "Out", "Up", "Down")}
        gaze = (outward * (look["Out"] - look["In"]) * _SIDEWAYS, look["Down"] * _DOWN - look["Up"] * _UP)
        upper, lower = self._motion.lid_moves(values, side)
        squint = float(max(values[ARKIT_INDEX[f"eyeSquint{name}"]], 0.7 * values[ARKIT_INDEX[f"cheekSquint{name}"]]))
        # Lids rise by millimetres, not by a share of the opening: narrow eyes widen too, wide eyes hardly.
        usual = self._motion.rig_opening(side) * self._fit.scale
        seen = float(self._shapes[side].gap.max()) / usual
        room = float(np.clip((_WIDEST - seen) / (_WIDEST - 1), 0.2, 1))
        rise = max(0.0, -upper) * usual * room
        return EyePose(max(0.0, upper), lower, rise, (float(gaze[0]), float(gaze[1])), squint)


def _shape_of(fit: PortraitFit, photo: Photo, side: int) -> EyeShape:
    upper = [fit.points[list(ring)] for ring in UPPER_LID_RINGS[side]]
    lower = [fit.points[list(ring)] for ring in LOWER_LID_RINGS[side]]
    return eye_shape(upper, lower, (photo.pixels.shape[0], photo.pixels.shape[1]))


def _eye_of(photo: Photo, fit: PortraitFit, side: int, shape: EyeShape, front: Floats) -> Eye:
    centre = IRIS_CENTRES[side]
    picture = fit.landmarks[:, :2] * np.array([1, -1], np.float32)
    radius = float(np.linalg.norm(picture[centre + 1 : centre + 5] - picture[centre], axis=1).mean())
    return Eye(photo.pixels, shape, picture[centre], radius, front, _grain(photo, fit, shape.u.shape))


def _grain(photo: Photo, fit: PortraitFit, size: tuple[int, ...]) -> Floats:
    """Return (h, w) float32: the fine structure of the calmest skin of the face, laid side by side."""
    half = max(4, int(0.07 * fit.face_width))
    patches = []
    for x, y in np.round(fit.points[list(_CALM_SKIN)]).astype(int):
        patch = photo.pixels[max(0, y - half) : y + half, max(0, x - half) : x + half].astype(np.float32)
        if min(patch.shape[:2]) >= 4:
            level = patch.mean(axis=2)
            patches.append(level - cv2.GaussianBlur(level, (0, 0), max(1.0, 0.012 * fit.face_width)))
    if not patches:
        return np.zeros(size, np.float32)
    calm = min(patches, key=lambda patch: float(patch.std()))
    # A mole, a hair or the rim of glasses is no grain.
    calm = np.clip(calm, *np.percentile(calm, [3, 97]))
    room = [max(0, wanted - have) for wanted, have in zip(size, calm.shape, strict=True)]
    return np.asarray(np.pad(calm, [(0, room[0]), (0, room[1])], "symmetric")[: size[0], : size[1]], np.float32)
