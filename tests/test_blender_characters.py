"""Characters of every make in a real Blender: where their head pose goes, and how takes animate their shapes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from blender_support import installed_blender
from test_blender_extension import performance

from blendshape_rigs.curves import FaceCurves
from blendshape_rigs.formats import write_curves

FRAMES = 12
HEADS = {
    "upright, rolled, quaternion": ("Head", ["location", "rotation_quaternion"]),
    "connected, Euler XYZ": ("mixamorig:Head", ["rotation_euler"]),
    "lying armature in centimetres, turned as an object": ("CC_Base_Head", ["location", "rotation_euler"]),
    "facing backward": ("J_Bip_C_Head", ["location", "rotation_quaternion"]),
    "mesh on a bone": ("robot_top", ["location", "rotation_euler"]),
}


@pytest.fixture(scope="module")
def heads(tmp_path_factory: pytest.TempPathFactory) -> tuple[FaceCurves, dict[str, Any]]:
    """Return the curves, and what the script measured on armatures of several makes."""
    folder = tmp_path_factory.mktemp("heads")
    curves = performance(FRAMES, 24.0)
    write_curves(curves, folder / "curves.npz")
    return curves, installed_blender().run("head_bones.py", folder=str(folder))


def turn(curves: FaceCurves, frame: int) -> Any:
    """Return the rotation (3, 3) of the head in Blender's axes, from the definition of FaceCurves."""
    pitch, yaw, roll = curves.head_rotation[frame].astype(float)
    about_up = np.array([[np.cos(yaw), -np.sin(yaw), 0], [np.sin(yaw), np.cos(yaw), 0], [0, 0, 1]])
    about_left = np.array([[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]])
    about_back = np.array([[np.cos(roll), 0, np.sin(roll)], [0, 1, 0], [-np.sin(roll), 0, np.cos(roll)]])
    return about_up @ about_left @ about_back


@pytest.mark.parametrize("case", HEADS)
def test_head_bone_turns_about_the_character_s_axes(heads: tuple[FaceCurves, dict[str, Any]], case: str) -> None:
    curves, report = heads
    measured = report["cases"][case]
    bone, channels = HEADS[case]
    assert (measured["bone"], measured["channels"]) == (bone, channels)
    about = np.diag([-1.0, -1.0, 1.0]) if case == "facing backward" else np.eye(3)
    np.testing.assert_allclose(measured["turned"], about @ turn(curves, 7) @ about, atol=2e-5)
    x, y, z = curves.head_translation[7] if "location" in channels else np.zeros(3)
    np.testing.assert_allclose(measured["moved"], about @ [x, -z, y], atol=2e-5)


@pytest.mark.parametrize("case", HEADS)
def test_head_pose_of_a_bone_reads_back(heads: tuple[FaceCurves, dict[str, Any]], case: str) -> None:
    curves, report = heads
    measured = report["cases"][case]
    np.testing.assert_allclose(measured["back_rotation"], curves.head_rotation, atol=2e-5)
    moved = curves.head_translation if "location" in HEADS[case][1] else np.zeros((FRAMES, 3))
    np.testing.assert_allclose(measured["back_translation"], moved, atol=2e-5)


def test_head_bones_are_found_by_their_usual_names(heads: tuple[FaceCurves, dict[str, Any]]) -> None:
    _, report = heads
    assert all(expected == found for expected, found in report["names"].items()), report["names"]
    assert report["held"] == "DEF-head"
