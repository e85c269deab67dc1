"""MediaPipe's Face Mesh, followed through the pictures of a video. Its model is part of the MediaPipe package."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

from model_server.portrait.fit import without_native_noise

TRACKED_LANDMARKS: Final = 478
"""The 468 of the face and five of either iris, its centre first: the right eye's from 468 on, the left's from 473."""

RIGHT_IRIS: Final = 468
LEFT_IRIS: Final = 473

Landmarks = npt.NDArray[np.float32]
_DETECTION_SIDE = 640
_CROP = 2.5  # sides of a found face that the square around it has
_LEAST_FACE = 12  # pixels; smaller finds are noise


class FaceMeshTracker:
    """Follows one face; a face that is lost is looked for again in the next picture."""

    def __init__(self, mesh: Any, detector: Any) -> None:
        self._mesh = mesh
        self._detector = detector
        self._crop: tuple[int, int, int, int] | None = None
        self._started = False

    def see(self, pixels: npt.NDArray[np.uint8]) -> Landmarks | None:
        """Return the landmarks (478, 3) of the face in (H, W, 3) uint8 RGB ``pixels``, or None.

        They are pixels in camera axes: x right from the left edge, y up from the upper edge (below 0), z towards the
        viewer.
        """
        # Everything that MediaPipe has to say of its start comes with the first face.
        with nullcontext() if self._started else without_native_noise():
            face = self._find(pixels)
        self._started = self._started or face is not None
        return face

    def _find(self, pixels: npt.NDArray[np.uint8]) -> Landmarks | None:
        if self._crop is not None:
            face = self._in_crop(pixels, self._crop)
            if face is not None:
                return face
            self._crop = None
        face = self._landmarks(pixels)
        if face is None:
            self._crop = self._small_face(pixels)
            if self._crop is not None:
                face = self._in_crop(pixels, self._crop)
        return face

    def _landmarks(self, pixels: npt.NDArray[np.uint8]) -> Landmarks | None:
        height, width = pixels.shape[:2]
        # Where the face is not at its former place the mesh gives up, and looks everywhere at the next call only.
        faces = self._mesh.process(pixels).multi_face_landmarks or self._mesh.process(pixels).multi_face_landmarks
        if not faces:
            return None
        points = np.array([[point.x, point.y, point.z] for point in faces[0].landmark], np.float32)
        return points * np.array([width, -height, -width], np.float32)

    def _in_crop(self, pixels: npt.NDArray[np.uint8], crop: tuple[int, int, int, int]) -> Landmarks | None:
        """Return the landmarks of a face too small for the mesh's own detector; the square follows it."""
        left, top, right, bottom = crop
        face = self._landmarks(np.ascontiguousarray(pixels[top:bottom, left:right]))
        if face is None:
            return None
        face = face + np.array([left, -top, 0], np.float32)
        middle, room = (face[:, :2].max(axis=0) + face[:, :2].min(axis=0)) / 2, (right - left) / 4
        inside = left + room < middle[0] < right - room and top + room < -middle[1] < bottom - room
        if not inside:
            size = float(np.ptp(face[:, :2], axis=0).max())
            self._crop = _square((float(middle[0]), -float(middle[1])), _CROP * size, pixels.shape)
        return face

    def _small_face(self, pixels: npt.NDArray[np.uint8]) -> tuple[int, int, int, int] | None:
        """Return left, top, right and bottom of a square around the surest face that is found, or None."""
        height, width = pixels.shape[:2]
        shrink = min(1.0, _DETECTION_SIDE / max(height, width))
        small = cv2.resize(pixels, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA) if shrink < 1 else pixels
        found = self._detector.process(np.ascontiguousarray(small)).detections or []
        if not found:
            return None
        box = max(found, key=lambda face: float(face.score[0])).location_data.relative_bounding_box
        side = max(box.width * width, box.height * height)
        if side < _LEAST_FACE:
            return None
        middle = (box.xmin + box.width / 2) * width, (box.ymin + box.height / 2) * height
        return _square(middle, _CROP * side, pixels.shape)


def _square(middle: tuple[float, float], side: float, shape: tuple[int, ...]) -> tuple[int, int, int, int] | None:
    """Return left, top, right and bottom of a square cut at the edges of an (H, W, 3) picture; None if none is left."""
    height, width = shape[:2]
    left, top = max(0, int(middle[0] - side / 2)), max(0, int(middle[1] - side / 2))
    right, bottom = min(width, int(middle[0] + side / 2)), min(height, int(middle[1] + side / 2))
    return (left, top, right, bottom) if min(right - left, bottom - top) >= _LEAST_FACE else None


@contextmanager
def open_face_mesh() -> Iterator[FaceMeshTracker]:
    """Give a tracker for the pictures of one video."""
    from mediapipe.python.solutions.face_detection import FaceDetection
    from mediapipe.python.solutions.face_mesh import FaceMesh

    with without_native_noise():
        mesh = FaceMesh(static_image_mode=False, max_num_faces=1, refine_landmarks=True)
        detector = FaceDetection(model_selection=1, min_detection_confidence=0.5)
        for part in (mesh, detector):
            part.process(np.zeros((64, 64, 3), np.uint8))  # waits until all their threads have started
    with mesh, detector:
        yield FaceMeshTracker(mesh, detector)
