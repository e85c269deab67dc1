"""Spawn the avatar, key takes on it, read them back, and try what must be refused."""

import importlib
import json
from pathlib import Path

import bpy
import numpy as np
from blender_test import MODULE, arguments, refusal, report

take = importlib.import_module(f"{MODULE}.dream_blender.take")
compat = importlib.import_module(f"{MODULE}.dream_blender.compat")
read_curves = importlib.import_module(f"{MODULE}.blendshape_rigs.formats").read_curves
folder = Path(arguments["folder"])
curves = read_curves(folder / "curves.npz")
scene = bpy.context.scene
settings = scene.dream_talk


report({"poll_without_character": bpy.ops.dream_talk.generate.poll()})
bpy.ops.dream_talk.add_avatar()
head = settings.character
report(
    {
        "shape_keys": [key.name for key in head.data.shape_keys.key_blocks],
        "vertices": len(head.data.vertices),
        "materials": [material.name for material in head.data.materials],
        "refused_without_server": refusal(
            lambda: (
                setattr(settings, "audio_path", arguments["audio"]),
                bpy.ops.dream_talk.generate(),
            )
        ),
        "refused_without_take": refusal(lambda: bpy.ops.dream_talk.export(filepath=str(folder / "none.csv"))),
    }
)

client = importlib.import_module(f"{MODULE}.dream_blender.client")
client.connection_path().write_text(json.dumps({"url": "http://127.0.0.1:9", "token": "x", "protocol": 99}))
report({"refused_other_protocol": refusal(bpy.ops.dream_talk.generate)})
client.connection_path().write_text(json.dumps({"url": "http://127.0.0.1:9", "token": "x", "protocol": 1}))
report({"refused_dead_server": refusal(bpy.ops.dream_talk.generate)})
preferences = bpy.context.preferences.addons[MODULE].preferences
preferences.server_url = "http://studio.example:8787"
report({"refused_offline": refusal(bpy.ops.dream_talk.generate)})
preferences.server_url = ""

scene.render.fps, scene.render.fps_base = 24, 1.0
bpy.ops.dream_talk.import_curves(filepath=str(folder / "curves.npz"))
first = take.take_of(head)
settings.seed = 1
bpy.ops.dream_talk.import_curves(filepath=str(folder / "curves.npz"))
second = take.take_of(head)
scene.frame_set(scene.frame_start + 7)
rig = head.parent
bone = rig.pose.bones["head"]
back = take.read_take(head, scene.frame_start, scene.frame_end, 24.0, scene.frame_start)
np.savez(
    folder / "back.npz",
    values=back.values,
    head_rotation=back.head_rotation,
    head_translation=back.head_translation,
    keys=[head.data.shape_keys.key_blocks[key].value for key in ("jawOpen", "mouthSmileLeft", "tongueOut")],
    matrix=np.array(rig.matrix_world @ bone.matrix @ bone.bone.matrix_local.inverted()),
)
report(
    {
        "range": [scene.frame_start, scene.frame_end],
        "actions": sorted(action.name for action in bpy.data.actions),
        "new_take": first != second,
        "version": bpy.app.version,
        "slots": [slot.target_id_type for slot in getattr(second, "slots", [])],
        "provenance": json.loads(second[take.TAKE_MARK]),
        "interpolation": {
            point.interpolation for curve in compat.assigned_curves(rig) for point in curve.keyframe_points
        }
        == {"LINEAR"},
    }
)

bpy.ops.mesh.primitive_cube_add()
cube = bpy.context.object
for name in ("Basis", "JawOpen", "mouth_smile_left", "browDown_R"):
    cube.shape_key_add(name=name)
cube.location = (1.0, 2.0, 3.0)
settings.character = cube
character = importlib.import_module(f"{MODULE}.dream_blender.character")
own = character.mapping_of(cube).entries
bpy.ops.dream_talk.import_curves(filepath=str(folder / "curves.npz"))
report(
    {
        "own_names": {entry.main_sources[0]: entry.target for entry in own},
        "own_head_motion": settings.head_motion,
        "own_moved": bool(compat.assigned_curves(cube)),
        "own_curves": len(compat.assigned_curves(cube.data.shape_keys)),
    }
)
cube.data.shape_keys.key_blocks["JawOpen"].driver_add("value")
report({"driven": " ".join(character.notes_on(cube))})
settings.character = head

for _ in range(2):
    bpy.ops.preferences.addon_disable(module=MODULE)
    gone = hasattr(bpy.types.Scene, "dream_talk") or "generate" in dir(bpy.ops.dream_talk)
    bpy.ops.preferences.addon_enable(module=MODULE)
report({"left_behind": gone, "back_again": hasattr(bpy.types.Scene, "dream_talk")})
