"""Brows: tapering hair strokes laid on the skin, which carry them through every shape."""

from __future__ import annotations

import numpy as np
from scipy.interpolate import PchipInterpolator

from .base_face import MIRROR
from .parts import COLOURS, MATERIAL_NUMBER, Part, attached, grid_triangles
from .surface import vertex_normals
from .topology import BROW_LOWER, BROW_UPPER, Floats, Ints

STROKES = 112
BED_COLUMNS = 16


def brows(skin: Part) -> list[Part]:
    """Return the right and the left brow, laid on the skin and moving with it."""
    upper, lower = skin.points[list(BROW_UPPER)], skin.points[list(BROW_LOWER)]
    # Low over the eyes and flat, so that the resting face looks neither surprised nor stern.
    share = np.array([0.22, 0.16, 0.20, 0.20, 0.24])[:, None]
    knots = np.linspace(0, 1, len(share))
    line = PchipInterpolator(knots, share * upper + (1 - share) * lower)
    pieces = [_bed(line), _strokes(line)]
    points = np.concatenate([piece[0] for piece in pieces])
    lift = np.concatenate([piece[1] for piece in pieces])
    shade = np.concatenate([piece[2] for piece in pieces])
    triangles = np.concatenate([pieces[0][3], pieces[1][3] + len(pieces[0][0])])
    normals = vertex_normals(skin.points, skin.triangles)
    result = []
    for side, winding in ((np.ones(3), -1), (MIRROR, 1)):
        places, fields = attached(points * side, normals, skin, lift)
        colours = np.clip(np.array(COLOURS["brow"]) * shade[:, None], 0, 1)
        materials = np.full(len(triangles), MATERIAL_NUMBER["brow"])
        result.append(Part(places, triangles[:, ::winding], materials, colours, fields))
    return result


def _half_width(along: Floats) -> Floats:
    """Return half the brow's height in metres from its inner end (0) to its tail (1)."""
    return np.asarray(0.0036 * np.clip(1.12 - 0.92 * along**1.5, 0.1, 1) * np.clip(along / 0.12 + 0.45, 0, 1))


def _bed(line: PchipInterpolator) -> tuple[Floats, Floats, Floats, Ints]:
    """Return points, heights above the skin, shades and triangles of the thin dark bed under the strokes."""
    along = np.linspace(0.05, 0.96, BED_COLUMNS)
    rows = np.array([-1.0, 0.0, 1.0])
    half = 0.66 * _half_width(along) * np.sin(np.pi * np.clip((along - 0.05) / 0.92, 0, 1)) ** 0.35
    grid = line(along)[None] + rows[:, None, None] * half[None, :, None] * np.array([0.12, 0.99, -0.1])
    lift = np.repeat([-0.00008, 0.00025, -0.00008], BED_COLUMNS)
    shade = np.full(grid.shape[0] * BED_COLUMNS, 1.05)
    return grid.reshape(-1, 3), lift, shade, grid_triangles(3, BED_COLUMNS, False)


def _strokes(line: PchipInterpolator) -> tuple[Floats, Floats, Floats, Ints]:
    """Return the strokes: rising at the inner end, then lying outwards, from both edges towards the middle."""
    number = np.arange(STROKES)
    # Rows of roots by the golden ratio: even cover without a visible grid.
    across = (number * 0.618034) % 1.0 * 2 - 1
    along = 0.91 * (number / (STROKES - 1)) ** 1.15
    tangent = line(np.clip(along + 0.01, 0, 1)) - line(np.clip(along - 0.01, 0, 1))
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    upward = np.array([0.0, 1.0, 0.0]) - tangent * tangent[:, 1:2]
    # Lower hairs rise, upper ones bend down to the brow's line.
    rise = np.interp(along, [0.0, 0.12, 0.4, 1.0], [1.0, 0.62, 0.28, 0.05]) - across * np.interp(
        along, [0.0, 0.15, 0.4, 1.0], [0.1, 0.35, 0.42, 0.30]
    )
    direction = tangent + (rise + 0.10 * np.sin(number * 5.3))[:, None] * upward
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    length = np.interp(along, [0.0, 0.10, 0.3, 0.6, 0.9], [0.0030, 0.0048, 0.0062, 0.0066, 0.0050])
    length = length * (1 + 0.15 * np.sin(number * 2.9))
    root = line(along) + across[:, None] * 0.86 * _half_width(along)[:, None] * upward
    width = 0.00030 * np.cross(direction, [0.0, 0.0, 1.0])
    middle, tip = (
        root + length[:, None] * 0.42 * direction,
        root + length[:, None] * (0.86 * direction + 0.14 * tangent),
    )
    points = np.stack([root, middle - width, middle + width, tip], axis=1)
    lift = np.tile([0.0000, 0.00055, 0.00055, 0.00025], STROKES) + 0.00008 * np.repeat(number % 3, 4)
    shade = np.repeat(1.0 + 0.16 * np.sin(number * 1.7), 4) * np.tile([0.9, 1.0, 1.0, 1.25], STROKES)
    first = number[:, None] * 4
    triangles = np.concatenate([first + corners for corners in ([0, 1, 2], [1, 3, 2])])
    return points.reshape(-1, 3), lift, shade, triangles
