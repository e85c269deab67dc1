"""Spoken utterances with timed phones, and what is done to their labels."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soxr

from model_server.audio.features import MEL_HOP, MEL_RATE, MEL_WINDOW, SAMPLE_RATE, log_mel
from model_server.audio.phones import PHONE_INDEX
from model_server.audio.timed_phones import share_times

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Utterance:
    """One recording with its phones.

    Attributes:
        samples: (N,) float32 at 16 kHz.
        phones: (P,) uint8 indices into ``PHONES``.
        ends: (P,) float64 seconds at which each phone ends; the first begins at 0.
    """

    samples: FloatArray
    phones: npt.NDArray[np.uint8]
    ends: npt.NDArray[np.float64]

    @property
    def seconds(self) -> float:
        """Length of the sound."""
        return len(self.samples) / SAMPLE_RATE

    def labels(self, rate: float, frames: int, speed: float = 1.0) -> npt.NDArray[np.uint8]:
        """Return (frames,) the phone at the middle of every frame; silence after the last phone.

        Args:
            rate: frames per second.
            frames: how many.
            speed: how much faster the sound is played than it was labelled.
        """
        middles = (np.arange(frames) + 0.5) / rate * speed
        which = np.searchsorted(self.ends, middles, side="right")
        padded = np.append(self.phones, np.uint8(PHONE_INDEX["sil"]))
        return np.asarray(padded[np.minimum(which, len(self.phones))], np.uint8)


def timed(symbols: list[tuple[str, ...]], ends: list[float], samples: FloatArray) -> Utterance:
    """Return an utterance from engine symbols, each as the inventory's phones, with their end times in seconds.

    Phones of one symbol share its time as in :func:`share_times`.
    """
    phones, stops = share_times(symbols, ends)
    return Utterance(samples, np.array([PHONE_INDEX[phone] for phone in phones], np.uint8), np.array(stops))


def to_16k(samples: npt.NDArray[np.generic], rate: int) -> FloatArray:
    """Return mono sound (16-bit integers or floats) as float32 at 16 kHz."""
    floats = samples.astype(np.float32) / 32768 if samples.dtype == np.int16 else samples.astype(np.float32)
    if rate == SAMPLE_RATE:
        return floats
    return np.asarray(soxr.resample(floats, rate, SAMPLE_RATE), np.float32)


def label_shift(utterances: list[Utterance]) -> float:
    """Return the seconds by which the labels of a voice must move later to fit its sound best.

    The best shift is the one at which the labels explain most of the variance of the log-mel spectrum; it is looked
    for between -50 and +50 ms.
    """
    rate = 4 * MEL_RATE
    spectra, owners = [], []
    for utterance in utterances:
        mels = [log_mel(np.roll(utterance.samples, -step * MEL_HOP // 4)) for step in range(4)]
        count = min(map(len, mels))
        spectra.append(np.stack([mel[:count] for mel in mels], axis=1).reshape(4 * count, -1))
        owners.append(utterance)
    shifts = np.arange(-20, 21)
    explained = [_explained(spectra, owners, shift / rate, rate) for shift in shifts]
    best = int(np.argmax(explained))
    if best in (0, len(shifts) - 1):
        return 0.0
    before, at, after = explained[best - 1 : best + 2]
    bend = before - 2 * at + after
    return float((shifts[best] + (0.5 * (before - after) / bend if bend else 0.0)) / rate)


def _explained(spectra: list[FloatArray], owners: list[Utterance], shift: float, rate: int) -> float:
    """Return the between-phone sum of squares of the spectra when labels move later by ``shift`` seconds."""
    count = max(int(owner.phones.max()) for owner in owners) + 2
    sums, numbers = np.zeros((count, spectra[0].shape[1])), np.zeros(count)
    for mel, owner in zip(spectra, owners, strict=True):
        middles = np.arange(len(mel)) / rate + MEL_WINDOW / 2 / SAMPLE_RATE - shift
        which = np.searchsorted(owner.ends, middles, side="right")
        labels = np.append(owner.phones, 0)[np.minimum(which, len(owner.phones))]
        sums += np.equal.outer(np.arange(count), labels).astype(np.float32) @ mel
        numbers += np.bincount(labels, minlength=count)
    mean = sums.sum(axis=0) / numbers.sum()
    used = numbers > 0
    means = sums[used] / numbers[used, None]
    return float((numbers[used, None] * (means - mean) ** 2).sum() / numbers.sum())


def shifted(utterance: Utterance, seconds: float) -> Utterance:
    """Return the utterance with its labels moved later by ``seconds``."""
    return replace(utterance, ends=np.maximum(utterance.ends + seconds, 0))


def save_shard(path: Path, utterances: list[Utterance]) -> None:
    """Write utterances as one compressed file; a crash leaves no half file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial.npz")
    np.savez(
        partial,
        samples=np.concatenate([(u.samples * 32767).clip(-32768, 32767).astype(np.int16) for u in utterances]),
        sample_counts=np.array([len(u.samples) for u in utterances]),
        phones=np.concatenate([u.phones for u in utterances]),
        ends=np.concatenate([u.ends for u in utterances]),
        phone_counts=np.array([len(u.phones) for u in utterances]),
    )
    partial.replace(path)


def load_shard(path: Path) -> list[Utterance]:
    """Return the utterances of :func:`save_shard`."""
    with np.load(path, allow_pickle=False) as data:
        samples = np.split(data["samples"], np.cumsum(data["sample_counts"])[:-1])
        phones = np.split(data["phones"], np.cumsum(data["phone_counts"])[:-1])
        ends = np.split(data["ends"], np.cumsum(data["phone_counts"])[:-1])
    parts = zip(samples, phones, ends, strict=True)
    return [Utterance(s.astype(np.float32) / 32768, p, e) for s, p, e in parts]


def shard_seconds(path: Path) -> float:
    """Return how long the utterances of a shard are together; reads only a few bytes of it."""
    with np.load(path, allow_pickle=False) as data:
        return float(data["sample_counts"].sum()) / SAMPLE_RATE
