"""Making the server's own Python environment, by another Python than Blender's, and the commands for doing so by hand.

Blender's Python is neither asked nor changed: everything runs in processes of their own, and all that is installed
lies in one folder that can be deleted. Nothing here touches bpy.
"""

from __future__ import annotations

import os
import queue
import shlex
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from . import server_process

PYTHON = "3.11"
"""Version of Python that dreamtalk runs on."""
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
"""Package index with PyTorch for processors: the usual one brings gigabytes for graphics cards that are not used."""
NO_PYTHON = (
    f"Python {PYTHON} was not found. Install it from python.org or by your system's package manager, or install uv "
    "from docs.astral.sh/uv, which brings it along; then press the button again"
)
_KEPT_LINES = 200
_USUAL = (
    "~/.local/bin",
    "~/.cargo/bin",
    "/opt/homebrew/bin",
    "/usr/local/bin",
    f"/Library/Frameworks/Python.framework/Versions/{PYTHON}/bin",
)
_QUIET = getattr(subprocess, "CREATE_NO_WINDOW", 0)


class SetupError(Exception):
    """An environment that could not be made; the message says what to do."""


class _Cancelled(Exception):
    pass


@dataclass(frozen=True)
class Installer:
    """What makes the environment: ``command`` is uv, or a Python of the right version; ``uv`` says which."""

    command: tuple[str, ...]
    uv: bool

    def steps(self, folder: Path, source: str) -> list[tuple[str, list[str]]]:
        """Return what is said of each step and its command line: an environment in ``folder`` with ``source`` in it."""
        python = str(python_of(folder))
        if self.uv:
            return [
                ("Making the environment", [*self.command, "venv", "--python", PYTHON, str(folder)]),
                ("Installing", [*self.command, "pip", "install", "--python", python, "--torch-backend", "cpu", source]),
            ]
        return [
            ("Making the environment", [*self.command, "-m", "venv", str(folder)]),
            ("Installing", [python, "-m", "pip", "install", *_PIP_OPTIONS, "--extra-index-url", CPU_INDEX, source]),
        ]


_PIP_OPTIONS = ("--progress-bar", "off", "--disable-pip-version-check")


def python_of(folder: Path) -> Path:
    """Return the Python of the environment in ``folder``."""
    return folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def find_installer() -> Installer:
    """Return uv where there is one, else a Python of version :data:`PYTHON` that can make environments.

    Raises:
        SetupError: when there is neither; the message says how to get one.
    """
    uv = _which("uv")
    if uv is not None:
        return Installer((uv,), uv=True)
    launcher = [("py", f"-{PYTHON}")] if sys.platform == "win32" else []
    for command in (*launcher, (f"python{PYTHON}",), ("python3",), ("python",)):
        found = _which(command[0])
        if found is not None and _is_suitable([found, *command[1:]]):
            return Installer((found, *command[1:]), uv=False)
    raise SetupError(NO_PYTHON)


def _which(name: str) -> str | None:
    """Return the path of the program ``name``; programs started from a desktop often lack the usual folders."""
    usual = os.pathsep.join(str(Path(folder).expanduser()) for folder in _USUAL)
    return shutil.which(name) or shutil.which(name, path=usual)


def _is_suitable(command: list[str]) -> bool:
    """Tell whether ``command`` is a Python of the right version that can make environments with pip."""
    question = "import sys, venv, ensurepip; print('%d.%d' % sys.version_info[:2])"
    try:
        done = subprocess.run(
            [*command, "-c", question],
            capture_output=True,
            text=True,
            timeout=30.0,
            check=False,
            env=server_process.clean_settings(),
            creationflags=_QUIET,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0 and done.stdout.strip() == PYTHON


def commands(system: str, source: str) -> list[str]:
    """Return the lines that do the same in a terminal of ``system``, and start the server.

    Args:
        system: ``"win32"``, ``"darwin"`` or any other name for Linux, as in ``sys.platform``.
        source: path of the wheel, source archive or folder, or a name that the package index knows.
    """
    if system == "win32":
        folder, given = '"%USERPROFILE%\\dreamtalk"', f'"{source}"'
        tools = '"%USERPROFILE%\\dreamtalk\\Scripts'
        return [
            f"py -{PYTHON} -m venv {folder}",
            f'{tools}\\python.exe" -m pip install {given} --extra-index-url {CPU_INDEX}',
            f'{tools}\\dreamtalk.exe" serve',
        ]
    index = "" if system == "darwin" else f" --extra-index-url {CPU_INDEX}"
    return [
        f"python{PYTHON} -m venv ~/dreamtalk",
        f"~/dreamtalk/bin/python -m pip install {shlex.quote(source)}{index}",
        "~/dreamtalk/bin/dreamtalk serve",
    ]


@dataclass
class Setup:
    """An environment in the making, on a thread of its own. Start it once, then look at it now and then.

    Attributes:
        folder: where the environment will lie; what lies there already is replaced.
        source: path of a wheel, source archive or folder of dreamtalk, or a name that the package index knows.
        step: what it does now, in words.
        fraction: share of the steps that are done, in [0, 1].
        problem: why it failed; empty when it did not.
        cancelled: whether it ended because it was asked to.
    """

    folder: Path
    source: str
    step: str = "Looking for Python"
    fraction: float = 0.0
    problem: str = ""
    cancelled: bool = False
    _lines: queue.SimpleQueue[str] = field(default_factory=queue.SimpleQueue)
    _said: list[str] = field(default_factory=list)
    _cancel: threading.Event = field(default_factory=threading.Event)
    _process: subprocess.Popen[str] | None = None
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin the work."""
        self._thread = threading.Thread(target=self._run, name="DREAM-Talk environment", daemon=True)
        self._thread.start()

    @property
    def is_running(self) -> bool:
        """Whether the work has begun and not ended."""
        return self._thread is not None and self._thread.is_alive()

    def join(self) -> None:
        """Wait for the end of the work."""
        if self._thread is not None:
            self._thread.join()

    def cancel(self) -> None:
        """Ask the work to stop; the half-made folder is removed."""
        self._cancel.set()
        process = self._process
        if process is not None and process.poll() is None:
            _end(process)

    def said(self) -> list[str]:
        """Return the last lines that the tools have printed, oldest first."""
        while not self._lines.empty():
            self._said.append(self._lines.get())
        del self._said[:-_KEPT_LINES]
        return list(self._said)

    def _run(self) -> None:
        try:
            self._make()
            server_process.version_of(self.folder)
        except _Cancelled:
            self.cancelled = True
        except (SetupError, server_process.StartError, OSError) as error:
            self.problem = str(error)
        if self.cancelled or self.problem:
            shutil.rmtree(self.folder, ignore_errors=True)
        else:
            self.step, self.fraction = "Ready", 1.0

    def _make(self) -> None:
        installer = find_installer()
        if self.folder.exists():
            shutil.rmtree(self.folder)
        steps = installer.steps(self.folder, self.source)
        for number, (step, command) in enumerate(steps, start=1):
            self.step, self.fraction = step, number / (len(steps) + 1)
            self._command(command)

    def _command(self, command: list[str]) -> None:
        if self._cancel.is_set():
            raise _Cancelled
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=server_process.clean_settings(),
            start_new_session=True,
            creationflags=_QUIET,
        )
        assert self._process.stdout is not None
        last = ""
        with self._process.stdout as output:
            if self._cancel.is_set():
                _end(self._process)  # asked for between the question above and the start
            for line in output:
                last = line.strip() or last
                self._lines.put(line.rstrip())
        if self._process.wait() and not self._cancel.is_set():
            raise SetupError(f"{self.step} failed: {last or command[0]}")
        if self._cancel.is_set():
            raise _Cancelled


def _end(process: subprocess.Popen[str]) -> None:
    """End ``process`` and what it has started."""
    if sys.platform == "win32":
        subprocess.run(["taskkill", "/F", "/T", "/PID", str(process.pid)], capture_output=True, check=False)
        return
    kill: Callable[[int, int], None] = os.killpg  # the process leads a group of its own
    try:
        kill(process.pid, signal.SIGTERM)
    except ProcessLookupError:
        return
