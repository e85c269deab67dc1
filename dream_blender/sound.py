"""Sound strips: laying a recording under a take, and finding the recording that a strip plays."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy

from . import compat


@dataclass(frozen=True)
class Recording:
    """A recording as a take sees it.

    Attributes:
        path: the audio file.
        origin_frame: frame of the file's second 0.
        first_frame: first frame that is heard; before it a strip is trimmed.
        last_frame: last frame that is heard, or None for the whole file.
    """

    path: Path
    origin_frame: float
    first_frame: float
    last_frame: float | None = None


class SoundError(Exception):
    """A recording that cannot be used; the message says what to do."""


def sound_strips(scene: Any) -> list[Any]:
    """Return the sound strips in the sequencer of ``scene``."""
    return [strip for strip in compat.strips(scene) if strip.type == "SOUND"]


def recording_of_file(path_text: str, origin_frame: int) -> Recording:
    """Return the recording at ``path_text``, which may begin with Blender's ``//``.

    Raises:
        SoundError: for no path, or no such file.
    """
    if not path_text:
        raise SoundError("Choose an audio file")
    path = Path(bpy.path.abspath(path_text))
    if not path.is_file():
        raise SoundError(f"There is no file {path}")
    return Recording(path, origin_frame, origin_frame)


def recording_of_strip(scene: Any, name: str) -> Recording:
    """Return the recording that the sound strip ``name`` of ``scene`` plays, with its trims.

    Raises:
        SoundError: for an unknown strip, or one whose file is missing or packed.
    """
    strip = next((s for s in sound_strips(scene) if s.name == name), None)
    if strip is None:
        raise SoundError("Choose a sound strip")
    path = Path(bpy.path.abspath(strip.sound.filepath))
    if not path.is_file():
        raise SoundError(f"The sound of strip '{name}' is not on the disk ({path}): unpack or relink it")
    return Recording(path, float(strip.frame_start), float(strip.frame_final_start), float(strip.frame_final_end - 1))


def place_sound(scene: Any, recording: Recording) -> Any | None:
    """Lay the recording's file in the sequencer of ``scene`` at its origin frame and return the strip.

    A strip of that file at that frame is used again. Returns None in a build without sound.
    """
    start = round(recording.origin_frame)
    for strip in sound_strips(scene):
        if Path(bpy.path.abspath(strip.sound.filepath)) == recording.path and round(strip.frame_start) == start:
            return strip
    if not compat.has_audio():
        return None
    used = {strip.channel for strip in compat.strips(scene)}
    channel = next(number for number in range(1, 129) if number not in used or number == 128)
    strip = compat.strip_collection(scene).new_sound(recording.path.stem, str(recording.path), channel, start)
    scene.sync_mode = "AUDIO_SYNC"  # playback drops frames rather than drift from the sound
    return strip
