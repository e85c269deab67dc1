"""The teachers: constraints that no neighbour and no emotion undoes."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from blendshape_rigs.arkit import ARKIT_INDEX, EMOTIONS, LIP_CHANNELS
from blendshape_rigs.avatar import load_proxy_avatar
from model_server.errors import AudioError
from model_server.metrics.closures import TimedPhone, measure_lips
from model_server.training.calibrate_mouth import HELD_OUT, agreement_rows, closure_rows, read_takes, speed_rows
from model_server.training.expression_teacher import Actor, Prosody, express
from model_server.training.mouth_limits import LIP_GAP_SPEED, SPEED_LIMITS, reach_minima, slow_down
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


def millimetres(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return 1000 * load_proxy_avatar().lip_gap(values)


def speak(
    phones: str, seconds: float, loudness: float = 0.0, rate: float = RATE
) -> tuple[npt.NDArray[np.float32], PhoneSegments]:
    """Say phones of ``seconds`` each between half a second of silence."""
    symbols = ("sil", *phones.split(), "sil")
    durations = np.array([0.5, *[seconds] * (len(symbols) - 2), 0.5])
    segments = PhoneSegments(symbols, np.cumsum(durations) - durations, float(durations.sum()))
    frames = round(segments.end * rate)
    still = np.zeros((frames, 52), np.float32)
    return articulate(segments, np.full(frames, loudness, np.float32), rate, Speaker(), still), segments


def during(curve: npt.NDArray[np.float32], segments: PhoneSegments, which: int, rate: float = RATE) -> list[float]:
    times = np.arange(len(curve)) / rate
    return [float(value) for value in curve[(times >= segments.starts[which]) & (times < segments.ends[which])]]


@pytest.mark.parametrize("fps", [25.0, 50.0, 60.0])
def test_lips_close_on_every_bilabial_and_on_nothing_else(fps: float) -> None:
    gaps, truths = [], []
    for seed in range(8):
        generator = np.random.default_rng(seed)
        utterance = invent_utterance(12, fps, generator)
        mouth = np.zeros((len(utterance.loudness), 52), np.float32)
        for name in ("mouthUpperUp", "mouthLowerDown", "mouthSmile", "mouthFrown"):
            for side in ("Left", "Right"):
                mouth[:, ARKIT_INDEX[name + side]] = generator.uniform(0, 0.3)
        mouth[:, ARKIT_INDEX["jawOpen"]] = generator.uniform(0, 0.15)
        segments = utterance.segments
        values = articulate(segments, utterance.loudness, fps, random_speaker(generator), mouth)
        assert values.min() >= 0
        assert values.max() <= 1
        gaps.append(load_proxy_avatar().lip_gap(values))
        rows = zip(segments.symbols, segments.starts.tolist(), segments.ends.tolist(), strict=True)
        truths.append([TimedPhone(*row) for row in rows])
    figures = measure_lips(gaps, truths, fps)
    assert figures.bilabials > 80
    assert figures.recall == 1
    assert figures.precision == 1
    assert figures.timing_error <= max(0.02, 0.5 / fps)
    assert figures.vowels_closed == 0
    assert figures.vowel_gap > 0.006


def test_lips_stay_parted_on_consonants_of_the_tongue_and_at_the_teeth() -> None:
    values, segments = speak("s t n t s", 0.08, loudness=-0.4)
    assert all(1.8 < min(during(millimetres(values), segments, which)) < 4.5 for which in (2, 3, 4))
    values, segments = speak("a f a v i", 0.1)
    gap, roll = millimetres(values), values[:, ARKIT_INDEX["mouthRollLower"]]
    for which in (2, 4):
        assert 1.5 < min(during(gap, segments, which)) < 2.5
        assert max(during(roll, segments, which)) > 0.25


def test_closed_in_silence_with_a_small_settling_motion() -> None:
    frames = 400
    segments = PhoneSegments(("a", "sil"), np.array([0.0, 0.3]), 8.0)
    values = articulate(segments, np.full(frames, -1, np.float32), RATE, Speaker(), np.zeros((frames, 52), np.float32))
    assert np.abs(millimetres(values)[30:]).max() < 0.3
    press = values[:, ARKIT_INDEX["mouthPressLeft"]]
    assert 0.02 < press[30:].max() < 0.12
    assert values[300:, ARKIT_INDEX["jawOpen"]].max() < 0.05


def test_an_audible_breath_parts_the_lips_and_noise_does_not() -> None:
    segments = PhoneSegments(("a", "sil", "a"), np.array([0.0, 0.5, 1.7]), 2.2)
    times = np.arange(110) / RATE
    still = np.zeros((110, 52), np.float32)
    quiet = np.where((times > 0.55) & (times < 1.65), -0.9, -0.1).astype(np.float32)
    breath = quiet + np.float32(0.5) * np.exp(-0.5 * ((times - 1.2) / 0.12) ** 2).astype(np.float32)
    pause = (times > 0.65) & (times < 1.4)
    silent, breathing = (
        millimetres(articulate(segments, loudness, RATE, Speaker(), still))[pause] for loudness in (quiet, breath)
    )
    assert np.abs(silent).max() < 0.3
    assert 1.5 < breathing.max() < 3


def test_rounding_is_anticipated_across_consonants() -> None:
    rounded, segments = speak("a s t s t u", 0.09)
    plain, _ = speak("a s t s t i", 0.09)
    ahead = (rounded - plain)[:, ARKIT_INDEX["mouthPucker"]]
    start = segments.starts[6]
    assert ahead[round((start - 0.1) * RATE)] > 0.1
    assert ahead[round((start - 0.2) * RATE)] > 0.02
    assert abs(ahead[round((start - 0.45) * RATE)]) < 0.02


def test_loud_speech_opens_wider_and_fast_speech_undershoots() -> None:
    peaks = [millimetres(speak("t a p a t", 0.16, loudness)[0]).max() for loudness in (-0.4, 0.0, 0.4)]
    assert peaks[0] + 1.5 < peaks[1] < peaks[2] - 1.5
    slow, fast = (millimetres(speak("t a p a t", seconds)[0]) for seconds in (0.16, 0.05))
    assert fast.max() < slow.max() - 3
    values, segments = speak("t a p a t", 0.05, 0.4)
    assert min(during(millimetres(values), segments, 3)) < 0.5


def test_no_channel_is_faster_than_a_human() -> None:
    utterance = invent_utterance(40, RATE, np.random.default_rng(7))
    still = np.zeros((len(utterance.loudness), 52), np.float32)
    values = articulate(utterance.segments, utterance.loudness, RATE, Speaker(sharpness=1.2), still)
    speeds = np.percentile(np.abs(np.diff(values, axis=0)) * RATE, 99, axis=0)
    for name, index in ARKIT_INDEX.items():
        limit = SPEED_LIMITS.get(name.removesuffix("Left").removesuffix("Right"))
        assert limit is None or speeds[index] <= limit, name
    assert np.abs(np.diff(millimetres(values))).max() * RATE <= 1.02 * 1000 * LIP_GAP_SPEED


def test_limited_curves_reach_their_minima() -> None:
    curve = np.array([5.0, 5, 5, 0, 5, 5, 9, 5])
    limited = reach_minima(curve, 2.0)
    assert limited.tolist() == [5, 4, 2, 0, 2, 4, 6, 5]
    assert np.abs(np.diff(slow_down(curve, 2.0))).max() <= 2
    both = reach_minima(np.stack([curve, curve], axis=1), np.array([2.0, 9.0]))
    assert both[:, 0].tolist() == limited.tolist()
    assert both[:, 1].tolist() == curve.tolist()


@pytest.fixture
def one_thread() -> Iterator[None]:
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.usefixtures("one_thread")
def test_teacher_follows_a_captured_mouth(shared_data: Path) -> None:
    from model_server.models.checkpoint import load_checkpoint
    from model_server.models.speech_encoder import SpeechEncoder

    encoder = load_checkpoint(Path("model_server/weights/speech_encoder.safetensors"), SpeechEncoder)
    takes = read_takes(shared_data / "speech_mouth_facegood", HELD_OUT[:1], encoder)
    rows = {str(row[0]): row[1:] for row in agreement_rows(takes)}
    opening, rounding = ({name: float(row[column]) for name, row in rows.items()} for column in (0, 1))
    assert opening["captured"] == pytest.approx(1)
    assert opening["teacher"] > 0.75
    assert opening["mean pose"] == 0
    assert rounding["teacher"] > 0.3
    captured, taught = closure_rows(takes)
    assert float(captured[1]) < 1
    assert float(taught[2]) > 0.95
    speeds = {str(row[0]): row[1:] for row in speed_rows(shared_data / "livelink_alexdjulin", takes)}
    for name, (real, limit, own, *_) in speeds.items():
        assert float(limit) == pytest.approx(float(real), rel=0.05), name
        assert float(own) <= float(limit), name


def test_calibration_says_what_folder_it_needs(tmp_path: Path) -> None:
    from model_server.models.speech_encoder import SpeechEncoder, SpeechEncoderConfig

    with pytest.raises(AudioError, match=r"curves_30fps\.npz"):
        read_takes(tmp_path, HELD_OUT, SpeechEncoder(SpeechEncoderConfig()))
    with pytest.raises(AudioError, match="Live Link"):
        speed_rows(tmp_path, [])


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
