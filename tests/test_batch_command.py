"""``dreamtalk batch``: many recordings as a manifest lists them, in one run or in several."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from server_support import ROOT, voice, wav

from blendshape_rigs.curves import FaceCurves
from blendshape_rigs.formats import read_curves, write_curves
from model_server.cli import main
from model_server.commands.batch_record import RECORD_NAME


def write_manifest(folder: Path, *lines: dict[str, object]) -> Path:
    path = folder / "manifest.csv"
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        writer = csv.DictWriter(file, list(dict.fromkeys(name for line in lines for name in line)))
        writer.writeheader()
        writer.writerows(lines)
    return path


def batch(capsys: pytest.CaptureFixture[str], manifest: Path, out: Path) -> tuple[int, dict[str, Any]]:
    status = main(["batch", str(manifest), "--out", str(out), "--json"])
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return status, found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with recordings of a buzz in it, 1 s long, and one that is none."""
    place = tmp_path / "Aufnahmen é"
    (place / "lines").mkdir(parents=True)
    for name in ("one", "two"):
        (place / "lines" / f"{name}.wav").write_bytes(wav(voice(1.0)))
    (place / "lines" / "broken.wav").write_text("no sound at all")
    return place


def test_lines_in_two_formats_go_on_after_a_broken_one(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest = write_manifest(
        folder,
        {"audio": "lines/one.wav", "format": "npz", "emotion": "happy", "intensity": 0.8, "seed": 3, "fps": 24},
        {"audio": "lines/broken.wav", "format": "csv"},
        {"audio": "lines/two.wav", "output": "scene 2/two.glb", "emotion": "sad:0.5,angry:0.2"},
    )
    status, found = batch(capsys, manifest, folder / "takes")
    assert status == 1
    assert [found[state] for state in ("made", "skipped", "failed")] == [2, 0, 1]
    assert [line["state"] for line in found["lines"]] == ["made", "failed", "made"]
    assert [line["line"] for line in found["lines"]] == [2, 3, 4]
    assert "broken.wav" in found["lines"][1]["message"]
    assert (folder / "takes" / "scene 2" / "two.glb").read_bytes()[:4] == b"glTF"
    assert not (folder / "takes" / "broken.csv").exists()
    alone = folder / "alone.npz"
    audio = folder / "lines" / "one.wav"
    options = ["--emotion", "happy:0.8", "--seed", "3", "--fps", "24"]
    assert main(["animate", str(audio), *options, "-o", str(alone)]) == 0
    np.testing.assert_array_equal(
        read_curves(folder / "takes" / "one.npz").stacked(), read_curves(alone).stacked(), strict=True
    )


def test_what_is_done_is_skipped_until_it_changes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines: list[dict[str, object]] = [
        {"audio": f"lines/{name}.wav", "output": f"{name}.csv", "style": "style.npz", "seed": 1}
        for name in ("one", "two")
    ]
    write_curves(FaceCurves.zeros(60, 30.0), folder / "style.npz")
    out = folder / "takes"
    assert batch(capsys, write_manifest(folder, *lines), out)[1]["made"] == 2
    with (out / RECORD_NAME).open("a") as file:
        file.write('\n{"output": "thr')  # as a run leaves it that is killed while it writes
    status, found = batch(capsys, write_manifest(folder, *lines), out)
    assert (status, found["skipped"]) == (0, 2)
    lines[1]["seed"] = 2
    _, found = batch(capsys, write_manifest(folder, *lines), out)
    assert [line["state"] for line in found["lines"]] == ["skipped", "made"]
    (folder / "lines" / "one.wav").write_bytes(wav(voice(0.8)))
    (out / "two.csv").unlink()
    assert batch(capsys, write_manifest(folder, *lines), out)[1]["made"] == 2
    assert batch(capsys, write_manifest(folder, *lines), out)[1]["skipped"] == 2
    curves = FaceCurves.zeros(60, 30.0)
    write_curves(curves.with_stacked(curves.stacked() + 0.1, start=0.0), folder / "style.npz")
    assert batch(capsys, write_manifest(folder, *lines), out)[1]["made"] == 2


def test_a_killed_run_goes_on_where_it_was(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "long.wav").write_bytes(wav(voice(40.0)))
    names = ["lines/one.wav", "lines/two.wav", "long.wav"]
    manifest = write_manifest(folder, *({"audio": name, "format": "csv"} for name in names))
    out = folder / "takes"
    command = [sys.executable, "-m", "model_server.cli", "batch", str(manifest), "--out", str(out)]
    paths = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    with subprocess.Popen(
        command, env=os.environ | {"PYTHONPATH": paths}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        said = [process.stderr.readline() for _ in range(2)]
        process.kill()
        process.communicate()
    assert said == ["1/3 one.csv: made\n", "2/3 two.csv: made\n"]
    assert process.returncode == -signal.SIGKILL
    assert not (out / "long.csv").exists()
    written = {name: (out / name).stat().st_mtime_ns for name in ("one.csv", "two.csv")}
    status, found = batch(capsys, manifest, out)
    assert status == 0
    assert [line["state"] for line in found["lines"]] == ["skipped", "skipped", "made"]
    assert {name: (out / name).stat().st_mtime_ns for name in written} == written


def test_summary_names_every_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest = write_manifest(
        folder, {"audio": "lines/one.wav", "format": "csv"}, {"audio": "lines/broken.wav", "format": "csv"}
    )
    assert main(["batch", str(manifest), "--out", str(folder / "takes")]) == 1
    rows = capsys.readouterr().out.splitlines()
    assert rows[0].split() == ["line", "output", "state", "seconds", "took"]
    assert rows[1].split()[:4] == ["2", "one.csv", "made", "1.00"]
    assert rows[2].split()[:3] == ["3", "broken.csv", "failed"]
    assert rows[3] == "1 made, 0 skipped, 1 failed"


WRONG: list[tuple[dict[str, object], str]] = [
    ({"mood": "happy"}, "unknown column 'mood'; choose from audio, output"),
    ({"audio": "", "seed": 1}, "line 2: the audio is missing"),
    ({"audio": "nowhere.wav"}, "nowhere.wav' does not exist"),
    ({"format": "", "output": "line.wav"}, "the kind of file is missing"),
    ({"format": ""}, "the kind of file is missing"),
    ({"format": "doc"}, "unknown format 'doc'; choose from csv json"),
    ({"output": "line.fbx"}, "output 'line.fbx' is no csv"),
    ({"output": "../line.csv"}, "must be a name within the folder"),
    ({"emotion": "hapy"}, "unknown emotion 'hapy'"),
    ({"emotion": "happy:0.5", "intensity": 0.5}, "an intensity belongs to one emotion"),
    ({"emotion": "happy", "intensity": 2}, "weights must lie in 0..1"),
    ({"emotion": "happy", "intensity": "much"}, "intensity 'much' is no number"),
    ({"seed": 1.5}, "seed '1.5' is no whole number"),
    ({"fps": 0}, "choose a frame rate from 1 to 240"),
    ({"lips": "ears"}, "lips cannot follow 'ears'"),
    ({"text": "hello", "text_file": "manifest.csv"}, "leave one out"),
    ({"text": "hello", "lips": "encoder"}, "not both"),
    ({"character": "manifest.csv"}, "a character is of no use to .csv"),
    ({"image": "manifest.csv"}, ".csv has no use for an image"),
    ({"format": "mp4"}, ".mp4 needs a photograph"),
]


@pytest.mark.parametrize(("cells", "message"), WRONG)
def test_wrong_lines_are_told_before_any_work(
    folder: Path, capsys: pytest.CaptureFixture[str], cells: dict[str, object], message: str
) -> None:
    manifest = write_manifest(folder, {"audio": "lines/one.wav", "format": "csv"} | cells)
    assert main(["batch", str(manifest), "--out", str(folder / "takes")]) == 1
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.err.count("\n") == 1
    assert captured.out == ""
    assert not (folder / "takes").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "names no recording"),
        ("audio,format\n", "names no recording"),
        ("format\ncsv\n", "no column 'audio'"),
        ("audio,format,format\n", "two columns 'format'"),
        ("audio,format\nlines/one.wav,csv,happy\n", "line 2: 3 cells for 2 columns"),
        ('audio,format\n"lines/one.wav,csv\n', "line 2: unexpected end of data"),
        ("audio,output\nlines/one.wav,a.csv\n\nlines/two.wav,A.csv\n", "line 4: 'A.csv' is the output of line 2 too"),
        ("audio,output\n" + "x.wav,a.csv\n" * 7, "line 6: audio"),
    ],
)
def test_wrong_manifests(folder: Path, capsys: pytest.CaptureFixture[str], text: str, message: str) -> None:
    manifest = folder / "manifest.csv"
    manifest.write_text(text)
    assert main(["batch", str(manifest), "--out", str(folder / "takes")]) == 1
    error = capsys.readouterr().err
    assert message in error
    assert ("; and 2 more" in error) == (text.count("x.wav") == 7)


def test_recordings_are_never_overwritten(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_curves(FaceCurves.zeros(60, 30.0), folder / "style.csv")
    manifest = write_manifest(folder, {"audio": "lines/one.wav", "output": "style.csv", "style": "style.csv"})
    before = (folder / "style.csv").read_bytes()
    assert main(["batch", str(manifest), "--out", str(folder)]) == 1
    assert "is an input" in capsys.readouterr().err
    assert (folder / "style.csv").read_bytes() == before
