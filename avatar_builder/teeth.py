"""Two dental arches of single teeth, and the gums they stand in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .base_face import MOUTH_Y, MOUTH_Z
from .jaw import with_jaw
from .parts import COLOURS, MATERIAL_NUMBER, Part, plain_part, tube
from .topology import Floats

ARCH_DEPTH = 0.036
AROUND = 10
# How far up the crown a ring stands, and how wide and deep it is there, from the biting edge to the hidden root.
LEVELS = np.array([0.0, 0.035, 0.13, 0.34, 0.62, 0.88])
WIDE = np.array([0.76, 0.92, 0.98, 1.0, 0.92, 0.80])
DEEP = np.array([0.24, 0.38, 0.54, 0.82, 1.0, 0.95])


@dataclass(frozen=True)
class Arch:
    """One row of teeth: (width, height, depth) in millimetres from the middle incisor to the first molar.

    ``front`` is the depth of the middle incisors' faces, ``edge`` the height of the biting edges, ``back`` how much
    higher they are 40 mm along the arch; metres. ``up`` is 1 where the teeth hang from above, else -1.
    """

    teeth: tuple[tuple[float, float, float], ...]
    front: float
    half_width: float
    edge: float
    back: float
    up: float


UPPER = Arch(
    ((8.4, 10.2, 5.4), (6.6, 9.2, 5.2), (7.4, 9.8, 6.6), (6.9, 8.2, 7.6), (6.7, 7.8, 7.8), (9.8, 7.4, 9.4)),
    MOUTH_Z - 0.0093, 0.0265, MOUTH_Y - 0.0042, 0.0022, 1.0,
)  # fmt: skip
# Behind the lower lip, so that the open jaw shows little more than the edges of the lower teeth.
LOWER = Arch(
    ((5.4, 8.8, 5.0), (5.8, 8.9, 5.2), (6.8, 9.6, 6.4), (7.0, 8.2, 7.2), (7.1, 7.8, 7.4), (10.4, 7.2, 9.0)),
    MOUTH_Z - 0.0126, 0.0245, MOUTH_Y - 0.0060, -0.0050, -1.0,
)  # fmt: skip


def _along(arch: Arch, distance: Floats) -> tuple[Floats, Floats]:
    """Return places (N, 3) at y = 0 and outward normals along an arch; ``distance`` in metres from the middle."""
    angle = np.linspace(0, np.pi / 2, 400)
    curve = np.stack([arch.half_width * np.sin(angle), arch.front - ARCH_DEPTH * (1 - np.cos(angle))], axis=1)
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(curve, axis=0), axis=1))])
    x, z = (np.interp(np.abs(distance), length, curve[:, k]) for k in (0, 1))
    at = np.interp(np.abs(distance), length, angle)
    normal = np.stack([np.sin(at) / arch.half_width, np.zeros_like(at), np.cos(at) / ARCH_DEPTH], axis=1)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    side = np.where(distance < 0, -1.0, 1.0)
    return np.stack([x * side, np.zeros_like(x), z], axis=1), normal * np.stack([side, 0 * side, 0 * side + 1], axis=1)


def _tooth(width: float, height: float, depth: float, kind: int) -> Floats:
    """Return rings (L, AROUND, 3) of a tooth with its biting edge at y = 0, growing along +Y.

    ``kind`` counts from the middle: incisors (0, 1) end in a flat edge, the canine (2) in a point, the others are
    broad.
    """
    turn = (np.arange(AROUND) + 0.5) / AROUND * 2 * np.pi
    across = np.sign(np.cos(turn)) * np.abs(np.cos(turn)) ** 0.62
    forward = np.sign(np.sin(turn)) * np.abs(np.sin(turn)) ** 0.75
    wide = WIDE ** (1.0, 1.2, 2.6, 1.5, 1.2, 1.0)[kind]
    deep = DEEP ** (1.0 if kind < 3 else 0.30)
    rings = np.empty((len(LEVELS), AROUND, 3))
    rings[..., 0] = across * wide[:, None] * width / 2
    rings[..., 2] = forward * deep[:, None] * depth / 2
    # The corners of the biting edge are rounded, and the face is fuller above the edge than at it.
    round_off = (0.03, 0.05, 0.14, 0.09, 0.06, 0.04)[kind] * (1 - LEVELS[:, None]) ** 4 * across**2
    rings[..., 1] = (LEVELS[:, None] + round_off) * height
    bow = 0.10 * depth * np.sin(np.pi * np.clip(LEVELS, 0, 0.8) / 0.8)
    rings[..., 2] += bow[:, None] * (forward > 0)
    return rings


def _places(arch: Arch) -> Floats:
    """Return the middles (K,) of one side's teeth along the arch in metres."""
    widths = np.array([tooth[0] for tooth in arch.teeth]) / 1000
    return np.asarray(np.cumsum(widths) - widths / 2)


def _height(arch: Arch, distance: Floats) -> Floats:
    """Return the height (N,) of the biting edges."""
    return arch.edge + arch.back * (distance / 0.04) ** 2


def _row(arch: Arch) -> list[Part]:
    """Return the teeth of one arch."""
    parts = []
    for side in (1.0, -1.0):
        for kind, (middle, size) in enumerate(zip(_places(arch), arch.teeth, strict=True)):
            width, height, depth = np.array(size) / 1000
            place, normal = _along(arch, np.array([middle * side]))
            rings = _tooth(width * 0.99, height, depth, kind)
            tangent = np.array([normal[0, 2], 0.0, -normal[0, 0]])
            lift = float(_height(arch, middle)) + arch.up * (0.0, 0.0006, 0.0, 0.0004, 0.0004, 0.0004)[kind]
            world = (
                rings[..., :1] * tangent
                + rings[..., 1:2] * np.array([0.0, arch.up, 0.0])
                + (rings[..., 2:] - depth / 2) * normal[0]
                + place[0]
                + np.array([0.0, lift, 0.0])
            )
            points, triangles = tube(world)
            level = np.append(np.repeat(LEVELS, AROUND), [0.0, 1.0])[:, None]
            # Whiter and a little glassy at the edge, warmer towards the gum and further back.
            warm = (0.35 + 0.65 * level) * np.array([0.02, 0.06, 0.16]) + 0.012 * kind * np.array([0.6, 1.0, 1.6])
            parts.append(
                Part(
                    points,
                    triangles if arch.up < 0 else triangles[:, ::-1],
                    np.full(len(triangles), MATERIAL_NUMBER["teeth"]),
                    np.clip(np.array(COLOURS["teeth"]) + 0.05 - warm, 0, 1),
                    with_jaw(points) if arch.up < 0 else {},
                )
            )
    return parts


def _gum(arch: Arch) -> Part:
    """Return the gum: a swollen band over the roots of one arch, scalloped around each tooth."""
    middles = _places(arch)
    widths = np.array([tooth[0] for tooth in arch.teeth]) / 1000
    knots = np.sort(np.concatenate([[0.0], middles, middles + widths / 2, [middles[-1] + 0.62 * widths[-1]]]))
    half = np.unique(np.round(np.concatenate([knots, (knots[:-1] + knots[1:]) / 2]), 7))
    distance = np.concatenate([-half[:0:-1], half])
    tall = np.interp(np.abs(distance), middles, [0.80 * tooth[1] / 1000 for tooth in arch.teeth])
    edges = np.concatenate([[0.0], middles + widths / 2])
    to_edge = np.abs(np.abs(distance)[:, None] - edges).min(axis=1)
    papilla = np.clip(1 - to_edge / 0.0026, 0, 1) ** 1.2
    low = _height(arch, distance) + arch.up * (tall - 0.0022 * papilla)
    place, normal = _along(arch, distance)
    turn = np.arange(AROUND) / AROUND * 2 * np.pi
    depth = np.interp(np.abs(distance), middles, [tooth[2] / 1000 for tooth in arch.teeth])
    rings = np.empty((len(distance), AROUND, 3))
    for number, angle in enumerate(turn):
        across = -0.5 * depth + (0.5 * depth + 0.0009) * np.cos(angle)
        height = low + arch.up * 0.0050 * (1 + np.sin(angle) * np.abs(np.sin(angle)) ** 0.3)
        rings[:, number] = place + normal * across[:, None] + np.stack([0 * height, height, 0 * height], axis=1)
    points, triangles = tube(rings)
    fields = with_jaw(points) if arch.up < 0 else {}
    return plain_part(points, triangles if arch.up < 0 else triangles[:, ::-1], "gums", fields)


def teeth() -> list[Part]:
    """Return all teeth and both gums."""
    return [*_row(UPPER), *_row(LOWER), _gum(UPPER), _gum(LOWER)]
