"""Two takes side by side: a copy of the character beside it plays the other take from the same frame."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np

from . import compat
from .character import TAKE_MARK, meshes_of
from .head_target import armature_of, character_axes, eye_distance, head_target
from .take import parts_of
from .take_settings import settings_of
from .takes import Part, active_take, copy_take, matched, moved_data, split, take_range

COMPARE_MARK = "dream_talk_compare"
"""Custom property of all that a comparison adds to the file: name of the character that it belongs to."""
COLLECTION_NAME = "DREAM-Talk Comparison"
_SPACING = 1.15  # head widths from the middle of one head to the next
_EYES_PER_WIDTH = 5.0  # the widest head, in distances between its eyes: more is a body with its arms out


def _added(items: Any, character: Any) -> list[Any]:
    """Return those of ``items`` that a comparison of ``character`` has added, or one of a character that is gone."""
    marked = [(item, item.get(COMPARE_MARK)) for item in items]
    return [item for item, mark in marked if mark and (mark == character.name or mark not in bpy.data.objects)]


def compared(character: Any) -> list[Any]:
    """Return the objects that stand beside ``character`` to be compared with it."""
    return _added(bpy.data.objects, character)


def _members(character: Any) -> list[Any]:
    """Return ``character``, its armature, what hangs on either, and the other meshes that its takes move."""
    armature = armature_of(character)
    tops = [item for item in (armature, *meshes_of(character)) if item is not None]
    carried = [item for top in tops for item in top.children_recursive]
    worn = [item for item in bpy.data.objects if armature is not None and armature_of(item) == armature]
    return list(dict.fromkeys([*tops, *carried, *worn]))


def _redirect(item: Any, copies: dict[Any, Any]) -> None:
    """Let every pointer to an object in the fields of ``item`` that is copied point to its copy."""
    for field in item.bl_rna.properties:
        if field.type == "POINTER" and not field.is_readonly:
            value = getattr(item, field.identifier)
            if value in copies:
                setattr(item, field.identifier, copies[value])


def _redirect_drivers(data: Any, copies: dict[Any, Any]) -> None:
    animation = data.animation_data if data is not None else None
    for driver in animation.drivers if animation is not None else ():
        for variable in driver.driver.variables:
            for target in variable.targets:
                if target.id in copies:
                    target.id = copies[target.id]


def _copy_objects(character: Any, collection: Any) -> dict[Any, Any]:
    """Return a copy of every member of ``character`` and of its shape keys, by the original."""
    copies: dict[Any, Any] = {}
    for item in _members(character):
        copied = item.copy()
        copied[COMPARE_MARK] = character.name
        collection.objects.link(copied)
        copies[item] = copied
        shape_keys = getattr(item.data, "shape_keys", None)
        if shape_keys is not None:  # shape keys and their animation belong to the mesh
            copied.data = item.data.copy()
            copied.data[COMPARE_MARK] = character.name
            copies[item.data], copies[shape_keys] = copied.data, copied.data.shape_keys
    for item in [item for item in copies if isinstance(item, bpy.types.Object)]:
        copied = copies[item]
        if item.parent in copies:
            copied.parent = copies[item.parent]
            copied.matrix_parent_inverse = item.matrix_parent_inverse
        bones = copied.pose.bones if copied.pose is not None else ()
        for held in (*copied.modifiers, *copied.constraints, *(c for bone in bones for c in bone.constraints)):
            _redirect(held, copies)
            for target in getattr(held, "targets", ()):
                _redirect(target, copies)
        _redirect_drivers(copied, copies)
        _redirect_drivers(getattr(copied.data, "shape_keys", None), copies)
    return copies


def _step_aside(character: Any) -> Any:
    """Return the (3,) way in the world from ``character`` to where one can stand beside it, to its left."""
    corners = np.array(character.bound_box) @ np.array(character.matrix_world.to_3x3()).T
    armature, target = armature_of(character), head_target(character, held=True)
    left = np.array([1.0, 0.0, 0.0])
    if armature is not None and target is not None and target.bone is not None:
        turned = np.array(armature.matrix_world.to_3x3()) @ character_axes(armature, target.bone)[:, 0]
        size = float(np.linalg.norm(turned))
        left = turned / size
        widest = _EYES_PER_WIDTH * eye_distance(armature) * size
    else:
        widest = np.inf
    across = corners @ left
    return left * _SPACING * min(float(across.max() - across.min()), widest)


def _place(copies: dict[Any, Any], aside: Any) -> None:
    """Move the copies that hang on no other copy by ``aside`` (3,) in the world; their own animation plays on."""
    for item, copied in copies.items():
        if isinstance(item, bpy.types.Object) and copied.parent not in copies.values():
            held = item.matrix_world @ item.matrix_basis.inverted_safe()
            local = np.linalg.inv(np.array(held.to_3x3())) @ aside
            copied.delta_location = np.array(copied.delta_location) + local


def _shift(character: Any, other: Any) -> float:
    """Return the frames by which ``other`` is moved to begin with the active take of ``character``."""
    now = active_take(character)
    if now is None:
        return 0.0
    one, two = settings_of(now), settings_of(other)
    if one is not None and two is not None and one.audio_hash and one.audio_hash == two.audio_hash:
        return one.origin_frame - two.origin_frame  # the same words at the same frames
    return take_range(now)[0] - take_range(other)[0]


def _moved_copy(character: Any, take: Any, frames: float) -> Any:
    """Return a copy of ``take`` that begins ``frames`` later, and is no take of its own."""
    copied = copy_take(take, f".{take.name} compared")
    parts = split(copied)
    for curve in (curve for part in parts for curve in part.curves):
        points = curve.keyframe_points
        values = np.zeros(2 * len(points), np.float32)
        for name in ("co", "handle_left", "handle_right"):
            points.foreach_get(name, values)
            values[::2] += frames
            points.foreach_set(name, values)
        curve.update()
    for action in parts_of(copied):
        action[COMPARE_MARK] = character.name
        action.use_fake_user = False
        del action[TAKE_MARK]
    return copied


def compare(context: Any, character: Any, take: Any) -> Any:
    """Let a copy of ``character`` stand beside it and play ``take``, and return the copy.

    Its body moves as the character's does. What stood there before is removed.
    """
    stop(character)
    context.view_layer.update()
    collection = bpy.data.collections.new(COLLECTION_NAME)
    collection[COMPARE_MARK] = character.name
    collection.hide_render = True
    context.scene.collection.children.link(collection)
    data = moved_data(character)
    frames = _shift(character, take)
    played = _moved_copy(character, take, frames) if frames else take
    chosen = matched(split(played), data)
    aside = _step_aside(character)
    copies = _copy_objects(character, collection)
    _place(copies, aside)
    for item in data:
        _play(copies[item], chosen.get(item))
    return copies[character]


def _play(data: Any, part: Part | None) -> None:
    """Let ``part`` play on the copied ``data``, in place of the take that the original plays."""
    action = data.animation_data.action if data.animation_data is not None else None
    if action is not None and TAKE_MARK not in action and data.id_type == "OBJECT":
        return  # the body's own animation
    if part is not None:
        compat.assign(data, part.action, part.slot)
    else:
        compat.unassign(data)


def stop(character: Any) -> None:
    """Remove what :func:`compare` has added for ``character``."""
    for items in (bpy.data.objects, bpy.data.meshes, bpy.data.collections, bpy.data.actions):
        for item in _added(items, character):
            items.remove(item)
