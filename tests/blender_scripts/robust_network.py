"""Use every button that speaks with the server while online access is off, then on, and note who was asked for."""

import importlib
import json
import sys

import bpy
from blender_test import MODULE, arguments, refusal, report

client = importlib.import_module(f"{MODULE}.dream_blender.client")
status = importlib.import_module(f"{MODULE}.dream_blender.server_status")
preferences = bpy.context.preferences.addons[MODULE].preferences
asked: list[str] = []


def note(event, details):
    """Note every name that is looked up and every address that is connected to, on any thread."""
    if event == "socket.getaddrinfo":
        asked.append(str(details[0]))
    elif event == "socket.connect":
        asked.append(str(details[1][0]))


def everything():
    """Return what Generate, Capture and the status line say, and whom they asked."""
    asked.clear()
    said = [refusal(bpy.ops.dream_talk.generate)]
    said.append(refusal(lambda: bpy.ops.dream_talk.capture_face(filepath=arguments["audio"])))
    status.line()
    status.refresh()
    status._tick()
    if status._asking is not None:
        status._asking.join()
    said.append(status.line()[0])
    return {"said": said, "asked": sorted(set(asked))}


sys.addaudithook(note)
bpy.ops.dream_talk.add_avatar()
bpy.context.scene.dream_talk.audio_path = arguments["audio"]
token = json.loads(client.connection_path().read_text())["token"]
local = json.loads(client.connection_path().read_text())["url"]
preferences.server_token = token
system = bpy.context.preferences.system
report({"online_at_first": bpy.app.online_access})
for name, address in arguments["addresses"].items():
    preferences.server_url = address
    report({name: everything()})
preferences.server_url = "http://studio.invalid:8787"
system.use_online_access = True
report({"online": bpy.app.online_access, "allowed": everything()})
system.use_online_access = False
preferences.server_url = local
asked.clear()
report({"local": list(bpy.ops.dream_talk.generate()), "local_asked": sorted(set(asked))})
report({"loopback": {url: client.is_loopback(url) for url in arguments["loopback"]}})
