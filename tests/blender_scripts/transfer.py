"""Strip the avatar of its shapes, part it into meshes as characters come, and carry the shapes over again."""

import importlib

import bpy
import numpy as np
from blender_test import MODULE, arguments, refusal, report

character = importlib.import_module(f"{MODULE}.dream_blender.character")
avatar_module = importlib.import_module(f"{MODULE}.blendshape_rigs.avatar")
to_blender = importlib.import_module(f"{MODULE}.dream_blender.head_pose").to_blender
scene, layer = bpy.context.scene, bpy.context.view_layer
avatar = avatar_module.load_proxy_avatar()
EYES = ("eye_white", "iris", "pupil")
own = {}


def add(name, materials):
    """Add the avatar's triangles of these materials as a mesh without shapes, in centimetres and turned."""
    numbers = [number for number, known in enumerate(avatar.materials) if known in materials]
    used, corners = np.unique(avatar.triangles[np.isin(avatar.triangle_materials, numbers)], return_inverse=True)
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata((to_blender(avatar.vertices[used]) * 100).tolist(), [], corners.reshape(-1, 3).tolist())
    made = bpy.data.objects.new(name, mesh)
    scene.collection.objects.link(made)
    made.location, made.scale, made.rotation_euler = (3.0, -1.0, 2.0), (0.02,) * 3, (0.0, 0.0, 0.7)
    own[name] = used
    return made


for item in list(bpy.data.objects):
    bpy.data.objects.remove(item)
report({"refused_nothing": refusal(bpy.ops.dream_talk.transfer_shapes)})
head = add("Head", ("skin", "lips", "mouth_cavity"))
meshes = [head, add("Eyes", EYES), add("Mouth", ("teeth", "gums", "tongue"))]
far = add("Hat", ("hair",))
far.location.z += 2
layer.objects.active = head
layer.update()
mirror = head.modifiers.new("Mirror", "MIRROR")
report({"refused_mirror": refusal(bpy.ops.dream_talk.find_face_points)})
head.modifiers.remove(mirror)
bpy.ops.dream_talk.find_face_points()
points = {item["dream_talk_face_point"]: item for item in head.children}
misses = {}
for name, landmark in arguments["landmarks"].items():
    place = head.matrix_world @ head.data.vertices[int(np.searchsorted(own["Head"], landmark))].co
    misses[name] = (points[name].matrix_world.translation - place).length / 2  # it is twice a human's size
    points[name].matrix_world.translation = place  # as an animator would drag it
layer.update()
for item in (*meshes, far):
    item.select_set(True)
layer.objects.active = points["chin"]
bpy.ops.dream_talk.transfer_shapes()
bpy.ops.dream_talk.transfer_shapes()  # again, in place of the first


def cosine(item, name):
    """Return the median cosine between the avatar's own motion of ``item`` and its shape key ``name``."""
    keys = item.data.shape_keys.key_blocks
    moved = np.empty((2, len(item.data.vertices) * 3), np.float32)
    for row, key in zip(moved, (keys[0], keys[name]), strict=True):
        key.data.foreach_get("co", row)
    given = (moved[1] - moved[0]).reshape(-1, 3)
    wanted = to_blender(avatar.deltas[arguments["names"].index(name)][own[item.name]]) * 100
    lengths = np.linalg.norm(wanted, axis=1)
    moving = lengths > 0.2 * lengths.max()
    others = np.linalg.norm(given, axis=1)
    cosines = (given * wanted).sum(axis=1)[moving] / np.maximum(lengths * others, 1e-9)[moving]
    return [float(np.median(cosines)), float(others[moving].mean() / lengths[moving].mean())]


report(
    {
        "misses": misses,
        "keys": {item.name: [key.name for key in item.data.shape_keys.key_blocks] for item in meshes},
        "values": [key.value for item in meshes for key in item.data.shape_keys.key_blocks[1:]],
        "far_has_shapes": far.data.shape_keys is not None,
        "parents": [item.parent.name if item.parent else "" for item in meshes],
        "chosen": scene.dream_talk.character.name,
        "meshes": sorted(item.name for item in character.meshes_of(head)),
        "problem": character.problem_with(head),
        "lines": head["dream_talk_transfer_report"].split("\n"),
        "skin": {name: cosine(head, name) for name in ("jawOpen", "mouthSmileLeft", "eyeBlinkRight", "browInnerUp")},
        "eyes": cosine(meshes[1], "eyeLookUpLeft"),
        "mouth": cosine(meshes[2], "jawOpen"),
    }
)
bpy.ops.dream_talk.import_curves(filepath=arguments["curves"])
animated = [item.name for item in meshes if item.data.shape_keys.animation_data is not None]
bpy.ops.dream_talk.remove_face_points()
report({"animated": animated, "points_left": sum("dream_talk_face_point" in item for item in bpy.data.objects)})
bpy.ops.dream_talk.add_avatar()
report({"refused_own_shapes": refusal(bpy.ops.dream_talk.transfer_shapes)})
