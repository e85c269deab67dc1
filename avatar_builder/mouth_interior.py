"""Teeth, gums and tongue."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .base_face import MOUTH_Y, MOUTH_Z, smooth_step
from .parts import Part, plain_part, tube
from .rig import open_jaw
from .topology import Floats

# Width, height and depth in millimetres from the middle incisor to the first molar.
UPPER_TEETH = ((8.4, 10.2, 5.4), (6.6, 9.2, 5.2), (7.4, 9.8, 6.6), (6.9, 8.2, 7.6), (6.7, 7.8, 7.8), (9.8, 7.4, 9.4))
LOWER_TEETH = ((5.4, 8.8, 5.0), (5.8, 8.9, 5.2), (6.8, 9.6, 6.4), (7.0, 8.2, 7.2), (7.1, 7.8, 7.4), (10.4, 7.2, 9.0))
UPPER_FRONT = MOUTH_Z - 0.0090
LOWER_FRONT = MOUTH_Z - 0.0126
UPPER_EDGE = MOUTH_Y - 0.0034
UPPER_BACK = 0.0022
# Behind the lower lip, so that the open jaw shows little more than the edges of the lower teeth.
LOWER_EDGE = MOUTH_Y - 0.0050
LOWER_BACK = -0.0100
JAW_SHAPES: dict[str, Callable[[Floats], Floats]] = {
    "jawOpen": open_jaw,
    "jawForward": lambda points: np.tile([0.0, -0.0005, 0.0085], (len(points), 1)),
    "jawLeft": lambda points: np.tile([0.0085, 0.0, -0.0005], (len(points), 1)),
    "jawRight": lambda points: np.tile([-0.0085, 0.0, -0.0005], (len(points), 1)),
}


def with_jaw(points: Floats, weight: Floats | float = 1.0) -> dict[str, Floats]:
    """Return the fields of points that are carried by the jaw with a weight (V,)."""
    share = np.broadcast_to(weight, len(points))[:, None]
    return {name: share * move(points) for name, move in JAW_SHAPES.items()}


def _arch(distance: Floats, front: float, half_width: float) -> tuple[Floats, Floats]:
    """Return places (N, 3) at y = 0 and outward normals along a dental arch; ``distance`` in metres from the middle."""
    angle = np.linspace(0, np.pi / 2, 400)
    curve = np.stack([half_width * np.sin(angle), front - 0.036 * (1 - np.cos(angle))], axis=1)
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(curve, axis=0), axis=1))])
    x, z = (np.interp(np.abs(distance), length, curve[:, k]) for k in (0, 1))
    at = np.interp(np.abs(distance), length, angle)
    normal = np.stack([np.sin(at) / half_width, np.zeros_like(at), np.cos(at) / 0.036], axis=1)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    side = np.sign(distance)
    return np.stack([x * side, np.zeros_like(x), z], axis=1), normal * np.stack([side, side * 0, side * 0 + 1], axis=1)


def _tooth(width: float, height: float, depth: float, edge_sharpness: float) -> Floats:
    """Return rings (7, 10, 3) of a tooth with its biting edge at y = 0, growing along +Y."""
    turn = np.arange(10) / 10 * 2 * np.pi
    outline = np.stack(
        [np.sign(np.cos(turn)) * np.abs(np.cos(turn)) ** 0.55, np.sign(np.sin(turn)) * np.abs(np.sin(turn)) ** 0.7],
        axis=1,
    )
    level = np.array([0.0, 0.03, 0.12, 0.35, 0.65, 0.9, 1.0])
    wide = np.array([0.74, 0.90, 0.98, 1.0, 0.94, 0.82, 0.7])
    deep = np.array([0.30, 0.46, 0.60, 0.82, 1.0, 0.95, 0.8]) ** edge_sharpness
    rings = np.empty((7, 10, 3))
    rings[..., 0] = outline[None, :, 0] * wide[:, None] * width / 2
    rings[..., 1] = level[:, None] * height
    rings[..., 2] = outline[None, :, 1] * deep[:, None] * depth / 2
    return rings


def _row(
    teeth: tuple[tuple[float, float, float], ...], front: float, half_width: float, edge: float, back: float, up: float
) -> list[Part]:
    """Return one row of teeth; ``back`` is how much higher than ``edge`` the row stands 40 mm along the arch."""
    parts = []
    for side in (1.0, -1.0):
        reach = 0.0
        for number, (width, height, depth) in enumerate(teeth):
            middle = (reach + width / 2) / 1000
            reach += width
            place, normal = _arch(np.array([middle * side]), front, half_width)
            rings = _tooth(width / 1000, height / 1000, depth / 1000, 1.0 if number < 3 else 0.35)
            tangent = np.array([normal[0, 2], 0.0, -normal[0, 0]])
            uneven = 0.0 if number == 0 else 0.0004 if number != 2 else 0.0001
            lift = edge + up * uneven + back * (middle / 0.04) ** 2
            world = (
                rings[..., :1] * tangent
                + rings[..., 1:2] * np.array([0.0, up, 0.0])
                + (rings[..., 2:] - depth / 2000) * normal[0]
                + place[0]
                + np.array([0.0, lift, 0.0])
            )
            points, triangles = tube(world)
            triangles = triangles if up < 0 else triangles[:, ::-1]
            parts.append(plain_part(points, triangles, "teeth", with_jaw(points) if up < 0 else {}))
    return parts


def _gum(front: float, half_width: float, edge: float, back: float, up: float) -> Part:
    """Return the gum: a swollen band over the roots of one row of teeth."""
    distance = np.linspace(-0.047, 0.047, 41)
    distance[20] = 1e-6
    place, normal = _arch(distance, front, half_width)
    turn = np.arange(12) / 12 * 2 * np.pi
    thickness = 0.0046
    scallop = 0.0006 * np.cos(distance / 0.0078 * 2 * np.pi)
    low = edge + back * (np.abs(distance) / 0.04) ** 2 + up * (0.0078 + scallop)
    rings = np.empty((41, 12, 3))
    for number, angle in enumerate(turn):
        across = -0.0030 + thickness * np.cos(angle)
        height = low + up * 0.0075 * (1 + np.sin(angle))
        rings[:, number] = place + normal * across + np.stack([0 * height, height, 0 * height], axis=1)
    points, triangles = tube(rings)
    return plain_part(points, triangles if up > 0 else triangles[:, ::-1], "gums", with_jaw(points) if up < 0 else {})


def _tongue() -> Part:
    """Return the tongue, from its root to the tip; its 14 rings let it stretch out over the lower lip."""
    along = np.linspace(0.0, 1.0, 14)
    turn = np.arange(16) / 16 * 2 * np.pi
    tip = np.sqrt(np.clip(1 - ((along - 0.62) / 0.385).clip(0) ** 2, 0.0, 1.0))
    width = 0.0185 * tip * (0.85 + 0.15 * np.sin(np.pi * along))
    thick = (0.0100 - 0.0060 * along) * np.sqrt(tip) + 0.0006
    y = MOUTH_Y - 0.0200 + 0.0085 * smooth_step(along, 0.2, 1.0) - 0.010 * (1 - along) ** 2
    z = -0.030 + (LOWER_FRONT - 0.0065 + 0.030) * along
    rings = np.empty((14, 16, 3))
    across, upward = np.cos(turn), np.sin(turn)
    groove = 0.0012 * np.exp(-((across / 0.35) ** 2)) * (upward > 0)
    rings[..., 0] = width[:, None] * across
    rings[..., 1] = (
        y[:, None]
        + thick[:, None] * (np.sign(upward) * np.abs(upward) ** 0.8)
        - groove * np.sin(np.pi * along)[:, None]
    )
    rings[..., 2] = z[:, None]
    points, triangles = tube(rings)
    share = np.append(np.repeat(along, 16), [0.0, 1.0])
    fields = with_jaw(points, 0.45 + 0.55 * smooth_step(share, 0.0, 0.6))
    reach = smooth_step(share, 0.15, 1.0)
    fields["tongueOut"] = np.stack([
        -0.18 * points[:, 0] * reach,
        0.0030 * np.sin(np.pi * share) - 0.0075 * share**4,
        0.0360 * reach,
    ], axis=1)  # fmt: skip
    return plain_part(points, triangles[:, ::-1], "tongue", fields)


def mouth_interior() -> list[Part]:
    """Return both rows of teeth, both gums and the tongue."""
    return [
        *_row(UPPER_TEETH, UPPER_FRONT, 0.0265, UPPER_EDGE, UPPER_BACK, 1.0),
        *_row(LOWER_TEETH, LOWER_FRONT, 0.0245, LOWER_EDGE, LOWER_BACK, -1.0),
        _gum(UPPER_FRONT, 0.0265, UPPER_EDGE, UPPER_BACK, 1.0),
        _gum(LOWER_FRONT, 0.0245, LOWER_EDGE, LOWER_BACK, -1.0),
        _tongue(),
    ]
