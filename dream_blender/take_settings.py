"""What a take was made with, kept on its Action as JSON, so that it can be shown and made again."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from ..blendshape_rigs.arkit import EMOTIONS

SETTINGS_MARK = "dream_talk_settings"
"""Custom property of an Action: its :class:`TakeSettings` as JSON."""
Emotion = dict[str, Any]


@dataclass(frozen=True)
class TakeSettings:
    """What a take was made with; empty where it is not known, as of a file that was imported.

    Attributes:
        audio: path of the recording as it was given, perhaps with Blender's ``//``.
        imported: path of the file that was imported instead.
        strip: name of the sound strip, empty where a file was chosen.
        emotion: weights 0..1 by name, or over time ``{"times": (K,) seconds, "weights": (K, 8)}``.
        style: path of the style clip's file, or name of the take or saved style that it is.
        style_source: ``"FILE"``, ``"TAKE"`` or ``"LIBRARY"``; empty without a style clip.
        style_strength: 0 to 1.
        lips: ``"encoder"``, ``"recogniser"`` or ``"text"``.
        text: what is said.
        language: of the text.
        seed: of the performance.
        fps: frames per second that the performance was made at; 0 where it is not known.
        model: hash of the model, hex.
        audio_hash: hash of the recording, hex.
        character: name of the character's object.
        origin_frame: frame of second 0 of the recording.
        heard: first and last frame that is heard; a last one of None is the end of the recording.
        head: whether head pose was keyed.
        merged: which frames of another take were merged in, in words.
    """

    audio: str = ""
    imported: str = ""
    strip: str = ""
    emotion: Emotion = field(default_factory=dict)
    style: str = ""
    style_source: str = ""
    style_strength: float = 1.0
    lips: str = ""
    text: str = ""
    language: str = ""
    seed: int = 0
    fps: float = 0.0
    model: str = ""
    audio_hash: str = ""
    character: str = ""
    origin_frame: float = 0.0
    heard: tuple[float, float | None] | None = None
    head: bool = True
    merged: str = ""

    @property
    def emotion_text(self) -> str:
        """The emotion in short, such as ``"happy 0.80"``, ``"neutral"`` or ``"over time"``."""
        if "times" in self.emotion:
            peak = [max(column) for column in zip(*self.emotion["weights"], strict=True)]
            felt = [name for name, most in zip(EMOTIONS, peak, strict=True) if most > 0 and name != "neutral"]
            return f"{', '.join(felt)} over time" if felt else "neutral"
        felt = [f"{name} {weight:.2f}" for name, weight in self.emotion.items() if weight > 0]
        return ", ".join(felt) or "neutral"

    def store(self, action: Any) -> None:
        """Keep the settings on ``action``."""
        action[SETTINGS_MARK] = json.dumps(asdict(self))


def settings_of(action: Any) -> TakeSettings | None:
    """Return what the take ``action`` was made with; None for an Action that does not say so."""
    text = action.get(SETTINGS_MARK)
    if not text:
        return None
    stored = json.loads(text)
    known = {name: stored[name] for name in TakeSettings.__dataclass_fields__ if name in stored}
    if known.get("heard") is not None:
        known["heard"] = tuple(known["heard"])
    return TakeSettings(**known)
