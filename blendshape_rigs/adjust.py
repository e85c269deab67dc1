"""Control of a performance after the fact: strength, offset, smoothing, time shift and mute of each part of the face.

The original curves stay what they are; :func:`adjusted` and :func:`adjusted_targets` return new ones. A part whose
adjustment is neutral comes back bit for bit.
"""

from __future__ import annotations

from collections.abc import Mapping as Mappings
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from .arkit import ARKIT_COUNT, ARKIT_NAMES, REGIONS
from .avatar import load_proxy_avatar
from .curves import CurvesError, FaceCurves
from .filters import interpolate
from .mapping import Mapping

Array = npt.NDArray[np.float64]

STRENGTHS: Final = (0.0, 2.0)
OFFSETS: Final = (-1.0, 1.0)
SMOOTHINGS: Final = (0.0, 0.5)
"""Seconds."""
SHIFTS: Final = (-1.0, 1.0)
"""Seconds."""
LARGEST_TILT: Final = float(np.radians(30))
"""Radians that an offset of 1 raises the head."""
LARGEST_MOVE: Final = 0.1
"""Metres that an offset of 1 moves the head forward."""

_CLOSED = 0.001  # metres between the lips
_LONGEST_CLOSURE = 0.25  # seconds; lips that are closed for longer are at rest
_CLOSURE_EASE = 0.06  # seconds
_BLINK = 0.4
_BLINK_APART = 0.1  # seconds
_BLINK_EASE = 0.08  # seconds
_EXACT = 1e-4


def _named(*prefixes: str) -> tuple[int, ...]:
    return tuple(index for index, name in enumerate(ARKIT_NAMES) if name.startswith(prefixes))


PARTS: Final[dict[str, tuple[int, ...]]] = {
    "mouth": REGIONS["mouth"],
    "jaw": REGIONS["jaw"],
    "tongue": REGIONS["tongue"],
    "cheeks": REGIONS["nose_cheek"],
    "brows": REGIONS["brow"],
    "eyes": _named("eyeWide", "eyeSquint"),
    "blinks": _named("eyeBlink"),
    "gaze": _named("eyeLook"),
    "head_rotation": tuple(range(ARKIT_COUNT, ARKIT_COUNT + 3)),
    "head_translation": tuple(range(ARKIT_COUNT + 3, ARKIT_COUNT + 6)),
}
"""Columns of :meth:`FaceCurves.stacked` by part of the face: together all 58, each once."""
FACE_PARTS: Final = tuple(name for name in PARTS if not name.startswith("head"))
LIP_PARTS: Final = ("mouth", "jaw", "tongue")

_PULLS: dict[str, float] = {
    "mouthSmile": 1.0,
    "mouthFrown": -1.0,
    "jawOpen": 1.0,
    "tongueOut": 1.0,
    "cheekSquint": 1.0,
    "browInnerUp": 1.0,
    "browOuterUp": 1.0,
    "browDown": -1.0,
    "eyeWide": 1.0,
    "eyeSquint": -1.0,
    "eyeBlink": 1.0,
    "eyeLookUp": 1.0,
    "eyeLookDown": -1.0,
}


def _pull() -> Array:
    """Return (58,) what an offset of 1 adds to each column."""
    pull = np.zeros(ARKIT_COUNT + 6)
    for prefix, amount in _PULLS.items():
        pull[list(_named(prefix))] = amount
    pull[ARKIT_COUNT] = -LARGEST_TILT  # a positive pitch looks down
    pull[ARKIT_COUNT + 5] = LARGEST_MOVE
    return pull


PULL: Final[Array] = _pull()
"""(58,) what an offset of 1 adds to each column of :meth:`FaceCurves.stacked`, in its unit.

An offset of every shape of a part at once would pull against itself, so it has a direction: mouth smiles (below zero
frowns), jaw opens, tongue comes out, cheeks rise, brows rise (below zero they go down), eyes widen (squint), blinks
close the lids, gaze goes up (down), head rotation looks up (down), head translation goes forward (back).
"""


@dataclass(frozen=True)
class Adjustment:
    """What becomes of one part of the face; the default changes nothing.

    Attributes:
        strength: factor of every value, 0 to 2.
        offset: -1 to 1, in the direction of :data:`PULL`.
        smoothing: seconds that are averaged over, 0 to 0.5, without delay.
        shift: seconds later (above zero) or earlier, -1 to 1; the first and last pose are held.
        mute: whether the part rests; then nothing else counts.

    Raises:
        CurvesError: on construction, for a value out of its range.
    """

    strength: float = 1.0
    offset: float = 0.0
    smoothing: float = 0.0
    shift: float = 0.0
    mute: bool = False

    def __post_init__(self) -> None:
        ranges = {"strength": STRENGTHS, "offset": OFFSETS, "smoothing": SMOOTHINGS, "shift": SHIFTS}
        for name, (low, high) in ranges.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise CurvesError(f"{name} is {value}; choose {low:g} to {high:g}")

    @property
    def is_neutral(self) -> bool:
        """Whether it changes nothing."""
        return self == Adjustment()


Adjustments = Mappings[str, Adjustment]


def shifted(values: npt.NDArray[np.floating[Any]], frames: float) -> Array:
    """Return (T, C) ``values`` that come ``frames`` later; the first and the last are held.

    A whole number of frames moves them exactly. Between frames they are interpolated without overshoot.
    """
    source = np.asarray(values, np.float64)
    places = np.arange(len(source)) - frames
    if abs(frames - round(frames)) < 1e-6:
        moved: Array = source[np.clip(np.round(places).astype(np.intp), 0, max(len(source) - 1, 0))]
        return moved
    return interpolate(np.arange(len(source), dtype=np.float64), source, places).astype(np.float64)


def smoothed(values: npt.NDArray[np.floating[Any]], frames: float) -> Array:
    """Return (T, C) ``values`` averaged by a bell over about ``frames`` frames, without delay or overshoot.

    The bell is a Gaussian with a standard deviation of a quarter of ``frames``. The ends are held.
    """
    source = np.asarray(values, np.float64)
    deviation = frames / 4
    if deviation < 0.1 or len(source) < 2:
        return source.copy()
    reach = int(np.ceil(3 * deviation))
    bell = np.exp(-0.5 * (np.arange(-reach, reach + 1) / deviation) ** 2)
    padded = np.pad(source, ((reach, reach), (0, 0)), mode="edge")
    total = sum(weight * padded[place : place + len(source)] for place, weight in enumerate(bell / bell.sum()))
    return np.asarray(total)


def _ease(at: npt.NDArray[np.intp], frames: int, reach: float) -> Array:
    """Return (T,) weights: 1 at the frames ``at``, falling to 0 at ``reach`` frames from them."""
    if not len(at):
        return np.zeros(frames)
    apart = np.abs(np.arange(frames)[:, None] - at).min(axis=1) / max(reach, 1.0)
    return np.asarray(0.5 + 0.5 * np.cos(np.pi * np.clip(apart, 0, 1)))


def closures(curves: FaceCurves) -> npt.NDArray[np.intp]:
    """Return the frames at which the lips meet for a sound: closed by the avatar's own lips for at most 0.25 s."""
    closed = load_proxy_avatar().lip_gap(curves.values) < _CLOSED
    edges = np.flatnonzero(np.diff(np.concatenate([[False], closed, [False]]).astype(np.int8))).reshape(-1, 2)
    found = [np.arange(first, stop) for first, stop in edges if stop - first <= _LONGEST_CLOSURE * curves.fps]
    frames: npt.NDArray[np.intp] = np.concatenate([*found, np.zeros(0, np.intp)]).astype(np.intp)
    return frames


def blink_peaks(curves: FaceCurves) -> npt.NDArray[np.intp]:
    """Return the frames at which the lids are most closed, of every blink that closes them by 0.4 or more."""
    lids = curves.values[:, list(PARTS["blinks"])].max(axis=1)
    reach = max(1, round(_BLINK_APART * curves.fps))
    padded = np.pad(lids, reach, constant_values=-np.inf)
    highest = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1).max(axis=1) if len(lids) else lids
    peaks: npt.NDArray[np.intp] = np.flatnonzero((lids >= _BLINK) & (lids >= highest))
    return peaks


def kept_from_smoothing(curves: FaceCurves, part: str) -> Array:
    """Return (T,) how far each frame of ``part`` is kept from smoothing: 1 at closures and blinks' peaks, 0 elsewhere.

    Closures count for mouth, jaw and tongue, blinks for the lids. Within 0.06 s and 0.08 s of them it eases off.
    """
    if part in LIP_PARTS:
        return _ease(closures(curves), len(curves), _CLOSURE_EASE * curves.fps)
    if part == "blinks":
        return _ease(blink_peaks(curves), len(curves), _BLINK_EASE * curves.fps)
    return np.zeros(len(curves))


def _moved(source: Array, curves: FaceCurves, part: str, adjustment: Adjustment) -> Array:
    """Return (T, C) ``source``, smoothed and shifted as ``adjustment`` says; ``curves`` tell what must stay sharp."""
    values = source
    if adjustment.smoothing > 0:
        soft = smoothed(values, adjustment.smoothing * curves.fps)
        # Lips that do not meet any more, or lids that do not close, are worse than a rough frame.
        values = soft + kept_from_smoothing(curves, part)[:, None] * (values - soft)
    return shifted(values, adjustment.shift * curves.fps) if adjustment.shift else values


def adjusted(curves: FaceCurves, adjustments: Adjustments) -> FaceCurves:
    """Return ``curves`` with each part of the face adjusted.

    First smoothed, then shifted in time, then strengthened, then offset. At the frames where the lips meet for a sound
    and where a blink is deepest, the smoothed value is the original one exactly; beside them it eases over. Face values
    stay in 0..1, or in their own former range where that is wider.

    Args:
        curves: the performance.
        adjustments: by name of :data:`PARTS`; those left out are neutral.

    Raises:
        CurvesError: for an unknown part.
    """
    unknown = [name for name in adjustments if name not in PARTS]
    if unknown:
        raise CurvesError(f"'{unknown[0]}' is no part of the face; parts are {', '.join(PARTS)}")
    result = curves.stacked()
    for part, adjustment in adjustments.items():
        columns = list(PARTS[part])
        if adjustment.is_neutral or not len(curves):
            continue
        if adjustment.mute:
            result[:, columns] = 0
            continue
        source = result[:, columns].astype(np.float64)
        values = _moved(source, curves, part, adjustment) * adjustment.strength + adjustment.offset * PULL[columns]
        if part in FACE_PARTS:
            values = _clipped(values, source)
        result[:, columns] = values
    return curves.with_stacked(result)


def _clipped(values: Array, source: Array) -> Array:
    """Return (T, C) ``values`` in 0..1, or in the range of each column of ``source`` where that is wider."""
    low, high = np.minimum(source.min(axis=0), 0), np.maximum(source.max(axis=0), 1)
    clipped: Array = np.clip(values, low, high)
    return clipped


def _shares(mapping: Mapping) -> dict[str, Array]:
    """Return (N,) how much of each target of ``mapping`` belongs to each part of the face; they add up to 1 or 0."""
    weights = np.abs(mapping.weights())
    total = np.maximum(weights.sum(axis=0), 1e-12)
    return {part: weights[list(PARTS[part])].sum(axis=0) / total for part in FACE_PARTS}


def touched_targets(mapping: Mapping, parts: tuple[str, ...]) -> tuple[int, ...]:
    """Return the columns of ``mapping`` that any of ``parts`` moves; a rest pose goes with the other mouth shapes."""
    shares = _shares(mapping)
    touched = sum((shares[part] for part in parts if part in shares), np.zeros(len(mapping.entries))) > 0
    poses = list(mapping.of_kind("pose"))
    if touched[poses].any():
        touched[[column for column in poses if not mapping.entries[column].sources]] = True
    return tuple(np.flatnonzero(touched).tolist())


def adjusted_targets(
    mapping: Mapping, targets: npt.NDArray[np.floating[Any]], fps: float, adjustments: Adjustments
) -> npt.NDArray[np.float64]:
    """Return what the targets of one character do when its performance is adjusted.

    Where undoing the mapping and doing it again gives a target's curve back, the curve changes by what
    :func:`adjusted` changes in the ARKit channels. Elsewhere, as for mouth shapes or shapes that share channels, the
    target's own curve is adjusted, by each part of the face as far as its share in the mapping's weights. Of drawn
    mouths, of which one always shows, only the time shifts.

    Args:
        mapping: that the targets follow.
        targets: (T, N) weights of shapes; radians or face sizes for bones.
        fps: frames per second.
        adjustments: by name of :data:`PARTS`; those of the head do not matter.

    Returns:
        (T, N); a target that no adjustment touches is the same bits.
    """
    result = np.array(targets, np.float64)
    active = {part: one for part, one in adjustments.items() if part in FACE_PARTS and not one.is_neutral}
    columns = touched_targets(mapping, tuple(active))
    if not columns or not len(result):
        return result
    head = np.zeros((len(result), 3), np.float32)
    before = FaceCurves(mapping.restore(result), head, head, fps)
    linear = mapping.only(entry.target for entry in mapping.entries if entry.kind in ("channel", "bone"))
    places = [mapping.targets.index(target) for target in linear.targets]
    known = np.zeros(result.shape)
    change = np.zeros(result.shape)
    known[:, places] = linear.apply(before.values)
    change[:, places] = linear.apply(adjusted(before, active).values) - known[:, places]
    exact = np.zeros(len(mapping.entries), bool)
    exact[places] = np.abs(known - result)[:, places].max(axis=0) < _EXACT
    shares = _shares(mapping)
    for column in columns:
        if exact[column]:
            result[:, column] += change[:, column]
        elif mapping.entries[column].sources:
            result[:, column] = _by_shares(mapping, column, result[:, column], before, active, shares)
    _fill_rest(mapping, np.asarray(targets, np.float64), result)
    return result


def _by_shares(
    mapping: Mapping, column: int, curve: Array, known: FaceCurves, active: Adjustments, shares: dict[str, Array]
) -> Array:
    """Return the (T,) ``curve`` of one target, adjusted by each part as far as it belongs to it."""
    entry, row = mapping.entries[column], mapping.entries[column].row()
    if entry.kind == "step":
        shift = max((one.shift for one in active.values()), key=abs)
        return shifted(curve[:, None], round(shift * known.fps))[:, 0]
    values = curve.copy()
    size = float(row @ row) if entry.kind == "pose" else 1.0
    for part, one in active.items():
        share = shares[part][column]
        if share:
            new = np.zeros_like(curve)
            if not one.mute:
                pull = float(row[list(PARTS[part])] @ PULL[list(PARTS[part])]) / size
                new = _moved(curve[:, None], known, part, one)[:, 0] * one.strength + one.offset * pull / share
            values += share * (new - curve)
    return values if entry.kind == "bone" or entry.signed else _clipped(values[:, None], curve[:, None])[:, 0]


def _fill_rest(mapping: Mapping, before: Array, result: Array) -> None:
    """Give the rest pose what the other mouth shapes have left or taken."""
    poses = mapping.of_kind("pose")
    rests = [column for column in poses if not mapping.entries[column].sources]
    others = [column for column in poses if column not in rests]
    for column in rests:
        gone = before[:, others].sum(axis=1) - result[:, others].sum(axis=1)
        result[:, column] = np.clip(before[:, column] + gone, 0, np.maximum(1, before[:, column]))
