"""The operators of the sidebar. Each says why it is greyed out, and undoes in one step."""

# Blender reads properties from annotations, which type checkers take for types.
# mypy: disable-error-code="misc,valid-type"
# Blender names its classes KIND_OT_name and the like.
# ruff: noqa: N801
from pathlib import Path
from typing import Any

import bpy

from ..blendshape_rigs.curves import CurvesError
from ..blendshape_rigs.formats import READERS, read_curves
from . import generate, server_process, server_status
from .client import ServerError
from .emotion_keys import keeping_emotion
from .preferences import preferences, start_server
from .sound import SoundError
from .take import TakeError, frame_range, key_take, parts_of, scene_fps
from .take_settings import TakeSettings
from .translations import said


class DREAMTALK_OT_generate(bpy.types.Operator):
    """Make a take from the recording and key it on the character; Blender stays free meanwhile"""

    bl_idname = "dream_talk.generate"
    bl_label = "Generate"
    bl_options = {"REGISTER"}

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Tell whether everything that a take needs is chosen."""
        reason = generate.disabled_reason(context)
        if reason:
            cls.poll_message_set(said(reason))
        return not reason

    def execute(self, context: Any) -> set[str]:
        """Begin the take, or make all of it when Blender has no window."""
        try:
            generation = generate.prepare(context)
            if bpy.app.background:
                generate.run_blocking(generation)
            else:
                generate.start(generation)
        except (TakeError, SoundError, ServerError) as error:
            server_status.refresh()
            self.report({"ERROR"}, said(server_status.explained(error)))
            return {"CANCELLED"}
        return {"FINISHED"}


class DREAMTALK_OT_key_finished_take(bpy.types.Operator):
    """Key the take that the server has finished"""

    bl_idname = "dream_talk.key_finished_take"
    bl_label = "DREAM-Talk Take"
    bl_options = {"REGISTER", "UNDO", "INTERNAL"}

    character: bpy.props.StringProperty(options={"SKIP_SAVE"})

    def execute(self, context: Any) -> set[str]:
        """Key the take of the object named ``character``."""
        generation = generate.active.get(self.character)
        if generation is None or generation.curves is None:
            return {"CANCELLED"}
        try:
            action = generate.key_generation(generation)
        except TakeError as error:
            # A character that is gone has no panel of its own to say it in.
            shown = bpy.data.objects.get(self.character) or generate.chosen_character(context)
            generate.last_message[shown.name if shown is not None else ""] = (str(error), True)
            self.report({"WARNING"}, said(str(error)))
            return {"CANCELLED"}
        character = bpy.data.objects[self.character]
        message = generate.keyed_message(character, action, generation.note)
        generate.last_message[self.character] = (message, False)
        return {"FINISHED"}


class DREAMTALK_OT_cancel(bpy.types.Operator):
    """Stop making this character's take"""

    bl_idname = "dream_talk.cancel"
    bl_label = "Cancel"

    def execute(self, context: Any) -> set[str]:
        """Ask the work to stop."""
        character = generate.chosen_character(context)
        if character is not None:
            generate.cancel(character.name)
        return {"FINISHED"}


class DREAMTALK_OT_import_curves(bpy.types.Operator):
    """Key a Live Link Face CSV, or DREAM-Talk curves, on the character as a new take"""

    bl_idname = "dream_talk.import_curves"
    bl_label = "Import Take"
    bl_options = {"REGISTER", "UNDO"}

    filepath: bpy.props.StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})
    filter_glob: bpy.props.StringProperty(
        default=";".join(f"*{suffix}" for suffix in READERS), options={"HIDDEN", "SKIP_SAVE"}
    )

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Tell whether a character is chosen that can be keyed."""
        reason = generate.character_problem(context)
        if reason:
            cls.poll_message_set(said(reason))
        return not reason

    def invoke(self, context: Any, _event: Any) -> set[str]:
        """Ask for the file."""
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: Any) -> set[str]:
        """Key the file."""
        scene, settings = context.scene, context.scene.dream_talk
        path = Path(bpy.path.abspath(self.filepath))
        character, fps, head = generate.adopt_character(context), scene_fps(scene), settings.head_motion
        assert character is not None  # poll saw to it
        try:
            curves = read_curves(path)
            origin = scene.frame_start - curves.start * fps
            with keeping_emotion(character):
                action = key_take(character, curves, path.stem, origin, fps, head=head)
        except (CurvesError, TakeError, OSError) as error:
            self.report({"ERROR"}, said(str(error)))
            return {"CANCELLED"}
        known = curves.provenance
        made = TakeSettings(
            imported=self.filepath,
            seed=known.seed,
            fps=curves.fps,
            model=known.model_hash,
            audio_hash=known.audio_hash,
            character=character.name,
            origin_frame=origin,
            head=head,
        )
        for part in parts_of(action):
            made.store(part)
        if settings.set_range:
            scene.frame_start, scene.frame_end = frame_range(character)
        self.report({"INFO"}, said(generate.keyed_message(character, action)))
        return {"FINISHED"}


class DREAMTALK_OT_start_server(bpy.types.Operator):
    """Start the model server from the environment that the preferences name"""

    bl_idname = "dream_talk.start_server"
    bl_label = "Start Server"

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Tell whether the server can be started from here."""
        if not preferences(context).environment:
            cls.poll_message_set("Name the server's environment in the add-on's preferences first")
        elif server_process.is_ours():
            cls.poll_message_set("The server that this Blender started is running")
        else:
            return True
        return False

    def execute(self, context: Any) -> set[str]:
        """Start it."""
        try:
            start_server(context)
        except server_process.StartError as error:
            self.report({"ERROR"}, said(str(error)))
            return {"CANCELLED"}
        server_status.refresh()
        return {"FINISHED"}


class DREAMTALK_OT_stop_server(bpy.types.Operator):
    """Stop the model server that this Blender started"""

    bl_idname = "dream_talk.stop_server"
    bl_label = "Stop Server"

    @classmethod
    def poll(cls, _context: Any) -> bool:
        """Tell whether this Blender started the server."""
        if not server_process.is_ours():
            cls.poll_message_set("This Blender has started no server; one started elsewhere is stopped there")
            return False
        return True

    def execute(self, _context: Any) -> set[str]:
        """Stop it."""
        server_process.stop()
        server_status.refresh()
        return {"FINISHED"}


class DREAMTALK_OT_copy_command(bpy.types.Operator):
    """Copy the command that starts the server, to paste it into a terminal"""

    bl_idname = "dream_talk.copy_command"
    bl_label = "Copy Command"

    def execute(self, context: Any) -> set[str]:
        """Copy it."""
        context.window_manager.clipboard = "dreamtalk serve"
        self.report({"INFO"}, "Copied: dreamtalk serve")
        return {"FINISHED"}
