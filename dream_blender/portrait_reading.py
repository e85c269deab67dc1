"""What a character shows in the present frame, whatever moves it: keys, NLA layers, drivers, constraints, hands.

Shape keys and bones are read after evaluation and taken back to ARKit channels by the character's mapping.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix, Quaternion, Vector

from ..blendshape_rigs.arkit import ARKIT_COUNT
from ..blendshape_rigs.curves import FaceCurves, Provenance
from ..blendshape_rigs.mapping import BoneChannel, Mapping, MappingError
from .character import NOBODY, mapped_bones, shown_mapping, shown_shapes
from .head_pose import Array, euler_from_matrices, from_blender, head_of_euler, matrices_from_euler
from .head_target import (
    HeadTarget,
    armature_of,
    character_axes,
    eye_distance,
    head_target,
    remembered_rest,
)
from .retarget import bone_axes

_CAMERA_TO_FACE = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
"""Columns: left, back and up of a face that looks into a camera, in the camera's own axes."""


class ReadingError(Exception):
    """A character that cannot be read; the message says what to do."""


@dataclass(frozen=True)
class Shown:
    """What a character shows in one frame.

    Attributes:
        columns: (N,) values of the targets of its mapping.
        turn: (3, 3) rotation of the head in its own left, back and up.
        move: (3,) metres in the same axes.
    """

    columns: Array
    turn: Array
    move: Array

    def same_as(self, other: Shown | None) -> bool:
        """Tell whether ``other`` looks the same."""
        return (
            other is not None
            and self.columns.shape == other.columns.shape
            and np.allclose(self.columns, other.columns, atol=1e-5)
            and np.allclose(self.turn, other.turn, atol=1e-5)
            and np.allclose(self.move, other.move, atol=1e-6)
        )


def problem_to_read(character: Any) -> str:
    """Return why a portrait cannot follow ``character``, as one sentence; empty when it can."""
    if character is None:
        return NOBODY
    if character.type != "MESH":
        return f"'{character.name}' is no mesh: choose the mesh of the face"
    try:
        mapping = shown_mapping(character)
    except MappingError as error:
        return f"The mapping of '{character.name}' cannot be read ({error}): reset it to automatic"
    if not shown_shapes(character, mapping) and not mapped_bones(character, mapping):
        return f"'{character.name}' has no shape keys or face bones that a portrait could follow"
    return ""


def watching_matrix(scene: Any, head_view: str, depsgraph: Any) -> Matrix | None:
    """Return the place and axes in the world of what looks at the head; None where the head's own pose counts.

    Args:
        scene: whose camera is meant.
        head_view: "CHARACTER", "CAMERA" or "VIEW".
        depsgraph: of the present frame.

    Raises:
        ReadingError: without a camera or 3D view.
    """
    if head_view == "CHARACTER":
        return None
    if head_view == "CAMERA":
        if scene.camera is None:
            raise ReadingError("The scene has no camera: add one, or let the head follow the character alone")
        return scene.camera.evaluated_get(depsgraph).matrix_world.copy()
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                return area.spaces.active.region_3d.view_matrix.inverted()
    raise ReadingError("There is no 3D view that looks at the head: open one, or use the scene's camera")


class FaceReader:
    """Reads one character. Keep it no longer than Blender's data stands still: undo and file loads end it.

    Args:
        character: the chosen mesh.

    Raises:
        ReadingError: for a character that cannot be read.
    """

    def __init__(self, character: Any) -> None:
        problem = problem_to_read(character)
        if problem:
            raise ReadingError(problem)
        self.mapping: Mapping = shown_mapping(character)
        self._character = character
        self._shapes = shown_shapes(character, self.mapping)
        self._bones = mapped_bones(character, self.mapping)
        armature = armature_of(character)
        self._head = head_target(character, held=True) or HeadTarget(armature, None)

    def read(self, depsgraph: Any, watching: Matrix | None = None) -> Shown:
        """Return what the character shows now.

        Args:
            depsgraph: evaluated for the present frame.
            watching: place and axes in the world of what looks at the head, see :func:`watching_matrix`.

        Raises:
            ReadingError: for a character that is hidden, so that Blender does not evaluate it.
        """
        if not self._character.evaluated_get(depsgraph).is_evaluated:
            raise ReadingError(f"'{self._character.name}' is hidden: show it in the viewport")
        columns = np.zeros(len(self.mapping.entries))
        for column, (item, name) in self._shapes.items():
            key = item.data.shape_keys.evaluated_get(depsgraph).key_blocks[name]
            columns[column] = 0.0 if key.mute else key.value
        self._read_bones(depsgraph, columns)
        turn, move = _head_pose(self._head, depsgraph, watching)
        return Shown(columns, turn, move)

    def _read_bones(self, depsgraph: Any, columns: Array) -> None:
        if not self._bones:
            return
        armature = armature_of(self._character)
        unit = eye_distance(armature)
        poses = {bone: _bone_pose(HeadTarget(armature, bone), depsgraph) for bone in self._bones}
        for column in self.mapping.of_kind("bone"):
            channel = BoneChannel.parse(self.mapping.entries[column].target)
            if channel.bone in poses:
                moved, turned = poses[channel.bone]
                values = moved / unit if channel.channel == "location" else turned
                columns[column] = values[channel.axis]

    def curves(self, shown: list[Shown], fps: float, start: float = 0.0) -> FaceCurves:
        """Return frames that :meth:`read` gave as face curves.

        Args:
            shown: consecutive frames.
            fps: frames per second.
            start: seconds of the first.
        """
        values = np.zeros((len(shown), ARKIT_COUNT), np.float32)
        if shown:
            values = np.clip(np.stack([one.columns for one in shown]) @ _inverse(self.mapping), 0.0, 1.0)
        euler = euler_from_matrices(np.array([one.turn for one in shown]).reshape(-1, 3, 3))
        moves = np.array([one.move for one in shown]).reshape(-1, 3)
        rotation = head_of_euler(euler).astype(np.float32)
        return FaceCurves(values, rotation, from_blender(moves), fps, start, Provenance(source="action"))


def _as_named(mapping: Mapping) -> Mapping:
    """Return ``mapping`` with every shape key standing for what it is named after, and not for what it replaces.

    A take moves a lone smile for the cheeks too; a smile that an animator poses is no raised cheek.
    """
    entries = []
    for entry in mapping.entries:
        named = tuple((name, weight) for name, weight in entry.sources if name in entry.main_sources)
        entries.append(replace(entry, sources=named) if entry.kind == "channel" else entry)
    return replace(mapping, entries=tuple(entries))


@lru_cache(maxsize=8)
def _inverse(mapping: Mapping) -> Array:
    """Return (N, 52): the ARKit weights that each target of ``mapping`` stands for; its inverse is linear."""
    return _as_named(mapping).restore(np.eye(len(mapping.entries))).astype(np.float64)


def _rest(target: HeadTarget) -> tuple[Array, Array]:
    """Return (3,) location and (3, 3) rotation channels at rest; those of no motion where no take tells."""
    known = remembered_rest(target)
    if known is None:
        return np.zeros(3), np.eye(3)
    return known[:3], matrices_from_euler(known[None, 3:])[0]


def _bone_pose(target: HeadTarget, depsgraph: Any) -> tuple[Array, Array]:
    """Return (3,) movement, in the armature's unit, and (3,) rotation, radians, of a face bone in the face's axes."""
    owner = target.owner.evaluated_get(depsgraph)
    bone = owner.pose.bones[target.bone]
    local = owner.convert_space(pose_bone=bone, matrix=bone.matrix, from_space="POSE", to_space="LOCAL")
    axes = bone_axes(target.owner, target.bone or "")
    location, turn = _rest(target)
    turned = Matrix((turn.T @ _rotation(local)).tolist()).to_quaternion()
    moved = axes @ (np.array(local.translation) - location)
    return moved, axes @ np.array(Quaternion(turned).to_exponential_map())


def _rotation(matrix: Matrix) -> Array:
    """Return the (3, 3) rotation of a 4 x 4 matrix without its scale."""
    return np.array(matrix.to_quaternion().to_matrix(), np.float64)


def _head_pose(target: HeadTarget, depsgraph: Any, watching: Matrix | None) -> tuple[Array, Array]:
    """Return (3, 3) rotation and (3,) movement in metres of the head, in its own left, back and up.

    Both are relative to the head's rest; with ``watching``, the rotation is relative to a face that looks there.
    """
    carrier, rest, now, moved = _bone_frames(target, depsgraph) if target.bone else _object_frames(target, depsgraph)
    if watching is not None:
        rest = carrier.T @ _rotation(watching) @ _CAMERA_TO_FACE
    return rest.T @ now, rest.T @ moved


def _bone_frames(target: HeadTarget, depsgraph: Any) -> tuple[Array, Array, Array, Array]:
    """Return the armature's rotation in the world, then in its axes: the head's axes at rest and now, its movement."""
    owner = target.owner.evaluated_get(depsgraph)
    bone, posed = target.owner.data.bones[target.bone], owner.pose.bones[target.bone]
    in_bone = _rotation(bone.matrix_local).T @ character_axes(target.owner, target.bone or "")
    location, turn = _rest(target)
    # A bone that turns its location with itself rests where that takes it; the others move along the armature's axes.
    offset = Vector(location.tolist())
    if bone.use_local_location:
        offset = bone.matrix_local.to_3x3() @ offset
    size = float(np.mean(np.abs(owner.matrix_world.to_scale())))
    moved = np.array(posed.matrix.translation - bone.matrix_local.translation - offset) * size
    rest = _rotation(bone.matrix_local) @ turn @ in_bone
    return _rotation(owner.matrix_world), rest, _rotation(posed.matrix) @ in_bone, moved


def _object_frames(target: HeadTarget, depsgraph: Any) -> tuple[Array, Array, Array, Array]:
    """Return the same of a head that is an object of its own, in the axes of its parent."""
    owner = target.owner.evaluated_get(depsgraph)
    # The location and rotation channels, with what constraints make of them.
    local = owner.matrix_parent_inverse.inverted() @ owner.matrix_local
    now = _rotation(local)
    known = remembered_rest(target) is not None
    location, turn = _rest(target)
    # Where an object without a take stands is its place in the scene, not a movement of the head.
    moved = np.array(local.translation) - location if known else np.zeros(3)
    return _rotation(owner.matrix_world) @ now.T, turn, now, moved
