"""A face video to curves at an even frame rate, by either of two methods.

``landmarks`` needs nothing but MediaPipe's own Face Mesh: the proxy avatar's shapes are fitted to its landmarks.
``blendshapes`` takes the scores of MediaPipe's Face Landmarker, whose model the user must have, as they are. Neither
is a measurement: mouth, lids and brows follow well, cheeks, nose and the jaw's sideways travel weakly or not at all,
and the tongue never.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from blendshape_rigs.avatar import load_proxy_avatar
from blendshape_rigs.curves import FaceCurves, Provenance
from blendshape_rigs.filters import interpolate
from blendshape_rigs.formats.livelink import USUAL_RATES
from model_server.errors import CaptureError
from model_server.portrait.fit import rotation_angles

from .face_landmarker import find_model, model_hash, open_landmarker
from .face_mesh import open_face_mesh
from .landmark_curves import curves_of_track, open_track
from .video_frames import Video, VideoFrame, open_video

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
Method = Literal["landmarks", "blendshapes"]
METHODS: tuple[Method, ...] = get_args(Method)
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


def capture_video(
    path: Path, model: Path | None = None, progress: Progress | None = None, method: Method = "landmarks"
) -> FaceCurves:
    """Return the curves of the face in a video; see :func:`capture_face`."""
    return capture_face(path, model, progress, method).curves


def capture_face(
    path: Path, model: Path | None = None, progress: Progress | None = None, method: Method = "landmarks"
) -> CapturedFace:
    """Return the curves of the face in a video and where it was seen; what was bridged is logged as a warning.

    Head rotation is relative to the clip's middle turn; by ``blendshapes``, to the camera. Head
    translation is that of the point where the head turns on the neck, relative to its median place in the clip; the
    lens is taken to see 63° from top to bottom and the face to be of average size, so distances are rough.

    Args:
        path: a video of one face.
        model: MediaPipe's ``face_landmarker.task`` for the method ``blendshapes``; by default the file that
            ``DREAMTALK_FACE_LANDMARKER`` names, then the one that was downloaded.
        progress: called with the seconds of video that are done.
        method: ``landmarks`` or ``blendshapes``.

    Raises:
        CaptureError: for a file that is no video, is too long, or shows no face.
        WeightsError: for a model that is missing or broken.
    """
    if method == "landmarks":
        return _by_landmarks(path, progress)
    return _by_blendshapes(path, find_model(model), progress)


def video_seconds(path: Path) -> float | None:
    """Return how long a video is by its own account, or None where it does not say.

    Raises:
        CaptureError: for a file that is no video, or one that is too long.
    """
    with open_video(path) as video:
        _require_length(video)
        return video.duration


def _by_landmarks(path: Path, progress: Progress | None) -> CapturedFace:
    times: list[float] = []
    found: list[bool] = []
    size = (0, 0)
    with open_track() as track:
        with open_video(path) as video, open_face_mesh() as mesh:
            for frame in _frames(video, progress):
                times.append(frame.time)
                size = frame.pixels.shape[1], frame.pixels.shape[0]
                landmarks = mesh.see(frame.pixels)
                found.append(landmarks is not None)
                if landmarks is not None:
                    track.add(landmarks)
        _require_face(times, found, path.name)
        at, has_face = np.array(times), np.array(found)
        stopping = None if progress is None else partial(progress, times[-1])
        stacked = curves_of_track(track, at[has_face], _frame_rate(at), size, stopping)
    stacked[:, 55:] -= np.median(stacked[:, 55:], axis=0)
    return _on_even_grid(at, has_face, stacked, path.name, Provenance(source="capture"))


def _by_blendshapes(path: Path, model: Path, progress: Progress | None) -> CapturedFace:
    times: list[float] = []
    found: list[bool] = []
    values, poses = [], []
    with open_video(path) as video, open_landmarker(model) as landmarker:
        for frame in _frames(video, progress):
            times.append(frame.time)
            face = landmarker.see(frame.pixels, frame.time)
            found.append(face is not None)
            if face is not None:
                values.append(face.values)
                poses.append(face.pose)
    _require_face(times, found, path.name)
    rotation, translation = head_pose(np.stack(poses))
    stacked = np.concatenate([np.stack(values), rotation, translation], axis=1)
    provenance = Provenance(source="capture", model_hash=model_hash(model))
    return _on_even_grid(np.array(times), np.array(found), stacked, path.name, provenance)


def _frames(video: Video, progress: Progress | None) -> Iterator[VideoFrame]:
    """Yield the pictures of ``video``, and report how far it is after each.

    Raises:
        CaptureError: for a video that is too long.
    """
    _require_length(video)
    for number, frame in enumerate(video.frames()):
        if frame.time > MAXIMUM_SECONDS or number >= _MOST_FRAMES:
            raise _too_long(video)
        yield frame
        if progress is not None:
            progress(frame.time)


def _require_length(video: Video) -> None:
    if video.duration is not None and video.duration > MAXIMUM_SECONDS:
        raise _too_long(video)


def _too_long(video: Video) -> CaptureError:
    return CaptureError(f"'{video.name}' is longer than {MAXIMUM_SECONDS / 3600:g} h; cut it")


def _require_face(times: list[float], found: list[bool], name: str) -> None:
    if not times:
        raise CaptureError(f"'{name}' holds no pictures that can be decoded; export it again as MP4")
    if not any(found):
        raise CaptureError(f"no face was found in '{name}'; film one face from the front, well lit")


def _on_even_grid(
    times: FloatArray, has_face: npt.NDArray[np.bool_], stacked: FloatArray, name: str, provenance: Provenance
) -> CapturedFace:
    """Return curves at an even rate from (F, 58) ``stacked`` values of the pictures that show a face."""
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
    curves = FaceCurves(even[:, :52], even[:, 52:55], even[:, 55:], fps, float(times[0]), provenance)
    captured = CapturedFace(curves, has_face[closest])
    _report_gaps(captured, name)
    return captured


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
