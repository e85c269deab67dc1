"""MediaPipe's Face Landmarker: 51 ARKit blendshape scores and the head's pose, picture by picture.

The model file is not part of this project; it is only ever fetched for a user who asks for it.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from blendshape_rigs.arkit import ARKIT_COUNT, ARKIT_INDEX
from model_server.errors import WeightsError
from model_server.portrait.fit import without_native_noise

from .model_file import LARGEST_MODEL, MODEL_ADDRESS, MODEL_LICENCE, MODEL_SHA256, downloaded_model

ENVIRONMENT_VARIABLE = "DREAMTALK_FACE_LANDMARKER"

FloatArray = npt.NDArray[np.float32]
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SeenFace:
    """What was found in one picture.

    Attributes:
        values: (52,) float32 ARKit weights; ``tongueOut``, which the model does not know, is 0.
        pose: (4, 4) float64 from MediaPipe's canonical face (centimetres; +X the subject's left, +Y up, +Z out of
            the face) to camera axes (+X right in the picture, +Y up, +Z towards the viewer).
    """

    values: FloatArray
    pose: npt.NDArray[np.float64]


def find_model(path: Path | None) -> Path:
    """Return the model file: ``path``, else what the environment variable names, else the one that was downloaded.

    Raises:
        WeightsError: when there is none, or the file is missing or no model.
    """
    named = os.environ.get(ENVIRONMENT_VARIABLE)
    model = path or (Path(named) if named else None)
    if model is None and downloaded_model().is_file():
        model = downloaded_model()
    if model is None:
        raise WeightsError(
            "capturing by blendshapes needs MediaPipe's Face Landmarker, which is never downloaded by itself: run "
            f"dreamtalk capture --download-model, or fetch {MODEL_ADDRESS} ({MODEL_LICENCE}, sha256 {MODEL_SHA256}) "
            f"and name the file in {ENVIRONMENT_VARIABLE}"
        )
    if not model.is_file():
        raise WeightsError(f"the face landmarker '{model}' does not exist; fetch it from {MODEL_ADDRESS}")
    if model.stat().st_size > LARGEST_MODEL:
        raise WeightsError(f"'{model}' is no face landmarker: it has more than {LARGEST_MODEL >> 20} MiB")
    return model


def model_hash(model: Path) -> str:
    """Return the hex SHA-256 of the model file."""
    return hashlib.sha256(model.read_bytes()).hexdigest()


class FaceLandmarker:
    """Follows one face through the pictures of one video."""

    def __init__(self, landmarker: Any) -> None:
        self._landmarker = landmarker
        self._milliseconds = -1

    def see(self, pixels: npt.NDArray[np.uint8], time: float) -> SeenFace | None:
        """Return the face in (H, W, 3) uint8 RGB ``pixels``, or None; ``time`` is in seconds and only goes on."""
        import mediapipe

        image = mediapipe.Image(mediapipe.ImageFormat.SRGB, pixels)
        self._milliseconds = max(self._milliseconds + 1, round(time * 1000))
        found = self._landmarker.detect_for_video(image, self._milliseconds)
        if not found.face_blendshapes:
            return None
        values = np.zeros(ARKIT_COUNT, np.float32)
        for shape in found.face_blendshapes[0]:
            index = ARKIT_INDEX.get(shape.category_name)
            if index is not None:
                values[index] = shape.score
        return SeenFace(values, np.asarray(found.facial_transformation_matrixes[0], np.float64))


@contextmanager
def open_landmarker(model: Path) -> Iterator[FaceLandmarker]:
    """Give a landmarker with the model file ``model``.

    Raises:
        WeightsError: for a file that MediaPipe cannot load.
    """
    from mediapipe.tasks.python import BaseOptions, vision

    if model_hash(model) != MODEL_SHA256:
        _log.warning("'%s' is not the face landmarker that this program was tested with", model.name)
    options = vision.FaceLandmarkerOptions(
        base_options=BaseOptions(model_asset_buffer=model.read_bytes()),
        running_mode=vision.RunningMode.VIDEO,
        num_faces=1,
        output_face_blendshapes=True,
        output_facial_transformation_matrixes=True,
    )
    with without_native_noise():
        try:
            landmarker = vision.FaceLandmarker.create_from_options(options)
        except (RuntimeError, ValueError) as error:
            reason = str(error).splitlines()[0]
            raise WeightsError(
                f"'{model.name}' is no face landmarker ({reason}); fetch it from {MODEL_ADDRESS}"
            ) from error
    with landmarker:
        yield FaceLandmarker(landmarker)
