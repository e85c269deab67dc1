"""Takes with emotion over time and with style clips, made in Blender by a real server, and the library of styles."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from blender_support import ROOT, installed_blender
from capture_support import moving_photograph, write_video
from server_support import Server, running_server, wav

from blendshape_rigs.curves import FaceCurves
from blendshape_rigs.formats import read_curves, write_curves
from model_server.audio.decode import SAMPLE_RATE, open_audio

SECONDS = 4.0
SPEECH = ROOT / "model_server" / "assets" / "demo_speech.flac"
Made = tuple[Server, Path, dict[str, Any]]


def performed(server: Server, folder: Path, name: str) -> FaceCurves:
    """Return what the server makes of the request that Blender sent for the take ``name``."""
    style = folder / f"{name}_style.npz"
    options = json.loads((folder / f"{name}.json").read_text())
    job = server.accept(
        (folder / "voice.wav").read_bytes(), style=style.read_bytes() if style.is_file() else None, **options
    )
    assert server.finish(job)["state"] == "done"
    return server.curves(job)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Yield the server, the folder that the script wrote to, and what it reports."""
    folder = tmp_path_factory.mktemp("style")
    samples = np.concatenate(list(open_audio(SPEECH).blocks()))[: int(SECONDS * SAMPLE_RATE)]
    (folder / "voice.wav").write_bytes(wav(samples))
    write_video(folder / "filmed.mp4", moving_photograph(20), 25)
    (folder / "text.csv").write_text("no curves at all")
    write_curves(FaceCurves.zeros(10, 30.0), folder / "short.csv")
    with running_server(folder) as server:
        job = server.accept((folder / "voice.wav").read_bytes(), emotion={"angry": 1.0}, seed=9)
        assert server.finish(job)["state"] == "done"
        write_curves(server.curves(job), folder / "angry.csv")
        names = {
            "audio": "voice.wav",
            "clip": "angry.csv",
            "video": "filmed.mp4",
            "text": "text.csv",
            "short": "short.csv",
        }
        paths = {key: str(folder / name) for key, name in names.items()}
        report = installed_blender().run("style.py", home=server.home, folder=str(folder), **paths)
        yield server, folder, report


def mean(folder: Path, name: str, channel: str, part: slice = slice(None)) -> float:
    """Return the mean of a channel over a part of the take ``name``."""
    return float(read_curves(folder / f"{name}.npz").channel(channel)[part].mean())


def test_keys_of_the_emotion_change_the_take_over_time(made: Made) -> None:
    server, folder, report = made
    early, late = slice(0, 45), slice(85, 118)
    smile, frown = "mouthSmileLeft", "mouthFrownLeft"
    assert mean(folder, "over_time", smile, early) > mean(folder, "plain", smile, early) + 0.15
    assert mean(folder, "over_time", smile, late) < mean(folder, "over_time", smile, early) - 0.15
    assert mean(folder, "over_time", frown, late) > mean(folder, "over_time", frown, early) + 0.1
    np.testing.assert_allclose(
        read_curves(folder / "over_time.npz").values, performed(server, folder, "over_time").values, atol=1e-4
    )
    assert report["over_time"]["take"] == "voice happy-sad 3"
    assert report["over_time"]["emotion_text"] == "happy, sad over time"


def test_the_take_keeps_the_emotion_that_it_was_made_with(made: Made) -> None:
    _, folder, report = made
    sent = json.loads((folder / "over_time.json").read_text())["emotion"]
    assert report["over_time"]["emotion"] == sent
    assert sent["times"][0] == 0
    assert 4 <= len(sent["times"]) < 25  # what rests is not repeated


def test_a_live_link_clip_lends_its_manner(made: Made) -> None:
    server, folder, report = made
    brows = [mean(folder, name, "browDownLeft") for name in ("plain", "half", "file")]
    assert brows[2] > brows[0] + 0.05
    assert brows[1] == pytest.approx((brows[0] + brows[2]) / 2, abs=0.02)
    styled = performed(server, folder, "file")
    np.testing.assert_allclose(read_curves(folder / "file.npz").values, styled.values, atol=1e-4)
    assert report["file"]["style"] == ["FILE", "angry.csv", 1.0]
    assert report["half"]["style"] == ["FILE", "angry.csv", 0.5]
    assert report["without_file"] == "Choose the file of the style clip, or No Style"


def test_a_style_of_no_strength_is_none(made: Made) -> None:
    _, folder, report = made
    plain, none = read_curves(folder / "plain.npz"), read_curves(folder / "none.npz")
    np.testing.assert_array_equal(plain.values, none.values)
    assert report["none"]["style"] == ["", "", 1.0]


def test_a_take_lends_its_manner(made: Made) -> None:
    _, folder, report = made
    sent, clip = read_curves(folder / "take_style.npz"), read_curves(folder / "angry.csv")
    np.testing.assert_allclose(sent.values, clip.values, atol=1e-3)
    assert mean(folder, "take", "browDownLeft") > mean(folder, "plain", "browDownLeft") + 0.05
    assert report["take"]["style"] == ["TAKE", "angry", 1.0]


def test_styles_are_kept_in_the_library(made: Made) -> None:
    _, folder, report = made
    assert report["before"] == []
    assert report["saved"] == ["LIBRARY", "Grumpy ß", ["Grumpy ß"]]
    sent, kept = read_curves(folder / "take_style.npz"), read_curves(folder / "library_style.npz")
    np.testing.assert_array_equal(sent.stacked(), kept.stacked())
    np.testing.assert_array_equal(read_curves(folder / "library.npz").values, read_curves(folder / "take.npz").values)
    assert report["renamed"] == ["Grumpy 2", ["Grumpy 2"], "Grumpy 2 2", "ab"]
    assert report["deleted"] == ["Grumpy 2"]
    assert report["used"] == ["LIBRARY", "Grumpy 2"]


def test_saving_a_style_is_undone_in_one_step(made: Made) -> None:
    assert made[2]["undone"] == ["TAKE", ""]


def test_names_that_cannot_be_are_told(made: Made) -> None:
    _, _, report = made
    assert "There is a style 'Grumpy ß' already" in report["twice"]
    assert "leave out" in report["no_file_name"]
    assert "Give the style a name" in report["no_name"]
    assert "This style is in the library already" in report["save_again"]


def test_a_video_becomes_a_style(made: Made) -> None:
    _, _, report = made
    assert report["captured"] == [["FINISHED"], "filmed", ["filmed", "Grumpy 2"]]
    assert report["clip_seconds"] == pytest.approx(20 / 25)
    assert "There is no file" in report["no_video"]
    assert "is no video that can be decoded" in report["text_video"]
    assert report["cancelled"]
    assert not report["captures_meanwhile"]


def test_the_pick_is_saved_with_the_file(made: Made) -> None:
    assert made[2]["loaded"] == ["LIBRARY", "filmed", 0.7, "angry"]


def test_what_cannot_be_a_style_is_one_sentence(made: Made) -> None:
    _, _, report = made
    assert "There is no style 'filmed' in the library any more" in report["gone"]
    assert "use one of at least 0.5 s" in report["short"]
    assert "text.csv" in report["no_clip"]
    assert "there is no file" in report["no_file"]
    assert "The style cannot be kept" in report["unwritable"]
