"""Handle takes as the sidebar does: choose, rate, copy, delete, push, merge and compare them, each with undo."""

import importlib
from pathlib import Path

import bpy
import numpy as np
from blender_test import MODULE, arguments, refusal, report

take_module = importlib.import_module(f"{MODULE}.dream_blender.take")
takes = importlib.import_module(f"{MODULE}.dream_blender.takes")
export = importlib.import_module(f"{MODULE}.dream_blender.export")
takes_merge = importlib.import_module(f"{MODULE}.dream_blender.takes_merge")
takes_nla = importlib.import_module(f"{MODULE}.dream_blender.takes_nla")
takes_panel = importlib.import_module(f"{MODULE}.dream_blender.takes_panel")
compat = importlib.import_module(f"{MODULE}.dream_blender.compat")
settings_of = importlib.import_module(f"{MODULE}.dream_blender.take_settings").settings_of
folder = Path(arguments["folder"])
operators = bpy.ops.dream_talk


def face():
    return bpy.context.scene.dream_talk.character


def import_take(name):
    operators.import_curves(filepath=str(folder / f"{name}.npz"))
    return takes.active_take(face())


def listed():
    return [take.name for take in takes.takes_of(face())]


def playing():
    take = takes.active_take(face())
    return take.name if take else ""


def shown(frame, item=None):
    """Return the evaluated values of three shapes, and the head bone's matrix, at ``frame``."""
    item = item or face()
    bpy.context.scene.frame_set(int(frame), subframe=frame % 1)
    now = item.evaluated_get(bpy.context.evaluated_depsgraph_get())
    values = [now.data.shape_keys.key_blocks[name].value for name in ("jawOpen", "mouthSmileLeft", "browInnerUp")]
    rig = item.parent.evaluated_get(bpy.context.evaluated_depsgraph_get())
    bone = rig.pose.bones["head"]
    turned = (bone.matrix @ bone.bone.matrix_local.inverted()).to_3x3()
    return values, np.array(turned).tolist()


def undoable(operator, look, **settings):
    """Run ``operator`` with undo, and return what ``look`` sees before, after, and when it is undone."""
    bpy.ops.ed.undo_push(message="before")
    before = look()
    done = operator("EXEC_DEFAULT", True, **settings)
    after = look()
    bpy.ops.ed.undo()
    undone = look()
    bpy.ops.ed.redo()
    return {"done": list(done), "before": before, "after": after, "undone": undone, "redone": look() == after}


def file_contents():
    return {
        name: sorted(item.name for item in getattr(bpy.data, name))
        for name in ("objects", "meshes", "collections", "actions", "shape_keys", "armatures")
    }


bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
scene = bpy.context.scene
scene.render.fps, scene.render.fps_base = 24, 1.0
bpy.ops.ed.undo_push(message="start")
report({"poll_without_character": operators.use_take.poll(), "version": bpy.app.version})
operators.add_avatar()
report({"poll_without_take": operators.use_take.poll()})
import_take("a")
import_take("b")
report(
    {
        "takes": listed(),
        "playing": playing(),
        "imported": settings_of(takes.active_take(face())).imported,
        "lines": takes_panel.settings_lines(settings_of(takes.active_take(face()))),
        "ids": len({action[take_module.TAKE_ID_MARK] for action in bpy.data.actions}),
    }
)


def copied_face():
    compared = [item for item in bpy.data.objects if item.get("dream_talk_compare") == face().name]
    return next(item for item in compared if item.type == "MESH" and item.name.startswith(face().name))


def look():
    return playing(), *shown(8)


report({"use": undoable(operators.use_take, look, take="a")})
bpy.context.scene.dream_talk_take = bpy.data.actions.find("b")
report({"clicked": [playing(), bpy.data.actions[bpy.context.scene.dream_talk_take].name, *shown(8)]})
report({"refused_stranger": refusal(lambda: operators.use_take(take="nothing"))})
bpy.data.actions["a"].name = "First"
report({"renamed": listed()})
bpy.data.actions["First"].name = "a"
report({"rate": undoable(operators.rate_take, lambda: bpy.data.actions["b"].dream_talk_rating, take="b", stars=4)})
operators.rate_take(take="b", stars=4)
report({"rated_again": bpy.data.actions["b"].dream_talk_rating})

report({"duplicate": undoable(operators.duplicate_take, lambda: [playing(), listed(), *shown(8)])})
report({"delete": undoable(operators.delete_take, lambda: [playing(), listed(), len(bpy.data.actions), *shown(8)])})

# Push B to the NLA: the same values at every frame, and none of the face's own Action.
operators.use_take(take="b")
scene = bpy.context.scene  # undo has replaced it
frames = [scene.frame_start + offset for offset in (0, 3.5, 7, 10)]


def strips():
    found = []
    for data in takes.moved_data(face()):
        tracks = data.animation_data.nla_tracks if data.animation_data else ()
        for name, strip in ((track.name, strip) for track in tracks for strip in track.strips):
            found += [[data.id_type, name, strip.name, strip.frame_start, strip.frame_end, strip.extrapolation]]
    return found


def pushed():
    return [playing(), strips(), [shown(frame) for frame in frames]]


report({"push": undoable(operators.push_take, pushed)})
operators.use_take(take="b")
report({"pushed_twice": refusal(operators.push_take)})
operators.use_take(take="a")


def muted():
    tracks = [track for data in takes.moved_data(face()) for track in data.animation_data.nla_tracks]
    return [[track.mute for track in tracks], takes_nla.is_solo(face()), *shown(8)]


report({"solo": undoable(operators.solo_take, muted)})
operators.solo_take()
report({"solo_ended": muted()})
report({"is_pushed": [name in takes.pushed_names(face()) for name in ("a", "b")]})

# Merge frames 4 to 9 of B into A.
report({"merge": undoable(operators.merge_takes, lambda: [playing(), listed()], other="b", first=4, last=9, fade=2)})
merged = takes_merge.curves_of(face(), takes.active_take(face()), 24.0)
np.savez(folder / "merged.npz", stacked=merged.stacked(), start=merged.start)
report({"merged_settings": settings_of(takes.active_take(face())).merged})
report({"refused_range": refusal(lambda: operators.merge_takes(other="b", first=0, last=90, fade=2))})

# Compare A with B.
operators.use_take(take="a")
before = file_contents()
report({"compare": undoable(operators.compare_takes, lambda: [len(bpy.data.objects), playing()], other="b")})
beside = copied_face()
apart = beside.matrix_world.translation - face().matrix_world.translation
eyes = [bone for bone in beside.parent.pose.bones if bone.name.startswith("eye")]
targets = [getattr(held, "target", None) for bone in eyes for held in bone.constraints]
report(
    {
        "beside": [shown(frame, beside) for frame in frames],
        "itself": [shown(frame) for frame in frames],
        "apart": list(apart),
        "wide": face().dimensions.x,
        "own_rig": beside.parent != face().parent and beside.parent.data == face().parent.data,
        "held_by_own": [target.get("dream_talk_compare") for target in targets if target is not None],
        "takes_while_comparing": listed(),
    }
)
report({"stop": undoable(operators.stop_comparing, lambda: len(bpy.data.objects))})
report({"left_behind": file_contents() == before, "nothing_to_stop": operators.stop_comparing.poll()})

# A take that begins elsewhere is moved to the same frame.
bpy.context.scene.frame_start = 101
import_take("b")
late = playing()
operators.use_take(take="a")
cast = bpy.data.objects.new("Cast", None)
bpy.context.scene.collection.objects.link(cast)
cast.scale, cast.rotation_euler = (2, 2, 2), (0, 0, 1)
face().parent.parent = cast  # the copy hangs on it too, and is not exported with it
operators.compare_takes(other=late)
report({"exported": [item.name for item in export._family(face()) if item.get("dream_talk_compare")]})
beside = copied_face()
report({"late": late, "late_beside": [shown(frame, beside) for frame in frames], "takes_with_late": listed()})
between = beside.matrix_world.translation - face().matrix_world.translation
report({"late_apart": [between.length, float(np.linalg.norm(beside.parent.delta_location))]})
operators.stop_comparing()
face().parent.parent = None
bpy.data.objects.remove(bpy.data.objects["Cast"])
operators.use_take(take=late)
operators.delete_take()
report({"after_late": file_contents() == before})

# At another frame rate keys lie between frames; the strip begins and ends with them all the same.
before = file_contents()
bpy.context.scene.render.fps, bpy.context.scene.frame_start = 25, 10
import_take("a")
late = playing()
between = [10, 12.25, 17.5, 20.75, 21.3]
keyed = [shown(frame)[0] for frame in between]
operators.push_take()
report(
    {
        "strip_between": [strip for strip in strips() if strip[2] == late],
        "between": [keyed, [shown(frame)[0] for frame in between]],
    }
)
operators.use_take(take=late)
operators.delete_take()
report({"after_between": file_contents() == before})
bpy.context.scene.render.fps, bpy.context.scene.frame_start = 24, 1

# The character is renamed: its takes stay its own.
face().name = "Bella"
report({"after_rename": listed()})
bpy.ops.wm.save_as_mainfile(filepath=str(folder / "takes.blend"))
bpy.ops.wm.open_mainfile(filepath=str(folder / "takes.blend"))
report({"reopened": [listed(), bpy.data.actions["b"].dream_talk_rating, playing()]})
