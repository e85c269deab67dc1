"""The ``dreamtalk`` command: usage, exit status, outputs that are whole or not there."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import wave
from pathlib import Path

import numpy as np
import pytest

from blendshape_rigs.arkit import ARKIT_COUNT
from blendshape_rigs.curves import FaceCurves
from blendshape_rigs.formats import read_curves, write_curves
from model_server.cli import COMMANDS, main

ROOT = Path(__file__).parents[1]


def write_wav(path: Path, seconds: float) -> Path:
    """Write a buzz at 120 Hz that comes and goes four times a second, 16 kHz mono."""
    times = np.arange(round(seconds * 16_000)) / 16_000
    samples = 0.4 * (2 * (120 * times % 1) - 1) * (0.5 - 0.5 * np.cos(2 * np.pi * 4 * times))
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes((samples * 32767).astype("<i2").tobytes())
    return path


def take(frames: int = 30) -> FaceCurves:
    """Return curves in which every value differs."""
    generator = np.random.default_rng(0)
    values = generator.random((frames, ARKIT_COUNT)).astype(np.float32)
    head = generator.normal(0, 0.1, (frames, 3)).astype(np.float32)
    return FaceCurves(values, head, np.zeros((frames, 3), np.float32), 30.0)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty folder that is the working directory; scratch files would go beside it."""
    place = tmp_path / "here"
    place.mkdir()
    monkeypatch.chdir(place)
    return place


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def run(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


def fail(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """Run a command that must fail and return its one line."""
    assert run(*arguments) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("dreamtalk: ")
    assert captured.err.count("\n") == 1
    return captured.err


def refuse(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """Run a command that must be refused as wrong usage and return what it says."""
    with pytest.raises(SystemExit) as caught:
        run(*arguments)
    assert caught.value.code == 2
    return capsys.readouterr().err


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_has_help_with_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        run(command, "--help")
    assert caught.value.code == 0
    assert f"example:\n  dreamtalk {command}" in capsys.readouterr().out


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys, contextlib, model_server.cli\n"
        "with contextlib.suppress(SystemExit): model_server.cli.main(['--help'])\n"
        "sys.exit(','.join({'torch', 'av', 'fastapi', 'bpy', 'cv2', 'rich'} & set(sys.modules)) or 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "required: COMMAND"),
        (["dance"], "invalid choice"),
        (["animate", "a.wav"], "-o/--output"),
        (["animate", "a.wav", "-o", "a.txt"], "must end in one of .csv .json"),
        (["animate", "a.wav", "-o", "a.mp4"], "dreamtalk portrait AUDIO IMAGE"),
        (["animate", "a.wav", "-o", "gone/a.csv"], "folder 'gone' does not exist"),
        (["animate", "a.wav", "-o", "a.csv", "--emotion", "joy"], "unknown emotion 'joy'"),
        (["animate", "a.wav", "-o", "a.csv", "--emotion", "happy:2"], "0..1"),
        (["animate", "a.wav", "-o", "a.csv", "--seed", "-1"], "--seed"),
        (["animate", "a.wav", "-o", "a.csv", "--fps", "0"], "fps is 0"),
        (["animate", "a.wav", "-o", "a.csv", "--fps", "nan"], "fps is nan"),
        (["animate", "a.wav", "-o", "a.csv", "--character", "a.fbx"], "--character is of no use"),
        (["portrait", "a.wav", "a.jpg", "-o", "a.gif"], "must end in one of .mp4"),
        (["portrait", "a.wav", "a.jpg", "-o", "a.mp4", "--curves", "a.csv", "--seed", "1"], "leave out"),
        (["serve", "--port", "70000"], "is no port"),
    ],
)
def test_wrong_usage_is_told_apart_from_failure(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str
) -> None:
    assert sentence in refuse(capsys, *arguments)
    assert names(folder) == set()


def test_animate_without_a_usable_recording_leaves_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "'gone.wav' does not exist" in fail(capsys, "animate", "gone.wav", "-o", "a.csv")
    Path("text.wav").write_text("This is no recording.\n")
    assert "not audio that can be decoded" in fail(capsys, "animate", "text.wav", "-o", "a.csv")
    write_wav(Path("short.wav"), 0.05)
    assert "lasts 0.05 s" in fail(capsys, "animate", "short.wav", "-o", "a.csv")
    write_wav(Path("long.wav"), 1.0)
    assert "longer than the limit" in fail(capsys, "animate", "long.wav", "-o", "a.csv", "--max-hours", 0.0001)
    assert names(folder) == {"text.wav", "short.wav", "long.wav"}


def test_a_failure_leaves_the_former_output_as_it_was(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("a.csv").write_text("mine")
    fail(capsys, "animate", "gone.wav", "-o", "a.csv")
    assert Path("a.csv").read_text() == "mine"
    assert names(folder) == {"a.csv"}


def test_convert_keeps_every_value_and_refuses_to_write_over_its_input(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_curves(take(), Path("a.npz"))
    for source, target in (("a.npz", "b.csv"), ("b.csv", "c.json"), ("c.json", "d.npz")):
        assert run("convert", source, "-o", target) == 0
    capsys.readouterr()
    np.testing.assert_allclose(read_curves(Path("d.npz")).values, take().values, atol=1e-5)
    before = Path("a.npz").read_bytes()
    assert "is an input" in fail(capsys, "convert", "a.npz", "-o", folder / "a.npz")
    assert Path("a.npz").read_bytes() == before
    Path("bad.csv").write_text("no curves\n")
    fail(capsys, "convert", "bad.csv", "-o", "e.npz")
    fail(capsys, "convert", "gone.csv", "-o", "e.npz")
    assert names(folder) == {"a.npz", "b.csv", "c.json", "d.npz", "bad.csv"}


def test_convert_writes_scenes_through_blender(folder: Path) -> None:
    write_curves(take(5), Path("a.npz"))
    assert run("convert", "a.npz", "-o", "a.glb") == 0
    assert Path("a.glb").read_bytes()[:4] == b"glTF"
    assert names(folder) == {"a.npz", "a.glb"}


@pytest.mark.parametrize("suffix", [".csv", ".json", ".npz"])
def test_animate_writes_curves(folder: Path, capsys: pytest.CaptureFixture[str], suffix: str) -> None:
    write_wav(Path("line.wav"), 1.0)
    arguments = ["animate", "line.wav", "--emotion", "happy:0.8", "--seed", "3", "--fps", "60", "--json"]
    assert run(*arguments, "-o", f"take{suffix}") == 0
    result = json.loads(capsys.readouterr().out)
    assert result["output"] == f"take{suffix}"
    assert (result["frames"], result["fps"], result["seed"], result["emotion"]) == (60, 60.0, 3, "happy 0.80")
    curves = read_curves(Path(f"take{suffix}"))
    assert (len(curves), curves.fps) == (60, 60.0)
    assert names(folder) == {"line.wav", f"take{suffix}"}


def test_animate_writes_a_character_with_the_animation(folder: Path) -> None:
    write_wav(Path("line.wav"), 0.5)
    assert run("animate", "line.wav", "-o", "take.fbx") == 0
    assert Path("take.fbx").read_bytes().startswith(b"Kaydara FBX Binary")
    assert names(folder) == {"line.wav", "take.fbx"}


def test_animate_borrows_the_style_of_a_clip(folder: Path) -> None:
    write_wav(Path("line.wav"), 0.5)
    write_curves(take(), Path("clip.npz"))
    assert run("animate", "line.wav", "-o", "plain.npz") == 0
    assert run("animate", "line.wav", "-o", "styled.npz", "--style", "clip.npz") == 0
    difference = read_curves(Path("plain.npz")).values - read_curves(Path("styled.npz")).values
    assert np.abs(difference).max() > 1e-3
    assert run("animate", "line.wav", "-o", "none.npz", "--style", "clip.npz", "--style-strength", "0") == 0
    np.testing.assert_array_equal(read_curves(Path("none.npz")).values, read_curves(Path("plain.npz")).values)


def test_a_strength_without_a_style_or_out_of_range_is_refused(folder: Path) -> None:
    write_wav(Path("line.wav"), 0.5)
    assert run("animate", "line.wav", "-o", "take.npz", "--style-strength", "0.5") == 1
    with pytest.raises(SystemExit, match="2"):
        run("animate", "line.wav", "-o", "take.npz", "--style-strength", "2")
    assert names(folder) == {"line.wav"}


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_command_leaves_nothing(folder: Path, sent: signal.Signals) -> None:
    write_wav(Path("line.wav"), 600.0)
    command = [sys.executable, "-m", "model_server.cli", "animate", "line.wav", "-o", "take.csv"]
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    with subprocess.Popen(command, env=os.environ | {"PYTHONPATH": path}, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 120
        while names(folder) == {"line.wav"}:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(sent)
        _, errors = process.communicate(timeout=120)
    assert process.returncode == 1
    assert errors == "dreamtalk: stopped\n"
    assert names(folder) == {"line.wav"}


def test_portrait_needs_an_image_and_leaves_nothing_without(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_wav(Path("line.wav"), 0.5)
    assert "'me.jpg' does not exist" in fail(capsys, "portrait", "line.wav", "me.jpg", "-o", "a.mp4")
    Path("me.jpg").write_text("no image")
    assert "me.jpg" in fail(capsys, "portrait", "line.wav", "me.jpg", "-o", "a.mp4")
    assert names(folder) == {"line.wav", "me.jpg"}


def test_info_says_what_is_installed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("info", "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["packages"]["torch"].startswith("2.")
    assert len(facts["model"]["hash"]) >= 16
    assert run("info") == 0
    assert f"model {facts['model']['hash']}" in capsys.readouterr().out
