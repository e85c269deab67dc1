"""Read what a character shows, whatever moves it, as a portrait does frame by frame."""

import importlib
from math import radians
from pathlib import Path

import bpy
import numpy as np
from blender_test import MODULE, arguments, report
from mathutils import Euler, Matrix, Vector

reading = importlib.import_module(f"{MODULE}.dream_blender.portrait_reading")
preview = importlib.import_module(f"{MODULE}.dream_blender.portrait_preview")
take = importlib.import_module(f"{MODULE}.dream_blender.take")
compat = importlib.import_module(f"{MODULE}.dream_blender.compat")
head_target = importlib.import_module(f"{MODULE}.dream_blender.head_target")
arkit = importlib.import_module(f"{MODULE}.blendshape_rigs.arkit")
read_curves = importlib.import_module(f"{MODULE}.blendshape_rigs.formats").read_curves
folder = Path(arguments["folder"])
scene = bpy.context.scene
scene.render.fps, scene.render.fps_base = 24, 1.0
JAW = arkit.ARKIT_INDEX["jawOpen"]


def read(first, last, head_view="CHARACTER", character=None):
    reader = reading.FaceReader(character or scene.dream_talk.character)
    shown = []
    for frame in range(first, last + 1):
        scene.frame_set(frame)
        depsgraph = preview.depsgraph_of(scene)
        shown.append(reader.read(depsgraph, reading.watching_matrix(scene, head_view, depsgraph)))
    return reader.curves(shown, 24.0)


def saved(name, curves):
    np.savez(
        folder / f"{name}.npz",
        values=curves.values,
        head_rotation=curves.head_rotation,
        head_translation=curves.head_translation,
    )


bpy.ops.dream_talk.add_avatar()
avatar = scene.dream_talk.character
keys = avatar.data.shape_keys
curves = read_curves(folder / "curves.npz")
action = take.key_take(avatar, curves, "take", 1, 24.0, head=True)
saved("take", read(1, len(curves)))

# A key that the animator sets by hand.
jaw = next(curve for curve in compat.assigned_curves(keys) if curve.data_path == 'key_blocks["jawOpen"].value')
for point in jaw.keyframe_points:
    point.co[1] = 0.25
jaw.update()
report({"by_hand": [float(x) for x in read(3, 5).values[:, JAW]]})

# The take goes into the NLA, and a layer over it adds to the jaw.
animation = keys.animation_data
below = animation.nla_tracks.new().strips.new("below", 1, action)
animation.action = None
over = bpy.data.actions.new("over")
compat.animate(keys, over).new('key_blocks["jawOpen"].value').keyframe_points.insert(1, 0.5)
animation.action = None
layer = animation.nla_tracks.new().strips.new("layer", 1, over)
layer.blend_type, layer.extrapolation = "ADD", "HOLD"
if compat.HAS_SLOTS:
    for strip in (below, layer):
        strip.action_slot = next(slot for slot in strip.action.slots if slot.target_id_type == "KEY")
report({"layered": [float(x) for x in read(3, 5).values[:, JAW]]})

# A driver on a shape key, and a constraint on the head bone.
driver = keys.driver_add('key_blocks["browInnerUp"].value').driver
driver.type, driver.expression = "SCRIPTED", "0.1 * frame"
keys.key_blocks["mouthPucker"].mute = True
target = head_target.head_target(avatar)
bone = target.posed
empty = bpy.data.objects.new("Control", None)
scene.collection.objects.link(empty)
turned = target.owner.data.bones[bone.name].matrix_local.to_3x3()
held = bone.constraints.new("COPY_ROTATION")
held.target, held.owner_space, held.target_space = empty, "POSE", "WORLD"
wanted = Euler((radians(8), radians(-5), radians(12)), "YXZ")  # pitch, roll, yaw of Blender's axes
empty.rotation_mode = "QUATERNION"
empty.rotation_quaternion = (wanted.to_matrix() @ turned).to_quaternion()
driven = read(4, 4)
report(
    {
        "driven": float(driven.values[0, arkit.ARKIT_INDEX["browInnerUp"]]),
        "muted": float(driven.values[0, arkit.ARKIT_INDEX["mouthPucker"]]),
        "constrained": [float(x) for x in np.degrees(driven.head_rotation[0])],
    }
)

# The same head as a camera sees it that stands 20 degrees round to the subject's left.
held.mute = True
bone.matrix_basis = Matrix.Identity(4)
target.owner.animation_data_clear()
camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
scene.collection.objects.link(camera)
scene.camera = None
try:
    read(4, 4, "CAMERA")
except reading.ReadingError as error:
    report({"no_camera": str(error)})
scene.camera = camera
middle = target.owner.matrix_world @ bone.matrix.translation
for name, around in (("front", 0.0), ("left", 20.0)):
    out = Vector((np.sin(radians(around)), -np.cos(radians(around)), 0))
    camera.location = middle + out
    camera.rotation_euler = (-out).to_track_quat("-Z", "Y").to_euler()
    report({name: [float(x) for x in np.degrees(read(4, 4, "CAMERA").head_rotation[0])]})
# Where the character stands and looks in the scene does not matter to its own pose.
target.owner.matrix_world = Matrix.Translation((3, 1, 0)) @ Matrix.Rotation(radians(70), 4, "Z")
report({"elsewhere": [float(x) for x in (*read(4, 4).head_rotation[0], *read(4, 4).head_translation[0])]})

# A head without bones whose shape keys are all driven: it cannot be keyed, but a portrait can follow it.
mesh = bpy.data.meshes.new("Mask")
mesh.from_pydata([(0, 0, 0), (1, 0, 0), (0, 1, 0)], [], [(0, 1, 2)])
mask = bpy.data.objects.new("Mask", mesh)
scene.collection.objects.link(mask)
for name in ("Basis", "JawOpen", "eyeBlink_L"):
    mask.shape_key_add(name=name)
for name, value in (("JawOpen", "0.3"), ("eyeBlink_L", "0.6")):
    driver = mesh.shape_keys.driver_add(f'key_blocks["{name}"].value').driver
    driver.type, driver.expression = "SCRIPTED", value
mask.location, mask.rotation_euler = (5, 5, 5), (0, 0, radians(10))
followed = read(1, 1, character=mask)
report(
    {
        "mask": [float(followed.channel(name)[0]) for name in ("jawOpen", "eyeBlinkLeft")],
        "mask_head": [float(x) for x in (*np.degrees(followed.head_rotation[0]), *followed.head_translation[0])],
    }
)
mask.hide_viewport = True
try:
    read(1, 1, character=mask)
except reading.ReadingError as error:
    report({"hidden": str(error)})
plain = bpy.data.objects.new("Plain", bpy.data.meshes.new("Plain"))
report({"plain": reading.problem_to_read(plain), "nobody": reading.problem_to_read(None)})
