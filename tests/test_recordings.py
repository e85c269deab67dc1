"""Live Link takes as performances, measured in time and value; running again; bad files and wrong use."""

from __future__ import annotations

import json
import shutil
import wave
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from recordings_support import (
    JAW,
    RATE,
    joined,
    lag,
    loaded,
    made_curves,
    refused,
    write_take,
    write_voice,
)

from blendshape_rigs.arkit import ARKIT_NAMES, EMOTIONS
from blendshape_rigs.curves import FaceCurves
from blendshape_rigs.formats import write_curves
from blendshape_rigs.formats.livelink import first_timecode
from model_server.errors import Cancelled, ConfigError, DreamTalkError
from model_server.training.recordings import add

# ---- Live Link Face


@pytest.mark.parametrize("fps", [24.0, 30.0, 60.0])
def test_a_take_becomes_performances_in_time(fps: float, tmp_path: Path) -> None:
    write_take(tmp_path / "in" / "anna", fps=fps)
    summary = add(tmp_path / "in", "livelink", tmp_path / "out")
    performances = loaded(summary)
    assert summary.recordings == summary.converted == 1
    assert not summary.refused
    assert summary.seconds == {"anna": pytest.approx(10.0, abs=0.1)}
    assert {performance.actor for performance in performances} == {"anna"}
    assert abs(lag(performances)) <= 1
    face = joined(performances, "face")
    others = np.delete(np.arange(52), JAW)
    np.testing.assert_allclose(face[:, others], np.tile(others / 100, (len(face), 1)), atol=1e-3)
    assert face[:, JAW].max() == pytest.approx(1, abs=0.05)
    np.testing.assert_allclose(face[:, 52:55], np.tile([0.1, -0.2, 0.05], (len(face), 1)), atol=1e-3)
    assert not joined(performances, "emotion").any()


def test_rows_are_placed_by_timecodes_that_count_sixty(tmp_path: Path) -> None:
    """Phones drop rows: 25 to 30 a second of a timecode that counts 60. Row for frame, the jaw would drift."""
    write_take(tmp_path / "in", fps=60.0)
    path = tmp_path / "in" / "take.csv"
    header, *rows = path.read_text().splitlines()
    kept = [row for index, row in enumerate(rows) if index % 2 == 0 and index % 14]
    path.write_text("\n".join([header, *kept]) + "\n")
    assert abs(lag(loaded(add(tmp_path / "in", "livelink", tmp_path / "out")))) <= 1


def test_a_long_take_is_its_own_style_by_another_part(tmp_path: Path) -> None:
    write_take(tmp_path / "in")
    one, other = loaded(add(tmp_path / "in", "livelink", tmp_path / "out"))
    np.testing.assert_array_equal(one.style, other.face[: len(one.style)])
    np.testing.assert_array_equal(other.style, one.face[: len(other.style)])


def write_take_folder(folder: Path, timecode: str) -> None:
    """Write a take folder of the app: a MOV with sound and timecode, calibrated and raw curves, and logs."""
    write_take(folder, "Slate_1_iPhone")
    stem = folder / "Slate_1_iPhone"
    with wave.open(f"{stem}.wav", "rb") as voice:
        samples = np.frombuffer(voice.readframes(voice.getnframes()), np.int16)
    with av.open(str(stem) + ".mov", "w") as file:
        file.metadata["timecode"] = timecode
        picture = file.add_stream("h264", rate=30, options={"preset": "ultrafast"})
        picture.width = picture.height = 64
        picture.pix_fmt = "yuv420p"
        sound = file.add_stream("pcm_s16le", rate=RATE, layout="mono")
        for index in range(300):
            frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, 30)
            file.mux(picture.encode(frame))
        block = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
        block.sample_rate, block.pts = RATE, 0
        file.mux(sound.encode(block))
        for stream in (picture, sound):
            file.mux(stream.encode(None))
    Path(f"{stem}.wav").unlink()
    shutil.move(f"{stem}.csv", f"{stem}_cal.csv")
    write_curves(FaceCurves.zeros(600, 60.0), Path(f"{stem}_raw.csv"))
    write_curves(FaceCurves.zeros(1, 60.0), Path(f"{stem}_neutral.csv"))
    (folder / "take.json").write_text('{"slate": "Slate", "subject": "iPhone"}')
    (folder / "frame_log.csv").write_text("V,0,1,2\n")


def test_take_folders_start_by_their_timecodes(tmp_path: Path) -> None:
    """The sound begins 0.4 s before the curves; calibrated curves are taken; the phone is no actor."""
    folder = tmp_path / "in" / "ben" / "20260101_Slate_1"
    write_take_folder(folder, "10:00:01:06")
    write_curves(made_curves(start=36_001.6), folder / "Slate_1_iPhone_cal.csv")
    summary = add(tmp_path / "in", "auto", tmp_path / "out")
    assert summary.layout == "livelink"
    assert not summary.refused
    assert list(summary.seconds) == ["ben"]
    assert abs(lag(loaded(summary)) - 20) <= 1  # the made voice and jaw open at the same seconds of their own
    assert summary.seconds["ben"] == pytest.approx(9.6, abs=0.1)


@pytest.mark.parametrize(("rate", "frames"), [(60, 59), (24, 23)])
def test_the_first_timecode_is_a_time_of_day(rate: int, frames: int, tmp_path: Path) -> None:
    header = ",".join(["Timecode", "BlendShapeCount", *ARKIT_NAMES])
    codes = [f"01:02:03:{frames}", *(f"01:02:04:{frame:02d}" for frame in range(rate)), "01:02:05:00"]
    rows = [",".join([code, "52", *["0"] * 52]) for code in codes]
    (tmp_path / "take.csv").write_text("\n".join([header, *rows]))
    assert first_timecode(tmp_path / "take.csv") == pytest.approx(3723 + frames / rate, abs=1e-6)


def test_clocks_of_other_days_are_no_offset(tmp_path: Path) -> None:
    folder = tmp_path / "in" / "20260101_Slate_1"
    write_take_folder(folder, "16:20:00:00")
    write_curves(made_curves(start=36_001.6), folder / "Slate_1_iPhone_cal.csv")
    assert abs(lag(loaded(add(tmp_path / "in", "livelink", tmp_path / "out")))) <= 1


def test_sound_and_curves_of_other_lengths_are_noted(tmp_path: Path) -> None:
    write_take(tmp_path / "in")
    write_voice(tmp_path / "in" / "take.wav", 13.0)
    summary = add(tmp_path / "in", "livelink", tmp_path / "out")
    (note,) = summary.notes
    assert note.path == "take.csv"
    assert "differ by 3.0 s" in note.reason


def test_folders_name_actors_and_emotions(tmp_path: Path) -> None:
    write_take(tmp_path / "in" / "anna" / "joy" / "level_2")
    write_take(tmp_path / "in" / "anna" / "calm")
    write_take(tmp_path / "in" / "ben")
    summary = add(tmp_path / "in", "livelink", tmp_path / "out", emotion="sad:0.5")
    intensities = {
        (item.actor, EMOTIONS[int(item.emotion[0].argmax())], round(float(item.emotion.max()), 2))
        for item in loaded(summary)
    }
    assert intensities == {("anna", "happy", 0.67), ("anna", "sad", 0.5), ("ben", "sad", 0.5)}
    report = json.loads((tmp_path / "out" / "livelink_in.json").read_text())
    assert {(row["face"], row["emotion"]) for row in report["recordings"]} == {
        ("anna/joy/level_2/take.csv", "happy"),
        ("anna/calm/take.csv", "sad"),
        ("ben/take.csv", "sad"),
    }


def test_bad_files_are_listed_and_the_rest_is_added(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    write_take(folder / "good")
    write_take(folder / "bad", "broken")
    header, first, *rows = (folder / "bad" / "broken.csv").read_text().splitlines()
    first = first.rpartition(",")[0] + ",wide"
    (folder / "bad" / "broken.csv").write_text("\n".join([header, first, *rows]))
    write_take(folder / "bad", "mute")
    (folder / "bad" / "mute.wav").unlink()
    write_take(folder / "bad", "noise")
    (folder / "bad" / "noise.wav").write_bytes(b"RIFF nothing")
    (folder / "bad" / "table.csv").write_text("a,b\n1,2\n")
    (folder / "bad" / "depth").mkdir()
    (folder / "bad" / "depth" / "take.json").write_text("{}")
    outside = tmp_path / "secret.csv"
    write_curves(made_curves(), outside)
    (folder / "bad" / "linked.csv").symlink_to(outside)
    (folder / "bad" / "elsewhere").symlink_to(tmp_path)
    write_take(folder / "short")
    write_curves(made_curves(seconds=0.5), folder / "short" / "take.csv")
    summary = add(folder, "livelink", tmp_path / "out")
    assert list(summary.seconds) == ["good"]
    reasons = refused(summary)
    assert "row 2" in reasons["bad/broken.csv"]
    assert "mute.wav" in reasons["bad/mute.csv"]
    assert "cannot be decoded" in reasons["bad/noise.csv"] or "not audio" in reasons["bad/noise.csv"]
    assert "no Live Link Face CSV" in reasons["bad/table.csv"]
    assert "MetaHuman Animator" in reasons["bad/depth"]
    assert "leads out of the folder" in reasons["bad/linked.csv"]
    assert "leads out of the folder" in reasons["bad/elsewhere"]
    assert "do not overlap" in reasons["short/take.csv"]
    assert len(reasons) == 8
    report = json.loads((tmp_path / "out" / "livelink_in.json").read_text())
    assert {row["path"] for row in report["refused"]} == set(reasons)


def test_a_lone_short_clip_has_no_style(tmp_path: Path) -> None:
    write_take(tmp_path / "in" / "anna")
    write_take(tmp_path / "in" / "ben")
    write_curves(made_curves(seconds=5.0), tmp_path / "in" / "ben" / "take.csv")
    summary = add(tmp_path / "in", "livelink", tmp_path / "out")
    assert "only clip of its actor" in refused(summary)["ben/take.csv"]
    assert summary.recordings == 1


# ---- running again


def test_a_second_run_converts_only_what_is_new(tmp_path: Path) -> None:
    write_take(tmp_path / "in" / "anna", "one")
    first = add(tmp_path / "in", "livelink", tmp_path / "out")
    write_take(tmp_path / "in" / "anna", "two", fps=30.0)
    seen: list[tuple[int, int, str]] = []
    second = add(tmp_path / "in", "livelink", tmp_path / "out", lambda *step: seen.append(step))
    assert (first.converted, second.converted, second.recordings) == (1, 1, 2)
    assert seen == [(0, 2, "anna/one.csv"), (1, 2, "anna/two.csv")]
    assert second.seconds["anna"] == pytest.approx(2 * first.seconds["anna"], abs=0.1)
    performances = loaded(second)
    # The style is a clip of the other recording: theirs differ in the last digit of the jaw.
    assert all(len(performance.style) == len(performances[0].face) for performance in performances)


def test_a_stopped_run_goes_on(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_take(tmp_path / "in", name)

    def stop(done: int, total: int, name: str) -> None:
        if done == 1:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        add(tmp_path / "in", "livelink", tmp_path / "out", stop)
    assert add(tmp_path / "in", "livelink", tmp_path / "out").converted == 1


def test_a_damaged_copy_is_made_again_and_a_changed_file_is_read_again(tmp_path: Path) -> None:
    write_take(tmp_path / "in")
    add(tmp_path / "in", "livelink", tmp_path / "out")
    (kept,) = (tmp_path / "out" / "converted").iterdir()
    kept.write_bytes(kept.read_bytes()[:100])
    assert add(tmp_path / "in", "livelink", tmp_path / "out").converted == 1
    write_curves(made_curves(fps=30.0), tmp_path / "in" / "take.csv")
    assert add(tmp_path / "in", "livelink", tmp_path / "out").converted == 1
    assert add(tmp_path / "in", "livelink", tmp_path / "out").converted == 0


def test_files_of_actors_who_left_are_removed(tmp_path: Path) -> None:
    for actor in ("anna", "ben"):
        write_take(tmp_path / "in" / actor)
    add(tmp_path / "in", "livelink", tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").glob("*.npz")} == {"livelink_in_anna.npz", "livelink_in_ben.npz"}
    shutil.rmtree(tmp_path / "in" / "ben")
    add(tmp_path / "in", "livelink", tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").glob("*.npz")} == {"livelink_in_anna.npz"}


# ---- wrong use


def test_wrong_use_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match="unknown layout 'vicon'"):
        add(tmp_path, "vicon", tmp_path / "out")
    with pytest.raises(ConfigError, match="unknown emotion 'cosy'"):
        add(tmp_path, "auto", tmp_path / "out", emotion="cosy")
    with pytest.raises(ConfigError, match=r"must lie in 0\.\.1"):
        add(tmp_path, "auto", tmp_path / "out", emotion="happy:2")
    with pytest.raises(DreamTalkError, match="is no folder"):
        add(tmp_path / "missing", "auto", tmp_path / "out")
    with pytest.raises(DreamTalkError, match="neither Live Link Face CSVs"):
        add(tmp_path / "empty", "auto", tmp_path / "out")
    with pytest.raises(DreamTalkError, match=r"nothing in .* can be added in the layout 'mead'"):
        add(tmp_path / "empty", "mead", tmp_path / "out")
