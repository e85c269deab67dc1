"""Live sliders on a take, key reduction, held poses and making parts again, through the installed extension."""

from __future__ import annotations

import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from blender_support import ROOT, installed_blender
from server_support import running_server

from blendshape_rigs.adjust import PARTS, Adjustment, adjusted
from blendshape_rigs.arkit import ARKIT_COUNT, ARKIT_INDEX
from blendshape_rigs.curves import FaceCurves
from blendshape_rigs.formats import read_curves, write_curves
from model_server.audio.decode import SAMPLE_RATE, open_audio

FRAMES = 150
SPEECH = ROOT / "model_server" / "assets" / "demo_speech.flac"
FIRST, LAST = 20, 40
"""Frames of the take between which it is made again."""


def performance() -> FaceCurves:
    """Return five seconds of smooth motion at 30 fps with two blinks."""
    rng = np.random.default_rng(4)
    times = np.arange(FRAMES)[:, None] / 30
    motion = 0.3 + 0.25 * np.sin(2 * np.pi * rng.uniform(0.3, 1.5, 58) * times + rng.uniform(0, 6, 58))
    for blink in (30, 90):
        motion[blink - 1 : blink + 2, [ARKIT_INDEX["eyeBlinkLeft"], ARKIT_INDEX["eyeBlinkRight"]]] = 0.95
    head = (motion[:, ARKIT_COUNT:] - 0.3) * (0.5, 0.5, 0.5, 0.05, 0.05, 0.05)
    return FaceCurves(motion[:, :ARKIT_COUNT], head[:, :3], head[:, 3:], 30.0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("adjust")
    write_curves(performance(), made / "curves.npz")
    return made


@pytest.fixture(scope="module")
def report(folder: Path) -> dict[str, Any]:
    return installed_blender().run("adjust.py", folder=str(folder))


def close(one: FaceCurves, other: FaceCurves) -> None:
    np.testing.assert_allclose(one.values, other.values, atol=1e-5)
    np.testing.assert_allclose(one.head_rotation, other.head_rotation, atol=1e-5)
    np.testing.assert_allclose(one.head_translation, other.head_translation, atol=1e-5)


def test_sliders_change_the_keys_at_once(report: dict[str, Any], folder: Path) -> None:
    base = read_curves(folder / "base.npz")
    close(base, performance())
    half = adjusted(base, {"brows": Adjustment(0.5)})
    close(read_curves(folder / "strength.npz"), half)
    assert report["shown"] == pytest.approx(half.channel("browInnerUp")[20], abs=1e-5)


def test_every_slider_does_what_the_arithmetic_says(report: dict[str, Any], folder: Path) -> None:
    settings = {
        "brows": Adjustment(1.5, -0.25),
        "blinks": Adjustment(smoothing=0.2),
        "mouth": Adjustment(shift=0.1),
        "jaw": Adjustment(smoothing=0.3),
        "gaze": Adjustment(mute=True),
        "head_rotation": Adjustment(0.5),
        "head_translation": Adjustment(offset=0.5),
    }
    close(read_curves(folder / "all.npz"), adjusted(read_curves(folder / "base.npz"), settings))


def test_neutral_sliders_give_back_every_bit(report: dict[str, Any]) -> None:
    assert not report["apply_before"]
    assert report["neutral_is_original"]


def test_saving_and_loading_keeps_sliders_and_originals(report: dict[str, Any]) -> None:
    assert report["loaded"] == [0.5, report["base"]]
    assert report["base"].startswith(".")
    assert report["loaded_is_original"]


def test_every_take_has_its_own_sliders(report: dict[str, Any]) -> None:
    assert report["own_settings"] == [0.5, True]
    assert report["second_keeps_base"]


def test_keys_edited_by_hand_are_never_lost(report: dict[str, Any]) -> None:
    assert report["edited_kept"] == pytest.approx(0.77)
    assert "edited by hand" in report["edited_note"]
    assert report["edited_sliders"] == [1.0, 0.5]
    assert report["reset_keeps_edit"] == pytest.approx(0.77)
    assert report["reset_with_edits"] == pytest.approx(0.66)


def test_apply_keeps_the_keys_and_lets_the_originals_go(report: dict[str, Any]) -> None:
    assert report["applied"]
    assert report["applied_sliders"] == 1.0
    assert report["left"] == []


def test_reduced_keys_are_few_and_within_the_error(report: dict[str, Any]) -> None:
    before, after = report["keys"]
    assert before == FRAMES * 59 or before > FRAMES * 55
    assert after < before / 5
    assert report["error"] <= 0.005
    assert report["kinds"] == ["BEZIER"]
    assert report["reduced_is_original"]


def test_poses_are_held_on_twos(report: dict[str, Any]) -> None:
    assert report["held"]
    assert report["held_values"] < 1e-6


def test_everything_undoes_in_one_step(report: dict[str, Any]) -> None:
    assert report["undone"] == [True, True, 1.0]
    assert report["redone"] == [True, True, 0.25]
    assert report["undo_adjust_apply"] == [False, True, 0.25]
    assert report["undo_reduce_keys"] == [True, True, 0.25]
    assert report["undo_hold_poses"] == [True, True, 0.25]


def test_sliders_of_a_take_that_does_not_play_wait(report: dict[str, Any]) -> None:
    was, now = report["waited"]
    assert was > 0.3
    assert now == 0


def test_the_body_in_the_same_action_is_left_alone(report: dict[str, Any]) -> None:
    assert report["body"] == [3, True]
    assert report["still_head"] < 1e-6


@pytest.fixture(scope="module")
def foreign(folder: Path) -> dict[str, Any]:
    return installed_blender().run("adjust_foreign.py", folder=str(folder))


def test_mouth_shapes_of_all_meshes_follow_the_sliders(foreign: dict[str, Any]) -> None:
    assert "pose" in foreign["kinds"]
    assert foreign["spoken"] == 4
    assert foreign["moving"] > 0.05
    assert foreign["halved"] < 1e-6
    assert foreign["lids_same"]
    assert foreign["lids"] < 0.08  # a quarter of the squint goes by the lids of this character
    assert foreign["head_moved"]
    assert foreign["head_place_same"]
    assert foreign["reset"]
    assert foreign["actions_left"] == 0
    assert foreign["reduced"]


def test_face_bones_follow_the_sliders(foreign: dict[str, Any]) -> None:
    assert foreign["jaw_open"] > 0.15
    assert foreign["jaw_halved"] < 2e-3
    assert foreign["brow_same"]
    assert foreign["brow_still"] < 1e-6
    assert foreign["bones_back"]


@pytest.fixture(scope="module")
def remade(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    """Return what the script reports that makes parts of a take again, and the folder it wrote their curves to."""
    folder = tmp_path_factory.mktemp("remake")
    audio = folder / "voice.wav"
    samples = np.concatenate(list(open_audio(SPEECH).blocks()))[: 3 * SAMPLE_RATE]
    with wave.open(str(audio), "wb") as file:
        file.setparams((1, 2, SAMPLE_RATE, 0, "NONE", ""))
        file.writeframes((samples * 32767).astype("<i2").tobytes())
    with running_server(folder) as server:
        report = installed_blender().run("remake.py", home=server.home, folder=str(folder), audio=str(audio))
    return report, folder


def of_part(names: list[str], *beginnings: str) -> list[int]:
    """Return the rows of the F-curves of shape keys whose names begin so."""
    return [row for row, name in enumerate(names) if name.startswith(tuple(f'key_blocks["{b}' for b in beginnings))]


@pytest.mark.parametrize("character", ["range", "shapes"])
def test_outside_of_the_range_every_bit_stays(remade: tuple[dict[str, Any], Path], character: str) -> None:
    stored = np.load(remade[1] / f"{character}.npz")
    old, new = stored["old"], stored["new"]
    assert np.array_equal(old[:, :FIRST], new[:, :FIRST])
    assert np.array_equal(old[:, LAST:], new[:, LAST:])
    assert np.abs(old - new)[:, FIRST:LAST].max() > 0.05


def test_an_animator_s_keys_stay_and_the_range_is_new(remade: tuple[dict[str, Any], Path]) -> None:
    report, folder = remade
    stored = np.load(folder / "range.npz")
    old, new, names = stored["old"], stored["new"], stored["names"].tolist()
    assert report["new_take"]
    assert old[of_part(names, "browInnerUp")[0], 5] == pytest.approx(0.61)  # the animator's key
    changed = np.abs(old - new)[:, FIRST:LAST].max(axis=1)
    assert changed[of_part(names, "browInnerUp", "mouthSmile", "eyeBlink")].min() > 0.005


@pytest.mark.parametrize("character", ["range", "shapes"])
def test_edges_of_the_range_are_no_jumps(remade: tuple[dict[str, Any], Path], character: str) -> None:
    stored = np.load(remade[1] / f"{character}.npz")
    steps = np.abs(np.diff(stored["new"], axis=1))
    # No faster than the curve moves inside of the range, nor in the tenth of a second that it comes from or goes on to.
    inside = np.maximum(steps[:, FIRST : LAST - 1].max(axis=1), 0.02)
    for edge, beside in ((FIRST - 1, slice(FIRST - 4, FIRST - 1)), (LAST - 1, slice(LAST, LAST + 3))):
        assert (steps[:, edge] <= np.maximum(inside, steps[:, beside].max(axis=1))).all()


def test_locks_are_kept_and_go_on(remade: tuple[dict[str, Any], Path]) -> None:
    report, folder = remade
    stored = np.load(folder / "range.npz")
    locked = of_part(stored["names"].tolist(), "eyeLook", "cheekPuff")
    assert len(locked) == 9
    assert np.array_equal(stored["old"][locked], stored["new"][locked])
    assert report["lock_goes_on"]
    assert report["own_lock_goes_on"]


def test_only_the_mouth_is_made_again(remade: tuple[dict[str, Any], Path]) -> None:
    stored = np.load(remade[1] / "mouth.npz")
    lips = of_part(stored["names"].tolist(), "mouth", "jaw", "tongue")
    assert len(lips) == len(PARTS["mouth"] + PARTS["jaw"] + PARTS["tongue"])
    others = sorted(set(range(len(stored["names"]))) - set(lips))
    assert np.array_equal(stored["old"][others], stored["new"][others])
    assert np.abs(stored["old"] - stored["new"])[lips].max() > 0.02


def test_a_remade_take_says_what_it_was_made_with(remade: tuple[dict[str, Any], Path]) -> None:
    report, _ = remade
    assert report["name"] == "voice happy 3 again"
    assert (report["seed"], report["mouth_seed"]) == (4, 5)  # each time one that no take has
    assert report["emotion"] == {"happy": 0.8}


def test_greyed_buttons_say_why(remade: tuple[dict[str, Any], Path]) -> None:
    report, _ = remade
    assert "no take yet" in report["no_take"]
    assert "preview range" in report["no_preview"]
    assert "Lock a part" in report["no_lock"]
    assert "30 frames per second" in report["other_rate"]
