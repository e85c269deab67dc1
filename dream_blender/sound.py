"""Sound strips: laying a recording under a take, and finding the recording that a strip plays."""

from __future__ import annotations

import wave
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from ..blendshape_rigs.curves import FaceCurves
from . import compat
from .paths import absolute

SOUND_SUFFIXES = (".wav", ".mp3", ".flac", ".ogg", ".oga", ".opus", ".m4a", ".aac", ".aif", ".aiff", ".wma")
VIDEO_SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi")
_WHOLE = 1e-3  # frames within which a frame counts as a whole one


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
    path = absolute(path_text)
    if not path.is_file():
        raise SoundError(f"There is no file {path}")
    return Recording(path, origin_frame, origin_frame)


def recording_of_strip(scene: Any, name: str) -> Recording:
    """Return the recording that the sound strip ``name`` of ``scene`` plays, with its trims and offsets.

    Raises:
        SoundError: for an unknown strip, one at another speed, or one whose file is missing or packed.
    """
    strip = next((s for s in sound_strips(scene) if s.name == name), None)
    if strip is None:
        raise SoundError(
            f"There is no sound strip '{name}' any more: choose another" if name else "Choose a sound strip"
        )
    if compat.is_retimed(strip):
        raise SoundError(f"The speed of strip '{name}' is changed: reset its retiming first")
    path = absolute(strip.sound.filepath)
    if not path.is_file():
        raise SoundError(f"The sound of strip '{name}' is not on the disk ({path}): unpack or relink it")
    fps = scene.render.fps / scene.render.fps_base
    skipped = strip.animation_offset_start - compat.sound_offset(strip) * fps
    return Recording(
        path,
        float(strip.frame_start - skipped),
        float(strip.frame_start + strip.frame_offset_start),
        float(strip.frame_final_end - 1),
    )


def no_strips_reason(scene: Any) -> str:
    """Return why the sequencer of ``scene`` has nothing to speak, as one sentence; empty when it has sound strips."""
    if sound_strips(scene):
        return ""
    # From Blender 5.0 on the sequencer may show another scene than the 3D view.
    other = next((other.name for other in bpy.data.scenes if sound_strips(other)), "")
    if other:
        return f"The sound strips are in the sequencer of scene '{other}': go to that scene, or lay them in this one"
    return "The sequencer has no sound strips: drop recordings into it first"


def strips_where(scene: Any, which: str, channel: int = 1) -> list[Any]:
    """Return sound strips of ``scene`` in the order in which they are heard.

    Args:
        scene: the scene.
        which: ``"ALL"``, ``"SELECTED"`` or ``"CHANNEL"``; muted ones are left out.
        channel: the channel's number, for ``"CHANNEL"``.
    """
    wanted = [
        strip
        for strip in sound_strips(scene)
        if not strip.mute and (which == "ALL" or (strip.select if which == "SELECTED" else strip.channel == channel))
    ]
    return sorted(wanted, key=lambda strip: (strip.frame_final_start, strip.channel))


def heard(curves: FaceCurves, recording: Recording, fps: float) -> FaceCurves:
    """Return the part of ``curves`` whose frames the ``recording`` is heard in, on whole frames.

    Where the recording's second 0 lies between frames, what lies on them is interpolated: it looks the same there.

    Args:
        curves: the performance of the whole recording.
        recording: where it lies.
        fps: true frame rate of the scene, Hz.

    Raises:
        SoundError: when nothing of it is heard.
    """
    frames = recording.origin_frame + curves.times * fps
    last = np.inf if recording.last_frame is None else recording.last_frame
    if abs(recording.origin_frame - round(recording.origin_frame)) < _WHOLE:
        kept = np.flatnonzero((frames >= recording.first_frame - _WHOLE) & (frames <= last + _WHOLE))
        values, times = curves.stacked()[kept], curves.times[kept]
    else:
        first, last = max(frames[0], recording.first_frame), min(frames[-1], last)
        whole = np.arange(np.ceil(first - _WHOLE), np.floor(last + _WHOLE) + 1)
        values = np.stack([np.interp(whole, frames, column) for column in curves.stacked().T], axis=1)
        times = (whole - recording.origin_frame) / fps
    if not len(values):
        raise SoundError("The sound strip is trimmed to nothing")
    return curves.with_stacked(values.astype(np.float32), start=float(times[0]))


def duration_of(path: Path) -> float:
    """Return the seconds that the recording at ``path`` lasts.

    Raises:
        SoundError: for a file that Blender, or without its sound system the WAV reader, cannot read.
    """
    try:
        if compat.has_audio():
            import aud  # type: ignore[import-not-found]

            sound = aud.Sound(str(path))
            return float(sound.length / sound.specs[0])
        with wave.open(str(path)) as file:
            return float(file.getnframes() / file.getframerate())
    except (OSError, EOFError, wave.Error, RuntimeError) as error:
        raise SoundError(f"How long {path.name} lasts cannot be read ({error}): lay it in the sequencer") from error


def heard_range(recording: Recording, fps: float) -> tuple[int, int]:
    """Return the first and last whole frame in which ``recording`` is heard.

    Args:
        recording: where it lies.
        fps: true frame rate of the scene, Hz.

    Raises:
        SoundError: when the length of its file cannot be read.
    """
    last = recording.last_frame
    if last is None:
        last = recording.origin_frame + duration_of(recording.path) * fps - 1
    first = int(np.floor(recording.first_frame + _WHOLE))
    return first, max(first, int(np.ceil(last - _WHOLE)))


def place_sound(scene: Any, recording: Recording) -> Any | None:
    """Lay the recording's file in the sequencer of ``scene`` at its origin frame and return the strip.

    A strip of that file at that frame is used again. Returns None in a build without sound.
    """
    start = round(recording.origin_frame)
    for strip in sound_strips(scene):
        if absolute(strip.sound.filepath) == recording.path and round(strip.frame_start) == start:
            return strip
    if not compat.has_audio():
        return None
    used = {strip.channel for strip in compat.strips(scene)}
    channel = next(number for number in range(1, 129) if number not in used or number == 128)
    strip = compat.strip_collection(scene).new_sound(recording.path.stem, str(recording.path), channel, start)
    follow_sound(scene)
    return strip


def follow_sound(scene: Any) -> None:
    """Let playback of ``scene`` drop frames rather than drift from the sound."""
    scene.sync_mode = "AUDIO_SYNC"
