"""Ask for more takes like one that was generated: all at once, one after the other in a window's way, and cancelled."""

import importlib
import sys
import time
from dataclasses import asdict

import bpy
from blender_test import MODULE, arguments, refusal, report

generate = importlib.import_module(f"{MODULE}.dream_blender.generate")
takes = importlib.import_module(f"{MODULE}.dream_blender.takes")
takes_again = importlib.import_module(f"{MODULE}.dream_blender.takes_again")
take_module = importlib.import_module(f"{MODULE}.dream_blender.take")
take_settings = importlib.import_module(f"{MODULE}.dream_blender.take_settings")
settings_of = take_settings.settings_of


def character():
    return bpy.context.scene.dream_talk.character


def made():
    return [[take.name, settings_of(take).seed, list(take.frame_range)] for take in takes.takes_of(character())]


def wait():
    """Let the timers run until nothing is left to be made; background has no event loop."""
    deadline = time.monotonic() + 120.0
    while takes_again.left_for(character().name):
        if time.monotonic() > deadline:
            sys.exit("gave up waiting for the takes")
        generate._poll()
        takes_again._tick()
        time.sleep(0.05)


scene = bpy.context.scene
scene.render.fps, scene.render.fps_base = 30, 1.0
scene.frame_start = 11
bpy.ops.dream_talk.add_avatar()
settings = scene.dream_talk
settings.audio_path = arguments["audio"]
settings.emotion, settings.intensity, settings.seed = "happy", 0.8, 3
bpy.ops.dream_talk.generate()
first = takes.active_take(character())
values = takes.split(first)[0].curves[20].evaluate(30)
report({"settings": asdict(settings_of(first)), "hash": take_module.provenance_of(first).model_hash})
# The sidebar moves on: more takes must keep to what the first was made with.
settings.emotion, settings.seed, scene.frame_start = "sad", 9, 50
report({"done": list(bpy.ops.dream_talk.more_like_this(count=2)), "blocking": made()})
again = [asdict(settings_of(take)) for take in takes.takes_of(character())]
report({"differing": sorted({key for other in again for key in other if other[key] != again[0][key]})})
bpy.ops.dream_talk.use_take(take=first.name)

# In a window they are made one after the other.
queue = takes_again.prepare_many(bpy.context, character(), takes.active_take(character()), 2)
takes_again.start(queue)
report({"greyed": bpy.ops.dream_talk.more_like_this.poll(), "left": takes_again.left_for(character().name)})
wait()
report({"queued": made(), "idle": not generate.active})
name = character().name
takes_again.start(takes_again.prepare_many(bpy.context, character(), takes.active_take(character()), 3))
generate.cancel(name)
wait()
report({"after_cancel": len(made())})
curve = takes.split(first)[0].curves[20]
report({"first_stays": curve.evaluate(30) == values})
first[take_settings.SETTINGS_MARK] = ""
bpy.ops.dream_talk.use_take(take=first.name)
report({"unknown": refusal(bpy.ops.dream_talk.more_like_this)})
