"""Many takes in Blender, one after the other, against a real server process."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from blender_support import ROOT, installed_blender
from server_support import running_server, wait_until, wav

from model_server.audio.decode import SAMPLE_RATE, open_audio

SPEECH = ROOT / "model_server" / "assets" / "demo_speech.flac"
SECONDS = 1.6
FRAMES = 40


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("batch")
    audio, broken = folder / "voice.wav", folder / "broken.wav"
    samples = np.concatenate(list(open_audio(SPEECH).blocks()))[: int(SECONDS * SAMPLE_RATE)]
    audio.write_bytes(wav(samples, SAMPLE_RATE))
    broken.write_text("no sound at all")
    with running_server(folder) as server:
        found = installed_blender().run(
            "batch.py", home=server.home, folder=str(folder), audio=str(audio), broken=str(broken)
        )
        assert server.process.poll() is None
        wait_until(lambda: not server.uploads(), "the server to forget the recordings")
    if not found["audio"]:
        pytest.skip("this build of Blender has no sound system")
    return found


def test_strips_find_their_characters(report: dict[str, Any]) -> None:
    found = report["filling"]
    assert found["all"] == [
        ["Anna 01", "Anna"],
        ["Ann01", "Ann"],
        ["anna 02", "Anna"],
        ["by channel", "Ann"],
        ["Annabel", "Anna"],  # nobody's name: the chosen character
    ]
    assert found["selected"] == [["anna 02", "Anna"]]
    assert found["channel"] == [["Anna 01", "Anna"], ["Ann01", "Ann"]]
    assert found["removed"] == [["Ann01", "Ann"]]


def test_greyed_buttons_of_the_batch_say_why(report: dict[str, Any]) -> None:
    found = report["filling"]
    assert "Fill the list first" in found["unfilled"]
    assert found["none"] == "Error: No sound strip is on channel 9\n"
    assert found["nobody"] == "Choose who speaks 'Anna 01'"
    assert "typed text belongs to one recording" in found["text"]
    assert "in the sequencer of scene 'Scene'" in found["other_scene"]


def test_every_strip_is_keyed_where_it_lies_and_a_broken_one_stops_nothing(report: dict[str, Any]) -> None:
    found = report["without_window"]
    assert [state for _, state, _ in found["states"]] == ["DONE"] * 4 + ["FAILED"]
    assert "broken.wav" in found["states"][4][2]
    last = FRAMES - 1
    assert found["anna"] == [["Anna 01 happy 3", 10, 10 + last], ["anna 02 happy 3", 60, 60 + last]]
    assert found["ann"] == [["Ann01 happy 3", 60, 60 + last], ["by channel happy 3", 110, 110 + last]]
    assert min(found["jaw"]) > 0.05
    assert found["strips"] == ["Ann01", "Anna 01", "anna 02", "by channel"]
    assert found["open"] == ["Annabel"]


def test_batch_keeps_blender_free_and_each_take_is_one_undo_step(report: dict[str, Any]) -> None:
    found = report["with_window"]
    assert [state for _, state, _ in found["began"]] == ["RUNNING", "WAITING"]
    assert found["busy"] == "The batch is running"
    assert found["done"] == [
        ["Anna 01", "DONE", "Keyed 'Anna 01 happy 3'"],
        ["Ann01", "DONE", "Keyed 'Ann01 happy 3'"],
    ]
    assert found["active"] == ["Anna 01 happy 3", "Ann01 happy 3"]
    assert (found["made"], found["undone_one"], found["undone_two"]) == (2, 1, 0)
    assert [state for _, state, _ in found["known_after_undo"]] == ["", ""]


def test_rows_are_cancelled_and_tried_again(report: dict[str, Any]) -> None:
    found = report["with_window"]
    assert [state for _, state, _ in found["cancelled"]] == ["CANCELLED", "CANCELLED"]
    assert [state for _, state, _ in found["all_cancelled"]] == ["CANCELLED", "CANCELLED"]
    assert [state for _, state, _ in found["retried"]] == ["DONE", "CANCELLED"]


def test_batch_outlives_undo_renaming_and_reverting(report: dict[str, Any]) -> None:
    assert [state for _, state, _ in report["with_window"]["renamed"]] == ["DONE", "DONE"]
    assert [state for _, state, _ in report["other_files"]["reverted"]] == ["DONE", "DONE"]
    assert report["other_files"]["other"] == [0, 0]
