"""Making a part of a take again, in the sidebar."""

# Blender reads properties from annotations, which type checkers take for types.
# mypy: disable-error-code="misc,valid-type"
# Blender names its classes KIND_OT_name and the like.
# ruff: noqa: N801
from typing import Any

import bpy

from . import generate, remake, server_status
from .adjust_operators import active_problem
from .client import ServerError
from .panel import Sidebar, wrapped
from .remake import Span
from .sound import SoundError
from .take import TakeError
from .take_keys import ActiveTake
from .translations import said

NO_PREVIEW = "Set a preview range in the timeline first: press P and drag"
NO_KEYS = "Select keys of the take on two frames or more first"


class DREAMTALK_PG_remake(bpy.types.PropertyGroup):
    """What the sidebar asks for when a part of a take is made again, one set a scene."""

    source: bpy.props.EnumProperty(
        name="Range",
        description="Where the range that is made again comes from",
        items=(
            ("PREVIEW", "Preview", "The preview range of the timeline"),
            ("KEYS", "Keys", "From the first to the last selected key of the take"),
            ("FRAMES", "Frames", "The two frames below"),
        ),
    )
    first: bpy.props.IntProperty(name="First", description="First frame that is made again", default=1)
    last: bpy.props.IntProperty(name="Last", description="Last frame that is made again", default=60)
    feeling: bpy.props.EnumProperty(
        name="Emotion and Style",
        description="What the part is made again with",
        items=(
            ("TAKE", "As Before", "Those that the take was made with"),
            ("SIDEBAR", "As Chosen", "Those that are chosen above for the next take"),
        ),
    )


def _chosen_span(context: Any, take: ActiveTake) -> Span | None:
    """Return the range that is made again; None where there is none."""
    scene, settings = context.scene, context.scene.dream_talk_remake
    if settings.source == "KEYS":
        return remake.selected_span(take)
    if settings.source == "PREVIEW":
        return Span(scene.frame_preview_start, scene.frame_preview_end) if scene.use_preview_range else None
    return Span(settings.first, settings.last)


def _problem(context: Any, what: str) -> str:
    """Return why ``what`` of the active take cannot be made again, as one sentence; empty when it can."""
    character = generate.chosen_character(context)
    reason = active_problem(context) or generate.character_problem(context)
    if reason or character is None:
        return reason
    if character.name in generate.active:
        return "A take for this character is being made"
    take = ActiveTake(character)
    reason = remake.problem_of(take, what)
    if reason or what != "RANGE":
        return reason
    span = _chosen_span(context, take)
    if span is None:
        return NO_PREVIEW if context.scene.dream_talk_remake.source == "PREVIEW" else NO_KEYS
    return "" if span.last > span.first else "The range ends before it begins"


class _Remake:
    """An operator that makes ``what`` of the active take again; the take itself stays as it is."""

    what = ""
    bl_options = {"REGISTER"}  # the finished take makes the undo step

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Tell whether there is something to make again."""
        reason = _problem(context, cls.what)
        if reason:
            cls.poll_message_set(said(reason))  # type: ignore[attr-defined] # of bpy.types.Operator
        return not reason

    def execute(self, context: Any) -> set[str]:
        """Begin the new take, or make all of it when Blender has no window."""
        settings, character = context.scene.dream_talk_remake, generate.adopt_character(context)
        span = _chosen_span(context, ActiveTake(character)) if self.what == "RANGE" else None
        try:
            generation = remake.prepare(context, character, self.what, span, settings.feeling)
            if bpy.app.background:
                generate.run_blocking(generation)
            else:
                generate.start(generation)
        except (TakeError, SoundError, ServerError) as error:
            server_status.refresh()
            self.report({"ERROR"}, said(server_status.explained(error)))  # type: ignore[attr-defined] # of Operator
            return {"CANCELLED"}
        return {"FINISHED"}


class DREAMTALK_OT_remake_range(_Remake, bpy.types.Operator):
    """Make a range of time of the take again, as a new take; everything outside of it and all that is locked stays"""

    bl_idname = "dream_talk.remake_range"
    bl_label = "Regenerate Range"
    what = "RANGE"


class DREAMTALK_OT_remake_mouth(_Remake, bpy.types.Operator):
    """Make mouth, jaw and tongue of the take again, as a new take; everything else stays"""

    bl_idname = "dream_talk.remake_mouth"
    bl_label = "Regenerate Mouth Only"
    what = "MOUTH"


class DREAMTALK_OT_remake_unlocked(_Remake, bpy.types.Operator):
    """Make all of the take again but what is locked, as a new take"""

    bl_idname = "dream_talk.remake_unlocked"
    bl_label = "Regenerate Unlocked"
    what = "UNLOCKED"


class DREAMTALK_PT_remake(Sidebar, bpy.types.Panel):
    """Making a part of the active take again."""

    bl_idname = "DREAMTALK_PT_remake"
    bl_label = "Regenerate a Part"
    bl_parent_id = "DREAMTALK_PT_adjust"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: Any) -> None:
        """Draw the panel."""
        layout, settings = self.layout, context.scene.dream_talk_remake
        column = layout.column(align=True)
        column.row(align=True).prop(settings, "source", expand=True)
        if settings.source == "FRAMES":
            row = column.row(align=True)
            row.prop(settings, "first")
            row.prop(settings, "last")
        column = layout.column(align=True)
        column.label(text="Emotion and Style")
        column.row(align=True).prop(settings, "feeling", expand=True)
        column = layout.column(align=True)
        column.operator("dream_talk.remake_range", icon="PREVIEW_RANGE")
        column.operator("dream_talk.remake_mouth", icon="FILE_REFRESH")
        column.operator("dream_talk.remake_unlocked", icon="UNLOCKED")
        if not active_problem(context):
            wrapped(layout, "Parts with a closed lock above stay, and so do locked F-curves", "INFO")


CLASSES: tuple[Any, ...] = (
    DREAMTALK_PG_remake,
    DREAMTALK_OT_remake_range,
    DREAMTALK_OT_remake_mouth,
    DREAMTALK_OT_remake_unlocked,
    DREAMTALK_PT_remake,
)


def register_properties() -> None:
    """Give every scene its settings."""
    bpy.types.Scene.dream_talk_remake = bpy.props.PointerProperty(type=DREAMTALK_PG_remake)


def unregister_properties() -> None:
    """Remove them."""
    del bpy.types.Scene.dream_talk_remake
