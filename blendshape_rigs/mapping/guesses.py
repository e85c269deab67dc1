"""Guesses from words: ``Jaw_Drop`` is jawOpen, ``LeftEyeClose`` is eyeBlinkLeft, ``happyMouth_R`` may be a smile."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher
from functools import cache, lru_cache
from typing import Final

from ..arkit import ARKIT_NAMES
from .model import MappingEntry
from .names import side_of, words_of

LEAST: Final = 0.55
"""The lowest confidence with which a guess is made."""
_MOST: Final = 0.9
_ALIKE: Final = 0.82
_SHORTEST_WORD: Final = 4

# Other words for the words of the phrases below.
_SYNONYMS: Final = {
    "eyebrow": "brow", "eyebrows": "brow", "brows": "brow", "eyelid": "lid", "eyelids": "lid", "lids": "lid",
    "eyes": "eye", "lips": "lip", "cheeks": "cheek", "corners": "corner", "nostrils": "nostril",
    "opened": "open", "opening": "open", "drop": "open", "dropped": "open",
    "closed": "close", "shut": "close", "closing": "close", "wink": "blink", "blinking": "blink",
    "raise": "up", "raised": "up", "raiser": "up", "lift": "up", "lowered": "down", "lowerer": "down",
    "frowning": "frown", "sad": "frown", "depressor": "frown", "depress": "frown",
    "smiling": "smile", "grin": "smile", "happy": "smile", "puller": "pull",
    "kiss": "pucker", "whistle": "pucker", "purse": "pucker", "pout": "pucker",
    "blow": "puff", "inflate": "puff", "puffed": "puff", "balloon": "puff",
    "wrinkle": "sneer", "wrinkler": "sneer", "scrunch": "sneer", "snarl": "sneer",
    "fwd": "forward", "forwards": "forward", "protrude": "forward", "thrust": "forward",
    "widen": "wide", "wider": "wide", "widened": "wide", "stretched": "stretch", "stretcher": "stretch",
    "dimpler": "dimple", "tightener": "squint", "squinting": "squint", "bottom": "lower", "top": "upper",
    "suck": "roll", "stick": "out", "inside": "in", "outside": "outer",
}  # fmt: skip

# What each channel may be called, without its side. The first phrase is the name itself.
_PHRASES: Final[dict[str, tuple[str, ...]]] = {
    "eyeBlink": ("eye blink", "blink", "eye close", "lid close", "lid down"),
    "eyeLookDown": ("eye look down", "look down", "eye down", "gaze down"),
    "eyeLookIn": ("eye look in", "eye in", "gaze in"),
    "eyeLookOut": ("eye look out", "eye out", "gaze out"),
    "eyeLookUp": ("eye look up", "look up", "eye up", "gaze up"),
    "eyeSquint": ("eye squint", "squint", "eye narrow", "lid squint", "lower lid up"),
    "eyeWide": ("eye wide", "eye open", "lid up", "upper lid up", "wide eye"),
    "jawForward": ("jaw forward", "chin forward"),
    "jawLeft": ("jaw left", "jaw side left"),
    "jawRight": ("jaw right", "jaw side right"),
    "jawOpen": ("jaw open", "mouth open", "jaw down"),
    "mouthClose": ("mouth close", "lip close", "lip together", "lip seal"),
    "mouthFunnel": ("mouth funnel", "lip funnel", "funnel"),
    "mouthPucker": ("mouth pucker", "lip pucker", "pucker", "mouth narrow"),
    "mouthLeft": ("mouth left", "mouth side left"),
    "mouthRight": ("mouth right", "mouth side right"),
    "mouthSmile": ("mouth smile", "smile", "lip corner pull", "mouth corner pull", "mouth corner up", "lip corner up"),
    "mouthFrown": ("mouth frown", "frown", "mouth corner down", "lip corner down"),
    "mouthDimple": ("mouth dimple", "dimple"),
    "mouthStretch": ("mouth stretch", "lip stretch", "mouth wide"),
    "mouthRollLower": ("mouth roll lower", "lower lip roll", "lower lip in", "lip roll lower", "lower lip bite"),
    "mouthRollUpper": ("mouth roll upper", "upper lip roll", "upper lip in", "lip roll upper"),
    "mouthShrugLower": ("mouth shrug lower", "chin up", "lower lip shrug"),
    "mouthShrugUpper": ("mouth shrug upper", "upper lip shrug"),
    "mouthPress": ("mouth press", "lip press"),
    "mouthLowerDown": ("mouth lower down", "lower lip down"),
    "mouthUpperUp": ("mouth upper up", "upper lip up"),
    "browDown": ("brow down", "brow lower", "brow frown", "brow angry"),
    "browInnerUp": ("brow inner up", "brow up inner", "brow up in"),
    "browOuterUp": ("brow outer up", "brow up outer", "brow up out", "brow up"),
    "cheekPuff": ("cheek puff", "puff"),
    "cheekSquint": ("cheek squint", "cheek up"),
    "noseSneer": ("nose sneer", "sneer", "nostril up"),
    "tongueOut": ("tongue out", "tongue forward"),
}
_DIRECTIONS: Final = frozenset({"jawLeft", "jawRight", "mouthLeft", "mouthRight"})
# Words that say where or when but not what.
_EMPTY: Final = frozenset(
    {
        "face",
        "facial",
        "shape",
        "key",
        "blend",
        "morph",
        "body",
        "head",
        "mesh",
        "expression",
        "expressions",
        "ctrl",
        "geo",
    }
)


def guess(names: Sequence[str], entries: Sequence[MappingEntry], forbidden: frozenset[str]) -> tuple[MappingEntry, ...]:
    """Return entries for ``names`` whose words tell an ARKit channel that ``entries`` do not reach.

    A name with a side only ever serves its own side; a name without one serves both. The surest guesses come first,
    those with a side before those without; each name is used once, and two names share a channel only as its left and
    right half.

    Args:
        names: names that no profile knows.
        entries: what is mapped already.
        forbidden: channels that must not be guessed.
    """
    reached = {name for entry in entries if entry.kind in ("channel", "bone") for name in entry.main_sources}
    wanted = frozenset(name for name in ARKIT_NAMES if name not in reached | forbidden)
    offers = []
    for order, name in enumerate(names):
        side = side_of(words_of(name))
        stem, sureness = _likeliest(_meaning(name))
        channels = _channels(stem, side)
        if channels and sureness >= LEAST and wanted.issuperset(channels):
            offers.append((-sureness, not side, order, name, channels))
    guessed: list[MappingEntry] = []
    taken: dict[str, set[str]] = {}
    for negative, _, _, name, channels in sorted(offers):
        side = side_of(words_of(name))
        sides = {side} if side else {"left", "right"}
        if any(taken.get(channel, set()) & sides for channel in channels):
            continue
        for channel in channels:
            taken.setdefault(channel, set()).update(sides)
        share = 1.0 / len(channels)
        guessed.append(MappingEntry(name, tuple((c, share) for c in channels), round(-negative, 3)))
    return tuple(guessed)


def _channels(stem: str, side: str) -> tuple[str, ...]:
    """Return the channels that a name for ``stem`` with ``side`` ("" for none) drives; none where they disagree."""
    if not stem:
        return ()
    if stem in _DIRECTIONS:
        return (stem,) if side and stem.lower().endswith(side) else ()
    if stem in ARKIT_NAMES:
        return (stem,)
    return tuple(f"{stem}{word.title()}" for word in ((side,) if side else ("left", "right")))


def _meaning(name: str) -> tuple[str, ...]:
    """Return the words of ``name`` that tell what it does, as the phrases have them, sides left out."""
    words = [_SYNONYMS.get(word, word) for word in words_of(name)]
    kept = [word for word in words if word not in _EMPTY and word not in ("left", "right") and not word.isdigit()]
    return tuple(dict.fromkeys(kept))


@cache
def face_words() -> frozenset[str]:
    """Return the words by which shapes of faces are called."""
    return frozenset(_SYNONYMS) | {word for phrases in _PHRASES.values() for p in phrases for word in p.split()}


@cache
def _vocabulary() -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return pairs of channel stem and the words of one of its phrases."""
    pairs = []
    for stem, phrases in _PHRASES.items():
        for phrase in phrases:
            words = tuple(word for word in phrase.split() if word not in ("left", "right"))
            pairs.append((stem, words))
    return tuple(pairs)


@lru_cache(maxsize=5000)
def _likeliest(words: tuple[str, ...]) -> tuple[str, float]:
    """Return the channel stem that ``words`` fit best and how sure that is, 0..1."""
    if not words:
        return "", 0.0
    best, best_score = "", 0.0
    for stem, phrase in _vocabulary():
        if stem in _DIRECTIONS and len(words) > 1:
            continue
        score = _agreement(words, phrase)
        if score > best_score:
            best, best_score = stem, score
    return best, best_score * _MOST


def _agreement(words: tuple[str, ...], phrase: tuple[str, ...]) -> float:
    """Return the share of words that two phrases have in common, 0..1, where misspelt words count a little less."""
    common = sum(max(_likeness(word, other) for other in words) for word in phrase)
    missing = len(phrase) - common
    return max(0.0, common - missing) / max(len(words), len(phrase))


@lru_cache(maxsize=50_000)
def _likeness(first: str, second: str) -> float:
    """Return how alike a name's word is to a phrase's, 0 or from ``_ALIKE`` to 1, other words for it counted in."""
    if first == second:
        return 1.0
    spellings = [second, *(word for word, meaning in _SYNONYMS.items() if meaning == second)]
    long = [word for word in spellings if min(len(first), len(word)) >= _SHORTEST_WORD]
    ratio = max((SequenceMatcher(None, first, word).ratio() for word in long), default=0.0)
    return ratio if ratio >= _ALIKE else 0.0
