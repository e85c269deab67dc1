"""Move the sliders of a take, undo, save and load, edit by hand, apply, reset, reduce and hold."""

import importlib
from pathlib import Path

import bpy
import numpy as np
from blender_test import MODULE, arguments, report

take = importlib.import_module(f"{MODULE}.dream_blender.take")
compat = importlib.import_module(f"{MODULE}.dream_blender.compat")
take_keys = importlib.import_module(f"{MODULE}.dream_blender.take_keys")
read_curves = importlib.import_module(f"{MODULE}.blendshape_rigs.formats").read_curves
write_curves = importlib.import_module(f"{MODULE}.blendshape_rigs.formats").write_curves
folder = Path(arguments["folder"])
scene = bpy.context.scene
scene.render.fps, scene.render.fps_base = 30, 1.0
bpy.ops.dream_talk.add_avatar()


def head():
    return bpy.context.scene.dream_talk.character


def action():
    return take.take_of(head())


def sliders():
    return action().dream_talk_adjust


def save(name):
    """Write the take as it is now."""
    first, last = take.frame_range(head())
    write_curves(take.read_take(head(), first, last, 30.0, first), folder / f"{name}.npz")


def points():
    """Return all keys of the take."""
    found = take_keys.ActiveTake(head()).curves
    return {f"{path}{index}": take_keys.key_points(curve).tolist() for (_, path, index), curve in found.items()}


def curve(name):
    return next(found for (_, path, _i), found in take_keys.ActiveTake(head()).curves.items() if f'"{name}"' in path)


bpy.ops.dream_talk.import_curves(filepath=str(folder / "curves.npz"))
report({"apply_before": bpy.ops.dream_talk.adjust_apply.poll(), "actions": len(bpy.data.actions)})
save("base")
original = points()

brows = sliders().brows
brows.strength = 0.5
save("strength")
scene.frame_set(scene.frame_start + 20)
shown = head().data.shape_keys.key_blocks["browInnerUp"].value
brows.strength, brows.offset = 1.5, -0.25
sliders().blinks.smoothing = 0.2
sliders().mouth.shift = 0.1
sliders().jaw.smoothing = 0.3
sliders().gaze.mute = True
sliders().head_rotation.strength = 0.5
sliders().head_translation.offset = 0.5
save("all")
report({"shown": shown, "actions_adjusted": len(bpy.data.actions), "base": sliders().base.name})

for part in ("brows", "blinks", "mouth", "jaw", "gaze", "head_rotation", "head_translation"):
    for name in ("strength", "offset", "smoothing", "shift", "mute"):
        slider = getattr(sliders(), part)
        setattr(slider, name, slider.bl_rna.properties[name].default)
report({"neutral_is_original": points() == original})

sliders().brows.strength = 0.5
bpy.ops.wm.save_as_mainfile(filepath=str(folder / "adjusted.blend"))
bpy.ops.wm.open_mainfile(filepath=str(folder / "adjusted.blend"))
report({"loaded": [sliders().brows.strength, sliders().base.name]})
sliders().brows.strength = 1.0
report({"loaded_is_original": points() == original})

sliders().brows.strength = 0.5
second = action().copy()
report({"own_settings": [second.dream_talk_adjust.brows.strength, second.dream_talk_adjust.base == sliders().base]})
curve("browInnerUp").keyframe_points[10].co.y = 0.77
curve("browInnerUp").update()
sliders().mouth.strength = 0.5
edited = points()
report(
    {
        "edited_kept": curve("browInnerUp").keyframe_points[10].co.y,
        "edited_note": sliders().note,
        "edited_sliders": [sliders().brows.strength, sliders().mouth.strength],
        "second_keeps_base": second.dream_talk_adjust.base != sliders().base,
    }
)
bpy.data.actions.remove(second)
bpy.ops.dream_talk.adjust_reset()
report({"reset_keeps_edit": curve("browInnerUp").keyframe_points[10].co.y, "reset": [sliders().base is None]})
sliders().mouth.strength = 0.5
curve("jawOpen").keyframe_points[5].co.y = 0.66
bpy.ops.dream_talk.adjust_reset()
report({"reset_with_edits": curve("jawOpen").keyframe_points[5].co.y})
sliders().mouth.strength = 0.5
applied = points()
bpy.ops.dream_talk.adjust_apply()
report(
    {
        "applied": points() == applied,
        "applied_sliders": sliders().mouth.strength,
        "left": [item.name for item in bpy.data.actions if "before Adjust" in item.name],
    }
)


def sampled():
    """Return the values of the take's F-curves at whole frames."""
    frames = np.arange(1, 150.0)
    return {place: take_keys.values_at(item, frames) for place, item in take_keys.ActiveTake(head()).curves.items()}


def largest_change(one, other):
    return max(float(np.abs(one[place] - other[place]).max()) for place in one)


before = sampled()
bpy.ops.dream_talk.reduce_keys(error=0.005)
reduced, kinds = sampled(), {point.interpolation for point in curve("browInnerUp").keyframe_points}
report(
    {
        "keys": [sum(map(len, applied.values())), sum(map(len, points().values()))],
        "error": largest_change(before, reduced),
        "kinds": sorted(kinds),
    }
)
few = points()
sliders().jaw.strength = 0.5
sliders().jaw.strength = 1.0
report({"reduced_is_original": points() == few})
bpy.ops.dream_talk.hold_poses(frames=2)
held = {place: values[:148] for place, values in sampled().items()}
report(
    {
        "held": all((values[0::2] == values[1::2]).all() for values in held.values()),
        "held_values": max(float(np.abs(held[place][::2] - reduced[place][:148:2]).max()) for place in held),
    }
)

# Undo, as the sidebar leaves its steps.
bpy.ops.dream_talk.import_curves(filepath=str(folder / "curves.npz"))
bpy.ops.ed.undo_push(message="Import")
start = points()
sliders().mouth.strength = 0.25
bpy.ops.ed.undo_push(message="Strength")
moved = points()
bpy.ops.ed.undo()
undone = [points() == start, sliders().base is None, sliders().mouth.strength]
bpy.ops.ed.redo()
redone = [points() == moved, sliders().base is not None, sliders().mouth.strength]
for step in ("adjust_apply", "reduce_keys", "hold_poses"):
    was = points()
    getattr(bpy.ops.dream_talk, step)("EXEC_DEFAULT", True)
    changed = points() != was
    bpy.ops.ed.undo()
    report({f"undo_{step}": [changed, points() == was, sliders().mouth.strength]})
report({"undone": undone, "redone": redone})

# A slider of a take that does not play is taken up when the take plays again and one is moved.
bpy.ops.dream_talk.import_curves(filepath=str(folder / "curves.npz"))
waiting = action()
playing = [(data, data.animation_data.action) for data in (head().data.shape_keys, head().parent)]
for data, _ in playing:
    data.animation_data.action = None
waiting.dream_talk_adjust.gaze.mute = True
for data, part in playing:
    data.animation_data.action = part
    if compat.HAS_SLOTS:
        data.animation_data.action_slot = next(s for s in part.slots if s.target_id_type == data.id_type)
was = float(np.ptp(take_keys.key_points(curve("eyeLookUpLeft"))[:, 1]))
waiting.dream_talk_adjust.jaw.strength = 0.5
report({"waited": [was, float(np.ptp(take_keys.key_points(curve("eyeLookUpLeft"))[:, 1]))]})

# A body that is animated in the same Action stays as it is.
rig = head().parent
body = next(bone for bone in rig.pose.bones if bone.name != "head")
body.keyframe_insert("location", frame=3)
body.location.x = 0.5
body.keyframe_insert("location", frame=9)


def body_points():
    found = [item for item in compat.assigned_curves(rig) if f'"{body.name}"' in item.data_path]
    return [take_keys.key_points(item).tolist() for item in found]


was = body_points()
sliders().head_rotation.strength = 0.0
still = np.ptp(
    [
        take_keys.key_points(item)[:, 1]
        for item in compat.assigned_curves(rig)
        if '"head"' in item.data_path and "rotation" in item.data_path
    ],
    axis=1,
)
bpy.ops.dream_talk.reduce_keys(error=0.01)
bpy.ops.dream_talk.hold_poses(frames=3)
report({"body": [len(was), body_points() == was], "still_head": float(still.max())})
