"""Operators on what a character feels: presets, keys, and markers made into keys."""

# Blender reads properties from annotations, which type checkers take for types.
# mypy: disable-error-code="misc,valid-type"
# Blender names its classes KIND_OT_name and the like.
# ruff: noqa: N801
from typing import Any

import bpy

from ..blendshape_rigs.arkit import EMOTIONS
from . import generate
from .character import NOBODY, is_linked
from .emotion import driven_sliders, keyed_curves, path_of
from .emotion_keys import clear_keys, key_marks, key_weights
from .emotion_markers import read_marks
from .take import scene_fps
from .translations import said

_MIXES: dict[str, tuple[str, dict[str, float]]] = {
    **{name.upper(): (name.capitalize(), {name: 0.8}) for name in EMOTIONS if name != "neutral"},
    "NEUTRAL": ("Neutral", {}),
    "WARM_SMILE": ("Warm Smile", {"happy": 0.45}),
    "DELIGHTED": ("Delighted", {"happy": 0.8, "surprised": 0.3}),
    "BITTERSWEET": ("Bittersweet", {"happy": 0.3, "sad": 0.5}),
    "WEARY": ("Weary", {"sad": 0.35}),
    "NERVOUS": ("Nervous", {"fear": 0.45, "happy": 0.15}),
    "HORRIFIED": ("Horrified", {"fear": 0.8, "surprised": 0.4}),
    "OUTRAGED": ("Outraged", {"angry": 0.8, "disgusted": 0.35}),
    "SMUG": ("Smug", {"contempt": 0.5, "happy": 0.3}),
    "SCEPTICAL": ("Sceptical", {"contempt": 0.4, "surprised": 0.2}),
}


def _said(weights: dict[str, float]) -> str:
    return " + ".join(f"{name} {weight:g}" for name, weight in weights.items()) or "All sliders at 0"


def slider_problem(context: Any) -> str:
    """Return why the sliders cannot be changed now, as one sentence; empty when they can."""
    character = generate.chosen_character(context)
    if character is None:
        return NOBODY
    if is_linked(character):
        return f"'{character.name}' is linked: press Make Library Override first"
    return ""


class _OnSliders:
    """An operator on the sliders of the sidebar's character."""

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Tell whether the sliders can be changed."""
        reason = cls.reason(context)
        if reason:
            cls.poll_message_set(said(reason))  # type: ignore[attr-defined]
        return not reason

    @classmethod
    def reason(cls, context: Any) -> str:
        """Return why not, as one sentence."""
        return slider_problem(context)


class DREAMTALK_OT_emotion_preset(_OnSliders, bpy.types.Operator):
    """Set all sliders to a feeling; with automatic keying on, key them as well"""

    bl_idname = "dream_talk.emotion_preset"
    bl_label = "Emotion Preset"
    bl_options = {"REGISTER", "UNDO"}

    preset: bpy.props.EnumProperty(
        name="Feeling", items=tuple((key, label, _said(mix)) for key, (label, mix) in _MIXES.items())
    )

    def execute(self, context: Any) -> set[str]:
        """Set them."""
        character = generate.adopt_character(context)
        assert character is not None  # poll saw to it
        group = character.dream_talk_emotion
        for name in EMOTIONS:
            setattr(group, name, _MIXES[self.preset][1].get(name, 0.0))
        if context.scene.tool_settings.use_keyframe_insert_auto:
            key_weights(character, context.scene.frame_current)
        return {"FINISHED"}


class DREAMTALK_OT_emotion_key(_OnSliders, bpy.types.Operator):
    """Key all eight sliders on the present frame"""

    bl_idname = "dream_talk.emotion_key"
    bl_label = "Key Here"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def reason(cls, context: Any) -> str:
        """Return why not, as one sentence."""
        problem = slider_problem(context)
        if problem:
            return problem
        held = driven_sliders(generate.chosen_character(context))
        every = all(path_of(name) in held for name in EMOTIONS)
        return "Drivers hold all sliders: they cannot be keyed" if every else ""

    def execute(self, context: Any) -> set[str]:
        """Key them."""
        character = generate.adopt_character(context)
        assert character is not None  # poll saw to it
        count = key_weights(character, context.scene.frame_current)
        if count < len(EMOTIONS):
            self.report({"INFO"}, said(f"Keyed {count} sliders: drivers hold the others"))
        return {"FINISHED"}


class DREAMTALK_OT_emotion_clear(_OnSliders, bpy.types.Operator):
    """Remove the keys of all sliders of the emotion; drivers and NLA strips stay"""

    bl_idname = "dream_talk.emotion_clear"
    bl_label = "Clear Keys"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def reason(cls, context: Any) -> str:
        """Return why not, as one sentence."""
        problem = slider_problem(context)
        if problem:
            return problem
        return "" if keyed_curves(generate.chosen_character(context)) else "The sliders have no keys"

    def execute(self, context: Any) -> set[str]:
        """Remove them."""
        clear_keys(generate.chosen_character(context))
        return {"FINISHED"}


class DREAMTALK_OT_emotion_markers(_OnSliders, bpy.types.Operator):
    """Replace the keys of the sliders by what the timeline's markers say, and follow the sliders from then on"""

    bl_idname = "dream_talk.emotion_markers"
    bl_label = "Markers to Keys"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def reason(cls, context: Any) -> str:
        """Return why not, as one sentence."""
        problem = slider_problem(context)
        if problem:
            return problem
        marks, problems = read_marks(context.scene)
        if problems:
            return problems[0]
        return "" if marks else "No marker names an emotion: add one such as happy 0.8"

    def execute(self, context: Any) -> set[str]:
        """Key them."""
        scene, character = context.scene, generate.adopt_character(context)
        assert character is not None  # poll saw to it
        marks, _ = read_marks(scene)
        key_marks(character, marks, scene_fps(scene))
        character.dream_talk_emotion.from_markers = False
        scene.frame_set(scene.frame_current, subframe=scene.frame_subframe)  # show what the keys say
        self.report({"INFO"}, said(f"Keyed {len(marks)} markers"))
        return {"FINISHED"}


CLASSES: tuple[Any, ...] = (
    DREAMTALK_OT_emotion_preset,
    DREAMTALK_OT_emotion_key,
    DREAMTALK_OT_emotion_clear,
    DREAMTALK_OT_emotion_markers,
)
