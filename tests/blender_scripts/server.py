"""Start and stop the model server from the add-on's preferences; leave the last one to Blender's own end."""

import importlib
import json
import sys
import time
from pathlib import Path

import bpy
from blender_test import MODULE, arguments, refusal, report

client = importlib.import_module(f"{MODULE}.dream_blender.client")
take = importlib.import_module(f"{MODULE}.dream_blender.take")
status = importlib.import_module(f"{MODULE}.dream_blender.server_status")
process = importlib.import_module(f"{MODULE}.dream_blender.server_process")
folder = Path(arguments["folder"])
settings = bpy.context.scene.dream_talk
preferences = bpy.context.preferences.addons[MODULE].preferences
server = bpy.ops.dream_talk


def status_line():
    """Return the sidebar's words about the server, asked anew."""
    status.line()
    status.refresh()
    status._tick()
    if status._asking is not None:
        status._asking.join()
    return status.line()


def wait_for(condition):
    """Wait until ``condition`` is true, at most a minute."""
    deadline = time.monotonic() + 60.0
    while not condition():
        if time.monotonic() > deadline:
            sys.exit("gave up waiting")
        time.sleep(0.1)


bpy.ops.dream_talk.add_avatar()
settings.audio_path = arguments["audio"]
report({"start_without_environment": server.start_server.poll(), "stop_without_server": server.stop_server.poll()})
preferences.environment = str(folder / "nowhere")
report({"no_environment": refusal(server.start_server)})
preferences.environment = arguments["broken"]
server.start_server()
wait_for(lambda: not process.is_ours())
report({"ended_line": status_line(), "ended_generate": refusal(server.generate)})

preferences.environment = arguments["environment"]
report(
    {"started": list(server.start_server()), "early_line": status_line(), "early_generate": refusal(server.generate)}
)
wait_for(lambda: status_line()[1])
connection = json.loads(client.connection_path().read_text())
report({"line": status_line(), "pid": connection["pid"], "start_twice": server.start_server.poll()})
report({"generated": list(server.generate()), "take": take.take_of(settings.character) is not None})
report({"stopped": list(server.stop_server()), "connection_left": client.connection_path().exists()})
report({"stopped_line": status_line(), "stop_twice": server.stop_server.poll()})

server.start_server()
wait_for(lambda: status_line()[1])
report({"left_running": json.loads(client.connection_path().read_text())["pid"], "ours": process.is_ours()})
