"""BEAT, BEAT2, transcripts, videos, MEAD and HDTF as performances: small made examples of each layout."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from recordings_support import (
    JAW,
    joined,
    lag,
    loaded,
    made_curves,
    pulses,
    refused,
    write_beat,
    write_voice,
)

from blendshape_rigs.arkit import ARKIT_INDEX, EMOTIONS
from blendshape_rigs.curves import FaceCurves
from blendshape_rigs.formats import write_curves
from model_server.audio.phones import PHONE_INDEX
from model_server.errors import DreamTalkError, WeightsError
from model_server.pipeline.portrait_video import make_portrait_video
from model_server.training.recordings import Refused, add
from model_server.training.recordings.beat import sequence_emotion
from model_server.training.recordings.folder import list_folder
from model_server.training.recordings.importer import detect_layout
from model_server.training.recordings.recording import Listing, Recording
from model_server.training.recordings.transcripts import read_textgrid
from model_server.training.recordings.videos import find_hdtf, find_mead

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
    values[:, JAW] = 0.7 * curves.channel("jawOpen")
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
    jaw = joined(performances, "face")[:, JAW]
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
