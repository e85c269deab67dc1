"""The manifest of a speech corpus: what each voice is, how long, from where and by which licence."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path

MANIFEST = "manifest.json"

_LARGEST_FILE = 1 << 16


@dataclass(frozen=True)
class VoiceRow:
    """One voice of a corpus.

    Attributes:
        voice: name of its shard.
        language: ISO 639 code; "mul" for several.
        seconds: of sound.
        utterances: how many.
        licence: of the voice or the recordings.
        held_out: whether it is kept for validation.
        human: whether a person speaks.
        label_source: "given" where the phone times came with the sound, "alignment" where they were found.
        label_shift_ms: by how much the labels were moved later to fit the sound.
        phones: how many different phones it speaks.
        settings_sha256: of the settings it was made with; other settings make it again.
    """

    voice: str
    language: str
    seconds: float
    utterances: int
    licence: str
    held_out: bool
    human: bool
    label_source: str
    label_shift_ms: float
    phones: int
    settings_sha256: str


def settings_hash(settings: dict[str, str | int | float | bool]) -> str:
    """Return the SHA-256 of settings, hexadecimal, whatever their order."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()


def write_row(folder: Path, row: VoiceRow) -> None:
    """Write a voice's row beside its shard; a crash leaves no half file."""
    _write(folder / f"{row.voice}.json", asdict(row))


def read_row(folder: Path, voice: str) -> VoiceRow | None:
    """Return a voice's row; None where the voice is not there, or its row is damaged or of another version."""
    path = folder / f"{voice}.json"
    if not path.exists() or not path.with_suffix(".npz").exists() or path.stat().st_size > _LARGEST_FILE:
        return None
    try:
        row = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return None
    wanted = {field.name for field in fields(VoiceRow)}
    return VoiceRow(**row) if isinstance(row, dict) and set(row) == wanted else None


def write_manifest(folder: Path) -> list[VoiceRow]:
    """Gather the rows of every voice in ``folder`` in one ``manifest.json`` and return them by name."""
    names = sorted(path.stem for path in folder.glob("*.json") if path.name != MANIFEST)
    rows = [row for name in names if (row := read_row(folder, name)) is not None]
    total = round(sum(row.seconds for row in rows) / 3600, 2)
    _write(folder / MANIFEST, {"hours": total, "voices": [asdict(row) for row in rows]})
    return rows


def _write(path: Path, content: dict[str, object]) -> None:
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    partial.replace(path)
