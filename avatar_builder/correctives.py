"""Corrective shapes: what is added where several shapes at once would not be the sum of each alone.

A corrective's strength is the product of its drivers' values. For lids this is exact: with ``gap`` the opening of the
lids, ``gap (1 - blink) (…)`` closes at blink 1 whatever else moves the lids. No corrective moves the middle of the
lips up or down, so the opening of the lips stays linear in the 52 values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from blendshape_rigs.arkit import ARKIT_INDEX
from blendshape_rigs.avatar import Corrective

from . import lip_rules, shape_moves
from .rig import Rig
from .shapes import LID_BULGE
from .topology import LOWER_LID_RINGS, UPPER_LID_RINGS, Floats

JOINT = " x "
"""Joins the drivers' names to the corrective's name."""

CLOSED_WITH = {
    "eyeLookDown": -0.0040, "eyeLookUp": -0.0018, "eyeWide": -0.0026, "eyeSquint": -0.0018, "cheekSquint": -0.0018,
    "mouthSmile": -0.0022,
}  # fmt: skip
"""Where the lids meet when the eye is closed together with each shape: metres above the line between its corners."""


def corrective_fields(rig: Rig, fields: Mapping[str, Floats]) -> dict[str, Floats]:
    """Return the displacement field (V, 3) of each corrective of the shapes ``fields``, under its drivers' names."""
    closed = {
        JOINT.join((f"eyeBlink{side}", f"{name}{side}")): field
        for name, line in CLOSED_WITH.items()
        for side, field in _both(rig, _closed_eye(rig, fields["eyeBlinkLeft"], fields[f"{name}Left"], line))
    }
    return closed | _mouth(rig)


def _mouth(rig: Rig) -> dict[str, Floats]:
    """Return the correctives of the lips."""
    whole = {
        ("jawOpen", "mouthFunnel"): rig.mouth(lip_rules.funnel_and_open),
        ("jawOpen", "mouthClose"): rig.mouth(lip_rules.close_and_open, shape_moves.CLOSE_AND_OPEN),
    }
    halves = {
        "mouthPucker": rig.mouth(lip_rules.smile_and_pucker, shape_moves.SMILE_AND_PUCKER),
        "jawOpen": rig.mouth(lip_rules.smile_and_open),
    }
    result = {JOINT.join(drivers): rig.symmetric(field) for drivers, field in whole.items()}
    for name, field in halves.items():
        for side, half in _both(rig, rig.left_part(rig.symmetric(field))):
            result[JOINT.join((f"mouthSmile{side}", name))] = half
    return result


def correctives(names: Sequence[str], deltas: Floats) -> tuple[Corrective, ...]:
    """Return the correctives of the given names, as :func:`corrective_fields` makes them, with deltas (N, V, 3)."""
    return tuple(
        Corrective(name, tuple(ARKIT_INDEX[driver] for driver in name.split(JOINT)), delta.astype(np.float32))
        for name, delta in zip(names, deltas, strict=True)
    )


def _both(rig: Rig, left: Floats) -> tuple[tuple[str, Floats], tuple[str, Floats]]:
    return ("Left", left), ("Right", rig.mirrored(left))


def _closed_eye(rig: Rig, blink: Floats, other: Floats, line: float) -> Floats:
    """Return the field that closes the left eye along ``line`` when ``other`` is added to the blink."""
    cage = rig.cage
    wanted = rig.lids(line, line, 0.0, bulge=LID_BULGE)
    others = rig.mirrored(blink + other)
    handles = {int(i): np.zeros(3) for rings in (UPPER_LID_RINGS, LOWER_LID_RINGS) for i in rings[2]}
    for index in np.concatenate([cage.lid_loops[0], cage.lid_inner[0], cage.lid_hidden[0]]).tolist():
        handles[index] = wanted[index] - others[index]
    return rig.eye(handles)
