"""A photograph held ready, so that single frames of it can be asked for: previews and picture sequences."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from blendshape_rigs.avatar import load_proxy_avatar
from blendshape_rigs.curves import FaceCurves
from model_server.errors import ConfigError
from model_server.portrait.fit import FaceChoice
from model_server.portrait.landmark_file import parse_landmarks
from model_server.portrait.motion import take_activity
from model_server.portrait.photo import Photo, photo_from_array, read_photo
from model_server.portrait.renderer import PortraitRenderer
from model_server.portrait.rig import LandmarkRig
from model_server.portrait.strengths import PortraitStrengths

__all__ = ["FaceChoice", "PortraitFrames", "PortraitStrengths", "placed_face"]

MINIMUM_SIDE, MAXIMUM_SIDE = 64, 1920
_SMALLEST_FACE = 48.0  # pixels across; a preview of a small face in a wide picture stays this large


class PortraitFrames:
    """One photograph whose face is found and measured. Safe to use from several threads.

    Attributes:
        faces: how many faces were found in it.
        notes: what a user should know, one sentence each.

    Args:
        path: the photograph.
        choice: which of its faces; by default the largest.
        maximum_side: longest side of the frames in pixels, 64 to 1920; None keeps the photograph's size. The frames
            are larger where the face would be too small to be animated.

    Raises:
        PortraitError: for an image that cannot be used.
        ConfigError: for a side out of range.
    """

    def __init__(self, path: Path, choice: FaceChoice | None = None, maximum_side: int | None = None) -> None:
        if maximum_side is not None and not MINIMUM_SIDE <= maximum_side <= MAXIMUM_SIDE:
            raise ConfigError(f"the longest side is {maximum_side}; give {MINIMUM_SIDE} to {MAXIMUM_SIDE} pixels")
        renderer = PortraitRenderer(read_photo(path), choice=choice)
        self.faces = renderer.fit.faces
        self.notes = renderer.fit.notes
        if maximum_side is not None:
            renderer = _smaller(renderer, maximum_side)
        self._renderer = renderer
        self._lock = threading.Lock()

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the frames in pixels."""
        return self._renderer.size

    def frames(
        self,
        curves: FaceCurves,
        first: int = 0,
        count: int = 1,
        strengths: PortraitStrengths | None = None,
        background: bool = True,
    ) -> npt.NDArray[np.uint8]:
        """Return ``count`` frames (count, H, W, 3) uint8 RGB, or (count, H, W, 4) RGBA without the background.

        Args:
            curves: a piece of a take. Neighbours of the frames asked for belong to it: how far the mouth leaves the
                photograph's own expression depends on a second before and after.
            first: index in ``curves`` of the first frame.
            count: how many.
            strengths: how strongly the portrait follows; by default as the curves say.
            background: False leaves out what lies behind the person.

        Raises:
            ConfigError: for frames that ``curves`` does not have.
        """
        if first < 0 or count < 1 or first + count > len(curves):
            raise ConfigError(f"frames {first} to {first + count - 1} are asked for; {len(curves)} were sent")
        activity = take_activity(curves.values, curves.fps)
        curves = (strengths or PortraitStrengths()).apply(curves)
        with self._lock:
            render = self._renderer.render if background else self._renderer.render_person
            return np.stack(
                [
                    render(curves.values[i], curves.head_rotation[i], curves.head_translation[i], float(activity[i]))
                    for i in range(first, first + count)
                ]
            )


def placed_face(path: Path, landmarks: object) -> FaceChoice:
    """Return where the face of a photograph lies that is marked by hand.

    Args:
        path: the photograph.
        landmarks: what the JSON of a landmark file holds.

    Raises:
        PortraitError: for an image that cannot be used, or landmarks that are none.
    """
    rig = LandmarkRig.from_avatar(load_proxy_avatar())
    return FaceChoice(landmarks=parse_landmarks(landmarks, read_photo(path), rig, "landmarks"))


def _smaller(renderer: PortraitRenderer, maximum_side: int) -> PortraitRenderer:
    """Return a renderer of the same face at a smaller size."""
    photo, fit = renderer.photo, renderer.fit
    scale = max(maximum_side / max(renderer.size), _SMALLEST_FACE / fit.face_width)
    if scale >= 1:
        return renderer
    small = _resized(photo, scale)
    width, height = small.pixels.shape[1], small.pixels.shape[0]
    picture = fit.landmarks[:, :2] * np.array([1, -1], np.float32)
    landmarks = picture * np.array([width / renderer.size[0], height / renderer.size[1]], np.float32)
    return PortraitRenderer(small, choice=FaceChoice(landmarks=landmarks))


def _resized(photo: Photo, scale: float) -> Photo:
    size = tuple(2 * max(1, round(side * scale / 2)) for side in photo.pixels.shape[1::-1])
    small = photo_from_array(np.asarray(cv2.resize(photo.pixels, size, interpolation=cv2.INTER_AREA)), photo.name)
    if photo.opacity is None:
        return small
    return replace(small, opacity=np.asarray(cv2.resize(photo.opacity, size, interpolation=cv2.INTER_AREA)))
