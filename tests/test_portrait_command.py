"""``dreamtalk portrait``: what may be left out, what is wrong usage, and real videos from takes and filmed faces."""

from __future__ import annotations

import json
import wave
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from blendshape_rigs.arkit import ARKIT_INDEX
from blendshape_rigs.curves import FaceCurves
from blendshape_rigs.formats import write_curves
from model_server.cli import build_parser, main
from model_server.pipeline.driving import relative_to_median
from model_server.pipeline.portrait_video import make_portrait_video
from model_server.portrait.fit import rotation_angles, rotation_matrix
from model_server.portrait.provenance import CERTIFICATE_VARIABLE, KEY_VARIABLE

skimage_data = pytest.importorskip("skimage.data", reason="scikit-image has the test photograph")


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with me.png, take.npz (10 frames at 25 fps) and line.wav."""
    folder = tmp_path_factory.mktemp("portrait")
    Image.fromarray(skimage_data.astronaut()[:300, 60:360]).save(folder / "me.png")
    times = np.arange(10) / 25
    values, turns = np.zeros((10, 52)), np.zeros((10, 3))
    values[:, ARKIT_INDEX["jawOpen"]] = 0.3 + 0.3 * np.sin(12 * times)
    turns[:, 1] = 0.15 * np.sin(8 * times)
    write_curves(FaceCurves(values, turns, np.zeros((10, 3)), 25.0), folder / "take.npz")
    with wave.open(str(folder / "line.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes((8000 * np.sin(np.arange(16_000) / 9)).astype("<i2").tobytes())
    return folder


@pytest.fixture
def folder(material: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty folder, with the material linked into it, as the current one."""
    for file in material.iterdir():
        (tmp_path / file.name).symlink_to(file)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(CERTIFICATE_VARIABLE, raising=False)
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    return tmp_path


def frames(path: Path, channels: str = "rgb24") -> np.ndarray:
    with av.open(str(path)) as file:
        return np.stack([frame.to_ndarray(format=channels) for frame in file.decode(video=0)])


def refuse(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as caught:
        main(["portrait", *arguments])
    assert caught.value.code == 2
    return capsys.readouterr().err


# --- Usage -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "audio", "image"),
    [
        ("a.wav me.jpg -o out.mp4", "a.wav", "me.jpg"),
        ("a.wav --emotion happy me.jpg -o out.mp4", "a.wav", "me.jpg"),
        ("--drive v.mp4 me.jpg -o out.mp4", "me.jpg", None),
        ("me.jpg --drive v.mp4 -o out.mp4", "me.jpg", None),
        ("a.wav me.jpg --drive v.mp4 -o out.mp4", "a.wav", "me.jpg"),
        ("a.wav --curves take.csv me.jpg -o out.mp4", "a.wav", "me.jpg"),
        ("--write-landmarks points.json me.jpg", "me.jpg", None),
    ],
)
def test_the_recording_may_be_left_out_where_something_else_drives(line: str, audio: str, image: str | None) -> None:
    arguments = build_parser().parse_args(["portrait", *line.split()])
    assert arguments.audio == Path(audio)
    assert arguments.image == (Path(image) if image else None)


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("me.png -o a.mp4", "required: IMAGE"),
        ("line.wav me.png", "-o/--output"),
        ("line.wav me.png -o a.avi", "must end in one of .mp4 .webm .png"),
        ("line.wav me.png -o a.mp4 --head 2.5", "--head: '2.5' must be from 0 to 2"),
        ("line.wav me.png -o a.mp4 --blink nan", "--blink"),
        ("line.wav me.png -o a.mp4 --mouth lots", "--mouth"),
        ("line.wav me.png -o a.mp4 --face 0", "counted from 1"),
        ("line.wav me.png -o a.mp4 --face 2 --landmarks p.json", "leave out --face"),
        ("me.png --drive v.mp4 --curves take.npz -o a.mp4", "give one of them"),
        ("me.png --drive v.mp4 --emotion happy -o a.mp4", "--drive holds the performance already"),
        ("me.png --curves take.npz --text hello -o a.mp4", "--curves holds the performance already"),
        ("line.wav me.png --no-background -o a.mp4", "cannot be transparent"),
        ("line.wav me.png --no-background --neural c.pt -o a.webm", "--neural draws the background"),
        ("me.png --write-landmarks p.json --landmarks q.json", "leave out --landmarks"),
    ],
)
def test_wrong_usage_says_what_to_do(
    folder: Path, capsys: pytest.CaptureFixture[str], line: str, sentence: str
) -> None:
    before = set(folder.iterdir())
    assert sentence in refuse(capsys, *line.split())
    assert set(folder.iterdir()) == before


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("line.wav gone.png -o a.mp4", "'gone.png' does not exist"),
        ("line.wav line.wav -o a.mp4", "not a picture"),
        ("line.wav me.png --face 2 -o a.mp4", "no face number 2"),
        ("line.wav me.png --landmarks gone.json -o a.mp4", "'gone.json' does not exist"),
        ("line.wav me.png --landmarks me.png -o a.mp4", "'me.png' is no JSON"),
        ("me.png --drive line.wav -o a.mp4", "line.wav"),
        ("me.png --drive gone.mp4 -o a.mp4", "gone.mp4"),
        ("me.png --curves gone.npz -o a.mp4", "gone.npz"),
        ("me.png --write-landmarks nowhere/p.json", "nowhere"),
    ],
)
def test_what_cannot_be_used_is_one_line_and_leaves_nothing(
    folder: Path, capsys: pytest.CaptureFixture[str], line: str, sentence: str
) -> None:
    before = set(folder.iterdir())
    assert main(["portrait", *line.split()]) == 1
    errors = capsys.readouterr().err
    assert sentence in errors
    assert errors.count("\n") == 1
    assert set(folder.iterdir()) == before


def test_half_a_signature_is_told_before_the_work(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY_VARIABLE, "key.pem")
    assert main(["portrait", "me.png", "--curves", "take.npz", "-o", "a.mp4"]) == 1
    assert f"set {CERTIFICATE_VARIABLE} too" in capsys.readouterr().err


# --- Videos ------------------------------------------------------------------------------------------------------


def test_a_take_becomes_a_video_with_or_without_sound(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["portrait", "line.wav", "me.png", "--curves", "take.npz", "-o", "heard.mp4", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"output": "heard.mp4", "fps": 25.0, "duration": 0.4}
    assert main(["portrait", "me.png", "--curves", "take.npz", "-o", "silent.mp4"]) == 0
    for name, sounds in (("heard.mp4", 1), ("silent.mp4", 0)):
        with av.open(name) as file:
            assert len(file.streams.audio) == sounds
            assert "AI-generated" in file.metadata["comment"]
        assert len(frames(folder / name)) == 10


def test_strengths_and_the_badge_reach_the_picture(folder: Path) -> None:
    def made(name: str, *options: str) -> np.ndarray:
        assert main(["portrait", "me.png", "--curves", "take.npz", "-o", name, *options]) == 0
        return frames(folder / name).astype(int)

    still = made("still.mp4", "--head", "0", "--mouth", "0")
    assert np.abs(still - still[0]).mean() < 0.5
    badge = made("badge.mp4", "--head", "0", "--badge")
    changed = np.abs(badge - still).max(axis=3) > 50
    assert changed[:, -30:, -150:].any(axis=(1, 2)).all()
    assert not changed[:, :100].any()
    assert changed[:, 120:200].any()  # the mouth


def test_without_the_background_the_video_is_transparent(folder: Path) -> None:
    line = ["portrait", "me.png", "--curves", "take.npz", "--no-background", "-o"]
    assert main([*line, "me_####.png"]) == 0
    pictures = sorted(folder.glob("me_*.png"))
    assert [picture.name for picture in pictures] == [f"me_{number:04d}.png" for number in range(1, 11)]
    with Image.open(pictures[0]) as picture:
        assert picture.mode == "RGBA"
        opacity = np.array(picture)[:, :, 3]
    assert opacity[140, 130] > 250  # the face
    assert opacity[5, 5] < 5


def test_landmarks_written_and_corrected_are_used(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["portrait", "--write-landmarks", "points.json", "me.png"]) == 0
    assert "as found" in capsys.readouterr().out
    line = ["portrait", "me.png", "--curves", "take.npz", "-o"]
    assert main([*line, "found.mp4"]) == 0
    assert main([*line, "placed.mp4", "--landmarks", "points.json"]) == 0
    found, placed = (frames(folder / name).astype(int) for name in ("found.mp4", "placed.mp4"))
    assert np.abs(found - placed).mean() < 2
    Image.new("RGB", (320, 200), "white").save("blank.png")
    assert main(["portrait", "--write-landmarks", "blank.json", "blank.png"]) == 0
    assert "no face was found" in capsys.readouterr().out


def test_shut_eyes_and_other_faces_are_logged(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    head = skimage_data.astronaut()[:300, 60:360]
    Image.fromarray(np.concatenate([head, head[:, ::-1]], axis=1)).save("pair.png")
    make_portrait_video(Path("pair.png"), FaceCurves.zeros(1, 25), None, Path("pair.mp4"))
    assert "2 faces" in caplog.text
    assert "--face" in caplog.text


# --- Driving -----------------------------------------------------------------------------------------------------


def test_the_heads_pose_counts_from_its_median() -> None:
    generator = np.random.default_rng(5)
    own = generator.normal(0, 0.05, (101, 3))
    own -= np.median(own, axis=0)
    camera = rotation_matrix(0.2, -0.3, 0.1)
    seen = np.radians([rotation_angles(rotation_matrix(*angles) @ camera) for angles in own])
    curves = FaceCurves(np.zeros((101, 52)), seen, own + 0.4, 25.0)
    relative = relative_to_median(curves)
    assert relative.head_rotation == pytest.approx(own, abs=0.02)
    assert relative.head_translation == pytest.approx(own, abs=1e-6)
    assert len(relative_to_median(FaceCurves.zeros(0, 25.0))) == 0


def test_a_filmed_face_drives_the_portrait_and_lends_its_sound(folder: Path) -> None:
    from model_server.capture import capture_face

    times = np.arange(40) / 25
    values, turns = np.zeros((40, 52), np.float32), np.zeros((40, 3))
    values[:, ARKIT_INDEX["jawOpen"]] = 0.35 - 0.35 * np.cos(2 * np.pi * times)
    turns[:, 1] = 0.2 * np.sin(2 * np.pi * times / 1.5)
    driver = FaceCurves(values, turns, np.zeros((40, 3)), 25.0)
    make_portrait_video(Path("me.png"), driver, Path("line.wav"), Path("driver.mp4"))
    assert main(["portrait", "--drive", "driver.mp4", "me.png", "-o", "driven.mp4"]) == 0

    again = capture_face(Path("driven.mp4")).curves
    assert len(again) == 40
    assert np.corrcoef(again.channel("jawOpen"), driver.channel("jawOpen"))[0, 1] > 0.85
    assert np.corrcoef(again.head_rotation[:, 1], turns[:, 1])[0, 1] > 0.85
    with av.open("driven.mp4") as file:
        assert file.streams.audio
        assert "source=capture" in file.metadata["description"]
