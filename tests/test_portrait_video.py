"""Portrait videos and picture sequences: real files, read back."""

from __future__ import annotations

import wave
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image
from portrait_support import weights

from blendshape_rigs.curves import FaceCurves, Provenance
from model_server.errors import AudioError, Cancelled, ExportError
from model_server.pipeline.portrait_video import PortraitOptions, make_portrait_video
from model_server.portrait.photo import Photo, photo_from_array
from model_server.portrait.picture_sequence import numbered
from model_server.portrait.video import FrameQueue

skimage_data = pytest.importorskip("skimage.data", reason="scikit-image has the test photograph")


@pytest.fixture(scope="module")
def photo() -> Photo:
    return photo_from_array(skimage_data.astronaut(), "astronaut")


def write_tone(path: Path, seconds: float, onset: float) -> None:
    """Write mono 16-bit sound that is silent up to ``onset`` seconds."""
    rate = 22_050
    times = np.arange(round(seconds * rate)) / rate
    samples = (np.sin(2 * np.pi * 440 * times) * (times >= onset) * 20_000).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.tobytes())


def read_back(path: Path) -> tuple[list[float], np.ndarray, np.ndarray]:
    """Return the pictures' times, the sound's sample times and the sound (N,)."""
    with av.open(str(path)) as file:
        pictures = [float(frame.time) for frame in file.decode(video=0)]
    times, samples = [], []
    with av.open(str(path)) as file:
        for frame in file.decode(audio=0):
            block = frame.to_ndarray()[0]
            times.append(frame.time + np.arange(len(block)) / frame.sample_rate)
            samples.append(block)
    return pictures, np.concatenate(times), np.concatenate(samples)


@pytest.mark.parametrize(("start", "fps"), [(0.0, 30.0), (0.4, 25.0), (-0.3, 24.0)])
def test_the_video_has_every_frame_and_sound_in_step(tmp_path: Path, photo: Photo, start: float, fps: float) -> None:
    Image.fromarray(photo.pixels[:300, 60:360]).save(tmp_path / "photo.png")
    write_tone(tmp_path / "tone.wav", 3.0, onset=0.9)
    made = Provenance("speech", model_hash="abc123", emotion="happy 0.80", seed=7)
    curves = FaceCurves(np.tile(weights(jawOpen=0.3), (40, 1)), np.zeros((40, 3)), np.zeros((40, 3)), fps, start, made)
    seconds: list[float] = []
    out = tmp_path / "video.mp4"
    make_portrait_video(tmp_path / "photo.png", curves, tmp_path / "tone.wav", out, seconds.append)

    pictures, times, sound = read_back(out)
    assert len(pictures) == 40
    assert pictures == pytest.approx(np.arange(40) / fps, abs=1e-3)
    assert times[-1] == pytest.approx(40 / fps, abs=0.05)
    onset = times[np.argmax(np.abs(sound) > 0.1)]
    assert onset == pytest.approx(0.9 - start, abs=0.025)
    assert len(seconds) == 40
    assert seconds[-1] == pytest.approx(40 / fps)
    with av.open(str(out)) as file:
        assert file.streams.video[0].codec_context.name == "h264"
        assert float(file.streams.video[0].average_rate) == pytest.approx(fps)
        assert "AI-generated" in file.metadata["comment"]
        assert "model=abc123" in file.metadata["description"]
        assert "happy 0.80" in file.metadata["description"]


def test_without_sound_the_video_is_silent(tmp_path: Path, photo: Photo) -> None:
    Image.fromarray(photo.pixels[:300, 60:360]).save(tmp_path / "photo.png")
    make_portrait_video(tmp_path / "photo.png", FaceCurves.zeros(3, 30), None, tmp_path / "video.mp4")
    with av.open(str(tmp_path / "video.mp4")) as file:
        assert not file.streams.audio
        assert len(list(file.decode(video=0))) == 3


def test_stopping_leaves_the_old_file_and_no_other(tmp_path: Path, photo: Photo) -> None:
    Image.fromarray(photo.pixels[:300, 60:360]).save(tmp_path / "photo.png")
    out = tmp_path / "out"
    out.mkdir()
    (out / "video.mp4").write_text("the one before")

    def stop(seconds: float) -> None:
        if seconds > 0.05:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        make_portrait_video(tmp_path / "photo.png", FaceCurves.zeros(4, 30), None, out / "video.mp4", stop)
    assert [(file.name, file.read_text()) for file in out.iterdir()] == [("video.mp4", "the one before")]


def test_wrong_outputs_and_recordings_are_refused(tmp_path: Path, photo: Photo) -> None:
    image, curves = tmp_path / "photo.png", FaceCurves.zeros(2, 30)
    Image.fromarray(photo.pixels[:300, 60:360]).save(image)
    with pytest.raises(ExportError, match=r"\.mp4"):
        make_portrait_video(image, curves, None, tmp_path / "video.avi")
    with pytest.raises(ExportError, match="no frames"):
        make_portrait_video(image, FaceCurves.zeros(0, 30), None, tmp_path / "video.mp4")
    with pytest.raises(ExportError, match="cannot be written"):
        make_portrait_video(image, curves, None, tmp_path / "nowhere" / "video.mp4")
    with pytest.raises(AudioError, match="not audio"):
        make_portrait_video(image, curves, image, tmp_path / "video.mp4")
    assert [file.name for file in tmp_path.iterdir()] == ["photo.png"]


@pytest.mark.parametrize("name", ["stop.webm", "stop.png"])
def test_stopping_leaves_nothing(tmp_path: Path, photo: Photo, name: str) -> None:
    Image.fromarray(photo.pixels[:300, 60:360]).save(tmp_path / "photo.jpg")

    def stop(seconds: float) -> None:
        if seconds > 0.05:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        make_portrait_video(tmp_path / "photo.jpg", FaceCurves.zeros(8, 30), None, tmp_path / name, stop)
    assert [file.name for file in tmp_path.iterdir()] == ["photo.jpg"]


def test_webm_without_the_background_is_transparent_and_has_sound(tmp_path: Path, photo: Photo) -> None:
    Image.fromarray(photo.pixels[:300, 60:360]).save(tmp_path / "photo.png")
    write_tone(tmp_path / "tone.wav", 0.3, onset=0.0)
    out = tmp_path / "video.webm"
    curves = FaceCurves.zeros(5, 25)
    without = PortraitOptions(background=False)
    make_portrait_video(tmp_path / "photo.png", curves, tmp_path / "tone.wav", out, options=without)

    with av.open(str(out)) as file:
        assert file.streams.video[0].metadata["alpha_mode"] == "1"
        assert file.streams.audio[0].codec_context.name == "opus"
        assert "AI-generated" in {key.lower(): text for key, text in file.metadata.items()}["comment"]
        # FFmpeg's own decoder of VP9 leaves the alpha out.
        decoder = av.codec.CodecContext.create("libvpx-vp9", "r")
        pictures = [f.to_ndarray(format="rgba") for p in file.demux(video=0) for f in decoder.decode(p)]
    assert len(pictures) == 5
    assert (pictures[0][5:60, 250:290, 3] < 10).all()
    assert (pictures[0][90:110, 110:160, 3] > 245).all()


def test_an_mp4_cannot_be_transparent(tmp_path: Path, photo: Photo) -> None:
    Image.fromarray(photo.pixels[:300, 60:360]).save(tmp_path / "photo.png")
    with pytest.raises(ExportError, match="transparent"):
        make_portrait_video(
            tmp_path / "photo.png",
            FaceCurves.zeros(2, 25),
            None,
            tmp_path / "video.mp4",
            options=PortraitOptions(background=False),
        )


@pytest.mark.parametrize("background", [True, False])
def test_a_sequence_has_numbered_pictures_that_say_what_they_are(
    tmp_path: Path, photo: Photo, background: bool
) -> None:
    Image.fromarray(photo.pixels[:300, 60:360]).save(tmp_path / "photo.jpg")
    (tmp_path / "out").mkdir()
    make_portrait_video(
        tmp_path / "photo.jpg",
        FaceCurves.zeros(3, 25),
        None,
        tmp_path / "out" / "shot_###_v2.png",
        options=PortraitOptions(background=background),
    )
    made = sorted((tmp_path / "out").iterdir())
    assert [file.name for file in made] == ["shot_001_v2.png", "shot_002_v2.png", "shot_003_v2.png"]
    with Image.open(made[0]) as picture:
        assert picture.mode == ("RGB" if background else "RGBA")
        assert picture.size == (300, 300)
        assert "AI-generated" in picture.info["Comment"]
        first = np.asarray(picture)
    if not background:
        assert first[20, 280, 3] == 0
        assert first[100, 140, 3] == 255


def test_a_name_without_a_number_gets_one() -> None:
    assert numbered(Path("a/shot.png"), 7) == Path("a/shot_0007.png")
    assert numbered(Path("a/s#_##.png"), 123) == Path("a/s#_123.png")


def test_the_queue_keeps_the_order_and_passes_errors_on() -> None:
    written: list[int] = []

    def write(frame: np.ndarray) -> None:
        if frame[0] == 6:
            raise ExportError("disk full")
        written.append(int(frame[0]))

    with FrameQueue(write) as queue:
        for number in range(5):
            queue.put(np.array([number], np.uint8))
    assert written == [0, 1, 2, 3, 4]
    with pytest.raises(ExportError, match="disk full"), FrameQueue(write) as queue:
        for number in range(6, 40):
            queue.put(np.array([number], np.uint8))
    assert written[-1] == 4
