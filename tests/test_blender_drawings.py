"""Drawn mouths of a grease pencil follow a take."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from blender_support import installed_blender

from blendshape_rigs.arkit import ARKIT_COUNT, ARKIT_INDEX
from blendshape_rigs.curves import FaceCurves
from blendshape_rigs.formats import write_curves

FPS = 24.0


def test_a_grease_pencil_shows_the_mouths_of_a_take(tmp_path: Path) -> None:
    values = np.zeros((36, ARKIT_COUNT), np.float32)
    values[12:24, ARKIT_INDEX["jawOpen"]] = 0.9
    values[24:, [ARKIT_INDEX["jawOpen"], ARKIT_INDEX["mouthClose"]]] = 0.25
    values[24:, [ARKIT_INDEX["mouthPressLeft"], ARKIT_INDEX["mouthPressRight"]]] = 0.6
    still = np.zeros((36, 3), np.float32)
    write_curves(FaceCurves(values, still, still, FPS), tmp_path / "take.npz")
    report = installed_blender().run("drawings.py", take=str(tmp_path / "take.npz"), frames=36)
    assert not report["without take"]
    assert "A to F" in report["wrong"]
    assert report["mode"] == "FIX"
    # The drawings begin at frame 10 and lie in the order X A B C D E F.
    shown = report["shown"]
    assert set(shown[:11]) == {10}, "X, the mouth at rest"
    assert set(shown[13:23]) == {14}, "D, wide open"
    assert set(shown[25:]) == {11}, "A, pressed lips"
    assert not report["again"], "an animated drawing is left alone"
