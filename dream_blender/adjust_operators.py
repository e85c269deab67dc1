"""What is done with the sliders of a take, and with its keys: apply, reset, reduce, hold."""

# Blender reads properties from annotations, which type checkers take for types.
# mypy: disable-error-code="misc,valid-type"
# Blender names its classes KIND_OT_name and the like.
# ruff: noqa: N801
from typing import Any

import bpy

from . import adjust
from .character import NOBODY
from .generate import chosen_character
from .take import take_of
from .take_keys import ActiveTake
from .take_reduce import hold_poses, reduce_take
from .translations import said

NOT_ADJUSTED = "No slider of this take has been moved"


def active_problem(context: Any) -> str:
    """Return why the active take cannot be changed, as one sentence; empty when it can."""
    character = chosen_character(context)
    return NOBODY if character is None else adjust.problem_of(character)


class _OnTake:
    """An operator on the active take of the character."""

    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Tell whether there is a take that can be changed."""
        reason = active_problem(context) or cls.other_problem(context)
        if reason:
            cls.poll_message_set(said(reason))  # type: ignore[attr-defined] # of bpy.types.Operator
        return not reason

    @classmethod
    def other_problem(cls, _context: Any) -> str:
        """Return what else stands in the way."""
        return ""


class _OnSliders(_OnTake):
    @classmethod
    def other_problem(cls, context: Any) -> str:
        """Return what else stands in the way: no slider has been moved."""
        action = take_of(chosen_character(context))
        return "" if action is not None and adjust.is_adjusted(action) else NOT_ADJUSTED


def _let_go(character: Any) -> None:
    """Forget the originals of the active take of ``character``, and set its sliders back."""
    take = ActiveTake(character)
    for part in take.parts:
        adjust.drop_base(part)
    adjust.neutral(take.action)
    take.action.dream_talk_adjust.written = take.action.dream_talk_adjust.note = ""


class DREAMTALK_OT_adjust_apply(_OnSliders, bpy.types.Operator):
    """Keep the keys as the sliders have made them, and set the sliders back; the original keys are let go"""

    bl_idname = "dream_talk.adjust_apply"
    bl_label = "Apply"

    def execute(self, context: Any) -> set[str]:
        """Let the originals go."""
        _let_go(chosen_character(context))
        return {"FINISHED"}


class DREAMTALK_OT_adjust_reset(_OnSliders, bpy.types.Operator):
    """Set the sliders back and return to the keys from before they were moved; keys edited by hand since are kept"""

    bl_idname = "dream_talk.adjust_reset"
    bl_label = "Reset"

    drop_edits: bpy.props.BoolProperty(
        name="Drop Hand Edits", description="Return to the original keys even where keys were edited by hand since"
    )

    def execute(self, context: Any) -> set[str]:
        """Return to the originals."""
        character = chosen_character(context)
        take = ActiveTake(character)
        if adjust.is_edited(take) and not self.drop_edits:
            self.report({"WARNING"}, "Keys were edited by hand: they are kept. Check Drop Hand Edits to lose them")
        else:
            adjust.restore(take)
        _let_go(character)
        return {"FINISHED"}


class DREAMTALK_OT_reduce_keys(_OnTake, bpy.types.Operator):
    """Remove keys that the take can do without, and move no curve by more than the error. Sliders are applied"""

    bl_idname = "dream_talk.reduce_keys"
    bl_label = "Reduce Keys"

    error: bpy.props.FloatProperty(
        name="Largest Error",
        description="How far a curve may move at any frame; 1 is the whole movement of a shape",
        default=0.005,
        min=0.0001,
        max=0.2,
        precision=4,
    )
    handles: bpy.props.BoolProperty(
        name="Smooth",
        description="Curves with handles, which need fewest keys; without it, straight lines",
        default=True,
    )

    def execute(self, context: Any) -> set[str]:
        """Reduce them."""
        character = chosen_character(context)
        _let_go(character)  # the sliders are applied: they would make all keys anew
        reduced = reduce_take(character, self.error, self.handles)
        self.report({"INFO"}, said(f"{reduced.before} → {reduced.after} keys, largest error {reduced.error:.4f}"))
        return {"FINISHED"}


class DREAMTALK_OT_hold_poses(_OnTake, bpy.types.Operator):
    """Hold every pose for some frames of the scene, as drawn animation does. Sliders are applied"""

    bl_idname = "dream_talk.hold_poses"
    bl_label = "Hold Poses"

    frames: bpy.props.IntProperty(
        name="Frames", description="How long every pose is held: 2 is on twos", default=2, min=1, max=12
    )
    head: bpy.props.BoolProperty(name="Head Too", description="Hold the head's poses too", default=True)

    def execute(self, context: Any) -> set[str]:
        """Hold them."""
        character = chosen_character(context)
        _let_go(character)  # the sliders are applied: they would make all keys anew
        before, after = hold_poses(character, self.frames, self.head, context.scene.frame_start)
        self.report({"INFO"}, said(f"Poses held for {self.frames} frames: {before} → {after} keys"))
        return {"FINISHED"}


CLASSES: tuple[Any, ...] = (
    DREAMTALK_OT_adjust_apply,
    DREAMTALK_OT_adjust_reset,
    DREAMTALK_OT_reduce_keys,
    DREAMTALK_OT_hold_poses,
)
