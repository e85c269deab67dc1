"""The resting face: the detected landmarks made frontal, symmetric and life-sized, then sculpted.

Metres; origin midway between the eyes' centres; +X the subject's left, +Y up, +Z forward.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import topology
from .landmarks_file import LANDMARKS_FILE
from .surface import Spread
from .topology import LOWER_LIP_RINGS, RIGHT_LID_LOOP, UPPER_LIP_RINGS, Floats, Ints

EYE_RADIUS = 0.0135
EYE_CENTRE_X = 0.0318
LID_THICKNESS = 0.0015
FACE_WIDTH = 0.138
PITCH = np.radians(-2.5)
DEPTH_SCALE = 1.12
OPEN_LIDS = (0.0065, -0.0054)
MOUTH_Y = -0.0615
MOUTH_Z = 0.0355
# The nose's profile: metres below the eyes, metres forward.
NOSE_HEIGHTS = (-0.010, 0.000, 0.008, 0.015, 0.0225, 0.0295, 0.0335, 0.0375, 0.041)
NOSE_FORWARD = (0.0000, -0.0012, -0.0022, -0.0026, -0.0014, 0.0002, -0.0012, -0.0008, 0.0)
MIRROR = np.array([-1.0, 1.0, 1.0])


def smooth_step(value: Floats, low: float, high: float) -> Floats:
    """Return 0 below ``low``, 1 above ``high`` and a smooth ramp between."""
    at = np.clip((value - low) / (high - low), 0.0, 1.0)
    return at * at * (3 - 2 * at)


@dataclass(frozen=True)
class BaseFace:
    """The 468 landmarks at rest (468, 3), triangles (852, 3) and the mirror permutation (468,)."""

    points: Floats
    triangles: Ints
    mirror: Ints


def _frontal(points: Floats) -> tuple[Floats, Ints]:
    """Rotate so that the mirror plane is x = 0, then average both sides."""
    centred = points - points.mean(axis=0)
    x_axis = centred[263] - centred[33]
    x_axis /= np.linalg.norm(x_axis)
    y_axis = centred[10] - centred[152]
    y_axis -= x_axis * (y_axis @ x_axis)
    y_axis /= np.linalg.norm(y_axis)
    turned = centred @ np.stack([x_axis, y_axis, np.cross(x_axis, y_axis)], axis=1)
    turned[:, 0] -= turned[[33, 263, 133, 362], 0].mean()
    mirror = topology.mirror_permutation(turned)
    for _ in range(20):
        symmetric = (turned + turned[mirror] * MIRROR) / 2
        centre = turned.mean(axis=0)
        u, _, vt = np.linalg.svd((turned - centre).T @ (symmetric - symmetric.mean(axis=0)))
        turned = (turned - centre) @ (u @ np.diag([1, 1, np.linalg.det(u @ vt)]) @ vt) + symmetric.mean(axis=0)
    return (turned + turned[mirror] * MIRROR) / 2, mirror


def _symmetric_triangles(points: Floats, mirror: Ints) -> Ints:
    """Where the two sides split a quadrangle differently, use the right side's diagonal on both."""
    triangles = topology.facing_front(points, topology.face_triangles())
    right = points[triangles][:, :, 0].mean(axis=1) < -1e-6
    left = points[triangles][:, :, 0].mean(axis=1) > 1e-6
    middle = triangles[~right & ~left]
    return np.concatenate([triangles[right], mirror[triangles[right]][:, ::-1], middle])


def _life_size(points: Floats) -> Floats:
    """Scale to the face's width, correct depth and pitch, and put the origin between the eyes."""
    size = FACE_WIDTH / (points[454, 0] - points[234, 0])
    scaled = points * size * np.array([1.0, 1.0, DEPTH_SCALE])
    cosine, sine = np.cos(PITCH), np.sin(PITCH)
    scaled = scaled @ np.array([[1, 0, 0], [0, cosine, sine], [0, -sine, cosine]])
    corners = scaled[[33, 133, 263, 362]]
    result: Floats = scaled - np.array([0.0, corners[:, 1].mean(), corners[:, 2].mean() - 0.006])
    return result


def lip_points(points: Floats) -> tuple[Ints, Floats]:
    """Return landmark numbers and resting places of the four lip rings: closed, relaxed, corners a little up."""
    index: list[int] = []
    places: list[Floats] = []
    for upper, rings in ((True, UPPER_LIP_RINGS), (False, LOWER_LIP_RINGS)):
        for level, ring in enumerate(rings):
            across = np.linspace(-1.0, 1.0, 11)
            # Points crowd a little towards the corners, where the lips bend most.
            across = np.sin(across * np.pi / 2 * 0.86) / np.sin(np.pi / 2 * 0.86)
            places.append(_lip_curve(across, level, upper))
            index += ring
    return np.array(index), np.concatenate(places)


def _lip_curve(across: Floats, level: int, upper: bool) -> Floats:
    """Return one lip ring's points (11, 3) for ``across`` from -1 (right corner) to 1 (left corner)."""
    half_width = (0.0258, 0.0249, 0.0241, 0.0233)[level]
    x = across * half_width
    reach = np.abs(x) / 0.0258
    full = np.sqrt(np.maximum(1 - across**2, 0.0))
    line = MOUTH_Y + 0.0009 * reach**2.5 - 0.0007 * np.exp(-((x / 0.007) ** 2))
    # The dental arch carries the lips: the corners lie deeper than the middle.
    depth = MOUTH_Z - 0.0125 * reach**2.1
    if upper:
        bow = 0.0011 * (np.exp(-(((np.abs(x) - 0.0055) / 0.0045) ** 2)) - 0.9 * np.exp(-((x / 0.0032) ** 2)))
        height = (0.0074, 0.0050, 0.0023, 0.0)[level] * full**1.15 + (bow if level == 0 else bow * 0.4 * (level == 1))
        forward = (0.0012, 0.0026, 0.0022, -0.0004)[level] * full**0.8
        return np.stack([x, line + height, depth + forward], axis=1)
    height = (0.0092, 0.0063, 0.0029, 0.0)[level] * full**1.0
    forward = (-0.0006, 0.0029, 0.0028, -0.0004)[level] * full**0.8
    return np.stack([x, line - height, depth + forward], axis=1)


def lid_loop(upper_lift: float, lower_lift: float, skew: float = 0.08) -> Floats:
    """Return the right lid margin (16, 3) from the outer corner over the upper lid and back.

    The lifts are the heights in metres of the lids' middles above the line between the corners; ``skew`` moves the
    upper lid's peak inwards and the lower lid's outwards.
    """
    along = np.linspace(0.0, 1.0, 9)
    upper = _lid_curve(along, upper_lift, 1 - skew)
    return np.concatenate([upper, _lid_curve(along, lower_lift, 1 + skew)[-2:0:-1]])


def _lid_curve(along: Floats, lift: float, power: float) -> Floats:
    outer, inner = np.array([-0.0152, 0.0010]), np.array([0.0148, -0.0014])
    x = outer[0] + (inner[0] - outer[0]) * along
    y = outer[1] + (inner[1] - outer[1]) * along + lift * np.sin(np.pi * along**power) ** 0.8
    radius = EYE_RADIUS + LID_THICKNESS
    ball = np.sqrt(np.maximum(radius**2 - x**2 - y**2, 1e-8))
    rim = np.interp(along, [0.0, 0.5, 1.0], [0.0035, 0.0, 0.0065])
    edge = np.clip((np.abs(along - 0.5) - 0.3) / 0.2, 0.0, 1.0) ** 1.5
    z = np.maximum(ball, rim) * (1 - edge) + np.maximum(rim, 0.35 * ball) * edge
    return np.stack([x - EYE_CENTRE_X, y, z], axis=1)


def base_face() -> BaseFace:
    """Return the resting face."""
    frontal, mirror = _frontal(np.load(LANDMARKS_FILE, allow_pickle=False).astype(np.float64))
    triangles = _symmetric_triangles(frontal, mirror)
    points = _sculpt(_refined(_life_size(frontal)), triangles, mirror)
    points = _nose(points)
    return BaseFace((points + points[mirror] * MIRROR) / 2, triangles, mirror)


def _refined(points: Floats) -> Floats:
    """Make the nose and the jaw finer and the brow's ridge softer: an androgynous, slightly stylised face."""
    x, y, z = points.T.copy()
    nose = (1 - smooth_step(np.abs(x), 0.017, 0.036)) * smooth_step(-y, -0.012, 0.012)
    nose *= 1 - smooth_step(-y, 0.036, 0.052)
    z -= 0.30 * nose * np.maximum(z - 0.032, 0.0)
    y += 0.0025 * nose * smooth_step(z, 0.035, 0.055)
    x *= 1 - 0.24 * nose
    x *= 1 - 0.085 * smooth_step(-y, 0.020, 0.100)
    z -= 0.0030 * np.exp(-(((y - 0.020) / 0.012) ** 2)) * (1 - smooth_step(np.abs(x), 0.030, 0.050))
    return np.stack([x, y, z], axis=1)


def _nose(points: Floats) -> Floats:
    """Give the nose a short round tip, a straight bridge and narrower wings."""
    x, y, z = points.T.copy()
    forward = np.interp(-y, NOSE_HEIGHTS, NOSE_FORWARD) * np.exp(-((x / 0.011) ** 2)) * smooth_step(z, 0.022, 0.034)
    wings = (
        smooth_step(-y, 0.018, 0.028) * (1 - smooth_step(-y, 0.038, 0.044)) * (1 - smooth_step(np.abs(x), 0.019, 0.027))
    )
    return np.stack([x * (1 - 0.07 * wings), y, z + forward], axis=1)


def _sculpt(points: Floats, triangles: Ints, mirror: Ints) -> Floats:
    """Give the detected smile a closed, relaxed mouth and open eyes; the skin between follows smoothly."""
    lips, lip_places = lip_points(points)
    lids, lid_places = np.array(RIGHT_LID_LOOP), lid_loop(*OPEN_LIDS)
    handles = dict(zip(lips.tolist(), lip_places - points[lips], strict=True))
    for index, place in zip(lids.tolist(), lid_places, strict=True):
        handles[index] = place - points[index]
        handles[int(mirror[index])] = place * MIRROR - points[mirror[index]]
    for index, move in CHIN_MOVES.items():
        handles[index] = np.array(move)
        handles[int(mirror[index])] = np.array(move) * MIRROR
    x, y = np.abs(points[:, 0]), points[:, 1]
    cheeks = (x > 0.026) & (y < -0.018) & (x < 0.060)
    lower = (y < -0.046) & (x < 0.060)
    around_eyes = (np.abs(x - EYE_CENTRE_X) < 0.020) & (np.abs(y) < 0.012)
    fixed = np.flatnonzero(~(cheeks | lower | around_eyes))
    return points + Spread(points, triangles)(handles, fixed)


# Displacements in metres on the subject's right side: the parted jaw closes and the smile's cheeks relax.
CHIN_MOVES: dict[int, tuple[float, float, float]] = {
    152: (0.0, 0.0035, 0.0),
    175: (0.0, 0.0035, 0.0005),
    199: (0.0, 0.0035, 0.001),
    200: (0.0, 0.0032, 0.0),
    148: (0.0, 0.0035, 0.0),
    176: (0.0, 0.0032, 0.0),
    149: (0.0, 0.0028, 0.0),
    150: (0.0, 0.0020, 0.0),
    136: (0.0, 0.0012, 0.0),
    205: (0.0, -0.001, -0.002),
    207: (0.001, -0.001, -0.003),
    187: (0.0, -0.001, -0.002),
}
