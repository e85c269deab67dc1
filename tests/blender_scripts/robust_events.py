"""Do to Blender what users do while a take is made: undo, rename, delete, change scenes, open files."""

import importlib
import json
import sys
import time
from pathlib import Path

import bpy
from blender_test import MODULE, arguments, refusal, report

compat = importlib.import_module(f"{MODULE}.dream_blender.compat")
generate = importlib.import_module(f"{MODULE}.dream_blender.generate")
take = importlib.import_module(f"{MODULE}.dream_blender.take")
spawn_avatar = importlib.import_module(f"{MODULE}.dream_blender.avatar_object").spawn_avatar
folder = Path(arguments["folder"])


def settings():
    """Return the sidebar's settings: undo and file loads make new ones."""
    return bpy.context.scene.dream_talk


def begin(character, seed=0):
    """Choose ``character`` and begin its take, as Generate does in a window."""
    settings().character = character
    settings().audio_path, settings().seed = arguments["audio"], seed
    generation = generate.prepare(bpy.context)
    generate.start(generation)
    return generation


def wait():
    """Let the timer of the takes run until none is being made."""
    deadline = time.monotonic() + 120.0
    while generate.active:
        if time.monotonic() > deadline:
            sys.exit("gave up waiting for the takes")
        generate._poll()
        time.sleep(0.05)


def made(name):
    """Return the name of the take of the object ``name``, its seed, and how many keys it has."""
    character = bpy.data.objects.get(name)
    action = take.take_of(character)
    if action is None:
        return None
    keys = sum(len(curve.keyframe_points) for curve in compat.assigned_curves(character.data.shape_keys))
    return [action.name, json.loads(action[take.TAKE_MARK])["seed"], keys]


def undo_and_redo():
    """Undo and redo while the take is made, and after."""
    bpy.ops.dream_talk.add_avatar()
    name = settings().character.name
    bpy.ops.ed.undo_push(message="Avatar added")
    bpy.data.objects[name].location.x = 3.0
    bpy.ops.ed.undo_push(message="Moved")
    begin(bpy.data.objects[name], seed=4)
    bpy.ops.ed.undo()
    bpy.ops.ed.redo()
    bpy.ops.ed.undo()
    wait()
    report({"undo_made": made(name), "undo_kept": bpy.data.objects[name].location.x})
    bpy.ops.ed.undo()
    report({"undo_back": made(name), "undo_character": bpy.data.objects.get(name) is not None})
    bpy.ops.ed.redo()
    report({"undo_again": made(name)})
    bpy.data.objects.remove(bpy.data.objects[name])


def two_characters_renamed():
    """Make takes of two characters at once; rename both, one to what the other was called, and their scene."""
    first, second = (spawn_avatar(bpy.context.scene.collection) for _ in range(2))
    first.name, second.name = "Anna", "Bea"
    begin(first, seed=1)
    begin(second, seed=2)
    settings().character = first
    report({"busy": generate.disabled_reason(bpy.context), "both": sorted(generate.active)})
    first.name, second.name, first.name = "C", "Anna", "Bea"
    bpy.context.scene.name = "Another Name"
    generate._poll()
    report({"renamed": sorted(generate.active), "still_busy": generate.disabled_reason(bpy.context)})
    wait()
    report({"first": made("Bea"), "second": made("Anna")})


def deleted():
    """Delete a character during its take; another gets its name."""
    character = spawn_avatar(bpy.context.scene.collection)
    character.name = "Carla"
    begin(character)
    bpy.ops.object.select_all(action="DESELECT")
    character.select_set(True)
    bpy.ops.object.delete()
    actions = len(bpy.data.actions)
    wait()
    report({"deleted": refusal(bpy.ops.dream_talk.generate), "deleted_reason": generate.disabled_reason(bpy.context)})
    report({"deleted_said": generate.last_message["Carla"], "deleted_keyed": len(bpy.data.actions) - actions})
    replaced = spawn_avatar(bpy.context.scene.collection)
    replaced.name = "Dora"
    begin(replaced)
    bpy.data.objects.remove(replaced)
    other = spawn_avatar(bpy.context.scene.collection)
    other.name = "Dora"
    wait()
    report({"replaced": made("Dora"), "replaced_said": generate.last_message["Dora"]})


def two_scenes():
    """Begin a take in one scene and go to another, of another frame rate, before it is there."""
    here = bpy.context.scene
    here.render.fps, here.frame_start, here.frame_end = 24, 101, 900
    character = spawn_avatar(here.collection)
    character.name = "Eva"
    begin(character)
    there = bpy.data.scenes.new("There")
    there.render.fps, there.frame_end = 60, 77
    bpy.context.window.scene = there
    wait()
    report(
        {
            "scene": made("Eva"),
            "scene_range": [here.frame_start, here.frame_end],
            "scene_strips": len(compat.strips(here)),
            "other_scene": [there.frame_start, there.frame_end, len(compat.strips(there))],
        }
    )
    bpy.context.window.scene = here


def file_loads():
    """Revert the file during a take; open another one during the next."""
    mine, other = folder / "mine.blend", folder / "other.blend"
    bpy.ops.wm.read_homefile(use_empty=True)
    bpy.ops.dream_talk.add_avatar()
    settings().character.name = "Fee"
    bpy.ops.wm.save_as_mainfile(filepath=str(other))
    bpy.ops.wm.save_as_mainfile(filepath=str(mine))
    begin(bpy.data.objects["Fee"], seed=6)
    bpy.ops.wm.open_mainfile(filepath=str(mine))
    kept = sorted(generate.active)
    wait()
    report({"reverted": kept, "reverted_made": made("Fee"), "messages": len(generate.last_message)})
    lost = begin(bpy.data.objects["Fee"])
    bpy.ops.wm.open_mainfile(filepath=str(other))
    report({"other_active": sorted(generate.active), "messages_left": len(generate.last_message)})
    lost.job.join(30.0)
    generate._poll()
    report({"other_made": made("Fee"), "other_actions": len(bpy.data.actions)})


for part in (undo_and_redo, two_characters_renamed, deleted, two_scenes, file_loads):
    part()
