"""Log-mel spectra, pitch, loudness: right times, right values, and the same in a stream as at once."""

from __future__ import annotations

import numpy as np
import pytest

from model_server.audio.features import (
    MEL_BANDS,
    SAMPLE_RATE,
    LogMelStream,
    RunningMean,
    mel_edges,
)
from model_server.audio.phone_track import FRAME_RATE, PhoneTrack, join_tracks, scale_loudness
from model_server.audio.phones import MOUTH_CLASS_OF, MOUTH_CLASSES, PHONES, from_arpabet, to_inventory
from model_server.audio.prosody import ProsodyStream

PRIOR = np.full(MEL_BANDS, -9, np.float32)


def tone(hertz: float, seconds: float, amplitude: float = 0.3) -> np.ndarray:
    """A sawtooth without its highest harmonics, much like a voice."""
    times = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    harmonics = [np.sin(2 * np.pi * hertz * k * times) / k for k in range(1, int(3500 / hertz) + 1)]
    wave = np.sum(harmonics, axis=0)
    return (amplitude * wave / np.abs(wave).max()).astype(np.float32)


def test_inventory_has_42_phones_in_14_classes() -> None:
    assert len(PHONES) == len(set(PHONES)) == 42
    assert sorted(phone for members in MOUTH_CLASSES for phone in members) == sorted(PHONES)
    assert len(MOUTH_CLASSES) == 14 and len(MOUTH_CLASS_OF) == 42


@pytest.mark.parametrize(
    ("ipa", "phones"),
    [
        ("ˈt͡ʃaɪ̯ː", ("t", "ʃ", "a", "ɪ")),
        ("õ", ("o",)),
        ("ɡçɲ", ("ɡ", "x", "n")),
        ("pʰ", ("p",)),
        ("ɝ", ("ɜ",)),
        ("ˌ ː", ()),
    ],
)
def test_ipa_goes_to_the_nearest_phones(ipa: str, phones: tuple[str, ...]) -> None:
    assert to_inventory(ipa) == phones


def test_arpabet_and_unknown_letters() -> None:
    assert from_arpabet("AY1") == ("a", "ɪ")
    assert from_arpabet("jh") == ("d", "ʒ")
    assert from_arpabet("pau") == ("sil",)
    with pytest.raises(ValueError, match="QQ"):
        from_arpabet("QQ")
    with pytest.raises(ValueError, match="Ж"):
        to_inventory("Ж")


@pytest.mark.parametrize("second", [0.105, 0.5, 0.915])
def test_a_click_is_seen_in_its_own_frame(second: float) -> None:
    samples = np.zeros(SAMPLE_RATE, np.float32)
    samples[round(second * SAMPLE_RATE)] = 0.9
    late = np.zeros(LogMelStream.DELAY * 160, np.float32)
    mel = LogMelStream().push(np.concatenate([samples, late]))[LogMelStream.DELAY :]
    assert len(mel) == 100
    heard = np.flatnonzero(mel.mean(axis=1) > mel.mean(axis=1).min() + 1)
    middles = (heard + 0.5) / 100
    assert abs(middles.mean() - second) <= 0.0051
    assert np.abs(middles - second).max() < 0.0125 + 1e-9

    delay = 3
    silence = np.zeros(delay * 320, np.float32)
    stream = ProsodyStream(delay)
    _, loudness = stream.push(np.concatenate([samples, silence]), np.zeros(50 + delay, np.float32))
    frame = int(loudness[delay:].argmax())
    assert frame / FRAME_RATE <= second < (frame + 1) / FRAME_RATE


def test_a_pure_tone_fills_its_own_band_at_its_level() -> None:
    times = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    for hertz in (300.0, 1000.0, 4000.0):
        mel = LogMelStream().push(np.sin(2 * np.pi * hertz * times).astype(np.float32))[10:-10]
        edges = mel_edges()
        band = int(mel.mean(axis=0).argmax())
        assert edges[band] < hertz < edges[band + 2]
        assert abs(mel[:, band].mean()) < 1.0


def test_streams_of_features_equal_one_push() -> None:
    generator = np.random.default_rng(0)
    samples = (0.1 * generator.standard_normal(SAMPLE_RATE * 3) * np.linspace(0, 1, SAMPLE_RATE * 3)).astype(np.float32)
    voicing = np.ones(150, np.float32)
    mel, mean, prosody = LogMelStream(), RunningMean(PRIOR), ProsodyStream(4)
    pieces = [samples[i : i + 3200] for i in range(0, len(samples), 3200)]
    parts = [(mean.push(mel.push(piece)), *prosody.push(piece, voicing[:10])) for piece in pieces]
    normal, pitch, loudness = (np.concatenate(part) for part in zip(*parts, strict=True))
    np.testing.assert_allclose(normal, RunningMean(PRIOR).push(LogMelStream().push(samples)), atol=1e-5)
    whole_pitch, whole_loudness = ProsodyStream(4).push(samples, voicing)
    np.testing.assert_allclose(pitch, whole_pitch, atol=1e-4)
    np.testing.assert_allclose(loudness, whole_loudness, atol=1e-5)


def test_normalised_speech_does_not_depend_on_the_level() -> None:
    generator = np.random.default_rng(1)
    noise = generator.standard_normal((2000, MEL_BANDS)).astype(np.float32) - 9
    loud = RunningMean(PRIOR).push(noise)
    quiet = RunningMean(PRIOR).push(noise - 3)
    assert np.abs(loud[-200:] - quiet[-200:]).mean() < 0.1


def test_digital_silence_does_not_move_the_mean() -> None:
    mean = RunningMean(PRIOR)
    before = mean.push(PRIOR[None] + 1)
    mean.push(np.full((3000, MEL_BANDS), -20.7, np.float32))
    np.testing.assert_allclose(mean.push(PRIOR[None] + 1), before, atol=0.02)


@pytest.mark.parametrize("hertz", [80.0, 140.0, 220.0, 350.0])
def test_pitch_of_a_tone_and_semitones_above_the_median(hertz: float) -> None:
    samples = np.concatenate([tone(hertz, 2), tone(hertz * 2 ** (3 / 12), 0.5)])
    pitch, _ = ProsodyStream(2).push(samples, np.ones(125, np.float32))
    assert np.abs(pitch[5:95]).max() < 0.3
    assert abs(np.median(pitch[110:120]) - 3) < 0.3


def test_noise_and_silence_have_no_pitch() -> None:
    noise = np.random.default_rng(2).standard_normal(SAMPLE_RATE).astype(np.float32) * 0.1
    pitch, _ = ProsodyStream(2).push(
        np.concatenate([noise, np.zeros(SAMPLE_RATE, np.float32)]), np.ones(100, np.float32)
    )
    assert np.count_nonzero(pitch) <= 3


def test_unvoiced_frames_have_no_pitch() -> None:
    pitch, _ = ProsodyStream(2).push(tone(150, 1), np.zeros(50, np.float32))
    assert not pitch.any()


def test_loudness_is_relative_to_the_voice() -> None:
    for amplitude in (0.02, 0.5):
        samples = np.concatenate([tone(150, 6, amplitude), tone(150, 1, amplitude / 10), np.zeros(8000, np.float32)])
        _, loudness = ProsodyStream(2).push(samples, np.ones(375, np.float32))
        assert abs(loudness[250:300].mean()) < 0.05
        assert abs(loudness[310:345].mean() + 0.5) < 0.05
        assert loudness[-5:].max() == -1


def test_loudness_scale_is_clipped() -> None:
    np.testing.assert_allclose(scale_loudness(np.array([-90, -40, 0, 20, 50])), [-1, -1, 0, 0.5, 0.5])


def test_phone_track_times_features_and_joining() -> None:
    posteriors = np.eye(42, dtype=np.float32)[[0, 1, 2]]
    column = np.array([0, 1, 1], np.float32)
    track = PhoneTrack(posteriors, column, 24 * column, -column, start=1.0)
    np.testing.assert_allclose(track.times(), [1.01, 1.03, 1.05])
    features = track.features()
    assert features.shape == (3, 45) and features.dtype == np.float32
    np.testing.assert_allclose(features[1, 42:], [1, 1, -1])
    assert len(join_tracks([track, track])) == 6 and len(join_tracks([])) == 0
    with pytest.raises(ValueError, match="pitch"):
        PhoneTrack(posteriors, column, column[:2], column)
