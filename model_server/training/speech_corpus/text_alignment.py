"""Phones of recordings in any language, from their text, by a trained speech encoder.

The encoder's posteriors, espeak-ng's pronunciation and Viterbi alignment: the better the encoder, the better the
labels, so an encoder that was trained on them can label them again.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from model_server.audio.alignment import Word, align
from model_server.audio.features import SAMPLE_RATE, LogMelStream, RunningMean
from model_server.audio.phone_track import FRAME_RATE
from model_server.audio.phones import MOUTH_CLASS_OF, MOUTH_CLASSES, PHONE_INDEX, PHONES
from model_server.audio.pronunciation import pronounce
from model_server.audio.timed_phones import TimedPhones
from model_server.errors import AudioError, ConfigError
from model_server.models.checkpoint import load_checkpoint
from model_server.models.speech_encoder import SpeechEncoder

from .utterance import FloatArray, Utterance

LEAST_LIKENESS = 0.5
"""Below this likeness (:func:`likeness`) speech is taken to say something else."""

# Phones per second of speech; faster means that the text was squeezed into too little of the sound.
_FASTEST = 22.0

_WEIGHTS = Path(__file__).parents[2] / "weights" / "speech_encoder.safetensors"
_FRAME = SAMPLE_RATE // FRAME_RATE
_CLASS = np.array(MOUTH_CLASS_OF)


@cache
def _encoder() -> SpeechEncoder:
    torch.set_num_threads(1)  # voices are made in parallel
    return load_checkpoint(_WEIGHTS, SpeechEncoder)


def hear(samples: FloatArray) -> npt.NDArray[np.float32]:
    """Return (T, 42) phone posteriors at 50 frames a second of (N,) samples at 16 kHz, T = N // 320.

    Unlike a listener, it subtracts the mean spectrum of the whole recording from the first frame on.
    """
    encoder = _encoder()
    count = len(samples) // _FRAME
    late = np.zeros(encoder.delay * _FRAME + LogMelStream.DELAY * _FRAME // 2, np.float32)
    mel = LogMelStream().push(np.concatenate([samples[: count * _FRAME], late]))[LogMelStream.DELAY :]
    mean = RunningMean(encoder.mel_prior())
    mean.push(mel[: 2 * count])
    posteriors, _, _ = encoder.hear(mean.push(mel), encoder.start())
    return posteriors[encoder.delay :]


def likeness(posteriors: npt.NDArray[np.float32], phones: TimedPhones) -> float:
    """Return in 0..1 how much of what is heard in speech the phones explain.

    The posteriors of the phones' mouth classes, relative to those of the classes that are heard best. A wrong text
    reaches 0.3 to 0.5, the right one 0.6 to 0.9, whatever the recording's quality.

    Args:
        posteriors: (T, 42) at 50 frames a second.
        phones: as aligned with them.
    """
    classes = posteriors @ np.equal.outer(_CLASS, np.arange(len(MOUTH_CLASSES))).astype(np.float32)
    labels = phones.labels(len(posteriors))
    spoken = labels != PHONE_INDEX["sil"]
    explained = classes[np.arange(len(labels)), _CLASS[labels]]
    return float(explained[spoken].sum() / max(1e-6, classes.max(axis=1)[spoken].sum()))


def words_of(text: str, language: str) -> list[Word]:
    """Return the words of a text as spoken in a language of espeak-ng; none for punctuation or foreign letters."""
    try:
        return pronounce(text, language)
    except ConfigError:
        return []


def align_text(samples: FloatArray, text: str, language: str) -> Utterance | None:
    """Return the phones of speech that says ``text``; None when it does not seem to say it.

    Args:
        samples: (N,) float32 at 16 kHz.
        text: in the spelling of ``language``.
        language: a language of espeak-ng.
    """
    return align_pronounced(samples, words_of(text, language))


def align_pronounced(samples: FloatArray, words: list[Word], least: float = LEAST_LIKENESS) -> Utterance | None:
    """Return the phones of (N,) speech at 16 kHz that says ``words``; None below ``least`` likeness."""
    if not words:
        return None
    posteriors = hear(samples)
    try:
        phones = align(posteriors, words)
    except AudioError:
        return None  # too short for the text
    spoken = np.array([symbol != PHONES[0] for symbol in phones.symbols])
    if spoken.sum() > _FASTEST * (phones.ends - phones.starts)[spoken].sum():
        return None
    if likeness(posteriors, phones) < least:
        return None
    return Utterance(samples, np.array([PHONE_INDEX[symbol] for symbol in phones.symbols], np.uint8), phones.ends)
