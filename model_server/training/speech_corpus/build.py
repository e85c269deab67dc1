"""Make the voices of a speech corpus: each one file of utterances and one row of the manifest."""

from __future__ import annotations

import zlib
from collections.abc import Generator, Sequence
from concurrent.futures import as_completed
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .engines import VOICES
from .manifest import VoiceRow, read_row, settings_hash, write_row
from .needs import missing
from .utterance import label_shift, save_shard, shifted
from .voice import Voice
from .workers import workers

# Utterances among which the shift of a voice's labels is looked for.
_SHIFT_UTTERANCES = 40


@dataclass(frozen=True)
class VoiceReport:
    """What became of a voice.

    Attributes:
        voice: the voice.
        row: its row of the manifest; None where it could not be made.
        made: whether it was made now and not before.
        reason: why there is no row.
        failed: whether an engine that is there went wrong.
    """

    voice: Voice
    row: VoiceRow | None = None
    made: bool = False
    reason: str = ""
    failed: bool = False


def share_of_hours(voices: Sequence[Voice], hours: float) -> float:
    """Return the share of a full corpus at which the synthesisers among ``voices`` speak ``hours`` together."""
    spoken = [voice for voice in voices if not voice.human] or voices
    return hours * 3600 / sum(voice.seconds for voice in spoken)


def share_seconds(voice: Voice, share: float) -> float:
    """Return how many seconds a voice gives; a person has said no more than there is."""
    return voice.seconds * (min(1.0, share) if voice.human else share)


def voice_settings(voice: Voice, seconds: float, seed: int) -> str:
    """Return the hash of what decides the sound and the labels of a voice."""
    return settings_hash(
        {
            "voice": voice.name,
            "language": voice.language,
            "exact": voice.exact,
            "seconds": round(seconds, 3),
            "seed": seed,
        }
    )


def make_voice(name: str, seconds: float, seed: int, folder: Path) -> VoiceRow:
    """Speak, correct and store one voice; returns its row of the manifest.

    Args:
        name: one of the names in ``VOICES``.
        seconds: how much of it.
        seed: the same seed gives the same sentences and voices.
        folder: where the shard and the row go.

    Raises:
        ValueError: where the engine said nothing.
    """
    voice = next(voice for voice in VOICES if voice.name == name)
    # Every voice says other sentences.
    own_seed = 1000 * seed + zlib.crc32(name.encode()) % 1000
    utterances = list(voice.source(seconds, own_seed, folder))
    if not utterances:
        raise ValueError(f"{name} said nothing")
    shift = 0.0 if voice.echoes else label_shift(utterances[:_SHIFT_UTTERANCES])
    moved = [shifted(utterance, shift) for utterance in utterances]
    row = VoiceRow(
        voice=name,
        language=voice.language,
        seconds=round(sum(utterance.seconds for utterance in moved), 1),
        utterances=len(moved),
        licence=voice.licence,
        held_out=voice.held_out,
        human=voice.human,
        label_source="given" if voice.exact else "alignment",
        label_shift_ms=round(1000 * shift, 1),
        phones=len(np.unique(np.concatenate([utterance.phones for utterance in moved]))),
        settings_sha256=voice_settings(voice, seconds, seed),
    )
    save_shard(folder / f"{name}.npz", moved)
    write_row(folder, row)
    return row


def make_voices(
    voices: Sequence[Voice], share: float, folder: Path, jobs: int, seed: int
) -> Generator[VoiceReport, None, None]:
    """Make every voice that is not there, or not by these settings; a stopped run goes on where it was.

    Args:
        voices: which.
        share: of the seconds that a full corpus holds of each voice.
        folder: where shards and rows go.
        jobs: processes that work at once.
        seed: the same seed gives the same corpus.

    Yields:
        what became of each voice, the skipped and the finished first.
    """
    folder.mkdir(parents=True, exist_ok=True)
    wanted = []
    for voice in voices:
        row = read_row(folder, voice.name)
        reason = missing(voice.needs, folder)
        if row and row.settings_sha256 == voice_settings(voice, share_seconds(voice, share), seed):
            yield VoiceReport(voice, row)
        elif reason:
            yield VoiceReport(voice, reason=reason)
        else:
            wanted.append(voice)
    if not wanted:
        return
    with workers(jobs) as pool:
        work = {}
        # The longest first, so that no process is left with a long one when the others are done.
        for voice in sorted(wanted, key=lambda voice: -voice.seconds):
            work[pool.submit(make_voice, voice.name, share_seconds(voice, share), seed, folder)] = voice
        for job in as_completed(work):
            error = job.exception()
            if error is None:
                yield VoiceReport(work[job], job.result(), made=True)
            else:
                # Whatever one engine does wrong, the others go on; the caller says it and fails in the end.
                yield VoiceReport(work[job], reason=f"{type(error).__name__}: {error}", failed=True)
