"""What stands in for an ARKit channel that a character has no shape for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from ..arkit import ARKIT_NAMES
from .model import MappingEntry

_SIDED: Final[dict[str, tuple[tuple[str, float], ...]]] = {
    "mouthSmile": (("mouthDimple", 0.6), ("mouthStretch", 0.4)),
    "mouthDimple": (("mouthSmile", 0.35), ("mouthStretch", 0.35)),
    "mouthStretch": (("mouthSmile", 0.3), ("mouthDimple", 0.5)),
    "mouthUpperUp": (("noseSneer", 0.5),),
    "noseSneer": (("mouthUpperUp", 0.4),),
    "cheekSquint": (("eyeSquint", 0.5),),
    "eyeSquint": (("cheekSquint", 0.5), ("eyeBlink", 0.25)),
    "browOuterUp": (("browInnerUp", 0.4),),
}
_MIDDLE: Final[dict[str, tuple[tuple[str, float], ...]]] = {
    "mouthClose": (("jawOpen", -1.0),),
    "mouthFunnel": (("mouthPucker", 0.6),),
    "mouthPucker": (("mouthFunnel", 0.7),),
    "browInnerUp": (("browOuterUpLeft", 0.5), ("browOuterUpRight", 0.5)),
    "mouthShrugUpper": (("mouthUpperUpLeft", 0.2), ("mouthUpperUpRight", 0.2)),
    "mouthRollLower": (("mouthPressLeft", 0.5), ("mouthPressRight", 0.5)),
    "mouthRollUpper": (("mouthPressLeft", 0.3), ("mouthPressRight", 0.3)),
}
# Those whose stand-ins work together, as the two sides of a face do; of all others the first that is there serves.
_TOGETHER: Final = frozenset({"browInnerUp", "mouthShrugUpper", "mouthRollLower", "mouthRollUpper"})


def _choices(name: str) -> tuple[tuple[str, float], ...]:
    for side in ("Left", "Right"):
        stem = name.removesuffix(side)
        if stem != name and stem in _SIDED:
            return tuple((f"{other}{side}" if other != "browInnerUp" else other, w) for other, w in _SIDED[stem])
    return _MIDDLE.get(name, ())


def with_substitutes(entries: Sequence[MappingEntry]) -> tuple[MappingEntry, ...]:
    """Return the entries, of which some also serve ARKit channels that have no target at all.

    A stand-in gets the missing channel as a further source, below its own. ``jawOpen`` loses what ``mouthClose`` would
    have closed, so that lips meet on characters that can only close them by the jaw.
    """
    reached = {name for entry in entries for name, weight in entry.sources if weight}
    extra: dict[str, dict[str, float]] = {}
    own = {name for entry in entries if entry.kind == "channel" for name in entry.main_sources}
    for name in ARKIT_NAMES:
        if name in reached:
            continue
        there = [choice for choice in _choices(name) if choice[0] in own]
        for other, weight in there if name in _TOGETHER else there[:1]:
            extra.setdefault(other, {})[name] = weight
    return tuple(_with_extra(entry, extra) for entry in entries)


def _with_extra(entry: MappingEntry, extra: dict[str, dict[str, float]]) -> MappingEntry:
    sources = dict(entry.sources)
    if entry.kind != "channel":
        return entry
    for main in entry.main_sources:
        for name, weight in extra.get(main, {}).items():
            sources[name] = sources.get(name, 0.0) + round(weight * dict(entry.sources)[main], 4)
    return replace(entry, sources=tuple(sources.items()))
