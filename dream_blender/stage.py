"""A small stage for still pictures: a camera on the face, three lights, and Workbench or EEVEE."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import numpy as np
import numpy.typing as npt
from mathutils import Vector

from . import compat
from .character import mapping_of, shape_targets

_LIGHTS = (
    ("Key", (0.55, -0.9, 0.55), 14.0, 0.5),
    ("Fill", (-0.8, -0.7, 0.15), 5.0, 0.8),
    ("Rim", (-0.35, 0.7, 0.6), 7.0, 0.4),
)
"""Name, place in metres from the middle of the head, power in watts, size in metres."""
_MOVING = 0.03  # share of the largest displacement that makes a vertex part of the face
_HEAD_HEIGHT = 1.75  # heights of the moving face that a picture shows
_HEAD_RISE = 0.12  # of the same, from the middle of the face to the middle of the picture


def _points(data: Any) -> npt.NDArray[np.float32]:
    points = np.empty(len(data) * 3, np.float32)
    data.foreach_get("co", points)
    return points.reshape(-1, 3)


def _face(head: Any) -> tuple[Vector, float]:
    """Return the middle (m, world) and the height (m) of the part of ``head`` that its expressions move."""
    rest = _points(head.data.vertices)
    moved = np.zeros(len(rest), np.float32)
    for target in shape_targets(head, mapping_of(head)):
        if target.mesh == head:
            moved = np.maximum(moved, np.abs(_points(target.key.data) - rest).max(axis=1))
    face = rest[moved > _MOVING * moved.max()] if moved.any() else rest
    scale = head.matrix_world
    corners = [scale @ Vector(corner.tolist()) for corner in (face.min(axis=0), face.max(axis=0))]
    return (corners[0] + corners[1]) / 2, abs(corners[1].z - corners[0].z)


def _aim(item: Any, target: Vector) -> None:
    item.rotation_mode = "XYZ"
    item.rotation_euler = (target - item.location).to_track_quat("-Z", "Y").to_euler()


def _put(scene: Any, name: str, data: Any) -> Any:
    item = bpy.data.objects.get(name) or bpy.data.objects.new(name, data)
    if item.name not in scene.collection.all_objects:
        scene.collection.objects.link(item)
    return item


def set_stage(scene: Any, head: Any, turn_degrees: float = 0.0) -> Any:
    """Put the camera of ``scene`` before ``head`` and light it; return the camera.

    Args:
        scene: the scene to dress.
        head: a head mesh that faces -Y.
        turn_degrees: how far round to the subject's left the camera stands.
    """
    bpy.context.view_layer.update()
    middle, face_height = _face(head)
    height = _HEAD_HEIGHT * face_height
    middle.z += _HEAD_RISE * face_height
    lens = bpy.data.cameras.get("Face Camera") or bpy.data.cameras.new("Face Camera")
    lens.lens = 85.0
    lens.clip_start = 0.01
    camera = _put(scene, "Face Camera", lens)
    angle = np.radians(turn_degrees)
    distance = height * 0.92 * lens.lens / lens.sensor_width
    camera.location = middle + Vector((np.sin(angle), -np.cos(angle), 0.02)) * distance
    _aim(camera, middle)
    scene.camera = camera
    for name, place, power, size in _LIGHTS:
        title = f"{name} Light"
        light = bpy.data.lights.get(title) or bpy.data.lights.new(title, "AREA")
        light.energy, light.size = power, size
        item = _put(scene, title, light)
        item.location = middle + Vector(place)
        _aim(item, middle)
    return camera


def set_picture(scene: Any, size: int, engine: str) -> None:
    """Set ``scene`` to render ``size`` by ``size`` pixel PNG pictures with ``"workbench"`` or ``"eevee"``."""
    render = scene.render
    render.resolution_x = render.resolution_y = size
    render.resolution_percentage = 100
    render.image_settings.file_format = "PNG"
    render.film_transparent = False
    scene.world = scene.world or bpy.data.worlds.new("World")
    scene.world.color = (0.16, 0.17, 0.19)
    scene.view_settings.view_transform = "Standard"
    scene.view_settings.exposure = 0.0 if engine == "eevee" else 0.8  # Workbench's studio light is dim
    if engine == "eevee":
        render.engine = compat.eevee_engine()
        scene.eevee.taa_render_samples = 16
        return
    render.engine = "BLENDER_WORKBENCH"
    shading = scene.display.shading
    shading.light = "STUDIO"
    shading.color_type = "VERTEX"
    shading.show_cavity = True
    shading.cavity_type = "SCREEN"
    shading.curvature_ridge_factor = 0.6
    shading.curvature_valley_factor = 0.6
    shading.show_specular_highlight = True
    scene.display.render_aa = "8"


def render_still(scene: Any, seconds: float, origin_frame: float, fps: float, path: Path) -> None:
    """Render ``scene`` at ``seconds`` of its take to the PNG file ``path``."""
    frame = origin_frame + seconds * fps
    whole = int(np.floor(frame))
    scene.frame_set(whole, subframe=float(frame - whole))
    scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)
