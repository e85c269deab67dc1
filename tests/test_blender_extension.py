"""The extension that users install: its zip, its avatar and its takes, in a real Blender without a window."""

from __future__ import annotations

import tomllib
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from blender_support import ROOT, installed_blender

from blendshape_rigs.arkit import ARKIT_NAMES
from blendshape_rigs.avatar import load_proxy_avatar
from blendshape_rigs.curves import FaceCurves
from blendshape_rigs.formats import write_curves

FRAMES = 40


def performance(frames: int, fps: float, seed: int = 0) -> FaceCurves:
    """Return smooth curves that move all 52 channels, some beyond 1, and the head."""
    random = np.random.default_rng(seed)
    times = np.arange(frames)[:, None] / frames
    waves = np.sin(2 * np.pi * (times * random.integers(1, 4, (1, 58)) + random.random((1, 58))))
    values = 0.55 + 0.6 * waves[:, :52]
    return FaceCurves(values, 0.3 * waves[:, 52:55], 0.02 * waves[:, 55:], fps)


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> tuple[FaceCurves, dict[str, Any], Path]:
    """Return the curves, what the keying script reports, and the folder it wrote to."""
    folder = tmp_path_factory.mktemp("keying")
    curves = performance(FRAMES, 24.0)
    write_curves(curves, folder / "curves.npz")
    report = installed_blender().run("keying.py", folder=str(folder), audio=str(folder / "curves.npz"))
    return curves, report, folder


def test_zip_holds_what_blender_needs_and_nothing_else() -> None:
    with zipfile.ZipFile(installed_blender().package) as package:
        names = package.namelist()
    tops = {name.split("/")[0] for name in names}
    assert tops == {"blender_manifest.toml", "__init__.py", "LICENSE", "dream_blender", "blendshape_rigs"}
    assert "blendshape_rigs/assets/proxy_avatar.npz" in names
    assert not [name for name in names if "__pycache__" in name or name.endswith(".pyc")]


def test_manifest_agrees_with_the_distribution() -> None:
    manifest = tomllib.loads((ROOT / "blender_manifest.toml").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert manifest["version"] == project["version"]
    assert set(manifest["permissions"]) == {"files", "network"}
    assert "blender" not in manifest["name"].lower()


def test_avatar_has_the_asset_s_mesh_and_arkit_s_shapes(keyed: tuple[FaceCurves, dict[str, Any], Path]) -> None:
    _, report, _ = keyed
    avatar = load_proxy_avatar()
    assert report["shape_keys"][:53] == ["Basis", *ARKIT_NAMES]
    assert report["vertices"] == len(avatar.vertices)
    assert len(report["materials"]) == len(avatar.materials)


def test_take_reads_back_as_it_was_keyed(keyed: tuple[FaceCurves, dict[str, Any], Path]) -> None:
    curves, report, folder = keyed
    back = np.load(folder / "back.npz")
    assert report["range"] == [1, FRAMES]
    for name in ("values", "head_rotation", "head_translation"):
        np.testing.assert_allclose(back[name], getattr(curves, name), atol=1e-5)


def test_shapes_follow_the_take_beyond_one(keyed: tuple[FaceCurves, dict[str, Any], Path]) -> None:
    curves, _, folder = keyed
    assert curves.values.max() > 1.1
    assert curves.values.min() < 0
    shown = [curves.channel(name)[7] for name in ("jawOpen", "mouthSmileLeft", "tongueOut")]
    np.testing.assert_allclose(np.load(folder / "back.npz")["keys"], shown, atol=1e-5)


def test_head_turns_as_face_curves_define(keyed: tuple[FaceCurves, dict[str, Any], Path]) -> None:
    curves, _, folder = keyed
    matrix = np.load(folder / "back.npz")["matrix"]
    pitch, yaw, roll = curves.head_rotation[7].astype(float)
    forward = matrix[:3, :3] @ [0, -1, 0]
    # Yaw to the subject's left (+X), pitch down; roll leaves the gaze where it is.
    expected = [np.cos(pitch) * np.sin(yaw), -np.cos(pitch) * np.cos(yaw), -np.sin(pitch)]
    np.testing.assert_allclose(forward, expected, atol=1e-5)
    level = np.array([np.cos(yaw), np.sin(yaw), 0])
    up = matrix[:3, :3] @ [0, 0, 1]
    assert np.sign(up @ level) == np.sign(roll)  # positive roll leans to the subject's left
    x, y, z = curves.head_translation[7]
    np.testing.assert_allclose(matrix[:3, 3], [x, -z, y], atol=1e-6)


def test_every_take_is_an_action_of_its_own(keyed: tuple[FaceCurves, dict[str, Any], Path]) -> None:
    _, report, _ = keyed
    assert report["new_take"]
    if report["version"] >= [4, 4, 0]:
        assert report["actions"] == ["curves", "curves.001"]
        assert report["slots"] == ["KEY", "OBJECT"]
    else:
        assert report["actions"] == ["curves", "curves (head)", "curves (head).001", "curves.001"]
    assert report["interpolation"]
    assert report["provenance"]["source"] == "file"


def test_own_mesh_is_keyed_by_name_and_not_moved(keyed: tuple[FaceCurves, dict[str, Any], Path]) -> None:
    _, report, _ = keyed
    assert report["own_names"] == {
        "jawOpen": "JawOpen",
        "mouthSmileLeft": "mouth_smile_left",
        "browDownRight": "browDown_R",
    }
    assert report["own_curves"] == 3
    assert not report["own_head_motion"]
    assert not report["own_moved"]


def test_what_cannot_be_done_says_why(keyed: tuple[FaceCurves, dict[str, Any], Path]) -> None:
    _, report, _ = keyed
    assert not report["poll_without_character"]
    assert "server is not running" in report["refused_without_server"]
    assert "no take yet" in report["refused_without_take"]
    assert "The server speaks protocol 99" in report["refused_other_protocol"]
    assert "http://127.0.0.1:9 does not answer" in report["refused_dead_server"]
    assert "allow online access" in report["refused_offline"]
    assert "Drivers hold 1 shape keys, left as they are: JawOpen" in report["driven"]


def test_extension_leaves_nothing_behind(keyed: tuple[FaceCurves, dict[str, Any], Path]) -> None:
    _, report, _ = keyed
    assert not report["left_behind"]
    assert report["back_again"]
