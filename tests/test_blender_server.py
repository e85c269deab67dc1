"""The model server, started and stopped from Blender's preferences."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest
from blender_support import installed_blender
from server_support import running_server, voice, wav

ENVIRONMENT = Path(sys.prefix)
COMMAND = ENVIRONMENT / "bin" / "dreamtalk"

pytestmark = pytest.mark.skipif(not COMMAND.is_file(), reason="needs the installed dreamtalk command: make setup")


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Drive the server from Blender, let Blender end, and return what its script reports."""
    folder = tmp_path_factory.mktemp("server")
    (folder / "voice.wav").write_bytes(wav(voice(1.0)))
    broken = folder / "broken" / "bin" / "dreamtalk"
    broken.parent.mkdir(parents=True)
    broken.write_text("#!/bin/sh\necho 'dreamtalk: the weights are missing' >&2\nexit 1\n")
    broken.chmod(0o755)
    home = folder / "home"
    home.mkdir()
    return installed_blender().run(
        "server.py",
        home=home,
        folder=str(folder),
        audio=str(folder / "voice.wav"),
        broken=str(folder / "broken"),
        environment=str(ENVIRONMENT),
    )


def test_wrong_environment_is_one_clear_message(report: dict[str, Any]) -> None:
    assert not report["start_without_environment"]
    (message,) = report["no_environment"].strip().splitlines()
    assert "nowhere/bin/dreamtalk: choose the folder of the environment" in message


def test_server_that_ends_by_itself_says_why(report: dict[str, Any]) -> None:
    text, reachable = report["ended_line"]
    assert not reachable
    assert "ended by itself: dreamtalk: the weights are missing (log: " in text
    assert text in report["ended_generate"]


def test_started_server_is_found_and_makes_a_take(report: dict[str, Any]) -> None:
    assert report["started"] == ["FINISHED"]
    assert report["early_line"] == ["The server was started and does not answer yet", False]
    assert report["early_line"][0] in report["early_generate"]
    assert report["line"][1]
    assert not report["start_twice"]
    assert report["generated"] == ["FINISHED"]
    assert report["take"]


def test_stop_ends_the_server(report: dict[str, Any]) -> None:
    assert report["stopped"] == ["FINISHED"]
    assert not is_running(report["pid"])
    assert not report["connection_left"]
    assert report["stopped_line"] == ["The server is not running", False]
    assert not report["stop_twice"]


def test_server_ends_with_blender(report: dict[str, Any]) -> None:
    assert report["ours"]
    assert not is_running(report["left_running"])


def test_server_of_another_program_is_left_alone(tmp_path: Path) -> None:
    with running_server(tmp_path) as server:
        report = installed_blender().run("foreign_server.py", home=server.home, environment=str(ENVIRONMENT))
        assert "runs already" in report["start"]
        assert not report["stop"]
        assert server.process.poll() is None
