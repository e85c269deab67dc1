"""The preferences: the server's state, its environment and how one is made, a server elsewhere."""

from __future__ import annotations

import json
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
from blender_support import ROOT, installed_blender
from server_support import running_server

from blendshape_rigs.arkit import ARKIT_NAMES
from blendshape_rigs.curves import FaceCurves
from blendshape_rigs.formats import read_curves, write_curves

ENVIRONMENT = Path(sys.prefix)
COMMAND = ENVIRONMENT / "bin" / "dreamtalk"

pytestmark = pytest.mark.skipif(not COMMAND.is_file(), reason="needs the installed dreamtalk command: make setup")


class _Stranger(BaseHTTPRequestHandler):
    """A server of a later protocol."""

    def do_GET(self) -> None:
        """Answer the question for health."""
        said = json.dumps({"protocol": 2, "version": "9.0", "model": {}, "device": "cpu"}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return what the preferences say of a running server, of wrong ones, and of environments."""
    folder = tmp_path_factory.mktemp("preferences")
    bare = folder / "bare folder ä" / "bin" / "dreamtalk"
    bare.parent.mkdir(parents=True)
    bare.write_text("#!/bin/sh\n")
    stranger = HTTPServer(("127.0.0.1", 0), _Stranger)
    Thread(target=stranger.serve_forever, daemon=True).start()
    try:
        with running_server(folder) as server:
            return installed_blender().run(
                "preferences.py",
                home=server.home,
                environment=str(ENVIRONMENT),
                bare=str(bare.parents[1]),
                stranger=f"http://127.0.0.1:{stranger.server_port}",
            )
    finally:
        stranger.shutdown()
        stranger.server_close()


def test_status_names_the_server_its_device_and_its_model(report: dict[str, Any]) -> None:
    url, version, device, ready, model_hash = report["answer"]
    assert url.startswith("http://127.0.0.1:")
    assert version == "0.1.0"
    assert device == "cpu"
    assert ready
    assert len(model_hash) >= 12
    assert report["tested"] == ["FINISHED"]
    assert report["described"].startswith(
        f"{url} answers: version 0.1.0, protocol 1, on cpu, and model {model_hash[:12]}"
    )


def test_environment_is_checked_without_running_it(report: dict[str, Any]) -> None:
    assert report["environment"] == [True, "dreamtalk 0.1.0 is in it"]
    assert not report["nowhere"][0]
    assert "choose the folder of the environment" in report["nowhere"][1]
    assert not report["bare"][0]
    assert "install dreamtalk in it anew" in report["bare"][1]


def test_wrong_servers_are_told_apart(report: dict[str, Any]) -> None:
    assert "does not accept the token" in report["wrong_token"]
    assert "speaks protocol 2, this add-on 1: update the older" in report["wrong_protocol"]
    assert "does not answer" in report["nobody"]
    assert "is no server address" in report["no_url"]
    assert "allow online access" in report["offline"]


def test_preferences_draw_in_every_state(report: dict[str, Any]) -> None:
    assert report["drawn"]["running"] > 10
    assert report["drawn"]["no environment"] > report["drawn"]["running"]
    assert report["drawn"]["remote, offline"] > 10


def test_commands_for_every_system(report: dict[str, Any]) -> None:
    linux, mac, windows = (report["commands"][name] for name in ("linux", "darwin", "win32"))
    assert linux[0] == "python3.11 -m venv ~/dreamtalk"
    assert "pip install '/tmp/my wheel.whl' --extra-index-url https://download.pytorch.org/whl/cpu" in linux[1]
    assert mac[1].endswith("pip install '/tmp/my wheel.whl'")
    assert windows[0] == 'py -3.11 -m venv "%USERPROFILE%\\dreamtalk"'
    assert windows[2] == '"%USERPROFILE%\\dreamtalk\\Scripts\\dreamtalk.exe" serve'
    for line in linux[0], linux[2]:
        assert subprocess.run(["bash", "-n", "-c", line], check=False).returncode == 0


def test_wizard_refuses_without_permission(report: dict[str, Any]) -> None:
    assert "allow online access" in report["wizard_offline"].lower()
    assert "Choose the dreamtalk package first" in report["wizard_without_package"]
    assert "choose the dreamtalk wheel" in report["wizard_wrong_path"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the wheel of this distribution."""
    folder = tmp_path_factory.mktemp("wheel")
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet"]
    subprocess.run([sys.executable, "-m", "pip", "wheel", *options, "-w", folder, ROOT], check=True)
    (found,) = folder.glob("dreamtalk-*.whl")
    return found


@pytest.fixture(scope="module")
def wizard(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Make an environment by the wizard from a wheel on the disk, start its server, and return what happened."""
    folder = tmp_path_factory.mktemp("wizard")
    libraries = next((ENVIRONMENT / "lib").glob("python*/site-packages"))
    with pytest.MonkeyPatch.context() as patch:
        # What pip would download is lent by this environment later.
        patch.setenv("PIP_NO_DEPS", "1")
        patch.setenv("PIP_NO_INDEX", "1")
        # A Python without uv, which knows nothing of pip's settings.
        tools = folder / "tools"
        tools.mkdir()
        (tools / "python3.11").symlink_to(Path(sys.base_prefix) / "bin" / "python3.11")
        patch.setenv("PATH", f"{tools}:/usr/bin:/bin")
        return installed_blender().run(
            "environment_wizard.py", home=folder / "home", wheel=str(wheel), libraries=str(libraries)
        )


def test_wizard_makes_an_environment_of_its_own(wizard: dict[str, Any]) -> None:
    assert wizard["while_running"] == [False, True]
    assert Path(wizard["environment"]).name == "environment"
    assert wizard["checked"] == [True, "dreamtalk 0.1.0 is in it"]
    assert wizard["python"].startswith(wizard["environment"])
    assert "Successfully installed dreamtalk-0.1.0" in wizard["said"]


def test_wizard_starts_the_server_of_the_environment(wizard: dict[str, Any]) -> None:
    assert "The server ended by itself: ModuleNotFoundError" in wizard["without_libraries"]
    assert wizard["restarted_line"][1]
    assert wizard["log_lines"]


def test_wizard_can_be_cancelled_and_leaves_nothing(wizard: dict[str, Any]) -> None:
    assert wizard["cancelled"]
    assert not wizard["left_after_cancel"]


def test_failed_installation_says_what_pip_said(wizard: dict[str, Any]) -> None:
    assert "Installing failed: ERROR: No matching distribution found for dreamtalk-of-nobody" in wizard["failed"]
    assert not wizard["left_after_failure"]


def test_missing_python_is_told_with_where_to_get_one(wizard: dict[str, Any]) -> None:
    assert "Python 3.11 was not found" in wizard["no_python"]
    assert "docs.astral.sh/uv" in wizard["no_python"]


def test_extension_is_useful_without_a_server(tmp_path: Path) -> None:
    frames = np.arange(90)
    values = np.zeros((90, 52))
    values[:, ARKIT_NAMES.index("jawOpen")] = 0.4 + 0.3 * np.sin(frames / 4)
    curves = FaceCurves(values, np.zeros((90, 3)), np.zeros((90, 3)), 30.0)
    for name in ("face.csv", "face.json", "face.npz"):
        write_curves(curves, tmp_path / name)
    report = installed_blender().run("without_server.py", folder=str(tmp_path))
    assert "The server is not running" in report["generate"]
    assert len(report["takes"]) >= 3
    edited, loaded = report["mapping"]
    assert loaded == edited + 1
    before, after = report["jaw"]
    assert after == pytest.approx(before / 2, abs=0.02)
    assert report["style"] == ["LIBRARY", "Calm"]
    assert report["written"] == ["out.csv", "out.fbx", "out.glb"]
    jaw = read_curves(tmp_path / "out.csv").channel("jawOpen")
    assert len(jaw) >= 70
    assert 0.2 < jaw.max() < 0.4  # half of 0.7
