"""Read exported files with Blender's own importers; write each shape's keys as seconds and values."""

import importlib
from pathlib import Path

import bpy
import numpy as np
from blender_test import MODULE, arguments, report

compat = importlib.import_module(f"{MODULE}.dream_blender.compat")
IMPORTERS = {
    ".fbx": lambda path: bpy.ops.import_scene.fbx(filepath=path, anim_offset=0.0),
    ".glb": lambda path: bpy.ops.import_scene.gltf(filepath=path),
    ".usdc": lambda path: bpy.ops.wm.usd_import(filepath=path),
    ".blend": lambda path: bpy.ops.wm.open_mainfile(filepath=path),
}


def shape_curves():
    """Return the F-curves of the first shape keys that are animated, by shape name."""
    for keys in bpy.data.shape_keys:
        by_path = {curve.data_path: curve for curve in compat.assigned_curves(keys)}
        if not by_path:
            continue
        return {
            key.name: by_path[f'key_blocks["{key.name}"].value']
            for key in keys.key_blocks
            if f'key_blocks["{key.name}"].value' in by_path
        }
    return {}


def frames_per_second(suffix):
    """Return by what the importer of ``suffix`` has multiplied seconds to get frames."""
    render = bpy.context.scene.render
    if suffix == ".usdc":
        return arguments["fps"][rate]  # frames are the file's time codes
    # Blender's FBX and glTF importers leave fps_base out of account.
    return render.fps / (render.fps_base if suffix == ".blend" else 1.0)


def avatar_points(frame):
    """Return the (V, 3) world positions of the largest mesh at a frame of the scene, a fraction or not."""
    mesh = max((item for item in bpy.data.objects if item.type == "MESH"), key=lambda item: len(item.data.vertices))
    for key in (key for keys in bpy.data.shape_keys for key in keys.key_blocks):
        key.slider_min, key.slider_max = -10.0, 10.0  # importers leave 0 to 1, which would clip the curves
    whole = int(frame)
    bpy.context.scene.frame_set(whole, subframe=frame - whole)
    evaluated = mesh.evaluated_get(bpy.context.evaluated_depsgraph_get())
    points = np.empty(len(evaluated.data.vertices) * 3, np.float32)
    evaluated.data.vertices.foreach_get("co", points)
    matrix = np.array(evaluated.matrix_world)
    return points.reshape(-1, 3) @ matrix[:3, :3].T + matrix[:3, 3]


def bones():
    """Return the names of the bones of all armatures."""
    return sorted(bone.name for item in bpy.data.objects if item.type == "ARMATURE" for bone in item.data.bones)


def opacities():
    """Return the opacity of every material by name."""
    shaders = (
        (made.name, node)
        for made in bpy.data.materials
        for node in (made.node_tree.nodes if made.node_tree else ())
        if node.type == "BSDF_PRINCIPLED"
    )
    return {name: node.inputs["Alpha"].default_value for name, node in shaders}


sounds, skeletons, seen_through = {}, {}, {}
for rate in arguments["rates"]:
    folder = Path(arguments["folder"]) / rate
    for suffix, importer in IMPORTERS.items():
        bpy.ops.wm.read_factory_settings(use_empty=True)
        importer(str(folder / f"take{suffix}"))
        found = {}
        for name, curve in shape_curves().items():
            points = np.empty(len(curve.keyframe_points) * 2, np.float32)
            curve.keyframe_points.foreach_get("co", points)
            frames, values = points.reshape(-1, 2).T
            found[name] = np.stack([frames / frames_per_second(suffix), values])
        np.savez(folder / f"back{suffix}.npz", **found)
        skeletons[suffix], seen_through[suffix] = bones(), opacities()
        seconds = arguments["frame"] / arguments["fps"][rate]
        np.save(folder / f"points{suffix}.npy", avatar_points(seconds * frames_per_second(suffix)))
        if suffix == ".blend":
            strips = compat.strips(bpy.context.scene)
            sounds[rate] = [(strip.type, strip.frame_start, bool(strip.sound.packed_file)) for strip in strips]
    bpy.ops.wm.read_factory_settings(use_empty=True)
    whole = round(arguments["fps"][rate])
    bpy.context.scene.render.fps = whole
    bpy.context.scene.render.fps_base = whole / arguments["fps"][rate]
    bpy.ops.wm.alembic_import(filepath=str(folder / "take.abc"))
    np.save(folder / "points.abc.npy", avatar_points(arguments["frame"]))
report({"sounds": sounds, "bones": skeletons, "opacities": seen_through})
