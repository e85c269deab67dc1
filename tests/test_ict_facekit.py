"""ICT-FaceKit from a folder: a small made one, broken ones, and the real head built in Blender."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from blender_support import installed_blender
from ict_support import SHAPES, write_obj, write_repository

from blendshape_rigs.arkit import ARKIT_INDEX, ARKIT_NAMES
from blendshape_rigs.ict_facekit import MISSING, NEUTRAL_FILE, IctFaceKitError, ict_names, read_ict_facekit

CUBE = np.array([[x, y, z] for z in (0, 1) for y in (0, 1) for x in (0, 1)], float) * 10
SIDES = [(0, 2, 3, 1), (4, 5, 7, 6), (0, 1, 5, 4), (2, 6, 7, 3), (0, 4, 6, 2)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a repository whose head is a box of five sides and whose shape n moves corner n mod 8 by n + 1 cm."""
    home = tmp_path / "FaceXModel"
    home.mkdir()
    uvs = "vt 0 0\nvt 1 0\nvt 1 1\nvt 0 1\n"
    faces = "".join("f " + " ".join(f"{v + 1}/{n + 1}" for n, v in enumerate(side)) + "\n" for side in SIDES)
    write_obj(home / NEUTRAL_FILE, CUBE, f"{uvs}usemtl skin\n{faces}f 2/1 4/2 8/3\n")
    for number, name in enumerate(SHAPES):
        moved = CUBE.copy()
        moved[number % 8, 1] += number + 1
        write_obj(home / f"{name}.obj", moved)
    return tmp_path


def test_every_shape_but_the_tongue_has_its_files() -> None:
    assert len(set(SHAPES)) == 53
    assert [name for name in ARKIT_NAMES if not ict_names(name)] == list(MISSING)
    assert ict_names("browInnerUp") == ("browInnerUp_L", "browInnerUp_R")
    assert ict_names("jawLeft") == ("jawLeft",)
    assert ict_names("mouthSmileRight") == ("mouthSmile_R",)


def test_a_made_folder_is_read_in_metres_with_halves_summed(folder: Path) -> None:
    kit = read_ict_facekit(folder)
    np.testing.assert_allclose(kit.vertices, CUBE * 0.01, atol=1e-7)
    assert kit.corners.tolist() == [*np.ravel(SIDES), 1, 3, 7]
    assert kit.face_starts.tolist() == [0, 4, 8, 12, 16, 20]
    np.testing.assert_array_equal(kit.uvs[:4], [[0, 0], [1, 0], [1, 1], [0, 1]])
    assert kit.parts == ("skin",)
    expected = np.zeros((52, 8, 3))
    for name in ARKIT_NAMES:
        for part in ict_names(name):
            number = SHAPES.index(part)
            expected[ARKIT_INDEX[name], number % 8, 1] += (number + 1) * 0.01
    np.testing.assert_allclose(kit.deltas, expected, atol=1e-6)
    np.testing.assert_array_equal(read_ict_facekit(folder / "FaceXModel").deltas, kit.deltas)


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("jawOpen.obj", None, r"1 shapes are missing .* jawOpen\.obj"),
        (NEUTRAL_FILE, None, "There is no generic_neutral_mesh.obj"),
        ("jawOpen.obj", "v 1 2 3\n", "jawOpen.obj has 1 vertices where generic_neutral_mesh.obj has 8"),
        ("jawOpen.obj", "v 1 2\n" * 8, "without 3 numbers"),
        ("jawOpen.obj", "v 1 2 three\n" * 8, "without 3 numbers"),
        ("jawOpen.obj", "v 1 2 nan\n" * 8, "no place on a head"),
        ("jawOpen.obj", "v 1 2 1e30\n" * 8, "no place on a head"),
        (NEUTRAL_FILE, "v 0 0 0\n" * 8, "has no faces"),
        (NEUTRAL_FILE, "", "has 0 vertices"),
        (NEUTRAL_FILE, "v 0 0 0\n" * 8 + "f 1 2 9\n", "names vertex 9 of 8"),
        (NEUTRAL_FILE, "v 0 0 0\n" * 8 + "f 1 2 0\n", "names vertex 0 of 8"),
        (NEUTRAL_FILE, "v 0 0 0\n" * 8 + "f 1 2 x\n", "no number"),
        (NEUTRAL_FILE, "v 0 0 0\n" * 8 + "f 1 2 2\n", "fewer than three different"),
    ],
)
def test_broken_folders_are_refused(folder: Path, file: str, text: str | None, message: str) -> None:
    path = folder / "FaceXModel" / file
    if text is None:
        path.unlink()
    else:
        path.write_text(text)
    with pytest.raises(IctFaceKitError, match=message):
        read_ict_facekit(folder)


def test_huge_files_are_refused_unread(folder: Path) -> None:
    with (folder / "FaceXModel" / "jawOpen.obj").open("ab") as file:
        file.truncate(70 * 2**20)
    with pytest.raises(IctFaceKitError, match="larger than 64 MiB"):
        read_ict_facekit(folder)


def test_blender_builds_the_made_folder_and_says_what_is_wrong(folder: Path, tmp_path: Path) -> None:
    report = installed_blender().run("ict_facekit.py", folder=str(folder), out=str(tmp_path / "built.npz"))
    assert report["keys"] == ["Basis", *(name for name in ARKIT_NAMES if name not in MISSING)]
    assert "no generic_neutral_mesh.obj" in report["refused"]
    with np.load(tmp_path / "built.npz") as built:
        kit = read_ict_facekit(folder)
        np.testing.assert_allclose(built["jawOpen"], kit.deltas[ARKIT_INDEX["jawOpen"]], atol=1e-6)
        assert built["faces"] == 6
        np.testing.assert_array_equal(built["uvs"], kit.uvs)


def test_blender_builds_the_real_head(shared_data: Path, tmp_path: Path) -> None:
    neutral, own = write_repository(shared_data, tmp_path)
    report = installed_blender().run("ict_facekit.py", folder=str(tmp_path), out=str(tmp_path / "built.npz"))
    assert {"DREAM-Talk skin", "DREAM-Talk teeth", "DREAM-Talk iris"} <= set(report["materials"])
    assert report["channels"] == 51
    with np.load(tmp_path / "built.npz") as built:
        for name in ("jawOpen", "mouthSmileLeft", "cheekPuff", "browInnerUp"):
            expected = sum((own[part] for part in ict_names(name)), np.zeros_like(neutral)) * 0.01
            np.testing.assert_allclose(built[name], expected, atol=2e-7, err_msg=name)
        turned = built["eyeLookOutLeft"][21451:23021]
        assert turned[:, 0].max() > 0.004  # the pupil goes to the head's left; the shape itself moves lids alone
