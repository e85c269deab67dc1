"""The measured promises of the proxy avatar: what ``dreamtalk rigs check`` prints.

Lengths are metres inside and millimetres in the table. A flip is what :class:`rig_surface.FlipCounter` counts; an
overlap is how deep one surface lies inside another, sampled at every vertex of lips, lids, teeth, gums and tongue.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from blendshape_rigs.arkit import ARKIT_COUNT, ARKIT_INDEX, ARKIT_NAMES, MIRROR_PAIRS
from blendshape_rigs.avatar import ProxyAvatar

from .rig_parts import LIDS, RigParts
from .rig_reference import Agreement, Reference, agreements
from .rig_surface import Floats, Ints

OVERLAP_LIMIT = 0.0003
"""Metres: lips and lids touch when closed, and flesh gives way; deeper than this is seen."""
LIP_GAP_LIMIT = 0.0003
EYE_GAP_LIMIT = 0.0002
MIRROR_LIMIT = 1e-6
MEDIAN_COSINE = 0.8
LEAST_COSINE = 0.6
CLOSING = (0.0, 0.25, 0.5, 0.75, 1.0)
OVERLAPS = {
    "lips": "lip in lip",
    "lids": "lid in lid",
    "eyes": "lid in eyeball",
    "teeth": "lip in teeth",
    "gums": "teeth and gums outside the skin",
    "tongue": "tongue in lips and teeth",
}
REASONS: dict[str, str] = {}
"""Why a shape may move otherwise than the reference: ARKit name to a sentence. Shapes in it need no cosine of 0.6."""


@dataclass(frozen=True)
class Measurement:
    """One line of the table: ``value`` in ``unit`` against ``limit``, and what it was measured on."""

    name: str
    value: float
    limit: float
    unit: str
    passed: bool
    note: str

    def as_json(self) -> dict[str, Any]:
        """Return the line as ``json`` writes it."""
        return asdict(self)


def check_rig(
    avatar: ProxyAvatar, expressions: npt.NDArray[np.float32], reference: Reference | None = None
) -> list[Measurement]:
    """Return every measurement of the avatar.

    Args:
        avatar: the avatar.
        expressions: (N, 52) values that it must bear.
        reference: a head whose shapes move as measured on people; without it directions are not measured.
    """
    parts = RigParts(avatar)
    single = np.eye(ARKIT_COUNT, dtype=np.float32)
    # mouthClose is defined on the open jaw: alone it would push the lips into each other by what the jaw opens.
    single[ARKIT_INDEX["mouthClose"], ARKIT_INDEX["jawOpen"]] = 1.0
    lines = [*_borne(avatar, parts, single, "single shapes"), *_borne(avatar, parts, expressions, "expressions")]
    lines += [_lip_line(avatar), _eye_line(avatar), *_mirror_lines(avatar)]
    if reference is not None:
        lines += _direction_lines(agreements(avatar, reference))
    return lines


def _at_most(name: str, value: float, limit: float, unit: str, note: str) -> Measurement:
    return Measurement(name, value, limit, unit, value <= limit, note)


def _borne(avatar: ProxyAvatar, parts: RigParts, values: Floats, what: str) -> Iterator[Measurement]:
    """Yield the flips and overlaps over poses (N, 52)."""
    found = [parts.measure(avatar.deform(row)) for row in values]
    flips = [depths.flips for depths in found]
    yield _at_most(f"flipped triangles, {what}", max(flips), 0, "triangles", _worst(flips, values))
    for field, name in OVERLAPS.items():
        depth = [getattr(depths, field) for depths in found]
        yield _at_most(f"{name}, {what}", 1000 * max(depth), 1000 * OVERLAP_LIMIT, "mm", _worst(depth, values))


def _worst(found: list[int] | list[float], values: Floats) -> str:
    """Return how many poses were measured and, where something was found, what the worst one is made of."""
    text = f"{len(values)} poses"
    worst = int(np.argmax(found))
    if found[worst] <= 0:
        return text
    row = values[worst]
    strongest = [f"{ARKIT_NAMES[i]} {row[i]:.2f}" for i in np.argsort(-row)[:4] if row[i] > 0.02]
    return f"{text}, worst at {', '.join(strongest)}"


def pose(**shapes: float) -> npt.NDArray[np.float32]:
    """Return values (52,) with the given shapes."""
    values = np.zeros(ARKIT_COUNT, dtype=np.float32)
    for name, value in shapes.items():
        values[ARKIT_INDEX[name]] = value
    return values


def _lip_line(avatar: ProxyAvatar) -> Measurement:
    """Measure the largest distance between lip vertices that touch at rest, with jawOpen = mouthClose."""
    gaps = []
    for value in CLOSING:
        posed = avatar.deform(pose(jawOpen=value, mouthClose=value))
        gaps.append(float(np.linalg.norm(posed[avatar.upper_lip] - posed[avatar.lower_lip], axis=1).max()))
    note = f"jawOpen = mouthClose at {', '.join(f'{value:g}' for value in CLOSING)}"
    return _at_most("lip gap", 1000 * max(gaps), 1000 * LIP_GAP_LIMIT, "mm", note)


def _eye_line(avatar: ProxyAvatar) -> Measurement:
    """Measure the largest distance between the lids' margins with both eyes closed."""
    posed = avatar.deform(pose(eyeBlinkLeft=1.0, eyeBlinkRight=1.0))[avatar.landmark_vertices]
    gaps = [np.linalg.norm(posed[list(upper)] - posed[list(lower)], axis=1).max() for upper, lower in LIDS]
    return _at_most("eye gap", 1000 * float(max(gaps)), 1000 * EYE_GAP_LIMIT, "mm", "eyeBlink at 1, both eyes")


def _mirror_lines(avatar: ProxyAvatar) -> Iterator[Measurement]:
    """Measure how exactly the right shape is the left one's mirror image, and how even the two together are."""
    points, other = mirrored_vertices(avatar)
    flip = np.array([-1.0, 1.0, 1.0])

    def defect(first: int, second: int) -> float:
        image = avatar.deltas[first, points].astype(np.float64) * flip
        return float(np.abs(avatar.deltas[second, other] - image).max())

    pairs = max(defect(left, right) for left, right in MIRROR_PAIRS)
    yield _at_most("mirror pairs", pairs, MIRROR_LIMIT, "m", f"{len(MIRROR_PAIRS)} pairs, {len(points)} vertices")
    uneven = 0.0
    for left, right in MIRROR_PAIRS:
        both = avatar.deltas[left].astype(np.float64) + avatar.deltas[right]
        uneven = max(uneven, float(np.abs(both[other] - both[points] * flip).max()))
    paired = {index for pair in MIRROR_PAIRS for index in pair}
    middle = max(defect(index, index) for index in range(ARKIT_COUNT) if index not in paired)
    yield _at_most("left plus right is symmetric", uneven, MIRROR_LIMIT, "m", "the sums of all pairs")
    yield _at_most("middle shapes are symmetric", middle, MIRROR_LIMIT, "m", "every shape without a side")


def mirrored_vertices(avatar: ProxyAvatar) -> tuple[Ints, Ints]:
    """Return the vertices that any shape moves (N,) and the vertex on the other side of each (N,).

    Lips touch at rest, so places are told apart by how the middle shapes carry them as well.
    """
    moving = np.flatnonzero((avatar.deltas != 0).any(axis=(0, 2)))
    flip = np.array([-1.0, 1.0, 1.0])
    carried = [avatar.deltas[ARKIT_INDEX[name], moving] for name in ("jawOpen", "mouthFunnel", "mouthRollUpper")]
    fields = [avatar.vertices[moving], *carried]
    tree = cKDTree(np.concatenate(fields, axis=1))
    _, nearest = tree.query(np.concatenate([field * flip for field in fields], axis=1))
    return moving, moving[nearest]


def _direction_lines(found: list[Agreement]) -> Iterator[Measurement]:
    """Yield the median cosine over shapes and each shape's."""
    median = float(np.median([agreement.cosine for agreement in found]))
    note = f"{len(found)} shapes beside the reference"
    yield Measurement("direction, median", median, MEDIAN_COSINE, "cosine", median >= MEDIAN_COSINE, note)
    for shape in found:
        reason = REASONS.get(shape.name, "")
        note = f"{100 * shape.coverage:.0f} % of the moving points" + (f"; {reason}" if reason else "")
        passed = shape.cosine >= LEAST_COSINE or bool(reason)
        yield Measurement(f"direction, {shape.name}", shape.cosine, LEAST_COSINE, "cosine", passed, note)


def table_lines(measurements: list[Measurement]) -> list[str]:
    """Return the table as text, one line a measurement, the verdict last."""
    lines = []
    for line in measurements:
        sign = ">=" if line.unit == "cosine" else "<="
        value, limit = (_number(number, line.unit) for number in (line.value, line.limit))
        verdict = "ok  " if line.passed else "FAIL"
        lines.append(f"{verdict} {line.name:50} {value:>9} {sign} {limit:<6} {line.unit:9} {line.note}")
    failed = sum(not line.passed for line in measurements)
    lines.append(f"{len(measurements) - failed} of {len(measurements)} hold")
    return lines


def _number(value: float, unit: str) -> str:
    forms = {"mm": ".3f", "cosine": ".2f", "triangles": ".0f", "m": ".0e"}
    return format(value, forms[unit])
