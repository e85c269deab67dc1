"""The takes of a character: which they are, which one is active, and what else their Actions hold.

A take is known by its first Action, that of the face; before Blender 4.4 it has one Action for each data-block.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import bpy
import numpy as np

from . import compat
from .adjust import drop_base
from .character import (
    EMOTION_PATH,
    TAKE_MARK,
    has_foreign_motion,
    mapped_bones,
    mapping_of,
    meshes_of,
    problem_with,
    value_path,
)
from .emotion_keys import keeping_emotion
from .head_pose import matrices_from_euler
from .head_target import REST_MARK, HeadTarget, armature_of, head_target, rotation_values
from .take import TAKE_ID_MARK, part_of, parts_of, take_of
from .take_settings import settings_of

TRACK_NAME = "DREAM-Talk"
"""NLA track of the takes that are pushed down."""


@dataclass(frozen=True)
class Part:
    """What a take does to one data-block.

    Attributes:
        action: one of the take's Actions.
        slot: the slot in it; None before Blender 4.4.
        id_type: ``"KEY"`` for shape keys, ``"OBJECT"`` for bones or the object.
        name: of the data-block that was keyed; may be empty.
        curves: the F-curves.
    """

    action: Any
    slot: Any | None
    id_type: str
    name: str
    curves: tuple[Any, ...]


def split(take: Any) -> list[Part]:
    """Return what the take, by its first Action, does to each data-block."""
    found = []
    for action in parts_of(take):
        keyed = part_of(action)[1]
        for id_type, name, slot, curves in compat.channels(action):
            found.append(Part(action, slot, id_type, keyed or name, tuple(curves)))
    return found


def pose_owner(character: Any) -> Any:
    """Return the object whose Action takes the bones and the head pose of ``character``."""
    return armature_of(character) or character


def moved_data(character: Any) -> list[Any]:
    """Return the data-blocks that takes of ``character`` move: shape keys of its meshes, then the pose's owner."""
    meshes = [character] if problem_with(character) else meshes_of(character)
    keys = [mesh.data.shape_keys for mesh in meshes if mesh.data.shape_keys is not None]
    return [*dict.fromkeys(keys), pose_owner(character)]


def active_action(data: Any) -> Any | None:
    """Return the active Action of ``data``, or None."""
    return data.animation_data.action if data.animation_data is not None else None


def first_of(action: Any) -> Any:
    """Return the first Action of the take that ``action`` belongs to."""
    return parts_of(action)[0]


def active_take(character: Any) -> Any | None:
    """Return the first Action of the take that now plays on ``character``, or None."""
    action = take_of(character)
    return first_of(action) if action is not None and TAKE_MARK in action else None


def _belongs(action: Any, character: Any, data: list[Any]) -> bool:
    """Tell whether the take's ``action`` was made for ``character``, which moves ``data``."""
    if any(active_action(item) == action for item in data):
        return True
    settings = settings_of(action)
    if settings is not None and settings.character in bpy.data.objects:
        return bool(settings.character == character.name)
    # The character has been renamed, or the take is from before its settings were kept.
    names = {(item.id_type, item.name) for item in data}
    return any((part.id_type, part.name) in names for part in split(action))


def takes_of(character: Any) -> list[Any]:
    """Return the first Actions of all takes of ``character`` in the order of their names."""
    data = moved_data(character)
    marked = [action for action in bpy.data.actions if TAKE_MARK in action and part_of(action)[0] == 0]
    return [action for action in marked if _belongs(action, character, data)]


def _fit(part: Part, data: Any) -> int:
    """Return how many F-curves of ``part`` move something of ``data``; 0 for another type of data-block."""
    if part.id_type != data.id_type:
        return 0
    count = 0
    for curve in part.curves:
        try:
            data.path_resolve(curve.data_path)
        except ValueError:
            continue
        count += 1
    return count


def matched(parts: Iterable[Part], data: Iterable[Any]) -> dict[Any, Part]:
    """Return which of ``parts`` moves which of the data-blocks ``data``: by name, else by what fits best."""
    left, found = list(parts), {}
    waiting = list(data)
    for item in list(waiting):
        named = next((part for part in left if (part.id_type, part.name) == (item.id_type, item.name)), None)
        if named is not None:
            found[item] = named
            left.remove(named)
            waiting.remove(item)
    for item in waiting:
        best = max(left, key=lambda part: _fit(part, item), default=None)
        if best is not None and _fit(best, item):
            found[item] = best
            left.remove(best)
    return found


def has_body_motion(character: Any) -> bool:
    """Tell whether the active Action of the armature, or object, of ``character`` is an animator's own."""
    owner = pose_owner(character)
    target = head_target(character)
    bones = set(mapped_bones(character, mapping_of(character)))
    bones |= {target.bone} if target is not None and target.bone else set()
    action = active_action(owner)
    if action is not None:  # the mapping may have been edited since
        bones |= {path.split('"')[1] for path in _face_paths(action) if path}
    return has_foreign_motion(owner, bones)


def _face_paths(action: Any) -> tuple[str, ...]:
    """Return the beginnings of the animation paths of what the take ``action`` poses; ``""`` is the object itself."""
    return tuple(json.loads(action.get(REST_MARK, "{}")))


def _is_of_face(part: Part, path: str) -> bool:
    if part.id_type == "KEY":
        return path.startswith("key_blocks[")
    if part.id_type != "OBJECT":
        return False
    poses = _face_paths(part.action)
    own = path.startswith(EMOTION_PATH) or ("" in poses and path.startswith(("location", "rotation_")))
    return own or any(path.startswith(beginning) for beginning in poses if beginning)


def foreign_curves(take: Any) -> list[str]:
    """Return the animation paths in the Actions of ``take`` that are an animator's own, such as body bones."""
    paths = [curve.data_path for part in split(take) for curve in part.curves if not _is_of_face(part, curve.data_path)]
    return list(dict.fromkeys(paths))


def _to_rest(data: Any, part: Part, kept: set[str]) -> None:
    """Put what ``part`` moved on ``data`` to rest, but for the animation paths ``kept``: it would stay as it was."""
    if part.id_type == "KEY":
        moved = {curve.data_path for curve in part.curves}
        for key in data.key_blocks:
            if value_path(key.name) in moved - kept:
                key.value = 0.0
        return
    for beginning, rest in json.loads(part.action.get(REST_MARK, "{}")).items():
        bone = beginning.split('"')[1] if beginning else None
        if any(path.startswith(beginning) for path in kept) or (bone is not None and bone not in data.pose.bones):
            continue
        target = HeadTarget(data, bone)
        turned = rotation_values(matrices_from_euler(np.array([rest[3:]])), target.posed.rotation_mode)
        target.posed.location = rest[:3]
        setattr(target.posed, target.rotation_channel, turned[0])


def clear(character: Any) -> None:
    """Take the active take off ``character``, whose face goes to rest.

    An animator's own Action stays the active one, but on the shape keys, where it is kept in the file.
    """
    with keeping_emotion(character):
        _clear(character, {})


def _clear(character: Any, chosen: dict[Any, Part]) -> None:
    """Take the active take off ``character``; what ``chosen``, by data-block, does not move goes to rest."""
    foreign = has_body_motion(character)
    for data in moved_data(character):
        action = active_action(data)
        if action is None or (data.id_type == "OBJECT" and foreign):
            continue
        if TAKE_MARK not in action:
            action.use_fake_user = action.use_fake_user or data.id_type == "KEY"
        else:
            kept = {curve.data_path for curve in chosen[data].curves} if data in chosen else set()
            for before in split(first_of(action)):
                if before.action == action and compat.is_assigned(data, before.slot):
                    _to_rest(data, before, kept)
        compat.unassign(data)


def activate(character: Any, take: Any) -> str:
    """Let ``take`` play on ``character``, and return what of it was left out, in words; may be empty.

    Where an animator's own Action moves the armature, or object, it goes on, without the take's head.
    """
    data = moved_data(character)
    chosen = matched(split(take), data)
    foreign = has_body_motion(character)
    with keeping_emotion(character):
        _clear(character, chosen)
        for item, part in chosen.items():
            if not (item.id_type == "OBJECT" and foreign):
                compat.assign(item, part.action, part.slot)
    owner = pose_owner(character)
    if foreign and owner in chosen:
        return f"'{owner.name}' plays its own animation, which is left as it is: this take's head stays out"
    return ""


def copy_take(take: Any, name: str) -> Any:
    """Return a copy of ``take`` called ``name``: its first Action."""
    take_id, copies = uuid4().hex, list[Any]()
    for part in parts_of(take):
        copied = part.copy()
        copied.name = name if not copies else f"{name} ({part_of(part)[1]})"
        copied.use_fake_user = True
        copied[TAKE_ID_MARK] = take_id
        copies.append(copied)
    return copies[0]


def strips_of(data: Any, actions: list[Any]) -> list[tuple[Any, Any]]:
    """Return (track, strip) of every NLA strip of ``data`` that plays one of ``actions``."""
    tracks = data.animation_data.nla_tracks if data.animation_data is not None else ()
    return [(track, strip) for track in tracks for strip in track.strips if strip.action in actions]


def delete_take(character: Any, take: Any) -> None:
    """Remove ``take`` and its NLA strips from the file. The take before it, else the one after, plays if it did."""
    takes, was_active = takes_of(character), active_take(character) == take
    place = takes.index(take) if take in takes else 0
    others = [other for other in takes if other != take]
    if was_active:
        if others:
            activate(character, others[max(0, place - 1)])
        else:
            clear(character)
    actions = parts_of(take)
    for data in moved_data(character):
        for track, strip in strips_of(data, actions):
            track.strips.remove(strip)
            if not track.strips and track.name.startswith(TRACK_NAME):
                data.animation_data.nla_tracks.remove(track)
    for action in actions:
        drop_base(action)
        bpy.data.actions.remove(action)


def take_range(take: Any) -> tuple[float, float]:
    """Return the first and last frame that ``take`` has keys at."""
    ranges = [curve.range() for part in split(take) for curve in part.curves if _is_of_face(part, curve.data_path)]
    return min(first for first, _ in ranges), max(last for _, last in ranges)


def pushed_names(character: Any) -> set[str]:
    """Return the names of the Actions that NLA strips of the face and head of ``character`` play."""
    animated = [data.animation_data for data in moved_data(character) if data.animation_data is not None]
    strips = [strip for animation in animated for track in animation.nla_tracks for strip in track.strips]
    return {strip.action.name for strip in strips if strip.action is not None}
