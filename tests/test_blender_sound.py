"""Where sound lies in Blender: long takes, strips with offsets, dropped files, the scene's range."""

from __future__ import annotations

import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from blender_support import installed_blender
from server_support import wav

from blendshape_rigs.arkit import ARKIT_COUNT
from blendshape_rigs.curves import FaceCurves
from blendshape_rigs.formats import write_curves

RATES = {"29.97": (30, 1.001), "23.976": (24, 1.001), "59.94": (60, 1.001), "25": (25, 1.0)}
MINUTES = 10
CLICK = 2.0
CLICK_SECONDS = 4.0
FIRST = 11


def click(path: Path) -> None:
    """Write ``CLICK_SECONDS`` of silence with one click."""
    samples = np.zeros(int(CLICK_SECONDS * 48_000))
    samples[int(CLICK * 48_000)] = 0.9
    path.write_bytes(wav(samples, rate=48_000))


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("sound")
    for name, (fps, base) in RATES.items():
        frames = int(MINUTES * 60 * fps / base)
        values = np.zeros((frames, ARKIT_COUNT), np.float32)
        values[:, 0] = np.linspace(0, 1, frames)
        still = np.zeros((frames, 3), np.float32)
        write_curves(FaceCurves(values, still, still, fps / base), folder / f"{name}.npz")
    with wave.open(str(folder / "long.wav"), "wb") as file:
        file.setparams((1, 1, 8000, 0, "NONE", ""))
        file.writeframes(b"\x80" * 8000 * 60 * MINUTES)
    click(folder / "click.wav")
    click(folder / "Büro 2.wav")
    return installed_blender().run("sound.py", folder=str(folder), rates=RATES, click=CLICK)


def needs_sound(report: dict[str, Any]) -> None:
    if not report["audio"]:
        pytest.skip("this build of Blender has no sound system")


@pytest.mark.parametrize("name", RATES)
def test_ten_minutes_end_on_the_exact_frame(report: dict[str, Any], name: str) -> None:
    fps, base = RATES[name]
    found = report["long"][name]
    frames = int(MINUTES * 60 * fps / base)
    assert found["keys"] == frames
    assert (found["first"], found["last"]) == (FIRST, FIRST + frames - 1)
    assert found["whole"]
    assert found["drift"] < 0.001
    assert found["range"] == [FIRST, FIRST + frames - 1]


@pytest.mark.parametrize("name", RATES)
def test_ten_minutes_of_sound_lie_under_the_take(report: dict[str, Any], name: str) -> None:
    needs_sound(report)
    fps, base = RATES[name]
    start, end, origin, last = report["long"][name]["strip"]
    assert (start, origin) == (FIRST, FIRST)
    assert end - start == pytest.approx(MINUTES * 60 * fps / base, abs=1)
    assert last == end - 1


def test_takes_lie_where_blender_plays_the_strip(report: dict[str, Any]) -> None:
    needs_sound(report)
    for changes, played, expected, trimmed in report["offsets"]:
        # A frame lasts 33 ms: this is a millisecond.
        assert played == pytest.approx(expected, abs=0.03), changes
        assert trimmed[0] < trimmed[1], changes


def test_strips_that_cannot_be_used_are_told(report: dict[str, Any]) -> None:
    needs_sound(report)
    said = report["strip_refusals"]
    assert "reset its retiming" in said["click"]
    assert said["gone"].startswith("There is no sound strip 'gone'")
    assert said[""] == "Choose a sound strip"


def test_scene_takes_the_range_of_the_recording_in_one_step(report: dict[str, Any]) -> None:
    found = report["ranges"]
    assert not found["greyed"]
    assert found["file"] == [FIRST, FIRST + 100 - 1, "AUDIO_SYNC"]
    assert found["undone"] == [FIRST, 500, "NONE"]
    if report["audio"]:
        assert found["strip"] == found["strip_handles"] == [110, 194]


def test_one_dropped_file_is_the_recording(report: dict[str, Any]) -> None:
    drops = report["drops"]
    assert drops["one"]["takes"]
    assert not drops["text"]
    assert drops["by_blender"][1] == "click.wav"
    assert [drops["one"][name] for name in ("source", "path", "strips")] == ["FILE", "click.wav", []]
    assert "There is no file" in drops["missing"]["refused"]
    assert {".wav", ".mp3", ".flac", ".ogg", ".m4a", ".mp4"} <= set(report["drops"]["handles"])


def test_several_dropped_files_lie_one_after_the_other(report: dict[str, Any]) -> None:
    several, alone = report["drops"]["several"], report["drops"]["sequencer"]
    if not report["audio"]:
        assert "drop one file at a time" in several["refused"]
        return
    assert several["strips"] == [["click", FIRST, FIRST + 100], ["Büro 2", FIRST + 100, FIRST + 200]]
    assert (several["source"], several["strip"]) == ("STRIP", "click")
    assert several["rows"] == ["click", "Büro 2"]
    assert report["drops"]["several_undone"] == [0, "FILE"]
    assert alone["takes"]
    assert alone["strips"] == [["click", 40, 140]]
    assert (alone["source"], alone["strip"]) == ("STRIP", "click")
