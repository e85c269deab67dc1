"""Poses in the sidebar: visemes and emotions on any character, and all of them as an asset library."""

# Blender reads properties from annotations, which type checkers take for types.
# mypy: disable-error-code="misc,valid-type"
# Blender names its classes KIND_OT_name and the like.
# ruff: noqa: N801
from pathlib import Path
from typing import Any

import bpy

from ..blendshape_rigs.poses import face_poses
from . import generate, pose_icons
from .character import problem_with
from .panel import Sidebar
from .pose_apply import apply_pose
from .pose_library import FILE_NAME, LibraryError, register_library, write_library
from .preferences import EXTENSION
from .take import take_of
from .translations import said

_AMOUNT = "0 leaves the face as it is, 1 is the pose; between, half and half"
_shown: list[tuple[str, str, str, int, int]] = []  # Blender does not keep the texts of lists made while it draws


def _identifier(name: str) -> str:
    return name.upper().replace(" ", "_")


_POSES = {_identifier(pose.name): pose for pose in face_poses().values()}
_ITEMS = tuple((identifier, pose.title, pose.about) for identifier, pose in _POSES.items())


def _pictured(_settings: Any, _context: Any) -> list[tuple[str, str, str, int, int]]:
    _shown[:] = [
        (identifier, pose.title, pose.about, pose_icons.icon_of(pose), number)
        for number, (identifier, pose) in enumerate(_POSES.items())
    ]
    return _shown


class DREAMTALK_PG_poses(bpy.types.PropertyGroup):
    """Which pose the sidebar applies, one set a scene."""

    pose: bpy.props.EnumProperty(name="Pose", description="A viseme or an emotion", items=_pictured)
    amount: bpy.props.FloatProperty(name="Amount", description=_AMOUNT, default=1.0, min=0.0, max=1.0, subtype="FACTOR")
    keys: bpy.props.BoolProperty(name="Insert Keys", description="Key the pose at the current frame")


class DREAMTALK_OT_apply_pose(bpy.types.Operator):
    """Put a viseme or an emotion on the character; what the pose is not about stays as it is"""

    bl_idname = "dream_talk.apply_pose"
    bl_label = "Apply Pose"
    bl_options = {"REGISTER", "UNDO"}

    pose: bpy.props.EnumProperty(name="Pose", items=_ITEMS)
    amount: bpy.props.FloatProperty(name="Amount", description=_AMOUNT, default=1.0, min=0.0, max=1.0, subtype="FACTOR")
    keys: bpy.props.BoolProperty(name="Insert Keys", description="Key the pose at the current frame")

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Tell whether the character can be posed."""
        reason = problem_with(generate.chosen_character(context))
        if reason:
            cls.poll_message_set(said(reason))
        return not reason

    def execute(self, context: Any) -> set[str]:
        """Apply it."""
        character, frame = generate.chosen_character(context), context.scene.frame_current_final
        assert character is not None  # poll saw to it
        count = apply_pose(character, _POSES[self.pose], self.amount, self.keys, frame)
        if not count:
            self.report({"WARNING"}, said(f"'{character.name}' has nothing that this pose moves"))
        elif take_of(character) is not None and not self.keys:
            self.report({"INFO"}, "The take returns when the frame changes: Insert Keys keeps the pose")
        return {"FINISHED"}


class DREAMTALK_OT_make_asset_library(bpy.types.Operator):
    """Write the avatar, its visemes and its emotions into a folder, and show that in the Asset Browser"""

    bl_idname = "dream_talk.make_asset_library"
    bl_label = "Make Asset Library…"

    directory: bpy.props.StringProperty(subtype="DIR_PATH", options={"SKIP_SAVE"})
    filter_folder: bpy.props.BoolProperty(default=True, options={"HIDDEN"})

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Tell whether Blender is in object mode."""
        if context.mode != "OBJECT":
            cls.poll_message_set("Go to Object Mode first")
            return False
        return True

    def invoke(self, context: Any, _event: Any) -> set[str]:
        """Ask for the folder."""
        self.directory = str(_usual_folder())
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: Any) -> set[str]:
        """Make it."""
        folder = Path(bpy.path.abspath(self.directory)).resolve() if self.directory else _usual_folder()
        try:
            write_library(context, folder)
        except LibraryError as error:
            self.report({"ERROR"}, said(str(error)))
            return {"CANCELLED"}
        register_library(context, folder)
        self.report({"INFO"}, said(f"Wrote {FILE_NAME}: the Asset Browser shows it as the library DREAM-Talk"))
        return {"FINISHED"}


def _usual_folder() -> Path:
    return Path(bpy.utils.extension_path_user(EXTENSION, path="assets", create=True))


class DREAMTALK_PT_poses(Sidebar, bpy.types.Panel):
    """Visemes and emotions by hand."""

    bl_idname = "DREAMTALK_PT_poses"
    bl_label = "Poses"
    bl_options = {"DEFAULT_CLOSED"}
    bl_order = 7

    def draw(self, context: Any) -> None:
        """Draw the panel."""
        wanted, layout = context.scene.dream_talk_poses, self.layout
        layout.template_icon_view(wanted, "pose", show_labels=True, scale=5.0)
        layout.prop(wanted, "pose", text="")
        column = layout.column(align=True)
        column.prop(wanted, "amount")
        column.prop(wanted, "keys")
        applied = layout.operator("dream_talk.apply_pose", icon="POSE_HLT")
        applied.pose, applied.amount, applied.keys = wanted.pose or next(iter(_POSES)), wanted.amount, wanted.keys
        layout.operator("dream_talk.make_asset_library", icon="ASSET_MANAGER")


CLASSES: tuple[Any, ...] = (
    DREAMTALK_PG_poses,
    DREAMTALK_OT_apply_pose,
    DREAMTALK_OT_make_asset_library,
    DREAMTALK_PT_poses,
)


def register_properties() -> None:
    """Give scenes what the sidebar asks of poses; call it after the classes are registered."""
    bpy.types.Scene.dream_talk_poses = bpy.props.PointerProperty(type=DREAMTALK_PG_poses)


def unregister_properties() -> None:
    """Undo :func:`register_properties`."""
    pose_icons.forget()
    del bpy.types.Scene.dream_talk_poses
