"""``dreamtalk corpus``: the same seed gives the same corpus, and a voice that is missing is said to be."""

from __future__ import annotations

import json
import shutil
import wave
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("soxr", reason="corpus making needs the extra 'train'")
pytest.importorskip("pocketsphinx", reason="corpus making needs the extra 'train'")

from blendshape_rigs.arkit import ARKIT_INDEX
from blendshape_rigs.curves import FaceCurves
from blendshape_rigs.formats import write_curves
from model_server.audio.phones import PHONE_INDEX
from model_server.cli import main
from model_server.commands.corpus import LAYOUTS
from model_server.training.performances import load_performances
from model_server.training.recordings import LAYOUTS as KNOWN_LAYOUTS
from model_server.training.speech_corpus.build import (
    make_voice,
    make_voices,
    share_of_hours,
    share_seconds,
    voice_settings,
)
from model_server.training.speech_corpus.engines import VOICES
from model_server.training.speech_corpus.manifest import read_row, write_manifest
from model_server.training.speech_corpus.needs import FORTUNES, Need, missing
from model_server.training.speech_corpus.sessions import load_sessions, make_file, wanted_files
from model_server.training.speech_corpus.utterance import load_shard

BY_NAME = {voice.name: voice for voice in VOICES}
FLITE = pytest.mark.skipif(
    shutil.which("flite") is None or not FORTUNES.met(Path()), reason="flite or fortunes are not installed"
)


@FLITE
def test_the_same_seed_gives_the_same_corpus(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["corpus", "build", "--voices", "flite_slt", "--hours", "0.004", "--copies", "1", "--seed", "5"]
    command += ["--out", str(tmp_path), "--jobs", "1"]
    assert main(command) == 0
    made = capsys.readouterr().out.splitlines()
    names = [line.split(":")[0] for line in made[:3]]
    assert names == ["flite_slt", "flite_slt.0.npz", "flite_slt.-1.npz"]
    speech, sessions = tmp_path / "speech_corpus", tmp_path / "sessions"
    (row,) = json.loads((speech / "manifest.json").read_text())["voices"]
    assert row["licence"] == BY_NAME["flite_slt"].licence and row["language"] == "en" and not row["held_out"]
    assert row["label_source"] == "given" and abs(row["label_shift_ms"]) < 15 and row["utterances"] > 0
    assert row["seconds"] == pytest.approx(0.004 * 3600, abs=12)

    # In one process, without the command: the same, bit for bit.
    other = tmp_path / "other"
    other.mkdir()
    assert make_voice("flite_slt", 0.004 * 3600, 5, other) == read_row(speech, "flite_slt")
    for work in wanted_files(other, other, 1):
        make_file(work, 5)
        first, second = load_sessions(sessions / work.out.name), load_sessions(work.out)
        for one, again in zip(first, second, strict=True):
            for name in ("mel", "phones", "pitch", "loudness"):
                assert np.array_equal(getattr(one, name), getattr(again, name))
        spoken = np.concatenate([session.phones for session in first]) != PHONE_INDEX["sil"]
        assert 0.3 < spoken.mean() < 0.95

    # Again: nothing to do but what was lost, and that is the same.
    shard, lost = speech / "flite_slt.npz", sessions / "flite_slt.0.npz"
    before, old = shard.stat().st_mtime_ns, load_sessions(lost)
    lost.unlink()
    assert main(command) == 0
    again_made = capsys.readouterr().out.splitlines()
    assert again_made[0].startswith("flite_slt.0.npz: ") and len(again_made) == 3
    assert shard.stat().st_mtime_ns == before
    assert np.array_equal(old[0].mel, load_sessions(lost)[0].mel)

    # Another seed: other sentences, so the voice is made again.
    assert make_voice("flite_slt", 0.004 * 3600, 6, other).settings_sha256 != row["settings_sha256"]
    assert not np.array_equal(load_shard(other / "flite_slt.npz")[0].samples, load_shard(shard)[0].samples)


def test_a_voice_that_is_missing_is_named_with_its_remedy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["corpus", "build", "--out", str(tmp_path), "--voices", "flite_slt", "pico_en_us"]) == 1
    shown = capsys.readouterr()
    assert "flite_slt: skipped: flite " in shown.out and "apt-get install flite" in shown.out
    assert "pico_en_us: skipped: " in shown.out and "libttspico-utils" in shown.out
    assert shown.err.startswith("dreamtalk: none of these voices could be made")


def test_an_engine_that_fails_does_not_stop_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "bin" / "flite"
    broken.parent.mkdir()
    broken.write_text("#!/bin/sh\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", str(broken.parent))
    if not FORTUNES.met(tmp_path):
        pytest.skip("fortunes are not installed")
    voices = [BY_NAME["flite_slt"], BY_NAME["pico_en_us"]]
    reports = {report.voice.name: report for report in make_voices(voices, 0.001, tmp_path / "out", 1, 0)}
    assert reports["flite_slt"].failed and "CalledProcessError" in reports["flite_slt"].reason
    assert not reports["pico_en_us"].failed and reports["pico_en_us"].row is None
    assert not list((tmp_path / "out").glob("*.npz"))


def test_an_unknown_voice_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["corpus", "build", "--voices", "nobody"])
    assert ended.value.code == 2
    assert "no voice is called nobody" in capsys.readouterr().err


def test_every_voice_is_listed_with_its_licence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["corpus", "list", "--json", "--out", str(tmp_path)]) == 0
    table = {row["voice"]: row for row in json.loads(capsys.readouterr().out)}
    assert set(table) == set(BY_NAME)
    assert all(row["licence"] and row["language"] and row["made_seconds"] == 0 for row in table.values())
    assert main(["corpus", "list", "--out", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(VOICES) + 2 and lines[-1].endswith("0.00 hours are made")
    assert all(voice.name in line and voice.licence in line for voice, line in zip(VOICES, lines[1:-1], strict=True))


def test_what_is_missing_is_told_with_all_that_brings_it(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    assert missing([Need("sh", "dash"), Need("here/", "nothing")], tmp_path) is None
    needs = [Need("no-such-program", "one"), Need("there/wav", "two", source=True), Need("/no/such/file", "one")]
    assert missing(needs, tmp_path) == (
        "no-such-program and there/wav and /no/such/file are missing; "
        "get it with: apt-get install one && apt-get source two"
    )


def test_every_engine_says_what_it_needs() -> None:
    assert all(voice.needs for voice in VOICES)


def test_hours_are_shared_by_the_synthesisers() -> None:
    share = share_of_hours(VOICES, 20)
    spoken = sum(share_seconds(voice, share) for voice in VOICES if not voice.human)
    assert spoken == pytest.approx(20 * 3600)
    assert all(share_seconds(voice, share) <= voice.seconds for voice in VOICES if voice.human)
    settings = {voice_settings(voice, 10.0, seed) for voice in VOICES for seed in range(2)}
    assert len(settings) == 2 * len(VOICES)


def test_damaged_rows_count_as_not_made(tmp_path: Path) -> None:
    (tmp_path / "one.npz").write_bytes(b"")
    for content in ("{", "[]", '{"voice": "one"}'):
        (tmp_path / "one.json").write_text(content)
        assert read_row(tmp_path, "one") is None
    assert write_manifest(tmp_path) == []


def test_layouts_are_those_of_the_importer() -> None:
    assert LAYOUTS == KNOWN_LAYOUTS


def test_recordings_are_added(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "takes"
    folder.mkdir()
    times = np.arange(600) / 60
    values = np.zeros((600, 52), np.float32)
    values[:, ARKIT_INDEX["jawOpen"]] = 0.5 + 0.5 * np.sin(8 * times)
    write_curves(FaceCurves(values, np.zeros((600, 3)), np.zeros((600, 3)), 60.0), folder / "take.csv")
    sound = (
        0.3
        * np.sin(2 * np.pi * 150 * np.arange(160_000) / 16_000)
        * np.repeat(values[:, ARKIT_INDEX["jawOpen"]], 267)[:160_000]
    )
    with wave.open(str(folder / "take.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes((sound * 32767).astype("<i2").tobytes())
    (folder / "notes.csv").write_text("neither curves nor anything else\n")
    out = tmp_path / "performances"
    command = ["corpus", "add", str(folder), "--layout", "livelink", "--emotion", "happy:0.5", "--out", str(out)]
    assert main([*command, "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["recordings"] == 1 and sum(summary["seconds"].values()) == pytest.approx(10, abs=0.5)
    made = [performance for file in summary["files"] for performance in load_performances(Path(file))]
    assert sum(len(performance.face) for performance in made) == pytest.approx(500, abs=25)
    assert main(command) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[-1].endswith("0 converted now") and "1 recordings in the layout livelink" in shown[-1]
    assert main(["corpus", "add", str(tmp_path / "nowhere"), "--out", str(out)]) == 1
    assert "nowhere" in capsys.readouterr().err
