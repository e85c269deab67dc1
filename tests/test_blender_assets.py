"""Poses on characters of several kinds, and the asset library of the avatar and its poses."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from blender_support import installed_blender

from blendshape_rigs.arkit import ARKIT_INDEX, ARKIT_NAMES, EMOTIONS, LIP_CHANNELS
from blendshape_rigs.avatar import load_proxy_avatar
from blendshape_rigs.pose_pictures import face_picture
from blendshape_rigs.poses import FacePose, face_poses

POSES = face_poses()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder that the library is made in; its name has a space and letters of other scripts."""
    return tmp_path_factory.mktemp("Bibliothek für 顔 poses")


@pytest.fixture(scope="module")
def seen(folder: Path) -> dict[str, Any]:
    """Return what the script reports."""
    return installed_blender().run("assets.py", folder=str(folder))


def of_group(group: str) -> list[FacePose]:
    """Return the poses of a group."""
    return [pose for pose in POSES.values() if pose.group == group]


def test_there_are_fifteen_visemes_and_eight_emotions() -> None:
    assert len(of_group("viseme")) == 15
    assert [pose.name for pose in of_group("emotion")] == [f"emotion {name}" for name in EMOTIONS]
    for pose in POSES.values():
        assert set(np.flatnonzero(pose.values)) <= set(pose.channels)
        assert 0 <= pose.values.min() <= pose.values.max() <= 1
    for pose in of_group("viseme"):
        assert pose.channels == LIP_CHANNELS


def test_poses_look_as_they_are_called() -> None:
    avatar = load_proxy_avatar()
    gaps = {name: float(avatar.lip_gap(pose.values[None])[0]) for name, pose in POSES.items()}
    assert gaps["viseme PP"] < 0.001 < 0.01 < gaps["viseme aa"]
    corner = avatar.upper_lip[-1]  # of the left side
    rest = avatar.vertices[corner, 1]
    heights = {name: avatar.deform(POSES[f"emotion {name}"].values)[corner, 1] - rest for name in EMOTIONS}
    assert heights["happy"] > 0.002 > -0.002 > heights["sad"]


def test_pictures_tell_poses_apart() -> None:
    pictures = [face_picture(pose.values, 32, 1) for pose in POSES.values()]
    for picture in pictures:
        assert picture.shape == (32, 32, 4)
        assert 0 <= picture.min() <= picture.max() <= 1
        assert picture[16, 16, 3] == 1  # the face is in the middle
        assert picture[-1, 0, 3] == 0  # beside the head is nothing
    moving = [picture for picture, pose in zip(pictures, POSES.values(), strict=True) if pose.values.any()]
    for number, picture in enumerate(moving):
        assert all(np.abs(picture - other).max() > 0.05 for other in moving[:number])


def expected(pose: str, amount: float, before: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return the 52 values after ``pose`` was applied by ``amount``."""
    values, channels = before.copy(), list(POSES[pose].channels)
    values[channels] += amount * (POSES[pose].values[channels] - before[channels])
    return values


def test_pose_reaches_the_shapes_and_leaves_the_rest_alone(seen: dict[str, Any]) -> None:
    happy = expected("emotion happy", 1.0, np.zeros(52))
    np.testing.assert_allclose(seen["happy"], happy, atol=1e-6)
    happy[ARKIT_INDEX["eyeLookUpLeft"]] = 0.7
    half = expected("viseme aa", 0.5, happy)
    np.testing.assert_allclose(seen["half_aa_on_happy"], half, atol=1e-6)
    assert half[ARKIT_INDEX["cheekSquintLeft"]] == happy[ARKIT_INDEX["cheekSquintLeft"]] > 0
    rest = expected("emotion neutral", 1.0, half)
    np.testing.assert_allclose(seen["rest"], rest, atol=1e-6)
    assert np.flatnonzero(rest).tolist() == [ARKIT_INDEX["eyeLookUpLeft"]]


def test_pose_is_keyed_when_asked(seen: dict[str, Any]) -> None:
    sad = POSES["emotion sad"]
    np.testing.assert_allclose(seen["keyed"], [[12.0, sad.values[ARKIT_INDEX["browInnerUp"]]]], atol=1e-6)
    assert seen["keyed_count"] == len(sad.channels)


def test_viseme_characters_speak_in_their_own_shapes(seen: dict[str, Any]) -> None:
    shown = seen["viseme_character"]
    assert shown["viseme_O"] > 0.9
    assert sum(shown.values()) - shown["viseme_O"] < 0.1


def test_greyed_button_says_why(seen: dict[str, Any]) -> None:
    assert "Choose a character" in seen["refused_without_character"]


def test_library_holds_the_avatar_and_every_pose(seen: dict[str, Any]) -> None:
    assert seen["actions"] == sorted(POSES)
    assert seen["collections"] == ["DREAM-Talk Avatar"]
    assert seen["head"] == "DREAM-Talk Avatar"
    assert seen["drivers"] > 0
    assets = seen["assets"]
    assert set(assets) == {*POSES, "DREAM-Talk Avatar"}
    for name, pose in POSES.items():
        assert assets[name]["tags"] == [pose.group, pose.title]
        assert assets[name]["about"].startswith(pose.about)
    # Blender 5.0 drops the picture of a collection that it writes to a library.
    assert all(assets[name]["picture"] == [128, 128] for name in POSES)
    assert len({asset["catalog"] for asset in assets.values()}) == 3
    assert all(UUID(asset["catalog"]).version == 4 for asset in assets.values())


def test_pose_asset_moves_the_shapes(seen: dict[str, Any]) -> None:
    fear = POSES["emotion fear"].values[ARKIT_NAMES.index("eyeWideLeft")]
    assert seen["fear"] == pytest.approx(fear)


def test_library_is_made_twice_without_a_trace(seen: dict[str, Any], folder: Path) -> None:
    assert seen["unchanged"]
    assert seen["registered"] == [["DREAM-Talk", str(folder / "mine")]]
    assert seen["catalogs_once"]
    assert seen["other_catalog_stays"]
    assert all(seen["catalogs"].values())
    assert seen["usual_file"]
    assert "assets" in seen["usual"]


def test_library_that_cannot_be_written_says_so(seen: dict[str, Any]) -> None:
    assert "could not be written" in seen["refused_read_only"]
    assert "close it first" in seen["open_refused"]
