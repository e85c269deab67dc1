"""The parts of the face that are solved each on its own, so that the noise of one does not leak into another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from blendshape_rigs.arkit import ARKIT_COUNT, ARKIT_INDEX
from blendshape_rigs.avatar import load_proxy_avatar
from blendshape_rigs.face_mesh import FACE_OVAL, LANDMARKS, LOWER_LIP_RINGS, UPPER_LIP_RINGS
from model_server.portrait.rig import LandmarkRig
from model_server.portrait.topology import LOWER_LID_RINGS, UPPER_LID_RINGS

Array = npt.NDArray[np.float64]
MILLIMETRES = 1e3

# Brow landmarks from the nose outwards, upper row and lower row: the subject's left, then the right.
_BROWS = (
    (336, 296, 334, 293, 300, 285, 295, 282, 283, 276),
    (107, 66, 105, 63, 70, 55, 65, 52, 53, 46),
)
_MOUTH_BELOW = -0.03  # metres; below the middle of the nose
_SIDES = ("Left", "Right")
_CLOSED_DROP = "closed jaw drop"


@dataclass(frozen=True)
class Region:
    """Some channels and the landmarks that show them.

    Attributes:
        name: what it is called.
        landmarks: (I,) which landmarks.
        weights: (I,) how far each counts; they may be 0 for landmarks of ``anchor``.
        anchor: (J,) landmarks whose common movement is taken from all: brows are read against the eyes.
        deltas: (K, I, 3) millimetres a unit of each column.
        mixing: (52, K) what each column gives to the ARKit channels.
        shown: (K,) how far the tracker's landmarks follow the face: see :class:`_Prior`.
        ridge: (K,) square millimetres; how much of the landmarks' movement a unit must explain.
        cost: (K,) square millimetres; what any use of the column costs, so that rest stays rest.
        smooth: (K,) weight of squared second differences at 30 frames a second, of the column's own stiffness.
    """

    name: str
    landmarks: npt.NDArray[np.intp]
    weights: Array
    anchor: npt.NDArray[np.intp]
    deltas: Array
    mixing: Array
    shown: Array
    ridge: Array
    cost: Array
    smooth: Array

    def normal(self, rotation: Array) -> Array:
        """Return (T, K, K): the normal equations of what is seen of the columns at (T, 3, 3) rotations."""
        count = len(self.deltas)
        weighted = np.einsum("i,kia,lib->abkl", self.weights, self.deltas, self.deltas).reshape(9, -1)
        plane = np.eye(3) - rotation[:, 2, :, None] * rotation[:, 2, None, :]
        seen = (plane.reshape(-1, 9) @ weighted).reshape(-1, count, count)
        return np.asarray(seen + np.diag(self.ridge))

    def seen(self, solved: Array) -> Array:
        """Return (T, 52) what the landmarks show of the channels, for (T, K) solved columns."""
        return np.asarray(solved @ self.mixing.T)

    def values(self, solved: Array) -> Array:
        """Return (T, 52) the channels' values, for (T, K) solved columns."""
        return self.seen(solved / self.shown)

    def right(self, offsets: Array) -> Array:
        """Return (T, K): the right side of the normal equations for (T, 468, 3) offsets in metres."""
        local = offsets[:, self.landmarks]
        if len(self.anchor):
            local = local - offsets[:, self.anchor].mean(axis=1, keepdims=True)
        weighted = (self.deltas * self.weights[None, :, None]).reshape(len(self.deltas), -1)
        return np.asarray(MILLIMETRES * local.reshape(len(local), -1) @ weighted.T - self.cost)


@cache
def landmark_rig() -> LandmarkRig:
    """Return the proxy avatar's landmarks and shapes."""
    return LandmarkRig.from_avatar(load_proxy_avatar())


@dataclass(frozen=True)
class _Prior:
    """How readily a column is used, see :class:`Region`, and how far landmarks show it.

    ``shown`` is the share of a shape's movement that MediaPipe's landmarks make, as measured on renders of the proxy
    avatar: its mesh keeps nearer to the average face than faces do.
    """

    ridge: float
    cost: float
    smooth: float
    shown: float = 1.0


# Of a shape that moves the landmarks little, much of what is seen is noise: it must explain more to be used.
_CLEAR = _Prior(8, 4, 0.3)
_INNER_BROW = _Prior(80, 8, 1.0, 0.75)
_BROW_PRIOR = _Prior(80, 8, 1.0, 0.55)
_LIKELY = _Prior(16, 12, 0.3)
_WEAK = _Prior(30, 12, 0.6)
_SMILE = _Prior(16, 24, 0.3, 0.65)
_ASIDE = _Prior(30, 60, 0.6, 0.6)

_MOUTH: Mapping[str, _Prior] = {
    "jawOpen": _Prior(20, 5, 0.1),
    _CLOSED_DROP: _Prior(60, 90, 0.1),
    "jawLeft": _ASIDE, "jawRight": _ASIDE,
    "mouthFunnel": _Prior(30, 20, 0.2), "mouthPucker": _Prior(20, 9, 0.2),
    "mouthLeft": _ASIDE, "mouthRight": _ASIDE,
    "mouthSmileLeft": _SMILE, "mouthSmileRight": _SMILE,
    "mouthFrownLeft": _LIKELY, "mouthFrownRight": _LIKELY,
    "mouthDimpleLeft": _WEAK, "mouthDimpleRight": _WEAK,
    "mouthStretchLeft": _CLEAR, "mouthStretchRight": _CLEAR,
    "mouthRollLower": _WEAK, "mouthRollUpper": _WEAK,
    "mouthShrugLower": _WEAK, "mouthShrugUpper": _WEAK,
    "mouthPressLeft": _WEAK, "mouthPressRight": _WEAK,
    "mouthLowerDownLeft": _LIKELY, "mouthLowerDownRight": _LIKELY,
    "mouthUpperUpLeft": _LIKELY, "mouthUpperUpRight": _LIKELY,
}  # fmt: skip

_BROW: Mapping[str, _Prior] = {
    "browDownLeft": _BROW_PRIOR, "browDownRight": _BROW_PRIOR, "browInnerUp": _INNER_BROW,
    "browOuterUpLeft": _BROW_PRIOR, "browOuterUpRight": _BROW_PRIOR,
}  # fmt: skip


@cache
def mouth_region() -> Region:
    """Return lips, chin and cheeks with the channels of jaw and mouth.

    ``mouthClose`` is the part of a jaw's drop that the lips do not follow: its column drops the jaw and closes the
    lips, so that it never exceeds ``jawOpen``.
    """
    rig = landmark_rig()
    lips = sorted({i for ring in UPPER_LIP_RINGS + LOWER_LIP_RINGS for i in ring})
    weights = np.where(rig.rest[:, 1] < _MOUTH_BELOW, 0.15, 0.0)
    weights[lips] = 1.0
    weights[[i for i in FACE_OVAL if weights[i] > 0]] = 0.1
    return _region("mouth", weights, (), _MOUTH)


@cache
def brow_region() -> Region:
    """Return the brows, read against the corners of the eyes."""
    corners = [ring[0][end] for ring in UPPER_LID_RINGS for end in (0, -1)]
    weights = np.zeros(LANDMARKS)
    weights[[i for brow in _BROWS for i in brow]] = 1.0
    return _region("brows", weights, tuple(corners), _BROW)


@cache
def lid_landmarks() -> npt.NDArray[np.intp]:
    """Return (2, 2, 3) landmarks of the middle of the lids' margins: left eye and right, upper and lower."""
    rings = ((upper[0], lower[0]) for upper, lower in zip(UPPER_LID_RINGS, LOWER_LID_RINGS, strict=True))
    return np.array([[ring[3:6] for ring in pair] for pair in rings])


def _region(name: str, weights: Array, anchor: tuple[int, ...], priors: Mapping[str, _Prior]) -> Region:
    rig = landmark_rig()
    landmarks = np.flatnonzero(weights)
    deltas, mixing = [], np.zeros((ARKIT_COUNT, len(priors)))
    for column, channel in enumerate(priors):
        parts = ("jawOpen", "mouthClose") if channel == _CLOSED_DROP else (channel,)
        rows = [ARKIT_INDEX[part] for part in parts]
        mixing[rows, column] = 1
        moved = rig.deltas[rows].sum(axis=0).astype(np.float64)
        if anchor:
            moved = moved - moved[list(anchor)].mean(axis=0)
        deltas.append(MILLIMETRES * moved[landmarks])
    kinds = ("shown", "ridge", "cost", "smooth")
    share, ridge, cost, smooth = (np.array([getattr(prior, kind) for prior in priors.values()]) for kind in kinds)
    shown = np.stack(deltas)
    own = np.einsum("i,kia,kia->k", weights[landmarks], shown[..., :2], shown[..., :2])
    anchors = np.array(anchor, np.intp)
    return Region(name, landmarks, weights[landmarks], anchors, shown, mixing, share, ridge, cost, smooth * own)
