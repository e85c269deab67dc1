"""Export curves in every format, as the command line does, with the installed extension's own code."""

import importlib
from pathlib import Path

import bpy
from blender_test import MODULE, arguments, report

headless = importlib.import_module(f"{MODULE}.dream_blender.headless")
statuses = {}
for rate in arguments["rates"]:
    folder = Path(arguments["folder"]) / rate
    for suffix in arguments["suffixes"]:
        command = ["export", "--curves", folder / "curves.npz", "-o", folder / f"take{suffix}"]
        if suffix == ".blend":
            command += ["--audio", arguments["audio"]]
        statuses[f"{rate} {suffix}"] = headless.main([str(part) for part in command])
report({"statuses": statuses, "version": bpy.app.version_string})
