"""The settings of a scene's sidebar panel."""

# Blender reads properties from annotations, which type checkers take for types.
# mypy: disable-error-code="misc,valid-type"
# Blender names its classes KIND_OT_name and the like.
# ruff: noqa: N801
from typing import Any

import bpy

from ..blendshape_rigs.arkit import EMOTIONS
from . import compat, mapping_list
from .character import can_be_chosen, turns_by_default
from .mapping_list import DREAMTALK_PG_mapping_row
from .portrait_settings import DREAMTALK_PG_portrait
from .sound import sound_strips
from .style import DREAMTALK_PG_style

LONGEST_TEXT = 200_000
"""Letters of a text; the server takes no more."""


def _is_character(_settings: Any, item: Any) -> bool:
    return can_be_chosen(item)


def _character_chosen(settings: Any, _context: Any) -> None:
    if settings.character is not None:
        settings.head_motion = turns_by_default(settings.character)
        mapping_list.refill(settings)


def _strip_names(_settings: Any, context: Any, _typed: str) -> list[str]:
    return [strip.name for strip in sound_strips(context.scene)]


def _emotion_chosen(settings: Any, _context: Any) -> None:
    character = settings.character
    if character is not None and character.dream_talk_emotion.over_time:
        character.dream_talk_emotion.over_time = False


class DREAMTALK_PG_settings(bpy.types.PropertyGroup):
    """What the sidebar asks for, one set a scene."""

    character: bpy.props.PointerProperty(
        name="Character",
        description="The mesh that talks: the DREAM-Talk avatar, or your own with shape keys or face bones. "
        "Left empty, it is the active object",
        type=bpy.types.Object,
        poll=_is_character,
        update=_character_chosen,
    )
    head_motion: bpy.props.BoolProperty(
        name="Head Motion",
        description="Turn the head bone by the head pose; without an armature, the object itself",
        default=True,
    )
    audio_source: bpy.props.EnumProperty(
        name="Audio",
        description="Where the voice recording comes from",
        items=(
            ("FILE", "File", "A sound or video file"),
            (
                "STRIP",
                "Strip",
                "A sound strip of this scene's sequencer, where it lies, as far as it is heard",
            ),
        ),
    )
    audio_path: bpy.props.StringProperty(
        name="Recording",
        description="A sound or video file with one speaking voice",
        subtype="FILE_PATH",
        options=compat.BESIDE_BLEND,
    )
    strip_name: bpy.props.StringProperty(
        name="Sound Strip", description="The strip whose sound is spoken", search=_strip_names
    )
    lips: bpy.props.EnumProperty(
        name="Lips",
        description="What the lips follow",
        items=(
            ("SOUND", "Sound", "What is heard, in any language"),
            ("ENGLISH", "English", "English words heard by a recogniser: slower, more exact"),
            ("TEXT", "Text", "What is said, as you type it: most exact"),
        ),
    )
    text: bpy.props.StringProperty(
        name="Text", description="What is said in the recording, word by word", maxlen=LONGEST_TEXT
    )
    language: bpy.props.StringProperty(
        name="Language", description="Of the text: en, de, fr, cmn and others as espeak-ng names them", default="en"
    )
    emotion: bpy.props.EnumProperty(
        name="Emotion",
        description="The feeling that the voice is acted with; sliders of Emotion over Time go before it",
        update=_emotion_chosen,
        items=tuple((name, name.capitalize(), f"Act {name}") for name in EMOTIONS),
    )
    intensity: bpy.props.FloatProperty(
        name="Intensity",
        description="How strongly the emotion shows",
        default=0.8,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
    )
    seed: bpy.props.IntProperty(
        name="Seed", description="Another seed is another performance; the same seed is the same one", min=0
    )
    add_sound: bpy.props.BoolProperty(
        name="Add Sound",
        description="Lay the recording in the sequencer, in sync with the take",
        default=True,
    )
    set_range: bpy.props.BoolProperty(
        name="Set Frame Range", description="Make the scene as long as the take", default=True
    )

    mapping_rows: bpy.props.CollectionProperty(type=DREAMTALK_PG_mapping_row)
    mapping_row: bpy.props.IntProperty(name="Row")
    mapping_shown: bpy.props.StringProperty(
        description="The mapping that the rows show, as JSON", options={"SKIP_SAVE"}
    )
    mapping_error: bpy.props.StringProperty(description="Why the rows are no mapping now")

    portrait: bpy.props.PointerProperty(type=DREAMTALK_PG_portrait)
    style: bpy.props.PointerProperty(type=DREAMTALK_PG_style)

    def lips_options(self) -> dict[str, str]:
        """Return what the server is told of the lips."""
        if self.lips == "TEXT":
            return {"text": self.text.strip(), "language": self.language.strip() or "en"}
        return {"lips": "recogniser" if self.lips == "ENGLISH" else "encoder"}

    def emotion_weights(self) -> dict[str, float]:
        """Return the intensity by emotion name; neutral is the absence of all."""
        return {} if self.emotion == "neutral" else {self.emotion: round(self.intensity, 4)}
