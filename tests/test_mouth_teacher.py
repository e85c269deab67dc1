"""The teachers: constraints that no neighbour and no emotion undoes."""

import numpy as np
import pytest

from blendshape_rigs.arkit import ARKIT_INDEX, EMOTIONS, LIP_CHANNELS
from model_server.training.expression_teacher import Actor, Prosody, express
from model_server.training.mouth_teacher import TARGETS, PhoneSegments, Speaker, articulate
from model_server.training.performance_corpus import invent_performances, perform, random_speaker
from model_server.training.phone_sequences import invent_utterance

RATE = 50.0


def say(phones: str, emotional_mouth: np.ndarray | None = None) -> tuple[np.ndarray, PhoneSegments]:
    symbols = tuple(phones.split())
    segments = PhoneSegments(symbols, np.arange(len(symbols)) * 0.12, len(symbols) * 0.12)
    frames = round(segments.end * RATE)
    mouth = np.zeros((frames, 52), np.float32) if emotional_mouth is None else np.tile(emotional_mouth, (frames, 1))
    return articulate(segments, np.zeros(frames, np.float32), RATE, Speaker(), mouth), segments


def middle(values: np.ndarray, segments: PhoneSegments, which: int, channel: str) -> float:
    frame = round((segments.starts[which] + segments.ends[which]) / 2 * RATE)
    return float(values[frame, ARKIT_INDEX[channel]])


def gap(values: np.ndarray, segments: PhoneSegments, which: int) -> float:
    opening = middle(values, segments, which, "jawOpen") - middle(values, segments, which, "mouthClose")
    apart = middle(values, segments, which, "mouthLowerDownLeft") + middle(values, segments, which, "mouthUpperUpLeft")
    return opening + apart


@pytest.mark.parametrize("emotion", [None, "happy", "surprised", "angry", "disgusted"])
@pytest.mark.parametrize("phone", ["p", "b", "m"])
def test_lips_close_on_bilabials_in_every_emotion(phone: str, emotion: str | None) -> None:
    mouth = np.zeros(52, np.float32)
    if emotion:
        generator = np.random.default_rng(0)
        weights = np.eye(8, dtype=np.float32)[[EMOTIONS.index(emotion)]].repeat(60, 0)
        silence = np.zeros(60, np.float32)
        nothing = Prosody(np.zeros(0), np.zeros(0), np.zeros(0))
        values = express(weights, silence, nothing, RATE, Actor.random(generator), generator)[0]
        mouth[list(LIP_CHANNELS)] = values[30][list(LIP_CHANNELS)]
    values, segments = say(f"sil a {phone} a sil", mouth)
    assert gap(values, segments, 2) < 0.01
    assert gap(values, segments, 1) > 0.15


def test_open_vowels_open_and_rounded_vowels_round() -> None:
    values, segments = say("sil t a t u t i sil")
    assert middle(values, segments, 2, "jawOpen") > 2 * middle(values, segments, 6, "jawOpen")
    assert middle(values, segments, 4, "mouthPucker") > 0.3
    assert middle(values, segments, 6, "mouthPucker") < 0.1
    assert middle(values, segments, 6, "mouthStretchLeft") > 2 * middle(values, segments, 4, "mouthStretchLeft")


def test_rounding_is_anticipated() -> None:
    rounded, segments = say("sil s t u sil")
    plain, _ = say("sil s t i sil")
    assert middle(rounded, segments, 2, "mouthPucker") > middle(plain, segments, 2, "mouthPucker") + 0.03


def test_sibilants_narrow_the_jaw_and_labiodentals_roll_the_lip() -> None:
    values, segments = say("sil a s a f a sil")
    assert middle(values, segments, 2, "jawOpen") <= 0.101
    assert middle(values, segments, 4, "mouthRollLower") > 0.25
    assert middle(values, segments, 4, "mouthLowerDownLeft") < 0.02


def test_every_phone_has_targets() -> None:
    from model_server.audio.phones import PHONES

    assert set(PHONES) == set(TARGETS)


def test_performance_is_bounded_and_seeded() -> None:
    (first, other), (second, _) = (invent_performances(2, 4, seed=11) for _ in range(2))
    assert np.array_equal(first.face, second.face)
    assert np.array_equal(first.audio, second.audio)
    assert first.face.shape == (200, 58)
    assert first.face[:, :52].min() >= 0
    assert first.face[:, :52].max() <= 1
    assert not np.array_equal(first.face, other.face)
    assert not np.array_equal(first.face, invent_performances(1, 4, seed=12)[0].face)


def test_emotions_show_and_intensity_is_monotone() -> None:
    channels = {
        "happy": "mouthSmileLeft",
        "angry": "browDownLeft",
        "surprised": "browOuterUpLeft",
        "sad": "browInnerUp",
    }
    generator = np.random.default_rng(4)
    actor, speaker = Actor.random(generator), random_speaker(generator)
    utterance = invent_utterance(6, RATE, np.random.default_rng(5))
    for emotion, channel in channels.items():
        means = []
        for intensity in (0.0, 0.5, 1.0):
            weights = np.zeros((300, 8), np.float32)
            weights[:, EMOTIONS.index(emotion)] = intensity
            take = perform(utterance, weights, actor, speaker, np.random.default_rng(6))
            means.append(float(take.face[:, ARKIT_INDEX[channel]].mean()))
        assert means[0] + 0.1 < means[1] < means[2] - 0.1


def test_blinks_have_human_rates_and_durations() -> None:
    generator = np.random.default_rng(0)
    frames = 60 * 50 * 10
    nothing = Prosody(np.zeros(0), np.zeros(0), np.zeros(0))
    neutral, silence = np.zeros((frames, 8), np.float32), np.zeros(frames, np.float32)
    lids = express(neutral, silence, nothing, RATE, Actor.random(generator), generator)[0][
        :, ARKIT_INDEX["eyeBlinkLeft"]
    ]
    closed = lids > 0.5
    starts = np.flatnonzero(closed[1:] & ~closed[:-1])
    ends = np.flatnonzero(~closed[1:] & closed[:-1])
    assert 5 <= len(starts) / 10 <= 30
    assert 0.08 < float(np.mean(ends[: len(starts)] - starts[: len(ends)])) / RATE < 0.35
