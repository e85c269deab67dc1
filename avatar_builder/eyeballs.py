"""Eyeballs with iris and pupil, and their rotations."""

from __future__ import annotations

import numpy as np

from .base_face import EYE_RADIUS
from .cage import EYE_CENTRE_LEFT, EYE_CENTRE_RIGHT
from .parts import COLOURS, MATERIAL_NUMBER, Part, grid_triangles
from .topology import Floats

SEGMENTS = 32
PUPIL_ANGLE = 0.185
IRIS_ANGLE = 0.49
RING_ANGLES = np.array(
    [0.02, 0.10, 0.165, PUPIL_ANGLE, 0.23, 0.32, 0.42, IRIS_ANGLE, 0.52, 0.64, 0.80, 1.05, 1.35, 1.70, 2.1]
)
LOOK_ANGLES = {"In": np.radians(30.0), "Out": np.radians(30.0), "Up": np.radians(24.0), "Down": np.radians(28.0)}


def eyeballs() -> list[Part]:
    """Return the left and the right eyeball."""
    return [_eyeball(EYE_CENTRE_LEFT, "Left", 1.0), _eyeball(EYE_CENTRE_RIGHT, "Right", -1.0)]


def _eyeball(centre: Floats, side: str, outward: float) -> Part:
    turn = np.arange(SEGMENTS) / SEGMENTS * 2 * np.pi
    # The cornea stands out a little over the iris.
    radius = EYE_RADIUS + 0.0004 * np.clip(1 - (RING_ANGLES / 0.55) ** 2, 0, 1)
    local = np.stack(
        [
            radius[:, None] * np.sin(RING_ANGLES)[:, None] * np.cos(turn),
            radius[:, None] * np.sin(RING_ANGLES)[:, None] * np.sin(turn),
            radius[:, None] * np.cos(RING_ANGLES)[:, None] * np.ones(SEGMENTS),
        ],
        axis=-1,
    ).reshape(-1, 3)
    local = np.concatenate([local, [[0.0, 0.0, radius[0]]]])
    pole = len(local) - 1
    cap = np.stack([np.arange(SEGMENTS), (np.arange(SEGMENTS) + 1) % SEGMENTS, np.full(SEGMENTS, pole)], axis=1)
    triangles = np.concatenate([grid_triangles(len(RING_ANGLES), SEGMENTS, True)[:, ::-1], cap])
    angle = np.append(np.repeat(RING_ANGLES, SEGMENTS), 0.0)
    middle = angle[triangles].mean(axis=1)
    materials = np.where(
        middle < PUPIL_ANGLE,
        MATERIAL_NUMBER["pupil"],
        np.where(middle < IRIS_ANGLE, MATERIAL_NUMBER["iris"], MATERIAL_NUMBER["eye_white"]),
    )
    fields = {}
    for direction, amount in LOOK_ANGLES.items():
        axis = "xy"[direction in ("In", "Out")]
        sign = {"In": -outward, "Out": outward, "Up": -1.0, "Down": 1.0}[direction]
        fields[f"eyeLook{direction}{side}"] = _turned(local, axis, sign * amount) - local
    return Part(local + centre, triangles, materials, _colours(angle), fields)


def _turned(points: Floats, axis: str, angle: float) -> Floats:
    cosine, sine = np.cos(angle), np.sin(angle)
    x, y, z = points.T
    if axis == "x":
        return np.stack([x, y * cosine - z * sine, y * sine + z * cosine], axis=1)
    return np.stack([x * cosine + z * sine, y, z * cosine - x * sine], axis=1)


def _colours(angle: Floats) -> Floats:
    """Return colours (V, 3): a dark rim around the iris, a lighter middle, a faint blush towards the lids."""
    white, iris, pupil = (np.array(COLOURS[name]) for name in ("eye_white", "iris", "pupil"))
    at = np.clip((angle - PUPIL_ANGLE) / (IRIS_ANGLE - PUPIL_ANGLE), 0, 1)[:, None]
    shade = 1.25 - 0.35 * at - 0.55 * np.clip((at - 0.75) / 0.25, 0, 1)
    colours = np.where(angle[:, None] < PUPIL_ANGLE + 0.01, pupil, np.clip(iris * shade, 0, 1))
    blush = np.clip((angle - 0.7) / 0.8, 0, 1)[:, None]
    return np.where(angle[:, None] > IRIS_ANGLE + 0.01, white * (1 - blush * np.array([0.03, 0.14, 0.14])), colours)
