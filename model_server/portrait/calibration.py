"""How far a portrait must be turned for a turn to be seen: the depth of one photograph is only a guess."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from blendshape_rigs.face_mesh import LANDMARKS

from .arrays import Bytes, Floats
from .fit import PortraitFit, detect_faces, rotation_angles

_TRIAL_DEGREES = (7.0, 10.0)  # pitch and yaw: inside the range that is not eased
_MOST_CHANGE = 1.35


def turn_corrections(render: Callable[[Floats], Bytes], fit: PortraitFit) -> tuple[float, float]:
    """Return factors for pitch and yaw by which turns must grow to be seen as large as they are commanded.

    The photograph is rendered turned both ways, and its landmarks are found again. A face that is not found
    there, as in some drawings, is left alone: the factor is 1.

    Args:
        render: gives the picture (H, W, 3) uint8 for (3,) pitch, yaw, roll in radians.
        fit: the face at rest.
    """
    factors = []
    for axis, trial in enumerate(_TRIAL_DEGREES):
        seen = []
        for degrees in (trial, -trial):
            turn = np.zeros(3, np.float32)
            turn[axis] = np.radians(degrees)
            found = _nearest(detect_faces(render(turn)), fit)
            if found is not None:
                seen.append(rotation_angles(_rotation(fit.landmarks[:LANDMARKS], found))[axis] / degrees)
        gain = float(np.mean(seen)) if len(seen) == 2 else 1.0
        factors.append(float(np.clip(1 / max(gain, 1e-3), 1 / _MOST_CHANGE, _MOST_CHANGE)))
    return factors[0], factors[1]


def _nearest(faces: list[Floats], fit: PortraitFit) -> Floats | None:
    """Return the landmarks (468, 3) of the face at the place of ``fit``, or None."""
    middle = fit.landmarks[:LANDMARKS, :2].mean(axis=0)
    away = [float(np.linalg.norm(face[:LANDMARKS, :2].mean(axis=0) - middle)) for face in faces]
    if not away or min(away) > 0.5 * fit.face_width:
        return None
    return faces[int(np.argmin(away))][:LANDMARKS]


def _rotation(first: Floats, second: Floats) -> Floats:
    """Return the (3, 3) rotation that lays points (N, 3) on others best (Kabsch 1976)."""
    u, _, vt = np.linalg.svd((second - second.mean(axis=0)).T @ (first - first.mean(axis=0)))
    return np.asarray((u * np.array([1, 1, np.linalg.det(u @ vt)])) @ vt, np.float32)
