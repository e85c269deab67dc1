"""Still pictures of a take, close enough to read the lips: of the proxy avatar, and out of a portrait video."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from blendshape_rigs.curves import FaceCurves

from .files import run_blender

if TYPE_CHECKING:
    from model_server.evaluation.contact_sheet import Image, Still

_RENDER_PIXELS = 480
_FACE_ROWS = slice(round(0.30 * _RENDER_PIXELS), round(0.94 * _RENDER_PIXELS))
_FACE_COLUMNS = slice(round(0.18 * _RENDER_PIXELS), round(0.82 * _RENDER_PIXELS))
"""Where the avatar's face is in a rendered still."""
_FACE_MARGIN = 0.35
"""Share of the face's height to keep around the face in a portrait."""


def render_stills(curves: FaceCurves) -> list[Image]:
    """Return one (H, W, 3) uint8 picture of the proxy avatar's face for each frame of ``curves``.

    Raises:
        ExportError: when Blender cannot render here.
    """
    import cv2

    from blendshape_rigs.formats import write_curves

    with tempfile.TemporaryDirectory(prefix="dreamtalk-") as folder:
        take, out = Path(folder) / "stills.npz", Path(folder) / "stills"
        write_curves(curves, take)
        times = ",".join(str(float(time)) for time in curves.times)
        size = str(_RENDER_PIXELS)
        run_blender("render", "--curves", str(take), "--times", times, "--size", size, "-o", str(out))
        pictures = [cv2.cvtColor(cv2.imread(str(file)), cv2.COLOR_BGR2RGB) for file in sorted(out.glob("*.png"))]
    return [picture[_FACE_ROWS, _FACE_COLUMNS] for picture in pictures]


def video_stills(video: Path, times: list[float], labels: list[str]) -> list[Still]:
    """Return the face in the frames of ``video`` at ``times`` (increasing seconds), with ``labels``."""
    import av

    from model_server.evaluation.contact_sheet import Still

    stills: list[Still] = []
    rows = columns = slice(None)
    with av.open(str(video)) as container:
        for frame in container.decode(video=0):
            while len(stills) < len(times) and frame.time is not None and frame.time >= times[len(stills)] - 1e-3:
                picture = frame.to_ndarray(format="rgb24")
                if not stills:
                    rows, columns = _around_face(picture)
                stills.append(Still(picture[rows, columns], times[len(stills)], labels[len(stills)]))
    return stills


def _around_face(picture: Image) -> tuple[slice, slice]:
    """Return the rows and columns of a square around the largest face in (H, W, 3) ``picture``."""
    from model_server.portrait.fit import detect_faces

    faces = detect_faces(picture)
    if not faces:
        return slice(None), slice(None)
    # Camera axes: y points up, rows count down.
    points = max(faces, key=lambda face: float(np.ptp(face[:, 1])))[:, :2] * (1, -1)
    low, high = points.min(axis=0), points.max(axis=0)
    half = float((high - low).max()) * (0.5 + _FACE_MARGIN)
    middle = (low + high) / 2
    left, top = (max(0, round(float(edge))) for edge in middle - half)
    right, bottom = (round(float(edge)) for edge in middle + half)
    return slice(top, bottom), slice(left, right)
