"""Every difference between the Blender versions we support (4.2 to 5.2) lives here."""

from __future__ import annotations

from typing import Any

import bpy

HAS_SLOTS = bpy.app.version >= (4, 4, 0)
"""From 4.4 an Action holds slots, one an animated kind of data; before, one Action animates one kind."""
BESIDE_BLEND = {"ANIMATABLE", "PATH_SUPPORTS_BLEND_RELATIVE"} if bpy.app.version >= (4, 5, 0) else {"ANIMATABLE"}
"""Options of a property with a path that may begin with ``//``: from 4.5 Blender shows it as an error without them."""


def _channelbag(action: Any, slot: Any, ensure: bool) -> Any | None:
    if not action.layers:
        if not ensure:
            return None
        action.layers.new("Layer").strips.new(type="KEYFRAME")
    return action.layers[0].strips[0].channelbag(slot, ensure=ensure)


def animate(data: Any, action: Any) -> Any:
    """Make ``action`` the active Action of ``data`` (a Key or an Object) and return its F-curves for it.

    From 4.4 the F-curves lie in a new slot that bears the name of ``data``. Before, ``action`` must be new.
    """
    animation = data.animation_data or data.animation_data_create()
    if animation.use_tweak_mode:
        animation.use_tweak_mode = False
    if not HAS_SLOTS:
        action.id_root = data.id_type
        animation.action = action
        return action.fcurves
    slot = action.slots.new(id_type=data.id_type, name=data.name)
    bag = _channelbag(action, slot, ensure=True)
    assert bag is not None
    animation.action = action
    # Assigning an Action may leave the slot empty: then nothing moves and nothing is said.
    animation.action_slot = slot
    return bag.fcurves


def assigned_curves(data: Any) -> list[Any]:
    """Return the F-curves of the active Action that animate ``data``; empty when there are none."""
    animation = data.animation_data
    if animation is None or animation.action is None:
        return []
    if not HAS_SLOTS:
        return list(animation.action.fcurves)
    if animation.action_slot is None:
        return []
    bag = _channelbag(animation.action, animation.action_slot, ensure=False)
    return list(bag.fcurves) if bag is not None else []


def copied_curves(data: Any, copied: Any) -> list[Any]:
    """Return the F-curves in ``copied``, a copy of the active Action of ``data``, for what animates ``data`` there."""
    animation = data.animation_data
    if not HAS_SLOTS:
        return list(copied.fcurves)
    slot = copied.slots.get(animation.action_slot.identifier) if animation.action_slot is not None else None
    bag = _channelbag(copied, slot, ensure=False) if slot is not None else None
    return list(bag.fcurves) if bag is not None else []


def channels(action: Any) -> list[tuple[str, str, Any | None, list[Any]]]:
    """Return for each data-block that ``action`` moves its type, its name, its slot and its F-curves.

    Before 4.4 that is one, without name or slot.
    """
    if not HAS_SLOTS:
        return [(action.id_root, "", None, list(action.fcurves))]
    bags = [(slot, _channelbag(action, slot, ensure=False)) for slot in action.slots]
    return [
        (slot.target_id_type, slot.name_display, slot, [] if bag is None else list(bag.fcurves)) for slot, bag in bags
    ]


def assign(data: Any, action: Any, slot: Any | None) -> None:
    """Make ``action``, and from 4.4 its ``slot``, what animates ``data`` (a Key or an Object)."""
    animation = data.animation_data or data.animation_data_create()
    if animation.use_tweak_mode:
        animation.use_tweak_mode = False
    animation.action = action
    if HAS_SLOTS:
        animation.action_slot = slot


def is_assigned(data: Any, slot: Any | None) -> bool:
    """Tell whether ``slot`` of its active Action is what animates ``data``; before 4.4 the whole Action does."""
    return not HAS_SLOTS or (slot is not None and bool(data.animation_data.action_slot_handle == slot.handle))


def set_strip_slot(strip: Any, slot: Any | None) -> None:
    """Let the NLA ``strip`` play ``slot`` of its Action; before 4.4 it plays all of it."""
    if HAS_SLOTS:
        strip.action_slot = slot


def unassign(data: Any) -> None:
    """Leave ``data`` without an active Action."""
    animation = data.animation_data
    if animation is not None and animation.action is not None:
        if animation.use_tweak_mode:
            animation.use_tweak_mode = False
        animation.action = None


def playing(data: Any) -> tuple[Any, Any]:
    """Return the active Action of ``data`` and its slot, for :func:`play_again`."""
    animation = data.animation_data
    if animation is None:
        return None, None
    return animation.action, animation.action_slot if HAS_SLOTS else None


def play_again(data: Any, state: tuple[Any, Any]) -> None:
    """Give ``data`` the Action and slot back that :func:`playing` returned, if it has others now."""
    if playing(data) == state:
        return
    data.animation_data.action = state[0]
    if HAS_SLOTS and state[0] is not None:
        data.animation_data.action_slot = state[1]


def curve_collection(data: Any) -> Any | None:
    """Return the collection of F-curves of the active Action that animate ``data``; None without one."""
    animation = data.animation_data
    if animation is None or animation.action is None:
        return None
    if not HAS_SLOTS:
        return animation.action.fcurves
    bag = None if animation.action_slot is None else _channelbag(animation.action, animation.action_slot, ensure=True)
    return None if bag is None else bag.fcurves


def strip_curves(strip: Any) -> list[Any]:
    """Return the F-curves that the NLA strip ``strip`` plays; empty for one that plays no Action."""
    if strip.action is None or not HAS_SLOTS:
        return [] if strip.action is None else list(strip.action.fcurves)
    bag = None if strip.action_slot is None else _channelbag(strip.action, strip.action_slot, ensure=False)
    return [] if bag is None else list(bag.fcurves)


def strips(scene: Any) -> list[Any]:
    """Return the strips of the sequencer of ``scene``, nested ones left out."""
    editor = scene.sequence_editor
    if editor is None:
        return []
    return list(editor.strips if hasattr(editor, "strips") else editor.sequences)


def strip_collection(scene: Any) -> Any:
    """Return the sequencer's strip collection of ``scene``, with the sequencer made when missing."""
    editor = scene.sequence_editor or scene.sequence_editor_create()
    return editor.strips if hasattr(editor, "strips") else editor.sequences


def is_retimed(strip: Any) -> bool:
    """Tell whether the speed of ``strip`` is changed; a build without sound, as the 4.2 wheel, does not know it."""
    return bool(len(getattr(strip, "retiming_keys", ())))


def sound_offset(strip: Any) -> float:
    """Return how many seconds later than its place a sound ``strip`` plays its file; Blender 4.2 has no such offset."""
    return float(getattr(strip, "sound_offset", 0.0))


def has_audio() -> bool:
    """Tell whether this build can load sounds; the 4.2 wheel of bpy has no audio system."""
    try:
        import aud  # type: ignore[import-not-found] # noqa: F401
    except ImportError:
        return False
    return True


def eevee_engine() -> str:
    """Return EEVEE's engine name: ``BLENDER_EEVEE_NEXT`` in 4.2 to 4.5."""
    return "BLENDER_EEVEE" if bpy.app.version >= (5, 0, 0) else "BLENDER_EEVEE_NEXT"


def expose_usd_library() -> bool:
    """Make Blender's bundled ``pxr`` package importable; return False in builds without it, such as Debian's."""
    if hasattr(bpy.utils, "expose_bundled_modules"):
        bpy.utils.expose_bundled_modules()
    try:
        import pxr  # noqa: F401
    except ImportError:
        return False
    return True


def has_operator(path: str) -> bool:
    """Tell whether this build has the operator ``path``, such as ``"wm.usd_export"``."""
    module, name = path.split(".")
    return name in dir(getattr(bpy.ops, module))


def set_supported(operator: Any, **settings: Any) -> dict[str, Any]:
    """Return those of ``settings`` that ``operator`` has in this version of Blender."""
    known = operator.get_rna_type().properties.keys()
    return {name: value for name, value in settings.items() if name in known}


GREASE_PENCIL = "GREASEPENCIL" if bpy.app.version >= (4, 3, 0) else "GPENCIL"
"""Type of a grease pencil object: 4.3 made them anew."""


def time_offset(drawing: Any, name: str) -> tuple[Any, str]:
    """Return the Time Offset modifier of a grease pencil and its animation path; one called ``name`` is made if none.

    Args:
        drawing: an object of type :data:`GREASE_PENCIL`.
        name: of a new modifier.
    """
    old = GREASE_PENCIL == "GPENCIL"
    field, kind = ("grease_pencil_modifiers", "GP_TIME") if old else ("modifiers", "GREASE_PENCIL_TIME")
    modifiers = getattr(drawing, field)
    found = next((modifier for modifier in modifiers if modifier.type == kind), None) or modifiers.new(name, kind)
    return found, f'{field}["{bpy.utils.escape_identifier(found.name)}"]'


def sequencer_context(scene: Any) -> dict[str, Any]:
    """Return what an operator on the sequencer of ``scene`` finds in its context; from 5.0 that is a scene too."""
    return {"sequencer_scene": scene} if bpy.app.version >= (5, 0, 0) else {}
