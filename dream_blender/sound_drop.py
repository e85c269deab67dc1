"""Recordings that are dropped into Blender, and the scene's frame range made to fit a recording."""

# Blender reads properties from annotations, which type checkers take for types.
# mypy: disable-error-code="misc,valid-type"
# Blender names its classes KIND_OT_name and the like.
# ruff: noqa: N801
from pathlib import Path
from typing import Any

import bpy

from . import compat
from .batch import fill_rows
from .generate import recording_of
from .sound import (
    SOUND_SUFFIXES,
    VIDEO_SUFFIXES,
    Recording,
    SoundError,
    duration_of,
    follow_sound,
    heard_range,
    place_sound,
)
from .take import scene_fps
from .translations import said


class DREAMTALK_OT_range_to_audio(bpy.types.Operator):
    """Make the scene as long as the recording, and let playback keep in sync with the sound"""

    bl_idname = "dream_talk.range_to_audio"
    bl_label = "Set Scene Range to Audio"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Tell whether a recording is chosen."""
        settings = context.scene.dream_talk
        if settings.audio_source == "STRIP" and not settings.strip_name:
            cls.poll_message_set("Choose a sound strip")
        elif settings.audio_source == "FILE" and not settings.audio_path:
            cls.poll_message_set("Choose an audio file")
        else:
            return True
        return False

    def execute(self, context: Any) -> set[str]:
        """Set the range and the sync mode."""
        scene = context.scene
        try:
            first, last = heard_range(recording_of(scene), scene_fps(scene))
        except SoundError as error:
            self.report({"ERROR"}, said(str(error)))
            return {"CANCELLED"}
        scene.frame_start, scene.frame_end = first, last
        follow_sound(scene)
        return {"FINISHED"}


class DREAMTALK_OT_drop_recordings(bpy.types.Operator):
    """Take the dropped file as the recording that is spoken; several go to the sequencer, one after the other"""

    bl_idname = "dream_talk.drop_recordings"
    bl_label = "Speak This Recording"
    bl_options = {"REGISTER", "UNDO"}

    directory: bpy.props.StringProperty(subtype="DIR_PATH", options={"SKIP_SAVE", "HIDDEN"})
    files: bpy.props.CollectionProperty(type=bpy.types.OperatorFileListElement, options={"SKIP_SAVE", "HIDDEN"})

    def invoke(self, context: Any, _event: Any) -> set[str]:
        """Take the files, then offer what to do with them."""
        done = self.execute(context)
        if "FINISHED" in done:
            several = len(self.files) > 1
            title = f"{len(self.files)} recordings" if several else self.files[0].name
            context.window_manager.popup_menu(_draw_batch if several else _draw_generate, title=title, icon="SOUND")
        return done

    def execute(self, context: Any) -> set[str]:
        """Take the files."""
        paths = [Path(self.directory) / item.name for item in self.files]
        in_sequencer = context.area is not None and context.area.type == "SEQUENCE_EDITOR"
        settings = context.scene.dream_talk
        try:
            if len(paths) == 1 and not in_sequencer:
                _check(paths)
                settings.audio_source, settings.audio_path = "FILE", str(paths[0])
                return {"FINISHED"}
            strips = _lay(context.scene, paths, context.scene.frame_current if in_sequencer else None)
        except SoundError as error:
            self.report({"ERROR"}, said(str(error)))
            return {"CANCELLED"}
        settings.audio_source, settings.strip_name = "STRIP", strips[0].name
        if len(strips) > 1:
            fill_rows(context, strips)
        return {"FINISHED"}


def _check(paths: list[Path]) -> None:
    if not paths:
        raise SoundError("No file was dropped")
    for path in paths:
        if not path.is_file():
            raise SoundError(f"There is no file {path}")


def _lay(scene: Any, paths: list[Path], first: int | None) -> list[Any]:
    """Lay the files in the sequencer, one after the other, and return their strips.

    Args:
        scene: the scene.
        paths: the files.
        first: frame of the first; None begins with the scene.
    """
    _check(paths)
    if not compat.has_audio():
        raise SoundError("This Blender has no sound system: drop one file at a time, into the 3D view")
    frame, fps = scene.frame_start if first is None else first, scene_fps(scene)
    lasts = [duration_of(path) for path in paths]  # told before anything is laid
    strips = []
    for path, seconds in zip(paths, lasts, strict=True):
        strips.append(place_sound(scene, Recording(path, frame, frame)))
        frame += max(1, round(seconds * fps))
    return strips


def _draw_generate(menu: Any, _context: Any) -> None:
    menu.layout.operator("dream_talk.generate", icon="PLAY_SOUND")
    menu.layout.operator("dream_talk.range_to_audio", icon="PREVIEW_RANGE")


def _draw_batch(menu: Any, _context: Any) -> None:
    menu.layout.operator("dream_talk.batch_start", icon="PLAY_SOUND")


class DREAMTALK_FH_recordings(bpy.types.FileHandler):
    """Recordings dropped into the 3D view or the sequencer."""

    bl_idname = "DREAMTALK_FH_recordings"
    bl_label = "DREAM-Talk Recording"
    bl_import_operator = "dream_talk.drop_recordings"
    bl_file_extensions = ";".join(SOUND_SUFFIXES + VIDEO_SUFFIXES)

    @classmethod
    def poll_drop(cls, context: Any) -> bool:
        """Tell whether files can be dropped where the mouse is."""
        return context.area is not None and context.area.type in ("VIEW_3D", "SEQUENCE_EDITOR")


CLASSES = (DREAMTALK_OT_range_to_audio, DREAMTALK_OT_drop_recordings, DREAMTALK_FH_recordings)
