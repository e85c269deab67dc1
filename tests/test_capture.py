"""Video capture by the Face Landmarker's scores: known curves rendered on a photograph and read back."""

from __future__ import annotations

import json
import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from capture_support import write_video

from blendshape_rigs.arkit import ARKIT_INDEX
from blendshape_rigs.curves import FaceCurves
from blendshape_rigs.formats import read_curves
from model_server.capture import CapturedFace, capture_face, capture_video
from model_server.capture.capture import head_pose
from model_server.capture.face_landmarker import MODEL_ADDRESS, MODEL_SHA256
from model_server.capture.video_frames import open_video
from model_server.cli import main
from model_server.errors import Cancelled, CaptureError, WeightsError
from model_server.portrait.fit import rotation_matrix
from model_server.portrait.motion import take_activity
from model_server.portrait.photo import photo_from_array
from model_server.portrait.renderer import PortraitRenderer

FPS = 30
FRAMES = 120
HIDDEN = slice(60, 70)
"""Frames in which the face is covered."""


def known_curves() -> FaceCurves:
    """Return a jaw that opens, blinks of which the middle one is a wink of the left eye, and a turning head."""
    time = np.arange(FRAMES) / FPS
    values = np.zeros((FRAMES, 52), np.float32)
    values[:, ARKIT_INDEX["jawOpen"]] = 0.35 - 0.35 * np.cos(2 * np.pi * 1.1 * time)
    for frame, sides in ((15, ("Left", "Right")), (40, ("Left",)), (100, ("Left", "Right"))):
        for side in sides:
            values[:, ARKIT_INDEX[f"eyeBlink{side}"]] += np.exp(-0.5 * ((np.arange(FRAMES) - frame) / 2) ** 2)
    waves = [np.sin(2 * np.pi * rate * time + phase) for rate, phase in ((0.55, 1), (0.4, 0), (0.3, 2))]
    rotation = np.radians(np.stack(waves, axis=1) * [6, 8, 8]).astype(np.float32)
    return FaceCurves(values, rotation, np.zeros((FRAMES, 3), np.float32), FPS)


@pytest.fixture(scope="module")
def model(shared_data: Path) -> Path:
    return shared_data / "models" / "face_landmarker.task"


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    photographs = pytest.importorskip("skimage.data", reason="scikit-image has the test photograph")
    renderer = PortraitRenderer(photo_from_array(photographs.astronaut(), "astronaut"))
    curves = known_curves()
    activity = take_activity(curves.values, FPS)
    frames = [
        renderer.render(values, rotation, None, float(active))
        for values, rotation, active in zip(curves.values, curves.head_rotation, activity, strict=True)
    ]
    for frame in frames[HIDDEN]:
        frame[:] = 128
    path = tmp_path_factory.mktemp("capture") / "known.mp4"
    write_video(path, frames, FPS)
    return path


@pytest.fixture(scope="module")
def captured(video: Path, model: Path) -> CapturedFace:
    return capture_face(video, model, method="blendshapes")


def agreement(captured: CapturedFace, measured: np.ndarray, known: np.ndarray) -> float:
    return float(np.corrcoef(measured[captured.seen], known[captured.seen])[0, 1])


def test_time_and_rate_are_the_videos(captured: CapturedFace) -> None:
    assert captured.curves.fps == FPS
    assert len(captured.curves) == FRAMES
    assert captured.curves.start == pytest.approx(0, abs=1e-3)
    assert captured.curves.provenance.source == "capture"
    assert captured.curves.provenance.model_hash == MODEL_SHA256


@pytest.mark.parametrize("channel", ["jawOpen", "eyeBlinkLeft", "eyeBlinkRight"])
def test_known_shapes_are_read_back(channel: str, captured: CapturedFace) -> None:
    assert agreement(captured, captured.curves.channel(channel), known_curves().channel(channel)) > 0.85


def test_left_is_the_subjects_left(captured: CapturedFace) -> None:
    wink = slice(38, 44)
    left, right = (captured.curves.channel(f"eyeBlink{side}")[wink].max() for side in ("Left", "Right"))
    assert left > right + 0.2


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_head_turns_the_right_way(axis: int, captured: CapturedFace) -> None:
    known, measured = known_curves().head_rotation[:, axis], captured.curves.head_rotation[:, axis]
    assert agreement(captured, measured, known) > 0.9
    slope = np.polyfit(known[captured.seen], measured[captured.seen], 1)[0]
    assert 0.5 < slope < 1.4


def test_frames_without_a_face_are_bridged_and_told(
    video: Path, model: Path, captured: CapturedFace, caplog: pytest.LogCaptureFixture
) -> None:
    assert not captured.seen[HIDDEN].any()
    assert captured.seen[: HIDDEN.start].all()
    jaw = captured.curves.channel("jawOpen")
    edges = jaw[HIDDEN.start - 1], jaw[captured.seen.nonzero()[0][captured.seen.nonzero()[0] > HIDDEN.stop - 1][0]]
    assert min(edges) - 1e-6 <= jaw[HIDDEN].min() <= jaw[HIDDEN].max() <= max(edges) + 1e-6
    capture_video(video, model, method="blendshapes")
    assert f"no face was found in {(~captured.seen).sum()} of the {FRAMES} frames" in caplog.text


def test_pose_is_of_the_point_where_the_head_turns() -> None:
    """A head that only turns about the neck does not move; one that moves, moves in metres."""
    still, _ = head_pose(np.eye(4)[None])
    np.testing.assert_allclose(still, 0, atol=1e-9)
    # The neck's point in the canonical face: the place that stays for every rotation, in centimetres.
    pivot = np.array([0.0, -7.62, -5.24])
    poses = np.tile(np.eye(4), (5, 1, 1))
    for pose, yaw in zip(poses, np.radians([-20, -10, 0, 10, 20]), strict=True):
        pose[:3, :3] = rotation_matrix(0.1, yaw, -0.2)
        pose[:3, 3] = pivot - pose[:3, :3] @ pivot
        pose[2, 3] -= 60
    poses[4, :3, 3] += [1, 2, 3]
    rotation, translation = head_pose(poses)
    np.testing.assert_allclose(rotation[:, 1], np.radians([-20, -10, 0, 10, 20]), atol=1e-6)
    np.testing.assert_allclose(rotation[:, [0, 2]], [[0.1, -0.2]] * 5, atol=1e-6)
    np.testing.assert_allclose(translation[:4], 0, atol=2e-3)
    np.testing.assert_allclose(translation[4], [0.01, 0.02, 0.03], atol=2e-3)


def test_uneven_pictures_are_brought_to_an_even_rate(video: Path, model: Path, tmp_path: Path) -> None:
    """Every third picture dropped, as phones do: curves keep their times."""
    uneven = tmp_path / "uneven.mkv"
    with av.open(str(video)) as source, av.open(str(uneven), "w") as file:
        stream = file.add_stream("h264", rate=FPS, options={"crf": "18", "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = 512, 512, "yuv420p"
        for index, frame in enumerate(source.decode(video=0)):
            if index < 50 and index % 3 != 1:
                new = av.VideoFrame.from_ndarray(frame.to_ndarray(format="rgb24"), format="rgb24")
                new.pts, new.time_base = index, Fraction(1, FPS)
                file.mux(stream.encode(new))
        file.mux(stream.encode(None))
    curves = capture_video(uneven, model, method="blendshapes")
    jaw = np.interp(np.arange(48) / FPS, curves.times, curves.channel("jawOpen"))
    assert curves.duration == pytest.approx(50 / FPS, abs=0.1)
    assert np.corrcoef(jaw, known_curves().channel("jawOpen")[:48])[0, 1] > 0.8


def test_videos_filmed_sideways_are_turned_upright(tmp_path: Path) -> None:
    """Phones store the sensor's picture and a matrix that turns it a quarter clockwise."""
    upright = np.zeros((128, 96, 3), np.uint8)
    upright[:40, :30] = 255  # a mark in the upper left corner
    path = tmp_path / "phone.mp4"
    write_video(path, [np.rot90(upright)] * 3, FPS)
    data = bytearray(path.read_bytes())
    matrix = data.index(b"tkhd") + 44
    data[matrix : matrix + 36] = struct.pack(">9i", 0, 1 << 16, 0, -1 << 16, 0, 0, 96 << 16, 0, 1 << 30)
    path.write_bytes(data)
    with open_video(path) as video:
        frame = next(video.frames())
    assert frame.pixels.shape == upright.shape
    assert np.abs(frame.pixels.astype(int) - upright).mean() < 8


def test_the_command_writes_a_take(
    video: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DREAMTALK_FACE_LANDMARKER", str(model))
    assert main(["capture", str(video), "-o", str(tmp_path / "take.csv"), "--method", "blendshapes", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["frames"] == FRAMES
    assert facts["frames_without_face"] >= HIDDEN.stop - HIDDEN.start
    assert len(read_curves(tmp_path / "take.csv")) == FRAMES


def test_without_a_model_one_line_says_where_it_is(video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DREAMTALK_FACE_LANDMARKER", raising=False)
    with pytest.raises(WeightsError) as error:
        capture_video(video, method="blendshapes")
    assert MODEL_ADDRESS in str(error.value)
    assert MODEL_SHA256 in str(error.value)
    assert "never downloaded by itself" in str(error.value)


def test_a_broken_model_is_refused(video: Path, tmp_path: Path) -> None:
    broken = tmp_path / "face_landmarker.task"
    broken.write_bytes(b"no model")
    with pytest.raises(WeightsError, match=r"face_landmarker\.task' is no face landmarker"):
        capture_video(video, broken, method="blendshapes")


def test_videos_that_cannot_be_captured_are_refused(model: Path, tmp_path: Path) -> None:
    empty = tmp_path / "grey.mp4"
    write_video(empty, [np.full((128, 128, 3), 90, np.uint8)] * 5, FPS)
    with pytest.raises(CaptureError, match="no face was found"):
        capture_video(empty, model, method="blendshapes")
    text = tmp_path / "notes.mp4"
    text.write_text("no video")
    with pytest.raises(CaptureError, match="no video that can be decoded"):
        capture_video(text)
    with pytest.raises(CaptureError, match="does not exist"):
        capture_video(tmp_path / "missing.mp4")


def test_capture_can_be_stopped(video: Path, model: Path) -> None:
    def stop(seconds: float) -> None:
        if seconds > 0.3:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        capture_video(video, model, stop, method="blendshapes")
