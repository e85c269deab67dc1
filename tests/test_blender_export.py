"""Exported files, read back by other programs' readers: every channel's value at the right second."""

from __future__ import annotations

import json
import subprocess
import sys
import wave
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from blender_support import ROOT, SCRIPTS, installed_blender
from scipy.spatial import cKDTree
from test_blender_extension import performance

from blendshape_rigs.arkit import ARKIT_NAMES
from blendshape_rigs.avatar import load_proxy_avatar
from blendshape_rigs.curves import FaceCurves
from blendshape_rigs.formats import read_curves, write_curves
from dream_blender.head_pose import euler_of_head, matrices_from_euler, to_blender

FRAMES = 50
RATES = {"24": 24.0, "30": 30.0, "29.97": 30000 / 1001}
SUFFIXES = [".fbx", ".usdc", ".usdz", ".glb", ".abc", ".blend", ".csv"]
FRAME = 23
VALIDATOR = ROOT / "build" / "gltf-validator" / "node_modules" / "gltf-validator"


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """Export at every rate, read everything back with Blender's importers, and return the folder and reports."""
    folder = tmp_path_factory.mktemp("exports")
    for rate, fps in RATES.items():
        (folder / rate).mkdir()
        write_curves(performance(FRAMES, fps), folder / rate / "curves.npz")
    with wave.open(str(folder / "voice.wav"), "wb") as file:
        file.setparams((1, 2, 16000, 0, "NONE", ""))
        file.writeframes(bytes(2 * 16000))
    blender, rates = installed_blender(), list(RATES)
    report = blender.run(
        "exports.py", folder=str(folder), rates=rates, suffixes=SUFFIXES, audio=str(folder / "voice.wav")
    )
    report |= blender.run("reimport.py", folder=str(folder), rates=rates, fps=RATES, frame=FRAME)
    return folder, report


def assert_keys_match(keys: npt.NDArray[np.floating[Any]], curves: FaceCurves, name: str) -> None:
    """Check the keys (2, K) of seconds and values against a channel, frame by frame."""
    seconds, values = keys.astype(np.float64)
    np.testing.assert_allclose(seconds, np.arange(len(curves)) / curves.fps, atol=1e-4, err_msg=name)
    np.testing.assert_allclose(values, curves.channel(name), atol=1e-4, err_msg=name)


def test_every_export_succeeds(exported: tuple[Path, dict[str, Any]]) -> None:
    assert set(exported[1]["statuses"].values()) == {0}


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("suffix", [".fbx", ".glb", ".usdc", ".blend"])
def test_blender_reads_every_channel_back(exported: tuple[Path, dict[str, Any]], rate: str, suffix: str) -> None:
    folder = exported[0] / rate
    curves = read_curves(folder / "curves.npz")
    with np.load(folder / f"back{suffix}.npz") as back:
        assert set(back.files) >= set(ARKIT_NAMES)
        for name in ARKIT_NAMES:
            assert_keys_match(back[name], curves, name)


@pytest.mark.parametrize("suffix", [".fbx", ".glb", ".usdc"])
def test_correctives_travel_as_shapes_with_their_motion(exported: tuple[Path, dict[str, Any]], suffix: str) -> None:
    folder = exported[0] / "24"
    values = read_curves(folder / "curves.npz").values
    avatar = load_proxy_avatar()
    assert avatar.correctives
    with np.load(folder / f"back{suffix}.npz") as back:
        plain = {name.replace("_", " "): back[name][1] for name in back.files}
    for corrective in avatar.correctives:
        np.testing.assert_allclose(plain[f"corrective {corrective.name}"], corrective.strength(values), atol=1e-4)
    assert {f"identity {name}" for name in avatar.identities} <= set(plain)


@pytest.mark.parametrize("suffix", [".fbx", ".glb", ".usdc", ".blend"])
def test_skeleton_travels(exported: tuple[Path, dict[str, Any]], suffix: str) -> None:
    found = [name.replace("_", ".") for name in exported[1]["bones"][suffix]]
    assert found == ["eye.L", "eye.R", "head", "neck", "root"]


@pytest.mark.parametrize("suffix", [".fbx", ".glb", ".usdc"])
def test_clear_corneas_do_not_hide_the_eyes(exported: tuple[Path, dict[str, Any]], suffix: str) -> None:
    opacities = {name.replace("_", " "): value for name, value in exported[1]["opacities"][suffix].items()}
    cornea = opacities.pop("DREAM-Talk cornea" if suffix != ".usdc" else "DREAM Talk cornea")
    if suffix != ".glb":  # Blender's importer links a product of the vertex colours' alpha there
        assert cornea == pytest.approx(0.05)
    assert set(opacities.values()) == {1.0}


def expected_points(curves: FaceCurves) -> npt.NDArray[np.floating[Any]]:
    """Return the avatar's vertices (V, 3) at ``FRAME``, Blender's axes, the neck at the origin."""
    avatar = load_proxy_avatar()
    shaped = to_blender(avatar.deform(curves.values[FRAME]) - avatar.neck_pivot).astype(np.float64)
    turn = matrices_from_euler(euler_of_head(curves.head_rotation[FRAME : FRAME + 1]))[0]
    turned = shaped @ turn.T + to_blender(curves.head_translation[FRAME])
    weight = avatar.head_weight[:, None]
    return np.asarray(weight * turned + (1 - weight) * shaped)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("suffix", [".fbx", ".glb", ".usdc", ".blend", ".abc"])
def test_face_and_head_move_as_the_take_says(exported: tuple[Path, dict[str, Any]], rate: str, suffix: str) -> None:
    folder = exported[0] / rate
    expected = expected_points(read_curves(folder / "curves.npz"))
    points = np.load(folder / f"points{suffix}.npy")
    if suffix == ".glb":  # vertices are told apart there by material and texture coordinates, and reordered
        apart = np.concatenate([cKDTree(expected).query(points)[0], cKDTree(points).query(expected)[0]])
    else:
        apart = np.linalg.norm(points - expected, axis=1)
    assert apart.max() < 2e-4


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("suffix", [".usdc", ".usdz"])
def test_usd_library_reads_every_channel_back(exported: tuple[Path, dict[str, Any]], rate: str, suffix: str) -> None:
    pytest.importorskip("pxr", reason="needs usd-core")
    folder = exported[0] / rate
    out = folder / f"usd{suffix}.npz"
    subprocess.run([sys.executable, SCRIPTS / "read_usd.py", folder / f"take{suffix}", out], check=True)
    curves = read_curves(folder / "curves.npz")
    with np.load(out) as back:
        np.testing.assert_allclose(back["rates"], RATES[rate], rtol=1e-6)
        assert back["ends"].tolist() == [0, FRAMES - 1]
        avatar = load_proxy_avatar()
        # Beside ARKit's there are four shapes of lids that follow eye bones, and one that hides the hair.
        assert back["targets"].tolist() == [52 + len(avatar.correctives) + len(avatar.identities) + 5]
        columns = {str(name): column for column, name in enumerate(back["names"])}
        for name in ARKIT_NAMES:
            assert_keys_match(np.stack([back["seconds"], back["values"][:, columns[name]]]), curves, name)


@pytest.mark.parametrize("rate", RATES)
def test_live_link_csv_holds_the_curves(exported: tuple[Path, dict[str, Any]], rate: str) -> None:
    folder = exported[0] / rate
    curves, back = read_curves(folder / "curves.npz"), read_curves(folder / "take.csv")
    np.testing.assert_allclose(back.values, curves.values, atol=1e-4)
    np.testing.assert_allclose(back.head_rotation, curves.head_rotation, atol=1e-4)


def test_saved_file_carries_its_sound_in_sync(exported: tuple[Path, dict[str, Any]]) -> None:
    assert exported[1]["sounds"] == {rate: [["SOUND", 0, True]] for rate in RATES}


@pytest.mark.parametrize("rate", RATES)
def test_gltf_validator_finds_no_fault(exported: tuple[Path, dict[str, Any]], rate: str) -> None:
    if not VALIDATOR.is_dir():
        pytest.skip(f"no glTF validator: npm install --prefix {VALIDATOR.parents[1]} gltf-validator")
    script = (
        f"require({json.dumps(str(VALIDATOR))}).validateBytes("
        "new Uint8Array(require('fs').readFileSync(process.argv[1])))"
        ".then(report => console.log(JSON.stringify(report.issues)))"
    )
    command = ["node", "-e", script, str(exported[0] / rate / "take.glb")]
    issues = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert issues["numErrors"] == 0, issues["messages"]
    assert issues["numWarnings"] == 0, issues["messages"]
