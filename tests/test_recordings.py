"""A studio's recordings as performances: small made examples of every layout, measured in time and value."""

from __future__ import annotations

import json
import shutil
import wave
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from blendshape_rigs.arkit import ARKIT_INDEX, ARKIT_NAMES, EMOTIONS
from blendshape_rigs.curves import FaceCurves
from blendshape_rigs.formats import write_curves
from blendshape_rigs.formats.livelink import first_timecode
from model_server.audio.phones import PHONE_INDEX
from model_server.errors import Cancelled, ConfigError, DreamTalkError, WeightsError
from model_server.pipeline.portrait_video import make_portrait_video
from model_server.training.performances import Performance, load_performances
from model_server.training.recordings import Refused, Summary, add
from model_server.training.recordings.beat import sequence_emotion
from model_server.training.recordings.folder import list_folder
from model_server.training.recordings.importer import detect_layout
from model_server.training.recordings.recording import Listing, Recording
from model_server.training.recordings.transcripts import read_textgrid
from model_server.training.recordings.videos import find_hdtf, find_mead

RATE = 16_000
PULSES = (0.8, 1.5, 2.6, 3.1, 4.2, 5.0, 6.3, 7.1, 8.0, 9.3)
"""Seconds at which the made voice is loud and the made jaw open."""

_JAW = ARKIT_INDEX["jawOpen"]
_LOUDNESS = 44


def pulses(times: np.ndarray) -> np.ndarray:
    """Return 0..1: a bump of about 0.2 s around each of ``PULSES``."""
    return np.exp(-0.5 * ((times[:, None] - np.array(PULSES)) / 0.08) ** 2).max(axis=1)


def write_voice(path: Path, seconds: float = 10.0, lead: float = 0.0) -> None:
    """Write a buzz that is loud at ``PULSES``, ``lead`` seconds late, over faint noise."""
    times = np.arange(round(seconds * RATE)) / RATE
    buzz = sum(np.sin(2 * np.pi * 120 * harmonic * times) / harmonic for harmonic in range(1, 20))
    noise = np.random.default_rng(1).standard_normal(len(times))
    samples = 0.15 * buzz * pulses(times - lead) + 1e-4 * noise
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((samples.clip(-1, 1) * 32767).astype("<i2").tobytes())


def made_curves(fps: float = 60.0, seconds: float = 10.0, start: float = 0.0) -> FaceCurves:
    """Return curves whose jaw opens at ``PULSES`` seconds after their start; channel c otherwise rests at c / 100."""
    times = np.arange(round(seconds * fps)) / fps
    values = np.tile(np.arange(52, dtype=np.float32) / 100, (len(times), 1))
    values[:, _JAW] = pulses(times)
    rotation = np.tile(np.float32([0.1, -0.2, 0.05]), (len(times), 1))
    return FaceCurves(values, rotation, np.zeros_like(rotation), fps, start)


def write_take(folder: Path, stem: str = "take", **curves: float) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    write_voice(folder / f"{stem}.wav")
    write_curves(made_curves(**curves), folder / f"{stem}.csv")


def write_beat(folder: Path, stem: str, voice: Path | None = None, first: float = 1 / 60) -> None:
    """Write a sequence as BEAT does: names in an order of its own, no tongue, weights at times."""
    folder.mkdir(parents=True, exist_ok=True)
    names = sorted(name for name in ARKIT_NAMES if name != "tongueOut")
    columns = [ARKIT_INDEX[name] for name in names]
    times = first + np.arange(590) / 60
    values = np.tile(np.arange(52) / 100, (len(times), 1))
    values[:, _JAW] = pulses(times)
    frames = [
        {"weights": row, "time": time, "rotation": []}
        for row, time in zip(values[:, columns].tolist(), times.tolist(), strict=True)
    ]
    (folder / f"{stem}.json").write_text(json.dumps({"names": names, "frames": frames}))
    write_voice(voice or folder / f"{stem}.wav")


def loaded(summary: Summary) -> list[Performance]:
    return [performance for path in summary.files for performance in load_performances(path)]


def joined(performances: list[Performance], name: str) -> np.ndarray:
    return np.concatenate([getattr(performance, name) for performance in performances]).astype(np.float64)


def lag(performances: list[Performance]) -> int:
    """Return the frames by which the jaw comes later than the voice."""
    loudness, jaw = joined(performances, "audio")[:, _LOUDNESS], joined(performances, "face")[:, _JAW]
    loudness = np.maximum(loudness, -0.8)
    scores = {shift: np.corrcoef(loudness[30:-30], np.roll(jaw, -shift)[30:-30])[0, 1] for shift in range(-30, 31)}
    assert max(scores.values()) > 0.8
    return max(scores, key=lambda shift: scores[shift])


def refused(summary: Summary) -> dict[str, str]:
    return {item.path: item.reason for item in summary.refused}


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
    others = np.delete(np.arange(52), _JAW)
    np.testing.assert_allclose(face[:, others], np.tile(others / 100, (len(face), 1)), atol=1e-3)
    assert face[:, _JAW].max() == pytest.approx(1, abs=0.05)
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


# ---- BEAT and BEAT2


def test_beat_sequences_with_emotions_of_their_numbers(tmp_path: Path) -> None:
    write_beat(tmp_path / "beat" / "1", "1_wayne_0_73_73")
    write_beat(tmp_path / "beat" / "1", "1_wayne_0_74_74")
    write_beat(tmp_path / "beat" / "2", "2_scott_1_1_1", first=0.5)
    (tmp_path / "beat" / "1" / "1_wayne_0_74_74.txt").write_text("01_beat_align\t0\t1\t1\t0.1\n")
    summary = add(tmp_path / "beat", "auto", tmp_path / "out")
    assert summary.layout == "beat"
    assert not summary.notes
    performances = loaded(summary)
    wayne = [item for item in performances if item.actor == "1_wayne"]
    scott = [item for item in performances if item.actor == "2_scott"]
    assert {int(item.emotion[0].argmax()) for item in wayne} == {EMOTIONS.index("angry")}
    assert joined(wayne, "emotion").max() == pytest.approx(2 / 3, abs=1e-3)
    assert not joined(scott, "emotion").any()
    assert abs(lag(wayne)) <= 1
    assert abs(lag(scott)) <= 1
    face = joined(wayne, "face")
    assert face[:, ARKIT_INDEX["tongueOut"]].max() == 0
    np.testing.assert_allclose(face[:, ARKIT_INDEX["browInnerUp"]], ARKIT_INDEX["browInnerUp"] / 100, atol=1e-3)


@pytest.mark.parametrize(
    ("first", "emotion"),
    [
        (1, "neutral"),
        (64, "neutral"),
        (65, "happy"),
        (80, "angry"),
        (81, "sad"),
        (94, "contempt"),
        (95, "surprised"),
        (110, "fear"),
        (118, "disgusted"),
    ],
)
def test_numbers_of_beat_tell_the_emotion(first: int, emotion: str) -> None:
    assert sequence_emotion(0, first)[0] == emotion
    assert sequence_emotion(1, first) == ("neutral", 0.0)


def test_beat2_needs_arkit_weights(tmp_path: Path) -> None:
    root = tmp_path / "beat_english_v2.0.0"
    for stem in ("2_scott_0_65_65", "2_scott_0_66_66"):
        (root / "smplxflame_30").mkdir(parents=True, exist_ok=True)
        np.savez(root / "smplxflame_30" / f"{stem}.npz", expressions=np.zeros((30, 100)))
    write_beat(root / "json", "2_scott_0_65_65", root / "wave16k" / "2_scott_0_65_65.wav")
    summary = add(root, "auto", tmp_path / "out")
    assert summary.layout == "beat2"
    assert summary.recordings == 1
    reason = refused(summary)["smplxflame_30/2_scott_0_66_66.npz"]
    assert "FLAME expression coefficients, not ARKit weights; put 2_scott_0_66_66.json" in reason
    shutil.rmtree(root / "json")
    with pytest.raises(DreamTalkError, match="FLAME expression coefficients"):
        add(root, "beat2", tmp_path / "out")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda content: content["frames"][5]["weights"].pop(), "no JSON of BEAT"),
        (lambda content: content["frames"][5].update(time=0.0), "do not go on"),
        (lambda content: content["names"].__setitem__(0, "jawWide"), "'jawWide' is not an ARKit blendshape"),
        (lambda content: content["frames"][5]["weights"].__setitem__(0, 1e9), "frame 5"),
        (lambda content: content["frames"][5]["weights"].__setitem__(0, 10**400), "no JSON of BEAT"),
        (lambda content: content.pop("frames"), "no JSON of BEAT"),
    ],
)
def test_broken_beat_files_say_what_is_wrong(
    change: Callable[[dict[str, list[dict[str, list[float]]]]], object], reason: str, tmp_path: Path
) -> None:
    write_beat(tmp_path, "1_wayne_0_1_1")
    path = tmp_path / "1_wayne_0_1_1.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    with pytest.raises(DreamTalkError, match=reason):
        add(tmp_path, "beat", tmp_path / "out")


# ---- transcripts

TEXTGRID = """File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0
xmax = 10
tiers? <exists>
size = 2
item []:
    item [1]:
        class = "IntervalTier"
        name = "words"
        xmin = 0
        xmax = 10
        intervals: size = 2
        intervals [1]:
            xmin = 0
            xmax = 1
            text = ""
        intervals [2]:
            xmin = 1
            xmax = 2
            text = "[so-called] ""my"" way"
    item [2]:
        class = "IntervalTier"
        name = "phones"
        xmin = 0
        xmax = 10
        intervals: size = 4
        intervals [1]:
            xmin = 0
            xmax = 1.0
            text = "sp"
        intervals [2]:
            xmin = 1.0
            xmax = 1.4
            text = "M"
        intervals [3]:
            xmin = 1.4
            xmax = 2.4
            text = "AY1"
        intervals [4]:
            xmin = 2.4
            xmax = 10
            text = ""
"""


def test_textgrids_are_read_in_both_forms(tmp_path: Path) -> None:
    long, short = tmp_path / "long.TextGrid", tmp_path / "short.TextGrid"
    long.write_text(TEXTGRID)
    short.write_text(
        'File type = "ooTextFile"\nObject class = "TextGrid"\n\n0\n10\n<exists>\n1\n"IntervalTier"\n"words"\n0\n10\n1\n'
        '0.5\n2\n"hello"\n',
        encoding="utf-16",
    )
    assert [word.text for word in read_textgrid(long)["words"]] == ["", '[so-called] "my" way']
    assert [(word.text, word.start, word.end) for word in read_textgrid(short)["words"]] == [("hello", 0.5, 2.0)]
    broken = (TEXTGRID[:600], TEXTGRID.replace("size = 4", "size = 999999999999"), TEXTGRID.replace("2.4", "1e999"))
    for text in (*broken, TEXTGRID.replace('"M"', "7")):
        long.write_text(text)
        with pytest.raises(DreamTalkError, match="breaks off or is damaged"):
            read_textgrid(long)
    long.write_text("no TextGrid")
    with pytest.raises(DreamTalkError, match="is no TextGrid"):
        read_textgrid(long)


def test_phones_of_a_textgrid_are_what_is_heard(tmp_path: Path) -> None:
    write_beat(tmp_path / "in", "1_wayne_0_1_1")
    (tmp_path / "in" / "1_wayne_0_1_1.TextGrid").write_text(TEXTGRID)
    audio = joined(loaded(add(tmp_path / "in", "beat", tmp_path / "out")), "audio")
    start = 1  # the face's first frame is at 1/60 s
    for seconds, phone in ((0.5, "sil"), (1.2, "m"), (1.7, "a"), (2.2, "ɪ"), (5.0, "sil")):
        frame = round(seconds * 50) - start
        assert audio[frame, :42].argmax() == PHONE_INDEX[phone]
        assert audio[frame, :42].max() > 0.95


def test_words_beside_a_recording_are_aligned(shared_data: Path, tmp_path: Path) -> None:
    speech = shared_data / "speech_ljspeech"
    lines = [line.split("|") for line in (speech / "metadata.csv").read_text().splitlines()]
    texts = {name: text for name, text, *_ in lines}
    folder = tmp_path / "in" / "linda"
    folder.mkdir(parents=True)
    for name in ("LJ001-0002", "LJ001-0008"):
        shutil.copy(speech / f"{name}.flac", folder)
        write_curves(made_curves(), folder / f"{name}.csv")
    plain = joined(loaded(add(tmp_path / "in", "livelink", tmp_path / "plain")), "audio")
    (folder / "LJ001-0002.txt").write_text(texts["LJ001-0002"])
    (folder / "LJ001-0008.txt").write_bytes(b"\xff\xfa\x80")
    summary = add(tmp_path / "in", "livelink", tmp_path / "aligned")
    aligned = joined(loaded(summary), "audio")
    (unread,) = [note for note in summary.notes if "LJ001-0008.txt is not used" in note.reason]
    assert "not UTF-8" in unread.reason
    assert not any("LJ001-0002.txt" in note.reason for note in summary.notes)
    length = round(1.9 * 50)  # LJ001-0002 lasts 1.9 s
    certain, heard = ((audio[:length, :42].max(axis=1) > 0.8).mean() for audio in (aligned, plain))
    assert certain > 0.85
    assert heard < certain - 0.1
    same = plain[:length, :42].argmax(axis=1) == aligned[:length, :42].argmax(axis=1)
    assert same.mean() > 0.4
    np.testing.assert_array_equal(plain[:length, 42:], aligned[:length, 42:])
    np.testing.assert_array_equal(plain[length + 5 :], aligned[length + 5 :])


# ---- videos, MEAD, HDTF


def test_mead_folders_are_understood() -> None:
    files = (
        "M003/audio/angry/level_2/001.m4a",
        "M003/video/front/angry/level_2/001.mp4",
        "M003/video/front/neutral/level_1/002.mp4",
        "M003/video/front/sadly/level_1/003.mp4",
        "M003/video/left_30/angry/level_2/001.mp4",
        "extra/clip.mp4",
    )
    found = find_mead(Listing(Path("MEAD"), files))
    angry, neutral = [item for item in found if isinstance(item, Recording)]
    assert (angry.actor, angry.emotion, angry.sound) == ("M003", ("angry", 2 / 3), files[0])
    assert (neutral.emotion, neutral.sound) == (("neutral", 1 / 3), files[2])
    reasons = {item.path: item.reason for item in found if isinstance(item, Refused)}
    assert "sadly/level_1" in reasons[files[3]]
    assert "actor/video/view/emotion/level_n" in reasons[files[5]]
    assert "1 video(s) of other views" in reasons["video"]


def test_hdtf_names_and_annotations_are_understood(tmp_path: Path) -> None:
    for name in ("RD_Radio1_000", "RD_Radio1_001", "WDA_JoeBiden0_000", "Radio11", "RD_Radio1", "x-1"):
        (tmp_path / f"{name}.mp4").touch()
    (tmp_path / "RD_annotion_time.txt").write_text(
        "Radio1.mp4 00:20-01:35\nRadio11.mp4 00:30-01:00 1:01:30-1:02:30 broken\n"
    )
    found = find_hdtf(list_folder(tmp_path, tmp_path / "out")[0])
    recordings = {item.face: item for item in found if isinstance(item, Recording)}
    assert {name: item.actor for name, item in recordings.items()} == {
        "RD_Radio1_000.mp4": "RD_Radio1",
        "RD_Radio1_001.mp4": "RD_Radio1",
        "WDA_JoeBiden0_000.mp4": "WDA_JoeBiden",
        "Radio11.mp4": "Radio11",
    }
    assert recordings["Radio11.mp4"].spans == ((30.0, 60.0), (3690.0, 3750.0))
    assert recordings["RD_Radio1_000.mp4"].spans == ()
    assert {item.path for item in found if isinstance(item, Refused)} == {"RD_Radio1.mp4", "x-1.mp4"}


@pytest.mark.parametrize(
    ("files", "layout"),
    [
        (["M003/video/front/angry/level_2/001.mp4"], "mead"),
        (["clips/RD_Radio1_000.mp4"], "hdtf"),
        (["Radio1.mp4", "RD_annotion_time.txt"], "hdtf"),
        (["interview.mp4"], "video"),
        (["1/1_wayne_0_1_1.json", "1/1_wayne_0_1_1.wav"], "beat"),
        (["smplxflame_30/1_wayne_0_1_1.npz"], "beat2"),
    ],
)
def test_layouts_are_known_by_their_names(files: list[str], layout: str) -> None:
    assert detect_layout(Listing(Path("in"), tuple(files))) == layout


@pytest.fixture(scope="module")
def talking_video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a video of four seconds: a photograph whose jaw opens at ``PULSES``, with the made voice."""
    photographs = pytest.importorskip("skimage.data", reason="scikit-image has the test photograph")
    folder = tmp_path_factory.mktemp("video")
    Image.fromarray(photographs.astronaut()[:320, 64:384]).save(folder / "photo.png")
    curves = made_curves(25.0, 4.0)
    values = np.zeros_like(curves.values)
    values[:, _JAW] = 0.7 * curves.channel("jawOpen")
    still = np.zeros_like(curves.head_rotation)
    write_voice(folder / "voice.wav", 4.0)
    moving = FaceCurves(values, still, still, 25.0)
    make_portrait_video(folder / "photo.png", moving, folder / "voice.wav", folder / "talking.mp4")
    return folder / "talking.mp4"


def test_mead_videos_are_captured_and_heard(talking_video: Path, shared_data: Path, tmp_path: Path) -> None:
    root = tmp_path / "MEAD"
    for emotion, level, number in (("happy", 1, "001"), ("happy", 3, "002"), ("fear", 2, "001")):
        film = root / "W009" / "video" / "front" / emotion / f"level_{level}" / f"{number}.mp4"
        film.parent.mkdir(parents=True)
        shutil.copy(talking_video, film)
    sound = root / "W009" / "audio" / "happy" / "level_1" / "001.wav"
    write_voice(sound, 4.0)
    model = shared_data / "models" / "face_landmarker.task"
    summary = add(root, "auto", tmp_path / "out", face_landmarker=model)
    assert summary.layout == "mead"
    assert summary.recordings == 2
    assert "only clip of its actor in its emotion" in refused(summary)["W009/video/front/fear/level_2/001.mp4"]
    performances = loaded(summary)
    happy = EMOTIONS.index("happy")
    assert sorted(round(float(item.emotion[0, happy]), 2) for item in performances) == [0.33, 1.0]
    assert {item.actor for item in performances} == {"W009"}
    assert summary.files[0].name == "mead_MEAD_W009.npz"
    # What capture says of the mouth is what was rendered, at the time of the voice.
    jaw = joined(performances, "face")[:, _JAW]
    wanted = np.concatenate([pulses(np.arange(len(item)) / 50) for item in performances])
    scores = [np.corrcoef(np.roll(jaw, -shift)[10:-10], wanted[10:-10])[0, 1] for shift in range(-6, 7)]
    assert max(scores) > 0.8
    assert abs(int(np.argmax(scores)) - 6) <= 2  # a frame of the video is two of ours


def test_annotated_stretches_of_a_video_alone_count(talking_video: Path, shared_data: Path, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for number in (1, 2):
        shutil.copy(talking_video, tmp_path / "in" / f"WDA_JoeBiden{number}.mp4")
    (tmp_path / "in" / "WDA_annotion_time.txt").write_text("JoeBiden1.mp4 00:01-00:03\nJoeBiden2.mp4 00:00-00:02\n")
    model = shared_data / "models" / "face_landmarker.task"
    summary = add(tmp_path / "in", "hdtf", tmp_path / "out", emotion="angry:0.4", face_landmarker=model)
    assert summary.seconds == {"WDA_JoeBiden": pytest.approx(4.0, abs=0.05)}
    assert {round(float(item.emotion.max()), 2) for item in loaded(summary)} == {0.4}


def test_videos_without_a_model_stop_at_once(
    talking_video: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("DREAMTALK_FACE_LANDMARKER", raising=False)
    with pytest.raises(WeightsError, match="never downloaded by itself"):
        add(talking_video.parent, "video", tmp_path / "out")


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
