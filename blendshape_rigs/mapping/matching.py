"""Which mapping fits a character: the best profile for its names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from .catalogue import Profile, profiles
from .model import Mapping, MappingEntry
from .names import key_of, words_of


def map_with(family: Profile, names: Sequence[str]) -> Mapping:
    """Return the mapping of ``names`` by one profile, without guesses."""
    index: dict[str, MappingEntry] = {}
    for entry in family.entries:
        for known in (entry.target, *family.also.get(entry.target, ())):
            index.setdefault(key_of(words_of(known)), entry)
    entries = []
    for name in dict.fromkeys(names):
        words = words_of(name)
        for start in range(len(words)):
            found = index.get(key_of(words[start:]))
            if found is not None:
                entries.append(replace(found, target=name))
                break
    return Mapping(family.name, tuple(entries))


def auto_map(names: Sequence[str]) -> Mapping:
    """Return the best mapping for a character's shape names (of all its meshes) or bone names."""
    best = max((map_with(family, names) for family in profiles()), key=lambda found: len(found.entries))
    return best if best.entries else Mapping("", ())
