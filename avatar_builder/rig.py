"""What every shape is made with: the cage, the smooth spreading of displacements, lips, lids and the jaw's hinge."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from blendshape_rigs.face_mesh import FACE_OVAL, LANDMARKS

from .base_face import MIRROR, MOUTH_Y, OPEN_LIDS, lid_loop, smooth_step
from .cage import EYE_CENTRE_RIGHT, Cage, lid_rings
from .surface import Spread
from .topology import LOWER_LID_RINGS, LOWER_LIP_RINGS, UPPER_LID_RINGS, UPPER_LIP_RINGS, Floats, Ints

JAW_HINGE = np.array([0.0, -0.022, -0.050])
JAW_OPEN_ANGLE = np.radians(21.0)
JAW_OPEN_SLIDE = np.array([0.0, -0.001, 0.004])

LipRule = Callable[[Floats, int, bool], Floats]
"""Maps (across (11,) from -1 right to 1 left, ring 0 border to 3 contact, is upper) to displacements (11, 3)."""


def open_jaw(points: Floats) -> Floats:
    """Return the displacement (N, 3) of points that move rigidly with the fully open jaw."""
    cosine, sine = np.cos(JAW_OPEN_ANGLE), np.sin(JAW_OPEN_ANGLE)
    arm = points - JAW_HINGE
    turned = np.stack([arm[:, 0], arm[:, 1] * cosine - arm[:, 2] * sine, arm[:, 1] * sine + arm[:, 2] * cosine], axis=1)
    result: Floats = turned - arm + JAW_OPEN_SLIDE
    return result


class Rig:
    """Makes displacement fields (V, 3) of the cage's points."""

    def __init__(self, cage: Cage) -> None:
        self.cage = cage
        self.points = cage.points
        self.spread = Spread(cage.points, cage.triangles)
        self.across = self.points[list(UPPER_LIP_RINGS[3]), 0] / abs(self.points[UPPER_LIP_RINGS[3][0], 0])
        self.lid_points = np.concatenate([cage.lid_loops, cage.lid_inner, cage.lid_hidden]).ravel()
        self.jaw_weight = self._jaw_weight(0.0)
        # When the jaw slides instead of opening, the upper lip is dragged along.
        self.slide_weight = self._jaw_weight(0.45)

    def mirrored(self, field: Floats) -> Floats:
        """Return the field on the other side of the face."""
        result: Floats = field[self.cage.mirror] * MIRROR
        return result

    def symmetric(self, field: Floats) -> Floats:
        """Return the field averaged with its mirror image."""
        return (field + self.mirrored(field)) / 2

    def still(self, *, below: float = 1.0, beyond: float = 0.055, nose: bool = True) -> Ints:
        """Return the points that mouth shapes never move: above ``below``, beyond ``beyond`` sideways, head, nose."""
        x, y = np.abs(self.points[:, 0]), self.points[:, 1]
        held = (y > below) | (x > beyond)
        if nose:
            held |= (y > -0.0445) & (x < 0.019)
        held[LANDMARKS:] = True
        held[list(FACE_OVAL)] = True
        held[self.cage.mouth_rings] = False
        return np.flatnonzero(held)

    def lips(self, rule: LipRule) -> dict[int, Floats]:
        """Return handles for all lip rings and the mouth's lining that follows the line of contact."""
        handles: dict[int, Floats] = {}
        for rings, upper in ((UPPER_LIP_RINGS, True), (LOWER_LIP_RINGS, False)):
            for level, ring in enumerate(rings):
                for number, (index, move) in enumerate(zip(ring, rule(self.across, level, upper), strict=True)):
                    # The corners belong to both lips: their mean.
                    share = 0.5 if number in (0, 10) else 1.0
                    handles[index] = handles.get(index, np.zeros(3)) + share * move
        contact = np.array([handles[int(index)] for index in self.cage.lip_loop])
        for ring, follow in zip(self.cage.mouth_rings, (1.0, 0.9, 0.5, 0.2), strict=True):
            for index, move in zip(ring, contact * follow, strict=True):
                handles[int(index)] = move
        return handles

    def mouth(self, rule: LipRule, extra: dict[int, tuple[float, float, float]] | None = None,
              below: float = -0.022, beyond: float = 0.055) -> Floats:  # fmt: skip
        """Return the field of a lip rule plus single landmarks' moves in millimetres on the subject's right side.

        ``extra`` moves are mirrored to the left.
        """
        handles = self.lips(rule)
        handles.update(self.both_sides(extra or {}))
        return self.spread(handles, self.still(below=below, beyond=beyond))

    def both_sides(self, moves: dict[int, tuple[float, float, float]]) -> dict[int, Floats]:
        """Return handles in metres from moves in millimetres of landmarks on the right, with their mirror images."""
        handles: dict[int, Floats] = {}
        for index, move in moves.items():
            handles[index] = np.array(move) / 1000
            handles[int(self.cage.mirror[index])] = np.array(move) / 1000 * MIRROR
        return handles

    def left_part(self, field: Floats, softness: float = 0.012) -> Floats:
        """Return the left share of a symmetric field; its mirror image is the right share and both sum to the field."""
        return field * smooth_step(self.points[:, 0], -softness, softness)[:, None]

    def lids(self, upper_lift: float, lower_lift: float, skew: float = 0.08,
             shift: Floats | None = None, bulge: float = 0.0) -> dict[int, Floats]:  # fmt: skip
        """Return handles of the right eye's lids moved from rest to the given lifts (metres).

        ``shift`` (16, 3) moves the margin besides; ``bulge`` lifts its middle off the eyeball by so many metres.
        """
        cage = self.cage
        rest = lid_loop(*OPEN_LIDS)
        moved = lid_loop(upper_lift, lower_lift, skew) + (0.0 if shift is None else shift)
        outward = moved - EYE_CENTRE_RIGHT
        height = bulge * np.abs(np.sin(np.linspace(0.0, 2 * np.pi, 16, endpoint=False)))[:, None]
        moved = moved + height * outward / np.linalg.norm(outward, axis=1, keepdims=True)
        handles = dict(zip(cage.lid_loops[0].tolist(), moved - rest, strict=True))
        for ring, new, old in zip(
            (cage.lid_inner[0], cage.lid_hidden[0]), lid_rings(moved), lid_rings(rest), strict=True
        ):
            handles.update(zip(ring.tolist(), new - old, strict=True))
        for rings, follow in ((UPPER_LID_RINGS, (0.62, 0.16)), (LOWER_LID_RINGS, (0.55, 0.22))):
            for ring, share in zip(rings[1:], follow, strict=True):
                for margin, index in zip(rings[0], ring, strict=True):
                    if index not in (rings[1][0], rings[1][8], rings[2][0], rings[2][8]):
                        handles[index] = handles[margin] * share
        return handles

    def eye(self, handles: dict[int, Floats]) -> Floats:
        """Return the left eye's field of handles given on the right eye; the skin around follows."""
        x, y = self.points[:, 0], self.points[:, 1]
        near = (np.abs(x + 0.032) < 0.027) & (y > -0.022) & (y < 0.017)
        near[LANDMARKS:] = False
        near[list(FACE_OVAL)] = False
        return self.mirrored(self.spread(handles, np.flatnonzero(~near)))

    def _jaw_weight(self, upper_lip: float) -> Floats:
        """Return how much each point follows the jaw, 0 to 1 (V,); ``upper_lip`` is the upper lip's middle."""
        handles: dict[int, Floats] = {}
        for rings, upper in ((UPPER_LIP_RINGS, True), (LOWER_LIP_RINGS, False)):
            at = np.abs(self.across)
            corner = max(0.40, upper_lip)
            share = (
                upper_lip + (corner - upper_lip) * at**5
                if upper
                else 1 - (1 - corner) * at**3.5 - 0.3 * upper_lip * (1 - at**3.5)
            )
            for ring in rings:
                handles.update({index: np.array([w]) for index, w in zip(ring, share, strict=True)})
        right_jaw = {
            152: 1.0, 148: 1.0, 176: 1.0, 149: 1.0, 150: 0.97, 136: 0.88, 172: 0.7, 58: 0.42, 132: 0.16, 93: 0.03,
            234: 0.0, 200: 1.0, 199: 1.0, 175: 1.0, 208: 1.0, 32: 1.0,
        }  # fmt: skip
        for index, weight in right_jaw.items():
            handles[index] = handles[int(self.cage.mirror[index])] = np.array([weight])
        loop_weight = np.array([handles[int(index)][0] for index in self.cage.lip_loop])
        for ring in self.cage.mouth_rings:
            handles.update({int(index): np.array([w]) for index, w in zip(ring, loop_weight, strict=True)})
        handles[self.cage.throat] = np.array([0.4])
        fixed = self.points[:, 1] > MOUTH_Y + 0.024
        fixed[LANDMARKS:] = True
        fixed[self.cage.head_rings[:6]] = False
        fixed |= (self.points[:, 1] > -0.02) | (self.points[:, 2] < -0.075)
        return np.clip(self.spread(handles, np.flatnonzero(fixed))[:, 0], 0.0, 1.0)
