"""Files for other programs: every preset and scope, read back in a fresh Blender; what the panel says of them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from blender_support import installed_blender
from test_blender_extension import performance

from blendshape_rigs.arkit import ARKIT_NAMES
from blendshape_rigs.avatar import load_proxy_avatar
from blendshape_rigs.curves import FaceCurves
from blendshape_rigs.formats import read_curves, write_curves

FPS = 30000 / 1001
FRAMES = 31
FIRST = 4  # frame of the avatar's takes
SECOND_FIRST = 10  # frame of the other avatar's
OPERATORS = {
    ".fbx": "export_scene.fbx",
    ".glb": "export_scene.gltf",
    ".usdc": "wm.usd_export",
    ".usdz": "wm.usd_export",
    ".abc": "wm.alembic_export",
}
PRESETS = ("UNREAL.fbx", "UNITY.fbx", "GODOT.glb", "OMNIVERSE.usdc", "MAYA.fbx", "OTHER.glb", "maya usd.usdc")
TAKES = {"first": "takes/first.glb", "second": "takes/second.glb"}
SCENES = ("scene/FBX.fbx", "scene/GLB.glb", "scene/USDC.usdc")
WRONG = ("UNREAL.fbx", "GODOT.glb", "OMNIVERSE.usdc", "ABC.abc", "CSV.csv")
CURVE_FILES = ("CSV.csv", "JSON.json", "NPZ.npz")
Report = dict[str, Any]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the exports, with three takes in it."""
    made = tmp_path_factory.mktemp("for Ünreal 出力")
    for seed, name in enumerate(("first", "second", "third")):
        write_curves(performance(FRAMES, FPS, seed), made / f"{name}.npz")
    return made


@pytest.fixture(scope="module")
def seen(folder: Path) -> Report:
    """Export everything, read it back in another process, and return what both report."""
    blender = installed_blender()
    report = blender.run("export_presets.py", folder=str(folder), operators=OPERATORS, wrong=WRONG)
    files = [*PRESETS, *TAKES.values(), *SCENES, "ABC.abc", "scene/ABC.abc"]
    return report | blender.run("reimport_presets.py", folder=str(folder), files=files, fps=FPS, frame=FIRST)


def back(folder: Path, name: str, number: int = 0) -> dict[str, np.ndarray[Any, Any]]:
    """Return what the mesh ``number`` in an exported file holds; skip where this Blender cannot write the file."""
    if not (folder / name).is_file():
        pytest.skip(f"this Blender writes no {Path(name).suffix}")
    with np.load(folder / f"{name}.{number}.npz") as stored:
        return dict(stored)


def assert_holds(found: dict[str, np.ndarray[Any, Any]], curves: FaceCurves, first: float) -> float:
    """Check that shape keys play ``curves`` from second ``first`` on; return the largest error."""
    worst = 0.0
    for name in ARKIT_NAMES:
        seconds, values = found[name]
        error = np.abs(np.interp(first + curves.times, seconds, values) - curves.channel(name)).max()
        worst = max(worst, float(error))
        assert error < 1e-4, name
    return worst


def start_of(name: str, frame: int) -> float:
    """Return the second of ``frame`` in an exported file whose first frame is ``FIRST``."""
    return (frame - FIRST if name.endswith(".glb") else frame) / FPS


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_holds_the_take(seen: Report, folder: Path, name: str) -> None:
    worst = assert_holds(back(folder, name), read_curves(folder / "second.npz"), start_of(name, FIRST))
    text, failed = seen["said"][Path(name).stem]
    assert not failed
    if name.endswith(".usdc") and not seen["reads_usd"]:
        assert text == f"Wrote {name}; this build cannot read it back"
        return
    numbers = re.fullmatch(rf"Wrote {name}: 52 channels, (\d+\.\d\d) s, max error (\S+)", text)
    assert numbers is not None
    assert float(numbers[1]) == pytest.approx((FRAMES - 1) / FPS, abs=0.005)
    assert float(numbers[2]) < 1e-5
    assert worst < 1e-5


@pytest.mark.parametrize("take", TAKES)
def test_all_takes_go_to_a_file_each(seen: Report, folder: Path, take: str) -> None:
    assert_holds(back(folder, TAKES[take]), read_curves(folder / f"{take}.npz"), 0.0)
    text, failed = seen["said"]["takes/any"]
    assert not failed
    assert re.fullmatch(r"Wrote 2 files to takes: 52 channels, 2\.00 s, max error \S+", text)


@pytest.mark.parametrize("name", SCENES)
def test_whole_scene_holds_every_character(seen: Report, folder: Path, name: str) -> None:
    assert_holds(back(folder, name, 0), read_curves(folder / "third.npz"), start_of(name, FIRST))
    assert_holds(back(folder, name, 1), read_curves(folder / "second.npz"), start_of(name, SECOND_FIRST))
    seconds = (FRAMES - 1 + SECOND_FIRST - FIRST) / FPS
    if seen["reads_usd"] or not name.endswith(".usdc"):
        assert f"52 channels, {seconds:.2f} s" in seen["said"][name.partition(".")[0]][0]
    assert seen["characters"] == ["DREAM-Talk Avatar", "DREAM-Talk Avatar.001"]


def test_curves_of_a_whole_scene_are_a_file_a_character(seen: Report, folder: Path) -> None:
    assert seen["said"]["scene/CSV"][0].startswith("Wrote 2 files to scene: 52 channels")
    for name, take in (("DREAM-Talk_Avatar", "third"), ("DREAM-Talk_Avatar_001", "second")):
        values = read_curves(folder / "scene" / f"{name}.csv").values
        np.testing.assert_allclose(values, read_curves(folder / f"{take}.npz").values, atol=1e-4)


def test_programs_get_their_axes_and_units(seen: Report, folder: Path) -> None:
    expected = float(np.ptp(back(folder, "GODOT.glb")["points"][:, 2]))
    for name in (name for name in PRESETS if name in seen["heights"]):
        assert seen["heights"][name] == [pytest.approx(expected, rel=0.1)], name  # the head nods
    units = {name: (folder / name).read_bytes() for name in ("UNREAL.fbx", "UNITY.fbx")}
    scale = {name: np.frombuffer(data, "<f8", 1, after(data, b"UnitScaleFactor"))[0] for name, data in units.items()}
    assert scale == {"UNREAL.fbx": 1.0, "UNITY.fbx": 100.0}


def after(data: bytes, name: bytes) -> int:
    """Return where the number of the FBX setting ``name`` lies: after its name, two types and flags."""
    at = data.index(name) + len(name)
    return data.index(b"D", data.index(b"Number", at) + len(b"Number")) + 1


@pytest.mark.parametrize("name", CURVE_FILES)
def test_curve_files_hold_the_take(seen: Report, folder: Path, name: str) -> None:
    values = read_curves(folder / name).values
    np.testing.assert_allclose(values, read_curves(folder / "second.npz").values, atol=1e-4)
    assert f"Wrote {name}: 52 channels, 1.00 s, max error" in seen["said"][Path(name).stem][0]


def test_point_cache_holds_every_point(seen: Report, folder: Path) -> None:
    found = back(folder, "ABC.abc")["points"]
    points = len(load_proxy_avatar().vertices)
    assert found.shape == (points, 3)
    assert seen["said"]["ABC"][0].startswith(f"Wrote ABC.abc: {points} points, 1.00 s, max error")
    assert f": {2 * points} points" in seen["said"]["scene/ABC"][0]


def test_wrong_file_is_told_by_its_channel(seen: Report) -> None:
    assert seen["right"] == ""
    for suffix, text in seen["wrong"].items():
        assert "differs from the take by" in text or suffix == ".abc"
        assert "DREAM-Talk Avatar" in text or any(f"'{name}'" in text for name in ARKIT_NAMES)
    assert {".fbx", ".glb", ".csv"} <= set(seen["wrong"])
    assert "cut off" in seen["cut"]


def test_exporting_changes_nothing(seen: Report) -> None:
    assert seen["unchanged"]
    assert seen["unchanged_by_checks"]
    assert seen["scene_unchanged"]


def test_every_program_says_what_it_takes(seen: Report) -> None:
    assert seen["kinds"] == {
        "UNREAL": "FBX", "UNITY": "FBX", "GODOT": "GLB", "OMNIVERSE": "USDC", "MAYA": "FBX", "OTHER": "GLB",
    }  # fmt: skip
    assert "no take yet" in seen["refused_without_take"]
