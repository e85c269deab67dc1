"""Emotions and actors as folders and labels name them."""

from __future__ import annotations

import re

from blendshape_rigs.arkit import EMOTIONS
from model_server.errors import ConfigError

from .recording import Emotion

UNGRADED_INTENSITY = 2 / 3
"""Intensity of an emotion whose strength nobody noted: MEAD's middle level."""

_OTHER_NAMES = {
    "anger": "angry", "disgust": "disgusted", "fearful": "fear", "afraid": "fear", "happiness": "happy", "joy": "happy",
    "sadness": "sad", "surprise": "surprised", "contemptuous": "contempt",
}  # fmt: skip
_LEVEL = re.compile(r"level[_ -]?([123])", re.IGNORECASE)


def emotion_name(text: str) -> str | None:
    """Return the emotion that ``text`` names in whatever form (``"anger"``, ``"Angry"``), or None."""
    plain = text.strip().lower()
    name = _OTHER_NAMES.get(plain, plain)
    return name if name in EMOTIONS else None


def emotion_level(text: str) -> float | None:
    """Return the intensity of a folder like ``level_2``: 1/3, 2/3 or 1; None for another name."""
    match = _LEVEL.fullmatch(text)
    return int(match[1]) / 3 if match else None


def emotion_of_folders(folders: list[str]) -> Emotion | None:
    """Return the emotion that the last of ``folders`` to name one names, graded by a ``level_1`` to ``level_3``."""
    names = [name for name in map(emotion_name, folders) if name]
    levels = [level for level in map(emotion_level, folders) if level]
    return (names[-1], levels[-1] if levels else UNGRADED_INTENSITY) if names else None


def actor_of_folders(folders: list[str], otherwise: str) -> str:
    """Return the first of ``folders`` that is neither an emotion nor a level, else ``otherwise``."""
    return next((name for name in folders if not emotion_name(name) and not emotion_level(name)), otherwise)


def parse_emotion(text: str) -> Emotion:
    """Return the emotion of ``"happy"`` (1) or ``"happy:0.6"``.

    Raises:
        ConfigError: for an unknown name or an intensity outside 0..1.
    """
    name, _, amount = text.partition(":")
    known = emotion_name(name)
    if known is None:
        raise ConfigError(f"unknown emotion '{name}'; choose from {', '.join(EMOTIONS)}")
    try:
        intensity = float(amount) if amount else 1.0
    except ValueError:
        intensity = -1.0
    if not 0 <= intensity <= 1:
        raise ConfigError(f"the intensity in '{text}' must lie in 0..1")
    return known, intensity
