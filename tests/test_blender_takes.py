"""Takes in a real Blender: chosen, rated, copied, deleted, pushed to the NLA, merged and compared, each undone once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from blender_support import installed_blender
from server_support import running_server, voice, wav
from test_blender_extension import performance

from blendshape_rigs.blend import merge_range
from blendshape_rigs.curves import FaceCurves
from blendshape_rigs.formats import write_curves

FRAMES = 12
FPS = 24.0
SHAPES = ("jawOpen", "mouthSmileLeft", "browInnerUp")
LOOKED_AT = (0, 3.5, 7, 10)


def second_performance() -> FaceCurves:
    """Return one that differs from the first in every channel."""
    first = performance(FRAMES, FPS)
    return first.with_stacked(first.stacked()[::-1] * 0.7 + 0.05)


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, FaceCurves], dict[str, Any], Path]:
    """Return the two performances by take, what the script saw, and its folder."""
    folder = tmp_path_factory.mktemp("takes")
    curves = {"a": performance(FRAMES, FPS), "b": second_performance()}
    for name, performed in curves.items():
        write_curves(performed, folder / f"{name}.npz")
    return curves, installed_blender().run("takes.py", folder=str(folder)), folder


Seen = tuple[dict[str, FaceCurves], dict[str, Any], Path]


def assert_shows(shown: Any, curves: FaceCurves, frame: float) -> None:
    """Check three shapes and the head's turn against ``curves`` at ``frame`` frames from its start."""
    values, turned = shown
    low, share = int(frame), frame % 1
    for name, value in zip(SHAPES, values, strict=True):
        channel = curves.channel(name)
        expected = channel[low] if not share else channel[low] + share * (channel[low + 1] - channel[low])
        np.testing.assert_allclose(value, expected, atol=1e-5, err_msg=f"{name} at {frame}")
    if share:
        return
    pitch, yaw, _ = curves.head_rotation[low].astype(float)
    forward = np.array(turned) @ [0, -1, 0]
    expected_forward = [np.cos(pitch) * np.sin(yaw), -np.cos(pitch) * np.cos(yaw), -np.sin(pitch)]
    np.testing.assert_allclose(forward, expected_forward, atol=1e-4)


def assert_undone(step: dict[str, Any]) -> None:
    """Check that one undo brought everything back, and a redo did it again."""
    assert step["done"] == ["FINISHED"]
    assert step["after"] != step["before"]
    assert step["undone"] == step["before"]
    assert step["redone"]


def test_takes_of_the_character_are_listed_by_name(seen: Seen) -> None:
    _, report, folder = seen
    assert not report["poll_without_character"]
    assert not report["poll_without_take"]
    assert report["takes"] == ["a", "b"]
    assert report["playing"] == "b"
    assert report["ids"] == 2
    assert report["imported"] == str(folder / "b.npz")
    assert report["lines"][0] == f"Imported from {folder / 'b.npz'}"
    assert report["renamed"] == ["b", "First"]


def test_chosen_take_plays_and_one_undo_brings_the_other_back(seen: Seen) -> None:
    curves, report, _ = seen
    step = report["use"]
    assert_undone(step)
    assert step["before"][0] == "b"
    assert step["after"][0] == "a"
    assert_shows(step["before"][1:], curves["b"], 7)
    assert_shows(step["after"][1:], curves["a"], 7)
    assert report["clicked"][:2] == ["b", "b"]
    assert_shows(report["clicked"][2:], curves["b"], 7)
    assert "no take of this character" in report["refused_stranger"]


def test_stars_are_given_and_taken(seen: Seen) -> None:
    _, report, _ = seen
    assert_undone(report["rate"])
    assert report["rate"]["after"] == 4
    assert report["rated_again"] == 3


def test_duplicate_and_delete_undo_in_one_step(seen: Seen) -> None:
    curves, report, _ = seen
    copied, deleted = report["duplicate"], report["delete"]
    assert_undone(copied)
    assert copied["after"][:2] == ["b copy", ["a", "b", "b copy"]]
    assert_shows(copied["after"][2:], curves["b"], 7)
    assert_undone(deleted)
    assert deleted["before"][1] == ["a", "b", "b copy"]
    assert deleted["after"][:2] == ["b", ["a", "b"]]
    parts = 1 if report["version"] >= [4, 4, 0] else 2
    assert deleted["before"][2] - deleted["after"][2] == parts
    assert_shows(deleted["after"][3:], curves["b"], 7)


def test_pushed_take_is_a_strip_of_exact_range_that_plays_the_same(seen: Seen) -> None:
    curves, report, _ = seen
    step = report["push"]
    assert_undone(step)
    name, strips, shown = step["after"]
    assert name == ""
    assert [strip[:5] for strip in strips] == [
        ["KEY", "DREAM-Talk", "b", 1.0, float(FRAMES)],
        ["OBJECT", "DREAM-Talk", "b", 1.0, float(FRAMES)],
    ]
    for frame, now in zip(LOOKED_AT, shown, strict=True):
        assert_shows(now, curves["b"], frame)
    assert "on the NLA already" in report["pushed_twice"]
    assert report["is_pushed"] == [False, True]


def test_pushed_take_keeps_keys_between_frames(seen: Seen) -> None:
    _, report, _ = seen
    shapes, head = report["strip_between"]
    assert shapes[1:5] == head[1:5]
    np.testing.assert_allclose(shapes[3:5], [10, 10 + (FRAMES - 1) * 25 / FPS], atol=1e-4)
    keyed, shown = report["between"]
    np.testing.assert_allclose(shown, keyed, atol=1e-5)
    assert report["after_between"]


def test_solo_mutes_the_other_takes_and_lets_them_play_again(seen: Seen) -> None:
    curves, report, _ = seen
    step = report["solo"]
    assert_undone(step)
    assert step["before"][:2] == [[False, False], False]
    assert step["after"][:2] == [[True, True], True]
    assert_shows(step["after"][2:], curves["a"], 7)
    assert report["solo_ended"] == step["before"]


def test_merged_take_has_the_range_of_the_other_with_crossfades(seen: Seen) -> None:
    curves, report, folder = seen
    step = report["merge"]
    assert_undone(step)
    assert step["after"] == ["a + b", ["a", "a + b", "b"]]
    expected = merge_range(curves["a"], curves["b"], 3, 8, 2)
    merged = np.load(folder / "merged.npz")
    np.testing.assert_allclose(merged["stacked"], expected.stacked(), atol=2e-5)
    assert report["merged_settings"] == "frames 4 to 9 of 'b' in 'a'"
    assert "Choose frames between 1 and 12" in report["refused_range"]


def test_compared_take_plays_beside_the_character(seen: Seen) -> None:
    curves, report, _ = seen
    assert_undone(report["compare"])
    for frame, beside, itself in zip(LOOKED_AT, report["beside"], report["itself"], strict=True):
        assert_shows(beside, curves["b"], frame)
        assert_shows(itself, curves["a"], frame)
    across, back, up = report["apart"]
    assert 0.5 * report["wide"] < across <= 1.2 * report["wide"]
    np.testing.assert_allclose([back, up], 0, atol=1e-6)
    assert report["own_rig"]
    assert all(report["held_by_own"])
    assert report["takes_while_comparing"] == ["a", "a + b", "b"]


def test_comparison_leaves_nothing_behind(seen: Seen) -> None:
    _, report, _ = seen
    assert_undone(report["stop"])
    assert report["left_behind"]
    assert not report["nothing_to_stop"]


def test_take_that_begins_elsewhere_is_compared_from_the_same_frame(seen: Seen) -> None:
    curves, report, _ = seen
    assert report["late"] == "b.001"
    for frame, beside in zip(LOOKED_AT, report["late_beside"], strict=True):
        assert_shows(beside, curves["b"], frame)
    assert report["takes_with_late"] == ["a", "a + b", "b", "b.001"]
    assert report["after_late"]


def test_copy_stands_beside_a_character_that_hangs_on_something_and_is_not_exported(seen: Seen) -> None:
    _, report, _ = seen
    assert report["exported"] == []
    across, moved = report["late_apart"]
    assert across == pytest.approx(2 * np.linalg.norm(report["apart"]), rel=1e-4)  # what it hangs on is twice as large
    assert moved == pytest.approx(np.linalg.norm(report["apart"]), rel=1e-4)


def test_takes_stay_with_a_character_that_is_renamed_and_saved(seen: Seen) -> None:
    _, report, _ = seen
    assert report["after_rename"] == ["a", "a + b", "b"]
    assert report["reopened"] == [["a", "a + b", "b"], 3, "a + b"]


@pytest.fixture(scope="module")
def body(seen: Seen) -> dict[str, Any]:
    """Return what the script saw of an animator's body animation while takes were handled on the same armature."""
    return installed_blender().run("takes_body.py", folder=str(seen[2]))


@pytest.mark.parametrize("case", ["active_body", "body_on_track"])
def test_body_animation_stays_to_the_key(body: dict[str, Any], case: str) -> None:
    assert body[case]["changed"] == []
    assert body[case]["before"]["spine"] == pytest.approx(0.6, abs=0.2)
    assert body[case]["takes"] == ["a", "a + b"]
    assert body[case]["before"]["active"] == (case == "active_body")
    assert not body[case]["before"]["fake_user"]


def test_all_meshes_of_the_character_change_their_take(body: dict[str, Any]) -> None:
    assert body["jaw_of_teeth"][0] == body["jaw_of_teeth"][1]


def test_pushed_head_turns_over_the_body_and_ends_with_its_strip(body: dict[str, Any]) -> None:
    turned, before, spine, after = body["pushed_over_body"]
    assert turned == pytest.approx(before, abs=1e-5)
    assert before > 0.01
    assert spine > 0.4
    assert after == pytest.approx(0, abs=1e-6)


def test_head_of_a_take_stays_out_where_the_body_plays(body: dict[str, Any]) -> None:
    assert "this take's head stays out" in body["left_out"]
    assert body["walks"]
    shown, keyed = body["talks"]
    assert shown == pytest.approx(keyed, abs=1e-5)
    assert keyed > 0.5


def test_take_with_keys_of_the_animator_is_not_taken_away(body: dict[str, Any]) -> None:
    assert 'such as pose.bones["spine"].location: move them elsewhere first' in body["own_delete"]
    assert 'pose.bones["spine"].location' in body["own_push"]
    assert body["own_kept"]


@pytest.fixture(scope="module")
def again(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return what the script saw of more takes made by a real server."""
    folder = tmp_path_factory.mktemp("again")
    audio = folder / "voice.wav"
    audio.write_bytes(wav(voice(1.0)))
    with running_server(folder) as server:
        return installed_blender().run("takes_again.py", home=server.home, audio=str(audio)) | {"audio": str(audio)}


def test_generated_take_knows_what_it_was_made_with(again: dict[str, Any]) -> None:
    settings = again["settings"]
    expected = {
        "audio": again["audio"],
        "emotion": {"happy": 0.8},
        "seed": 3,
        "fps": 30.0,
        "lips": "encoder",
        "origin_frame": 11,
        "heard": [11, None],
        "head": True,
        "model": again["hash"],
    }
    assert {name: settings[name] for name in expected} == expected
    assert len(settings["audio_hash"]) == 64


def test_more_takes_differ_in_nothing_but_the_seed(again: dict[str, Any]) -> None:
    assert again["done"] == ["FINISHED"]
    names, seeds, ranges = zip(*again["blocking"], strict=True)
    assert seeds == (3, 4, 5)
    assert names == ("voice happy 3", "voice happy 4", "voice happy 5")
    assert ranges[0] == ranges[1] == ranges[2]
    assert again["differing"] == ["seed"]
    assert again["first_stays"]


def test_more_takes_are_made_one_after_the_other(again: dict[str, Any]) -> None:
    assert not again["greyed"]
    assert again["left"] == 2
    assert sorted(seed for _, seed, _ in again["queued"]) == [3, 4, 5, 6, 7]
    assert again["idle"]


def test_cancel_ends_those_that_wait_too(again: dict[str, Any]) -> None:
    assert again["after_cancel"] == 5
    assert "its settings are not known" in again["unknown"]
