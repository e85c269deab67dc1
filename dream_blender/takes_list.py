"""The list of a character's takes: the file's Actions, of which others are hidden."""

# Blender's classes have no types, and its properties are read from annotations.
# mypy: disable-error-code="misc,valid-type"
# Blender names its classes KIND_OT_name and the like.
# ruff: noqa: N801
from typing import Any

import bpy

from . import generate, takes
from .take_settings import settings_of

STARS = 5
_WIDE = 330  # pixels at 100 % scale from which a row has room for the emotion and seed
_shown: dict[str, Any] = {"takes": [], "active": None, "pushed": set(), "wide": False}
"""What the panel is drawing, found once and not for every row."""


def _active_index(_scene: Any) -> int:
    take = takes.active_take(generate.chosen_character(bpy.context))
    return -1 if take is None else int(bpy.data.actions.find(take.name))


def _choose(_scene: Any, index: int) -> None:
    """Let the take that is clicked play."""
    character = generate.chosen_character(bpy.context)
    take = bpy.data.actions[index]
    if character is not None and take in takes.takes_of(character):
        takes.activate(character, take)


class DREAMTALK_UL_takes(bpy.types.UIList):
    """Rows: whether the take plays, its name, what it was made with, and its stars."""

    bl_idname = "DREAMTALK_UL_takes"

    def draw_item(
        self, _context: Any, layout: Any, _data: Any, item: Any, _icon: int, _active: Any, _property: str
    ) -> None:
        """Draw one row."""
        row = layout.row(align=True)
        pushed = item.name in _shown["pushed"]
        row.label(text="", icon="PLAY" if item == _shown["active"] else "NLA" if pushed else "BLANK1")
        row.prop(item, "name", text="", emboss=False)
        settings = settings_of(item)
        if settings is not None and _shown["wide"]:
            row.label(text=f"{settings.emotion_text}, {settings.seed}", translate=False)
        stars = row.row(align=True)
        stars.scale_x = 0.65
        for number in range(1, STARS + 1):
            icon = "SOLO_ON" if number <= item.dream_talk_rating else "SOLO_OFF"
            button = stars.operator("dream_talk.rate_take", text="", icon=icon, emboss=False)
            button.take, button.stars = item.name, number

    def filter_items(self, _context: Any, data: Any, name: str) -> tuple[list[int], list[int]]:
        """Hide Actions that are no takes of the character, and those of other names."""
        wanted, shown = self.filter_name.lower(), {take.name for take in _shown["takes"]}
        kept = [
            self.bitflag_filter_item if action.name in shown and wanted in action.name.lower() else 0
            for action in getattr(data, name)
        ]
        return kept, []


def draw(layout: Any, context: Any, character: Any) -> None:
    """Draw the list of the takes of ``character``."""
    found = takes.takes_of(character)
    _shown["takes"], _shown["active"] = found, takes.active_take(character)
    _shown["pushed"] = takes.pushed_names(character)
    _shown["wide"] = context.region.width >= _WIDE * context.preferences.system.ui_scale
    rows = min(max(len(found), 3), 10)
    name = DREAMTALK_UL_takes.bl_idname
    layout.template_list(name, "", bpy.data, "actions", context.scene, "dream_talk_take", rows=rows)


def register_properties() -> None:
    """Add the rating to Actions, and the row that is chosen to scenes."""
    bpy.types.Action.dream_talk_rating = bpy.props.IntProperty(
        name="Rating", description="Stars that you give the take", min=0, max=STARS
    )
    bpy.types.Scene.dream_talk_take = bpy.props.IntProperty(
        name="Take", description="Click a take to let it play on the character", get=_active_index, set=_choose
    )


def unregister_properties() -> None:
    """Remove the properties."""
    del bpy.types.Scene.dream_talk_take
    del bpy.types.Action.dream_talk_rating


CLASSES: tuple[Any, ...] = (DREAMTALK_UL_takes,)
