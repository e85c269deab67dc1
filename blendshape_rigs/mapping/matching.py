"""Which mapping fits a character: the family that its names fit best, then guesses for what is left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from ..arkit import ARKIT_COUNT, REGION_OF
from .catalogue import Profile, profiles
from .guesses import face_words, guess
from .model import Mapping, MappingEntry
from .names import is_animated, key_of, words_of
from .substitutes import with_substitutes

_ARTICULATION: Final = ("jawOpen", "mouthClose", "mouthFunnel", "mouthPucker", "mouthRoll", "mouthShrug")
_ARTICULATION_SIDED: Final = ("mouthLowerDown", "mouthUpperUp", "mouthStretch", "mouthPress")
_WORTH: Final = {"channel": 1.0, "bone": 0.9, "pose": 0.5, "step": 0.25}
_AFTER_PREFIX: Final = 0.95
_SHARED_BY: Final = 0.6
_SHORTEST_KEY: Final = 7


@dataclass(frozen=True)
class _Match:
    entry: MappingEntry
    name: str
    rank: int
    prefix: tuple[str, ...]
    sure: bool


def map_with(family: Profile, names: Sequence[str]) -> Mapping:
    """Return the mapping of ``names`` by one profile, without guesses.

    Names fit in any case and spelling of their words, and after a prefix. Where several names fit one target, those
    with the family's own name win; a mesh's own prefix is no reason to drop a name, so that all meshes of a character
    are driven.

    Args:
        family: the profile.
        names: shape names of all meshes of a character, or names of bones. Repeated ones count once.
    """
    unique = tuple(dict.fromkeys(filter(is_animated, names)))
    entries = [*_shape_entries(family, unique), *_bone_entries(family, unique)]
    return Mapping(family.name, tuple(_without_doubles(entries)))


def auto_map(names: Sequence[str]) -> Mapping:
    """Return the best mapping for a character.

    The family that reaches most ARKit channels is taken, then names that are left are matched by their words to
    channels that are left, and channels still missing are given to stand-ins. A mouth with ARKit shapes of its own is
    not driven by visemes too.

    Args:
        names: shape names of all meshes of a character, or names of bones.

    Returns:
        A mapping whose ``profile`` is empty where no family fits; without entries where nothing fits at all.
    """
    unique = tuple(dict.fromkeys(filter(is_animated, names)))
    found = [(_score(family, mapping, unique), family, mapping) for family, mapping in _candidates(unique)]
    best = max(found, key=lambda candidate: candidate[0], default=None)
    chosen = best[2] if best else Mapping("", ())
    entries = _one_way_to_speak(chosen.entries)
    left = [name for name in unique if name not in chosen.targets]
    entries += guess(left, entries, frozenset(_articulation()) if _has_mouths(entries) else frozenset())
    return Mapping(chosen.profile, with_substitutes(entries))


def _candidates(names: Sequence[str]) -> list[tuple[Profile, Mapping]]:
    pairs = [(family, map_with(family, names)) for family in profiles()]
    return [(family, mapping) for family, mapping in pairs if len(mapping.entries) >= family.at_least]


def _score(family: Profile, mapping: Mapping, names: Sequence[str]) -> float:
    """Return how well a family fits: the share of ARKit it reaches, then how far the two lists of names agree."""
    reached: dict[str, float] = {}
    for entry in mapping.entries:
        for name in entry.main_sources if entry.kind == "channel" else [n for n, _ in entry.sources]:
            reached[name] = max(reached.get(name, 0.0), _WORTH[entry.kind])
    targets = frozenset(family.targets)
    exact = sum(name in targets for name in names) / len(names)
    bones = {target.rsplit(":", 2)[0] for target in family.targets} if mapping.of_kind("bone") else targets
    hits = len({target.rsplit(":", 2)[0] for target in mapping.targets} if mapping.of_kind("bone") else mapping.targets)
    agreement = 2 * hits / (len(names) + len(bones))
    return sum(reached.values()) / ARKIT_COUNT + 0.05 * agreement + 0.02 * exact


def _index_of(family: Profile) -> dict[str, tuple[MappingEntry, int]]:
    """Return entry and rank of the name (0 for the family's own) by key."""
    index: dict[str, tuple[MappingEntry, int]] = {}
    shapes = [entry for entry in family.entries if entry.kind != "bone"]
    for entry in shapes:
        index.setdefault(key_of(words_of(entry.target)), (entry, 0))
    for entry in shapes:
        for rank, name in enumerate(family.also.get(entry.target, ()), start=1):
            index.setdefault(key_of(words_of(name)), (entry, rank))
    return index


def _shape_entries(family: Profile, names: Sequence[str]) -> list[MappingEntry]:
    index = _index_of(family)
    shared = _shared_prefix(names)
    matches = [match for name in names if (match := _match(name, index, shared)) is not None]
    prefixes = Counter(match.prefix for match in matches)
    # happyMouth_R is another shape than mouthRight, but a mesh may well be called Mouth.
    matches = [m for m in matches if m.sure or prefixes[m.prefix] >= 3 or not face_words().intersection(m.prefix)]
    best: dict[str, tuple[int, bool]] = {}
    for match in matches:
        key = match.entry.target
        best[key] = min(best.get(key, (99, True)), (match.rank, not match.sure))
    kept = []
    for match in matches:
        rank, unsure = best[match.entry.target]
        if match.rank == rank and (match.sure or unsure or prefixes[match.prefix] >= 3):
            confidence = 1.0 if match.sure else _AFTER_PREFIX
            kept.append(replace(match.entry, target=match.name, confidence=confidence))
    return kept


def _match(name: str, index: dict[str, tuple[MappingEntry, int]], shared: tuple[str, ...]) -> _Match | None:
    """Return what ``name`` stands for, whole or after a prefix.

    Behind a prefix that the names do not share, a short word such as A or blink could be anything.
    """
    words = words_of(name)
    for start in range(len(words)):
        key = key_of(words[start:])
        found = index.get(key)
        if found is None:
            continue
        sure = words[:start] == shared[:start]
        if sure or (len(words) - start >= 2 and len(key) >= _SHORTEST_KEY):
            return _Match(*found[:1], name, found[1], words[:start], sure)
    return None


def _shared_prefix(names: Sequence[str]) -> tuple[str, ...]:
    """Return the words that most names begin with."""
    shared: tuple[str, ...] = ()
    spelled = [words_of(name) for name in names]
    while True:
        length = len(shared) + 1
        counts = Counter(words[:length] for words in spelled if len(words) > length)
        if not counts:
            return shared
        prefix, count = counts.most_common(1)[0]
        if count < max(3, _SHARED_BY * len(names)) or prefix[:-1] != shared:
            return shared
        shared = prefix


def _bone_entries(family: Profile, names: Sequence[str]) -> list[MappingEntry]:
    there = set(names)
    return [e for e in family.entries if e.kind == "bone" and e.target.rsplit(":", 2)[0] in there]


def _without_doubles(entries: Sequence[MappingEntry]) -> list[MappingEntry]:
    """Drop a target for both sides where each side has one of its own: Blink beside Blink_L and Blink_R."""
    alone = {e.main_sources[0] for e in entries if e.kind == "channel" and len(e.main_sources) == 1}
    return [
        entry
        for entry in entries
        if entry.kind != "channel" or len(entry.main_sources) < 2 or not alone.issuperset(entry.main_sources)
    ]


def _articulation() -> tuple[str, ...]:
    return tuple(name for name in REGION_OF if name.startswith(_ARTICULATION + _ARTICULATION_SIDED))


def _has_mouths(entries: Sequence[MappingEntry]) -> bool:
    return any(entry.kind in ("pose", "step") for entry in entries)


def _one_way_to_speak(entries: tuple[MappingEntry, ...]) -> tuple[MappingEntry, ...]:
    """Return the entries with either ARKit's mouth or whole mouth shapes, never both.

    ARKit's own is taken where it has the jaw and at least half of the other articulating channels.
    """
    if not _has_mouths(entries):
        return entries
    own = {name for entry in entries if entry.kind == "channel" for name in entry.main_sources}
    articulation = _articulation()
    if "jawOpen" in own and 2 * len(own.intersection(articulation)) >= len(articulation):
        return tuple(entry for entry in entries if entry.kind not in ("pose", "step"))
    return tuple(e for e in entries if e.kind != "channel" or not set(articulation).issuperset(e.main_sources))
