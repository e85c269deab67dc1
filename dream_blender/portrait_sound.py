"""The sound of a portrait's video: the sequencer's where it has sound, else the recording of the take."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy

from . import compat
from .character import TAKE_MARK
from .sound import SoundError, recording_of_file, sound_strips
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
    if any(_is_heard(strip, first, last) for strip in sound_strips(scene)):
        if not compat.has_audio():
            return PortraitSound(None, note="This Blender has no sound system: the video is silent")
        return _mixed(scene, first, last, folder / "sound.wav")
    return _recording(scene, character, first)


def _is_heard(strip: Any, first: int, last: int) -> bool:
    return not strip.mute and strip.frame_final_start <= last and strip.frame_final_end > first


def _mixed(scene: Any, first: int, last: int, path: Path) -> PortraitSound:
    """Mix the sequencer down; Blender does so for the scene's frame range."""
    before = scene.frame_start, scene.frame_end
    window = bpy.context.window_manager.windows[0]
    context = {"window": window, "scene": scene, **compat.sequencer_context(scene)}
    try:
        scene.frame_start, scene.frame_end = first, last
        with bpy.context.temp_override(**context):
            bpy.ops.sound.mixdown(filepath=str(path), check_existing=False, container="WAV", codec="PCM", format="S16")
    except RuntimeError as error:
        return PortraitSound(None, note=f"The sequencer's sound could not be mixed: {str(error).strip()}")
    finally:
        scene.frame_start, scene.frame_end = before
    return PortraitSound(path)


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
