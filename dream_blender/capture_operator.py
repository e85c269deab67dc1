"""Capture Face from Video: the face that is filmed becomes a take of the character."""

# Blender reads properties from annotations, which type checkers take for types.
# mypy: disable-error-code="misc,valid-type"
# Blender names its classes KIND_OT_name and the like.
# ruff: noqa: N801
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import bpy

from . import generate, server_status
from .client import PROTOCOL_VERSION, ServerClient, ServerError, health_of
from .job import Job, Progress
from .multipart import FormBody
from .preferences import server_address
from .sound import Recording
from .take import TakeError, scene_fps
from .translations import said

_SUFFIXES = (".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v")


class CaptureJob(Job):
    """A video of a face on its way through the server; ``audio`` is the video."""

    sending = "Sending the video"
    doing = "Reading the face"

    def _submit(self) -> str:
        stated = json.dumps({"protocol": PROTOCOL_VERSION, **self.options})
        form = FormBody({"options": stated}, {"video": self.audio})
        return str(self.client.post_form("/v1/captures", form)["id"])


def disabled_reason(context: Any) -> str:
    """Return why no face can be captured now, as one sentence; empty when one can."""
    character = generate.chosen_character(context)
    reason = generate.character_problem(context)
    if not reason and character is not None and character.name in generate.active:
        reason = "A take for this character is being made"
    return reason


def prepare(context: Any, video: Path) -> generate.Generation:
    """Return the take of the face in ``video``, not yet begun; it starts where the scene does.

    Raises:
        TakeError: for a character that cannot be keyed, or a video that is not there.
        ServerError: when no server can be used.
    """
    reason = disabled_reason(context)
    if reason:
        raise TakeError(reason)
    if not video.is_file():
        raise TakeError(f"There is no file {video}")
    scene, character = context.scene, generate.adopt_character(context)
    assert character is not None  # disabled_reason saw to it
    address = server_address(context)
    health_of(address)
    settings, fps = scene.dream_talk, scene_fps(scene)
    return generate.Generation(
        job=CaptureJob(ServerClient(address), video, {}),
        scene=scene.name,
        character=character.name,
        recording=Recording(video, scene.frame_start, scene.frame_start),
        take_name=f"{video.stem} captured",
        fps=fps,
        head=settings.head_motion,
        add_sound=False,
        set_range=settings.set_range,
        file=bpy.data.filepath,
        progress=Progress(0.0, "Starting"),
    )


class DREAMTALK_OT_capture_face(bpy.types.Operator):
    """Key the face of a filmed person on the character as a new take; Blender stays free meanwhile"""

    bl_idname = "dream_talk.capture_face"
    bl_label = "Capture Face from Video"
    bl_options = {"REGISTER"}

    filepath: bpy.props.StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})
    filter_glob: bpy.props.StringProperty(
        default=";".join(f"*{suffix}" for suffix in _SUFFIXES), options={"HIDDEN", "SKIP_SAVE"}
    )

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Tell whether a character is chosen that can be keyed."""
        reason = disabled_reason(context)
        if reason:
            cls.poll_message_set(said(reason))
        return not reason

    def invoke(self, context: Any, _event: Any) -> set[str]:
        """Ask for the video."""
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: Any) -> set[str]:
        """Begin the capture, or do all of it when Blender has no window."""
        try:
            generation = prepare(context, Path(bpy.path.abspath(self.filepath)))
            if bpy.app.background:
                action = generate.run_blocking(generation)
                character = bpy.data.objects[generation.character]
                self.report({"INFO"}, said(generate.keyed_message(character, action, generation.note)))
            else:
                generate.start(generation)
        except (TakeError, ServerError) as error:
            server_status.refresh()
            self.report({"ERROR"}, said(server_status.explained(error)))
            return {"CANCELLED"}
        return {"FINISHED"}


CLASSES = (DREAMTALK_OT_capture_face,)
