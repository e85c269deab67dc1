"""The list of the batch: which sound strip is spoken by which character. Each scene has its own."""

# Blender reads properties from annotations, which type checkers take for types.
# mypy: disable-error-code="misc,valid-type"
# Blender names its classes KIND_OT_name and the like.
# ruff: noqa: N801
from typing import Any

import bpy

from .character import can_be_chosen


def _is_character(_row: Any, item: Any) -> bool:
    return can_be_chosen(item)


class DREAMTALK_PG_batch_row(bpy.types.PropertyGroup):
    """One sound strip and who speaks it; ``number`` tells rows apart through undo and renaming."""

    number: bpy.props.IntProperty()
    strip: bpy.props.StringProperty(name="Sound Strip", description="The strip that is spoken")
    character: bpy.props.PointerProperty(
        name="Character", description="Who speaks this strip", type=bpy.types.Object, poll=_is_character
    )


class DREAMTALK_PG_batch(bpy.types.PropertyGroup):
    """The list of the batch, and where it is filled from."""

    source: bpy.props.EnumProperty(
        name="Strips",
        description="Which sound strips of the sequencer go on the list",
        items=(
            ("ALL", "All", "All sound strips that are not muted"),
            ("SELECTED", "Selected", "Those that are selected in the sequencer"),
            ("CHANNEL", "Channel", "Those of one channel"),
        ),
    )
    channel: bpy.props.IntProperty(name="Channel", description="The channel's number", default=1, min=1, max=128)
    rows: bpy.props.CollectionProperty(type=DREAMTALK_PG_batch_row)
    row: bpy.props.IntProperty(name="Row")


CLASSES = (DREAMTALK_PG_batch_row, DREAMTALK_PG_batch)


def register_properties() -> None:
    """Add the list to scenes."""
    bpy.types.Scene.dream_talk_batch = bpy.props.PointerProperty(type=DREAMTALK_PG_batch)


def unregister_properties() -> None:
    """Remove it."""
    del bpy.types.Scene.dream_talk_batch
