"""Ears: a rim that curls over a hollow, set into the side of the head."""

from __future__ import annotations

import numpy as np

from .base_face import MIRROR
from .cage import onto_head
from .parts import COLOURS, MATERIAL_NUMBER, Part, tube
from .surface import loop_subdivide
from .topology import Floats

EAR_HEIGHT = 0.060
EAR_WIDTH = 0.033
EAR_MIDDLE = np.array([-0.073, -0.011, -0.067])
EAR_TILT = np.radians(12.0)
FLARE = 0.017
# From the root behind the ear over the rim into the hollow: size, height as a share of the flare, millimetres more.
PROFILE = (
    (0.60, 0.00, -7.0), (0.80, 0.45, -3.0), (0.96, 0.90, -2.0), (1.00, 1.00, 0.0), (0.95, 1.00, 1.3), (0.85, 0.92, 0.2),
    (0.76, 0.80, -1.8), (0.64, 0.72, 0.6), (0.52, 0.55, -1.2), (0.40, 0.30, -4.0), (0.16, 0.10, -5.5),
)  # fmt: skip


def ears() -> list[Part]:
    """Return the right and the left ear."""
    right = _right_ear()
    left = Part(right.points * MIRROR, right.triangles[:, ::-1], right.materials, right.colours)
    return [right, left]


def _right_ear() -> Part:
    turn = np.arange(20) / 20 * 2 * np.pi
    # Back (+) and up (+) around the middle of the ear; the lobe is narrower than the top.
    up = np.sin(turn) * EAR_HEIGHT / 2
    back = np.cos(turn) * EAR_WIDTH / 2 * (1.0 + 0.22 * np.sin(turn)) + 0.002 * np.sin(turn)
    rings = np.stack([_ring(back, up, *row) for row in PROFILE])
    points, triangles = tube(rings)
    matrix, triangles, _ = loop_subdivide(triangles, len(points), np.zeros((0, 2), dtype=np.int64))
    points = matrix @ points
    skin = np.array(COLOURS["skin"])
    depth = np.clip((matrix @ np.append(np.repeat([row[2] for row in PROFILE], 20), [-7.0, -5.5])) / -6.0, 0, 1)
    colours = skin * (1 - np.outer(0.35 * depth, [0.7, 1.0, 1.0])) * np.array([1.0, 0.95, 0.94])
    # The profile runs from the back to the hollow: the tube is inside out.
    return Part(points, triangles[:, ::-1], np.full(len(triangles), MATERIAL_NUMBER["skin"]), colours)


def _ring(back: Floats, up: Floats, size: float, flare_share: float, millimetres: float) -> Floats:
    """Return one ring (20, 3) of the right ear."""
    anchor = -EAR_WIDTH * 0.20
    local_back = anchor + (back - anchor) * size
    local_up = up * size
    cosine, sine = np.cos(EAR_TILT), np.sin(EAR_TILT)
    flare = FLARE * np.clip((local_back + EAR_WIDTH * 0.42) / (EAR_WIDTH * 0.95), 0.0, 1.2) ** 0.9
    flare *= 0.75 + 0.25 * np.clip((local_up + EAR_HEIGHT / 2) / EAR_HEIGHT, 0, 1)
    y = local_up * cosine - local_back * sine * 0.0 + EAR_MIDDLE[1]
    z = EAR_MIDDLE[2] - local_back - local_up * sine
    side = onto_head(np.stack([np.full(20, EAR_MIDDLE[0]), y, z], axis=1))[:, 0]
    return np.stack([side - flare * flare_share - millimetres / 1000, y, z], axis=1)
