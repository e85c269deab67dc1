"""Decoding: every common container, odd sample forms, bad files, time offsets, flat memory."""

from __future__ import annotations

import hashlib
import tracemalloc
import wave
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest

from model_server.audio.decode import SAMPLE_RATE, AudioStream, open_audio
from model_server.errors import AudioError

FloatArray = npt.NDArray[np.float32]


def tone(seconds: float, rate: int = 48_000, frequency: float = 440.0) -> FloatArray:
    """Return (N,) float32, a sine of amplitude 0.5."""
    times = np.arange(round(seconds * rate)) / rate
    return (0.5 * np.sin(2 * np.pi * frequency * times)).astype(np.float32)


def encode(path: Path, samples: FloatArray, rate: int, codec: str, layout: str = "mono", delay: float = 0.0) -> Path:
    """Encode ``samples`` to all of ``layout``'s channels; ``delay`` adds a video that starts at zero."""
    container = av.open(str(path), "w")
    track = container.add_stream(codec, rate=rate)
    track.layout = layout
    if delay:
        picture = container.add_stream("mpeg4", rate=25)
        picture.width = picture.height = 64
        for _ in range(25):
            frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
            container.mux(picture.encode(frame))
        container.mux(picture.encode(None))
    channels = av.AudioLayout(layout).nb_channels
    frame = av.AudioFrame.from_ndarray(np.stack([samples] * channels), format="fltp", layout=layout)
    frame.sample_rate = rate
    frame.time_base = Fraction(1, rate)
    frame.pts = round(delay * rate)
    container.mux(track.encode(frame))
    container.mux(track.encode(None))
    container.close()
    return path


def decode(path: Path) -> FloatArray:
    return np.concatenate(list(open_audio(path).blocks()))


def assert_is_tone(samples: FloatArray, seconds: float) -> None:
    """Check that ``samples`` are :func:`tone` at 16 kHz: its loudness within 10 %, its time within 0.1 ms."""
    assert abs(len(samples) / SAMPLE_RATE - seconds) < 0.03
    times = np.arange(len(samples)) / SAMPLE_RATE
    middle = (times > 0.1) & (times < 0.1 + 0.4)  # whole periods, away from the ends where filters ring
    phasor = 2j * np.mean(samples[middle] * np.exp(-2j * np.pi * 440 * times[middle]))
    assert abs(phasor) == pytest.approx(0.5, rel=0.1)
    assert abs(np.angle(phasor)) / (2 * np.pi * 440) < 1e-4


@pytest.mark.parametrize(
    ("suffix", "codec", "rate", "layout"),
    [
        (".wav", "pcm_s16le", 44_100, "mono"),
        (".wav", "pcm_u8", 8_000, "mono"),
        (".wav", "pcm_s24le", 48_000, "stereo"),
        (".wav", "pcm_f32le", 96_000, "stereo"),
        (".wav", "pcm_f64le", 16_000, "5.1"),
        (".flac", "flac", 44_100, "stereo"),
        (".mp3", "libmp3lame", 44_100, "stereo"),
        (".m4a", "aac", 48_000, "mono"),
        (".opus", "libopus", 48_000, "mono"),
        (".ogg", "libopus", 48_000, "stereo"),
        (".mp4", "aac", 48_000, "stereo"),
        (".mkv", "aac", 44_100, "stereo"),
        (".mov", "pcm_s16le", 48_000, "mono"),
    ],
)
def test_common_formats_decode_to_the_same_sound(
    tmp_path: Path, suffix: str, codec: str, rate: int, layout: str
) -> None:
    path = encode(tmp_path / f"tone{suffix}", tone(1.0, rate), rate, codec, layout)
    assert_is_tone(decode(path), 1.0)


def test_blocks_are_equal_but_the_last_and_join_to_the_same_samples(tmp_path: Path) -> None:
    path = encode(tmp_path / "tone.wav", tone(1.0), 48_000, "pcm_s16le")
    recording = open_audio(path)
    blocks = list(recording.blocks(0.3))
    assert [len(block) for block in blocks] == [4800, 4800, 4800, 1600]
    np.testing.assert_array_equal(np.concatenate(blocks), np.concatenate(list(recording.blocks(10))))
    assert recording.duration == pytest.approx(1.0)
    assert recording.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_channels_are_averaged(tmp_path: Path) -> None:
    path = tmp_path / "stereo.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(np.tile(np.array([16384, 0], "<i2"), 8000).tobytes())
    np.testing.assert_allclose(decode(path), 0.25, atol=1e-4)


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_sound_that_starts_after_the_picture_is_led_in_by_silence(tmp_path: Path, suffix: str) -> None:
    path = encode(tmp_path / f"late{suffix}", tone(1.0), 48_000, "aac", delay=0.5)
    samples = decode(path)
    assert np.abs(samples[: int(0.45 * SAMPLE_RATE)]).max() < 1e-3
    onset = int(np.argmax(np.abs(samples) > 0.1)) / SAMPLE_RATE
    assert onset == pytest.approx(0.5, abs=0.025)


def float_wav(path: Path, samples: FloatArray) -> Path:
    return encode(path, samples, SAMPLE_RATE, "pcm_f32le")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e30])
def test_samples_that_are_no_numbers_name_their_second(tmp_path: Path, bad: float) -> None:
    samples = tone(2.0, SAMPLE_RATE)
    samples[SAMPLE_RATE + 4000] = bad
    recording = open_audio(float_wav(tmp_path / "bad.wav", samples))
    with pytest.raises(AudioError, match=r"'bad\.wav' .* at 1\.25 s"):
        list(recording.blocks())


def test_silence_and_noise_decode(tmp_path: Path) -> None:
    silence = float_wav(tmp_path / "silence.wav", np.zeros(SAMPLE_RATE, np.float32))
    assert not decode(silence).any()
    noise = np.random.default_rng(0).uniform(-1, 1, SAMPLE_RATE).astype(np.float32)
    np.testing.assert_allclose(decode(float_wav(tmp_path / "noise.wav", noise)), noise, atol=1e-6)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty file"),
        (b"This is no recording.\n" * 50, "not audio that can be decoded"),
        (b"#EXTM3U\n#EXTINF:1,\n/etc/hostname\n", "not audio that can be decoded"),
        (b"ffconcat version 1.0\nfile other.wav\n", "not audio that can be decoded"),
    ],
)
def test_files_that_are_no_audio_give_one_clear_error(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "speech.wav"
    path.write_bytes(content)
    with pytest.raises(AudioError, match=message) as caught:
        open_audio(path)
    assert "speech.wav" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_files_and_folders_are_named(tmp_path: Path) -> None:
    for path in (tmp_path / "gone.wav", tmp_path):
        with pytest.raises(AudioError, match=f"'{path.name}' does not exist or is no file"):
            open_audio(path)


@pytest.mark.parametrize(("seconds", "message"), [(0.0, "no sound"), (0.05, "lasts 0.05 s")])
def test_recordings_that_are_too_short_say_so(tmp_path: Path, seconds: float, message: str) -> None:
    path = tmp_path / "short.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, SAMPLE_RATE, 0, "NONE", ""))
        file.writeframes(bytes(2 * round(seconds * SAMPLE_RATE)))
    with pytest.raises(AudioError, match=message):
        open_audio(path)


def test_a_video_without_sound_says_so(tmp_path: Path) -> None:
    path = tmp_path / "mute.mp4"
    container = av.open(str(path), "w")
    picture = container.add_stream("mpeg4", rate=25)
    picture.width = picture.height = 64
    container.mux(picture.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")))
    container.mux(picture.encode(None))
    container.close()
    with pytest.raises(AudioError, match="no sound track"):
        open_audio(path)


@pytest.mark.parametrize(("suffix", "codec"), [(".wav", "pcm_s16le"), (".flac", "flac"), (".mp3", "libmp3lame")])
def test_a_truncated_file_gives_what_is_there(tmp_path: Path, suffix: str, codec: str) -> None:
    path = encode(tmp_path / f"cut{suffix}", tone(2.0), 48_000, codec)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    samples = decode(path)
    assert_is_tone(samples[: int(0.6 * SAMPLE_RATE)], 0.6)
    assert len(samples) < 1.2 * SAMPLE_RATE


def test_a_lost_stretch_becomes_silence_and_keeps_the_time(tmp_path: Path) -> None:
    path = tmp_path / "gap.mkv"
    container = av.open(str(path), "w")
    track = container.add_stream("pcm_s16le", rate=SAMPLE_RATE, layout="mono")
    for start in (0.0, 1.5):
        frame = av.AudioFrame.from_ndarray(tone(0.5, SAMPLE_RATE)[None], format="fltp", layout="mono")
        frame.sample_rate = SAMPLE_RATE
        frame.time_base = Fraction(1, SAMPLE_RATE)
        frame.pts = round(start * SAMPLE_RATE)
        container.mux(track.encode(frame))
    container.mux(track.encode(None))
    container.close()
    samples = decode(path)
    assert len(samples) == 2 * SAMPLE_RATE
    assert not samples[SAMPLE_RATE // 2 + 100 : 3 * SAMPLE_RATE // 2 - 100].any()
    np.testing.assert_allclose(samples[3 * SAMPLE_RATE // 2 :], tone(0.5, SAMPLE_RATE), atol=1e-3)


def test_too_long_recordings_are_refused_by_what_they_state_and_by_what_they_hold(tmp_path: Path) -> None:
    path = encode(tmp_path / "long.wav", tone(1.0), 48_000, "pcm_s16le")
    with pytest.raises(AudioError, match="longer than the limit"):
        open_audio(path, maximum_seconds=0.5)
    with pytest.raises(AudioError, match="longer than the limit"):
        list(AudioStream(path, "long.wav", None, maximum_seconds=0.5).blocks())


def test_an_hour_decodes_in_flat_memory(tmp_path: Path) -> None:
    path = tmp_path / "hour.wav"
    minute = (tone(60.0, 8000) * 32767).astype("<i2").tobytes()
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        for _ in range(60):
            file.writeframes(minute)
    samples = 0
    try:
        for index, block in enumerate(open_audio(path).blocks()):
            samples += len(block)
            if index == 60:
                tracemalloc.start()
            if index == 180:
                peak = tracemalloc.get_traced_memory()[1]
                tracemalloc.stop()
    finally:
        tracemalloc.stop()
    assert samples == 3600 * SAMPLE_RATE
    assert peak < 5_000_000  # twenty minutes are 77 MB
