"""The encoder and the listener: streams, look-ahead, lengths, checkpoints, and a real human voice."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from model_server.audio.decode import SAMPLE_RATE, open_audio
from model_server.audio.listener import PhoneListener
from model_server.audio.phone_track import join_tracks
from model_server.audio.phones import PHONES
from model_server.errors import WeightsError
from model_server.models.checkpoint import file_hash, load_checkpoint, read_extra, save_checkpoint
from model_server.models.speech_encoder import SpeechEncoder, SpeechEncoderConfig

WEIGHTS = Path(__file__).parents[1] / "model_server" / "weights" / "speech_encoder.safetensors"


@pytest.fixture(scope="module")
def shipped() -> SpeechEncoder:
    return load_checkpoint(WEIGHTS, SpeechEncoder)


@pytest.fixture(scope="module")
def small() -> SpeechEncoder:
    torch.manual_seed(0)
    return SpeechEncoder(SpeechEncoderConfig(channels=16)).eval()


def noise(samples: int, seed: int = 0) -> np.ndarray:
    return (0.1 * np.random.default_rng(seed).standard_normal(samples)).astype(np.float32)


def test_encoder_is_small_and_looks_ahead_at_most_200_ms(shipped: SpeechEncoder) -> None:
    assert sum(p.numel() for p in shipped.parameters()) <= 3_000_000
    assert shipped.delay <= 9


def test_calls_in_a_row_equal_one_call(small: SpeechEncoder) -> None:
    mel = torch.randn(2, 120, 64)
    with torch.no_grad():
        phones, voicing, _ = small(mel, small.initial_state(2))
        state = small.initial_state(2)
        parts = []
        for piece in mel.split(24, dim=1):
            heard, voiced, state = small(piece, state)
            parts.append((heard, voiced))
    assert phones.shape == (2, 60, 42) and voicing.shape == (2, 60)
    torch.testing.assert_close(torch.cat([p for p, _ in parts], 1), phones, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(torch.cat([v for _, v in parts], 1), voicing, atol=1e-5, rtol=1e-4)


def test_each_output_hears_its_own_frame(small: SpeechEncoder) -> None:
    """A change in mel frames 2 i and 2 i + 1 must reach output i + delay, and nothing before output i."""
    mel = torch.zeros(1, 200, 64)
    changed = mel.clone()
    changed[:, 100:102] += 1
    with torch.no_grad():
        difference = (small(changed, small.initial_state(1))[0] - small(mel, small.initial_state(1))[0]).abs().sum(2)[0]
    touched = torch.nonzero(difference > 1e-7).flatten()
    assert int(touched[0]) >= 50
    assert int(touched[0]) <= 50 + small.delay <= int(touched[-1])


def test_blocks_do_not_change_what_is_heard(shipped: SpeechEncoder) -> None:
    samples = noise(int(2.37 * SAMPLE_RATE))
    listener = PhoneListener(shipped)
    whole = join_tracks(list(listener.listen([samples]))).features()
    pieces = np.split(samples, [1, 1000, 8000, 8001, 30000])
    assert np.array_equal(join_tracks(list(listener.listen(pieces))).features(), whole)


@pytest.mark.parametrize("count", [1, 319, 320, 321, 4800, 16000, 17001])
def test_every_sample_is_covered_by_a_frame(small: SpeechEncoder, count: int) -> None:
    parts = list(PhoneListener(small).listen([noise(count)]))
    track = join_tracks(parts)
    assert len(track) == -(-count // 320)
    assert track.start == 0
    for before, after in pairwise(parts):
        assert after.start == pytest.approx(before.start + len(before) / 50)
    np.testing.assert_allclose(track.posteriors.sum(axis=1), 1, atol=1e-5)
    assert np.isfinite(track.features()).all()


def test_no_sound_gives_no_frames(small: SpeechEncoder) -> None:
    assert list(PhoneListener(small).listen([])) == []


def test_first_frames_come_within_half_a_second(small: SpeechEncoder) -> None:
    given = 0

    def live() -> object:
        nonlocal given
        for block in np.split(noise(SAMPLE_RATE), 100):
            given += len(block)
            yield block

    first = next(PhoneListener(small).listen(live()))
    assert len(first) > 0 and given <= 0.5 * SAMPLE_RATE


def test_the_future_beyond_200_ms_is_not_used(small: SpeechEncoder) -> None:
    samples = noise(2 * SAMPLE_RATE)
    other = samples.copy()
    other[SAMPLE_RATE:] = noise(SAMPLE_RATE, seed=9)
    one, two = (join_tracks(list(PhoneListener(small).listen([s]))).features() for s in (samples, other))
    assert np.array_equal(one[:40], two[:40])
    assert not np.array_equal(one[40:50], two[40:50])


def test_two_recordings_at_once_do_not_meet(small: SpeechEncoder) -> None:
    first, second = noise(SAMPLE_RATE, 1), noise(SAMPLE_RATE, 2)
    alone = join_tracks(list(PhoneListener(small).listen([first]))).features()
    listener = PhoneListener(small)
    one, two = listener.listen([first]), listener.listen([second])
    together = [a for a, _ in zip(one, two, strict=True)]
    assert np.array_equal(join_tracks(together).features(), alone)


def test_checkpoint_round_trip_and_refusals(small: SpeechEncoder, tmp_path: Path) -> None:
    path = tmp_path / "encoder.safetensors"
    save_checkpoint(small, small.config, path, {"figures": {"ä": 0.5}})
    again = load_checkpoint(path, SpeechEncoder)
    assert again.config == small.config and not again.training
    for name, value in small.state_dict().items():
        assert torch.equal(value, again.state_dict()[name])
    assert read_extra(path) == {"figures": {"ä": 0.5}}
    assert len(file_hash(path)) == 64
    with pytest.raises(WeightsError, match="missing"):
        load_checkpoint(tmp_path / "none.safetensors", SpeechEncoder)
    with pytest.raises(WeightsError, match="holds 'SpeechEncoder'"):
        load_checkpoint(path, torch.nn.Linear)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(WeightsError, match="broken"):
        load_checkpoint(path, SpeechEncoder)


def test_a_checkpoint_of_another_size_is_refused(small: SpeechEncoder, tmp_path: Path) -> None:
    path = tmp_path / "encoder.safetensors"
    save_checkpoint(small, SpeechEncoderConfig(channels=24), path)
    with pytest.raises(WeightsError, match="does not fit"):
        load_checkpoint(path, SpeechEncoder)


def test_silence_is_heard_as_silence(shipped: SpeechEncoder) -> None:
    for samples in (np.zeros(SAMPLE_RATE, np.float32), noise(SAMPLE_RATE) * 1e-3):
        track = join_tracks(list(PhoneListener(shipped).listen([samples])))
        assert track.posteriors[10:, PHONES.index("sil")].mean() > 0.8
        assert track.loudness[10:].max() < -0.5


def test_a_human_voice_is_understood(shipped: SpeechEncoder, shared_data: Path) -> None:
    """LJ001-0002, "in being comparatively modern": lips close for b and mp, and stay open through "arative"."""
    audio = open_audio(shared_data / "speech_ljspeech" / "LJ001-0002.flac")
    track = join_tracks(list(PhoneListener(shipped).listen(audio.blocks())))
    bilabial = track.posteriors[:, [PHONES.index(p) for p in "pbm"]].sum(axis=1)
    closures = [bilabial[round(50 * a) : round(50 * b)].max() for a, b in ((0.08, 0.24), (0.48, 0.70))]
    assert min(closures) > 0.5
    assert bilabial[round(50 * 0.75) : round(50 * 1.2)].max() < 0.3
    assert 0.3 < (track.voicing > 0.5).mean() < 0.95
    assert np.abs(track.pitch).max() < 24
