"""Hair as a stylised shape."""

from __future__ import annotations

import numpy as np
from scipy.interpolate import PchipInterpolator

from .base_face import smooth_step
from .cage import SKULL_CENTRE, leave_head, onto_head
from .parts import COLOURS, MATERIAL_NUMBER, Part, grid_triangles
from .topology import Floats

HAIR_ROWS = 27
HAIR_COLUMNS = 116
CROWN = np.array([0.0, 0.93, -0.37])
# The hairline on the subject's right, from the middle of the forehead to the nape.
HAIRLINE = np.array([
    [0.000, 0.064, 0.012], [-0.024, 0.062, 0.008], [-0.046, 0.050, -0.008], [-0.062, 0.028, -0.026],
    [-0.068, 0.006, -0.036], [-0.071, -0.013, -0.042], [-0.073, -0.013, -0.049],
    [-0.076, 0.012, -0.060], [-0.076, 0.020, -0.080],
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


def hair() -> Part:
    """Return the hair: a swept cap with locks, open inside the head."""
    turn = np.linspace(-np.pi, np.pi, HAIR_COLUMNS, endpoint=False)
    # From the crown to the hairline, closer together where the edge bends under.
    rows = np.linspace(0.0, 1.0, HAIR_ROWS)
    rows = rows + 0.13 * np.sin(np.pi * rows)
    clump, fine = _locks(turn, rows)
    front = np.exp(-((turn / 0.75) ** 2))
    jag = 0.050 * (clump[-1] - 0.5) * (0.6 + front) + 0.012 * fine[-1]
    polar = rows[:, None] * (_hairline(turn) + jag)[None, :] + 0.02
    lift = _thickness(turn, rows)
    ripple = 0.0064 * (clump - 0.5) * smooth_step(rows, 0.05, 0.3)[:, None] + 0.0019 * fine
    edge = np.clip(1 - rows**4, 0.0, 1.0)[:, None] ** 0.6
    lift = (lift + ripple * (1 - 0.5 * rows[:, None] ** 4)) * edge
    lift[-1] = -0.003
    direction = _from_crown(turn, polar)
    points = leave_head(direction) + direction * lift.reshape(-1, 1)
    points = np.concatenate([points, [points[:HAIR_COLUMNS].mean(axis=0)]])
    pole = len(points) - 1
    first = np.arange(HAIR_COLUMNS)
    cap = np.stack([np.roll(first, -1), first, np.full(HAIR_COLUMNS, pole)], axis=1)
    triangles = np.concatenate([grid_triangles(HAIR_ROWS, HAIR_COLUMNS, True), cap])
    shade = np.append((0.74 + 0.40 * clump + 0.16 * fine).ravel(), 1.0)[:, None]
    colours = np.clip(np.array(COLOURS["hair"]) * shade, 0, 1)
    return Part(points, triangles, np.full(len(triangles), MATERIAL_NUMBER["hair"]), colours)


def _locks(turn: Floats, rows: Floats) -> tuple[Floats, Floats]:
    """Return the height of the locks, 0 to 1, and of the strands in them, -1 to 1, (R, N) each.

    Both turn about the crown as they fall; all waves fit a whole number of times around it.
    """
    phase = 2.9 * rows[:, None] ** 1.5 + 0.8 * np.sin(3 * turn)[None, :] + 0.5 * np.sin(5 * turn + 1.0)[None, :]

    def wave(times: int, shift: float) -> Floats:
        return np.asarray(np.sin(times * turn[None, :] + times / 10 * phase + shift))

    clump = 0.5 + 0.5 * wave(10, 0.0) * wave(4, 2.6)
    return clump, 0.6 * wave(24, 1.3) + 0.4 * wave(37, 0.4)


def _thickness(turn: Floats, rows: Floats) -> Floats:
    """Return how far the hair stands off the head in metres (R, N): full over the forehead, short at sides and nape."""
    front = np.exp(-((turn / 0.75) ** 2))
    full = 0.0140 + 0.0080 * front[None, :] * smooth_step(rows, 0.1, 0.6)[:, None]
    # A parting on the subject's left: the hair is lower there and sweeps up and over to the right.
    parting = np.exp(-(((turn + 0.55) / 0.10) ** 2))[None, :] * smooth_step(rows, 0.15, 0.35)[:, None]
    swept = np.exp(-(((turn + 0.05) / 0.42) ** 2))[None, :] * smooth_step(rows, 0.3, 0.75)[:, None]
    short = smooth_step(np.abs(turn), 0.9, 1.5)[None, :] * smooth_step(rows, 0.3, 1.0)[:, None]
    nape = smooth_step(np.abs(turn), 1.7, 2.4)[None, :] * smooth_step(rows, 0.62, 1.0)[:, None]
    return np.asarray(full - 0.0060 * short - 0.0045 * nape - 0.0100 * parting + 0.0065 * swept)


def _from_crown(turn: Floats, polar: Floats) -> Floats:
    """Return unit vectors (R * N, 3) at the angles (R, N) from the crown."""
    cosine, sine = np.cos(polar), np.sin(polar)
    front_axis, across = np.array([0.0, 0.37, 0.93]), np.array([-1.0, 0.0, 0.0])
    direction = (
        cosine[..., None] * CROWN
        + (sine * np.cos(turn))[..., None] * front_axis
        + (sine * np.sin(turn))[..., None] * across
    ).reshape(-1, 3)
    return np.asarray(direction / np.linalg.norm(direction, axis=1, keepdims=True))
