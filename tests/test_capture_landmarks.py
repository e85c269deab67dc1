"""Video capture by landmarks: known curves rendered on the proxy avatar and read back from the video."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from capture_support import (
    AVATAR_FPS,
    AVATAR_FRAMES,
    avatar_performance,
    avatar_video,
    moving_photograph,
    write_video,
)
from server_support import voice, wav

from blendshape_rigs.arkit import ARKIT_NAMES
from blendshape_rigs.curves import FaceCurves
from blendshape_rigs.formats import read_curves
from model_server.capture import CapturedFace, capture_face
from model_server.cli import main

SHOWN = {
    "jaw": ("jawOpen",),
    "smile": ("mouthSmileLeft", "mouthSmileRight"),
    "blink": ("eyeBlinkLeft", "eyeBlinkRight"),
    "brows down": ("browDownLeft", "browDownRight"),
    "inner brows up": ("browInnerUp",),
    "outer brows up": ("browOuterUpLeft", "browOuterUpRight"),
}


@pytest.fixture(scope="module")
def known() -> FaceCurves:
    return avatar_performance()


@pytest.fixture(scope="module")
def captured(known: FaceCurves, tmp_path_factory: pytest.TempPathFactory) -> CapturedFace:
    return capture_face(avatar_video(tmp_path_factory.mktemp("avatar"), known))


def correlation(first: np.ndarray, second: np.ndarray) -> float:
    return float(np.corrcoef(first, second)[0, 1])


def mean_of(curves: FaceCurves, channels: tuple[str, ...]) -> np.ndarray:
    return np.mean([curves.channel(name) for name in channels], axis=0)


def test_the_clip_keeps_its_length_and_rate(captured: CapturedFace) -> None:
    assert captured.seen.all()
    assert (len(captured.curves), captured.curves.fps) == (AVATAR_FRAMES, AVATAR_FPS)
    assert captured.curves.provenance.source == "capture"
    assert captured.curves.provenance.model_hash == ""


@pytest.mark.parametrize("channels", SHOWN.values(), ids=SHOWN.keys())
def test_what_the_face_does_is_read(channels: tuple[str, ...], captured: CapturedFace, known: FaceCurves) -> None:
    assert correlation(mean_of(captured.curves, channels), mean_of(known, channels)) >= 0.9


@pytest.mark.parametrize("axis", [0, 1, 2], ids=["pitch", "yaw", "roll"])
def test_the_head_s_angles_are_read(axis: int, captured: CapturedFace, known: FaceCurves) -> None:
    measured, true = captured.curves.head_rotation[:, axis], known.head_rotation[:, axis]
    assert correlation(measured, true) >= 0.9
    assert 0.75 < np.polyfit(true, measured, 1)[0] < 1.25
    assert abs(np.degrees(np.median(measured))) < 3


def test_values_are_weights_and_rest_is_rest(captured: CapturedFace, known: FaceCurves) -> None:
    values = captured.curves.values
    assert values.min() >= 0
    assert values.max() <= 1
    idle = [column for column, name in enumerate(ARKIT_NAMES) if known.channel(name).max() == 0]
    assert np.abs(values[:, idle]).mean() < 0.05
    for channels in SHOWN.values():
        resting = mean_of(known, channels) < 0.02
        assert np.median(mean_of(captured.curves, channels)[resting]) < 0.1


def test_blinks_stay_sharp_and_full(captured: CapturedFace, known: FaceCurves) -> None:
    measured, true = mean_of(captured.curves, SHOWN["blink"]), mean_of(known, SHOWN["blink"])
    for middle in np.flatnonzero((true[1:-1] > true[:-2]) & (true[1:-1] >= true[2:]) & (true[1:-1] > 0.9)) + 1:
        nearby = measured[middle - 2 : middle + 3]
        assert nearby.max() > 0.7
        assert abs(int(nearby.argmax()) - 2) <= 1
        assert measured[middle - 4 : middle - 3].max() < 0.4
        assert measured[middle + 4 : middle + 5].max() < 0.4


def test_a_filmed_face_lends_its_style(tmp_path: Path) -> None:
    video, line = tmp_path / "clip.mp4", tmp_path / "line.wav"
    write_video(video, moving_photograph(60), AVATAR_FPS)
    line.write_bytes(wav(voice(1.0)))
    for name, style in (("plain.npz", []), ("styled.npz", ["--style", str(video)])):
        assert main(["animate", str(line), "-o", str(tmp_path / name), *style]) == 0
    plain, styled = (read_curves(tmp_path / name) for name in ("plain.npz", "styled.npz"))
    assert np.abs(plain.values - styled.values).max() > 1e-3


def test_methods_are_compared_channel_by_channel(
    shared_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    video = tmp_path / "clip.mp4"
    write_video(video, moving_photograph(30), AVATAR_FPS)
    model = shared_data / "models" / "face_landmarker.task"
    assert main(["capture", str(video), "--compare", "--model", str(model), "--json"]) == 0
    agreement = json.loads(capsys.readouterr().out)["agreement"]
    assert set(agreement) == {*ARKIT_NAMES, "pitch", "yaw", "roll"}
    assert agreement["tongueOut"] is None
    assert main(["capture", str(video), "--compare", "--model", str(model)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 56
    assert lines[1].split()[0] == ARKIT_NAMES[0]


def test_a_capture_needs_a_video_and_somewhere_to_write_to(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, said in (([], "name the VIDEO"), (["clip.mp4"], "-o OUT")):
        with pytest.raises(SystemExit) as ended:
            main(["capture", *arguments])
        assert ended.value.code == 2
        assert said in capsys.readouterr().err
