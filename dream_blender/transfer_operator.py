"""Characters without shape keys: points on the face, which may be dragged, and the avatar's shapes carried over."""

# Blender names its classes KIND_OT_name and the like, and its classes have no types.
# mypy: disable-error-code="misc"
# ruff: noqa: N801
from __future__ import annotations

from typing import Any, Final

import bpy
import numpy as np
import numpy.typing as npt

from ..blendshape_rigs.arkit import ARKIT_NAMES
from ..blendshape_rigs.transfer import (
    NoFaceError,
    TransferError,
    TransferReport,
    guess_face_points,
    transfer_shapes,
)
from .character import own_keys
from .head_pose import from_blender, to_blender
from .head_target import armature_of
from .panel import Sidebar, wrapped
from .translations import said

POINT_MARK: Final = "dream_talk_face_point"
"""Custom property of an empty: which of the ``FACE_POINTS`` it is."""
MADE_MARK: Final = "dream_talk_made_shapes"
"""Custom property of a mesh object: it has the avatar's shapes."""
REPORT_MARK: Final = "dream_talk_transfer_report"
"""Custom property of a mesh object: what came of the transfer, a sentence a line."""
_STILL: Final = 1e-5  # metres: a mesh that no shape moves by more gets none
_ONE_SIDED: Final = {"MIRROR", "ARRAY", "SCREW"}  # modifiers that make vertices which shapes cannot move one by one


def head_of(context: Any) -> Any | None:
    """Return the mesh whose face is meant: the active one, or the one that the active face point belongs to."""
    active = context.view_layer.objects.active
    if active is not None and POINT_MARK in active:
        active = active.parent
    return active if active is not None and active.type == "MESH" else None


def transfer_problem(head: Any) -> str:
    """Return why shapes cannot be carried over to ``head``, as one sentence; empty when they can."""
    if head is None:
        return "Make the mesh of a head active first"
    if head.library is not None or head.data.library is not None:
        return f"'{head.name}' is linked from another file: make it and its mesh local first"
    if head.override_library is not None:
        return f"'{head.name}' is a library override, which takes no new shapes: make it local first"
    if own_keys(head) and not head.data.shape_keys.use_relative:
        return f"The shape keys of '{head.name}' are absolute: switch on Relative"
    if MADE_MARK not in head and _arkit_named(head):
        return f"'{head.name}' has shapes of its own, such as {_arkit_named(head)[0].name}"
    for modifier in head.modifiers:
        if modifier.type in _ONE_SIDED:
            return f"Apply the modifier '{modifier.name}' of '{head.name}' first: a face needs both its sides"
    return ""


def _arkit_named(item: Any) -> list[Any]:
    return [key for key in own_keys(item) if key.name in ARKIT_NAMES]


def face_points(head: Any) -> dict[str, Any]:
    """Return the empties on the face of ``head`` by the name of their point."""
    return {item[POINT_MARK]: item for item in head.children if POINT_MARK in item}


def _meshes(context: Any, head: Any) -> list[Any]:
    """Return ``head``, what else is selected, and what hangs on it or on its armature: eyes, teeth, lashes."""
    armature = armature_of(head)
    related = [
        item
        for item in context.view_layer.objects
        if item.type == "MESH"
        and item != head
        and (item.select_get() or item.parent == head or (armature is not None and armature_of(item) == armature))
        and not transfer_problem(item)
    ]
    return [head, *related]


def _rest(item: Any) -> npt.NDArray[np.float32]:
    """Return the vertices (V, 3) of ``item`` without any shape, in its own space."""
    mesh = item.data
    found = np.empty(len(mesh.vertices) * 3, np.float32)
    source = mesh.shape_keys.reference_key.data if mesh.shape_keys else mesh.vertices
    source.foreach_get("co", found)
    return found.reshape(-1, 3)


def _in_world(item: Any) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int32]]:
    """Return vertices (V, 3) of ``item`` in the world, in the project's axes, and its triangles (F, 3)."""
    matrix = np.array(item.matrix_world)
    vertices = from_blender(_rest(item) @ matrix[:3, :3].T + matrix[:3, 3]).astype(np.float64)
    item.data.calc_loop_triangles()
    triangles = np.empty(len(item.data.loop_triangles) * 3, np.int32)
    item.data.loop_triangles.foreach_get("vertices", triangles)
    triangles = triangles.reshape(-1, 3)
    mirrored = np.linalg.det(matrix[:3, :3]) < 0
    return vertices, triangles[:, ::-1] if mirrored else triangles


def _together(
    meshes: list[Any],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int32], npt.NDArray[np.int64]]:
    """Return the vertices and triangles of all ``meshes`` in one, and the first vertex of each, with the end."""
    world = [_in_world(item) for item in meshes]
    starts = np.cumsum([0, *(len(vertices) for vertices, _ in world)])
    triangles = [own + start for (_, own), start in zip(world, starts, strict=False)]
    return np.concatenate([vertices for vertices, _ in world]), np.concatenate(triangles), starts


def place_face_points(context: Any, head: Any) -> None:
    """Put empties where the face of ``head`` has its points, in the place of those that it has already.

    The head stands upright in the world; it may be turned about the vertical as an object.

    Raises:
        NoFaceError: no face was found.
    """
    vertices, triangles, _ = _together(_meshes(context, head))
    angle = head.matrix_world.to_euler().z
    turn = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
    found = guess_face_points(vertices @ turn, triangles)
    remove_face_points(head)
    places = {name: to_blender(turn @ place) for name, place in found.items()}
    size = 0.1 * float(np.linalg.norm(places["nose tip"] - places["chin"]))
    for name, place in places.items():
        empty = bpy.data.objects.new(f"Face: {name}", None)
        empty[POINT_MARK] = name
        empty.empty_display_type = "SPHERE"
        empty.show_in_front = empty.show_name = True
        context.scene.collection.objects.link(empty)
        empty.parent = head
        matrix = np.array(head.matrix_world)
        empty.location = np.linalg.solve(matrix[:3, :3], place - matrix[:3, 3])
        empty.empty_display_size = size / float(np.cbrt(abs(np.linalg.det(matrix[:3, :3]))))
    context.view_layer.update()


def remove_face_points(head: Any) -> None:
    """Delete the empties on the face of ``head``."""
    for item in face_points(head).values():
        bpy.data.objects.remove(item)


def make_shapes(context: Any, head: Any) -> TransferReport:
    """Give ``head``, its eyes, teeth and lashes the avatar's shapes as shape keys with ARKit's names.

    Face points are found where there are none. Shapes made before are made anew.

    Raises:
        NoFaceError: no face was found.
        TransferError: the face points are of no use.
    """
    if not face_points(head):
        place_face_points(context, head)
    points = {name: from_blender(item.matrix_world.translation) for name, item in face_points(head).items()}
    meshes = _meshes(context, head)
    vertices, triangles, starts = _together(meshes)
    result = transfer_shapes(vertices, triangles, points)
    for item, start, end in zip(meshes, starts, starts[1:], strict=False):
        deltas = to_blender(result.deltas[:, start:end])
        _clear_shapes(item)
        if item == head or np.abs(deltas).max(initial=0) > _STILL:
            _add_shapes(item, deltas @ np.linalg.inv(np.array(item.matrix_world)[:3, :3]).T)
            _hang_on(item, head)
    head[REPORT_MARK] = "\n".join(result.report.lines())
    return result.report


def _clear_shapes(item: Any) -> None:
    if MADE_MARK in item:
        for key in _arkit_named(item):
            item.shape_key_remove(key)
        del item[MADE_MARK]


def _add_shapes(item: Any, deltas: npt.NDArray[np.floating[Any]]) -> None:
    if item.data.shape_keys is None:
        item.shape_key_add(name="Basis", from_mix=False)
    rest = _rest(item)
    for name, delta in zip(ARKIT_NAMES, deltas, strict=True):
        key = item.shape_key_add(name=name, from_mix=False)
        key.data.foreach_set("co", (rest + delta).astype(np.float32).ravel())
        key.value = 0.0
    item[MADE_MARK] = True


def _hang_on(item: Any, head: Any) -> None:
    """Let a loose mesh follow ``head``, so that takes find it and the head's motion carries it."""
    if item != head and item.parent is None and armature_of(item) is None:
        item.parent = head
        item.matrix_parent_inverse = head.matrix_world.inverted()


class _ForHead:
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Tell whether shapes can be carried over to the active mesh."""
        problem = "Go to Object Mode first" if context.mode != "OBJECT" else transfer_problem(head_of(context))
        if problem:
            cls.poll_message_set(said(problem))  # type: ignore[attr-defined]
        return not problem


class DREAMTALK_OT_find_face_points(_ForHead, bpy.types.Operator):
    """Mark nose, chin, mouth and eyes of the active mesh with points that you may drag to their right places"""

    bl_idname = "dream_talk.find_face_points"
    bl_label = "Find Face Points"

    def execute(self, context: Any) -> set[str]:
        """Find them."""
        try:
            place_face_points(context, head_of(context))
        except NoFaceError as error:
            self.report({"ERROR"}, said(str(error)))
            return {"CANCELLED"}
        return {"FINISHED"}


class DREAMTALK_OT_transfer_shapes(_ForHead, bpy.types.Operator):
    """Carry the avatar's 52 shapes over to the active mesh, an approximation; selected eyes and teeth take part"""

    bl_idname = "dream_talk.transfer_shapes"
    bl_label = "Make Shapes"

    def execute(self, context: Any) -> set[str]:
        """Make the shape keys and choose the mesh as the character."""
        head = head_of(context)
        assert head is not None  # poll saw to it
        try:
            report = make_shapes(context, head)
        except (NoFaceError, TransferError) as error:
            self.report({"ERROR"}, said(str(error)))
            return {"CANCELLED"}
        context.scene.dream_talk.character = head
        for warning in report.warnings:
            self.report({"WARNING"}, said(warning))
        self.report({"INFO"}, said(f"Made 52 shapes, an approximation: lips part {report.lip_opening_mm:.0f} mm"))
        return {"FINISHED"}


class DREAMTALK_OT_remove_face_points(bpy.types.Operator):
    """Delete the points on the active mesh's face; its shapes stay"""

    bl_idname = "dream_talk.remove_face_points"
    bl_label = "Remove Face Points"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Tell whether there are any."""
        head = head_of(context)
        if head is None or not face_points(head):
            cls.poll_message_set("The active mesh has no face points")
            return False
        return True

    def execute(self, context: Any) -> set[str]:
        """Delete them."""
        head = head_of(context)
        assert head is not None  # poll saw to it
        context.view_layer.objects.active = head
        remove_face_points(head)
        return {"FINISHED"}


def draw(layout: Any, context: Any) -> None:
    """Draw how a character without shapes gets some, and what came of it."""
    head = head_of(context)
    column = layout.column(align=True)
    column.operator("dream_talk.find_face_points", icon="EMPTY_AXIS")
    row = column.row(align=True)
    row.operator("dream_talk.transfer_shapes", icon="SHAPEKEY_DATA")
    row.operator("dream_talk.remove_face_points", text="", icon="X")
    text = str(head.get(REPORT_MARK, "")) if head is not None else ""
    lines = text.split("\n") if text else ["An approximation: the avatar's 52 shapes, carried over to your mesh"]
    for line in lines:
        wrapped(layout, line, "DOT")
    layout.operator("dream_talk.add_ict_facekit", icon="FILE_FOLDER")


class DREAMTALK_PT_transfer(Sidebar, bpy.types.Panel):
    """Characters that bring no shapes."""

    bl_idname = "DREAMTALK_PT_transfer"
    bl_label = "Character Without Shapes"
    bl_order = 6
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: Any) -> None:
        """Draw the panel."""
        draw(self.layout, context)


CLASSES: tuple[Any, ...] = (
    DREAMTALK_OT_find_face_points,
    DREAMTALK_OT_transfer_shapes,
    DREAMTALK_OT_remove_face_points,
    DREAMTALK_PT_transfer,
)
