"""Begin a long take and wait to be ended by force."""

import importlib
import time
from pathlib import Path

import bpy
from blender_test import MODULE, arguments

generate = importlib.import_module(f"{MODULE}.dream_blender.generate")
bpy.ops.dream_talk.add_avatar()
bpy.context.scene.dream_talk.audio_path = arguments["audio"]
generation = generate.prepare(bpy.context)
generate.start(generation)
while generation.progress.text != generation.job.doing:
    generate._poll()
    time.sleep(0.05)
Path(arguments["begun"]).touch()
time.sleep(600.0)
