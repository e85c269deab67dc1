"""What the tests of the portrait renderer share: weights by name, landmarks found again, measures of a mouth."""

from __future__ import annotations

import numpy as np

from blendshape_rigs.arkit import ARKIT_INDEX
from model_server.portrait.fit import detect_faces


def weights(**channels: float) -> np.ndarray:
    """Return (52,) weights; a name without its side sets both sides."""
    values = np.zeros(52, np.float32)
    for name, value in channels.items():
        for full in [name] if name in ARKIT_INDEX else [name + "Left", name + "Right"]:
            values[ARKIT_INDEX[full]] = value
    return values


def landmarks(frame: np.ndarray) -> np.ndarray:
    """Return the landmarks (478, 3) of the one face in a frame, camera axes."""
    faces = detect_faces(frame)
    assert len(faces) == 1
    return faces[0]


def opening(points: np.ndarray) -> float:
    """Return the gap of the inner lips over the face's width."""
    return float(np.linalg.norm(points[13, :2] - points[14, :2]) / np.ptp(points[:, 0]))


def mouth_width(points: np.ndarray) -> float:
    """Return the distance of the mouth's corners over the face's width."""
    return float(np.linalg.norm(points[61, :2] - points[291, :2]) / np.ptp(points[:, 0]))
