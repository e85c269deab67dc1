"""Fill the batch's list, run it with and without a window, cancel, retry, undo, and open files meanwhile."""

import importlib
import itertools
import sys
import time
from pathlib import Path

import bpy
from blender_test import MODULE, arguments, refusal, report

batch = importlib.import_module(f"{MODULE}.dream_blender.batch")
compat = importlib.import_module(f"{MODULE}.dream_blender.compat")
generate = importlib.import_module(f"{MODULE}.dream_blender.generate")
settings_of = importlib.import_module(f"{MODULE}.dream_blender.take_settings").settings_of
take_of = importlib.import_module(f"{MODULE}.dream_blender.take").take_of
spawn_avatar = importlib.import_module(f"{MODULE}.dream_blender.avatar_object").spawn_avatar
folder = Path(arguments["folder"])
audio = arguments["audio"]
FPS = 25


def lay(scene, name, path, channel, frame):
    strip = compat.strip_collection(scene).new_sound(name, path, channel, frame)
    strip.select = False
    return strip


def make_scene():
    """Two characters, five strips: two by name, one by its channel's name, one by nobody's, one that is broken."""
    bpy.ops.wm.read_factory_settings()
    bpy.ops.preferences.addon_enable(module=MODULE)
    scene = bpy.context.scene
    scene.render.fps, scene.render.fps_base = FPS, 1.0
    for name in ("Ann", "Anna"):
        spawn_avatar(scene.collection).name = name
    lay(scene, "Anna 01", audio, 1, 10)
    lay(scene, "Ann01", audio, 1, 60)
    lay(scene, "by channel", audio, 2, 110)
    lay(scene, "anna 02", audio, 3, 60).select = True
    lay(scene, "Annabel", arguments["broken"], 4, 200)
    scene.sequence_editor.channels[2].name = "ann"
    settings = scene.dream_talk
    settings.character, settings.emotion, settings.seed = scene.objects["Anna"], "happy", 3
    return scene


def rows(scene):
    return [[row.strip, row.character.name if row.character else ""] for row in scene.dream_talk_batch.rows]


def states(scene):
    found = [(row.strip, batch.entry_of(row)) for row in scene.dream_talk_batch.rows]
    return [[strip, entry.state if entry else "", entry.message if entry else ""] for strip, entry in found]


def filling():
    scene = make_scene()
    settings = scene.dream_talk_batch
    found = {"unfilled": refusal(bpy.ops.dream_talk.batch_start), "empty": batch.disabled_reason(scene)}
    bpy.ops.dream_talk.batch_fill()
    found["all"] = rows(scene)
    settings.source = "SELECTED"
    bpy.ops.dream_talk.batch_fill()
    found["selected"] = rows(scene)
    settings.source, settings.channel = "CHANNEL", 1
    bpy.ops.dream_talk.batch_fill()
    found["channel"] = rows(scene)
    settings.channel = 9
    found["none"] = refusal(bpy.ops.dream_talk.batch_fill)
    settings.rows[0].character = None
    found["nobody"] = batch.disabled_reason(scene)
    scene.dream_talk.lips = "TEXT"
    settings.rows[0].character = scene.objects["Ann"]
    found["text"] = batch.disabled_reason(scene)
    bpy.ops.dream_talk.batch_remove(number=settings.rows[0].number)
    found["removed"] = rows(scene)
    bpy.context.window_manager.windows[0].scene = bpy.data.scenes.new("Empty")
    found["other_scene"] = refusal(bpy.ops.dream_talk.batch_fill)
    bpy.context.window_manager.windows[0].scene = scene
    return found


def nla(character):
    """Return name, first and last frame of the takes on the DREAM-Talk tracks of the shape keys."""
    animation = character.data.shape_keys.animation_data
    found = [strip for track in animation.nla_tracks for strip in track.strips]
    return sorted([strip.name, strip.frame_start, strip.frame_end] for strip in found)


def peaks(scene, character, *frames):
    """Return how far the jaw is open at most between each of ``frames`` and the next."""
    key = character.data.shape_keys.key_blocks["jawOpen"]
    found = []
    for first, end in itertools.pairwise(frames):
        values = []
        for frame in range(first, end, 2):
            scene.frame_set(frame)
            values.append(key.value)
        found.append(max(values))
    return found


def without_window():
    """Run the whole list, as Blender in the background does."""
    scene = bpy.context.scene
    scene.dream_talk.lips, scene.dream_talk_batch.source = "SOUND", "ALL"
    bpy.ops.dream_talk.batch_fill()
    bpy.ops.dream_talk.batch_start()
    anna, ann = scene.objects["Anna"], scene.objects["Ann"]
    found = {"states": states(scene), "anna": nla(anna), "ann": nla(ann)}
    found["open"] = [row.strip for row in batch.open_rows(scene)]
    found["jaw"] = peaks(scene, anna, 10, 60, 110)
    found["strips"] = sorted({settings_of(action).strip for action in bpy.data.actions if settings_of(action)})
    return found


def wait():
    """Let the timers of batch and takes run until the batch is done."""
    deadline = time.monotonic() + 120.0
    while any(entry.is_busy for entry in batch.entries.values()):
        if time.monotonic() > deadline:
            sys.exit(f"gave up waiting: {states(bpy.context.scene)}")
        batch.poll()
        generate._poll()
        time.sleep(0.05)


def begin(scene, some):
    """Start rows as in a window: the timers are run by ``wait``."""
    batch._file[0] = bpy.data.filepath
    for row in some:
        batch.entries[row.number] = batch.Entry(batch.WAITING)


def with_window():
    """One take is one undo step; what is known of the rows outlives undo, cancel and retry."""
    scene = make_scene()
    scene.dream_talk_batch.source, scene.dream_talk_batch.channel = "CHANNEL", 1
    bpy.ops.dream_talk.batch_fill()
    bpy.ops.ed.undo_push(message="filled")
    numbers = [row.number for row in scene.dream_talk_batch.rows]
    actions = len(bpy.data.actions)
    begin(scene, scene.dream_talk_batch.rows)
    batch.poll()
    found = {"began": states(scene), "busy": batch.disabled_reason(scene)}
    wait()
    scene = bpy.context.scene
    found["done"] = states(scene)
    found["made"] = len(bpy.data.actions) - actions
    found["active"] = [take_of(scene.objects[name]).name for name in ("Anna", "Ann")]
    bpy.ops.ed.undo()
    found["undone_one"] = len(bpy.data.actions) - actions
    bpy.ops.ed.undo()
    scene = bpy.context.scene
    found["undone_two"] = len(bpy.data.actions) - actions
    found["known_after_undo"] = states(scene)
    begin(scene, scene.dream_talk_batch.rows)
    batch.poll()
    bpy.ops.dream_talk.batch_cancel(number=numbers[1])
    bpy.ops.dream_talk.batch_cancel(number=numbers[0])
    wait()
    scene = bpy.context.scene
    found["cancelled"] = states(scene)
    begin(scene, scene.dream_talk_batch.rows)
    batch.poll()
    bpy.ops.ed.undo_push(message="while it runs")
    bpy.context.scene.objects["Anna"].name = "Maria"
    bpy.ops.ed.undo_push(message="renamed")
    bpy.ops.ed.undo()
    bpy.ops.ed.redo()
    wait()
    found["renamed"] = states(bpy.context.scene)
    begin(bpy.context.scene, bpy.context.scene.dream_talk_batch.rows)
    batch.poll()
    bpy.ops.dream_talk.batch_cancel_all()
    wait()
    found["all_cancelled"] = states(bpy.context.scene)
    bpy.ops.dream_talk.batch_retry(number=numbers[0])
    found["retried"] = states(bpy.context.scene)
    return found


def other_files():
    """Open the file again while the batch runs, then another one."""
    scene = make_scene()
    scene.dream_talk_batch.source = "CHANNEL"
    bpy.ops.dream_talk.batch_fill()
    path = str(folder / "batch.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    begin(scene, scene.dream_talk_batch.rows)
    batch.poll()
    bpy.ops.wm.open_mainfile(filepath=path)
    wait()
    found = {"reverted": states(bpy.context.scene)}
    begin(bpy.context.scene, bpy.context.scene.dream_talk_batch.rows)
    batch.poll()
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    found["other"] = [len(batch.entries), len(generate.active)]
    return found


report({"audio": compat.has_audio()})
if compat.has_audio():
    report({"filling": filling(), "without_window": without_window()})
    report({"with_window": with_window(), "other_files": other_files()})
