"""Eyeballs: a white ball with the iris set in behind a clear cornea, the caruncle beside it, and their rotations."""

from __future__ import annotations

import numpy as np

from .base_face import EYE_RADIUS, MIRROR, smooth_step
from .cage import EYE_CENTRE_LEFT, EYE_CENTRE_RIGHT
from .parts import COLOURS, MATERIAL_NUMBER, Part, grid_triangles, plain_part, tube
from .topology import Floats, Ints

SEGMENTS = 32
CORNEA_SEGMENTS = 24
LIMBUS_ANGLE = 0.475
WHITE_ANGLES = np.array([LIMBUS_ANGLE, 0.505, 0.57, 0.72, 0.95, 1.25, 1.6, 1.95])
# From the pupil's edge to the limbus: radius, depth behind the limbus, both in millimetres.
IRIS_PROFILE = np.array([[2.35, 0.62], [2.75, 0.56], [3.6, 0.60], [4.6, 0.66], [5.5, 0.66], [6.18, 0.50]])
CORNEA_ANGLES = np.array([0.10, 0.20, 0.30, 0.39, 0.46, 0.53])
CORNEA_BULGE = 0.00034
LOOK_ANGLES = {"In": np.radians(30.0), "Out": np.radians(30.0), "Up": np.radians(24.0), "Down": np.radians(28.0)}
# Of the right eye, beside its centre: between ball, lids and nose.
CARUNCLE_MIDDLE = np.array([0.0128, -0.0013, 0.0050])
CARUNCLE_RADII = np.array([0.0022, 0.0013, 0.0021])


def eyeballs() -> list[Part]:
    """Return ball, cornea and caruncle of the left and the right eye."""
    parts = []
    for centre, side, outward in ((EYE_CENTRE_LEFT, "Left", 1.0), (EYE_CENTRE_RIGHT, "Right", -1.0)):
        for local in (_ball(), _cornea()):
            fields = {}
            for direction, amount in LOOK_ANGLES.items():
                axis = "xy"[direction in ("In", "Out")]
                sign = {"In": -outward, "Out": outward, "Up": -1.0, "Down": 1.0}[direction]
                fields[f"eyeLook{direction}{side}"] = _turned(local.points, axis, sign * amount) - local.points
            parts.append(Part(local.points + centre, local.triangles, local.materials, local.colours, fields))
        parts.append(_caruncle(centre, outward))
    return parts


def _turned(points: Floats, axis: str, angle: float) -> Floats:
    cosine, sine = np.cos(angle), np.sin(angle)
    x, y, z = points.T
    if axis == "x":
        return np.stack([x, y * cosine - z * sine, y * sine + z * cosine], axis=1)
    return np.stack([x * cosine + z * sine, y, z * cosine - x * sine], axis=1)


def _turns(radius: Floats, depth: Floats, segments: int) -> Floats:
    """Return rings (R, segments, 3) about the axis of sight."""
    turn = np.arange(segments) / segments * 2 * np.pi
    rings = np.empty((len(radius), segments, 3))
    rings[..., 0] = radius[:, None] * np.cos(turn)
    rings[..., 1] = radius[:, None] * np.sin(turn)
    rings[..., 2] = depth[:, None]
    return rings


def _ball() -> Part:
    """Return white, iris and pupil around the origin, looking along +Z; colours do not run from one to the next."""
    limbus = EYE_RADIUS * np.cos(LIMBUS_ANGLE)
    iris_radius, iris_depth = IRIS_PROFILE[:, 0] / 1000, limbus - IRIS_PROFILE[:, 1] / 1000
    white = _turns(EYE_RADIUS * np.sin(WHITE_ANGLES), EYE_RADIUS * np.cos(WHITE_ANGLES), SEGMENTS)
    iris = _turns(iris_radius, iris_depth, SEGMENTS)
    pieces: list[tuple[Floats, Ints, str, Floats]] = [
        (white.reshape(-1, 3), grid_triangles(len(white), SEGMENTS, True)[:, ::-1], "eye_white", _white_colours()),
        (iris.reshape(-1, 3), grid_triangles(len(iris), SEGMENTS, True)[:, ::-1], "iris", _iris_colours()),
    ]
    # The pupil is a hole: a shallow dark cone behind the iris's edge. A step joins iris and white.
    pupil = np.concatenate([iris[0], [[0.0, 0.0, iris_depth[0] - 0.0006]]])
    first = np.arange(SEGMENTS)
    cone = np.stack([first, np.roll(first, -1), np.full(SEGMENTS, SEGMENTS)], axis=1)
    step = np.concatenate([iris[-1], white[0]])
    limbal = np.repeat([_iris_colours()[-1], _white_colours()[0]], SEGMENTS, axis=0)
    pieces.append((pupil, cone, "pupil", np.tile(COLOURS["pupil"], (len(pupil), 1))))
    pieces.append((step, grid_triangles(2, SEGMENTS, True)[:, ::-1], "iris", limbal))
    offsets = np.cumsum([0] + [len(piece[0]) for piece in pieces])
    return Part(
        np.concatenate([piece[0] for piece in pieces]),
        np.concatenate([piece[1] + start for piece, start in zip(pieces, offsets, strict=False)]),
        np.concatenate([np.full(len(piece[1]), MATERIAL_NUMBER[piece[2]]) for piece in pieces]),
        np.concatenate([piece[3] for piece in pieces]),
    )


def _white_colours() -> Floats:
    """Return colours (V, 3) of the white: greyer where it meets the iris, a faint blush and shade under the lids."""
    angle = np.repeat(WHITE_ANGLES, SEGMENTS)[:, None]
    blush = smooth_step(angle, 0.7, 1.5)
    edge = 1 - smooth_step(angle, LIMBUS_ANGLE, 0.56)
    white = np.array(COLOURS["eye_white"]) * (1 - blush * np.array([0.05, 0.17, 0.17]))
    return np.asarray(white + (np.array(COLOURS["iris"]) * 0.55 - white) * 0.6 * edge)


def _iris_colours() -> Floats:
    """Return colours (V, 3) of the iris: a pale collar about the pupil, fibres, a dark limbal ring."""
    ring = (IRIS_PROFILE[:, 0] - IRIS_PROFILE[0, 0]) / (IRIS_PROFILE[-1, 0] - IRIS_PROFILE[0, 0])
    turn = np.arange(SEGMENTS) / SEGMENTS * 2 * np.pi
    fibres = 0.10 * np.sin(11 * turn) + 0.08 * np.sin(7 * turn + 1.0) + 0.06 * np.sin(15 * turn + 2.0)
    shade = np.interp(ring, [0.0, 0.1, 0.33, 0.6, 0.82, 1.0], [0.55, 1.35, 1.30, 1.05, 0.80, 0.30])
    shade = shade[:, None] * (1 + fibres * np.sin(np.pi * np.clip(ring, 0.0, 1.0))[:, None])
    warm = np.array([0.16, 0.07, -0.03]) * np.exp(-(((ring - 0.15) / 0.2) ** 2))[:, None, None]
    return np.asarray(np.clip(np.array(COLOURS["iris"]) * shade[..., None] + warm, 0, 1).reshape(-1, 3))


def _cornea() -> Part:
    """Return the clear cap over the iris, which stands out from the ball and ends on the white."""
    bulge = CORNEA_BULGE * np.cos(np.pi / 2 * np.clip(CORNEA_ANGLES / CORNEA_ANGLES[-1], 0, 1)) ** 1.5
    radius = EYE_RADIUS + 0.00002 + bulge
    rings = _turns(radius * np.sin(CORNEA_ANGLES), radius * np.cos(CORNEA_ANGLES), CORNEA_SEGMENTS)
    points = np.concatenate([rings.reshape(-1, 3), [[0.0, 0.0, EYE_RADIUS + 0.00002 + CORNEA_BULGE]]])
    first = np.arange(CORNEA_SEGMENTS)
    cap = np.stack([first, np.roll(first, -1), np.full(CORNEA_SEGMENTS, len(points) - 1)], axis=1)
    triangles = np.concatenate([grid_triangles(len(rings), CORNEA_SEGMENTS, True)[:, ::-1], cap])
    return plain_part(points, triangles, "cornea")


def _caruncle(centre: Floats, outward: float) -> Part:
    """Return the small pink lump in the inner corner of the eye."""
    side = MIRROR if outward > 0 else np.ones(3)
    polar = np.linspace(0.0, np.pi, 7)[1:-1]
    rings = _turns(np.sin(polar), np.cos(polar), 8)[::-1]
    points, triangles = tube(rings)
    points[-2:] = [[0.0, 0.0, -1.0], [0.0, 0.0, 1.0]]
    points = (points * CARUNCLE_RADII + CARUNCLE_MIDDLE) * side + centre
    return plain_part(points, triangles[:, ::-1] if outward > 0 else triangles, "caruncle")
