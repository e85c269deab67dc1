"""Characters of every make in a real Blender: where their head pose goes, and how takes animate their shapes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from blender_support import installed_blender
from test_blender_extension import performance

from blendshape_rigs.arkit import ARKIT_NAMES
from blendshape_rigs.curves import FaceCurves
from blendshape_rigs.formats import write_curves
from blendshape_rigs.mapping import Mapping, auto_map

FRAMES = 12
EYES_APART = 0.064
"""Metres between the eyes of the Rigify-named face that the script makes."""
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


MADE = ("gltf", "vrm", "parts", "rhubarb", "rigify")
REAL = ("ict_facekit", "makehuman_units")
MISSING = {"ict_facekit": ("tongueOut",), "makehuman_units": ()}
SUFFIXES = {name: [".glb", ".fbx"] for name in ("gltf", "vrm", "makehuman_units")} | {"ict_facekit": [".glb"]}


@dataclass(frozen=True)
class Retargeted:
    """What the script saw of one character, beside the one take that all of them got."""

    curves: FaceCurves
    report: dict[str, Any]
    mapping: Mapping
    folder: Path
    name: str

    @property
    def expected(self) -> dict[str, Any]:
        """Values (T,) that the mapping asks for, by target."""
        return dict(zip(self.mapping.targets, self.mapping.apply(self.curves.values, self.curves.fps).T, strict=True))

    def seen(self, mesh: str) -> dict[str, Any]:
        """Values (T,) of the shape keys of one mesh, by shape."""
        parted = {tuple(name.split(": ", 1)): values for name, values in self.report["seen"].items()}
        return {shape: values for (owner, shape), values in parted.items() if owner == mesh}


def retargeted(folder: Path, characters: tuple[str, ...], shared: str) -> dict[str, Retargeted]:
    curves = performance(FRAMES, 24.0)
    write_curves(curves, folder / "curves.npz")
    found = installed_blender().run(
        "foreign_characters.py", folder=str(folder), characters=characters, shared=shared, suffixes=SUFFIXES
    )
    return {
        name: Retargeted(curves, found[name], Mapping.from_json(found[name]["mapping"]), folder, name)
        for name in characters
    }


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Retargeted]:
    """Return the characters that the script makes itself."""
    return retargeted(tmp_path_factory.mktemp("made"), MADE, "")


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory, shared_data: Path) -> dict[str, Retargeted]:
    """Return the characters that come from public data."""
    return retargeted(tmp_path_factory.mktemp("real"), REAL, str(shared_data / "characters"))


def assert_shown(character: Retargeted, mesh: str) -> None:
    """Check every shape of ``mesh`` at every frame against the mapping; what is not mapped stays at rest."""
    expected = character.expected
    for shape, values in character.seen(mesh).items():
        np.testing.assert_allclose(values, expected.get(shape, np.zeros(FRAMES)), atol=1e-5, err_msg=shape)


def assert_exported(character: Retargeted) -> None:
    """Check every shape of every exported file at every frame against the mapping."""
    for suffix in SUFFIXES[character.name]:
        values = character.report["files"][suffix]
        for target, expected in character.expected.items():
            np.testing.assert_allclose(values[target], expected, atol=1e-4, err_msg=f"{suffix} {target}")


@pytest.mark.parametrize(("name", "mesh"), [("gltf", "Wolf3D_Head"), ("vrm", "Face"), ("rhubarb", "Mouth")])
def test_active_mesh_follows_the_take_without_hand_mapping(made: dict[str, Retargeted], name: str, mesh: str) -> None:
    character = made[name]
    assert character.mapping == auto_map(character.report["names"])
    assert len(character.mapping.entries) >= 8
    assert_shown(character, mesh)


@pytest.mark.parametrize("name", ["gltf", "vrm"])
def test_retargeted_takes_survive_export_and_import(made: dict[str, Retargeted], name: str) -> None:
    assert_exported(made[name])


@pytest.mark.parametrize(("name", "mesh"), [("ict_facekit", "ICT"), ("makehuman_units", "MakeHuman")])
def test_real_characters_follow_the_take_and_survive_export(real: dict[str, Retargeted], name: str, mesh: str) -> None:
    character = real[name]
    assert character.mapping == auto_map(character.report["names"])
    assert character.mapping.missing == MISSING[name]
    assert_shown(character, mesh)
    assert_exported(character)


def test_facekit_head_is_deformed_as_its_own_deltas_say(real: dict[str, Retargeted], shared_data: Path) -> None:
    character = real["ict_facekit"]
    with np.load(shared_data / "characters" / "ict_facekit" / "ict_facekit_light.npz") as head:
        points = head["neutral"].astype(np.float64)
        for name, deltas in zip(head["expr_names"].tolist(), head["expr_delta"], strict=True):
            if name in character.expected:
                points = points + character.expected[name][7] * deltas.astype(np.float64)
    np.testing.assert_allclose(np.load(character.folder / "ict_points.npy"), points, atol=2e-4)


def test_takes_of_other_makes_read_back_where_they_can(
    made: dict[str, Retargeted], real: dict[str, Retargeted]
) -> None:
    for character in (*made.values(), *real.values()):
        with np.load(character.folder / f"{character.name}.npz") as back:
            exact = [index for index, name in enumerate(ARKIT_NAMES) if name not in character.report["unread"]]
            np.testing.assert_allclose(
                back["values"][:, exact], character.curves.values[:, exact], atol=2e-4, err_msg=character.name
            )
    assert len(real["ict_facekit"].report["unread"]) <= 4
    assert made["gltf"].report["unread"] == []
    assert len(made["rhubarb"].report["unread"]) == 52


def test_head_pose_goes_to_the_head_bone_of_a_foreign_armature(made: dict[str, Retargeted]) -> None:
    character = made["vrm"]
    assert character.report["head_motion"]
    assert not made["gltf"].report["head_motion"]  # the object of a mesh without armature is left alone
    with np.load(character.folder / "vrm.npz") as back:
        np.testing.assert_allclose(back["rotation"], character.curves.head_rotation, atol=2e-5)
        np.testing.assert_allclose(back["translation"], character.curves.head_translation, atol=2e-5)


def test_all_meshes_that_share_names_are_one_take(made: dict[str, Retargeted]) -> None:
    character = made["parts"]
    assert character.report["meshes"] == ["Head", "Lashes", "Teeth", "Tongue"]
    for mesh in ("Head", "Lashes", "Tongue", "Teeth"):
        assert_shown(character, mesh)  # the teeth's driven jaw follows the head's
    assert character.report["notes"] == []
    if character.report["slots"]:
        assert character.report["slots"] == ["KEY", "KEY", "KEY", "KEY", "OBJECT"]
        assert len(character.report["actions"]) == 1
    else:
        assert len(character.report["actions"]) == 5


def test_drawn_mouths_are_stepped(made: dict[str, Retargeted]) -> None:
    character = made["rhubarb"]
    assert character.mapping.profile == "rhubarb"
    assert character.report["stepped"] == sorted("ABCDEFGHX")
    shown = np.array(list(character.seen("Mouth").values()))
    np.testing.assert_array_equal(shown.sum(axis=0), np.ones(FRAMES))
    assert set(shown.ravel()) == {0.0, 1.0}


def test_face_bones_move_about_the_face_s_axes(made: dict[str, Retargeted]) -> None:
    character = made["rigify"]
    assert character.mapping.profile == "rigify"
    assert set(character.mapping.of_kind("bone")) == set(range(len(character.mapping.entries)))
    axes = {"left": (0, 1.0), "up": (2, 1.0), "forward": (1, -1.0)}
    posed = {name: np.array(rows) for name, rows in character.report["bones"].items()}
    for target, values in character.expected.items():
        bone, channel, axis = target.rsplit(":", 2)
        column, sign = axes[axis]
        unit = EYES_APART if channel == "location" else 1.0
        seen = sign * posed[bone][:, column + (3 if channel == "rotation" else 0)]
        np.testing.assert_allclose(seen, values * unit, atol=2e-5, err_msg=target)


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> tuple[FaceCurves, dict[str, Any]]:
    """Return the curves, and what the script saw of drivers, links, body animation and edited mappings."""
    folder = tmp_path_factory.mktemp("rules")
    curves = performance(FRAMES, 24.0)
    write_curves(curves, folder / "curves.npz")
    report = installed_blender().run("character_rules.py", folder=str(folder), curves=str(folder / "curves.npz"))
    return curves, report


def test_driven_shapes_are_left_and_named(rules: tuple[FaceCurves, dict[str, Any]]) -> None:
    found = rules[1]["drivers"]
    assert found["notes"][0] == "Drivers hold 1 shape keys, left as they are: jawOpen"
    assert found["head_held_teeth_free"] == found["notes"][0]
    assert "jawOpen" not in found["moved"] and len(found["moved"]) == 5
    assert "Drivers hold all 6 shape keys of 'Face'" in found["all_held"]
    assert "are absolute: switch on Relative" in rules[1]["absolute"]


def test_body_animation_is_never_touched(rules: tuple[FaceCurves, dict[str, Any]]) -> None:
    found = rules[1]["body"]
    assert found["default_off"] and found["face_keyed"] == "curves" and found["walk_still_there"]
    for refused in (found["refused"], found["refused_with_own_keys"]):
        assert "already has animation of its own: push it down into an NLA track first" in refused
    assert found["default_on"] and found["head_turned"] and found["back"] < 2e-5
    # The walk moves by 2 m from frame 1 to 20, along a curve that eases in and out: it goes on below the take.
    assert 0.3 < found["spine"] < 1.0


def test_only_meshes_that_touch_are_one_character_without_an_armature(
    rules: tuple[FaceCurves, dict[str, Any]],
) -> None:
    assert rules[1]["two_heads"] == ["First", "Teeth"]


@pytest.mark.parametrize("kind", ["object", "instance", "collection"])
def test_linked_character_is_overridden_by_one_click_and_keeps_its_take(
    rules: tuple[FaceCurves, dict[str, Any]], kind: str
) -> None:
    curves, report = rules
    found = report["linked"][kind]
    assert "press Make Library Override" in found["refused"]
    assert found["local"] and found["actions_local"] and found["one_face_in_scene"] == ["Face"]
    assert found["head_motion"] and found["back_head"] < 2e-5
    assert found["edited"] == ["jawOpen", {"jawOpen": 0.5}]
    sources = {"mouthSmileRight": 1.0, "mouthDimpleRight": 0.35, "mouthStretchRight": 0.3}
    keyed = sum(weight * curves.channel(name) for name, weight in sources.items())
    # What was keyed is estimated back for the channels that share the shape.
    np.testing.assert_allclose(np.array(found["back"]) * (1 + 0.35**2 + 0.3**2), keyed, atol=1e-4)
    assert found["value"] == pytest.approx(1.0)  # Blender cuts overrides at their sliders


def test_mapping_is_edited_kept_and_carried_by_files(rules: tuple[FaceCurves, dict[str, Any]]) -> None:
    curves, report = rules
    found = report["editing"]
    assert found["automatic"]["jawOpen"] == {"jawOpen": 1.0} and found["reset_greyed"]
    assert found["edited"]["jawOpen"] == {"jawOpen": 0.25} and "eyeBlinkLeft" not in found["edited"]
    assert found["profile"] == "arkit" and found["kept"]
    assert "is mapped twice" in found["twice"] and found["mended"] == ""
    assert found["jaw"] == pytest.approx(0.25 * float(curves.channel("jawOpen")[3]), abs=1e-5)
    assert found["blink_left_out"] and found["reset"] and found["loaded"] and found["reopened"]
    assert "broken.json was not loaded" in found["refused"]
    assert found["added"] == ["eyeBlinkLeft", 1.0]


def test_active_object_is_the_character_and_greyed_buttons_say_why(
    rules: tuple[FaceCurves, dict[str, Any]],
) -> None:
    found = rules[1]["choosing"]
    assert (found["armature"], found["mesh"], found["nothing"]) == ("Face", "Face", "")
    assert "'Lamp' is no mesh and carries none" in found["lamp"]
    assert "Choose a character, make one active" in found["no_character"]
    assert "Choose a character first" in found["not_linked"]
