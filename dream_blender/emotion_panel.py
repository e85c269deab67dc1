"""The sidebar's panel of what the character feels over time."""

# Blender's classes have no types.
# mypy: disable-error-code="misc"
# Blender names its classes KIND_OT_name and the like.
# ruff: noqa: N801
from typing import Any

import bpy

from ..blendshape_rigs.arkit import EMOTIONS
from .character import nothing_changes
from .emotion import INTENSITY, follows_choice, is_animated
from .emotion_markers import misspelt, read_marks
from .emotion_operators import slider_problem
from .generate import chosen_character
from .panel import Sidebar, wrapped


class DREAMTALK_PT_emotion(Sidebar, bpy.types.Panel):
    """What the character feels over time."""

    bl_idname = "DREAMTALK_PT_emotion"
    bl_label = "Emotion over Time"
    bl_order = 2
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: Any) -> None:
        """Draw the panel."""
        with nothing_changes():
            problem = slider_problem(context)
        if problem:
            wrapped(self.layout, problem, "INFO")
            return
        character = chosen_character(context)
        assert character is not None  # slider_problem saw to it
        group, animated = character.dream_talk_emotion, is_animated(character)
        self._draw_source(context.scene, character, animated)
        self.layout.operator_menu_enum("dream_talk.emotion_preset", "preset", text="Presets", icon="PRESET")
        column = self.layout.column(align=True)
        column.active = not group.from_markers
        for name in EMOTIONS:
            column.prop(group, name, slider=True)
        self.layout.prop(group, INTENSITY, slider=True)
        row = self.layout.row(align=True)
        row.operator("dream_talk.emotion_key", icon="KEY_HLT")
        row.operator("dream_talk.emotion_clear", icon="KEY_DEHLT")
        self.layout.operator("dream_talk.emotion_markers", icon="MARKER_HLT")

    def _draw_source(self, scene: Any, character: Any, animated: bool) -> None:
        group = character.dream_talk_emotion
        column = self.layout.column(align=True)
        row = column.row(align=True)
        sub = row.row(align=True)
        sub.enabled = not animated and not group.from_markers
        sub.prop(group, "over_time", toggle=True)
        row.prop(group, "from_markers", toggle=True)
        if group.from_markers:
            _draw_marks(column, scene)
        elif animated:
            wrapped(column, "Takes follow the animated sliders", "CHECKMARK")
        elif follows_choice(character):
            wrapped(column, f"Takes follow the one choice above: {scene.dream_talk.emotion}", "INFO")
        else:
            wrapped(column, "Takes follow the sliders", "CHECKMARK")


def _draw_marks(column: Any, scene: Any) -> None:
    marks, problems = read_marks(scene)
    for problem in problems:
        wrapped(column, problem, "ERROR")
    for near in misspelt(scene):
        wrapped(column, near, "QUESTION")
    if marks and not problems:
        wrapped(column, "Takes follow the markers", "CHECKMARK")
    elif not problems:
        wrapped(column, "Add markers (M in the timeline) and name them like happy 0.8", "INFO")


CLASSES: tuple[Any, ...] = (DREAMTALK_PT_emotion,)
