"""Both eyes of a portrait, from ARKit weights: where the lids, the eyeballs and the gaze are in one frame."""

from __future__ import annotations

import numpy as np

from blendshape_rigs.arkit import ARKIT_INDEX

from .arrays import Bytes, Floats
from .eyes import Eye, EyePose
from .fit import PortraitFit
from .motion import PortraitMotion
from .photo import Photo
from .topology import EYE_LOOPS, IRIS_CENTRES, UPPER_LID_RINGS

_GAZE_REACH = (0.26, 0.14)  # of the eye's width, sideways and up or down


class EyeRig:
    """The eyes of one photograph. Keeps nothing between frames.

    Args:
        photo: the photograph.
        fit: its measured face.
        motion: how its mesh moves.
    """

    def __init__(self, photo: Photo, fit: PortraitFit, motion: PortraitMotion) -> None:
        self._fit, self._motion = fit, motion
        self._eyes = [_eye_of(photo, fit, side) for side in (0, 1)]

    def pose(self, values: Floats, points: Floats, rotation: Floats, move: Floats) -> tuple[EyePose, EyePose]:
        """Return the left and the right eye of a frame.

        Args:
            values: (52,) ARKit weights.
            points: (V, 2) moved vertices of the mesh, pixels of the picture.
            rotation: (3,) pitch, yaw, roll rad of the head relative to the photograph.
            move: (3,) metres of the head's translation.
        """
        return (self._side(0, values, points, rotation, move), self._side(1, values, points, rotation, move))

    def prepare(self, person: Bytes, poses: tuple[EyePose, EyePose]) -> None:
        """Change the resting picture (H, W, 3 or 4) before it is warped."""
        for eye, pose in zip(self._eyes, poses, strict=True):
            eye.prepare(person, pose.openness)

    def draw(self, frame: Bytes, poses: tuple[EyePose, EyePose]) -> None:
        """Paint both eyes into the warped ``frame`` (H, W, 3) uint8."""
        for eye, pose in zip(self._eyes, poses, strict=True):
            eye.draw(frame, pose)

    def _side(self, side: int, values: Floats, points: Floats, rotation: Floats, move: Floats) -> EyePose:
        name, outward = ("Left", "Right")[side], (1.0, -1.0)[side]
        look = {way: float(values[ARKIT_INDEX[f"eyeLook{way}{name}"]]) for way in ("In", "Out", "Up", "Down")}
        loop = list(EYE_LOOPS[side])
        width = float(np.ptp(self._fit.points[loop, 0]))
        gaze = np.array(
            [outward * (look["Out"] - look["In"]) * _GAZE_REACH[0], (look["Down"] - look["Up"]) * _GAZE_REACH[1]]
        )
        head = self._motion.rigid(self._fit.landmarks[loop].mean(axis=0), rotation, move)
        return EyePose(points[loop], head, (gaze * width).astype(np.float32), self._motion.lid_ratio(values, side))


def _eye_of(photo: Photo, fit: PortraitFit, side: int) -> Eye:
    centre = IRIS_CENTRES[side]
    picture = fit.landmarks[:, :2] * np.array([1, -1], np.float32)
    radius = float(np.linalg.norm(picture[centre + 1 : centre + 5] - picture[centre], axis=1).mean())
    crease = fit.points[list(UPPER_LID_RINGS[side][1])]
    return Eye(photo.pixels, fit.points[list(EYE_LOOPS[side])], crease, picture[centre], radius)
