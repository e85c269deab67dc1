"""A face video to curves: MediaPipe's blendshape scores and head pose, at an even frame rate.

The scores are taken as they are. They are no measurement: mouth and lids follow well, cheeks, nose and the jaw's
sideways travel weakly, the tongue not at all, and faces differ in the score of their rest pose.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from blendshape_rigs.avatar import load_proxy_avatar
from blendshape_rigs.curves import FaceCurves, Provenance
from blendshape_rigs.filters import interpolate
from blendshape_rigs.formats.livelink import USUAL_RATES
from model_server.errors import CaptureError
from model_server.portrait.fit import rotation_angles

from .face_landmarker import SeenFace, find_model, model_hash, open_landmarker
from .video_frames import open_video

MAXIMUM_SECONDS = 4 * 3600.0

# Landmarks 33 and 263, the outer corners of the eyes, in MediaPipe's canonical face model: centimetres.
_EYE_CORNERS = (33, 263)
_CANONICAL_CORNER_SPACING = 8.891718
_CANONICAL_CORNER_MIDDLE = np.array([0.0, 2.663991, 3.173422])
_MOST_FRAMES = 1_000_000
_RATES = (1.0, 240.0)

FloatArray = npt.NDArray[np.float64]
Progress = Callable[[float], None]
"""Called with the seconds of video that are done; may raise to stop."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class CapturedFace:
    """Curves and where they were seen.

    Attributes:
        curves: the curves; 0 s is the start of the container, as in ``model_server.audio.decode``.
        seen: (T,) bool, whether the face was found at each frame; elsewhere the curves bridge the gap.
    """

    curves: FaceCurves
    seen: npt.NDArray[np.bool_]


def capture_video(path: Path, model: Path | None = None, progress: Progress | None = None) -> FaceCurves:
    """Return the curves of the face in a video; what was bridged for want of a face is logged as a warning.

    Args:
        path: a video of one face.
        model: MediaPipe's ``face_landmarker.task``; by default the file that ``DREAMTALK_FACE_LANDMARKER`` names.
        progress: called with the seconds of video that are done.

    Raises:
        CaptureError: for a file that is no video, is too long, or shows no face.
        WeightsError: for a model that is missing or broken.
    """
    return capture_face(path, model, progress).curves


def capture_face(path: Path, model: Path | None = None, progress: Progress | None = None) -> CapturedFace:
    """Return the curves of the face in a video and where it was seen. See :func:`capture_video`.

    Head rotation is relative to the camera. Head translation is that of the point where the head turns on the
    neck, relative to its median place in the clip; MediaPipe takes the lens to see 63° from top to bottom and the
    face to be of average size, so distances are rough.
    """
    model = find_model(model)
    times: list[float] = []
    faces: list[SeenFace | None] = []
    with open_video(path) as video, open_landmarker(model) as landmarker:
        if video.duration is not None and video.duration > MAXIMUM_SECONDS:
            raise CaptureError(f"'{path.name}' is longer than {MAXIMUM_SECONDS / 3600:g} h; cut it")
        for frame in video.frames():
            if frame.time > MAXIMUM_SECONDS or len(times) >= _MOST_FRAMES:
                raise CaptureError(f"'{path.name}' is longer than {MAXIMUM_SECONDS / 3600:g} h; cut it")
            times.append(frame.time)
            faces.append(landmarker.see(frame.pixels, frame.time))
            if progress is not None:
                progress(frame.time)
    if not times:
        raise CaptureError(f"'{path.name}' holds no pictures that can be decoded; export it again as MP4")
    captured = _on_even_grid(np.array(times), faces, path.name)
    _report_gaps(captured, path.name)
    provenance = Provenance(source="capture", model_hash=model_hash(model))
    return CapturedFace(captured.curves.with_stacked(captured.curves.stacked(), provenance=provenance), captured.seen)


def _on_even_grid(times: FloatArray, faces: list[SeenFace | None], name: str) -> CapturedFace:
    found = [face for face in faces if face is not None]
    if not found:
        raise CaptureError(f"no face was found in '{name}'; film one face from the front, well lit")
    has_face = np.array([face is not None for face in faces])
    values = np.stack([face.values for face in found])
    rotation, translation = head_pose(np.stack([face.pose for face in found]))
    stacked = np.concatenate([values, rotation, translation], axis=1)
    fps = _frame_rate(times)
    count = 1 + int(np.floor((times[-1] - times[0]) * fps + 0.01))
    if count > _MOST_FRAMES:
        raise CaptureError(f"'{name}' has more than {_MOST_FRAMES} frames; cut it")
    at = times[0] + np.arange(count) / fps
    # The times of containers are rounded; a frame that is at its place keeps its exact values.
    nearest = np.clip(np.round((times - times[0]) * fps), 0, count - 1)
    placed = np.where(np.abs((times - at[nearest.astype(int)]) * fps) < 0.05, at[nearest.astype(int)], times)
    even = interpolate(placed[has_face], stacked, at)
    closest = np.clip(np.searchsorted(times, at - 0.5 / fps), 0, len(times) - 1)
    curves = FaceCurves(even[:, :52], even[:, 52:55], even[:, 55:], fps, float(times[0]))
    return CapturedFace(curves, has_face[closest])


def head_pose(poses: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return head rotation (T, 3) radians and translation (T, 3) metres of (T, 4, 4) poses of :class:`SeenFace`."""
    rotation = np.radians([rotation_angles(pose[:3, :3]) for pose in poses])
    avatar = load_proxy_avatar()
    right, left = avatar.vertices[avatar.landmark_vertices[list(_EYE_CORNERS)]].astype(np.float64)
    scale = _CANONICAL_CORNER_SPACING / (left[0] - right[0])
    pivot = _CANONICAL_CORNER_MIDDLE + scale * (avatar.neck_pivot - (left + right) / 2)
    places = (poses[:, :3, :3] @ pivot + poses[:, :3, 3]) / 100
    return rotation, places - np.median(places, axis=0)


def _frame_rate(times: FloatArray) -> float:
    """Return the even rate for pictures at (T,) ``times``: a usual one if it is near, else the one measured."""
    if len(times) < 2:
        return 30.0
    steps = np.diff(times)
    typical = float(np.quantile(steps, 0.25, method="lower"))
    steady = 1 / float(steps[np.abs(steps / typical - 1) < 0.25].mean())  # without the gaps of dropped frames
    usual = min(USUAL_RATES, key=lambda rate: abs(rate / steady - 1))
    rate = usual if abs(usual / steady - 1) < 0.0005 else steady
    return float(np.clip(rate, *_RATES))


def _report_gaps(captured: CapturedFace, name: str) -> None:
    missing = int((~captured.seen).sum())
    if missing:
        edges = np.flatnonzero(np.diff(np.concatenate([[True], captured.seen, [True]])))
        longest = float(np.diff(edges)[::2].max() / captured.curves.fps)
        _log.warning(
            "no face was found in %d of the %d frames of '%s' (at most %.1f s on end); they are bridged",
            missing,
            len(captured.seen),
            name,
            longest,
        )
