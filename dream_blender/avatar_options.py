"""How users choose an avatar's look: when they add it, and in the sidebar afterwards."""

# Blender reads properties from annotations, which type checkers take for types.
# mypy: disable-error-code="misc,valid-type"
# Blender names its classes KIND_OT_name and the like.
# ruff: noqa: N801
from typing import Any

import bpy

from ..blendshape_rigs.avatar import load_proxy_avatar
from .avatar_look import (
    EYE_COLOURS,
    HAIR_COLOURS,
    HAIR_HIDDEN,
    SKIN_TONES,
    Colour,
    Look,
    apply_look,
    colour_of,
    identity_keys,
    random_look,
    set_colour_of,
)
from .avatar_object import is_avatar, spawn_avatar
from .avatar_rig import LOOK_AT, rig_of
from .translations import CONTEXT

_CHOICES = {"skin": SKIN_TONES, "eyes": EYE_COLOURS, "hair": HAIR_COLOURS}
_MOST_SLIDERS = 32  # Blender's limit of a vector property
_CUSTOM = "CUSTOM"


def _identifier(name: str) -> str:
    return name.upper().replace(" ", "_")


def _items(kind: str) -> list[tuple[str, str, str]]:
    named = [(_identifier(name), name, "") for name in _CHOICES[kind]]
    return [*named, (_CUSTOM, "Custom", "A colour of your own")]


def _named(kind: str) -> dict[str, Colour]:
    return {_identifier(name): colour for name, colour in _CHOICES[kind].items()}


def _colour(kind: str, label: str) -> Any:
    """Return a colour property that reads and paints the avatar it belongs to."""

    def paint(group: Any, colour: Any) -> None:
        if group.id_data.data.library is None:
            set_colour_of(group.id_data, kind, (colour[0], colour[1], colour[2]))

    return bpy.props.FloatVectorProperty(
        name=label,
        translation_context=CONTEXT,
        subtype="COLOR_GAMMA",
        min=0.0,
        max=1.0,
        options=set(),  # it paints the mesh, which cannot be keyed
        get=lambda group: colour_of(group.id_data, kind),
        set=paint,
    )


def _choice(kind: str, label: str) -> Any:
    """Return a list of named colours; it shows Custom for any other."""

    def chosen(group: Any) -> int:
        shown = colour_of(group.id_data, kind)
        for number, colour in enumerate(_CHOICES[kind].values()):
            if max(abs(a - b) for a, b in zip(colour, shown, strict=True)) < 1e-3:
                return number
        return len(_CHOICES[kind])

    def choose(group: Any, number: int) -> None:
        colours = list(_CHOICES[kind].values())
        if number < len(colours) and group.id_data.data.library is None:
            set_colour_of(group.id_data, kind, colours[number])

    return bpy.props.EnumProperty(
        name=label, items=_items(kind), translation_context=CONTEXT, options=set(), get=chosen, set=choose
    )


class DREAMTALK_PG_avatar_look(bpy.types.PropertyGroup):
    """The tones of an avatar."""

    skin: _colour("skin", "Skin")
    eyes: _colour("eyes", "Eyes")
    hair: _colour("hair", "Hair")
    skin_choice: _choice("skin", "Skin Tone")
    eyes_choice: _choice("eyes", "Eye Colour")
    hair_choice: _choice("hair", "Hair Colour")


def _draw_tones(layout: Any, owner: Any) -> None:
    column = layout.column(align=True)
    for kind in _CHOICES:
        row = column.row(align=True)
        row.prop(owner, f"{kind}_choice")
        if getattr(owner, f"{kind}_choice") == _CUSTOM or not isinstance(owner, bpy.types.Operator):
            row.prop(owner, kind, text="")


class DREAMTALK_OT_add_avatar(bpy.types.Operator):
    """Add a bust with ARKit's 52 shape keys at the 3D cursor, and choose it as the character"""

    bl_idname = "dream_talk.add_avatar"
    bl_label = "Add Avatar"
    bl_options = {"REGISTER", "UNDO"}

    person: bpy.props.IntProperty(
        name="Person", description="0: as chosen below; any other number: that person, always the same", min=0
    )
    skin_choice: bpy.props.EnumProperty(
        name="Skin Tone", items=_items("skin"), translation_context=CONTEXT, default="FAIR"
    )
    eyes_choice: bpy.props.EnumProperty(
        name="Eye Colour", items=_items("eyes"), translation_context=CONTEXT, default="BLUE"
    )
    hair_choice: bpy.props.EnumProperty(
        name="Hair Colour", items=_items("hair"), translation_context=CONTEXT, default="BROWN"
    )
    skin: bpy.props.FloatVectorProperty(
        name="Skin", subtype="COLOR_GAMMA", min=0.0, max=1.0, default=SKIN_TONES["Fair"]
    )
    eyes: bpy.props.FloatVectorProperty(
        name="Eyes", subtype="COLOR_GAMMA", min=0.0, max=1.0, default=EYE_COLOURS["Blue"]
    )
    hair: bpy.props.FloatVectorProperty(
        name="Hair", subtype="COLOR_GAMMA", min=0.0, max=1.0, default=HAIR_COLOURS["Brown"]
    )
    hair_visible: bpy.props.BoolProperty(name="Hair Visible", default=True)
    identity: bpy.props.FloatVectorProperty(name="Identity", size=_MOST_SLIDERS, min=-1.0, max=1.0)

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Tell whether Blender is in object mode."""
        if context.mode != "OBJECT":
            cls.poll_message_set("Go to Object Mode first")
            return False
        return True

    def _look(self) -> Look:
        names = tuple(load_proxy_avatar().identities)
        if self.person:
            return random_look(self.person, names)
        colours = {
            kind: tuple(getattr(self, kind)) if choice == _CUSTOM else _named(kind)[choice]
            for kind in _CHOICES
            for choice in (getattr(self, f"{kind}_choice"),)
        }
        identity = dict(zip(names, self.identity, strict=False))
        return Look(**colours, hair_visible=self.hair_visible, identity=identity)

    def execute(self, context: Any) -> set[str]:
        """Add the avatar."""
        head = spawn_avatar(context.collection, tuple(context.scene.cursor.location), self._look())
        for item in context.selected_objects:
            item.select_set(False)
        context.view_layer.objects.active = head
        context.scene.dream_talk.character = head
        return {"FINISHED"}

    def draw(self, _context: Any) -> None:
        """Draw the redo panel."""
        self.layout.prop(self, "person")
        column = self.layout.column()
        column.active = not self.person
        _draw_tones(column, self)
        column.prop(self, "hair_visible")
        for number, name in enumerate(load_proxy_avatar().identities):
            column.prop(self, "identity", index=number, text=name.capitalize(), slider=True)


class DREAMTALK_OT_random_person(bpy.types.Operator):
    """Give the avatar another person's tones and features; the same number is always the same person"""

    bl_idname = "dream_talk.random_person"
    bl_label = "Random Person"
    bl_options = {"REGISTER", "UNDO"}

    person: bpy.props.IntProperty(name="Person", default=1, min=1)

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Tell whether the character is an avatar of this file."""
        head = context.scene.dream_talk.character
        if head is None or not is_avatar(head):
            cls.poll_message_set("Choose an avatar as the character first")
        elif head.data.library is not None:
            cls.poll_message_set("This avatar is linked from another file: change it there")
        else:
            return True
        return False

    def invoke(self, context: Any, _event: Any) -> set[str]:
        """Go on to the next person."""
        self.person += 1
        return self.execute(context)

    def execute(self, context: Any) -> set[str]:
        """Change the look."""
        head = context.scene.dream_talk.character
        apply_look(head, random_look(self.person, tuple(identity_keys(head))))
        return {"FINISHED"}


def draw(layout: Any, context: Any) -> None:
    """Draw the look of the chosen avatar; nothing where the character is none.

    Args:
        layout: where to draw.
        context: Blender's context.
    """
    head = context.scene.dream_talk.character
    if head is None or not is_avatar(head):
        return
    column = layout.column()
    column.enabled = head.data.library is None
    _draw_tones(column, head.dream_talk_look)
    hidden = head.data.shape_keys.key_blocks.get(HAIR_HIDDEN)
    sliders = layout.column(align=True)
    if hidden is not None:
        sliders.prop(hidden, "value", text="Hide Hair", slider=True)
    for name, key in identity_keys(head).items():
        sliders.prop(key, "value", text=name.capitalize(), slider=True)
    layout.operator("dream_talk.random_person", icon="FILE_REFRESH")
    rig = rig_of(head)
    if rig is not None and LOOK_AT in rig:
        layout.prop(rig, f'["{LOOK_AT}"]', text="Eyes Find Target", slider=True)


CLASSES: tuple[Any, ...] = (DREAMTALK_PG_avatar_look, DREAMTALK_OT_add_avatar, DREAMTALK_OT_random_person)


def register_properties() -> None:
    """Give objects the tones of an avatar; call it after the classes are registered."""
    bpy.types.Object.dream_talk_look = bpy.props.PointerProperty(type=DREAMTALK_PG_avatar_look)


def unregister_properties() -> None:
    """Undo :func:`register_properties`."""
    del bpy.types.Object.dream_talk_look
