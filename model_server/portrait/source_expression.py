"""The expression that a face already wears in its photograph, as ARKit weights.

A face's own shape is easily taken for an expression: a long chin for an open jaw, thin lips for pressed ones, low
brows for angry ones. So the solve leaves the lips' place, width and thickness free, small weights cost most, and
brows and lids count only where they are far from any face at rest.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import nnls

from blendshape_rigs.arkit import ARKIT_COUNT, ARKIT_INDEX
from blendshape_rigs.face_mesh import LOWER_LIP_RINGS, UPPER_LIP_RINGS

from .arrays import Floats
from .rig import LandmarkRig
from .topology import LOWER_LID_RINGS, UPPER_LID_RINGS

# How reluctantly each shape is believed: the lips of open mouths part by the jaw before they are drawn apart, and
# corners that hang or a wide mouth are more often a face's own than a smile or a pucker is.
_RELUCTANCE = {
    "jawOpen": 0.003, "mouthPucker": 0.004, "mouthFunnel": 0.006,
    "mouthSmileLeft": 0.006, "mouthSmileRight": 0.006, "mouthFrownLeft": 0.008, "mouthFrownRight": 0.008,
    "mouthStretchLeft": 0.01, "mouthStretchRight": 0.01, "mouthUpperUpLeft": 0.01, "mouthUpperUpRight": 0.01,
    "mouthLowerDownLeft": 0.01, "mouthLowerDownRight": 0.01,
}  # fmt: skip
_SPARSITY = 2e-5
_OWN_SHAPE_RELUCTANCE = 0.006
_LIPS = sorted({i for ring in UPPER_LIP_RINGS + LOWER_LIP_RINGS for i in ring})
_CHIN = [148, 152, 175, 176, 199, 200, 377, 400]
_CHIN_SHARE = 0.15

# Brow landmarks from the temple to the nose, the subject's left and right.
_BROWS = ((300, 293, 334, 296, 336), (70, 63, 105, 66, 107))
_EYE_CORNERS = [33, 133, 263, 362]
_BROW_AT_REST = 0.0014  # metres by which the detector sees the proxy avatar's resting brows too high
_BROW_FREEDOM = 0.003  # metres that brows of faces at rest differ
_BROW_TRAVEL = 0.0065  # metres that the detector sees fully raised brows rise
_LIDS_OPEN, _LIDS_SHUT = 0.22, 0.09  # opening over width: below any eye that looks ahead; of an eye that is shut


def source_expression(local: Floats, rig: LandmarkRig) -> Floats:
    """Return (52,) float32 in [0, 1]: what mouth, brows and lids of ``local`` (468, 3) do; metres, rig axes.

    Lowered brows and wide eyes are never reported: faces at rest differ by as much.
    """
    expression = _mouth(local, rig)
    eyes = float((local - rig.rest)[_EYE_CORNERS, 1].mean()) + _BROW_AT_REST
    inner = []
    for side, (name, brow) in enumerate(zip(("Left", "Right"), _BROWS, strict=True)):
        rise = (local - rig.rest)[list(brow), 1] - eyes
        raised = np.clip((rise - _BROW_FREEDOM) / (_BROW_TRAVEL - _BROW_FREEDOM), 0, 1)
        expression[ARKIT_INDEX[f"browOuterUp{name}"]] = raised[:3].mean()
        inner.append(raised[3:].mean())
        shut = (_LIDS_OPEN - lid_opening(local, side)) / (_LIDS_OPEN - _LIDS_SHUT)
        expression[ARKIT_INDEX[f"eyeBlink{name}"]] = np.clip(shut, 0, 1)
    expression[ARKIT_INDEX["browInnerUp"]] = min(inner)
    return expression


def lid_opening(local: Floats, side: int) -> float:
    """Return the opening of an eye (0 left, 1 right) over its width: near 0.4 ahead, below 0.1 shut."""
    upper, lower = (local[list(rings[side][0])] for rings in (UPPER_LID_RINGS, LOWER_LID_RINGS))
    return float((upper[3:6, 1] - lower[3:6, 1]).mean() / np.linalg.norm(upper[0] - upper[-1]))


def _mouth(local: Floats, rig: LandmarkRig) -> Floats:
    """Return (52,) float32: non-negative least squares of the shapes in ``_RELUCTANCE`` on the lips and the chin."""
    points = _LIPS + _CHIN
    share = np.concatenate([np.ones(len(_LIPS)), np.full(len(_CHIN), _CHIN_SHARE)])[:, None]
    columns = [ARKIT_INDEX[name] for name in _RELUCTANCE]
    shapes = (rig.deltas[columns][:, points, :2] * share).reshape(len(columns), -1)
    own = (_own_shapes(rig, points) * share).reshape(-1, shapes.shape[1])
    count, free = len(shapes), 2 * len(own)
    costs = np.diag([*_RELUCTANCE.values(), *np.full(free, _OWN_SHAPE_RELUCTANCE)])
    system = np.vstack([np.concatenate([shapes, own, -own]).T, costs])
    offset = ((local - rig.rest)[points, :2] * share).reshape(-1)
    # Below zero at a weight of zero: that is a price on every shape used, so that few explain the mouth.
    prices = -_SPARSITY / np.array(list(_RELUCTANCE.values()))
    weights, _ = nnls(system.astype(np.float64), np.concatenate([offset, prices, np.zeros(free)]))
    expression = np.zeros(ARKIT_COUNT, np.float32)
    expression[columns] = np.clip(weights[:count], 0, 1)
    return expression


def _own_shapes(rig: LandmarkRig, points: list[int]) -> Floats:
    """Return (5, P, 2) metres: how mouths of faces at rest differ: place (2), thickness of each lip, width."""
    row = {landmark: i for i, landmark in enumerate(points)}
    shapes = np.zeros((5, len(points), 2), np.float32)
    shapes[0, : len(_LIPS), 0] = 0.003
    shapes[1, : len(_LIPS), 1] = 0.004
    for shape, rings in ((shapes[2], UPPER_LIP_RINGS), (shapes[3], LOWER_LIP_RINGS)):
        for ring in rings[1:]:
            away = rig.rest[list(ring), 1] - rig.rest[list(rings[0]), 1]
            shape[[row[i] for i in ring], 1] = away / 3
    shapes[4, : len(_LIPS), 0] = rig.rest[_LIPS, 0] * 0.08
    return shapes
