"""Detects the base face: ``python -m avatar_builder.landmarks`` writes ``landmarks.npy`` beside this file.

The detector's arithmetic differs between machines in the last bits, so its result is kept as an input of the build.
The photograph is NASA's portrait of Eileen Collins (public domain) from scikit-image's samples.
"""

from __future__ import annotations

import cv2
import numpy as np
import skimage.data
from mediapipe.python.solutions.face_mesh import FaceMesh

from blendshape_rigs.face_mesh import LANDMARKS

from .landmarks_file import LANDMARKS_FILE
from .topology import Floats

CROP = (slice(20, 230), slice(120, 330))
CROP_PIXELS = 1024


def detect() -> Floats:
    """Return landmarks (468, 3): x right in the picture, y up, z towards the viewer, in units of the crop's width."""
    crop = cv2.resize(skimage.data.astronaut()[CROP], (CROP_PIXELS, CROP_PIXELS), interpolation=cv2.INTER_CUBIC)
    with FaceMesh(static_image_mode=True, refine_landmarks=True, max_num_faces=1) as mesh:
        found = mesh.process(crop).multi_face_landmarks
    if not found:
        raise RuntimeError("no face was found in the sample photograph")
    return np.array([[p.x, -p.y, -p.z] for p in found[0].landmark[:LANDMARKS]], dtype=np.float64)


if __name__ == "__main__":
    np.save(LANDMARKS_FILE, detect().astype(np.float32))
