"""Handle takes on an armature that an animator animates: the body must stay as it is, to the key."""

import importlib
from pathlib import Path

import bpy
from blender_test import MODULE, arguments, refusal, report

takes = importlib.import_module(f"{MODULE}.dream_blender.takes")
compat = importlib.import_module(f"{MODULE}.dream_blender.compat")
folder = Path(arguments["folder"])
operators = bpy.ops.dream_talk
SHAPES = ("jawOpen", "mouthSmileLeft", "mouthSmileRight", "eyeBlinkLeft", "eyeBlinkRight", "browInnerUp")


def rig():
    return bpy.data.objects["Armature"]


def face():
    return bpy.data.objects["Face"]


def person():
    """Make a face with teeth on an armature of spine and head."""
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    scene = bpy.context.scene
    scene.render.fps, scene.render.fps_base = 24, 1.0
    bpy.ops.object.armature_add()
    bpy.ops.object.mode_set(mode="EDIT")
    bones = rig().data.edit_bones
    bones[0].name = "spine"
    head = bones.new("head")
    head.head, head.tail, head.parent = (0, 0, 1), (0, 0, 1.2), bones["spine"]
    bpy.ops.object.mode_set(mode="OBJECT")
    for name, shapes in (("Face", SHAPES), ("Teeth", ("jawOpen",))):
        mesh = bpy.data.meshes.new(name)
        mesh.from_pydata([(0, 0, 0), (0.2, 0, 0), (0, 0.1, 0)], [], [(0, 1, 2)])
        item = bpy.data.objects.new(name, mesh)
        scene.collection.objects.link(item)
        for shape in ("Basis", *shapes):
            item.shape_key_add(name=shape).value = 0.0
        item.parent = rig()
        item.modifiers.new("Armature", "ARMATURE").object = rig()
    scene.dream_talk.character = face()


def walk():
    """Give the armature a body animation, as an animator has it, without a fake user."""
    action = bpy.data.actions.new("Walk")
    curve = compat.animate(rig(), action).new('pose.bones["spine"].location', index=0)
    curve.keyframe_points.insert(1, 0.0)
    curve.keyframe_points.insert(20, 2.0)
    return action


def keys(action):
    """Return every key of ``action``, handles too."""
    return [
        [curve.data_path, curve.array_index, [[*p.co, *p.handle_left, *p.handle_right, p.interpolation]]]
        for _, _, _, curves in compat.channels(action)
        for curve in curves
        for p in curve.keyframe_points
    ]


def body():
    """Return all that belongs to the animator: the Action, where it plays, its tracks, and where the spine is."""
    animation = rig().animation_data
    bpy.context.scene.frame_set(8)
    tracks = [track for track in animation.nla_tracks if not track.name.startswith("DREAM-Talk")]
    walking = bpy.data.actions["Walk"]
    return {
        "keys": keys(walking),
        "active": animation.action == walking,
        "slot": compat.assigned_curves(rig())[0].data_path if animation.action == walking else "",
        "tracks": [[t.name, t.mute, [[s.name, s.frame_start, s.frame_end] for s in t.strips]] for t in tracks],
        "fake_user": walking.use_fake_user,
        "spine": rig().pose.bones["spine"].location[0],
    }


def import_take(name):
    operators.import_curves(filepath=str(folder / f"{name}.npz"))


def everything(check):
    """Run every operator on takes and return what of the body ``check`` sees after each."""
    before, changed = check(), []
    steps = {
        "use": lambda: operators.use_take(take="a"),
        "solo": operators.solo_take,
        "no solo": operators.solo_take,
        "rate": lambda: operators.rate_take(take="a", stars=5),
        "duplicate": operators.duplicate_take,
        "delete": operators.delete_take,
        "use again": lambda: operators.use_take(take="a"),
        "merge": lambda: operators.merge_takes(other="b", first=4, last=9, fade=2),
        "compare": lambda: operators.compare_takes(other="b"),
        "stop": operators.stop_comparing,
        "use b": lambda: operators.use_take(take="b"),
        "push": operators.push_take,
        "back": lambda: operators.use_take(take="b"),
        "delete pushed": operators.delete_take,
    }
    for name, step in steps.items():
        bpy.ops.ed.undo_push(message=name)
        step()
        if check() != before:
            changed.append(name)
    return {"changed": changed, "before": before, "takes": [take.name for take in takes.takes_of(face())]}


def jaw(frame, name="Face"):
    bpy.context.scene.frame_set(frame)
    return bpy.data.objects[name].data.shape_keys.key_blocks["jawOpen"].value


def turned(frame):
    bpy.context.scene.frame_set(frame)
    return rig().pose.bones["head"].rotation_quaternion.angle


# The body's Action is active: takes have no head, and it goes on.
person()
walk()
bpy.context.scene.dream_talk.head_motion = False
import_take("a")
import_take("b")
report({"active_body": everything(body), "jaw_of_teeth": [jaw(8), jaw(8, "Teeth")]})

# The body's Action lies on a track: takes turn the head, and the track plays on under them.
person()
action = walk()
track = rig().animation_data.nla_tracks.new()
track.name = "Body"
strip = track.strips.new("Walk", 1, action)
if compat.HAS_SLOTS:
    strip.action_slot = action.slots[0]
rig().animation_data.action = None
bpy.context.scene.dream_talk.head_motion = True
import_take("a")
import_take("b")
now = turned(8)
operators.push_take()
report({"pushed_over_body": [turned(8), now, body()["spine"], turned(40)]})
bpy.context.scene.dream_talk.character = face()
bpy.ops.ed.undo_push(message="pushed")
operators.use_take(take="b")
for strips in [track for data in takes.moved_data(face()) for track in data.animation_data.nla_tracks]:
    if strips.name.startswith("DREAM-Talk"):
        strips.strips.remove(strips.strips[0])
report({"body_on_track": everything(body)})

# A take with head is chosen while the body's Action is active: its head stays out.
person()
bpy.context.scene.dream_talk.head_motion = True
import_take("a")
import_take("b")
takes.clear(face())
walk()
report({"left_out": takes.activate(face(), bpy.data.actions["a"]), "walks": body()["active"]})
parts = takes.split(bpy.data.actions["a"])
keyed = next(curve for part in parts for curve in part.curves if curve.data_path == 'key_blocks["jawOpen"].value')
report({"talks": [jaw(8), keyed.evaluate(8)]})

# An animator has keyed the spine in the take's own Action.
person()
bpy.context.scene.dream_talk.head_motion = True
import_take("a")
import_take("b")
rig().pose.bones["spine"].keyframe_insert("location", frame=3)
held = rig().animation_data.action
count = len(compat.assigned_curves(rig()))
report(
    {
        "own_delete": refusal(operators.delete_take),
        "own_push": refusal(operators.push_take),
        "own_left_out": refusal(lambda: operators.use_take(take="a")),
        "own_kept": rig().animation_data.action == held and len(compat.assigned_curves(rig())) == count,
    }
)
