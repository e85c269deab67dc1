"""Read exported files with Blender's own importers in a fresh process; write what they hold, mesh by mesh."""

import importlib
from pathlib import Path

import bpy
import numpy as np
from blender_test import MODULE, arguments, report

compat = importlib.import_module(f"{MODULE}.dream_blender.compat")
folder, fps = Path(arguments["folder"]), arguments["fps"]
IMPORTERS = {
    ".fbx": lambda path: bpy.ops.import_scene.fbx(filepath=path, anim_offset=0.0),
    ".glb": lambda path: bpy.ops.import_scene.gltf(filepath=path),
    ".usdc": lambda path: bpy.ops.wm.usd_import(filepath=path),
    ".abc": lambda path: bpy.ops.wm.alembic_import(filepath=path, set_frame_range=False, as_background_job=False),
}


def keys_of(item, rate):
    """Return seconds and values (2, K) of every animated shape key of the mesh object ``item``."""
    curves = {curve.data_path: curve for curve in compat.assigned_curves(item.data.shape_keys)}
    found = {}
    for key in item.data.shape_keys.key_blocks:
        curve = curves.get(f'key_blocks["{key.name}"].value')
        if curve is not None:
            points = np.empty(len(curve.keyframe_points) * 2, np.float32)
            curve.keyframe_points.foreach_get("co", points)
            frames, values = points.reshape(-1, 2).T.astype(np.float64)
            found[key.name] = np.stack([frames / rate, values])
    return found


def points_of(item):
    """Return the points (V, 3) of the mesh object ``item`` in the world, as they show now."""
    evaluated = item.evaluated_get(bpy.context.evaluated_depsgraph_get())
    points = np.empty(len(evaluated.data.vertices) * 3, np.float32)
    evaluated.data.vertices.foreach_get("co", points)
    matrix = np.array(evaluated.matrix_world)
    return points.reshape(-1, 3) @ matrix[:3, :3].T + matrix[:3, 3]


sizes = {}
for name in arguments["files"]:
    path = folder / name
    if not path.is_file():
        continue
    bpy.ops.wm.read_factory_settings(use_empty=True)
    if path.suffix == ".abc":
        bpy.context.scene.render.fps, bpy.context.scene.render.fps_base = round(fps), round(fps) / fps
    IMPORTERS[path.suffix](str(path))
    # Blender's FBX and glTF importers leave fps_base out of account; frames of USD are the file's time codes.
    rate = fps if path.suffix == ".usdc" else bpy.context.scene.render.fps
    meshes = [item for item in bpy.data.objects if item.type == "MESH" and len(item.data.vertices) > 1000]
    heights = []
    for number, item in enumerate(sorted(meshes, key=lambda item: item.name)):
        held = {} if path.suffix == ".abc" else keys_of(item, rate)
        bpy.context.scene.frame_set(arguments["frame"])
        np.savez(f"{path}.{number}.npz", points=points_of(item), **held)
        heights.append(float(np.ptp(points_of(item)[:, 2])))
    sizes[name] = heights
report({"heights": sizes})
