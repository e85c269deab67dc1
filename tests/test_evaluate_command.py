"""``dreamtalk evaluate`` on a small made corpus, for real: model, teachers, tables, plots."""

import gzip
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from blendshape_rigs.curves import FaceCurves
from blendshape_rigs.formats import write_curves
from model_server.audio.phones import PHONE_INDEX
from model_server.cli import main
from model_server.commands.evaluation_material import read_source, read_voices
from model_server.errors import AudioError, ConfigError
from model_server.evaluation.full import Effort, Material
from model_server.evaluation.motion_tables import window_edges
from model_server.evaluation.recordings import Recording, RecordingSet
from model_server.evaluation.table import Column, Table
from model_server.evaluation.takes import baselines
from model_server.training.speech_corpus.utterance import Utterance, save_shard

RATE = 16_000


def buzz(seconds: float, seed: int) -> np.ndarray:
    """Return a voice-like sound of syllables, four a second."""
    generator = np.random.default_rng(seed)
    times = np.arange(int(seconds * RATE)) / RATE
    tone = sum(np.sin(2 * np.pi * 120 * n * times) / n for n in range(1, 12))
    noise = 0.002 * generator.standard_normal(len(times))
    return (0.05 * tone * np.maximum(np.sin(4 * np.pi * times), 0) + noise).astype(np.float32)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a speech corpus with one held-out voice: two utterances of 2 s."""
    folder = tmp_path_factory.mktemp("corpus")
    symbols = ["sil", "p", "a", "m", "u", "s", "i", "f", "o", "sil"]
    phones = np.array([PHONE_INDEX[symbol] for symbol in symbols], np.uint8)
    ends = np.linspace(0.2, 2.0, len(symbols))
    save_shard(folder / "flite_awb.npz", [Utterance(buzz(2, seed), phones, ends) for seed in (0, 1)])
    return folder


def faces(folder: Path) -> Path:
    """Write recordings with captured curves as FACEGOOD lays them out."""
    folder.mkdir()
    names = ["mouth_stretch_c", "mouth_oh_c", "mouth_oo_c", "mouth_pucker_l", "mouth_pucker_r"]
    curves = np.tile(np.arange(90, dtype=np.float32)[:, None] / 90, (1, 5))
    np.savez(folder / "curves_30fps.npz", names=np.array(names), c_one=curves)
    soundfile.write(folder / "one.flac", buzz(3, 2), RATE)
    return folder


def test_a_table_writes_units_and_what_could_not_be_measured() -> None:
    table = Table(
        "t", "n", (Column("gap, mm", ".1f", 1000), Column("share", ".0%")), (("row", (0.0021, float("nan"))),)
    )
    assert table.markdown().splitlines()[-1] == "| row | 2.1 | – |"
    assert table.as_json()["rows"] == {"row": {"gap, mm": 2.1, "share": None}}


def test_baselines_know_nothing_of_the_model_but_its_mean() -> None:
    recordings = [Recording("a", buzz(1, 0)), Recording("b", buzz(1, 1))]
    takes = [np.full((50, 58), 0.25, np.float32), np.full((40, 58), 0.75, np.float32)]
    rows = baselines(takes, recordings)
    assert rows["shuffled audio"][0].shape == (50, 58)
    assert (rows["shuffled audio"][0] == 0.75).all()
    assert rows["mean pose"][1] == pytest.approx(0.25 + 0.5 * 40 / 90)
    assert np.flatnonzero(rows["loudness to jaw"][0].any(axis=0)).tolist() == [17]


def test_window_edges_are_where_the_pipeline_begins_another_window() -> None:
    assert window_edges(500, 200) == [180, 340]
    assert window_edges(150, 200) == []


def test_expression_is_measured_on_recordings_with_known_phones_or_on_pieces() -> None:
    sound = np.zeros(40 * RATE, np.float32)
    material = Material((RecordingSet("face", "", (Recording("long", sound),)),), (), lambda *_: sound, Effort(20.0))
    pieces = material.expression_recordings()
    assert [piece.name for piece in pieces] == ["long at 0 s", "long at 8 s", "long at 16 s"]
    assert all(piece.seconds == 8 for piece in pieces)


def test_captured_curves_are_read_in_time(tmp_path: Path) -> None:
    group = read_source(faces(tmp_path / "faces"), 2.0)
    assert isinstance(group, RecordingSet)
    (recording,) = group.recordings
    assert len(recording.samples) == 2 * RATE
    assert len(recording.opening) == 100
    # 50 frames are a second: 30 rows of 1 / 90 each, stretch and 0.35 of oh.
    assert recording.opening[50] == pytest.approx(1.35 / 3, abs=1e-3)
    assert recording.rounding[50] == pytest.approx(1.0, abs=1e-3)


def test_live_link_recordings_are_read_but_not_ranges_of_motion(tmp_path: Path) -> None:
    plain = tmp_path / "take.csv"
    write_curves(FaceCurves.zeros(60, 30), plain)
    for name in ("other", "my_rom_1"):
        (tmp_path / f"{name}.csv.gz").write_bytes(gzip.compress(plain.read_bytes()))
    read = read_source(tmp_path, 60)
    assert isinstance(read, list)
    assert [len(curves) for curves in read] == [60, 60]
    assert len(read_source(plain, 60)) == 1  # type: ignore[arg-type]


def test_a_folder_of_nothing_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(AudioError, match="neither metadata"):
        read_source(tmp_path, 60)
    assert main(["evaluate"]) == 1
    assert "no speech to measure" in capsys.readouterr().err


def test_the_lip_table_is_printed(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "--corpus", str(corpus), "--quick"]) == 0
    lines = capsys.readouterr().out.splitlines()
    names = [line.split("|")[1].strip() for line in lines if line.startswith("| ")]
    assert names == ["", "teacher, true phones", "model", "shuffled audio", "mean pose", "loudness to jaw"]
    teacher = next(line for line in lines if line.startswith("| teacher")).split("|")
    assert teacher[2].strip() == "4"
    assert float(teacher[3]) == 1


def test_the_whole_report(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sources = [str(faces(tmp_path / "faces"))]
    plain = tmp_path / "live.csv"
    generator = np.random.default_rng(0)
    values = np.clip(np.cumsum(0.02 * generator.standard_normal((400, 58)), axis=0), 0, 1)
    write_curves(FaceCurves.zeros(400, 30).with_stacked(values), plain)
    # As where Blender is not installed: the sheet is another test's matter.
    monkeypatch.setitem(sys.modules, "bpy", None)
    out = tmp_path / "report"
    assert main(["evaluate", *sources, str(plain), "--corpus", str(corpus), "--quick", "-o", str(out)]) == 0
    data = json.loads((out / "report.json").read_text(encoding="utf-8"))
    tables = {table["title"]: table["rows"] for table in data["tables"]}
    assert len(tables) == 12
    for title, rows in tables.items():
        assert any(name.startswith("model") for name in rows), title
        assert any("shuffled" in name for name in rows), title
        assert any("mean pose" in name for name in rows), title
        assert any("loudness to jaw" in name for name in rows), title
    assert tables["Captured mouth: faces"]["captured face"]["opening r"] == 1
    assert tables["Fréchet distance"].keys() >= {"real, Live Link", "teacher, invented speech", "model"}
    for picture in ("lips.png", "captured_faces.png", "emotions_confused.png", "intensity.png", "speeds.png"):
        assert (out / picture).stat().st_size > 10_000
    report = (out / "report.md").read_text(encoding="utf-8")
    assert "![speeds](speeds.png)" in report
    assert "Contact sheet: not drawn, this needs Blender" in report


def test_voices_that_are_not_there_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no held-out voice"):
        read_voices(tmp_path, 10)
