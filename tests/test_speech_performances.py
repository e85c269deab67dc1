"""Performances of the speech corpus: what is heard, what is accented, and the face that goes with it."""

from pathlib import Path

import numpy as np
import pytest

from blendshape_rigs.avatar import load_proxy_avatar
from model_server.audio.phone_track import FEATURES, FRAME_RATE
from model_server.audio.phones import PHONE_INDEX, PHONES
from model_server.errors import ConfigError, DreamTalkError
from model_server.models.checkpoint import load_checkpoint
from model_server.models.speech_encoder import SpeechEncoder
from model_server.training.performances import Performance, load_performances, save_performances
from model_server.training.speech_corpus.sessions import Session, SessionFile, save_sessions
from model_server.training.speech_performances import (
    aligned_posteriors,
    find_prosody,
    make_performance,
    perform_corpus,
    plan,
    true_segments,
)

WEIGHTS = Path(__file__).parent.parent / "model_server" / "weights" / "speech_encoder.safetensors"


def session(words: str = "sil m a m a sil p o p a sil", frames_each: int = 12) -> Session:
    """Return a session that says ``words`` in spectra of mere noise: its phones are known, its sound means nothing."""
    phones = np.repeat([PHONE_INDEX[symbol] for symbol in words.split()], frames_each).astype(np.uint8)
    generator = np.random.default_rng(0)
    mel = generator.normal(-6, 2, (2 * len(phones), 64)).astype(np.float16)
    level = np.where(phones == 0, -1.0, -0.1).astype(np.float16)
    return Session(mel, phones, np.zeros(len(phones), np.float16), level)


def test_segments_say_what_the_frames_say() -> None:
    segments = true_segments(session().phones)
    assert " ".join(segments.symbols) == "sil m a m a sil p o p a sil"
    assert segments.starts[1] == pytest.approx(12 / FRAME_RATE)
    assert segments.end == pytest.approx(11 * 12 / FRAME_RATE)


def test_the_vowel_that_is_higher_and_louder_bears_the_accent() -> None:
    said = session("sil t a t a t a t a t a sil")
    pitch, loudness = np.zeros(len(said), np.float32), said.loudness.astype(np.float32)
    third = slice(6 * 12, 7 * 12)
    pitch[third], loudness[third] = 5, 0.2
    prosody = find_prosody(true_segments(said.phones), pitch, loudness)
    assert prosody.accent_times.tolist() == pytest.approx([6.5 * 12 / FRAME_RATE])
    assert 0.3 < prosody.accent_strengths[0] <= 1
    assert prosody.phrase_ends.tolist() == pytest.approx([11 * 12 / FRAME_RATE])


def test_aligned_posteriors_are_right_but_for_their_boundaries() -> None:
    phones = session().phones
    posteriors = aligned_posteriors(phones, np.random.default_rng(1))
    assert posteriors.shape == (len(phones), len(PHONES))
    np.testing.assert_allclose(posteriors.sum(axis=1), 1, atol=1e-5)
    right = posteriors.argmax(axis=1) == phones
    assert right.mean() > 0.9
    assert right[6::12].all()


def test_a_performance_has_the_face_of_the_true_phones(tmp_path: Path) -> None:
    encoder = load_checkpoint(WEIGHTS, SpeechEncoder)
    said = session()
    made = make_performance(said, session("sil a i u sil", 50), encoder, "somebody", np.random.default_rng(5))
    assert made.audio.shape == (len(said), FEATURES)
    assert made.style.shape == (200, 58)
    assert np.isfinite(made.audio).all()
    gap = load_proxy_avatar().lip_gap(made.face[:, :52].astype(np.float32))
    labial = np.isin(said.phones, [PHONE_INDEX[symbol] for symbol in "mp"])
    for first in np.flatnonzero(np.diff(labial.astype(int)) == 1) + 1:
        assert gap[first - 2 : first + 14].min() < 0.0015
    assert gap[said.phones == PHONE_INDEX["a"]].max() > 0.004
    save_performances(tmp_path / "one.npz", [made, made])
    again = load_performances(tmp_path / "one.npz")
    assert len(again) == 2
    assert again[1].actor == "somebody"
    assert np.array_equal(again[1].face, made.face)
    assert np.array_equal(again[0].style, made.style)


def test_wrong_shapes_and_files_are_refused(tmp_path: Path) -> None:
    zeros = np.zeros((10, 45), np.float16)
    with pytest.raises(ValueError, match="emotion has shape"):
        Performance(
            zeros, np.zeros((9, 8), np.float16), np.zeros((10, 58), np.float16), np.zeros((5, 58), np.float16), "a"
        )
    (tmp_path / "no.npz").write_bytes(b"nothing of the kind")
    with pytest.raises(DreamTalkError, match="holds no performances"):
        load_performances(tmp_path / "no.npz")


def test_a_corpus_is_performed_once_and_held_out_voices_apart(tmp_path: Path) -> None:
    sessions, out = tmp_path / "sessions", tmp_path / "performances"
    sessions.mkdir()
    for name in ("somebody.0", "somebody.-1", "flite_awb.0"):
        save_sessions(sessions / f"{name}.npz", [session("sil m a i sil", 50)])
    made = dict(perform_corpus(sessions, out, WEIGHTS, hours=0.01, jobs=1, seed=0))
    assert {path.name for path in made} == {"somebody.0.npz", "flite_awb.0.held_out.npz"}
    assert list(made.values()) == [5.0, 5.0]
    assert load_performances(out / "somebody.0.npz")[0].actor == "somebody.0.0"
    assert not list(perform_corpus(sessions, out, WEIGHTS, hours=0.01, jobs=1, seed=0))
    with pytest.raises(ConfigError, match="dreamtalk corpus build"):
        list(perform_corpus(tmp_path / "nothing", out, WEIGHTS, hours=1, jobs=1, seed=0))


def test_the_plan_shares_the_hours_among_voices() -> None:
    files = [
        SessionFile(Path(f"{name}.0.npz"), name, 0, np.array([seconds * FRAME_RATE]))
        for name, seconds in (("short", 100), ("middle", 1000), ("long", 9000))
    ]
    taken = {file.voice: seconds for file, seconds in plan(files, 1.0)}
    assert taken["short"] == 100
    assert taken["middle"] == 1000
    assert taken["long"] == pytest.approx(2500, abs=1)
