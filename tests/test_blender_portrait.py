"""Portraits driven from Blender: what is read from the scene, the live preview and the rendered files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from blender_support import installed_blender

from blendshape_rigs.curves import FaceCurves
from blendshape_rigs.formats import write_curves

FRAMES = 12


def performance(frames: int, fps: float) -> FaceCurves:
    """Return smooth curves that move all 52 channels and the head."""
    random = np.random.default_rng(3)
    times = np.arange(frames)[:, None] / frames
    waves = np.sin(2 * np.pi * (times + random.random((1, 58))))
    return FaceCurves(0.5 + 0.45 * waves[:, :52], 0.2 * waves[:, 52:55], 0.02 * waves[:, 55:], fps)


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> tuple[FaceCurves, dict[str, Any], Path]:
    """Return the curves that were keyed, what the script reports, and the folder it wrote to."""
    folder = tmp_path_factory.mktemp("reading")
    curves = performance(FRAMES, 24.0)
    write_curves(curves, folder / "curves.npz")
    return curves, installed_blender().run("portrait_reading.py", folder=str(folder)), folder


def test_a_take_is_read_as_it_was_keyed(read: tuple[FaceCurves, dict[str, Any], Path]) -> None:
    curves, _, folder = read
    back = np.load(folder / "take.npz")
    np.testing.assert_allclose(back["values"], curves.values, atol=1e-5)
    np.testing.assert_allclose(back["head_rotation"], curves.head_rotation, atol=1e-4)
    np.testing.assert_allclose(back["head_translation"], curves.head_translation, atol=1e-4)


def test_keys_layers_drivers_and_constraints_all_count(read: tuple[FaceCurves, dict[str, Any], Path]) -> None:
    _, report, _ = read
    np.testing.assert_allclose(report["by_hand"], 0.25, atol=1e-6)
    np.testing.assert_allclose(report["layered"], 0.75, atol=1e-6)
    assert report["driven"] == pytest.approx(0.4, abs=1e-6)
    assert report["muted"] == 0
    # Euler angles of Blender's axes are pitch, roll, yaw.
    np.testing.assert_allclose(report["constrained"], [8, 12, -5], atol=0.05)


def test_the_camera_sees_the_head_from_where_it_stands(read: tuple[FaceCurves, dict[str, Any], Path]) -> None:
    _, report, _ = read
    np.testing.assert_allclose(report["front"], 0, atol=0.01)
    # Seen from the subject's left, the head looks away to its right.
    np.testing.assert_allclose(report["left"], [0, -20, 0], atol=0.01)
    np.testing.assert_allclose(report["elsewhere"], 0, atol=1e-5)
    assert "has no camera" in report["no_camera"]


def test_any_character_that_shows_something_can_be_followed(read: tuple[FaceCurves, dict[str, Any], Path]) -> None:
    _, report, _ = read
    np.testing.assert_allclose(report["mask"], [0.3, 0.6], atol=1e-6)
    np.testing.assert_allclose(report["mask_head"], [0, 10, 0, 0, 0, 0], atol=1e-4)
    assert "'Plain' has no shape keys or face bones" in report["plain"]
    assert "Choose a character" in report["nobody"]
    assert "is hidden: show it" in report["hidden"]
