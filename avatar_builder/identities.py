"""Identity sliders: symmetric changes of the resting head that make other people of it.

Most are smooth warps of space, evaluated at every vertex of the finished avatar, so that what touches at rest still
touches and teeth, hair, ears and brows follow. All but ``eyes`` fade out around the eyeballs, which stay. ``lips``
and ``eyes`` are fields of the cage, since they move single rows of it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .base_face import EYE_CENTRE_X, smooth_step
from .cage import EYE_CENTRE_RIGHT
from .lip_rules import move
from .rig import Rig
from .shoulders import head_weight
from .topology import Floats

Warp = Callable[[Floats], Floats]
"""Maps points (V, 3) in metres to displacements (V, 3) at slider value 1."""


def warps() -> dict[str, Warp]:
    """Return the warp of each identity that moves the space around the face."""
    return {"width": _width, "jaw": _jaw, "age": _age, "nose": _nose, "brow": _brow}


def identity_fields(rig: Rig) -> dict[str, Floats]:
    """Return the displacement field (V, 3) of the cage at 1 of each identity that moves single rows of it."""
    return {"lips": rig.symmetric(rig.mouth(_fuller)), "eyes": _almond(rig)}


def _away_from_eyes(points: Floats, near: float, far: float) -> Floats:
    """Return 0 within ``near`` metres of either eye's centre, 1 beyond ``far`` (V, 1)."""
    beside = np.abs(points[:, 0]) - EYE_CENTRE_X
    distance = np.sqrt(beside**2 + points[:, 1] ** 2 + points[:, 2] ** 2)
    return np.asarray(smooth_step(distance, near, far)[:, None])


def _bump(points: Floats, centre: tuple[float, float, float], size: tuple[float, float, float]) -> Floats:
    """Return a smooth bump (V, 1) on both sides; ``centre`` and ``size`` in millimetres, on the subject's left."""
    folded = np.stack([np.abs(points[:, 0]), points[:, 1], points[:, 2]], axis=1) * 1000
    return np.asarray(np.exp(-(((folded - np.array(centre)) / np.array(size)) ** 2).sum(axis=1))[:, None])


def _outward(points: Floats, x: float, y: float, z: float) -> Floats:
    """Return the displacement (V, 3) in millimetres on the left, mirrored on the right; none sideways in the middle."""
    side = np.clip(points[:, 0] / 0.012, -1, 1)
    return np.asarray(np.stack([side * x, np.full(len(points), y), np.full(len(points), z)], axis=1) / 1000)


def _width(points: Floats) -> Floats:
    """A broader, shorter face."""
    x, y, _ = points.T
    stretch = np.stack([0.070 * x, 0.040 * np.maximum(-y - 0.020, 0.0), 0 * x], axis=1)
    return np.asarray(stretch * head_weight(points)[:, None] * _away_from_eyes(points, 0.018, 0.048))


def _jaw(points: Floats) -> Floats:
    """Square: wider corners of the jaw, a broader, longer chin and a stronger neck."""
    corners = _bump(points, (60, -82, -30), (30, 30, 34)) * _outward(points, 4.8, -1.2, 0)
    chin = _bump(points, (18, -104, 18), (13, 16, 20)) * _outward(points, 3.6, 0, 0)
    longer = _bump(points, (0, -112, 22), (30, 18, 26)) * _outward(points, 0, -2.6, 1.8)
    weight = head_weight(points)[:, None]
    axis = points * np.array([1.0, 0.0, 1.0]) - np.array([0.0, 0.0, -0.090])
    neck = 0.30 * weight * (1 - weight) * axis
    return np.asarray(corners + chin + longer + neck)


def _age(points: Floats) -> Floats:
    """Older: hollow cheeks, jowls, folds beside the nose, bags under the eyes, lower brows and nose tip."""
    cheeks = _bump(points, (46, -48, 8), (16, 20, 20)) * _outward(points, -2.6, -1.4, -1.8)
    jowls = _bump(points, (42, -88, 2), (15, 14, 20)) * _outward(points, 1.8, -2.4, 0.6)
    pull = _bump(points, (15, -86, 30), (9, 12, 20)) * _outward(points, 0.6, 0, -1.2)
    fold = np.zeros((len(points), 1))
    for depth, centre in ((0.7, (22, -38, 26)), (1.0, (26, -46, 23)), (1.0, (29, -55, 21)), (0.7, (31, -63, 20))):
        fold += depth * _bump(points, centre, (4.5, 6, 14))
    folds = fold * _outward(points, -0.4, -0.3, -1.1)
    above = _bump(points, (34, -40, 20), (7, 14, 16)) * _outward(points, 0.3, -0.6, 0.9)
    bags = _bump(points, (31, -15, 13), (12, 3.4, 12)) * _outward(points, 0, -0.9, 1.4)
    trough = _bump(points, (29, -21, 14), (12, 3.2, 12)) * _outward(points, 0, 0, -1.2)
    brows = _bump(points, (36, 19, 14), (24, 7, 18)) * _outward(points, 0, -1.8, 0)
    tip = _bump(points, (0, -32, 47), (12, 9, 12)) * _outward(points, 0, -2.2, 0.4)
    temples = _bump(points, (64, 18, -14), (12, 16, 18)) * _outward(points, -2.2, 0, 0)
    lobes = _bump(points, (84, -36, -62), (14, 12, 20)) * _outward(points, 0.4, -2.4, 0)
    total = cheeks + jowls + pull + folds + above + bags + trough + brows + tip + temples + lobes
    return np.asarray(total * _away_from_eyes(points, 0.0165, 0.0205))


def _nose(points: Floats) -> Floats:
    """A larger nose: longer, wider and further forward."""
    x, y, z = points.T
    region = (1 - smooth_step(np.abs(x), 0.014, 0.028)) * smooth_step(-y, -0.004, 0.022)
    region *= (1 - smooth_step(-y, 0.038, 0.050)) * smooth_step(z, 0.018, 0.034)
    growth = (points - np.array([0.0, -0.026, 0.022])) * np.array([0.17, 0.10, 0.15])
    return np.asarray(growth * region[:, None])


def _brow(points: Floats) -> Floats:
    """A strong, low brow under a sloping forehead."""
    ridge = _bump(points, (28, 16, 16), (26, 8, 16)) * _outward(points, 0, -1.6, 2.8)
    between = _bump(points, (0, 15, 24), (12, 9, 14)) * _outward(points, 0, -0.8, 1.8)
    slope = _bump(points, (0, 56, 12), (44, 20, 30)) * _outward(points, 0, 0.5, -3.4)
    return np.asarray((ridge + between + slope) * _away_from_eyes(points, 0.0155, 0.022))


def _fuller(across: Floats, level: int, upper: bool) -> Floats:
    """Fuller lips; the line of contact stays."""
    middle = 1 - np.abs(across) ** 2.4
    rise = (1.9, 1.1, 0.4, 0.0)[level] * (1.0 if upper else -1.0)
    return move(across, 0.0, rise * middle, (0.7, 1.5, 1.2, 0.0)[level] * middle)


def _almond(rig: Rig) -> Floats:
    """Almond eyes: the outer corners of both lids rise and go out; both lids alike, so that a blink still closes."""
    along = np.concatenate([np.linspace(0, 1, 9), np.linspace(1, 0, 9)[1:-1]])
    outer = (1 - along) ** 1.3
    shift = np.stack([-1.3 * outer, 2.4 * outer - 0.7 * along**2, 0 * outer], axis=1) / 1000
    cage = rig.cage
    # Along the eyeball, so that the lids neither sink into it nor stand off.
    ball = (cage.points[cage.lid_loops[0]] - EYE_CENTRE_RIGHT) * np.array([1.0, 0.0, 1.0])
    ball /= np.linalg.norm(ball, axis=1, keepdims=True)
    shift -= (shift * ball).sum(axis=1, keepdims=True) * ball
    handles = {
        int(index): step
        for loop in (cage.lid_loops[0], cage.lid_inner[0], cage.lid_hidden[0])
        for index, step in zip(loop, shift, strict=True)
    }
    return rig.symmetric(2 * rig.eye(handles))
