"""Preview a portrait while the server ends."""

import importlib
import os
import signal
import threading
import time

import bpy
from blender_test import MODULE, arguments, report

preview = importlib.import_module(f"{MODULE}.dream_blender.portrait_preview")
scene = bpy.context.scene
bpy.ops.dream_talk.add_avatar()
scene.dream_talk.portrait.photo = arguments["photo"]
bpy.context.preferences.addons[MODULE].preferences.likeness_consent = True
bpy.ops.dream_talk.portrait_preview()
keys = scene.dream_talk.character.data.shape_keys.key_blocks
deadline = time.monotonic() + 120
worker = preview._active.worker
while not worker.made:
    assert time.monotonic() < deadline
    preview._tick()
    time.sleep(0.01)
report({"before": preview.is_active()})
os.kill(arguments["server"], signal.SIGKILL)
while preview.is_active():
    assert time.monotonic() < deadline
    keys["jawOpen"].value = (keys["jawOpen"].value + 0.1) % 1
    bpy.context.view_layer.update()  # as Blender's own loop does after every edit
    preview._tick()
    time.sleep(0.01)
worker.join(60)
report(
    {
        "message": preview.message(),
        "threads": [thread.name for thread in threading.enumerate() if "portrait" in thread.name],
    }
)
