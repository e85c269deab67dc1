"""The 52 ARKit shapes as displacement fields of the cage, by geometric rules."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from blendshape_rigs.arkit import ARKIT_NAMES

from .base_face import OPEN_LIDS
from .rig import Rig, open_jaw
from .topology import LOWER_LID_RINGS, LOWER_LIP_RINGS, UPPER_LIP_RINGS, Floats

MM = 0.001


def cage_fields(rig: Rig) -> dict[str, Floats]:
    """Return the displacement field (V, 3) at value 1 of each ARKit name."""
    fields = {**_jaw(rig), **_mouth(rig), **_lips(rig), **_eyes(rig), **_brows_and_cheeks(rig)}
    fields["tongueOut"] = np.zeros_like(rig.points)
    for name in list(fields):
        if name.endswith("Left") and name not in ("jawLeft", "mouthLeft"):
            fields[name.removesuffix("Left") + "Right"] = rig.mirrored(fields[name])
    for side in ("jaw", "mouth"):
        fields[side + "Right"] = rig.mirrored(fields[side + "Left"])
    return {name: fields[name] for name in ARKIT_NAMES}


def _move(across: Floats, x: Floats | float, y: Floats | float, z: Floats | float) -> Floats:
    """Return displacements (11, 3) in metres from millimetres."""
    return np.stack([np.broadcast_to(v, across.shape) for v in (x, y, z)], axis=1) * MM


def _bulge(across: Floats, power: float = 2.0) -> Floats:
    """Return 1 at the mouth's middle and 0 at its corners."""
    return 1 - np.abs(across) ** power


def _jaw(rig: Rig) -> dict[str, Floats]:
    weight, slide = rig.jaw_weight[:, None], rig.slide_weight[:, None]
    opening = weight * open_jaw(rig.points)
    # The corners are drawn in a little as the mouth opens.
    narrow = rig.mouth(lambda u, level, upper: _move(u, -2.5 * np.sign(u) * np.abs(u) ** 3, 0.0, 0.0))
    opening = rig.symmetric(opening + narrow)
    return {
        "jawOpen": opening,
        "jawForward": rig.symmetric(slide * np.array([0.0, -0.0005, 0.0085])),
        "jawLeft": slide * np.array([0.0085, 0.0, -0.0005]),
        "mouthClose": _close(rig, opening),
    }


def _close(rig: Rig, opening: Floats) -> Floats:
    """Close the lips of the fully open jaw: the lower lip rises, the upper comes to meet it."""
    upper = rig.points[list(UPPER_LIP_RINGS[3])] + opening[list(UPPER_LIP_RINGS[3])]
    lower = rig.points[list(LOWER_LIP_RINGS[3])] + opening[list(LOWER_LIP_RINGS[3])]
    meeting = 0.66 * upper + 0.34 * lower
    meeting[:, 2] = upper[:, 2] * 0.75 + lower[:, 2] * 0.25

    def rule(across: Floats, level: int, is_upper: bool) -> Floats:
        follow = (0.86, 0.95, 1.0, 1.0)[level]
        return (meeting - (upper if is_upper else lower)) * follow

    still = np.concatenate([rig.still(below=-0.040), [152, 175, 199, 148, 377, 171, 396]])
    return rig.symmetric(rig.spread(rig.lips(rule), still))


def _mouth(rig: Rig) -> dict[str, Floats]:
    """Shapes that move the mouth's corners."""

    def smile(u: Floats, level: int, upper: bool) -> Floats:
        a = np.abs(u)
        return _move(u, 9.0 * np.sign(u) * a**1.3, 8.0 * a**1.7 + 0.6 * (1 - a**1.7), -6.0 * a**1.6 - 1.6 * _bulge(u))

    def frown(u: Floats, level: int, upper: bool) -> Floats:
        a = np.abs(u)
        return _move(u, 1.0 * np.sign(u) * a**2, -7.5 * a**2.0 - 0.4, -0.8 * a**2 + 0.6 * _bulge(u))

    def dimple(u: Floats, level: int, upper: bool) -> Floats:
        a = np.abs(u)
        return _move(u, 3.2 * np.sign(u) * a**2.2, 2.2 * a**2, -6.0 * a**2.2)

    def stretch(u: Floats, level: int, upper: bool) -> Floats:
        a = np.abs(u)
        return _move(u, 8.5 * np.sign(u) * a**1.4, -4.0 * a**1.6 - (0.0 if upper else 1.2 * _bulge(u)), -5.5 * a**1.8 - 1.2)

    smile_cheeks = {205: (-1.5, 4.5, 2.2), 50: (-1.0, 3.8, 2.6), 187: (-3.6, 3.4, 0.0), 207: (-5.0, 4.5, -1.5),
                    206: (-4.2, 4.2, -0.6), 203: (-1.8, 2.2, 0.2), 101: (-0.3, 2.8, 1.6), 118: (-0.3, 1.6, 1.2),
                    117: (-0.5, 1.6, 0.8), 214: (-3.5, 2.2, -1.0), 202: (-4.0, 3.5, -2.5)}  # fmt: skip
    frown_cheeks = {202: (0.3, -4.0, 0.6), 207: (0.4, -3.6, 0.0), 206: (0.2, -2.2, 0.0), 204: (-0.2, -2.2, 1.2)}
    dimple_cheeks = {205: (-1.2, 0.9, 2.2), 207: (-2.4, 1.4, -0.5), 206: (-1.8, 0.6, 0.4), 202: (-2.0, 2.0, -1.4)}
    stretch_cheeks = {207: (-5.0, -1.2, -1.0), 202: (-6.0, -3.4, -1.5), 214: (-4.5, -1.5, 0.0), 204: (-4.0, -3.0, -1.0)}
    both = {
        "mouthSmileLeft": rig.mouth(smile, smile_cheeks, below=-0.010),
        "mouthFrownLeft": rig.mouth(frown, frown_cheeks),
        "mouthDimpleLeft": rig.mouth(dimple, dimple_cheeks),
        "mouthStretchLeft": rig.mouth(stretch, stretch_cheeks),
    }
    return {name: rig.left_part(rig.symmetric(field)) for name, field in both.items()}


def _lips(rig: Rig) -> dict[str, Floats]:
    """Shapes of the lips themselves."""

    def funnel(u: Floats, level: int, upper: bool) -> Floats:
        a = np.abs(u)
        spread = ((4.4, 4.8, 4.8, 4.6) if upper else (-6.4, -6.8, -6.6, -6.2))[level] * _bulge(u, 2.6)
        return _move(u, -6.8 * np.sign(u) * a**1.2, spread, (5.8, 7.4, 7.6, 6.2)[level] + 1.2 * a**2)

    def pucker(u: Floats, level: int, upper: bool) -> Floats:
        a = np.abs(u)
        thick = ((1.6, 1.6, 0.9, 0.0) if upper else (-1.0, -1.3, -0.9, 0.0))[level] * _bulge(u)
        return _move(u, -9.6 * np.sign(u) * a**1.15, thick + 0.8 * a**2, (6.0, 8.2, 8.4, 6.8)[level] + 2.2 * a**2)

    def left(u: Floats, level: int, upper: bool) -> Floats:
        return _move(u, 11.0 + 1.2 * u, 0.6 * u, -1.0 - 3.4 * np.maximum(u, 0) ** 2 + 2.6 * np.maximum(-u, 0) ** 2)

    def roll(lower: bool) -> Callable[[Floats, int, bool], Floats]:
        def rule(u: Floats, level: int, upper: bool) -> Floats:
            bulge = _bulge(u, 4.0)
            if upper == lower:
                return _move(u, 0.0, 0.0, -0.8 * bulge)
            inward = (4.6, 4.4, 2.2, 0.0)[level] * (-0.7 if upper else 1.0)
            return _move(u, 0.0, inward * bulge, -(3.6, 6.2, 6.4, 5.4)[level] * bulge)

        return rule

    def shrug_lower(u: Floats, level: int, upper: bool) -> Floats:
        lift = (2.8, 3.0, 3.3, 3.6)[level] if upper else (6.0, 5.4, 4.6, 3.6)[level]
        return _move(u, 0.0, lift * _bulge(u) - 0.6 * np.abs(u) ** 2, (0.8 if upper else 2.4) * _bulge(u))

    def shrug_upper(u: Floats, level: int, upper: bool) -> Floats:
        if not upper:
            return _move(u, 0.0, 1.6 * _bulge(u), 0.4 * _bulge(u))
        return _move(u, 0.0, (3.2, 3.2, 2.8, 2.2)[level] * _bulge(u), (1.6, 2.4, 2.4, 1.6)[level] * _bulge(u))

    def press(u: Floats, level: int, upper: bool) -> Floats:
        side = np.exp(-(((np.abs(u) - 0.55) / 0.5) ** 2))
        rise = (-0.8, -0.2, 0.5, 1.0)[level] if upper else (2.6, 2.4, 1.8, 1.0)[level]
        return _move(u, 0.0, rise * side, (-0.4 if upper else 0.9) * side)

    def lower_down(u: Floats, level: int, upper: bool) -> Floats:
        if upper:
            return _move(u, 0.0, 0.0, 0.0)
        side = _bulge(u, 3.5)
        return _move(u, 1.6 * u * _bulge(u, 4.0), -(5.2, 6.2, 6.8, 7.2)[level] * side, (0.8, 1.2, 0.8, -0.8)[level] * side)

    def upper_up(u: Floats, level: int, upper: bool) -> Floats:
        if not upper:
            return _move(u, 0.0, 0.0, 0.0)
        side = _bulge(u, 3.5)
        return _move(u, 0.8 * u * _bulge(u, 4.0), (4.8, 5.6, 6.0, 6.2)[level] * side, (-0.4, 0.6, 0.4, -0.6)[level] * side)

    chin_up = {199: (0, 3.4, 1.6), 200: (0, 5.4, 2.2), 18: (0, 6.0, 2.2), 175: (0, 1.4, 0.8), 201: (0, 4.8, 1.9)}
    fold = {206: (-1.0, 2.8, 1.0), 203: (-0.6, 2.6, 0.8), 205: (-0.6, 1.8, 1.2)}
    halves = {
        "mouthPressLeft": rig.mouth(press, {18: (0, 1.8, 1.2), 200: (0, 2.2, 1.0), 204: (0, 1.8, 0.9)}),
        "mouthLowerDownLeft": rig.mouth(lower_down),
        "mouthUpperUpLeft": rig.mouth(upper_up, fold),
    }
    whole = {
        "mouthFunnel": rig.mouth(funnel, {57: (3.2, 1.2, 5.0), 92: (1.8, 0.9, 4.8), 200: (0, -2.6, -0.6), 43: (2.4, -1.4, 4.4)}),
        "mouthPucker": rig.mouth(pucker, {57: (6.4, 2.2, 5.6), 92: (3.2, 1.5, 5.8), 43: (5.0, 0.4, 5.4), 205: (1.4, 0.5, 1.4), 207: (3.5, 0.8, 1.8)}),
        "mouthRollLower": rig.mouth(roll(lower=True), {18: (0, 5.0, 1.6), 200: (0, 3.8, 2.4), 199: (0, 1.6, 1.2)}),
        "mouthRollUpper": rig.mouth(roll(lower=False)),
        "mouthShrugLower": rig.mouth(shrug_lower, chin_up),
        "mouthShrugUpper": rig.mouth(shrug_upper),
    }
    result = {name: rig.left_part(rig.symmetric(field)) for name, field in halves.items()}
    result |= {name: rig.symmetric(field) for name, field in whole.items()}
    result["mouthLeft"] = rig.mouth(left)
    return result


def _eyes(rig: Rig) -> dict[str, Floats]:
    upper, lower = OPEN_LIDS
    lifts = {
        "eyeBlinkLeft": (-0.0030, -0.0030, 0.0),
        "eyeLookDownLeft": (0.0008, -0.0066, 0.08),
        "eyeLookUpLeft": (0.0082, -0.0042, 0.08),
        "eyeSquintLeft": (upper - 0.0010, -0.0024, 0.08),
        "eyeWideLeft": (0.0088, lower - 0.0006, 0.08),
    }
    handles = {name: rig.lids(*values) for name, values in lifts.items()}
    for ring in (LOWER_LID_RINGS[0], LOWER_LID_RINGS[1]):
        # The muscle around the eye also draws the lower lid towards the nose.
        for index, share in zip(ring[1:-1], (0.5, 0.9, 1.0, 1.0, 0.9, 0.7, 0.4), strict=True):
            handles["eyeSquintLeft"][index] = handles["eyeSquintLeft"][index] + np.array([1.5 * MM * share, 0, 0])
    fields = {name: rig.eye(values) for name, values in handles.items()}
    # The cornea pushes the lids a little sideways.
    drift = rig.eye(rig.lids(*OPEN_LIDS) | _sideways(rig, 0.7))
    fields["eyeLookOutLeft"] = drift
    fields["eyeLookInLeft"] = -drift
    return fields


def _sideways(rig: Rig, millimetres: float) -> dict[int, Floats]:
    """Return handles that move the middle of the right eye's lids outwards."""
    along = np.abs(np.concatenate([np.linspace(-1, 1, 9), np.linspace(1, -1, 9)[1:-1]]))
    move = np.stack([-millimetres * MM * (1 - along**2), 0 * along, 0 * along], axis=1)
    return dict(zip(rig.cage.lid_loops[0].tolist(), move, strict=True))


def _brows_and_cheeks(rig: Rig) -> dict[str, Floats]:
    x, y = np.abs(rig.points[:, 0]), rig.points[:, 1]
    lids = np.concatenate([rig.cage.lid_loops, rig.cage.lid_inner, rig.cage.lid_hidden]).ravel()
    head = np.arange(468, len(rig.points))
    brow_still = np.unique(np.concatenate([np.flatnonzero((y < 0.006) & ((x > 0.012) | (y < 0.0))), lids, head]))
    cheek_still = np.unique(np.concatenate([
        rig.still(below=0.004, beyond=0.062), rig.cage.mouth_rings.ravel(), lids,
        np.flatnonzero(y < -0.052),
    ]))  # fmt: skip

    def brow(moves: dict[int, tuple[float, float, float]]) -> Floats:
        return rig.spread(rig.both_sides(moves), brow_still)

    down = brow({107: (2.0, -4.6, 0.9), 55: (2.0, -5.0, 1.0), 66: (3.0, -4.8, 1.4), 65: (2.6, -4.8, 1.2), 105: (3.2, -4.4, 1.8),
                 52: (2.8, -4.2, 1.6), 63: (2.6, -3.0, 2.0), 53: (2.4, -3.0, 1.8), 70: (1.6, -1.4, 1.8), 46: (1.4, -1.2, 1.4),
                 9: (0, -3.4, 0.8), 8: (0, -3.0, 1.0)})  # fmt: skip
    inner_up = brow({107: (0.6, 8.0, -0.6), 55: (0.6, 7.6, -0.4), 66: (0.4, 6.4, -0.6), 65: (0.2, 5.8, -0.4), 105: (0, 3.4, -0.4),
                     52: (0, 3.0, -0.2), 63: (0, 1.0, 0), 53: (0, 0.8, 0), 70: (0, 0, 0), 46: (0, 0, 0),
                     9: (0, 6.4, -0.6), 8: (0, 3.8, 0.0), 108: (0, 4.6, -0.6), 151: (0, 4.4, -0.6)})  # fmt: skip
    outer_up = brow({107: (0, 0.6, 0), 55: (0, 0.4, 0), 66: (0, 2.2, 0), 65: (0, 1.8, 0), 105: (0, 5.6, -0.6), 52: (0, 5.0, -0.4),
                     63: (-0.4, 7.6, -1.4), 53: (-0.4, 7.0, -1.0), 70: (-0.6, 7.0, -2.0), 46: (-0.6, 6.2, -1.6),
                     104: (0, 3.4, -0.8), 68: (0, 3.6, -1.4)})  # fmt: skip
    squint = {205: (-0.4, 3.2, 1.2), 50: (-0.6, 4.2, 1.8), 101: (-0.4, 3.8, 1.6), 118: (-0.3, 3.4, 1.2), 117: (-0.4, 3.2, 0.8),
              119: (-0.2, 3.0, 1.0), 123: (-0.4, 1.8, 0.4), 36: (-0.2, 2.8, 1.0)}  # fmt: skip
    sneer = {129: (-0.6, 3.8, 0.6), 64: (-1.0, 4.0, 0.8), 98: (-0.8, 3.4, 0.8), 48: (-1.0, 3.8, 0.8), 102: (-0.8, 3.4, 0.6),
             49: (-0.6, 3.0, 0.6), 203: (-0.4, 4.2, 1.6), 206: (-0.2, 3.2, 1.0), 36: (0.0, 2.6, 1.4), 188: (-0.2, 1.4, 0.6),
             217: (-0.2, 1.8, 0.8), 126: (-0.2, 2.0, 0.8), 142: (0, 2.2, 0.8), 4: (0, 0.8, 0), 1: (0, 0.8, 0), 6: (0, 0.2, 0)}  # fmt: skip
    puff = {205: (-4.5, 0.0, 5.5), 187: (-6.0, 0.0, 4.0), 207: (-6.0, 0.4, 5.0), 50: (-1.8, 0.4, 2.0), 214: (-5.2, -0.6, 3.6),
            206: (-2.6, 0.0, 3.4), 202: (-3.4, -0.4, 3.8), 212: (-4.2, 0.0, 4.4), 192: (-3.6, 0.0, 1.4), 147: (-2.8, 0.0, 0.8)}  # fmt: skip

    def sneer_lips(u: Floats, level: int, upper: bool) -> Floats:
        return _move(u, 0.0, (2.6, 2.2, 1.8, 1.4)[level] * _bulge(u, 4) if upper else 0.0, 0.0)

    def puff_lips(u: Floats, level: int, upper: bool) -> Floats:
        return _move(u, 0.0, 0.0, 1.4 * _bulge(u) + 0.8)

    cheek = rig.spread(rig.both_sides(squint) | _both_lids(rig, rig.lids(OPEN_LIDS[0], OPEN_LIDS[1] + 0.0012)), cheek_still)
    sneer_still = np.unique(np.concatenate([rig.still(below=0.012), lids]))
    sneer_field = rig.spread(rig.lips(sneer_lips) | rig.both_sides(sneer), sneer_still)
    return {
        "browDownLeft": rig.left_part(rig.symmetric(down), 0.008),
        "browInnerUp": rig.symmetric(inner_up),
        "browOuterUpLeft": rig.left_part(rig.symmetric(outer_up), 0.008),
        "cheekPuff": 1.25 * rig.symmetric(rig.mouth(puff_lips, puff, below=-0.004, beyond=0.075)),
        "cheekSquintLeft": rig.left_part(rig.symmetric(cheek), 0.006),
        "noseSneerLeft": 1.35 * rig.left_part(rig.symmetric(sneer_field), 0.010),
    }


def _both_lids(rig: Rig, handles: dict[int, Floats]) -> dict[int, Floats]:
    mirrored = {int(rig.cage.mirror[i]): move * np.array([-1.0, 1.0, 1.0]) for i, move in handles.items()}
    return handles | mirrored



