"""The families of characters that are known: one data file each in ``profiles``.

A profile is one JSON object::

    {"format": "dreamtalk-mapping-profile", "version": 1,
     "name": "arkit", "title": "ARKit", "about": "…", "reference": "https://…", "at_least": 1,
     "channels": {"eyeBlinkLeft": {"eyeBlinkLeft": 1}},
     "poses": {"viseme_PP": "PP"}, "steps": {"A": "closed"}, "bones": {"jaw:rotation:left": {"jawOpen": 0.3}},
     "also": {"viseme_PP": ["PP"]}, "optional_prefix": "CTRL_expressions_", "signed": ["eCTRLJawOut-In"]}

``channels``, ``poses``, ``steps`` and ``bones`` map each target to its ARKit sources; a pose or step may name a mouth
of ``mouth_shapes.json`` instead. ``also`` lists other names that a target goes by, the likeliest first; they count
where the name itself is missing. ``optional_prefix`` may be missing from all names. ``signed`` names the channels that
work both ways. ``at_least`` targets must be there before names are taken for this family.
"""

from __future__ import annotations

from collections.abc import Mapping as Dictionary
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from .model import MappingEntry, MappingError, decode_object, sources_from

PROFILE_FOLDER: Final = Path(__file__).with_name("profiles")
MOUTH_SHAPES: Final = "mouth_shapes.json"
FORMAT: Final = "dreamtalk-mapping-profile"
VERSION: Final = 1
_KIND_OF: Final = {"channels": "channel", "poses": "pose", "steps": "step", "bones": "bone"}
_TEXTS: Final = ("name", "title", "about", "reference")
_KEYS: Final = {"format", "version", "at_least", "also", "optional_prefix", "signed", *_TEXTS, *_KIND_OF}


@dataclass(frozen=True)
class Profile:
    """One family of characters.

    Attributes:
        name: identifier, such as ``"arkit"``.
        title: name as shown.
        about: one or two sentences for the animator.
        reference: address of the public description of the names.
        at_least: targets that must be found before names are taken for this family.
        entries: what drives each target, under the family's own names.
        also: other names of a target, by target.
    """

    name: str
    title: str
    about: str
    reference: str
    at_least: int
    entries: tuple[MappingEntry, ...]
    also: Dictionary[str, tuple[str, ...]]

    @property
    def targets(self) -> tuple[str, ...]:
        """The family's own names."""
        return tuple(entry.target for entry in self.entries)


@cache
def profiles() -> tuple[Profile, ...]:
    """Return all profiles, in the order of their names."""
    files = sorted(PROFILE_FOLDER.glob("*.json"))
    return tuple(profile_from(file.read_text("utf-8"), file.name) for file in files if file.name != MOUTH_SHAPES)


def profile(name: str) -> Profile:
    """Return the profile called ``name``.

    Raises:
        MappingError: for an unknown name.
    """
    found = {known.name: known for known in profiles()}
    if name not in found:
        raise MappingError(f"no profile is called '{name[:60]}'; there are {', '.join(found)}")
    return found[name]


@cache
def mouth_shapes() -> dict[str, tuple[tuple[str, float], ...]]:
    """Return the ARKit poses of the known mouth shapes: the 15 visemes and the nine drawn mouths."""
    record = decode_object((PROFILE_FOLDER / MOUTH_SHAPES).read_text("utf-8"), MOUTH_SHAPES)
    return {name: sources_from(pose, f"{MOUTH_SHAPES}, {name}") for name, pose in record["shapes"].items()}


def profile_from(text: str, where: str) -> Profile:
    """Return the profile in ``text``; ``where`` names it in errors.

    Raises:
        MappingError: for text that is no profile.
    """
    record = decode_object(text, where)
    if record.get("format") != FORMAT or record.get("version") != VERSION:
        raise MappingError(f"{where}: expected '{FORMAT}' version {VERSION}")
    unknown = sorted(set(record) - _KEYS)
    if unknown or not all(isinstance(record.get(key), str) for key in _TEXTS):
        raise MappingError(
            f"{where}: {unknown[0] if unknown else ', '.join(_TEXTS)} {'unknown' if unknown else 'missing'}"
        )
    entries = [
        MappingEntry(
            target, _sources(value, kind, f"{where}, {target}"), kind=kind, signed=target in record.get("signed", ())
        )
        for part, kind in _KIND_OF.items()
        for target, value in record.get(part, {}).items()
    ]
    also = {target: tuple(names) for target, names in record.get("also", {}).items()}
    prefix = str(record.get("optional_prefix", ""))
    if prefix:
        also |= {e.target: (*also.get(e.target, ()), e.target.removeprefix(prefix)) for e in entries}
    stray = sorted(set(also) - {entry.target for entry in entries})
    if stray:
        raise MappingError(f"{where}: other names are given for '{stray[0]}', which is no target")
    name, title, about, reference = (str(record[key]) for key in _TEXTS)
    return Profile(name, title, about, reference, int(record.get("at_least", 1)), tuple(entries), also)


def _sources(value: Any, kind: str, where: str) -> tuple[tuple[str, float], ...]:
    if not isinstance(value, str):
        return sources_from(value, where)
    if kind not in ("pose", "step") or value not in mouth_shapes():
        raise MappingError(f"{where}: there is no mouth shape '{value}'")
    return mouth_shapes()[value]
