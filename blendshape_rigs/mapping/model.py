"""A mapping: which ARKit channels drive which target of a character, how, and how sure that is.

Targets are shape keys, or channels of bones. Each entry is of one kind:

``channel``  a weighted sum of ARKit channels.
``pose``     a whole mouth shape such as a viseme. Its sources are the ARKit values of that mouth shape; all poses of a
             mapping are solved together, frame by frame (see ``visemes``).
``step``     a mouth shape of which exactly one shows at a time, as drawn mouths do (see ``steps``).
``bone``     a weighted sum that moves a bone, in radians or in face sizes (see ``bones``).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ..arkit import ARKIT_COUNT, ARKIT_INDEX, ARKIT_NAMES
from ..curves import CurvesError
from .steps import MINIMUM_HOLD, ShapeEvent, active_shapes
from .visemes import solve_poses

FloatArray = npt.NDArray[np.float32]

KINDS: Final = ("channel", "pose", "step", "bone")
LINEAR: Final = ("channel", "bone")
FORMAT: Final = "dreamtalk-mapping"
VERSION: Final = 1
MAX_ENTRIES: Final = 4096
MAX_NAME: Final = 256
MAX_BYTES: Final = 2 * 2**20
LARGEST_WEIGHT: Final = 100.0


class MappingError(CurvesError):
    """A mapping or profile that breaks its form; the message names the entry and what is wrong."""


@dataclass(frozen=True)
class MappingEntry:
    """What drives one target.

    Attributes:
        target: name of the shape key, exactly as the character has it; for a bone ``BONE:location|rotation:AXIS``.
        sources: pairs of ARKit name and weight. A pose without sources is the rest: it takes what the other poses
            leave of 1.
        confidence: 0..1, how sure the match is; 1 is a name of the profile itself.
        kind: ``"channel"``, ``"pose"``, ``"step"`` or ``"bone"``.
        signed: whether a channel works both ways. One that does not stays at 0 where negative weights would take it
            below.

    Raises:
        MappingError: on construction, for an empty or very long target, an unknown ARKit name or kind, a repeated
            source, or a weight that is not finite.
    """

    target: str
    sources: tuple[tuple[str, float], ...]
    confidence: float = 1.0
    kind: str = "channel"
    signed: bool = False

    def __post_init__(self) -> None:
        if not self.target or len(self.target) > MAX_NAME:
            raise MappingError(f"'{self.target[:40]}' is no target: a name has 1 to {MAX_NAME} characters")
        if self.kind not in KINDS:
            raise MappingError(f"{self.target}: kind '{self.kind[:40]}' is unknown; choose one of {', '.join(KINDS)}")
        if not 0 <= self.confidence <= 1:
            raise MappingError(f"{self.target}: confidence {self.confidence} is not in 0..1")
        names = [name for name, _ in self.sources]
        unknown = [name for name in names if name not in ARKIT_INDEX]
        if unknown:
            raise MappingError(f"{self.target}: '{unknown[0][:60]}' is not an ARKit blendshape")
        if len(set(names)) < len(names):
            raise MappingError(f"{self.target}: an ARKit blendshape is there twice")
        if not all(abs(weight) <= LARGEST_WEIGHT for _, weight in self.sources):
            raise MappingError(f"{self.target}: a weight is not finite or above {LARGEST_WEIGHT:g}")

    @property
    def main_sources(self) -> tuple[str, ...]:
        """ARKit names that the target is for: those with the largest weight; a bone is for all of its sources."""
        if self.kind == "bone":
            return tuple(name for name, weight in self.sources if weight)
        rising = [weight for _, weight in self.sources if weight > 0]
        largest = max(rising or [-weight for _, weight in self.sources], default=0.0)
        share = {name: weight if rising else -weight for name, weight in self.sources}
        return tuple(name for name, weight in share.items() if weight and weight >= largest * 0.999)

    @property
    def held_at_zero(self) -> bool:
        """Whether results below 0 are cut: a channel with negative weights that does not work both ways."""
        return self.kind == "channel" and not self.signed and any(weight < 0 for _, weight in self.sources)

    def row(self) -> npt.NDArray[np.float64]:
        """Return the weights as (52,) in ``ARKIT_NAMES`` order."""
        row = np.zeros(ARKIT_COUNT)
        for name, weight in self.sources:
            row[ARKIT_INDEX[name]] = weight
        return row


@dataclass(frozen=True)
class MappingReport:
    """What becomes of the 52 ARKit channels.

    Attributes:
        direct: names that have a target of their own.
        by_mouth_shapes: names that visemes or drawn mouths express, approximately.
        replaced: names without a target of their own, with the targets that stand in for them.
        missing: names that reach nothing.
    """

    direct: tuple[str, ...]
    by_mouth_shapes: tuple[str, ...]
    replaced: tuple[tuple[str, tuple[str, ...]], ...]
    missing: tuple[str, ...]


@dataclass(frozen=True)
class Mapping:
    """How one character is driven: the family it was recognised as, and an entry for each driven target.

    Attributes:
        profile: name of the profile, empty where none fitted.
        entries: in the order of ``apply``'s columns; no target is there twice.

    Raises:
        MappingError: on construction, for a repeated target or more than 4096 entries.
    """

    profile: str
    entries: tuple[MappingEntry, ...]

    def __post_init__(self) -> None:
        if len(self.entries) > MAX_ENTRIES:
            raise MappingError(f"{len(self.entries)} entries are too many; at most {MAX_ENTRIES}")
        targets = self.targets
        if len(set(targets)) < len(targets):
            twice = next(target for target in targets if targets.count(target) > 1)
            raise MappingError(f"'{twice}' is mapped twice; remove one entry")

    @property
    def targets(self) -> tuple[str, ...]:
        """Target names, one for each column of ``apply``."""
        return tuple(entry.target for entry in self.entries)

    @property
    def missing(self) -> tuple[str, ...]:
        """ARKit names that reach no target, in ARKit's order."""
        reached = {name for entry in self.entries for name, weight in entry.sources if weight}
        return tuple(name for name in ARKIT_NAMES if name not in reached)

    def of_kind(self, *kinds: str) -> tuple[int, ...]:
        """Return the columns whose entries are of ``kinds``."""
        return tuple(index for index, entry in enumerate(self.entries) if entry.kind in kinds)

    def weights(self) -> npt.NDArray[np.float64]:
        """Return (52, N) source weights, one column for each entry, whatever its kind."""
        if not self.entries:
            return np.zeros((ARKIT_COUNT, 0))
        return np.stack([entry.row() for entry in self.entries], axis=1)

    def apply(self, values: npt.NDArray[np.floating[Any]], fps: float = 30.0) -> FloatArray:
        """Return what every target does when the face does ``values``.

        Args:
            values: (T, 52) ARKit weights.
            fps: frames per second; only drawn mouths (kind ``step``) depend on it.

        Returns:
            (T, N) float32 in the order of ``targets``: weights of shapes; radians or face sizes for bones.
        """
        source = np.asarray(values, np.float64)
        weights = self.weights()
        result = source @ weights
        held = [column for column, entry in enumerate(self.entries) if entry.held_at_zero]
        result[:, held] = np.maximum(result[:, held], 0)
        poses, steps = list(self.of_kind("pose")), list(self.of_kind("step"))
        if poses:
            result[:, poses] = solve_poses(self._for_mouths(source), self._mouths("pose"))
        if steps:
            active = active_shapes(self._for_mouths(source), self._mouths("step"), fps)
            result[:, steps] = active[:, None] == np.arange(len(steps))
        return result.astype(np.float32)

    def shape_events(
        self,
        values: npt.NDArray[np.floating[Any]],
        fps: float,
        start: float = 0.0,
        minimum_hold: float = MINIMUM_HOLD,
    ) -> tuple[ShapeEvent, ...]:
        """Return when which drawn mouth shows, for stepped keys, time offsets and grease pencil.

        Args:
            values: (T, 52) ARKit weights.
            fps: frames per second.
            start: seconds of the first frame.
            minimum_hold: seconds that every mouth stays at least.

        Returns:
            Events at increasing times, the first at ``start``; none where the mapping has no entries of kind ``step``.
        """
        steps = self.of_kind("step")
        if not steps or not len(values):
            return ()
        source = self._for_mouths(np.asarray(values, np.float64))
        active = active_shapes(source, self._mouths("step"), fps, minimum_hold)
        changes = np.flatnonzero(np.diff(active, prepend=-1))
        targets = self.targets
        return tuple(ShapeEvent(start + int(i) / fps, targets[steps[active[i]]]) for i in changes)

    def _own(self) -> list[int]:
        """Return the ARKit indices that have targets of their own, so that mouth shapes need not make them."""
        return [ARKIT_INDEX[name] for entry in self.entries if entry.kind in LINEAR for name in entry.main_sources]

    def _mouths(self, kind: str) -> npt.NDArray[np.float64]:
        """Return (P, 52) ARKit poses of one kind, without the channels that have targets of their own."""
        mouths = self.weights()[:, list(self.of_kind(kind))].T.copy()
        mouths[:, self._own()] = 0
        return mouths

    def _for_mouths(self, source: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return (T, 52) what is left of ``source`` for mouth shapes to make."""
        left = source.copy()
        left[:, self._own()] = 0
        return left

    def restore(self, values: npt.NDArray[np.floating[Any]]) -> FloatArray:
        """Return the ARKit weights (T, 52) that a character's own curves (T, N) stand for.

        The inverse of ``apply`` as far as the character can carry: channels that it lacks come back as zero, and those
        that share a target come back equal. Linear targets are solved by least squares, mouth shapes are added up.
        """
        source = np.asarray(values, np.float64)
        linear = list(self.of_kind(*LINEAR))
        restored = source[:, linear] @ np.linalg.pinv(self.weights()[:, linear])
        for kind in ("pose", "step"):
            restored += source[:, list(self.of_kind(kind))] @ self._mouths(kind)
        return restored.astype(np.float32)

    def report(self) -> MappingReport:
        """Return what becomes of each ARKit channel."""
        linear = [entry for entry in self.entries if entry.kind in LINEAR]
        direct = {name for entry in linear for name in entry.main_sources}
        mouth_shapes = {n for entry in self.entries if entry.kind in ("pose", "step") for n, w in entry.sources if w}
        replaced = []
        for name in ARKIT_NAMES:
            targets = tuple(entry.target for entry in linear if name in (n for n, w in entry.sources if w))
            if targets and name not in direct | mouth_shapes:
                replaced.append((name, targets))
        return MappingReport(
            tuple(name for name in ARKIT_NAMES if name in direct),
            tuple(name for name in ARKIT_NAMES if name in mouth_shapes - direct),
            tuple(replaced),
            self.missing,
        )

    def with_entry(self, entry: MappingEntry) -> Mapping:
        """Return a copy with ``entry`` in place of the one for its target, or added at the end."""
        if entry.target not in self.targets:
            return replace(self, entries=(*self.entries, entry))
        return replace(self, entries=tuple(entry if e.target == entry.target else e for e in self.entries))

    def without(self, targets: Iterable[str]) -> Mapping:
        """Return a copy without the entries for ``targets``; unknown ones do not matter."""
        gone = set(targets)
        return replace(self, entries=tuple(entry for entry in self.entries if entry.target not in gone))

    def only(self, targets: Iterable[str]) -> Mapping:
        """Return a copy with only the entries for ``targets``, as for one of a character's several meshes."""
        kept = set(targets)
        return replace(self, entries=tuple(entry for entry in self.entries if entry.target in kept))

    def to_json(self) -> str:
        """Return the mapping as JSON text, one line for each entry."""
        lines = [json.dumps(_record(entry), ensure_ascii=False) for entry in self.entries]
        head = f'{{"format": "{FORMAT}", "version": {VERSION}, "profile": {json.dumps(self.profile)},\n "entries": ['
        return head + (("\n  " + ",\n  ".join(lines) + "\n ") if lines else "") + "]}\n"

    @classmethod
    def from_json(cls, text: str) -> Mapping:
        """Return the mapping that :meth:`to_json` wrote.

        Raises:
            MappingError: for text that is no such object, one of a newer version, or one that is too large.
        """
        if len(text) > MAX_BYTES:
            raise MappingError(f"this mapping has {len(text) >> 10} KiB; at most {MAX_BYTES >> 10} are read")
        record = decode_object(text, "the mapping")
        if record.get("format") != FORMAT or record.get("version") != VERSION:
            raise MappingError(
                f"this is '{str(record.get('format'))[:40]}' version {str(record.get('version'))[:20]}; "
                f"expected '{FORMAT}' version {VERSION}"
            )
        profile, entries = record.get("profile"), record.get("entries")
        if not isinstance(profile, str) or len(profile) > MAX_NAME or not isinstance(entries, list):
            raise MappingError("a mapping has a profile (text) and entries (a list)")
        if len(entries) > MAX_ENTRIES:
            raise MappingError(f"{len(entries)} entries are too many; at most {MAX_ENTRIES}")
        return cls(profile, tuple(_entry(index, entry) for index, entry in enumerate(entries)))


def decode_object(text: str, what: str) -> dict[str, Any]:
    """Return the JSON object in ``text``, or raise :class:`MappingError` that names ``what``."""
    try:
        record = json.loads(text, parse_constant=_refuse_constant)
    except MappingError:
        raise
    except (ValueError, RecursionError) as error:
        raise MappingError(f"{what} is not JSON: {error}") from error
    if not isinstance(record, dict):
        raise MappingError(f"{what}: expected one object, found a {type(record).__name__}")
    return record


def sources_from(value: object, where: str) -> tuple[tuple[str, float], ...]:
    """Return sources from a JSON object of ARKit names to weights, or raise :class:`MappingError`."""
    if not isinstance(value, dict):
        raise MappingError(f"{where}: sources must be an object of ARKit names to weights")
    for name, weight in value.items():
        if isinstance(weight, bool) or not isinstance(weight, int | float):
            raise MappingError(f"{where}: the weight of '{str(name)[:60]}' is no number")
    return tuple((str(name), float(weight)) for name, weight in value.items())


def _refuse_constant(text: str) -> float:
    raise MappingError(f"{text} is not a number that JSON allows")


def _record(entry: MappingEntry) -> dict[str, object]:
    record: dict[str, object] = {"target": entry.target, "kind": entry.kind, "confidence": round(entry.confidence, 3)}
    return record | ({"signed": True} if entry.signed else {}) | {"sources": dict(entry.sources)}


def _entry(index: int, value: object) -> MappingEntry:
    where = f"entry {index}"
    if not isinstance(value, dict) or not isinstance(value.get("target"), str):
        raise MappingError(f"{where}: expected an object with a target")
    kind, confidence = value.get("kind", "channel"), value.get("confidence", 1.0)
    if not isinstance(kind, str) or isinstance(confidence, bool) or not isinstance(confidence, int | float):
        raise MappingError(f"{where}: kind must be text and confidence a number")
    signed = value.get("signed", False) is True
    return MappingEntry(value["target"], sources_from(value.get("sources"), where), float(confidence), kind, signed)
