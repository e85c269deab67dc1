"""Blender that ends while the server works, and servers that end, return and change while Blender works."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

import pytest
from blender_support import ROOT, installed_blender
from server_support import an_hour_of_silence, running_server, voice, wait_until, wav

ENVIRONMENT = Path(sys.prefix)
NEWER = """
import sys
sys.path.insert(0, {root!r})
from model_server.server import protocol
protocol.PROTOCOL_VERSION = 2
from model_server.cli import main
sys.exit(main(sys.argv[1:]))
"""
"""The server as it will be when its protocol has changed."""
installed = pytest.mark.skipif(
    not (ENVIRONMENT / "bin" / "dreamtalk").is_file(), reason="needs the installed dreamtalk command: make setup"
)


def test_blender_that_ends_frees_the_server(tmp_path: Path) -> None:
    audio, begun = tmp_path / "long.flac", tmp_path / "begun"
    audio.write_bytes(an_hour_of_silence())
    with running_server(tmp_path) as server:
        report, home = tmp_path / "report.json", server.home
        with installed_blender().begin("robust_end.py", report, home, audio=str(audio), begun=str(begun)) as blender:
            wait_until(lambda: begun.exists() or blender.poll() is not None, "the take to begin")
            blender.kill()
            assert begun.exists(), blender.communicate()
        wait_until(lambda: not server.uploads(), "the server to drop the recording")
        # The next in the queue has its turn at once, not after an hour's worth of work.
        assert server.finish(server.accept(wav(voice(1.0))))["state"] == "done"


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return what the script saw of its servers."""
    folder = tmp_path_factory.mktemp("servers")
    (folder / "long.flac").write_bytes(an_hour_of_silence())
    (folder / "voice.wav").write_bytes(wav(voice(1.0)))
    (folder / "home").mkdir()
    newer = folder / "newer" / "bin" / "dreamtalk"
    newer.parent.mkdir(parents=True)
    program = shlex.join([sys.executable, "-c", NEWER.format(root=str(ROOT))])
    newer.write_text(f'#!/bin/sh\nexec {program} "$@"\n')
    newer.chmod(0o755)
    return installed_blender().run(
        "robust_server.py",
        home=folder / "home",
        audio=str(folder / "voice.wav"),
        long=str(folder / "long.flac"),
        environment=str(ENVIRONMENT),
        newer=str(folder / "newer"),
    )


@installed
def test_server_killed_during_a_take_is_one_clear_message(report: dict[str, Any]) -> None:
    message, failed = report["killed"]
    assert failed
    assert message.startswith("The server stopped before the take was made: start it, then try again")
    assert "\n" not in message
    assert report["killed_made"] == 0
    assert "The server was ended from outside" in report["after"]


@installed
def test_generate_works_again_with_the_next_server(report: dict[str, Any]) -> None:
    assert report["restarted"] == report["again"] == ["FINISHED"]
    assert report["again_made"]
    assert report["lost"] == ["The server was restarted and has lost this work: try again", True]


@installed
def test_server_of_another_version_is_one_clear_message(report: dict[str, Any]) -> None:
    expected = "The server speaks protocol 2, this add-on 1: update the older of the two"
    assert expected in report["upgraded"]
    assert expected in report["upgraded_by_address"]
    assert report["upgraded_line"] == [expected, False]
