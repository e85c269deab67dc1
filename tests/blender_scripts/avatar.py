"""Add avatars, pose their bones, shapes, targets and looks, and write where the vertices go."""

import importlib
from pathlib import Path

import bpy
import numpy as np
from blender_test import MODULE, arguments, report

avatar_rig = importlib.import_module(f"{MODULE}.dream_blender.avatar_rig")
avatar_look = importlib.import_module(f"{MODULE}.dream_blender.avatar_look")
folder = Path(arguments["folder"])
given = np.load(folder / "given.npz")
scene = bpy.context.scene


def points(item):
    """Return the (V, 3) world positions of the evaluated mesh ``item``."""
    bpy.context.view_layer.update()
    shown = item.evaluated_get(bpy.context.evaluated_depsgraph_get())
    found = np.empty(len(shown.data.vertices) * 3, np.float32)
    shown.data.vertices.foreach_get("co", found)
    matrix = np.array(shown.matrix_world)
    return found.reshape(-1, 3) @ matrix[:3, :3].T + matrix[:3, 3]


def colours(item):
    """Return the (V, 4) linear vertex colours of ``item``."""
    data = item.data.color_attributes["Colour"].data
    found = np.empty(len(data) * 4, np.float32)
    data.foreach_get("color", found)
    return found.reshape(-1, 4)


bpy.ops.dream_talk.add_avatar()
head = scene.dream_talk.character
rig = avatar_rig.rig_of(head)
keys = head.data.shape_keys.key_blocks
names = [key.name for key in keys]
drivers = [curve.driver for curve in head.data.shape_keys.animation_data.drivers]
uvs = np.empty(len(head.data.loops) * 2, np.float32)
head.data.uv_layers[0].data.foreach_get("uv", uvs)
saved = {"uvs": uvs, "rest": points(head), "own_colours": colours(head)}
report(
    {
        "names": names,
        "at_start": [key.value for key in keys[1:]],
        "bones": {bone.name: [bone.parent.name if bone.parent else "", *bone.head_local] for bone in rig.data.bones},
        "drivers_without_scripts": all(driver.is_valid and driver.is_simple_expression for driver in drivers),
        "driven": len(drivers),
        "own_choices": [getattr(head.dream_talk_look, f"{kind}_choice") for kind in ("skin", "eyes", "hair")],
    }
)

for name, value in zip(arguments["arkit"], given["values"], strict=True):
    keys[name].slider_min, keys[name].slider_max = -2.0, 2.0
    keys[name].value = value
saved["posed"] = points(head)
for name in arguments["arkit"]:
    keys[name].value = 0.0

bone = rig.pose.bones["head"]
bone.rotation_mode = "XYZ"
bone.rotation_euler = (0.4, -0.5, 0.2)
saved["turned"] = points(head)
saved["turn"] = np.array((bone.bone.matrix_local @ bone.matrix_basis @ bone.bone.matrix_local.inverted()).to_3x3())
bone.rotation_euler = (0.0, 0.0, 0.0)
neck = rig.pose.bones["neck"]
neck.rotation_mode = "XYZ"
neck.rotation_euler = (0.3, 0.0, 0.2)
saved["bent"] = points(head)
moves = neck.bone.matrix_local @ neck.matrix_basis @ neck.bone.matrix_local.inverted()
saved["bend"] = np.array(moves)
neck.rotation_euler = (0.0, 0.0, 0.0)

target = next(child for child in rig.children if child.type == "EMPTY")
rig.location = (1.0, 2.0, 3.0)
lids = [name for name in names if name.startswith("corrective lid")]
gaze = []
for place in arguments["targets"]:
    target.location, rig["look_at"] = place, 1.0
    rig.update_tag()
    saved[f"gaze {len(gaze)}"] = points(head)
    eyes = [rig.pose.bones[name] for name in ("eye.L", "eye.R")]
    gaze.append(
        {
            "forward": [list(eye.matrix.col[1][:3]) for eye in eyes],
            "wanted": [list((target.location - eye.head).normalized()) for eye in eyes],
            "lids": {name: keys[name].value for name in lids},
        }
    )
rig["look_at"] = 0.0
rig.update_tag()
saved["moved"] = points(head)
rig.location = (0.0, 0.0, 0.0)
for frame, value in ((1, 0.0), (11, 1.0)):
    rig["look_at"] = keys["identity " + arguments["slider"]].value = value
    rig.keyframe_insert('["look_at"]', frame=frame)
    keys["identity " + arguments["slider"]].keyframe_insert("value", frame=frame)
scene.frame_set(6)
report({"gaze": gaze, "keyed": [rig["look_at"], keys["identity " + arguments["slider"]].value]})
rig.animation_data.action = head.data.shape_keys.animation_data.action = None

rig["look_at"] = 0.0
keys["identity " + arguments["slider"]].value = -0.5
rig.update_tag()
saved["identity"] = points(head)
keys["identity " + arguments["slider"]].value = 0.0
keys["look hair hidden"].value = 1.0
saved["bald"] = points(head)
keys["look hair hidden"].value = 0.0

look = head.dream_talk_look
look.skin_choice, look.eyes = "DEEP", (0.1, 0.6, 0.2)
saved["deep_colours"] = colours(head)
skin = head.data.materials[arguments["skin_material"]]
report(
    {
        "choices": [look.skin_choice, look.eyes_choice, look.hair_choice],
        "skin_material": list(skin.diffuse_color),
        "skin_shader": list(skin.node_tree.nodes["Principled BSDF"].inputs["Base Color"].default_value),
    }
)
for _ in range(2):
    bpy.ops.dream_talk.random_person(person=5)
    saved[f"person {_}"] = points(head)
bpy.ops.dream_talk.add_avatar(person=5, skin_choice="FAIR")
other = scene.dream_talk.character
other.parent.location = head.parent.location
saved["other person"] = points(other)
saved["other_colours"], saved["person_colours"] = colours(other), colours(head)
bpy.ops.dream_talk.add_avatar(
    skin_choice="CUSTOM", skin=(0.5, 0.4, 0.3), hair_visible=False, identity=[0.25] + [0.0] * 31
)
chosen = scene.dream_talk.character
report(
    {
        "chosen_skin": list(chosen.dream_talk_look.skin),
        "chosen_hair": chosen.data.shape_keys.key_blocks["look hair hidden"].value,
        "chosen_identity": [key.value for key in avatar_look.identity_keys(chosen).values()],
        "materials_shared": len({slot.name for item in (head, other, chosen) for slot in item.data.materials}),
    }
)
np.savez(folder / "found.npz", **saved)
