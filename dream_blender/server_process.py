"""Starting the model server from its own Python environment, and stopping what was started."""

from __future__ import annotations

import atexit
import os
import subprocess
import sys
from pathlib import Path

_process: subprocess.Popen[bytes] | None = None
_log: Path | None = None
_STOP_SECONDS = 5.0


class StartError(Exception):
    """A server that could not be started; the message says what to do."""


def command_of(environment: Path) -> Path:
    """Return the ``dreamtalk`` command of the Python environment in the folder ``environment``.

    Raises:
        StartError: when there is none.
    """
    folder, name = ("Scripts", "dreamtalk.exe") if sys.platform == "win32" else ("bin", "dreamtalk")
    command = environment / folder / name
    if not command.is_file():
        raise StartError(f"There is no {command}: choose the folder of the environment that dreamtalk is in")
    return command


def is_ours() -> bool:
    """Tell whether a server that this Blender started is running."""
    return _process is not None and _process.poll() is None


def start(environment: Path, log: Path) -> None:
    """Start the server of ``environment``; what it says goes to the file ``log``.

    Raises:
        StartError: when it cannot be started.
    """
    global _process, _log
    if is_ours():
        return
    command = command_of(environment)
    # Blender's own Python settings must not reach another Python.
    settings = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    log.parent.mkdir(parents=True, exist_ok=True)
    try:
        with log.open("wb") as output:
            _process = subprocess.Popen(
                [str(command), "serve"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=settings,
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
    except OSError as error:
        raise StartError(f"{command} could not be started: {error}") from error
    _log = log
    atexit.register(stop)


def early_end() -> str:
    """Return what to say when the server that we started has ended by itself; empty when it has not."""
    if _process is None or _process.poll() is None:
        return ""
    return f"The server ended by itself; its log is {_log}"


def stop() -> None:
    """Stop the server, if this Blender started it."""
    global _process
    if _process is not None and _process.poll() is None:
        _process.terminate()
        try:
            _process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            _process.kill()
    _process = None
    atexit.unregister(stop)
