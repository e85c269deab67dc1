"""What users do to Blender while a take is made, against a real server process."""

from __future__ import annotations

from typing import Any

import pytest
from blender_support import installed_blender
from server_support import running_server, voice, wait_until, wav

SECONDS = 1.0
FPS = 24


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return what the script saw; when it is over, the server has nothing left of it."""
    folder = tmp_path_factory.mktemp("robust")
    audio = folder / "voice.wav"
    audio.write_bytes(wav(voice(SECONDS)))
    with running_server(folder) as server:
        report = installed_blender().run("robust_events.py", home=server.home, folder=str(folder), audio=str(audio))
        wait_until(lambda: not server.uploads(), "the server to forget the recordings")
    return report


def test_take_lands_after_undo_and_redo_and_is_one_step_itself(report: dict[str, Any]) -> None:
    name, seed, keys = report["undo_made"]
    assert (name, seed) == ("voice neutral 4", 4)
    assert keys >= 52 * SECONDS * FPS
    assert report["undo_kept"] == 0.0
    assert report["undo_back"] is None
    assert report["undo_character"]
    assert report["undo_again"] == report["undo_made"]


def test_two_characters_at_once_keep_their_takes_through_new_names(report: dict[str, Any]) -> None:
    assert report["both"] == ["Anna", "Bea"]
    assert report["busy"] == report["still_busy"] == "A take for this character is being made"
    assert report["renamed"] == ["Anna", "Bea"]
    assert report["first"][:2] == ["voice neutral 1", 1]
    assert report["second"][:2] == ["voice neutral 2", 2]


def test_deleted_character_drops_its_take_and_says_so(report: dict[str, Any]) -> None:
    dropped = ["'Carla' is no longer here: its new take was dropped", True]
    assert report["deleted_said"] == dropped
    assert report["deleted_keyed"] == 0
    assert report["deleted_reason"] == "'Carla' was deleted: choose another character"
    assert report["deleted_reason"] in report["deleted"]


def test_take_is_not_given_to_another_object_of_that_name(report: dict[str, Any]) -> None:
    assert report["replaced"] is None
    assert "'Dora' is no longer here" in report["replaced_said"][0]


def test_take_belongs_to_the_scene_it_was_begun_in(report: dict[str, Any]) -> None:
    assert report["scene"] is not None
    first, last = report["scene_range"]
    assert (first, last - first + 1) == (101, pytest.approx(SECONDS * FPS, abs=1))
    assert report["other_scene"] == [1, 77, 0]


def test_reverted_file_keeps_its_take(report: dict[str, Any]) -> None:
    assert report["reverted"] == ["Fee"]
    assert report["reverted_made"][1] == 6
    assert report["messages"] == 1


def test_another_file_ends_the_take_and_gets_nothing_of_it(report: dict[str, Any]) -> None:
    assert report["other_active"] == []
    assert report["messages_left"] == 0
    assert report["other_made"] is None
    assert report["other_actions"] == 0
