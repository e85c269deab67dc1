"""Writing results: whole or not at all, never over an input, in the format that the suffix names."""

from __future__ import annotations

import importlib.util
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from blendshape_rigs.curves import FaceCurves
from model_server.errors import ExportError

CURVE_SUFFIXES = (".csv", ".json", ".npz")
SCENE_SUFFIXES = (".fbx", ".usd", ".usdc", ".usda", ".usdz", ".glb", ".abc", ".blend")


@contextmanager
def finished_output(path: Path, *inputs: Path | None) -> Iterator[Path]:
    """Give a path to write to; when the block ends well, what was written there takes the place of ``path``.

    The scratch folder lies beside ``path`` so that the last step is a rename, and is removed in any case.

    Raises:
        ExportError: when ``path`` is one of ``inputs``, or the block wrote nothing.
    """
    for given in inputs:
        if given is not None and path.exists() and given.exists() and path.samefile(given):
            raise ExportError(f"'{path}' is an input; choose another name for the output")
    folder = path.parent / f".dreamtalk-{secrets.token_hex(6)}"
    try:
        # Made in here: a signal that comes just after must not leave it behind.
        folder.mkdir(mode=0o700)
        scratch = folder / path.name
        yield scratch
        if not scratch.is_file() or scratch.stat().st_size == 0:
            raise ExportError(f"nothing was written to '{path}'")
        scratch.replace(path)
    finally:
        if folder.exists():
            shutil.rmtree(folder)


def write_take(curves: FaceCurves, path: Path, audio: Path | None = None, character: Path | None = None) -> None:
    """Write ``curves`` to ``path`` in the format of its suffix.

    Scene formats get the ``character`` that moves (the proxy avatar where none is given) and, where they hold
    sound, the ``audio``.

    Raises:
        ExportError: when the file could not be written.
    """
    from blendshape_rigs.formats import write_curves

    if path.suffix.lower() in CURVE_SUFFIXES:
        write_curves(curves, path)
        return
    with tempfile.TemporaryDirectory(prefix="dreamtalk-") as folder:
        take = Path(folder) / "take.npz"
        write_curves(curves, take)
        arguments = ["export", "--curves", str(take)]
        if audio is not None:
            arguments += ["--audio", str(audio.resolve())]
        if character is not None:
            arguments += ["--character", str(character.resolve())]
        run_blender(*arguments, "-o", str(path.resolve()))


def run_blender(*arguments: str) -> None:
    """Run Blender's module in a process of its own: it keeps global state and cannot be unloaded.

    Raises:
        ExportError: with the last line that the process wrote about its failure, or what is known of a crash.
    """
    if importlib.util.find_spec("bpy") is None:
        raise ExportError("this needs Blender's Python module beside dreamtalk: pip install 'dreamtalk[blender]'")
    command = [sys.executable, "-m", "model_server.blender_child", *arguments]
    # The child must find this very package, installed or not.
    path = os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        command,
        env=os.environ | {"PYTHONPATH": path},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
    )
    if done.returncode:
        raise ExportError(_failure(arguments[0], done.returncode, done.stderr))


def _failure(command: str, status: int, errors: str) -> str:
    """Return one sentence on why Blender's process ended with ``status`` (negative: the signal)."""
    if command == "render" and status == -signal.SIGABRT:
        return (
            "Blender's renderer could not start: it needs EGL and an OpenGL driver; "
            "on Debian: apt-get install libegl1 libgl1-mesa-dri"
        )
    if status < 0:
        return f"Blender's process crashed: {signal.strsignal(-status)}"
    lines = [line for line in errors.splitlines() if line.strip()]
    return lines[-1].strip() if lines else f"Blender ended with status {status}"
