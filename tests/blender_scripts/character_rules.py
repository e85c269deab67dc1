"""What a take does with drivers, linked files, body animation and edited mappings, and what it says of them."""

import importlib
from pathlib import Path

import bpy
import numpy as np
from blender_test import MODULE, arguments, refusal, report

take = importlib.import_module(f"{MODULE}.dream_blender.take")
character = importlib.import_module(f"{MODULE}.dream_blender.character")
compat = importlib.import_module(f"{MODULE}.dream_blender.compat")
mapping_list = importlib.import_module(f"{MODULE}.dream_blender.mapping_list")
mapping_module = importlib.import_module(f"{MODULE}.blendshape_rigs.mapping")
curves = importlib.import_module(f"{MODULE}.blendshape_rigs.formats").read_curves(arguments["curves"])
folder = Path(arguments["folder"])
SHAPES = ("jawOpen", "mouthSmileLeft", "mouthSmileRight", "eyeBlinkLeft", "eyeBlinkRight", "mouthClose")


def fresh_scene():
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    bpy.context.scene.render.fps, bpy.context.scene.render.fps_base = 24, 1.0


def import_take():
    return bpy.ops.dream_talk.import_curves(filepath=arguments["curves"])


def face(name="Face", shapes=SHAPES, collection=None):
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata([(0, 0, 0), (1, 0, 0), (0, 1, 0)], [], [(0, 1, 2)])
    item = bpy.data.objects.new(name, mesh)
    (collection or bpy.context.scene.collection).objects.link(item)
    for shape in ("Basis", *shapes):
        item.shape_key_add(name=shape).value = 0.0
    bpy.context.view_layer.objects.active = item
    return item


def rigged_face(collection=None):
    bpy.ops.object.armature_add()
    rig = bpy.context.object
    bpy.ops.object.mode_set(mode="EDIT")
    rig.data.edit_bones[0].name = "spine"
    head = rig.data.edit_bones.new("head")
    head.head, head.tail, head.parent = (0, 0, 1), (0, 0, 1.2), rig.data.edit_bones["spine"]
    bpy.ops.object.mode_set(mode="OBJECT")
    if collection is not None:
        bpy.context.scene.collection.objects.unlink(rig)
        collection.objects.link(rig)
    item = face(collection=collection)
    item.parent = rig
    item.modifiers.new("Armature", "ARMATURE").object = rig
    return item, rig


def walk(rig):
    """Give the armature a body animation of two keys, as an animator has it."""
    action = bpy.data.actions.new("Walk")
    curve = compat.animate(rig, action).new('pose.bones["spine"].location', index=0)
    curve.keyframe_points.insert(1, 0.0)
    curve.keyframe_points.insert(20, 2.0)
    return action


def drivers():
    fresh_scene()
    item = face()
    keys = item.data.shape_keys.key_blocks
    keys["jawOpen"].driver_add("value")
    import_take()
    moved = [curve.data_path.split('"')[1] for curve in compat.assigned_curves(item.data.shape_keys)]
    some = {"notes": character.notes_on(item), "moved": moved}
    teeth = face("Teeth", ["jawOpen"])
    teeth.parent = item
    bpy.context.view_layer.update()
    some["head_held_teeth_free"] = character.notes_on(item)[0]
    bpy.data.objects.remove(teeth)
    bpy.context.view_layer.objects.active = item
    for name in SHAPES[1:]:
        keys[name].driver_add("value")
    some["all_held"] = refusal(import_take)
    return some


def absolute():
    fresh_scene()
    face().data.shape_keys.use_relative = False
    return refusal(import_take)


def body():
    """A body animation is never touched: as an Action it refuses head motion, as an NLA strip it plays on."""
    fresh_scene()
    item, rig = rigged_face()
    action = walk(rig)
    settings = bpy.context.scene.dream_talk
    settings.character = item
    found = {"default_off": not settings.head_motion}
    import_take()
    found["face_keyed"] = take.take_of(item).name
    found["walk_still_there"] = rig.animation_data.action == action and len(compat.assigned_curves(rig)) == 1
    settings.head_motion = True
    found["refused"] = refusal(import_take)
    strip = rig.animation_data.nla_tracks.new().strips.new("Walk", 1, action)
    if compat.HAS_SLOTS:
        strip.action_slot = action.slots[0]
    rig.animation_data.action = None
    settings.character = item
    found["default_on"] = settings.head_motion
    import_take()
    bpy.context.scene.frame_set(8)
    found["spine"] = rig.pose.bones["spine"].location[0]
    found["head_turned"] = rig.pose.bones["head"].rotation_quaternion.angle > 0.01
    back = take.read_take(item, 1, len(curves), 24.0, 1)
    found["back"] = float(np.abs(back.head_rotation - curves.head_rotation).max())
    # Keys that somebody adds to our Action for the body must not get lost with the next take.
    compat.assigned_curves(rig)
    rig.pose.bones["spine"].keyframe_insert("location", frame=3)
    found["refused_with_own_keys"] = refusal(import_take)
    return found


def two_heads():
    """Two heads under one empty are two characters; teeth that touch a head are part of it."""
    fresh_scene()
    empty = bpy.data.objects.new("Cast", None)
    bpy.context.scene.collection.objects.link(empty)
    first, teeth, second = face("First"), face("Teeth", ["jawOpen"]), face("Second")
    for item in (first, teeth, second):
        item.parent = empty
    second.location = (3, 0, 0)
    bpy.context.view_layer.update()
    return [mesh.name for mesh in character.meshes_of(first)]


def linked(kind):
    """Link a character from another file, override it with one click, key it, save, and open the file again."""
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    with bpy.data.libraries.load(str(folder / "character.blend"), link=True) as (_, wanted):
        if kind == "object":
            wanted.objects = ["Face"]
        else:
            wanted.collections = ["Person"]
    scene = bpy.context.scene
    scene.render.fps, scene.render.fps_base = 24, 1.0
    if kind == "object":
        scene.collection.objects.link(wanted.objects[0])
        active = wanted.objects[0]
    elif kind == "instance":
        active = bpy.data.objects.new("Person", None)
        active.instance_type, active.instance_collection = "COLLECTION", wanted.collections[0]
        scene.collection.objects.link(active)
    else:
        scene.collection.children.link(wanted.collections[0])
        active = next(item for item in scene.objects if item.type == "MESH")
    bpy.context.view_layer.objects.active = active
    bpy.ops.dream_talk.use_active()
    found = {"refused": refusal(import_take)}
    bpy.ops.dream_talk.make_override()
    item = scene.dream_talk.character
    import_take()
    settings = scene.dream_talk
    settings.mapping_row = 0
    settings.mapping_rows[0].sources[0].weight = 0.5
    import_take()
    found |= {
        "local": item.library is None and item.data.library is None,
        "actions_local": all(action.library is None for action in bpy.data.actions),
        "one_face_in_scene": [mesh.name for mesh in scene.objects if mesh.type == "MESH"],
        "head_motion": settings.head_motion,
    }
    bpy.ops.wm.save_as_mainfile(filepath=str(folder / f"shot_{kind}.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(folder / f"shot_{kind}.blend"))
    item = bpy.context.scene.dream_talk.character
    bpy.context.scene.frame_set(5)
    entry = character.mapping_of(item).entries[0]
    back = take.read_take(item, 1, len(curves), 24.0, 1)
    return found | {
        "value": item.data.shape_keys.key_blocks["mouthSmileLeft"].value,
        "edited": [entry.target, dict(entry.sources)],
        "back": back.channel("mouthSmileRight").tolist(),
        "back_head": float(np.abs(back.head_rotation - curves.head_rotation).max()),
    }


def save_linkable():
    fresh_scene()
    collection = bpy.data.collections.new("Person")
    bpy.context.scene.collection.children.link(collection)
    rigged_face(collection)
    bpy.ops.wm.save_as_mainfile(filepath=str(folder / "character.blend"))


def shown():
    settings = bpy.context.scene.dream_talk
    return {row.target: {s.channel: round(s.weight, 4) for s in row.sources} for row in settings.mapping_rows}


def editing():
    """Edit the list as the sidebar does, and see that the next take and the saved file follow it."""
    fresh_scene()
    item = face()
    settings = bpy.context.scene.dream_talk
    bpy.ops.dream_talk.use_active()
    found = {"automatic": shown(), "reset_greyed": not bpy.ops.dream_talk.mapping_reset.poll()}
    rows = list(shown())
    settings.mapping_row = rows.index("jawOpen")
    row = settings.mapping_rows[settings.mapping_row]
    row.sources[0].weight = 0.25
    bpy.ops.dream_talk.mapping_add_source()
    row.sources[-1].channel = "tongueOut"
    bpy.ops.dream_talk.mapping_remove_source(index=1)
    settings.mapping_row = rows.index("eyeBlinkLeft")
    bpy.ops.dream_talk.mapping_remove()
    edited = character.mapping_of(item)
    found |= {
        "edited": {entry.target: dict(entry.sources) for entry in edited.entries},
        "profile": edited.profile,
        "kept": "jawOpen" in item[character.MAPPING_MARK],
    }
    settings.mapping_rows[0].target = settings.mapping_rows[1].target
    found["twice"] = settings.mapping_error
    settings.mapping_rows[0].target = edited.entries[0].target
    found["mended"] = settings.mapping_error
    import_take()
    values = {c.data_path.split('"')[1]: c.evaluate(4) for c in compat.assigned_curves(item.data.shape_keys)}
    found["jaw"], found["blink_left_out"] = values["jawOpen"], "eyeBlinkLeft" not in values
    bpy.ops.dream_talk.mapping_save(filepath=str(folder / "mapping.json"))
    bpy.ops.wm.save_as_mainfile(filepath=str(folder / "edited.blend"))
    bpy.ops.dream_talk.mapping_reset()
    found["reset"] = shown() == found["automatic"]
    bpy.ops.dream_talk.mapping_load(filepath=str(folder / "mapping.json"))
    found["loaded"] = character.mapping_of(item) == edited
    (folder / "broken.json").write_text("[]")
    found["refused"] = refusal(lambda: bpy.ops.dream_talk.mapping_load(filepath=str(folder / "broken.json")))
    bpy.ops.wm.open_mainfile(filepath=str(folder / "edited.blend"))
    settings = bpy.context.scene.dream_talk
    found["reopened"] = character.mapping_of(settings.character) == edited
    bpy.ops.dream_talk.mapping_add()
    found["added"] = [settings.mapping_rows[-1].target, settings.mapping_rows[-1].confidence]
    return found


def choosing():
    """Which mesh is meant when an armature, an empty, a lamp or nothing is active."""
    fresh_scene()
    item, rig = rigged_face()
    found = {}
    for name, active in (("armature", rig), ("mesh", item), ("nothing", None)):
        bpy.context.view_layer.objects.active = active
        chosen = importlib.import_module(f"{MODULE}.dream_blender.generate").chosen_character(bpy.context)
        found[name] = chosen.name if chosen else ""
    lamp = bpy.data.objects.new("Lamp", bpy.data.lights.new("Lamp", "POINT"))
    bpy.context.scene.collection.objects.link(lamp)
    bpy.context.view_layer.objects.active = lamp
    found["lamp"] = refusal(bpy.ops.dream_talk.use_active)
    found["no_character"] = refusal(import_take)
    found["not_linked"] = refusal(bpy.ops.dream_talk.make_override)
    return found


save_linkable()
report(
    {
        "drivers": drivers(),
        "absolute": absolute(),
        "body": body(),
        "two_heads": two_heads(),
        "linked": {kind: linked(kind) for kind in ("object", "instance", "collection")},
        "editing": editing(),
        "choosing": choosing(),
        "version": bpy.app.version,
    }
)
