"""Run the Blender tests under other versions of Blender, and a story in a real window of the newest one.

``python scripts/test_blenders.py`` makes the environments that are missing (``build/blenders/VERSION``), runs
``tests/test_blender_*.py`` in each, and goes through ``scripts/window_story.py`` in a Blender with a window, which
writes the pictures of ``docs/images/panels``. Any traceback in a log fails.

Environment variables::

    DREAMTALK_BPY_4_2, DREAMTALK_BPY_4_5   a Python with that version of bpy, in place of a new environment
    DREAMTALK_BLENDER                      the Blender with a window; else ``blender`` on the PATH
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VERSIONS = ("4.2", "4.5")
WHEELS = "https://download.blender.org/pypi/"
PICTURES = ROOT / "docs" / "images" / "panels"
SCREEN = "1600x1000x24"
_SERVER_SECONDS = 120.0
_WINDOW_SECONDS = 900.0
_FAULTS = re.compile(r"Traceback|^Error: |^Error in|Exception ignored|EXCEPTION_ACCESS_VIOLATION|Segmentation", re.M)


def python_of(version: str) -> Path:
    """Return a Python with bpy of ``version``; make the environment when there is none.

    Raises:
        SystemExit: when it cannot be made.
    """
    named = os.environ.get(f"DREAMTALK_BPY_{version.replace('.', '_')}")
    if named:
        return Path(named)
    folder = ROOT / "build" / "blenders" / version
    python = folder / "bin" / "python"
    if (
        python.is_file()
        and subprocess.run([python, "-c", "import bpy"], capture_output=True, check=False).returncode == 0
    ):
        return python
    print(f"making {folder}", flush=True)
    wanted = [f"bpy=={version}.*", "numpy<2"]
    for command in (
        [sys.executable, "-m", "venv", "--clear", folder],
        [python, "-m", "pip", "install", "-qq", "--extra-index-url", WHEELS, *wanted],
    ):
        if subprocess.run([str(word) for word in command], check=False).returncode:
            raise SystemExit(f"error: the environment for Blender {version} could not be made")
    return python


def run_suite(version: str, more: list[str]) -> bool:
    """Run the Blender tests under ``version`` and tell whether they passed."""
    print(f"Blender {version}", flush=True)
    environment = os.environ | {"DREAMTALK_TEST_BPY_PYTHON": str(python_of(version))}
    tests = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "tests").glob("test_blender_*.py"))
    done = subprocess.run([sys.executable, "-m", "pytest", *tests, *more], cwd=ROOT, env=environment, check=False)
    return done.returncode == 0


def window_command() -> list[str] | None:
    """Return how a Blender with a window is started here, on a screen of its own where there is none; None if not."""
    blender = os.environ.get("DREAMTALK_BLENDER") or shutil.which("blender")
    if not blender:
        return None
    if os.environ.get("DISPLAY"):
        return [blender]
    virtual = shutil.which("xvfb-run")
    # A wrapper that brings its own screen is named by DREAMTALK_BLENDER.
    return [virtual, "-a", "-s", f"-screen 0 {SCREEN}", blender] if virtual else [blender]


@contextmanager
def running_server(home: Path) -> Iterator[None]:
    """Run the model server while the body runs; its address is in ``home``."""
    command = [sys.executable, "-m", "model_server.cli", "serve", "--port", "0"]
    environment = os.environ | {"DREAMTALK_HOME": str(home)}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL) as process:
        try:
            until = time.monotonic() + _SERVER_SECONDS
            while not (home / "server.json").is_file():
                if process.poll() is not None or time.monotonic() > until:
                    raise SystemExit("error: the model server did not start")
                time.sleep(0.2)
            yield
        finally:
            process.terminate()


def run_story(command: list[str], folder: Path) -> bool:
    """Go through the story in a window, with passing files in ``folder``; tell whether nothing went wrong."""
    build = [sys.executable, "scripts/build_extension.py", "--out", str(folder)]
    built = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, check=False)
    if built.returncode:
        raise SystemExit(built.stderr)
    for name in ("resources", "home"):
        (folder / name).mkdir()
    audio = folder / "demo_speech.flac"
    shutil.copy2(ROOT / "model_server" / "assets" / "demo_speech.flac", audio)
    script = folder / "window_story.py"
    shutil.copy2(ROOT / "scripts" / "window_story.py", script)
    options = ["--factory-startup", "--gpu-backend", "vulkan", "--window-geometry", "0", "0", *SCREEN.split("x")[:2]]
    words = [*command, *options, "--python", script, "--", built.stdout.strip(), audio, folder]
    environment = os.environ | {
        "BLENDER_USER_RESOURCES": str(folder / "resources"),
        "DREAMTALK_HOME": str(folder / "home"),
        "LIBGL_ALWAYS_SOFTWARE": "1",
    }
    with running_server(folder / "home"):
        done = subprocess.run(
            [str(word) for word in words],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_WINDOW_SECONDS,
            check=False,
        )
    faults = _FAULTS.findall(done.stdout)
    print(done.stdout if done.returncode or faults else "\n".join(re.findall("^[A-Z]+ .*$|^DONE$", done.stdout, re.M)))
    if done.returncode or faults or "DONE" not in done.stdout:
        return False
    shutil.rmtree(PICTURES, ignore_errors=True)
    shutil.copytree(folder / "panels", PICTURES)
    return True


def main() -> int:
    """Run all that is asked for; return 1 when something failed."""
    parser = argparse.ArgumentParser(description="Test the extension in other versions of Blender and in a window.")
    parser.add_argument("--only", choices=(*VERSIONS, "window"), help="this one only")
    arguments, more = parser.parse_known_args()
    results = {version: run_suite(version, more) for version in VERSIONS if arguments.only in (None, version)}
    command = window_command()
    if arguments.only in (None, "window"):
        if command is None:
            print("note: no Blender with a window was found; name one by DREAMTALK_BLENDER")
            return 1
        folder = Path(tempfile.mkdtemp(prefix="dreamtalk-window-"))
        results["window"] = run_story(command, folder)
        if results["window"]:
            shutil.rmtree(folder)
        else:
            print(f"its pictures and files are in {folder}")
    for name, passed in results.items():
        print(f"{name}: {'passed' if passed else 'FAILED'}")
    return 0 if all(results.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
