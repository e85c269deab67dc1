"""Try to start and to stop a server while one that was started elsewhere runs."""

import bpy
from blender_test import MODULE, arguments, report

bpy.context.preferences.addons[MODULE].preferences.environment = arguments["environment"]
try:
    bpy.ops.dream_talk.start_server()
except RuntimeError as error:
    report({"start": str(error)})
report({"stop": bpy.ops.dream_talk.stop_server.poll()})
