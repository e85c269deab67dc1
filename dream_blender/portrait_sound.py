"""The sound of a portrait's video: the sequencer's where it has sound, else the recording of the take."""

from __future__ import annotations

import contextlib
import json
import wave
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy

from . import compat
from .character import TAKE_MARK
from .sound import SoundError, recording_of_file, recording_of_strip, sound_strips
from .take import scene_fps, take_of


@dataclass(frozen=True)
class PortraitSound:
    """What is heard.

    Attributes:
        path: a recording, or None for silence.
        start: seconds of the recording at the first frame.
        note: what a user should know; may be empty.
    """

    path: Path | None
    start: float = 0.0
    note: str = ""


def portrait_sound(scene: Any, character: Any, first: int, last: int, folder: Path) -> PortraitSound:
    """Return what is heard from frame ``first`` to frame ``last`` of ``scene``.

    Args:
        scene: the scene.
        character: the mesh whose take's recording is taken where the sequencer has no sound.
        first: first frame.
        last: last frame.
        folder: where a mix of the sequencer is written.
    """
    heard = [strip for strip in sound_strips(scene) if _is_heard(strip, first, last)]
    if not heard:
        return _recording(scene, character, first)
    if not compat.has_audio():
        return PortraitSound(None, note="This Blender has no sound system: the video is silent")
    path = folder / "sound.wav"
    _mix(scene, first, last, path)
    if _lasts(path) > 0.9 * (last - first) / scene_fps(scene):
        return PortraitSound(path)
    # Some builds, such as Debian's, write no sound files.
    if len(heard) > 1:
        return PortraitSound(None, note="This Blender cannot mix the sequencer's sound: the video is silent")
    return _of_strip(scene, heard[0], first)


def _is_heard(strip: Any, first: int, last: int) -> bool:
    return not strip.mute and strip.frame_final_start <= last and strip.frame_final_end > first


def _mix(scene: Any, first: int, last: int, path: Path) -> None:
    """Mix the sequencer down to ``path``; Blender does so for the scene's frame range, and may fail to."""
    before = scene.frame_start, scene.frame_end
    window = bpy.context.window_manager.windows[0]
    context = {"window": window, "scene": scene, **compat.sequencer_context(scene)}
    try:
        scene.frame_start, scene.frame_end = first, last
        with bpy.context.temp_override(**context), contextlib.suppress(RuntimeError):  # the file tells
            bpy.ops.sound.mixdown(filepath=str(path), check_existing=False, container="WAV", codec="PCM", format="S16")
    finally:
        scene.frame_start, scene.frame_end = before


def _lasts(path: Path) -> float:
    """Return the seconds of a WAV file; 0 where there is none that can be read."""
    try:
        with wave.open(str(path)) as file:
            return float(file.getnframes() / file.getframerate())
    except (OSError, EOFError, wave.Error):
        return 0.0


def _of_strip(scene: Any, strip: Any, first: int) -> PortraitSound:
    """Return the recording of the only strip that is heard, where it lies."""
    try:
        recording = recording_of_strip(scene, strip.name)
    except SoundError as error:
        return PortraitSound(None, note=f"{error}: the video is silent")
    return PortraitSound(recording.path, float((first - recording.origin_frame) / scene_fps(scene)))


def _recording(scene: Any, character: Any, first: int) -> PortraitSound:
    """Return the recording that the take was made from, where the sidebar still names it."""
    settings, action = scene.dream_talk, take_of(character)
    made = json.loads(action[TAKE_MARK]) if action is not None and TAKE_MARK in action else {}
    if action is None or made.get("source") != "speech" or settings.audio_source != "FILE" or not settings.audio_path:
        return PortraitSound(None, note="There is no sound in the sequencer: the video is silent")
    try:
        recording = recording_of_file(settings.audio_path, 0)
    except SoundError as error:
        return PortraitSound(None, note=f"{error}: the video is silent")
    fps = scene_fps(scene)
    origin = action.frame_range[0] - float(made.get("start", 0.0)) * fps
    return PortraitSound(recording.path, float((first - origin) / fps))
