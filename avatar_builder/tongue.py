"""The tongue: at rest behind the upper teeth, with ``tongueOut`` over the lower teeth and lip.

Shapes add up along straight lines, so the tip rests as high as its way out is: a lower tip would cut the lower lip.
The way out needs a mouth open by ``TONGUE_OPENS`` of ``jawOpen``; ``tongueOut`` carries that much of the jaw (see
``build``). On a shut jaw it is free of lips and teeth at 1; half out, they still touch it.
"""

from __future__ import annotations

import numpy as np
from scipy.interpolate import PchipInterpolator

from .base_face import MOUTH_Y, smooth_step
from .jaw import with_jaw
from .parts import COLOURS, MATERIAL_NUMBER, Part, tube
from .rig import open_jaw
from .topology import Floats

RINGS = 26
AROUND = 22
LIPS_DEPTH = 0.027
WITH_JAW = 0.5  # of the jaw's way forward and sideways
# Share of the length from the root; depth; underside, back and half width in millimetres. Heights are above the
# lips' line of contact. The table at rest and the one fully out (of the closed jaw).
REST = np.array([
    [0.00, -34.0, -19.0, -2.0, 13.0], [0.15, -25.0, -17.0, 2.6, 14.0], [0.30, -16.5, -14.0, 5.2, 14.0],
    [0.50, -6.0, -9.5, 5.1, 13.2], [0.70, 4.0, -4.6, 3.4, 11.4], [0.85, 10.5, -2.2, 2.6, 9.4],
    [0.94, 13.8, -0.7, 1.9, 7.0], [1.00, 15.6, 0.2, 0.2, 0.0],
])  # fmt: skip
OUT = np.array([
    [0.00, -34.0, -19.0, -2.0, 13.0], [0.15, -23.5, -17.0, 0.6, 13.4], [0.30, -11.0, -13.0, 2.6, 13.0],
    [0.50, 8.0, -5.6, 1.7, 11.6], [0.70, 29.0, 0.0, 3.5, 11.2], [0.85, 44.5, 0.6, 4.3, 10.6],
    [0.94, 53.0, 1.1, 4.4, 8.0], [1.00, 57.5, 1.2, 1.2, 0.0],
])  # fmt: skip


def _rings(table: Floats) -> Floats:
    """Return rings (RINGS, AROUND, 3) of the tongue that a table describes."""
    along = 1 - (1 - np.linspace(0.0, 1.0, RINGS)) ** 1.35
    # Half widths and heights end in a round tip: they are interpolated over the root of what is left.
    left = np.sqrt(1 - along)
    knots = np.sqrt(1 - table[::-1, 0])
    depth = PchipInterpolator(table[:, 0], table[:, 1])(along)
    low, high, half_width = (PchipInterpolator(knots, table[::-1, k])(left) for k in (2, 3, 4))
    turn = np.arange(AROUND) / AROUND * 2 * np.pi
    across, upward = np.cos(turn), np.sin(turn)
    middle, half = (low + high) / 2, (high - low) / 2
    groove = 0.09 * np.exp(-((across / 0.30) ** 2)) * (upward > 0)
    height = np.sign(upward) * np.abs(upward) ** 0.85 - groove
    rings = np.empty((RINGS, AROUND, 3))
    rings[..., 0] = half_width[:, None] * across
    rings[..., 1] = 1000 * MOUTH_Y + middle[:, None] + half[:, None] * height
    rings[..., 2] = depth[:, None]
    return rings / 1000


def _colours(points: Floats, share: Floats) -> Floats:
    """Return colours (V, 3): paler on the back's edges and tip, deeper in the groove, towards the root and below."""
    middle = np.exp(-((points[:, 0] / 0.0022) ** 2))
    deep = 0.30 * (1 - smooth_step(share, 0.1, 0.8)) + 0.12 * middle
    grain = 0.03 * np.sin(points[:, 0] * 5200) * np.sin(points[:, 2] * 4700)
    tint = np.array([1.0, 1.18, 1.18]) * (1 - deep + grain)[:, None]
    return np.asarray(np.clip(np.array(COLOURS["tongue"]) * tint, 0, 1))


def tongue() -> Part:
    """Return the tongue with its shapes."""
    points, triangles = tube(_rings(REST)[:-1])
    out, _ = tube(_rings(OUT)[:-1])
    tips = np.array([[0.0, 1000 * MOUTH_Y + table[-1, 2], table[-1, 1]] for table in (REST, OUT)]) / 1000
    points[-1], out[-1] = tips
    along = 1 - (1 - np.linspace(0.0, 1.0, RINGS)) ** 1.35
    share = np.append(np.repeat(along[:-1], AROUND), [0.0, 1.0])
    follow = 0.45 + 0.55 * smooth_step(share, 0.0, 0.5)
    fields = with_jaw(points, follow)
    # Carried whole, the tongue would run into the upper teeth, which stay.
    for name in ("jawForward", "jawLeft", "jawRight"):
        fields[name] = WITH_JAW * fields[name]
    # The hinge would drop what lies further forward more: each point sinks as it must where it passes the lips.
    way = out - points
    at_lips = np.clip((LIPS_DEPTH - points[:, 2]) / np.maximum(way[:, 2], 1e-6), 0.0, 1.0)
    fields["jawOpen"] = follow[:, None] * open_jaw(points + at_lips[:, None] * way)
    fields["tongueOut"] = way
    return Part(
        points,
        triangles,
        np.full(len(triangles), MATERIAL_NUMBER["tongue"]),
        _colours(points, share),
        fields,
    )
