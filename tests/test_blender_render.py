"""Stills of a take, rendered by Blender without a window."""

from __future__ import annotations

import ctypes.util
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from blender_support import ROOT

from blendshape_rigs.arkit import ARKIT_INDEX
from blendshape_rigs.curves import FaceCurves
from blendshape_rigs.formats import write_curves
from model_server.commands.files import run_blender
from model_server.errors import ExportError

SIZE = 96


def blender_child(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "model_server.blender_child", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def picture(path: Path) -> npt.NDArray[np.float64]:
    """Return the (96, 96) brightness of a PNG file in [0, 1]."""
    image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    assert image is not None
    return image / 255.0


def test_stills_show_the_take_at_the_asked_seconds(tmp_path: Path) -> None:
    if ctypes.util.find_library("EGL") is None:
        pytest.skip("rendering needs libEGL; on Debian: apt-get install libegl1 libgl1-mesa-dri")
    curves = FaceCurves.zeros(3, 2.0)
    curves.values[1:, ARKIT_INDEX["jawOpen"]] = 1.0
    curves.head_rotation[2, 1] = 0.6
    write_curves(curves, tmp_path / "curves.npz")
    done = blender_child(
        "render", "--curves", tmp_path / "curves.npz", "--times", "0,0.5,1", "--size", str(SIZE), "-o", tmp_path
    )
    assert done.returncode == 0, done.stderr
    rest, open_mouth, turned = (picture(tmp_path / f"{number:03d}.png") for number in range(3))
    assert rest.shape == (SIZE, SIZE)
    assert rest.std() > 0.05
    upper, lower = np.abs(open_mouth - rest).reshape(2, SIZE // 2, SIZE).mean(axis=(1, 2))
    assert lower > 3 * upper  # the jaw is in the lower half
    assert np.abs(turned - open_mouth)[: SIZE // 2].mean() > 0.02


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["-o", "take.obj"], "'take.obj' has no known ending"),
        (["--character", "nobody.glb", "-o", "take.glb"], "there is no character file nobody.glb"),
    ],
)
def test_export_says_what_it_cannot_do(tmp_path: Path, arguments: list[str], complaint: str) -> None:
    write_curves(FaceCurves.zeros(3, 30.0), tmp_path / "curves.npz")
    done = blender_child("export", "--curves", tmp_path / "curves.npz", *arguments)
    assert done.returncode == 1
    assert complaint in done.stderr.splitlines()[-1]


def test_missing_graphics_driver_is_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_curves(FaceCurves.zeros(1, 2.0), tmp_path / "curves.npz")
    monkeypatch.setenv("__EGL_VENDOR_LIBRARY_FILENAMES", str(tmp_path / "none.json"))  # hides every driver
    arguments = ("--curves", str(tmp_path / "curves.npz"), "--times", "0", "--size", "16", "-o", str(tmp_path))
    with pytest.raises(ExportError, match=r"renderer could not start.* apt-get install libegl1 libgl1-mesa-dri$"):
        run_blender("render", *arguments)
