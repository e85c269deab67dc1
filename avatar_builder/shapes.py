"""The 52 ARKit shapes as displacement fields of the cage, by geometric rules."""

from __future__ import annotations

import numpy as np

from blendshape_rigs.arkit import ARKIT_NAMES
from blendshape_rigs.face_mesh import LANDMARKS

from . import lip_rules, shape_moves
from .base_face import OPEN_LIDS
from .rig import Rig, open_jaw
from .topology import LOWER_LIP_RINGS, UPPER_LIP_RINGS, Floats

CLOSED_LIDS = -0.0026
"""Metres above the line between the eye's corners at which the lids meet in the middle."""
LID_BULGE = 0.0019


def cage_fields(rig: Rig) -> dict[str, Floats]:
    """Return the displacement field (V, 3) at value 1 of each ARKit name."""
    fields = {**_jaw(rig), **_mouth(rig), **_lips(rig), **_eyes(rig), **_brows(rig), **_cheeks_and_nose(rig)}
    fields["tongueOut"] = np.zeros_like(rig.points)
    for name in list(fields):
        if name.endswith("Left") and name not in ("jawLeft", "mouthLeft"):
            fields[name.removesuffix("Left") + "Right"] = rig.mirrored(fields[name])
    for side in ("jaw", "mouth"):
        fields[side + "Right"] = rig.mirrored(fields[side + "Left"])
    return {name: fields[name] for name in ARKIT_NAMES}


def _jaw(rig: Rig) -> dict[str, Floats]:
    weight, slide = rig.jaw_weight[:, None], rig.slide_weight[:, None]
    opening = weight * open_jaw(rig.points)
    # The corners are drawn in a little as the mouth opens.
    narrow = rig.mouth(lambda u, level, upper: lip_rules.move(u, -2.5 * np.sign(u) * np.abs(u) ** 3, 0.0, 0.0))
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
    both = {
        "mouthSmileLeft": rig.mouth(lip_rules.smile, shape_moves.SMILE, below=-0.010),
        "mouthFrownLeft": rig.mouth(lip_rules.frown, shape_moves.FROWN),
        "mouthDimpleLeft": rig.mouth(lip_rules.dimple, shape_moves.DIMPLE),
        "mouthStretchLeft": rig.mouth(lip_rules.stretch, shape_moves.STRETCH),
    }
    result = {name: rig.left_part(rig.symmetric(field)) for name, field in both.items()}
    # The cheek that a smile lifts narrows the eye.
    result["mouthSmileLeft"] += rig.eye(rig.lids(OPEN_LIDS[0] - 0.0002, OPEN_LIDS[1] + 0.0008))
    return result


def _lips(rig: Rig) -> dict[str, Floats]:
    """Shapes of the lips themselves."""
    halves = {
        "mouthPressLeft": rig.mouth(lip_rules.press, shape_moves.PRESS),
        "mouthLowerDownLeft": rig.mouth(lip_rules.lower_down),
        "mouthUpperUpLeft": rig.mouth(lip_rules.upper_up, shape_moves.UPPER_UP),
    }
    whole = {
        "mouthFunnel": rig.mouth(lip_rules.funnel, shape_moves.FUNNEL),
        "mouthPucker": rig.mouth(lip_rules.pucker, shape_moves.PUCKER),
        "mouthRollLower": rig.mouth(lip_rules.roll_lower, shape_moves.ROLL_LOWER),
        "mouthRollUpper": rig.mouth(lip_rules.roll_upper),
        "mouthShrugLower": rig.mouth(lip_rules.shrug_lower, shape_moves.SHRUG_LOWER),
        "mouthShrugUpper": rig.mouth(lip_rules.shrug_upper),
    }
    result = {name: rig.left_part(rig.symmetric(field)) for name, field in halves.items()}
    result |= {name: rig.symmetric(field) for name, field in whole.items()}
    result["mouthLeft"] = _mouth_left(rig)
    return result


def _mouth_left(rig: Rig) -> Floats:
    """Return the field that draws the mouth to the subject's left; the nose's base follows a little."""
    handles = rig.lips(lip_rules.left)
    handles |= {index: np.array([2.4, 0.0, 0.0]) * lip_rules.MM for index in shape_moves.MOUTH_LEFT_NOSE}
    still = rig.still(below=-0.022, nose=False)
    bridge = np.flatnonzero((rig.points[:, 1] > -0.036) & (np.abs(rig.points[:, 0]) < 0.019))
    return rig.spread(handles, np.union1d(still, bridge))


def _eyes(rig: Rig) -> dict[str, Floats]:
    upper, lower = OPEN_LIDS
    handles = {
        # Closed lids bulge, so that they pass over the cornea on their way.
        "eyeBlinkLeft": rig.lids(CLOSED_LIDS, CLOSED_LIDS, 0.0, bulge=LID_BULGE),
        "eyeLookDownLeft": rig.lids(0.0012, -0.0066),
        "eyeLookUpLeft": rig.lids(0.0082, -0.0042),
        # The muscle around the eye also draws the lower lid towards the nose.
        "eyeSquintLeft": rig.lids(upper - 0.0014, -0.0016, shift=_along_lids(0.0, 1.5)),
        "eyeWideLeft": rig.lids(0.0088, lower - 0.0006),
        # The cornea pushes the lids a little sideways.
        "eyeLookOutLeft": rig.lids(*OPEN_LIDS, shift=_along_lids(-0.9, -0.9)),
        "eyeLookInLeft": rig.lids(*OPEN_LIDS, shift=_along_lids(0.9, 0.9)),
    }
    return {name: rig.eye(values) for name, values in handles.items()}


def _along_lids(upper: float, lower: float) -> Floats:
    """Return moves (16, 3) of the right lid margin towards the nose: millimetres in the middle of each lid."""
    arch = np.sin(np.linspace(0.0, np.pi, 9))
    toward_nose = np.concatenate([upper * arch, lower * arch[-2:0:-1]]) * lip_rules.MM
    return np.stack([toward_nose, np.zeros(16), np.zeros(16)], axis=1)


def _brows(rig: Rig) -> dict[str, Floats]:
    x, y = np.abs(rig.points[:, 0]), rig.points[:, 1]
    below = np.flatnonzero((y < 0.006) & ((x > 0.012) | (y < 0.0)))
    still = np.unique(np.concatenate([below, rig.lid_points, np.arange(LANDMARKS, len(rig.points))]))
    down, inner_up, outer_up = (
        rig.symmetric(rig.spread(rig.both_sides(moves), still))
        for moves in (shape_moves.BROW_DOWN, shape_moves.BROW_INNER_UP, shape_moves.BROW_OUTER_UP)
    )
    return {
        "browDownLeft": rig.left_part(down, 0.008),
        "browInnerUp": inner_up,
        "browOuterUpLeft": rig.left_part(outer_up, 0.008),
    }


def _cheeks_and_nose(rig: Rig) -> dict[str, Floats]:
    rings = rig.cage.mouth_rings.ravel()
    low = np.flatnonzero(rig.points[:, 1] < -0.052)
    squint_still = np.concatenate([rig.still(below=0.004, beyond=0.062), rings, rig.lid_points, low])
    squint_lids = _both_lids(rig, rig.lids(OPEN_LIDS[0], OPEN_LIDS[1] + 0.0018))
    squint = rig.spread(rig.both_sides(shape_moves.CHEEK_SQUINT) | squint_lids, np.unique(squint_still))
    sneer_still = np.unique(np.concatenate([rig.still(below=0.030, nose=False), rig.lid_points]))
    sneer_handles = rig.lips(lip_rules.sneer_lips) | rig.both_sides(shape_moves.NOSE_SNEER)
    sneer = 1.35 * rig.spread(sneer_handles, sneer_still)
    puff = 1.25 * rig.mouth(lip_rules.puff_lips, shape_moves.CHEEK_PUFF, below=-0.004, beyond=0.075)
    return {
        "cheekPuff": rig.symmetric(puff),
        "cheekSquintLeft": rig.left_part(rig.symmetric(squint), 0.006),
        "noseSneerLeft": rig.left_part(rig.symmetric(sneer), 0.010),
    }


def _both_lids(rig: Rig, handles: dict[int, Floats]) -> dict[int, Floats]:
    mirrored = {int(rig.cage.mirror[i]): move * np.array([-1.0, 1.0, 1.0]) for i, move in handles.items()}
    return handles | mirrored
