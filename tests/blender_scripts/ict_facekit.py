"""Build ICT-FaceKit from a folder; hand back its shapes in the project's axes."""

import importlib

import bpy
import numpy as np
from blender_test import MODULE, arguments, report

from_blender = importlib.import_module(f"{MODULE}.dream_blender.head_pose").from_blender
character = importlib.import_module(f"{MODULE}.dream_blender.character")
try:
    bpy.ops.dream_talk.add_ict_facekit(directory=bpy.app.tempdir)
except RuntimeError as error:
    report({"refused": str(error)})
bpy.ops.dream_talk.add_ict_facekit(directory=arguments["folder"])
head = bpy.context.scene.dream_talk.character


def places(points):
    """Return coordinates (V, 3) in the project's axes."""
    found = np.empty(len(head.data.vertices) * 3, np.float32)
    points.foreach_get("co", found)
    return from_blender(found.reshape(-1, 3))


keys = head.data.shape_keys.key_blocks
rest = places(keys[0].data)
uvs = np.empty(len(head.data.loops) * 2, np.float32)
head.data.uv_layers[0].data.foreach_get("uv", uvs)
shapes = {key.name: places(key.data) - rest for key in keys[1:]}
np.savez(arguments["out"], faces=len(head.data.polygons), uvs=uvs.reshape(-1, 2), **shapes)
report(
    {
        "keys": [key.name for key in keys],
        "materials": [material.name for material in head.data.materials],
        "channels": 52 - len(character.mapping_of(head).missing),
    }
)
