"""The expression teacher: bouts, intensity, accents, blinks, gaze and head, measured on what it makes."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from blendshape_rigs.arkit import ARKIT_INDEX, EMOTIONS
from model_server.training.compare_expressions import RATE as COMPARED_RATE
from model_server.training.compare_expressions import measure, recorded_faces, taught_faces
from model_server.training.expression_teacher import Actor, Prosody, express
from model_server.training.expressions.bouts import find_bouts, respond
from model_server.training.expressions.curves import find_phrases, pink_noise
from model_server.training.expressions.programmes import PROGRAMMES
from model_server.training.phone_sequences import invent_utterance

RATE = 50.0
NOTHING = Prosody(np.zeros(0), np.zeros(0), np.zeros(0))


def perform(
    emotion: str, intensity: float, seconds: int = 20, seed: int = 0, **manner: object
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return one actor's take over the same invented speech, whatever the emotion."""
    utterance = invent_utterance(seconds, RATE, np.random.default_rng(5))
    weights = np.zeros((len(utterance.speech), 8), np.float32)
    weights[:, EMOTIONS.index(emotion)] = intensity
    actor = replace(Actor.random(np.random.default_rng(seed)), **manner)  # type: ignore[arg-type]
    prosody = replace(utterance.prosody, loudness=utterance.loudness)
    return express(weights, utterance.speech, prosody, RATE, actor, np.random.default_rng(seed + 1))


def channel(values: np.ndarray, name: str) -> np.ndarray:
    return values[:, ARKIT_INDEX[name]]


def used(values: np.ndarray) -> set[str]:
    """Return the channels, gaze aside, that are moved well beyond idle life."""
    names = (name for name in ARKIT_INDEX if not name.startswith("eyeLook"))
    return {name for name in names if np.percentile(channel(values, name), 90) > 0.12}


def test_programmes_name_channels_and_differ() -> None:
    assert set(PROGRAMMES) == set(EMOTIONS) - {"neutral"}
    for variants in PROGRAMMES.values():
        assert len(variants) >= 3
        assert len({tuple(sorted(units)) for units in variants}) == len(variants)
        for units in variants:
            assert any(threshold == 0 for _, threshold in units.values())
            for unit, (weight, threshold) in units.items():
                name = unit.removeprefix("one:")
                assert name in ARKIT_INDEX or f"{name}Left" in ARKIT_INDEX
                assert 0 < weight <= 1 and 0 <= threshold < 0.7


def test_units_respond_to_intensity_without_ever_falling() -> None:
    intensity = np.linspace(0, 1.15, 200)
    for threshold in (0.0, 0.2, 0.6):
        response = respond(intensity, np.array(threshold))
        assert (np.diff(response) >= 0).all()
        assert respond(np.array(1.0), np.array(threshold)) == pytest.approx(1)
        assert (response[intensity <= threshold] == 0).all()


@pytest.mark.parametrize("emotion", EMOTIONS[1:])
def test_intensity_is_monotone_and_weak_emotions_use_fewer_units(emotion: str) -> None:
    takes = {intensity: perform(emotion, intensity)[0] for intensity in (0.0, 0.3, 0.6, 1.0)}
    rest = takes[0.0].mean(axis=0)
    shown = [float(np.clip(take.mean(axis=0) - rest, 0, None).sum()) for take in takes.values()]
    assert shown[1] > 0.25
    assert all(after > 1.3 * before + 0.1 for before, after in pairwise(shown))
    weak, strong = used(takes[0.3]) - used(takes[0.0]), used(takes[1.0]) - used(takes[0.0])
    assert weak < strong


def test_emotions_are_told_apart_by_the_nearest_mean_face() -> None:
    columns = [i for name, i in ARKIT_INDEX.items() if not name.startswith("eyeLook")]
    means = {
        name: np.mean([perform(name, 0.7, 8, seed, side=1.0)[0].mean(axis=0)[columns] for seed in range(4)], axis=0)
        for name in EMOTIONS
    }
    for name in EMOTIONS:
        for seed in range(10, 13):
            face = perform(name, 0.7, 8, seed, side=1.0)[0].mean(axis=0)[columns]
            assert min(means, key=lambda other: float(np.linalg.norm(face - means[other]))) == name


def test_bouts_start_before_phrases_and_peak_on_the_strongest_accent() -> None:
    speech = np.zeros(500, np.float32)
    speech[100:200] = speech[300:400] = 1
    phrases = find_phrases(speech, RATE)
    np.testing.assert_allclose(phrases, [[2, 4], [6, 8]])
    prosody = Prosody(np.array([2.5, 3.2, 7.0]), np.array([0.5, 0.9, 0.6]), np.array([4.0, 8.0]))
    spoken = [
        bout for bout in find_bouts(phrases, prosody, 10.0, RATE, np.random.default_rng(0)) if bout.apex in (3.2, 7.0)
    ]
    assert len(spoken) == 2
    assert 1.6 < spoken[0].start < 2.0 and 4.0 < spoken[0].end < 4.5
    quiet = np.zeros((500, 8), np.float32)
    quiet[:, EMOTIONS.index("happy")] = 0.8
    smiles = np.mean(
        [
            channel(express(quiet, speech, prosody, RATE, Actor.random(g), g)[0], "mouthSmileLeft")
            for g in map(np.random.default_rng, range(12))
        ],
        axis=0,
    )
    assert smiles[150:200].mean() > 1.2 * smiles[:75].mean()


def test_accents_raise_brows_and_nod() -> None:
    times = np.arange(1.0, 59.0, 2.0)
    prosody = Prosody(times, np.full(len(times), 0.95), np.zeros(0))
    speech, neutral = np.ones(3000, np.float32), np.zeros((3000, 8), np.float32)
    actor = replace(Actor.random(np.random.default_rng(1)), brow_accents=0.7, nods=0.8, head_motion=1.0)
    values, rotation, _ = express(neutral, speech, prosody, RATE, actor, np.random.default_rng(2))
    at = np.round(times * RATE).astype(int)
    brow = channel(values, "browInnerUp")
    assert (brow[at + 3] - brow[at + 45]).mean() > 0.1
    pitch = np.degrees(rotation[:, 0])
    assert (pitch[at + 3] - pitch[at + 45]).mean() > 1.0
    weak = replace(prosody, accent_strengths=np.full(len(times), 0.2))
    calm = channel(express(neutral, speech, weak, RATE, actor, np.random.default_rng(2))[0], "browInnerUp")
    assert abs((calm[at + 3] - calm[at + 45]).mean()) < 0.03


def test_loud_speech_widens_the_eyes() -> None:
    speech, neutral = np.ones(1000, np.float32), np.zeros((1000, 8), np.float32)
    actor = Actor.random(np.random.default_rng(3))
    wide = []
    for level in (-0.13, 0.4):
        prosody = replace(NOTHING, loudness=np.full(1000, level, np.float32))
        values, _, _ = express(neutral, speech, prosody, RATE, actor, np.random.default_rng(4))
        wide.append(float(channel(values, "eyeWideLeft").mean()))
    unknown = express(neutral, speech, NOTHING, RATE, actor, np.random.default_rng(4))[0]
    assert wide[1] > wide[0] + 0.06
    assert channel(unknown, "eyeWideLeft").mean() == pytest.approx(wide[0], abs=1e-6)


def blinks(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return first frames, peak frames and last frames of closures beyond 0.25."""
    lids = channel(values, "eyeBlinkLeft")
    edges = np.diff((lids > 0.25).astype(int), prepend=0, append=0)
    starts, ends = np.flatnonzero(edges > 0), np.flatnonzero(edges < 0) - 1
    peaks = np.array([a + int(np.argmax(lids[a : b + 1])) for a, b in zip(starts, ends, strict=True)])
    return starts, peaks, ends


def test_blinks_are_human_close_faster_than_they_open_and_come_at_phrase_ends() -> None:
    near_end, rates, closing, opening = [], [], [], []
    for seed in range(8):
        utterance = invent_utterance(60, RATE, np.random.default_rng(seed))
        generator = np.random.default_rng(100 + seed)
        neutral = np.zeros((3000, 8), np.float32)
        values = express(neutral, utterance.speech, utterance.prosody, RATE, Actor.random(generator), generator)[0]
        starts, peaks, ends = blinks(values)
        rates.append(len(starts))
        closing.append((peaks - starts).mean() / RATE)
        opening.append((ends - peaks).mean() / RATE)
        if len(utterance.prosody.phrase_ends):
            after = starts[:, None] / RATE - utterance.prosody.phrase_ends[None]
            share = np.mean(((after > -0.1) & (after < 0.4)).any(axis=1))
            near_end.append(share / (0.5 * len(utterance.prosody.phrase_ends) / 60))
    assert 10 < np.mean(rates) < 28
    assert 0.02 < np.mean(closing) < np.mean(opening) < 0.25
    assert np.mean(near_end) > 1.3


def test_eyes_hold_the_listener_while_the_head_moves_and_lids_follow_gaze() -> None:
    values, rotation, _ = perform("neutral", 0.0, 60, head_motion=1.5)
    left = channel(values, "eyeLookOutLeft") - channel(values, "eyeLookInLeft")
    assert np.corrcoef(left, rotation[:, 1])[0, 1] < -0.3
    assert channel(values, "eyeLookInLeft").mean() + channel(values, "eyeLookInRight").mean() > 0.05
    down = channel(values, "eyeLookDownLeft") - channel(values, "eyeLookUpLeft")
    open_eyes = channel(values, "eyeBlinkLeft") < 0.3
    assert np.corrcoef(down[open_eyes], channel(values, "eyeWideLeft")[open_eyes])[0, 1] < -0.3


def test_noise_has_unit_variance_and_a_falling_spectrum() -> None:
    noise = pink_noise(20_000, RATE, np.random.default_rng(0), 3)
    assert noise.std() == pytest.approx(1, abs=0.1)
    power = (np.abs(np.fft.rfft(noise, axis=0)) ** 2).mean(axis=1)
    hertz = np.fft.rfftfreq(len(noise), 1 / RATE)
    slow = np.polyfit(np.log(hertz[20:600]), np.log(power[20:600]), 1)[0]
    assert -1.4 < slow < -0.7
    assert power[(hertz > 8) & (hertz < 10)].mean() < 1e-4 * power[(hertz > 0.5) & (hertz < 1)].mean()


@pytest.mark.parametrize("emotion", ["neutral", "angry", "surprised"])
def test_a_minute_is_bounded_smooth_and_never_still(emotion: str) -> None:
    values, rotation, translation = perform(emotion, 1.0 if emotion != "neutral" else 0.0, 60)
    assert values.dtype == rotation.dtype == translation.dtype == np.float32
    assert values.min() >= 0 and values.max() <= 1
    head = np.degrees(rotation)
    assert np.abs(head).max() < 25 and np.abs(np.diff(head, axis=0)).max() * RATE < 120
    assert np.abs(translation).max() < 0.05
    slow = [i for name, i in ARKIT_INDEX.items() if not name.startswith(("eyeBlink", "eyeLook", "eyeWide"))]
    assert np.abs(np.diff(values[:, slow], axis=0)).max() < 0.2
    # No second passes in which brows, lids and head all stand still.
    speed = np.abs(np.diff(np.concatenate([values, head / 10], axis=1), axis=0)).sum(axis=1)
    assert speed[: 59 * 50].reshape(59, 50).sum(axis=1).min() > 0.1


def test_takes_repeat_with_their_seed_and_differ_without() -> None:
    first, second, other = perform("happy", 0.6), perform("happy", 0.6), perform("happy", 0.6, seed=9)
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    assert np.abs(first[0] - other[0]).mean() > 0.01


def test_actors_are_seen_in_what_they_do() -> None:
    calm, lively = (perform("neutral", 0.0, 60, head_motion=amount)[1] for amount in (0.5, 1.5))
    assert lively.std() > 2 * calm.std()
    slow, quick = (len(blinks(perform("neutral", 0.0, 60, blinks_per_minute=rate)[0])[0]) for rate in (8.0, 24.0))
    assert quick > 1.6 * slow
    left, right = (perform("contempt", 0.8, side=side)[0] for side in (1.0, -1.0))
    assert channel(left, "mouthSmileLeft").mean() > 2 * channel(left, "mouthSmileRight").mean()
    assert channel(right, "mouthSmileRight").mean() > 2 * channel(right, "mouthSmileLeft").mean()


def test_measures_are_right_on_known_curves() -> None:
    times = np.arange(0, 60, 1 / COMPARED_RATE)
    values = np.zeros((len(times), 52), np.float32)
    for side in ("Left", "Right"):
        values[:, ARKIT_INDEX[f"eyeBlink{side}"]] = (times % 6 < 0.2) * 0.9
        values[:, ARKIT_INDEX[f"browOuterUp{side}"]] = 0.3 + 0.2 * np.sin(2 * np.pi * 0.5 * times)
    found = measure(values)
    assert found.blinks == pytest.approx(10, abs=0.1)
    assert found.closed == pytest.approx(0.2, abs=0.04)
    assert found.blink_coupling == pytest.approx(1)
    assert found.deviation["brows"] == pytest.approx(2 * 0.1414 / 5, abs=0.001)


def test_teacher_moves_as_recorded_faces_do(shared_data: Path) -> None:
    """Two performances of one actor bound what is sensible; a factor of two is left to other actors and emotions."""
    recorded = [
        measure(values)
        for name, values in recorded_faces(shared_data / "livelink_alexdjulin").items()
        if "rom" not in name
    ]
    taught = measure(taught_faces(["neutral"], 0.0, 6, seed=3))
    for region in ("brows", "lids", "gaze", "cheeks and nose"):
        for name in ("deviation", "velocity"):
            low, high = (limit(getattr(one, name)[region] for one in recorded) for limit in (min, max))
            assert low / 2 < getattr(taught, name)[region] < 2 * high, (region, name)
        assert taught.coupling[region] > 0.93
    assert 8 < taught.blinks < 28
    assert 0.06 < taught.closed < 0.25
