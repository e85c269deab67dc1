"""Voices tell phones that fit their sound; sessions keep sound and labels in step."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("soxr", reason="corpus making needs the extra 'train'")
pytest.importorskip("pocketsphinx", reason="corpus making needs the extra 'train'")

from model_server.audio.features import SAMPLE_RATE
from model_server.audio.phones import MOUTH_CLASS_OF, PHONE_INDEX, PHONES
from model_server.training.evaluate_encoder import BILABIAL, match_spans
from model_server.training.speech_corpus.augment import augment, reverberate
from model_server.training.speech_corpus.backgrounds import Backgrounds
from model_server.training.speech_corpus.engines import VOICES, flite
from model_server.training.speech_corpus.phone_sets import festival_phones
from model_server.training.speech_corpus.sessions import (
    load_sessions,
    make_session,
    make_sessions,
    save_sessions,
)
from model_server.training.speech_corpus.utterance import (
    Utterance,
    label_shift,
    load_shard,
    save_shard,
    shifted,
    timed,
)
from model_server.training.train_encoder import SpeechSet, disturb, warp_matrix


def beeps(count: int, seed: int) -> Utterance:
    """Silence and tones of two heights in turn, with exact labels."""
    generator = np.random.default_rng(seed)
    pieces, phones, ends = [], [], []
    for number in range(count):
        samples = int(generator.uniform(0.05, 0.2) * SAMPLE_RATE)
        name, hertz = (("sil", 0), ("a", 700), ("i", 3500))[number % 3]
        pieces.append(0.3 * np.sin(2 * np.pi * hertz * np.arange(samples) / SAMPLE_RATE))
        phones.append(PHONE_INDEX[name])
        ends.append(sum(map(len, pieces)) / SAMPLE_RATE)
    return Utterance(np.concatenate(pieces).astype(np.float32), np.array(phones, np.uint8), np.array(ends))


def test_affricates_and_diphthongs_share_their_time() -> None:
    spoken = timed([("sil",), ("t", "ʃ"), ("a", "ɪ"), ()], [0.1, 0.3, 0.5, 0.6], np.zeros(9600, np.float32))
    assert [PHONES[p] for p in spoken.phones] == ["sil", "t", "ʃ", "a", "ɪ"]
    np.testing.assert_allclose(spoken.ends, [0.1, 0.19, 0.3, 0.42, 0.6])


def test_labels_at_frame_middles_and_at_another_speed() -> None:
    spoken = timed([("sil",), ("m",)], [0.1, 0.2], np.zeros(3200, np.float32))
    m = PHONE_INDEX["m"]
    assert spoken.labels(50, 12).tolist() == [0] * 5 + [m] * 5 + [0] * 2
    assert spoken.labels(50, 6, speed=2).tolist() == [0, 0, m, m, m, 0] or spoken.labels(50, 6, speed=2).tolist() == [
        0, 0, 0, m, m, 0,
    ]  # fmt: skip


@pytest.mark.parametrize("shift", [-0.02, 0.0, 0.013])
def test_shift_of_labels_is_found(shift: float) -> None:
    spoken = [shifted(beeps(30, seed), shift) for seed in range(3)]
    assert label_shift(spoken) == pytest.approx(-shift, abs=0.003)


def test_sessions_keep_sound_and_labels_in_step(tmp_path: Path) -> None:
    utterances = [beeps(12, seed) for seed in range(4)]
    backgrounds = Backgrounds.make(utterances, np.random.default_rng(0))
    for around in (None, backgrounds):
        session = make_session(utterances, around, np.random.default_rng(3))
        assert len(session.mel) == 2 * len(session) == 2 * len(session.pitch) == 2 * len(session.loudness)
        pairs = session.mel.astype(np.float32).reshape(len(session.phones), 2, 64).mean(axis=1)
        high = pairs[:, 40:].max(axis=1) - pairs[:, 8:30].max(axis=1)
        is_i, is_a = (session.phones == PHONE_INDEX[p] for p in "ia")
        agreement = np.concatenate([high[is_i] > 0, high[is_a] < 0]).mean()
        assert agreement > 0.9
    sessions = make_sessions(utterances, True, np.random.default_rng(0))
    save_sessions(tmp_path / "x.npz", sessions)
    again = load_sessions(tmp_path / "x.npz")
    assert all(
        np.array_equal(getattr(a, name), getattr(b, name))
        for a, b in zip(sessions, again, strict=True)
        for name in ("mel", "phones", "pitch", "loudness")
    )
    corpus = SpeechSet([tmp_path / "x.npz"])
    assert np.isfinite(corpus.sessions[0].mel).all() and corpus.prior.shape == (64,)


def test_shards_come_back_as_they_were(tmp_path: Path) -> None:
    utterances = [beeps(5, seed) for seed in range(3)]
    save_shard(tmp_path / "voice.npz", utterances)
    for before, after in zip(utterances, load_shard(tmp_path / "voice.npz"), strict=True):
        np.testing.assert_allclose(before.samples, after.samples, atol=1e-4)
        assert np.array_equal(before.phones, after.phones) and np.array_equal(before.ends, after.ends)


def test_augmentation_stays_finite_and_in_place() -> None:
    click = np.zeros(SAMPLE_RATE, np.float32)
    click[5000] = 0.8
    backgrounds = Backgrounds.make([beeps(20, 0)], np.random.default_rng(0))
    for seed in range(20):
        made = augment(click, backgrounds, np.random.default_rng(seed))
        assert made.shape == click.shape and np.isfinite(made).all() and np.abs(made).max() <= 1
    assert abs(int(np.abs(reverberate(click, np.random.default_rng(0))).argmax()) - 5000) <= 1


def test_warping_moves_formants_and_keeps_flat_spectra() -> None:
    import torch

    flat = torch.ones(64)
    torch.testing.assert_close(flat @ warp_matrix(1.0), flat)
    torch.testing.assert_close(flat @ warp_matrix(1.1), flat)
    peak = torch.zeros(64)
    peak[30] = 1
    assert int((peak @ warp_matrix(1.1)).argmax()) < 30 < int((peak @ warp_matrix(0.9)).argmax())
    generator = torch.Generator().manual_seed(0)
    assert torch.isfinite(disturb(torch.randn(3, 100, 64, generator=generator), generator)).all()


def test_spans_are_counted() -> None:
    wanted = np.array([0, 1, 1, 0, 0, 0, 0, 1, 1, 0])
    heard = np.array([0, 0, 0, 1, 0, 0, 0, 0, 0, 0])
    spans = match_spans(heard, wanted, 1)
    assert (spans.found, spans.wanted, spans.right, spans.heard) == (1, 2, 1, 1)
    assert MOUTH_CLASS_OF[PHONE_INDEX["m"]] == BILABIAL


def test_every_voice_states_its_licence_and_some_are_held_out() -> None:
    assert all(voice.licence for voice in VOICES)
    assert len({voice.name for voice in VOICES}) == len(VOICES)
    assert sum(voice.held_out for voice in VOICES) >= 2


@pytest.mark.parametrize(
    ("symbol", "language", "phones"),
    [
        ("dZ", "it", ("d", "ʒ")),
        ("a1", "it", ("a",)),
        ("c~", "cs", ("t", "ʃ")),
        ("a:", "fi", ("ɑ",)),
        ("rr", "ru", ("r",)),
        ("sch", "ru", ("ʃ",)),
        ("#", "cs", ("sil",)),
        ("_", "cs", ()),
        ("ax", "ca", ("ə",)),
    ],
)
def test_festival_symbols(symbol: str, language: str, phones: tuple[str, ...]) -> None:
    assert festival_phones(symbol, language) == phones


@pytest.mark.skipif(shutil.which("flite") is None, reason="flite is not installed")
@pytest.mark.skipif(not Path("/usr/share/games/fortunes/fortunes").exists(), reason="fortunes are not installed")
def test_flite_labels_fit_its_sound(tmp_path: Path) -> None:
    utterances = list(flite("slt")(12, 0, tmp_path))
    assert sum(u.seconds for u in utterances) >= 12
    assert abs(label_shift(utterances)) < 0.012
    again = next(flite("slt")(1, 0, tmp_path))
    assert np.array_equal(again.samples, utterances[0].samples)
