"""Sessions: voices changed, rooms and codecs around them, and every label still in its place."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("soxr", reason="corpus making needs the extra 'train'")

from model_server.audio.features import SAMPLE_RATE
from model_server.audio.phone_track import FRAME_RATE
from model_server.audio.phones import PHONE_INDEX
from model_server.audio.prosody import measure_prosody
from model_server.errors import ConfigError
from model_server.training.speech_corpus.backgrounds import (
    Backgrounds,
    applause,
    breath,
    coloured_noise,
    hum,
    music,
    room_tone,
)
from model_server.training.speech_corpus.codecs import CODECS, code
from model_server.training.speech_corpus.sessions import (
    Session,
    index_sessions,
    load_sessions,
    make_file,
    make_files,
    make_sessions,
    save_sessions,
    session_prosody,
    wanted_files,
)
from model_server.training.speech_corpus.utterance import FloatArray, Utterance, label_shift, save_shard
from model_server.training.speech_corpus.voice_change import VoiceChange, intone, warp_envelope


def voice(seconds: float, hertz: FloatArray | float, formant: float = 1000.0) -> FloatArray:
    """Pulses of a pitch (one, or a contour over the time), through one resonance."""
    count = int(seconds * SAMPLE_RATE)
    contour = np.interp(np.linspace(0, 1, count), np.linspace(0, 1, np.size(hertz)), np.ravel(hertz))
    phase = np.cumsum(contour / SAMPLE_RATE)
    pulses = np.diff(np.floor(phase), prepend=0.0)
    time = np.arange(400) / SAMPLE_RATE
    ring = np.exp(-2 * np.pi * 60 * time) * np.sin(2 * np.pi * formant * time)
    sound = np.convolve(pulses, ring)[:count]
    return np.asarray(0.3 * sound / np.abs(sound).max(), np.float32)


def words(seed: int, count: int = 12) -> Utterance:
    """Vowels of two colours with silence between them, exactly labelled."""
    generator = np.random.default_rng(seed)
    pieces, phones, ends = [], [], []
    for number in range(count):
        seconds = generator.uniform(0.08, 0.25)
        name = ("sil", "a", "i")[number % 3]
        silence = np.zeros(int(seconds * SAMPLE_RATE), np.float32)
        pieces.append(silence if name == "sil" else voice(seconds, 120 + 20 * seed, 700 if name == "a" else 2500))
        phones.append(PHONE_INDEX[name])
        ends.append(sum(map(len, pieces)) / SAMPLE_RATE)
    return Utterance(np.concatenate(pieces), np.array(phones, np.uint8), np.array(ends))


def peak_hertz(samples: FloatArray) -> float:
    """Where the spectrum's energy has its middle."""
    power = np.abs(np.fft.rfft(samples)) ** 2
    return float((power * np.fft.rfftfreq(len(samples), 1 / SAMPLE_RATE)).sum() / power.sum())


def pitch_of(samples: FloatArray) -> FloatArray:
    return measure_prosody(np.pad(samples, 320), len(samples) // 320).hertz


@pytest.mark.parametrize("factor", [0.85, 1.18])
def test_another_vocal_tract_moves_resonances_and_not_the_pitch(factor: float) -> None:
    before = voice(1.0, 110.0)
    after = warp_envelope(before, factor)
    assert len(after) == len(before)
    assert peak_hertz(after) / peak_hertz(before) == pytest.approx(factor, abs=0.05)
    assert np.median(pitch_of(after)) == pytest.approx(110, rel=0.01)


def test_an_unchanged_envelope_changes_nothing() -> None:
    before = voice(0.5, 140.0)
    np.testing.assert_allclose(warp_envelope(before, 1.0), before, atol=2e-3)


@pytest.mark.parametrize("factor", [0.3, 1.7])
def test_intonation_is_flattened_and_exaggerated(factor: float) -> None:
    # Half an octave of melody, up and down twice.
    contour = 120 * 2 ** (0.25 * np.sin(np.linspace(0, 4 * np.pi, 200)))
    spoken = Utterance(voice(3.0, contour), np.array([PHONE_INDEX["a"]], np.uint8), np.array([3.0]))
    changed = intone(spoken, factor)

    def width(samples: FloatArray) -> float:
        hertz = pitch_of(samples)
        return float(np.ptp(np.percentile(np.log2(hertz[hertz > 0]), [5, 95])))

    assert width(changed.samples) / width(spoken.samples) == pytest.approx(factor, abs=0.12)
    assert peak_hertz(changed.samples) == pytest.approx(peak_hertz(spoken.samples), rel=0.05)


@pytest.mark.parametrize(
    "change",
    [
        VoiceChange(speed=0.84),
        VoiceChange(speed=1.19),
        VoiceChange(tempo=0.78),
        VoiceChange(tempo=1.3),
        VoiceChange(tract=1.18),
        VoiceChange(intonation=1.8),
        VoiceChange(speed=1.1, tempo=0.9, tract=0.9, intonation=0.5),
    ],
    ids=str,
)
def test_labels_stay_with_a_changed_voice(change: VoiceChange) -> None:
    spoken = [change(words(seed, 30)) for seed in range(3)]
    assert abs(label_shift(spoken)) < 0.004
    seconds = sum(words(seed, 30).seconds for seed in range(3))
    expected = seconds / change.speed / change.tempo
    assert sum(utterance.seconds for utterance in spoken) == pytest.approx(expected, rel=0.04)


@pytest.mark.parametrize("name", CODECS)
def test_codecs_leave_sound_where_it_was(name: str) -> None:
    sound = words(0, 24).samples
    for rate in CODECS[name].bit_rates or (None,):
        coded = code(sound, name, rate)
        assert coded.shape == sound.shape and coded.dtype == np.float32 and np.abs(coded).max() <= 1.2
        assert not np.array_equal(coded, sound)
        assert np.array_equal(coded, code(sound, name, rate))
        # Smoothed over some periods of the pitch: one period later the sound is much the same.
        before, after = (np.convolve(np.abs(s), np.ones(480) / 480, "same") for s in (sound, coded))
        lags = np.arange(-160, 161, 8)
        middle = before[200:-200]
        match = [np.corrcoef(middle, after[200 + lag : len(after) - 200 + lag])[0, 1] for lag in lags]
        assert abs(lags[int(np.argmax(match))]) <= 32, rate
        assert np.corrcoef(before, after)[0, 1] > 0.9


def test_backgrounds_have_unit_power_and_their_own_colours() -> None:
    generator = np.random.default_rng(0)
    count = 2 * SAMPLE_RATE
    for make in (coloured_noise, hum, music, applause):
        sound = make(count, generator)
        assert sound.shape == (count,) and sound.dtype == np.float32
        assert np.square(sound).mean() == pytest.approx(1, rel=0.01)
    spectrum = np.abs(np.fft.rfft(hum(count, generator)))
    hertz = np.fft.rfftfreq(count, 1 / SAMPLE_RATE)[spectrum.argsort()[-5:]]
    assert all(min(h % 50, -h % 50) < 1 for h in hertz) or all(min(h % 60, -h % 60) < 1 for h in hertz)
    soft = breath(SAMPLE_RATE // 2, generator)
    assert -90 < 10 * np.log10(np.square(soft).mean()) < -20
    assert abs(soft[0]) < 1e-4 and abs(soft[-1]) < 1e-4


def test_the_noise_of_a_recording_goes_on_in_its_pauses() -> None:
    generator = np.random.default_rng(0)
    noise = np.float32(0.002) * np.diff(coloured_noise(3 * SAMPLE_RATE + 1, generator))
    speech = noise.copy()
    speech[SAMPLE_RATE : 2 * SAMPLE_RATE] += voice(1.0, 110.0)
    tone = room_tone(speech, SAMPLE_RATE, generator)
    assert tone.shape == (SAMPLE_RATE,) and tone.dtype == np.float32
    assert tone.std() == pytest.approx(noise.std(), rel=0.15)
    assert peak_hertz(tone) == pytest.approx(peak_hertz(noise), rel=0.05)
    assert room_tone(voice(1.0, 110.0), 800, generator).std() < 0.11 * voice(1.0, 110.0).std()
    assert not room_tone(np.zeros(SAMPLE_RATE, np.float32), 800, generator).any()


def test_prosody_is_that_of_the_sound() -> None:
    low, high = voice(1.0, 110.0), voice(1.0, 165.0)
    quiet = np.float32(0.1) * low
    sound = np.concatenate([low, quiet, high, np.zeros(SAMPLE_RATE, np.float32)])
    phones = np.repeat([PHONE_INDEX["a"]] * 3 + [PHONE_INDEX["sil"]], FRAME_RATE).astype(np.uint8)
    pitch, loudness = session_prosody(sound, phones)
    assert pitch.shape == loudness.shape == phones.shape
    assert np.median(pitch[10:40]) == pytest.approx(0, abs=0.5)
    assert np.median(pitch[110:140]) == pytest.approx(12 * np.log2(1.5), abs=0.5)
    assert (pitch[150:] == 0).all()
    assert np.median(loudness[60:90]) == pytest.approx(np.median(loudness[10:40]) - 0.5, abs=0.1)
    assert (loudness[152:] == -1).all()
    # Frames that end together with a whole block, or in the middle of one, are the same.
    part = session_prosody(sound[: 130 * 320], phones[:130])
    np.testing.assert_array_equal(part[0][:128], pitch[:128])


def test_nobody_is_heard_speaking_between_the_words() -> None:
    """Music, noise, applause and breath come with silence as their label, and voices keep theirs."""
    utterances = [words(seed) for seed in range(8)]
    sessions = make_sessions(utterances * 4, False, np.random.default_rng(1))
    spoken = sum(int((session.phones != PHONE_INDEX["sil"]).sum()) for session in sessions) / FRAME_RATE
    wanted = 4 * sum(float(np.diff(u.ends, prepend=0)[u.phones != PHONE_INDEX["sil"]].sum()) for u in utterances)
    assert 0.7 < spoken / wanted < 1.4
    for session in sessions:
        assert (session.pitch[session.phones == PHONE_INDEX["sil"]] == 0).all()
        assert (np.abs(session.loudness) <= 1).all()
        assert all(np.isfinite(getattr(session, name)).all() for name in ("mel", "pitch", "loudness"))


def test_files_are_made_once_and_again_when_the_voice_is_new(tmp_path: Path) -> None:
    corpus = tmp_path / "voices"
    save_shard(corpus / "one.npz", [words(seed) for seed in range(3)])
    folders = tmp_path / "first", tmp_path / "second"
    folders[0].mkdir()
    for work in wanted_files(corpus, folders[0], 2):
        make_file(work, 7)
    wanted = wanted_files(corpus, folders[1], 2)
    assert [work.out.name for work in wanted] == ["one.0.npz", "one.-1.npz", "one.1.npz"]
    assert len(list(make_files(wanted, 2, 7))) == 3
    assert wanted_files(corpus, folders[1], 2) == []
    for name in ("one.0.npz", "one.-1.npz", "one.1.npz"):
        first, second = (load_sessions(folder / name) for folder in folders)
        assert all(same(a, b) for a, b in zip(first, second, strict=True))
    assert not same(load_sessions(folders[0] / "one.0.npz")[0], load_sessions(folders[0] / "one.1.npz")[0])
    save_shard(corpus / "one.npz", [words(9)])
    assert len(wanted_files(corpus, folders[0], 2)) == 3


def same(first: Session, second: Session) -> bool:
    names = ("mel", "phones", "pitch", "loudness")
    return all(np.array_equal(getattr(first, name), getattr(second, name)) for name in names)


def test_an_index_tells_what_files_hold(tmp_path: Path) -> None:
    sessions = make_sessions([words(0)], True, np.random.default_rng(0))
    save_sessions(tmp_path / "a.b.-1.npz", sessions)
    save_sessions(tmp_path / "c.0.npz", sessions)
    (tmp_path / "d.0.partial.npz").write_bytes(b"half a file")
    found = index_sessions(tmp_path)
    assert [(file.voice, file.copy) for file in found] == [("a.b", -1), ("c", 0)]
    assert found[0].seconds == pytest.approx(len(sessions[0]) / FRAME_RATE)
    assert found[0].counts.tolist() == [len(sessions[0])]


def test_files_of_another_version_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "old.0.npz", counts=np.array([2]), mel=np.zeros((4, 64)), phones=np.zeros(2))
    with pytest.raises(ConfigError, match="has no loudness and no pitch; delete it"):
        load_sessions(tmp_path / "old.0.npz")


def test_backgrounds_of_a_voice_repeat_with_its_seed() -> None:
    made = [Backgrounds.make([words(0)], np.random.default_rng(4)) for _ in range(2)]
    for kind in ("noise", "hum", "voices", "music", "applause"):
        first, second = (beds.bed(kind, 8000, np.random.default_rng(2)) for beds in made)
        assert np.array_equal(first, second) and first.shape == (8000,)
