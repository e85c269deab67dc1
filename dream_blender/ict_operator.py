"""``ICT-FaceKit from Folder…``: the public head, built from the user's own download."""

# Blender reads properties from annotations, which type checkers take for types.
# mypy: disable-error-code="misc,valid-type"
# Blender names its classes KIND_OT_name and the like.
# ruff: noqa: N801
from pathlib import Path
from typing import Any, Final

import bpy
import numpy as np

from ..blendshape_rigs.arkit import ARKIT_NAMES
from ..blendshape_rigs.ict_facekit import MISSING, IctFaceKit, IctFaceKitError, read_ict_facekit
from .head_pose import to_blender
from .materials import material
from .translations import said

HEAD_NAME: Final = "ICT-FaceKit"
_NECK: Final = (0.0, -0.072, 0.0)  # metres: where the head turns on the neck, which becomes the object's origin
_COLOURS: Final[dict[str, tuple[float, float, float]]] = {
    "skin": (0.80, 0.62, 0.53),
    "gums": (0.66, 0.34, 0.33),
    "teeth": (0.90, 0.88, 0.82),
    "eye_white": (0.92, 0.91, 0.89),
    "iris": (0.29, 0.42, 0.49),
    "pupil": (0.02, 0.02, 0.02),
}
"""sRGB by part. Tear film and lashes are left out: without their own shaders and textures they hide the eyes."""


def spawn_ict_facekit(collection: Any, kit: IctFaceKit, location: tuple[float, float, float]) -> Any:
    """Add the head to ``collection`` and return it; its origin, metres ``location``, is where the neck turns."""
    shown = [number for number, name in enumerate(kit.parts) if name in _COLOURS]
    kept = np.isin(kit.face_parts, shown)
    counts = np.diff([*kit.face_starts, len(kit.corners)])
    corners = np.repeat(kept, counts)
    mesh = bpy.data.meshes.new(HEAD_NAME)
    mesh.vertices.add(len(kit.vertices))
    mesh.loops.add(int(corners.sum()))
    mesh.polygons.add(int(kept.sum()))
    rest = to_blender(kit.vertices - np.array(_NECK, np.float32))
    starts = np.concatenate([[0], np.cumsum(counts[kept])[:-1]])
    mesh.vertices.foreach_set("co", rest.ravel())
    mesh.loops.foreach_set("vertex_index", kit.corners[corners])
    mesh.polygons.foreach_set("loop_start", starts.astype(np.int32))
    mesh.polygons.foreach_set("material_index", np.searchsorted(shown, kit.face_parts[kept]).astype(np.int32))
    mesh.polygons.foreach_set("use_smooth", np.ones(int(kept.sum()), bool))
    for number in shown:
        mesh.materials.append(material(kit.parts[number], _COLOURS[kit.parts[number]]))
    mesh.update(calc_edges=True)
    if len(kit.uvs):
        mesh.uv_layers.new(name="UVMap").data.foreach_set("uv", kit.uvs[corners].ravel())
    head = bpy.data.objects.new(HEAD_NAME, mesh)
    head.location = location
    collection.objects.link(head)
    head.shape_key_add(name="Basis", from_mix=False)
    for name, delta in zip(ARKIT_NAMES, to_blender(kit.deltas), strict=True):
        if name not in MISSING:
            key = head.shape_key_add(name=name, from_mix=False)
            key.data.foreach_set("co", (rest + delta).ravel())
            key.value = 0.0
    return head


class DREAMTALK_OT_add_ict_facekit(bpy.types.Operator):
    """Build the MIT-licensed ICT-FaceKit head with its ARKit shapes from your own download of its repository"""

    bl_idname = "dream_talk.add_ict_facekit"
    bl_label = "ICT-FaceKit from Folder…"
    bl_options = {"REGISTER", "UNDO"}

    directory: bpy.props.StringProperty(subtype="DIR_PATH", options={"SKIP_SAVE"})
    filter_folder: bpy.props.BoolProperty(default=True, options={"HIDDEN", "SKIP_SAVE"})

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Tell whether Blender is in object mode."""
        if context.mode != "OBJECT":
            cls.poll_message_set("Go to Object Mode first")
            return False
        return True

    def invoke(self, context: Any, _event: Any) -> set[str]:
        """Ask for the folder."""
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: Any) -> set[str]:
        """Build the head and choose it as the character."""
        try:
            kit = read_ict_facekit(Path(bpy.path.abspath(self.directory)))
        except (IctFaceKitError, OSError) as error:
            self.report({"ERROR"}, said(str(error)))
            return {"CANCELLED"}
        head = spawn_ict_facekit(context.collection, kit, tuple(context.scene.cursor.location))
        for item in context.selected_objects:
            item.select_set(False)
        context.view_layer.objects.active = head
        context.scene.dream_talk.character = head
        made = len(ARKIT_NAMES) - len(MISSING)
        self.report({"INFO"}, said(f"Built {HEAD_NAME} with {made} of 52 shapes: it has no {', '.join(MISSING)}"))
        return {"FINISHED"}


CLASSES: tuple[Any, ...] = (DREAMTALK_OT_add_ict_facekit,)
