"""Move sliders on a character of two meshes with mouth shapes, and on one whose face is moved by bones."""

import importlib
from pathlib import Path

import bpy
import numpy as np
from blender_test import MODULE, arguments, report

take = importlib.import_module(f"{MODULE}.dream_blender.take")
take_keys = importlib.import_module(f"{MODULE}.dream_blender.take_keys")
character = importlib.import_module(f"{MODULE}.dream_blender.character")
mapping = importlib.import_module(f"{MODULE}.blendshape_rigs.mapping")
folder = Path(arguments["folder"])
scene = bpy.context.scene
scene.render.fps, scene.render.fps_base = 30, 1.0


def mesh(name, shapes):
    item = bpy.data.objects.new(name, bpy.data.meshes.new(name))
    item.data.from_pydata([(0, 0, 0), (1, 0, 0), (0, 0, 1)], [], [(0, 1, 2)])
    scene.collection.objects.link(item)
    for shape in ("Basis", *shapes):
        item.shape_key_add(name=shape).value = 0.0
    return item


def rig(bones):
    item = bpy.data.objects.new("Rig", bpy.data.armatures.new("Rig"))
    scene.collection.objects.link(item)
    bpy.context.view_layer.objects.active = item
    bpy.ops.object.mode_set(mode="EDIT")
    for name, parent, start, end in bones:
        bone = item.data.edit_bones.new(name)
        bone.head, bone.tail, bone.roll = start, end, 0.4
        bone.parent = item.data.edit_bones.get(parent)
    bpy.ops.object.mode_set(mode="OBJECT")
    return item


def key(item):
    scene.dream_talk.character = item
    bpy.ops.dream_talk.import_curves(filepath=str(folder / "curves.npz"))
    return take.take_of(item).dream_talk_adjust


def points(item):
    """Return the keys of the take by data-block's name, path and index."""
    curves = take_keys.ActiveTake(item).curves
    return {f"{data.name}:{path}:{n}": take_keys.key_points(curve) for (data, path, n), curve in curves.items()}


def same(one, other, keep=lambda _name: True):
    return all(np.array_equal(one[name], other[name]) for name in one if keep(name))


visemes = ("sil", "PP", "FF", "TH", "DD", "kk", "CH", "SS", "nn", "RR", "aa", "E", "I", "O", "U")
carrier = rig([("spine", "", (0, 0, 0), (0, 0, 1)), ("head", "spine", (0, 0, 1), (0, 0, 1.3))])
names = [*(f"viseme_{name}" for name in visemes), "eyeBlinkLeft", "eyeBlinkRight", "browInnerUp"]
face, teeth = mesh("Face", names), mesh("Teeth", ["viseme_aa", "viseme_O"])
for item in (face, teeth):
    item.parent = carrier
    item.modifiers.new("Armature", "ARMATURE").object = carrier
sliders = key(face)
before = points(face)
sliders.jaw.strength = sliders.mouth.strength = 0.5
weaker = points(face)
spoken = [name for name in before if "viseme_aa" in name or "viseme_O" in name]
report(
    {
        "kinds": sorted({entry.kind for entry in character.mapping_of(face).entries}),
        "spoken": len(spoken),
        "moving": min(float(np.ptp(before[name][:, 1])) for name in spoken),
        "halved": max(float(np.abs(weaker[name][:, 1] - before[name][:, 1] / 2).max()) for name in spoken),
        "lids_same": same(before, weaker, lambda name: "Blink" in name or "brow" in name or "head" in name),
    }
)
sliders.head_rotation.strength = 0.5
sliders.blinks.mute = True
muted = points(face)
report(
    {
        "lids": max(float(np.abs(muted[name][:, 1]).max()) for name in muted if "Blink" in name),
        "head_moved": not same(before, muted, lambda name: '"head"' in name and "rotation" in name),
        "head_place_same": same(before, muted, lambda name: '"head"' in name and "location" in name),
    }
)
bpy.ops.dream_talk.adjust_reset()
report({"reset": same(before, points(face)), "actions_left": sum("before Adjust" in a.name for a in bpy.data.actions)})
bpy.ops.dream_talk.reduce_keys(error=0.01)
report({"reduced": sum(map(len, points(face).values())) < 0.5 * sum(map(len, before.values()))})

bones = rig(
    [
        ("spine", "", (0, 0, 0), (0, 0, 1)),
        ("head", "spine", (0, 0, 1), (0, 0, 1.3)),
        ("jaw", "head", (0, 0, 1.1), (0, -0.1, 1.05)),
        ("brow", "head", (0, -0.1, 1.2), (0, -0.12, 1.2)),
    ]
)
body = mesh("Body", [])
body.shape_key_clear()
body.parent = bones
body.modifiers.new("Armature", "ARMATURE").object = bones
entries = (
    mapping.MappingEntry("jaw:rotation:left", (("jawOpen", 0.4),), kind="bone"),
    mapping.MappingEntry("brow:location:up", (("browInnerUp", 0.1), ("browDownLeft", -0.1)), kind="bone"),
)
character.store_mapping(body, mapping.Mapping("", entries))
sliders = key(body)
before = points(body)


def opening(found):
    """Return the angle of the jaw over time, radians."""
    path = next(name for name in found if '"jaw"' in name and "rotation_quaternion:0" in name)
    return 2 * np.arccos(np.clip(found[path][:, 1], -1, 1))


sliders.jaw.strength = 0.5
half = points(body)
sliders.brows.mute = True
resting = [name for name in before if '"brow"' in name and "location" in name]
muted = points(body)
report(
    {
        "jaw_open": float(opening(before).max()),
        "jaw_halved": float(np.abs(opening(half) - opening(before) / 2).max()),
        "brow_same": same(before, half, lambda name: '"brow"' in name or '"head"' in name),
        "brow_still": max(float(np.ptp(muted[name][:, 1])) for name in resting),
    }
)
sliders.jaw.strength, sliders.brows.mute = 1.0, False
report({"bones_back": same(before, points(body)), "shown": sliders.jaw.strength})
