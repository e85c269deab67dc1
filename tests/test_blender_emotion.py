"""Emotion over time in Blender: sliders, keys, drivers, the NLA and markers, as the server is told them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from blender_support import installed_blender
from server_support import voice, wav

Report = dict[str, Any]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """Return what the script reports."""
    folder = tmp_path_factory.mktemp("emotion")
    (folder / "voice.wav").write_bytes(wav(voice(4.0)))
    return installed_blender().run("emotion.py", folder=str(folder), audio=str(folder / "voice.wav"))


def test_the_one_choice_holds_until_a_slider_is_moved(told: Report) -> None:
    assert told["nobody"] == "Choose a character, make one active, or add the avatar first"
    assert told["choice"] == {"sad": 0.6}
    assert told["follows_choice"]
    assert told["turned_on"]
    assert told["preset"] == {"happy": pytest.approx(0.45 * 0.5)}
    assert told["held_back"] == {"happy": pytest.approx(0.45 * 0.5 * 0.5, abs=1e-4)}
    assert told["choice_again"] == {"angry": 0.6}
    assert told["turned_off"]


def test_a_preset_and_a_key_are_undone_in_one_step(told: Report) -> None:
    assert told["preset_undone"] == [0.0, 0.45]
    assert told["key_undone"] == [8, 0]


def test_keys_reach_the_request_and_nothing_in_the_file_moves(told: Report) -> None:
    np.testing.assert_allclose(told["keys"], [[0.9, 0.45, 0], [0, 0.45, 0.9]], atol=1e-3)
    assert told["frame"] == 50
    assert told["left"] == [1, 0]
    assert told["watched"] == [[], ["Scene"]]


def test_seconds_are_those_of_the_recording_to_the_millisecond(told: Report) -> None:
    first, last, sad = told["trimmed"]
    assert first == pytest.approx(10 * 1.001 / 30, abs=1e-4)
    assert last >= 130 * 1.001 / 30 - 1e-3
    assert sad == pytest.approx(0.9 * 0.5, abs=1e-3)  # the keyed intensity counts too
    assert 4.0 <= told["whole"] <= 4.2  # the recording's own length


def test_a_file_that_is_loaded_feels_as_it_was_saved(told: Report) -> None:
    assert told["loaded_markers"]
    np.testing.assert_allclose(told["loaded"], told["keys"], atol=1e-6)


def test_strips_of_the_nla_count_where_they_lie(told: Report) -> None:
    assert told["nla_counts"]
    held, begun, middle, later = told["nla"]
    assert (held, begun) == (0.9, 0.9)
    assert middle == pytest.approx(0.45, abs=1e-3)
    assert 0.05 < later < 0.2


def test_drivers_count(told: Report) -> None:
    np.testing.assert_allclose(told["driven"], [0, 0.25, 0.5, 1], atol=1e-3)
    np.testing.assert_allclose(told["frame_driven"], [0.011, 0.071, 0.131], atol=1e-4)
    assert told["nla_and_driver"] == pytest.approx(0.45, abs=1e-3)
    assert told["free_keys"] == 6


def test_cleared_keys_are_gone(told: Report) -> None:
    assert not told["left_animated"]
    assert "The sliders have no keys" in told["clear_refused"]


def test_markers_are_feelings(told: Report) -> None:
    assert told["no_markers"].startswith("No marker names an emotion")
    np.testing.assert_allclose(told["marked"]["happy"], [0.8, 0.8, 0.8, 0.4, 0, 0], atol=1e-3)
    np.testing.assert_allclose(told["marked"]["angry"], [0, 0, 0, 0.25, 0.5, 0], atol=1e-3)
    np.testing.assert_allclose(told["marked"]["sad"], [0, 0, 0, 0, 0, 1], atol=1e-3)


def test_misspelt_markers_are_told(told: Report) -> None:
    assert told["misspelt"] == ["Marker 'hapy' is not used: did you mean happy?"]
    assert told["broken"].startswith("Marker at frame 200: 'happy 8': a strength lies between 0 and 1")
    assert told["broken"] in told["broken_keys"]
    assert told["broken_generate"] == told["broken"]


def test_markers_become_the_same_in_keys(told: Report) -> None:
    assert told["as_keys"] < 0.01
    assert told["keys_followed"]
    assert told["shown"] == [0.8, 50]


def test_keys_outlive_takes_that_turn_the_same_object(told: Report) -> None:
    assert told["different_takes"]
    assert told["turned"] == 3
    np.testing.assert_allclose(told["outlived"], [0.7, 0.1], atol=1e-3)


def test_a_linked_character_feels_once_it_is_overridden(told: Report) -> None:
    assert "press Make Library Override first" in told["linked"]
    np.testing.assert_allclose(told["overridden"], [0.5, 0.1], atol=1e-3)
    assert told["own_action"]
    assert told["overridden_loaded"] == told["overridden"]
