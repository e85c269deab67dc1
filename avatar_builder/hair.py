"""Hair, brows and lashes as stylised shapes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from .base_face import MIRROR, smooth_step
from .cage import NECK_TOP, SKULL_CENTRE, leave_head, onto_head
from .parts import COLOURS, MATERIAL_NUMBER, Part, attached, grid_triangles, plain_part
from .skin import Skin
from .surface import vertex_normals
from .topology import BROW_LOWER, BROW_UPPER, Floats

HAIR_ROWS = 26
HAIR_COLUMNS = 88
CROWN = np.array([0.0, 0.93, -0.37])
# The hairline on the subject's right, from the middle of the forehead to the nape.
HAIRLINE = np.array([
    [0.000, 0.064, 0.012], [-0.024, 0.062, 0.008], [-0.046, 0.050, -0.008], [-0.062, 0.028, -0.026],
    [-0.068, 0.006, -0.037], [-0.071, -0.012, -0.044], [-0.073, -0.006, -0.050],
    [-0.076, 0.014, -0.062], [-0.076, 0.020, -0.080],
    [-0.075, -0.004, -0.098], [-0.068, -0.034, -0.112], [-0.050, -0.062, -0.128], [0.000, -0.072, -0.140],
])  # fmt: skip


def _crown_angles(points: Floats) -> tuple[Floats, Floats]:
    """Return turn about the crown's axis (0 front, positive to the right) and angle from the crown, in radians."""
    direction = points - SKULL_CENTRE
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    front = np.array([0.0, 0.37, 0.93])
    return np.arctan2(-direction[:, 0], direction @ front), np.arccos(np.clip(direction @ CROWN, -1, 1))


def _hairline(turn: Floats) -> Floats:
    """Return the hairline's angle from the crown for each turn about its axis, in radians."""
    turns, angles = _crown_angles(onto_head(HAIRLINE))
    order = np.argsort(turns)
    line: Floats = PchipInterpolator(turns[order], angles[order])(np.clip(np.abs(turn), turns.min(), turns.max()))
    return line


def covered(points: Floats) -> NDArray[np.bool_]:
    """Return which points (V,) of the head lie well under the hair."""
    turn, angle = _crown_angles(points)
    return np.asarray((angle < _hairline(turn) - 0.20) & (points[:, 1] > NECK_TOP[1] - 0.03))


def hair() -> Part:
    """Return the hair: a swept cap with locks, open inside the head."""
    turn = np.linspace(-np.pi, np.pi, HAIR_COLUMNS, endpoint=False)
    limit = _hairline(turn)
    rows = np.linspace(0.0, 1.0, HAIR_ROWS) ** 0.8
    front = np.exp(-((turn / 0.75) ** 2))
    # Locks: the strands turn about the crown as they fall, in clumps of uneven width.
    strand = turn[None, :] * 11 + 2.6 * rows[:, None] ** 1.5 + 0.8 * np.sin(turn * 3)[None, :]
    clump = 0.5 + 0.5 * np.sin(strand) * np.cos(strand * 0.37 + 1.0)
    fine = 0.5 + 0.5 * np.sin(strand * 2.3 + 1.3)
    jag = 0.055 * (clump[-1] - 0.5) * (0.6 + front)
    polar = rows[:, None] * (limit + jag)[None, :] + 0.02
    full = 0.0140 + 0.0080 * front[None, :] * smooth_step(rows, 0.1, 0.6)[:, None]
    # A parting on the subject's left: the hair is lower there and sweeps up and over to the right.
    parting = np.exp(-(((turn + 0.55) / 0.10) ** 2))[None, :] * smooth_step(rows, 0.15, 0.35)[:, None]
    swept = np.exp(-(((turn + 0.05) / 0.42) ** 2))[None, :] * smooth_step(rows, 0.3, 0.75)[:, None]
    full = full - 0.0060 * smooth_step(np.abs(turn), 0.9, 1.5)[None, :] * smooth_step(rows, 0.3, 1.0)[:, None]
    full = full - 0.0100 * parting + 0.0065 * swept
    edge = np.clip(1 - rows**3.2, 0.0, 1.0)[:, None] ** 0.6
    ripple = 0.0058 * (clump - 0.5) * smooth_step(rows, 0.05, 0.3)[:, None] + 0.0018 * (fine - 0.5)
    lift = (full + ripple) * edge
    lift[-1] = -0.003
    cosine, sine = np.cos(polar), np.sin(polar)
    front_axis = np.array([0.0, 0.37, 0.93])
    across = np.array([-1.0, 0.0, 0.0])
    direction = (
        cosine[..., None] * CROWN
        + (sine * np.cos(turn))[..., None] * front_axis
        + (sine * np.sin(turn))[..., None] * across
    ).reshape(-1, 3)
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    points = leave_head(direction) + direction * lift.reshape(-1, 1)
    points = np.concatenate([points, [points[:HAIR_COLUMNS].mean(axis=0)]])
    pole = len(points) - 1
    first = np.arange(HAIR_COLUMNS)
    cap = np.stack([np.roll(first, -1), first, np.full(HAIR_COLUMNS, pole)], axis=1)
    triangles = np.concatenate([grid_triangles(HAIR_ROWS, HAIR_COLUMNS, True), cap])
    shade = np.append((0.72 + 0.42 * clump + 0.14 * (fine - 0.5)).ravel(), 1.0)[:, None]
    colours = np.clip(np.array(COLOURS["hair"]) * shade, 0, 1)
    return Part(points, triangles, np.full(len(triangles), MATERIAL_NUMBER["hair"]), colours)


def brows(skin: Part) -> list[Part]:
    """Return the right and the left brow, laid on the skin and moving with it."""
    upper, lower = skin.points[list(BROW_UPPER)], skin.points[list(BROW_LOWER)]
    # Low over the eyes and flat, so that the resting face looks neither surprised nor stern.
    share = np.array([0.22, 0.16, 0.20, 0.20, 0.24])[:, None]
    middle = share * upper + (1 - share) * lower
    along = np.linspace(0, 1, 18)
    knots = np.linspace(0, 1, len(middle))
    centre = np.stack([PchipInterpolator(knots, middle[:, k])(along) for k in range(3)], axis=1)
    half_width = 0.0037 * np.clip(1.15 - 0.95 * along**1.6, 0.1, 1) * np.clip(along / 0.06 + 0.45, 0, 1)
    rise = np.clip(1 - (along / 0.2), 0, 1) * 0.0006
    rows = np.array([-1.0, -0.75, 0.0, 0.75, 1.0])
    height = np.array([-0.0004, 0.0005, 0.0008, 0.0005, -0.0004])
    grid = centre[None] + rows[:, None, None] * half_width[None, :, None] * np.array([0.12, 0.99, -0.1])
    grid[..., 1] += rise
    lift = height[:, None] * np.clip(np.minimum(along / 0.05, (1 - along) / 0.12), 0, 1)[None, :] - 0.0001
    normals = vertex_normals(skin.points, skin.triangles)
    triangles = grid_triangles(len(rows), len(along), False)
    result = []
    for side, winding in ((np.ones(3), -1), (MIRROR, 1)):
        points, fields = attached((grid * side).reshape(-1, 3), normals, skin, lift.ravel())
        result.append(plain_part(points, triangles[:, ::winding], "brow", fields))
    return result


def lashes(skin: Skin) -> list[Part]:
    """Return the right and the left upper lashes: a curved strip on the lid's margin."""
    result = []
    for margin, outward, winding in ((skin.upper_lids[0], -1.0, 1), (skin.upper_lids[1], 1.0, -1)):
        along = np.linspace(0, 1, len(margin))
        length = 0.0042 * np.sin(np.pi * np.clip(along, 0.0, 1.0) ** 0.75) ** 0.6 * (1 - 0.45 * along)
        root = skin.part.points[margin]
        lean = np.stack([outward * (0.55 - 0.75 * along), 0.05 + 0 * along, 1.0 + 0 * along], axis=1)
        curl = np.array([0.0, 0.55, 0.1])
        rows = [
            root + np.array([0.0, -0.0004, 0.0002]),
            root + length[:, None] * 0.5 * lean + np.array([0.0, -0.0001, 0.0]),
            root + length[:, None] * (lean * 0.9 + curl),
        ]
        triangles = grid_triangles(3, len(margin), False)[:, ::winding]
        fields = {name: np.tile(values[margin], (3, 1)) for name, values in skin.part.fields.items()}
        result.append(plain_part(np.concatenate(rows), triangles, "lash", fields))
    return result
