"""Lose the server while it makes a take; begin again with a new one, and with one of another version."""

import importlib
import json
import os
import signal
import sys
import time

import bpy
from blender_test import MODULE, arguments, refusal, report

client = importlib.import_module(f"{MODULE}.dream_blender.client")
generate = importlib.import_module(f"{MODULE}.dream_blender.generate")
take = importlib.import_module(f"{MODULE}.dream_blender.take")
status = importlib.import_module(f"{MODULE}.dream_blender.server_status")
preferences = bpy.context.preferences.addons[MODULE].preferences


def wait_for(condition):
    """Let the timer of the takes run until ``condition`` is true, at most two minutes."""
    deadline = time.monotonic() + 120.0
    while not condition():
        if time.monotonic() > deadline:
            sys.exit("gave up waiting")
        generate._poll()
        time.sleep(0.05)


def reachable():
    """Tell whether the server of this computer answers."""
    try:
        return client.health_of(client.read_address(client.connection_path())).ready
    except client.ServerError:
        return False


bpy.ops.dream_talk.add_avatar()
settings = bpy.context.scene.dream_talk
name = settings.character.name
preferences.environment = arguments["environment"]
bpy.ops.dream_talk.start_server()
wait_for(reachable)

settings.audio_path = arguments["long"]
generation = generate.prepare(bpy.context)
generate.start(generation)
wait_for(lambda: generation.progress.text == generation.job.doing)
os.kill(json.loads(client.connection_path().read_text())["pid"], signal.SIGKILL)
wait_for(lambda: not generate.active)
report({"killed": generate.last_message[name], "killed_made": len(bpy.data.actions)})
settings.audio_path = arguments["audio"]
report({"after": refusal(bpy.ops.dream_talk.generate)})

report({"restarted": list(bpy.ops.dream_talk.start_server())})
wait_for(reachable)
report({"again": list(bpy.ops.dream_talk.generate()), "again_made": take.take_of(settings.character) is not None})


class LostJob(generate.Job):
    """A job that the server has forgotten, as one does that was restarted at the same address."""

    def _submit(self):
        return "0000000000000000"


generation = generate.prepare(bpy.context)
generation.job = LostJob(generation.job.client, generation.job.audio, generation.job.options)
generate.start(generation)
wait_for(lambda: not generate.active)
report({"lost": generate.last_message[name]})

bpy.ops.dream_talk.stop_server()
preferences.environment = arguments["newer"]
bpy.ops.dream_talk.start_server()
wait_for(client.connection_path().exists)
report({"upgraded": refusal(bpy.ops.dream_talk.generate)})
stored = json.loads(client.connection_path().read_text())
preferences.server_url, preferences.server_token = stored["url"], stored["token"]
report({"upgraded_by_address": refusal(bpy.ops.dream_talk.generate)})
status.line()
status.refresh()
status._tick()
if status._asking is not None:
    status._asking.join()
report({"upgraded_line": list(status.line())})
