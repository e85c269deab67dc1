"""The main job with the shipped weights: a recording in, curves out."""

from __future__ import annotations

import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from blendshape_rigs.arkit import ARKIT_INDEX, LIP_CHANNELS
from blendshape_rigs.avatar import load_proxy_avatar
from blendshape_rigs.curves import FaceCurves
from model_server.audio.decode import AudioStream, open_audio
from model_server.commands.demo import DEMO_SPEECH
from model_server.errors import Cancelled, ConfigError, WeightsError
from model_server.pipeline.performance import Expressed, express, refine
from model_server.pipeline.request import AnimationRequest, EmotionTrack
from model_server.pipeline.speech_to_curves import SpeechToCurves

HAPPY = EmotionTrack.constant({"happy": 0.8})


@pytest.fixture(scope="module")
def model() -> SpeechToCurves:
    return SpeechToCurves.load()


@pytest.fixture(scope="module")
def speech() -> AudioStream:
    return open_audio(DEMO_SPEECH)


@pytest.fixture(scope="module")
def neutral(model: SpeechToCurves, speech: AudioStream) -> FaceCurves:
    return model(speech, AnimationRequest(seed=1))


def write_wav(path: Path, samples: np.ndarray) -> AudioStream:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
    return open_audio(path)


def lip_gap_millimetres(curves: FaceCurves) -> np.ndarray:
    return load_proxy_avatar().lip_gap(curves.values) * 1000


def test_curves_last_as_long_as_the_recording(speech: AudioStream, neutral: FaceCurves) -> None:
    assert speech.duration is not None
    assert neutral.duration == pytest.approx(speech.duration, abs=0.05)
    assert neutral.start == 0
    assert neutral.provenance.audio_hash == speech.sha256
    assert len(neutral.provenance.model_hash) == 64
    assert neutral.values.min() >= 0
    assert neutral.values.max() <= 1


def test_same_seed_same_bits_other_seed_other_take(
    model: SpeechToCurves, speech: AudioStream, neutral: FaceCurves
) -> None:
    again = model(speech, AnimationRequest(seed=1))
    assert np.array_equal(neutral.stacked(), again.stacked())
    other = model(speech, AnimationRequest(seed=2))
    brows = [ARKIT_INDEX["browInnerUp"], ARKIT_INDEX["browOuterUpLeft"]]
    assert np.abs(other.values[:, brows] - neutral.values[:, brows]).mean() > 0.005
    assert np.abs(other.head_rotation - neutral.head_rotation).mean() > 0.005


def test_lips_close_on_bilabials_and_open_on_vowels(model: SpeechToCurves, speech: AudioStream) -> None:
    """Where the recording's own words have p b m, by the phones heard and by what the words must have."""
    take = model(speech, AnimationRequest(seed=1, fps=60))
    gap = lip_gap_millimetres(take)
    segments = model.heard_phones(speech)
    bilabials = [s for s in segments if s.symbol in "pbm" and s.end - s.start >= 0.04]
    vowels = [s for s in segments if s.symbol in "aɑæɔʌ" and s.end - s.start >= 0.08]
    # "My name Bella bring pictures people believe moving mouth b p m bring lips together beautiful maybe tomorrow
    # make movie": at least 20 bilabials are spoken.
    assert len(bilabials) >= 15
    assert len(vowels) >= 6

    def inside(start: float, end: float) -> np.ndarray:
        return gap[(take.times >= start) & (take.times <= end)]

    closed = [inside(s.start - 0.04, s.end + 0.04).min() < 1.5 for s in bilabials]
    opened = [inside(s.start, s.end).max() > 4 for s in vowels]
    assert np.mean(closed) >= 0.9
    assert np.mean(opened) >= 0.8


def test_emotions_show_on_the_face(model: SpeechToCurves, speech: AudioStream, neutral: FaceCurves) -> None:
    tells = {
        "happy": ("mouthSmileLeft", "cheekSquintLeft"),
        "angry": ("browDownLeft", "noseSneerLeft"),
        "sad": ("browInnerUp", "mouthFrownLeft"),
        "surprised": ("browOuterUpLeft", "eyeWideLeft"),
        "disgusted": ("noseSneerLeft",),
        "fear": ("browInnerUp", "eyeWideLeft"),
    }
    for emotion, channels in tells.items():
        strong = model(speech, AnimationRequest(EmotionTrack.constant({emotion: 1.0}), seed=1))
        weak = model(speech, AnimationRequest(EmotionTrack.constant({emotion: 0.5}), seed=1))
        for channel in channels:
            means = [float(take.channel(channel).mean()) for take in (neutral, weak, strong)]
            # At half intensity some of an emotion's action units are hardly there yet.
            assert means[0] + 0.03 < means[1] < means[2] - 0.05, (emotion, channel, means)


def test_emotion_follows_its_track(model: SpeechToCurves, speech: AudioStream) -> None:
    weights = np.zeros((2, 8), np.float32)
    weights[1, 5] = 1.0
    take = model(speech, AnimationRequest(EmotionTrack(np.array([5.0, 7.0]), weights), seed=1))
    smile = take.channel("mouthSmileLeft")
    assert smile[take.times > 8].mean() > smile[take.times < 4].mean() + 0.25


def test_silence_closes_the_mouth_and_the_face_stays_alive(model: SpeechToCurves, tmp_path: Path) -> None:
    silence = write_wav(tmp_path / "silence.wav", np.zeros(16000 * 12))
    take = model(silence, AnimationRequest(HAPPY, seed=3))
    assert lip_gap_millimetres(take).mean() < 0.5
    assert take.channel("eyeBlinkLeft").max() > 0.7
    assert np.ptp(take.head_rotation[:, 1]) > 0.01


def test_noise_makes_no_error_and_no_wild_mouth(model: SpeechToCurves, tmp_path: Path) -> None:
    noise = write_wav(tmp_path / "noise.wav", np.random.default_rng(0).normal(0, 0.1, 16000 * 4))
    take = model(noise, AnimationRequest(seed=3))
    assert np.abs(np.diff(take.channel("jawOpen"))).mean() < 0.05


@pytest.mark.parametrize("seconds", [0.1, 0.13, 0.9, 3.59, 3.61, 4.0])
def test_any_length_works(model: SpeechToCurves, tmp_path: Path, seconds: float) -> None:
    samples = np.concatenate(list(open_audio(DEMO_SPEECH).blocks()))[: round(seconds * 16000)]
    take = model(write_wav(tmp_path / "short.wav", samples), AnimationRequest(fps=60))
    assert take.duration == pytest.approx(seconds, abs=0.04)


class InBlocks:
    """A real recording whose blocks have another length."""

    def __init__(self, stream: AudioStream, seconds: float) -> None:
        self.stream, self.seconds, self.sha256 = stream, seconds, stream.sha256

    def blocks(self) -> Iterator[np.ndarray]:
        return self.stream.blocks(self.seconds)


@pytest.mark.parametrize("seconds", [0.08, 1.7])
def test_streaming_equals_batch(
    model: SpeechToCurves, speech: AudioStream, neutral: FaceCurves, seconds: float
) -> None:
    pieces = list(model.stream(InBlocks(speech, seconds), AnimationRequest(seed=1)))  # type: ignore[arg-type]
    joined = np.concatenate([piece.stacked() for piece in pieces])
    np.testing.assert_allclose(joined, neutral.stacked(), atol=2e-4)
    starts = [piece.start for piece in pieces]
    assert len(pieces) > 2
    np.testing.assert_allclose(starts[1:], np.cumsum([len(p) for p in pieces])[:-1] / 30, atol=1e-9)


def test_windows_meet_without_a_jump(model: SpeechToCurves, speech: AudioStream) -> None:
    listener_features = model.heard_features(speech)
    parts = list(express(listener_features, model.emodiff, HAPPY, None, 5, model.sampling, lambda _: None))
    whole = np.concatenate([part.face for part in parts])
    seams = np.cumsum([len(part.face) for part in parts])[:-1]
    assert len(seams) >= 3
    speed = np.abs(np.diff(whole, axis=0)) / (whole.std(axis=0) + 0.01)
    inside = np.delete(speed, seams - 1, axis=0)
    assert speed[seams - 1].max() <= inside.max()
    assert speed[seams - 1].mean() <= 1.5 * inside.mean()


def test_refining_touches_only_the_lips(model: SpeechToCurves) -> None:
    generator = np.random.default_rng(0)
    frames = 200
    expressed = Expressed(
        generator.random((frames, 45), np.float32),
        generator.random((frames, 8), np.float32),
        generator.random((frames, 58), np.float32),
    )
    refined = np.concatenate(list(refine([expressed], model.lip_refiner)))
    others = [i for i in range(58) if i not in LIP_CHANNELS]
    assert np.array_equal(refined[:, others], expressed.face[:, others])
    assert not np.allclose(refined[:, list(LIP_CHANNELS)], expressed.face[:, list(LIP_CHANNELS)])


def test_a_style_clip_changes_the_manner(model: SpeechToCurves, speech: AudioStream, neutral: FaceCurves) -> None:
    angry = model(speech, AnimationRequest(EmotionTrack.constant({"angry": 1.0}), seed=4))
    styled = model(speech, AnimationRequest(seed=1, style=angry))
    brows = styled.channel("browDownLeft").mean() - neutral.channel("browDownLeft").mean()
    assert brows > 0.1


def test_a_style_shows_as_far_as_its_strength_says(
    model: SpeechToCurves, speech: AudioStream, neutral: FaceCurves
) -> None:
    clip = model(speech, AnimationRequest(EmotionTrack.constant({"happy": 1.0}), seed=4))
    none, half, whole = (
        model(speech, AnimationRequest(seed=1, style=clip, style_strength=strength)) for strength in (0.0, 0.5, 1.0)
    )
    np.testing.assert_array_equal(none.stacked(), neutral.stacked())
    smiles = [take.channel("mouthSmileLeft").mean() for take in (neutral, half, whole)]
    assert smiles[2] > smiles[0] + 0.2
    assert smiles[1] == pytest.approx((smiles[0] + smiles[2]) / 2, abs=0.05)


@pytest.mark.parametrize("strength", [-0.1, 1.5, float("nan")])
def test_a_strength_out_of_range_is_refused(strength: float) -> None:
    with pytest.raises(ConfigError, match="from 0 to 1"):
        AnimationRequest(style_strength=strength)


def test_cancel_stops_before_the_next_step(model: SpeechToCurves, speech: AudioStream) -> None:
    seen: list[float] = []

    def stop(seconds: float) -> None:
        seen.append(seconds)
        if seconds > 0:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        model(speech, AnimationRequest(), stop)
    assert len(seen) == model.sampling.steps + 1


def test_missing_weights_are_told(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"speech_encoder\.safetensors"):
        SpeechToCurves.load(tmp_path)
