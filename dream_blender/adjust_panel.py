"""The sidebar's panel of live sliders on the active take, and of its keys."""

# Blender's classes have no types.
# mypy: disable-error-code="misc"
# Blender names its classes KIND_OT_name and the like.
# ruff: noqa: N801
from typing import Any

import bpy

from ..blendshape_rigs.adjust import PARTS
from . import adjust
from .adjust_operators import active_problem
from .character import nothing_changes
from .generate import chosen_character
from .panel import Sidebar, wrapped
from .take_keys import ActiveTake

_TITLES = {
    "mouth": "Mouth",
    "jaw": "Jaw",
    "tongue": "Tongue",
    "cheeks": "Cheeks",
    "brows": "Brows",
    "eyes": "Eyes",
    "blinks": "Blinks",
    "gaze": "Gaze",
    "head_rotation": "Head Rotation",
    "head_translation": "Head Translation",
}
"""What the parts of the face are called."""


class DREAMTALK_PT_adjust(Sidebar, bpy.types.Panel):
    """Live sliders on the active take."""

    bl_idname = "DREAMTALK_PT_adjust"
    bl_label = "Adjust"
    bl_order = 3
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: Any) -> None:
        """Draw the panel."""
        layout = self.layout
        problem = active_problem(context)
        if problem:
            wrapped(layout, problem, "INFO")
            return
        character = chosen_character(context)
        with nothing_changes():
            take = ActiveTake(character)
            action, reachable = take.action, adjust.reachable_parts(take)
        layout.label(text=action.name, icon="ACTION", translate=False)
        column = layout.column(align=True)
        for part in PARTS:
            if part in reachable:
                self._draw_part(column, getattr(action.dream_talk_adjust, part), _TITLES[part])
        if action.dream_talk_adjust.note:
            wrapped(layout, action.dream_talk_adjust.note, "INFO")
        row = layout.row(align=True)
        row.operator("dream_talk.adjust_apply", icon="CHECKMARK")
        row.operator("dream_talk.adjust_reset", icon="LOOP_BACK")

    def _draw_part(self, column: Any, slider: Any, title: str) -> None:
        row = column.row(align=True)
        row.prop(slider, "shown", text="", icon="DOWNARROW_HLT" if slider.shown else "RIGHTARROW", emboss=False)
        strength = row.row(align=True)
        strength.active = not slider.mute
        strength.prop(slider, "strength", text=title)
        row.prop(slider, "mute", text="", icon="HIDE_ON" if slider.mute else "HIDE_OFF")
        row.prop(slider, "lock", text="", icon="LOCKED" if slider.lock else "UNLOCKED")
        if slider.shown:
            more = column.column(align=True)
            more.active = not slider.mute
            for name in ("offset", "smoothing", "shift"):
                more.prop(slider, name)
            column.separator()


class DREAMTALK_PT_keys(Sidebar, bpy.types.Panel):
    """The keys of the active take."""

    bl_idname = "DREAMTALK_PT_keys"
    bl_label = "Keys"
    bl_parent_id = "DREAMTALK_PT_adjust"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, _context: Any) -> None:
        """Draw the panel."""
        column = self.layout.column(align=True)
        column.operator("dream_talk.reduce_keys", icon="KEYFRAME")
        row = column.row(align=True)
        row.operator("dream_talk.hold_poses", text="Hold on Twos").frames = 2
        row.operator("dream_talk.hold_poses", text="On Threes").frames = 3


CLASSES: tuple[Any, ...] = (DREAMTALK_PT_adjust, DREAMTALK_PT_keys)
