"""Without permission to go online, nothing beyond this computer is asked; the local server still works."""

from __future__ import annotations

from typing import Any

import pytest
from blender_support import installed_blender
from server_support import running_server, voice, wav

ADDRESSES = {
    "name": "http://studio.example:8787",
    "number": "http://192.0.2.7:8787",
    "encrypted": "https://studio.example",
    "disguised": "http://127.0.0.1.studio.example:8787",
    "disguised_user": "http://127.0.0.1@studio.example:8787",
}
LOOPBACK = {
    "http://127.0.0.1:8787": True,
    "http://127.3.2.1:8787": True,
    "http://localhost:8787": True,
    "http://[::1]:8787": True,
    "http://LOCALHOST:8787": True,
    "http://0.0.0.0:8787": False,
    "http://localhost.studio.example": False,
    "http://127.studio.example": False,
    "http://[2001:db8::1]:8787": False,
    "nonsense": False,
}


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return what the script saw."""
    folder = tmp_path_factory.mktemp("network")
    audio = folder / "voice.wav"
    audio.write_bytes(wav(voice(1.0)))
    with running_server(folder) as server:
        return installed_blender().run(
            "robust_network.py", home=server.home, audio=str(audio), addresses=ADDRESSES, loopback=list(LOOPBACK)
        )


@pytest.mark.parametrize("name", ADDRESSES)
def test_remote_server_is_not_asked_without_permission(report: dict[str, Any], name: str) -> None:
    assert not report["online_at_first"]
    assert report[name]["asked"] == []
    for said in report[name]["said"]:
        assert "allow online access in Preferences, System, Network" in said


def test_permission_is_all_that_was_missing(report: dict[str, Any]) -> None:
    assert report["online"]
    assert report["allowed"]["asked"] == ["studio.invalid"]
    for said in report["allowed"]["said"]:
        assert "http://studio.invalid:8787 does not answer" in said


def test_local_server_needs_no_permission(report: dict[str, Any]) -> None:
    assert report["local"] == ["FINISHED"]
    assert report["local_asked"] == ["127.0.0.1"]


def test_only_this_computer_counts_as_local(report: dict[str, Any]) -> None:
    assert report["loopback"] == LOOPBACK
