"""Run one test script inside bpy: ``run.py SCRIPT REPORT ARGUMENTS``.

The script finds its ``arguments``, the extension's ``MODULE`` name, ``report`` and ``refusal`` in the module
``blender_test``.
"""

from __future__ import annotations

import atexit
import json
import os
import runpy
import sys
import types
from collections.abc import Callable
from pathlib import Path

import bpy


def refusal(action: Callable[[], object]) -> str:
    """Return the message of an operator that must refuse; empty when it does not."""
    try:
        action()
    except RuntimeError as error:
        return str(error)
    return ""


script, report_path, arguments = sys.argv[1:]
results: dict[str, object] = {}
harness = types.ModuleType("blender_test")
harness.arguments = json.loads(arguments)
harness.report = results.update
harness.refusal = refusal
harness.MODULE = "bl_ext.user_default.dream_talk"
sys.modules["blender_test"] = harness
if Path(script).name != "install.py":
    bpy.ops.preferences.addon_enable(module=harness.MODULE)
runpy.run_path(script)
Path(report_path).write_text(json.dumps(results))
if bpy.app.version < (4, 3) and any(name.startswith("io_scene_gltf2.blender.exp") for name in sys.modules):
    # The 4.2 wheel crashes at its end once it has written any glTF file, without extensions too.
    atexit._run_exitfuncs()
    sys.stdout.flush()
    os._exit(0)
