"""Generate in Blender against a real server process: the keys are the server's curves."""

from __future__ import annotations

import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from blender_support import ROOT, installed_blender
from server_support import Server, running_server, wait_until

from blendshape_rigs.arkit import ARKIT_INDEX
from blendshape_rigs.avatar import load_proxy_avatar
from blendshape_rigs.curves import FaceCurves
from blendshape_rigs.formats import read_curves
from model_server.audio.decode import SAMPLE_RATE, open_audio

SECONDS = 2.0
SPEECH = ROOT / "model_server" / "assets" / "demo_speech.flac"


def curves_of_server(server: Server, audio: Path) -> FaceCurves:
    """Return what the server makes of ``audio`` with the settings of the test script."""
    job = server.accept(audio.read_bytes(), emotion={"happy": 0.8}, seed=3, fps=30.0)
    view = server.finish(job)
    assert view["state"] == "done", view["message"]
    return server.curves(job)


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> tuple[FaceCurves, dict[str, Any], Path]:
    """Return the server's curves, what the script reports, and the folder it wrote its keys to."""
    folder = tmp_path_factory.mktemp("generate")
    audio = folder / "voice.wav"
    samples = np.concatenate(list(open_audio(SPEECH).blocks()))[: int(SECONDS * SAMPLE_RATE)]
    with wave.open(str(audio), "wb") as file:
        file.setparams((1, 2, SAMPLE_RATE, 0, "NONE", ""))
        file.writeframes((samples * 32767).astype("<i2").tobytes())
    text = folder / "text.wav"
    text.write_text("no sound at all")
    with running_server(folder) as server:
        expected = curves_of_server(server, audio)
        report = installed_blender().run(
            "generate.py", home=server.home, folder=str(folder), audio=str(audio), text=str(text)
        )
        assert server.process.poll() is None
        wait_until(lambda: not server.uploads(), "the server to forget the recordings")
    return expected, report, folder


def test_keys_are_the_server_s_curves(generated: tuple[FaceCurves, dict[str, Any], Path]) -> None:
    expected, report, folder = generated
    keyed = read_curves(folder / "file.npz")
    assert report["done"] == ["FINISHED"]
    assert len(expected) == pytest.approx(SECONDS * 30, abs=1)
    np.testing.assert_allclose(keyed.values, expected.values, atol=1e-4)
    np.testing.assert_allclose(keyed.head_rotation, expected.head_rotation, atol=1e-4)
    np.testing.assert_allclose(keyed.head_translation, expected.head_translation, atol=1e-4)


def test_lips_follow_the_text_that_is_typed(generated: tuple[FaceCurves, dict[str, Any], Path]) -> None:
    expected, report, folder = generated
    assert report["without_text"] == "Type what is said, or let the lips follow the sound"
    spoken, heard = read_curves(folder / "text.npz"), expected.values
    count = min(len(spoken), len(heard))
    apart = np.abs(spoken.values[:count] - heard[:count]).max(axis=0)
    assert apart[ARKIT_INDEX["jawOpen"]] > 0.01
    # "My name": the lips meet on both m, which lie in the second half.
    gap = load_proxy_avatar().lip_gap(spoken.values)
    assert gap[count // 2 :].min() < 0.0015


def test_take_begins_with_the_scene_and_its_sound(generated: tuple[FaceCurves, dict[str, Any], Path]) -> None:
    expected, report, _ = generated
    assert report["range"] == [11, 11 + len(expected) - 1]
    assert report["strips"] == ([["SOUND", 11]] if report["audio"] else [])


def test_take_knows_where_it_came_from(generated: tuple[FaceCurves, dict[str, Any], Path]) -> None:
    expected, report, _ = generated
    assert report["take"] == "voice happy 3"
    assert report["stored"]["source"] == "speech"
    assert report["stored"]["seed"] == 3
    assert report["stored"]["model_hash"] == expected.provenance.model_hash != ""


def test_trimmed_strip_keys_what_is_heard_where_it_is_heard(
    generated: tuple[FaceCurves, dict[str, Any], Path],
) -> None:
    expected, report, folder = generated
    if not report["audio"]:
        pytest.skip("this build of Blender has no sound system")
    assert report["strip_heard"][0] == 11 + 12
    assert report["strip_range"][0] == 11 + 12
    last = min(report["strip_heard"][1], 11 + len(expected) - 1)
    assert report["strip_range"][1] == last
    keyed = read_curves(folder / "strip.npz")
    np.testing.assert_allclose(keyed.values, expected.values[12 : 12 + len(keyed)], atol=1e-4)
    assert report["two_takes"]
    assert report["one_strip"]


def test_cancelled_job_ends_and_says_so(generated: tuple[FaceCurves, dict[str, Any], Path]) -> None:
    assert generated[1]["cancelled"]


def test_refused_recording_is_one_sentence_and_leaves_no_take(
    generated: tuple[FaceCurves, dict[str, Any], Path],
) -> None:
    _, report, _ = generated
    assert "text.wav" in report["refused"]
    assert report["no_take_of_refused"]
