"""Where a character's head pose goes: the head bone of its armature, or the object itself.

Head pose is about the character's own axes (yaw about up, pitch about left, roll about forward), whatever the
bone's roll and whichever way the armature was imported: the rest matrix of the bone carries it over.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np
from mathutils import Euler, Matrix, Quaternion

from .head_pose import (
    EULER_ORDER,
    Array,
    PoseFrame,
    channels_to_pose,
    euler_from_matrices,
    matrices_from_euler,
    pose_to_channels,
)

REST_MARK = "dream_talk_rest"
"""Custom property of an object or pose bone: its rest location and rest Euler angles (rad, order YXZ), 6 numbers.
Of an Action: the same as JSON, by animation path."""

_HEAD_NAMES = (
    "head",  # Mixamo's "mixamorig:Head" too: what stands before a colon is left out
    "ccbasehead",  # Character Creator
    "jbipchead",  # VRM, as VRoid Studio writes it
    "bip01head",  # 3ds Max Biped
    "bip001head",
    "cheadx",  # Auto-Rig Pro's control, then its deforming bone
    "headx",
    "defhead",
    "defspine006",  # Rigify: deforming bones only
    "spine006",  # Rigify's metarig
)
_NO_HEAD = {"end", "top", "nub", "tip", "mch", "org", "tgt", "target", "aim", "ik", "pole", "look", "parent", "socket"}
_HOLDING = {"COPY_TRANSFORMS", "COPY_ROTATION", "ARMATURE"}
"""Constraints that overrule a bone's own pose."""

_EYES_PER_HEAD = 0.32
"""Distance between the eyes over the length of the head bone, which reaches from the neck to the crown."""


@dataclass(frozen=True)
class HeadTarget:
    """What a character's head pose is written to.

    Attributes:
        owner: the object whose Action takes the pose: an armature, or the character's mesh.
        bone: name of the pose bone; None where the object itself turns.
    """

    owner: Any
    bone: str | None

    @property
    def posed(self) -> Any:
        """The pose bone, or the object."""
        return self.owner if self.bone is None else self.owner.pose.bones[self.bone]

    @property
    def rotation_channel(self) -> str:
        """Name of the rotation property that poses it."""
        return "rotation_quaternion" if self.posed.rotation_mode == "QUATERNION" else "rotation_euler"

    @property
    def moves(self) -> bool:
        """Whether it can take translation: a bone that is connected to its parent cannot."""
        return self.bone is None or not self.posed.bone.use_connect

    def path(self, channel: str) -> str:
        """Return the animation path of ``"location"``, ``"rotation_euler"`` or ``"rotation_quaternion"``."""
        return channel if self.bone is None else f'pose.bones["{bpy.utils.escape_identifier(self.bone)}"].{channel}'


def armature_of(character: Any) -> Any | None:
    """Return the armature that deforms or carries ``character``, or None."""
    for modifier in character.modifiers:
        if modifier.type == "ARMATURE" and modifier.object is not None:
            return modifier.object
    above = character.parent
    while above is not None and above.type != "ARMATURE":
        above = above.parent
    return above


def _words(name: str) -> list[str]:
    """Return the words of a bone's name in lower case: ``"HeadTop_End"`` is head, top, end."""
    return [word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+", name)]


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.rpartition(":")[2].lower())


def _is_free(bone: Any) -> bool:
    return not any(held.type in _HOLDING and not held.mute and held.influence > 0 for held in bone.constraints)


def head_bone(armature: Any, held: bool = False) -> str | None:
    """Return the name of the bone of ``armature`` that turns the head, or None.

    Bones that constraints hold are out, for they cannot be keyed, unless ``held`` says that the head is only watched.
    """
    free: list[str] = [bone.name for bone in armature.pose.bones if held or _is_free(bone)]
    for usual in _HEAD_NAMES:
        for name in free:
            if _plain(name) == usual:
                return name
    worded = [name for name in free if "head" in _words(name) and not _NO_HEAD & set(_words(name))]
    return min(worded, key=len, default=None)


def head_target(character: Any, held: bool = False) -> HeadTarget | None:
    """Return where the head pose of ``character`` goes, or None for an armature without a head bone.

    The armature is that of the character's Armature modifier, or one it is parented to. A mesh that hangs on a
    bone is turned by that bone where the armature names no head. Without an armature the object itself turns.

    Args:
        character: a mesh object.
        held: whether a bone that constraints hold will do: to watch it, not to key it.
    """
    armature = armature_of(character)
    if armature is None:
        return HeadTarget(character, None)
    name = head_bone(armature, held)
    if name is None and character.parent == armature and character.parent_type == "BONE":
        name = character.parent_bone or None
    return None if name is None else HeadTarget(armature, name)


def _other_side(name: str) -> str:
    """Return the name of the bone on the right for one on the left, or the name itself."""
    for left, right in (("Left", "Right"), ("left", "right"), ("LEFT", "RIGHT")):
        if left in name:
            return name.replace(left, right)
    name = re.sub(r"(?<![A-Za-z0-9])L(?![A-Za-z0-9])", "R", name)
    return re.sub(r"(?<![A-Za-z0-9])l(?![a-z0-9])", "r", name)


def _main_axis(vector: Array) -> Array:
    """Return the unit vector along the largest component of ``vector`` (3,)."""
    axis = np.zeros(3)
    largest = int(np.argmax(np.abs(vector)))
    axis[largest] = 1.0 if vector[largest] >= 0 else -1.0
    return axis


def character_axes(armature: Any, bone: str) -> Array:
    """Return (3, 3): the character's left, back and up as columns, in the armature's own axes.

    Up is +Z, or +Y where the head stands higher over the rig's root along it, as in armatures that an importer
    left lying and turned as objects. Left is where the bones named left lie of those named right, else +X.
    """
    bones = armature.data.bones
    head = bones[bone]
    root = head.parent_recursive[-1] if head.parent else head
    rise = np.array(head.head_local - root.head_local, np.float64)
    if np.abs(rise[1:]).max() < 1e-3 * max(head.length, 1e-6):
        rise = np.array(head.tail_local - head.head_local, np.float64)
    up = np.array([0.0, 0.0, 1.0]) if rise[2] >= rise[1] else np.array([0.0, 1.0, 0.0])
    apart = np.zeros(3)
    for left in bones:
        right = _other_side(left.name)
        if right != left.name and right in bones:
            apart += np.array(left.head_local - bones[right].head_local)
    apart -= (apart @ up) * up
    left_axis = _main_axis(apart) if apart.any() else np.array([1.0, 0.0, 0.0])
    return np.stack([left_axis, np.cross(up, left_axis), up], axis=1)


def eye_distance(armature: Any) -> float:
    """Return the distance between the eyes in the unit of ``armature``, from its eye bones or else its head bone."""
    bones = armature.data.bones
    pairs = [
        (len(left.name), (left.head_local - bones[_other_side(left.name)].head_local).length)
        for left in bones
        if "eye" in _words(left.name) and _other_side(left.name) != left.name and _other_side(left.name) in bones
    ]
    apart = min(pairs, default=(0, 0.0))[1]  # the shortest name: eye.L, not eye_lid_upper.L
    if apart > 0:
        return float(apart)
    head = head_bone(armature)
    return float(_EYES_PER_HEAD * (bones[head] if head else bones[0]).length)


def remembered_rest(target: HeadTarget) -> Array | None:
    """Return (6,) location and Euler angles (rad, order YXZ) from before the first take; None without a take."""
    stored = target.posed.get(REST_MARK)
    if stored is None:
        animation = target.owner.animation_data
        kept = animation.action.get(REST_MARK) if animation and animation.action else None
        stored = json.loads(kept).get(target.path("")) if kept else None
    return None if stored is None else np.array(stored, np.float64)


def rest_of(target: HeadTarget) -> Array:
    """Return (6,) rest location and Euler angles (rad, order YXZ): the channels of before the first take."""
    remembered = remembered_rest(target)
    if remembered is not None:
        return remembered
    posed = target.posed
    return np.array([*posed.location, *posed.matrix_basis.to_euler(EULER_ORDER)], np.float64)


def rest_turn(target: HeadTarget) -> Array:
    """Return (3, 3) the rotation of the rotation channels at rest."""
    turns = matrices_from_euler(rest_of(target)[None, 3:])
    return turns.reshape(3, 3)


def pose_frame(target: HeadTarget) -> PoseFrame:
    """Return how head pose becomes the channels of ``target``."""
    rest, turn = rest_of(target), rest_turn(target)
    if target.bone is None:
        return PoseFrame(rest[:3], turn, np.eye(3), turn)
    axes = character_axes(target.owner, target.bone)
    bone = target.owner.data.bones[target.bone]
    in_bone = np.array(bone.matrix_local.to_3x3(), np.float64).T @ axes
    location_axes = turn @ in_bone if bone.use_local_location else axes
    size = float(np.mean(np.abs(target.owner.matrix_world.to_scale())))
    return PoseFrame(rest[:3], turn, in_bone, location_axes, 1.0 / max(size, 1e-9))


def remember_rest(target: HeadTarget, action: Any) -> None:
    """Store the rest pose of ``target``, so that takes do not add up, and make its rotation mode a keyable one.

    Objects turn in the order YXZ, which is that of head pose. Bones keep their mode; axis and angle, which cannot
    be keyed smoothly, becomes quaternion. ``action``, the take to be, keeps the rest pose too: library overrides
    lose new custom properties when their file is opened again.
    """
    posed = target.posed
    rest = rest_of(target).tolist()
    posed[REST_MARK] = rest
    kept = json.loads(action.get(REST_MARK, "{}"))
    action[REST_MARK] = json.dumps({**kept, target.path(""): rest})
    if target.bone is None:
        posed.rotation_mode = EULER_ORDER
    elif posed.rotation_mode == "AXIS_ANGLE":
        posed.rotation_mode = "QUATERNION"


def rotation_values(rotations: Array, mode: str) -> Array:
    """Return (T, 3) Euler angles rad or (T, 4) quaternions of (T, 3, 3) ``rotations``, without jumps over time."""
    if mode == EULER_ORDER:
        return euler_from_matrices(rotations)
    values: list[list[float]] = []
    before: Any = None
    for rotation in rotations:
        matrix = Matrix(rotation.tolist())
        if mode == "QUATERNION":
            now = matrix.to_quaternion()
            if before is not None:
                now.make_compatible(before)
        else:
            now = matrix.to_euler(mode, before) if before is not None else matrix.to_euler(mode)
        values.append(list(now))
        before = now
    return np.array(values, np.float64)


def rotations_of(values: Array, mode: str) -> Array:
    """Undo :func:`rotation_values`."""
    if mode == EULER_ORDER:
        return matrices_from_euler(values)
    made = [Quaternion(row) if mode == "QUATERNION" else Euler(row, mode) for row in values.tolist()]
    return np.array([turned.to_matrix() for turned in made], np.float64)


def head_channels(target: HeadTarget, head_rotation: Array, head_translation: Array) -> dict[str, Array]:
    """Return the channels that pose ``target``, (T, n) values by animation path. Call :func:`remember_rest` first.

    Args:
        target: from :func:`head_target`.
        head_rotation: (T, 3) pitch, yaw, roll rad.
        head_translation: (T, 3) m, project axes.
    """
    location, rotations = pose_to_channels(head_rotation, head_translation, pose_frame(target))
    channels = {target.path("location"): location} if target.moves else {}
    channels[target.path(target.rotation_channel)] = rotation_values(rotations, target.posed.rotation_mode)
    return channels


def head_pose_of(
    target: HeadTarget, location: Array | None, rotation: Array | None, frames: int
) -> tuple[Array, Array]:
    """Return (T, 3) pitch, yaw, roll rad and (T, 3) translation m of the channels of ``target``.

    Args:
        target: from :func:`head_target`.
        location: (T, 3) location channels; None stays at rest.
        rotation: (T, 3) or (T, 4) channels of ``target.rotation_channel``; None stays at rest.
        frames: T.
    """
    frame = pose_frame(target)
    places = np.tile(frame.location, (frames, 1)) if location is None else location
    turns = (
        np.tile(frame.turn, (frames, 1, 1)) if rotation is None else rotations_of(rotation, target.posed.rotation_mode)
    )
    return channels_to_pose(places, turns, frame)
