"""The sliders of a take, stored on its Action."""

# Blender reads properties from annotations, which type checkers take for types.
# mypy: disable-error-code="misc,valid-type"
# Blender names its classes KIND_OT_name and the like.
# ruff: noqa: N801
from typing import Any

import bpy

from ..blendshape_rigs.adjust import OFFSETS, SHIFTS, SMOOTHINGS, STRENGTHS
from .adjust import on_slider


class DREAMTALK_PG_adjustment(bpy.types.PropertyGroup):
    """The sliders of one part of the face."""

    strength: bpy.props.FloatProperty(
        name="Strength",
        description="How much of the movement is left: 1 is as it was made, 0 is none, 2 is twice",
        default=1.0,
        min=STRENGTHS[0],
        max=STRENGTHS[1],
        subtype="FACTOR",
        update=on_slider,
    )
    offset: bpy.props.FloatProperty(
        name="Offset",
        description="Move the whole part. Above zero: brows up, lids shut, eyes wide, gaze up, mouth smiling, "
        "jaw open, cheeks up, tongue out, head up or forward; below zero: the other way",
        default=0.0,
        min=OFFSETS[0],
        max=OFFSETS[1],
        subtype="FACTOR",
        update=on_slider,
    )
    smoothing: bpy.props.FloatProperty(
        name="Smoothing",
        description="Seconds to average over, without delay. Lips that meet and lids that shut still do",
        default=0.0,
        min=SMOOTHINGS[0],
        max=SMOOTHINGS[1],
        precision=2,
        step=1,
        update=on_slider,
    )
    shift: bpy.props.FloatProperty(
        name="Time Shift",
        description="Seconds that the part comes later; below zero, earlier",
        default=0.0,
        min=SHIFTS[0],
        max=SHIFTS[1],
        precision=2,
        step=1,
        update=on_slider,
    )
    mute: bpy.props.BoolProperty(name="Mute", description="Let this part of the face rest", update=on_slider)
    lock: bpy.props.BoolProperty(name="Lock", description="Keep this part of the face when the take is made again")
    shown: bpy.props.BoolProperty(name="Show All", description="Show offset, smoothing and time shift of this part")


class DREAMTALK_PG_adjust(bpy.types.PropertyGroup):
    """All sliders of a take, and where its original keys are."""

    mouth: bpy.props.PointerProperty(type=DREAMTALK_PG_adjustment)
    jaw: bpy.props.PointerProperty(type=DREAMTALK_PG_adjustment)
    tongue: bpy.props.PointerProperty(type=DREAMTALK_PG_adjustment)
    cheeks: bpy.props.PointerProperty(type=DREAMTALK_PG_adjustment)
    brows: bpy.props.PointerProperty(type=DREAMTALK_PG_adjustment)
    eyes: bpy.props.PointerProperty(type=DREAMTALK_PG_adjustment)
    blinks: bpy.props.PointerProperty(type=DREAMTALK_PG_adjustment)
    gaze: bpy.props.PointerProperty(type=DREAMTALK_PG_adjustment)
    head_rotation: bpy.props.PointerProperty(type=DREAMTALK_PG_adjustment)
    head_translation: bpy.props.PointerProperty(type=DREAMTALK_PG_adjustment)
    base: bpy.props.PointerProperty(type=bpy.types.Action)
    written: bpy.props.StringProperty()
    note: bpy.props.StringProperty()
    waiting: bpy.props.BoolProperty()


CLASSES: tuple[Any, ...] = (DREAMTALK_PG_adjustment, DREAMTALK_PG_adjust)


def register_properties() -> None:
    """Give every Action its sliders; its character decides whether they can be used."""
    bpy.types.Action.dream_talk_adjust = bpy.props.PointerProperty(type=DREAMTALK_PG_adjust)


def unregister_properties() -> None:
    """Remove them."""
    del bpy.types.Action.dream_talk_adjust
