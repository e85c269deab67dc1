"""How tests drive Blender: the installed extension, in processes of its own, away from the user's settings."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).parents[1]
SCRIPTS = Path(__file__).with_name("blender_scripts")
PYTHON = os.environ.get("DREAMTALK_TEST_BPY_PYTHON", sys.executable)
"""A Python with another version of bpy to run the tests in, if wished."""


@dataclass(frozen=True)
class Blender:
    """A Blender without a window in which the extension is installed."""

    resources: Path
    package: Path

    def run(self, script: str, home: Path | None = None, **arguments: Any) -> dict[str, Any]:
        """Run the test script with the extension enabled, and return what it hands to ``report``.

        Args:
            script: a file of ``tests/blender_scripts``.
            home: the folder where the server writes its address; none when left out.
            arguments: what the script finds in ``arguments``; JSON values.
        """
        with TemporaryDirectory() as folder:
            report = Path(folder) / "report.json"
            with self.begin(script, report, home or Path(folder), **arguments) as process:
                said, complained = process.communicate()
            assert process.returncode == 0, f"{script} ended with {process.returncode}\n{said}\n{complained}"
            result: dict[str, Any] = json.loads(report.read_text())
        assert "Traceback" not in said + complained, said + complained
        return result

    def begin(self, script: str, report: Path, home: Path, **arguments: Any) -> subprocess.Popen[str]:
        """Begin the test script and return its process; arguments as for :meth:`run`, ``report`` is the file."""
        environment = os.environ | {"BLENDER_USER_RESOURCES": str(self.resources), "DREAMTALK_HOME": str(home)}
        environment.pop("PYTHONPATH", None)
        command = [PYTHON, SCRIPTS / "run.py", SCRIPTS / script, report, json.dumps(arguments)]
        # From another folder, so that only the installed extension can be imported.
        return subprocess.Popen(
            command, env=environment, cwd=report.parent, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )


@cache
def installed_blender() -> Blender:
    """Build the extension, install the zip into a fresh Blender, and return that Blender."""
    folder = TemporaryDirectory(prefix="dreamtalk-blender-")
    _kept.append(folder)
    base = Path(folder.name)
    build = [sys.executable, ROOT / "scripts" / "build_extension.py", "--out", base]
    done = subprocess.run(build, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    resources = base / "resources"
    resources.mkdir()
    blender = Blender(resources, Path(done.stdout.strip()))
    blender.run("install.py", package=str(blender.package))
    return blender


_kept: list[TemporaryDirectory[str]] = []
