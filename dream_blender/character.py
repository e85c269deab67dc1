"""Who talks: the meshes of one character, the mapping that drives them, and why that cannot be, if so."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import bpy
import numpy as np

from ..blendshape_rigs.arkit import ARKIT_NAMES
from ..blendshape_rigs.mapping import BoneChannel, Mapping, MappingError, auto_map
from ..blendshape_rigs.mapping import profile as mapping_profile
from . import compat
from .head_target import armature_of, head_target

MAPPING_MARK = "dream_talk_mapping"
"""Custom property that holds a mapping as JSON: of a character the one an animator has edited, of an Action the one
that it was keyed by."""
TAKE_MARK = "dream_talk_take"
"""Custom property of an Action: where the take came from, as JSON."""
EMOTION_PATH = "dream_talk_emotion"
"""Animation path of what a character feels, on its object; of one emotion it is ``dream_talk_emotion.happy``."""
NOBODY = "Choose a character, make one active, or add the avatar first"
_NAMED = 3  # shapes that a message names
_families: list[dict[Any, list[Any]]] = []
"""What :func:`nothing_changes` remembers, the innermost last."""


@dataclass(frozen=True)
class ShapeTarget:
    """One shape key that a mapping drives.

    Attributes:
        mesh: the mesh object.
        key: its shape key.
        column: of the mapping.
    """

    mesh: Any
    key: Any
    column: int


def has_shapes(item: Any) -> bool:
    """Tell whether the object ``item`` is a mesh with more shape keys than the one that the others start from."""
    return item.type == "MESH" and item.data.shape_keys is not None and len(item.data.shape_keys.key_blocks) > 1


def shape_names(item: Any) -> list[str]:
    """Return the names of the shape keys of the object ``item`` without the one that the others start from."""
    if not has_shapes(item):
        return []
    shape_keys = item.data.shape_keys
    reference = shape_keys.reference_key.name
    return [name for name in shape_keys.key_blocks.keys() if name != reference]  # noqa: SIM118 # faster than items


def own_keys(item: Any) -> list[Any]:
    """Return the shape keys of the object ``item`` without the one that the others start from."""
    return [item.data.shape_keys.key_blocks[name] for name in shape_names(item)]


def value_path(name: str) -> str:
    """Return the animation path of the value of the shape key called ``name``."""
    return f'key_blocks["{bpy.utils.escape_identifier(name)}"].value'


def _bounds(item: Any) -> tuple[Any, Any]:
    """Return the lowest and highest corner (3,) of the box about ``item``, in the world."""
    corners = np.array(item.bound_box) @ np.array(item.matrix_world.to_3x3()).T + np.array(
        item.matrix_world.translation
    )
    return corners.min(axis=0), corners.max(axis=0)


def _touch(one: Any, other: Any) -> bool:
    low, high = _bounds(one)
    other_low, other_high = _bounds(other)
    margin = 0.05 * (high - low).max()
    return bool((low - margin <= other_high).all() and (other_low <= high + margin).all())


def _relatives(character: Any) -> Iterator[Any]:
    """Yield the other meshes with shape keys under the armature of ``character``, or beside it under its parent.

    Without an armature only meshes that touch it count, so that two heads under one empty stay two characters.
    """
    armature = armature_of(character)
    for item in bpy.data.objects:
        if item == character or not has_shapes(item) or item.library is not None:
            continue
        if armature is not None:
            if armature_of(item) == armature:
                yield item
        elif item.parent is not None and item.parent in (character, character.parent) and _touch(character, item):
            yield item


@contextmanager
def nothing_changes() -> Iterator[None]:
    """Search files for the meshes of characters only once while inside: for drawing, which may not change a thing."""
    _families.append({})
    try:
        yield
    finally:
        _families.pop()


def _family(character: Any) -> list[Any]:
    """Return ``character`` and its relatives, one object for each mesh."""
    if _families and character in _families[-1]:
        return _families[-1][character]
    found: list[Any] = []
    for item in (character, *_relatives(character)):
        if not any(known.data == item.data for known in found):
            found.append(item)
    if _families:
        _families[-1][character] = found
    return found


@lru_cache(maxsize=64)
def _automatic(names: tuple[str, ...]) -> Mapping:
    return auto_map(names)


@lru_cache(maxsize=64)
def _read(text: str) -> Mapping:
    return Mapping.from_json(text)


def _keeper(character: Any) -> tuple[Any, str]:
    """Return which data-block keeps the edited mapping of ``character``, and under which name.

    A library override loses new custom properties when its file is opened again, so its scene keeps them.
    """
    if character.override_library is not None and character.users_scene:
        return character.users_scene[0], f"{MAPPING_MARK}:{character.name}"
    return character, MAPPING_MARK


def edited_mapping(character: Any) -> str:
    """Return the JSON of the mapping that an animator has edited for ``character``; empty when it is automatic."""
    keeper, name = _keeper(character)
    return str(keeper.get(name, ""))


def store_mapping(character: Any, mapping: Mapping | None) -> None:
    """Keep ``mapping`` with ``character`` in the .blend file; None returns to the automatic one."""
    keeper, name = _keeper(character)
    if mapping is not None:
        keeper[name] = mapping.to_json()
    elif name in keeper:
        del keeper[name]


def names_by_driver(item: Any, driven: bool) -> list[str]:
    """Return the names of the shape keys of ``item`` whose values drivers hold, or of those that they leave."""
    names = shape_names(item)
    animation = item.data.shape_keys.animation_data if names else None
    held = {driver.data_path for driver in animation.drivers} if animation is not None else set()
    return [name for name in names if (bool(held) and value_path(name) in held) == driven]


def _key_names(character: Any, driven: bool) -> tuple[str, ...]:
    """Return the names of the shape keys of all meshes of ``character`` that drivers hold, or hold not."""
    return tuple(dict.fromkeys(name for item in _family(character) for name in names_by_driver(item, driven)))


def _bone_mapping(armature: Any) -> Mapping:
    found = _automatic(tuple(bone.name for bone in armature.data.bones))
    return found.only(entry.target for entry in found.entries if entry.kind == "bone")


def automatic_mapping(character: Any) -> Mapping:
    """Return the best mapping for the shape keys of all meshes of ``character``, or for the bones of its armature.

    Shape keys that drivers hold are left out. Bones drive the face where they carry more ARKit channels than the
    shape keys do.
    """
    shapes = _automatic(_key_names(character, driven=False))
    armature = armature_of(character)
    if armature is None:
        return shapes
    bones = _bone_mapping(armature)
    return bones if len(bones.missing) < len(shapes.missing) else shapes


def shown_mapping(character: Any) -> Mapping:
    """Return the mapping that tells from shape keys and face bones what ``character`` does, driven ones too.

    Raises:
        MappingError: for an edited one that cannot be read.
    """
    text = edited_mapping(character)
    if text:
        return _read(text)
    shapes = _automatic(tuple(dict.fromkeys(name for item in _family(character) for name in shape_names(item))))
    armature = armature_of(character)
    if armature is None:
        return shapes
    bones = _bone_mapping(armature)
    return bones if len(bones.missing) < len(shapes.missing) else shapes


def shown_shapes(character: Any, mapping: Mapping) -> dict[int, tuple[Any, str]]:
    """Return which mesh and which of its shape keys shows each column of ``mapping``; the chosen mesh goes first."""
    columns = {entry.target: column for column, entry in enumerate(mapping.entries) if entry.kind != "bone"}
    found: dict[int, tuple[Any, str]] = {}
    for item in _family(character):
        for name in shape_names(item):
            if name in columns:
                found.setdefault(columns[name], (item, name))
    return found


def mapping_of(character: Any) -> Mapping:
    """Return the mapping that drives ``character``: the edited one, else the automatic one.

    Raises:
        MappingError: for an edited one that cannot be read.
    """
    text = edited_mapping(character)
    return _read(text) if text else automatic_mapping(character)


def profile_title(mapping: Mapping) -> str:
    """Return the family that ``mapping`` was recognised as, in words."""
    if not mapping.profile:
        return "No known family"
    try:
        return mapping_profile(mapping.profile).title
    except MappingError:
        return mapping.profile  # one of another version of the add-on


def target_names(character: Any) -> list[str]:
    """Return the names of the shape keys of all meshes of ``character``, and of the bone axes that its mapping has."""
    bones = [entry.target for entry in automatic_mapping(character).entries if entry.kind == "bone"]
    return list(dict.fromkeys([*(name for item in _family(character) for name in shape_names(item)), *bones]))


def shape_targets(character: Any, mapping: Mapping, driven: bool = False) -> list[ShapeTarget]:
    """Return the shape keys of all meshes of ``character`` that ``mapping`` drives and nothing else holds.

    Args:
        character: the chosen mesh.
        mapping: from :func:`mapping_of`.
        driven: return those that drivers hold instead.
    """
    columns = {entry.target: column for column, entry in enumerate(mapping.entries) if entry.kind != "bone"}
    return [
        ShapeTarget(item, item.data.shape_keys.key_blocks[name], columns[name])
        for item in _family(character)
        if item.data.library is None
        for name in names_by_driver(item, driven)
        if name in columns
    ]


def held_shapes(character: Any, mapping: Mapping) -> list[str]:
    """Return the names of shape keys that a take would move, were they not held by drivers.

    Shape keys of other meshes of which one of the same name is free, as teeth often follow the head, are not among
    them, nor are those whose ARKit channels reach another shape.
    """
    names = _key_names(character, driven=True)
    free = {target.key.name for target in shape_targets(character, mapping)}
    missing = set(mapping.missing)
    wanted = {entry.target for entry in _automatic(names).entries if missing.intersection(entry.main_sources)}
    wanted.update(mapping.targets)
    followers = free.difference(names_by_driver(character, driven=True))
    return [name for name in names if name in wanted and name not in followers]


def meshes_of(character: Any) -> list[Any]:
    """Return the meshes that a take of ``character`` animates: itself first, then teeth, lashes, tongue and so on."""
    mapping = mapping_of(character)
    moved = [target.mesh for target in shape_targets(character, mapping)]
    return list(dict.fromkeys([character, *moved]))


def mapped_bones(character: Any, mapping: Mapping) -> list[str]:
    """Return the names of the bones of the armature of ``character`` that ``mapping`` drives."""
    armature = armature_of(character)
    if armature is None:
        return []
    names = {BoneChannel.parse(mapping.entries[column].target).bone: None for column in mapping.of_kind("bone")}
    return [name for name in names if name in armature.pose.bones]


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:_NAMED])
    return f"{shown} and {len(names) - _NAMED} more" if len(names) > _NAMED else shown


def is_linked(character: Any) -> bool:
    """Tell whether ``character`` or its mesh is linked from another file, so that it holds no animation here."""
    return character.library is not None or bool(has_shapes(character) and character.data.library is not None)


def problem_with(character: Any) -> str:
    """Return why ``character`` cannot be keyed, as one sentence; empty when it can."""
    if character is None:
        return NOBODY
    if character.type != "MESH":
        return f"'{character.name}' is no mesh: choose the mesh of the face"
    if is_linked(character):
        return f"'{character.name}' is linked from another file: press Make Library Override, or make it local"
    try:
        mapping = mapping_of(character)
    except MappingError as error:
        return f"The mapping of '{character.name}' cannot be read ({error}): reset it to automatic"
    free = shape_targets(character, mapping)
    absolute = [target.mesh.name for target in free if not target.key.id_data.use_relative]
    if absolute:
        return f"The shape keys of '{absolute[0]}' are absolute: switch on Relative"
    if free or mapped_bones(character, mapping):
        return motion_problem(character, mapping) if mapped_bones(character, mapping) else ""
    held = held_shapes(character, mapping)
    if held:
        return (
            f"Drivers hold all {len(held)} shape keys of '{character.name}' that speech moves, such as {held[0]}: "
            "delete those drivers first"
        )
    return (
        f"'{character.name}' has no shape keys or face bones that speech could move, such as jawOpen or A, E, O: "
        "make some under Character Without Shapes"
    )


def notes_on(character: Any) -> list[str]:
    """Return what of ``character`` a take leaves out, one sentence each; call it where there is no problem."""
    mapping = mapping_of(character)
    notes = []
    held = held_shapes(character, mapping)
    if held:
        notes.append(f"Drivers hold {len(held)} shape keys, left as they are: {_listed(held)}")
    linked = [item.name for item in _family(character) if item.data.library is not None]
    if linked:
        notes.append(f"Linked meshes are left out: {_listed(linked)}. Make Library Override takes them in")
    if any(item.data.override_library is not None for item in _family(character)):
        notes.append("Blender cuts an overridden shape key at its slider's ends when the file is opened again")
    if mapping.missing:
        notes.append(f"{len(mapping.missing)} ARKit channels reach no shape: {_listed(list(mapping.missing))}")
    return notes


def _posed_bones(owner: Any) -> set[str]:
    """Return the names of the bones of ``owner`` that its active Action moves."""
    paths = (curve.data_path for curve in compat.assigned_curves(owner))
    return {path.split('"')[1] for path in paths if path.startswith('pose.bones["')}


def has_foreign_motion(owner: Any, bones: set[str]) -> bool:
    """Tell whether the object ``owner`` is moved by animation that is no take of ours.

    A take on an armature to which somebody has added keys for other bones than ``bones`` counts as foreign too. Keys
    of what a character feels move nothing.
    """
    animation = owner.animation_data
    moved = [curve for curve in compat.assigned_curves(owner) if not curve.data_path.startswith(f"{EMOTION_PATH}.")]
    if animation is None or animation.action is None or not moved:
        return False
    return TAKE_MARK not in animation.action or bool(_posed_bones(owner) - bones)


def motion_problem(character: Any, mapping: Mapping) -> str:
    """Return why the bones that ``mapping`` and head pose move cannot be keyed; empty when they can."""
    armature = armature_of(character)
    target = head_target(character)
    owner = target.owner if target is not None else armature
    if owner is None:
        return ""
    if owner.library is not None:
        return f"'{owner.name}' is linked from another file: press Make Library Override"
    bones = set(mapped_bones(character, mapping)) | ({target.bone} if target and target.bone else set())
    if not has_foreign_motion(owner, bones):
        return ""
    if owner.type == "ARMATURE":
        return f"'{owner.name}' already has animation of its own: push it down into an NLA track first"
    return f"'{owner.name}' already has object animation: give the head an object of its own"


def head_problem(character: Any) -> str:
    """Return why ``character`` cannot take head pose, as one sentence; empty when it can."""
    armature = armature_of(character)
    if armature is not None and head_target(character) is None:
        return f"'{armature.name}' has no head bone that is free to turn: switch Head Motion off"
    problem = motion_problem(character, mapping_of(character))
    return f"{problem}, or switch Head Motion off" if problem else ""


def _likelihood(item: Any) -> tuple[int, int, int]:
    names = shape_names(item)
    reached = len(ARKIT_NAMES) - len(_automatic(tuple(names)).missing)
    return reached, len(names), len(item.data.vertices)


def likeliest(items: Iterable[Any]) -> Any | None:
    """Return the mesh among the objects ``items`` whose shape keys carry most of a performance; None without meshes."""
    return max((item for item in items if item.type == "MESH"), key=_likelihood, default=None)


def character_from(item: Any) -> Any | None:
    """Return the mesh that talks when the object ``item`` is meant: itself, or the likeliest that hangs on it.

    None where there is none. On an armature hang the meshes that it carries, on an empty those of its collection.
    """
    if item is None or item.type == "MESH":
        return item
    if item.type == "ARMATURE":
        return likeliest(mesh for mesh in bpy.data.objects if mesh.type == "MESH" and armature_of(mesh) == item)
    if item.type == "EMPTY" and item.instance_collection is not None:
        return likeliest(item.instance_collection.all_objects)
    return likeliest(item.children_recursive)


def can_be_chosen(item: Any) -> bool:
    """Tell whether the object ``item`` belongs in the list of characters: a mesh with shape keys or on face bones."""
    if item.type != "MESH":
        return False
    if has_shapes(item):
        return True
    armature = armature_of(item)
    return armature is not None and bool(_bone_mapping(armature).entries)


def turns_by_default(character: Any) -> bool:
    """Tell whether head pose should go to ``character`` unless somebody says otherwise: its head bone is free."""
    target = head_target(character)
    return (
        target is not None and target.bone is not None and not problem_with(character) and not head_problem(character)
    )
