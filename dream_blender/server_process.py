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
_LOG_TAIL = 4000  # bytes


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


def version_of(environment: Path) -> str:
    """Return the version of the dreamtalk distribution in the Python environment ``environment``.

    It is read from the files of the environment; nothing of it is run.

    Raises:
        StartError: when dreamtalk is not in it.
    """
    command_of(environment)
    found = [*environment.glob("lib/python*/site-packages/dreamtalk-*.dist-info")]
    found += environment.glob("Lib/site-packages/dreamtalk-*.dist-info")
    if not found:
        raise StartError(f"{environment} has a dreamtalk command without its package: install dreamtalk in it anew")
    return found[0].name.removesuffix(".dist-info").removeprefix("dreamtalk-")


def clean_settings() -> dict[str, str]:
    """Return the environment variables for another Python, without those that Blender set for its own."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}


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
    log.parent.mkdir(parents=True, exist_ok=True)
    try:
        with log.open("wb") as output:
            _process = subprocess.Popen(
                [str(command), "serve", "--port", "0"],  # any free port: the connection file says which
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=clean_settings(),
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
    except OSError as error:
        raise StartError(f"{command} could not be started: {error}") from error
    _log = log
    atexit.register(stop)


def silence_reason() -> str:
    """Return why the server that this Blender started does not answer; empty when it started none."""
    process = _process  # the status thread asks while the main thread may stop the server
    if process is None or _log is None:
        return ""
    if process.poll() is None:
        return "The server was started and does not answer yet"
    if process.returncode < 0:  # by a signal: its last words tell nothing of that
        return f"The server was ended from outside (log: {_log}): start it again"
    said = last_lines(_log, 1)
    return f"The server ended by itself: {said[0] if said else 'it said nothing'} (log: {_log})"


def last_lines(log: Path, count: int) -> list[str]:
    """Return the last ``count`` lines of the file ``log`` that say something; none where there is no such file."""
    if not log.is_file():
        return []
    said = [line.strip() for line in log.read_bytes()[-_LOG_TAIL:].decode(errors="replace").splitlines()]
    return [line for line in said if line][-count:]


def stop() -> None:
    """Stop the server, if this Blender started it."""
    global _process
    if _process is not None and _process.poll() is None:
        _process.terminate()
        try:
            _process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            _process.kill()
            _process.wait()
    _process = None
    atexit.unregister(stop)
