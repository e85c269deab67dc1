"""The manifest of ``dreamtalk batch``: a CSV file with one recording a line, checked as a whole before work begins."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from model_server.errors import ConfigError
from model_server.pipeline.phone_source import PhoneSource
from model_server.pipeline.request import AnimationRequest, EmotionTrack

from .files import CURVE_SUFFIXES, SCENE_SUFFIXES
from .options import read_text

COLUMNS = (
    "audio",
    "output",
    "format",
    "emotion",
    "intensity",
    "text",
    "text_file",
    "lips",
    "language",
    "seed",
    "style",
    "fps",
    "character",
    "image",
)
VIDEO_SUFFIXES = (".mp4", ".webm")
SUFFIXES = CURVE_SUFFIXES + SCENE_SUFFIXES + VIDEO_SUFFIXES
MAXIMUM_LINES = 10_000
_MAXIMUM_BYTES = 16 * 2**20
_SHOWN = 5  # problems in a refusal
_FPS = 30.0
_VIDEO_FPS = 25.0


@dataclass(frozen=True)
class ManifestLine:
    """One recording and the file to make of it.

    Attributes:
        number: the line's number in the manifest, from 1.
        audio: the recording.
        output: path of the file to write, within the folder of the batch.
        request: the performance, without its style.
        style: curves or a video to borrow the manner of moving from.
        character: file of the character that moves, for scene formats.
        image: photograph that moves, for videos.
    """

    number: int
    audio: Path
    output: PurePath
    request: AnimationRequest = field(default_factory=AnimationRequest)
    style: Path | None = None
    character: Path | None = None
    image: Path | None = None

    @property
    def suffix(self) -> str:
        """The kind of file to write, such as ``".fbx"``."""
        return self.output.suffix.lower()

    @property
    def inputs(self) -> tuple[Path, ...]:
        """All files that are read, the recording first."""
        return tuple(path for path in (self.audio, self.style, self.character, self.image) if path is not None)


def read_manifest(path: Path) -> list[ManifestLine]:
    """Return the lines of the manifest at ``path``; relative paths in it are relative to it.

    Raises:
        ConfigError: naming up to five of the lines that cannot be carried out.
        OSError: when it cannot be read.
    """
    rows = _rows(path)
    lines, problems = [], []
    for number, cells in rows:
        try:
            lines.append(_line(number, cells, path.parent))
        except (ConfigError, OSError) as error:
            problems.append(f"line {number}: {error}")
    problems = problems or _clashes(lines)
    if problems:
        more = f"; and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
        raise ConfigError(f"'{path}' {'; '.join(problems[:_SHOWN])}{more}")
    return lines


def _rows(path: Path) -> list[tuple[int, dict[str, str]]]:
    """Return number and cells by column of each line; empty cells and empty lines are left out."""
    if path.stat().st_size > _MAXIMUM_BYTES:
        raise ConfigError(f"'{path}' is larger than {_MAXIMUM_BYTES // 2**20} MiB; split it")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigError(f"'{path}' is not UTF-8 text; save it as CSV UTF-8") from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    header: list[str] = []
    rows: list[tuple[int, dict[str, str]]] = []
    try:
        for cells in reader:
            filled = [cell.strip() for cell in cells]
            if not any(filled):
                continue
            if not header:
                header = _header(path, filled)
                continue
            if len(filled) > len(header):
                raise ConfigError(
                    f"'{path}' line {reader.line_num}: {len(filled)} cells for {len(header)} columns; "
                    "put cells that hold commas in quotes"
                )
            rows.append((reader.line_num, {name: cell for name, cell in zip(header, filled, strict=False) if cell}))
            if len(rows) > MAXIMUM_LINES:
                raise ConfigError(f"'{path}' has more than {MAXIMUM_LINES} lines; split it")
    except csv.Error as error:
        raise ConfigError(f"'{path}' line {reader.line_num}: {error}; long texts belong in a text_file") from error
    if not rows:
        raise ConfigError(f"'{path}' names no recording; write a line with the names of the columns, then one for each")
    return rows


def _header(path: Path, names: list[str]) -> list[str]:
    for name in names:
        if name not in COLUMNS:
            raise ConfigError(f"'{path}' has an unknown column '{name[:40]}'; choose from {', '.join(COLUMNS)}")
        if names.count(name) > 1:
            raise ConfigError(f"'{path}' has two columns '{name}'; remove one")
    if "audio" not in names:
        raise ConfigError(f"'{path}' has no column 'audio'; name the recordings in it")
    return names


def _line(number: int, cells: dict[str, str], folder: Path) -> ManifestLine:
    if "audio" not in cells:
        raise ConfigError("the audio is missing")
    output = _output(cells)
    files = {name: _file(cells, name, folder) for name in ("audio", "style", "character", "image", "text_file")}
    suffix = output.suffix.lower()
    if files["character"] is not None and suffix not in SCENE_SUFFIXES:
        raise ConfigError(f"a character is of no use to {suffix}; leave it out")
    if (files["image"] is not None) != (suffix in VIDEO_SUFFIXES):
        wanted = "needs a photograph in the column image" if files["image"] is None else "has no use for an image"
        raise ConfigError(f"{suffix} {wanted}")
    request = AnimationRequest(
        _emotion(cells),
        _seed(cells),
        _number(cells, "fps", _VIDEO_FPS if suffix in VIDEO_SUFFIXES else _FPS),
        source=_source(cells, files["text_file"]),
    )
    assert files["audio"] is not None  # its cell is filled
    return ManifestLine(number, files["audio"], output, request, files["style"], files["character"], files["image"])


def _file(cells: dict[str, str], name: str, folder: Path) -> Path | None:
    if name not in cells:
        return None
    path = folder / Path(cells[name]).expanduser()
    if not path.is_file():
        raise ConfigError(f"{name} '{path}' does not exist or is no file")
    return path


def _output(cells: dict[str, str]) -> PurePath:
    """Return where the line's file goes within the folder of the batch."""
    kind = cells.get("format", "").lower().removeprefix(".")
    name = cells.get("output") or Path(cells["audio"]).stem
    path = PurePath(name)
    if path.is_absolute() or ".." in path.parts or not path.name or not name.isprintable():
        raise ConfigError(f"output '{name[:80]}' must be a name within the folder of the batch")
    if kind and f".{kind}" not in SUFFIXES:
        raise ConfigError(f"unknown format '{kind[:20]}'; choose from {_kinds()}")
    if kind and path.suffix.lower() != f".{kind}":
        if path.suffix.lower() in SUFFIXES and "output" in cells:
            raise ConfigError(f"output '{name}' is no {kind}; correct the format or leave it out")
        path = path.with_name(f"{path.name}.{kind}")
    if path.suffix.lower() not in SUFFIXES or (not kind and "output" not in cells):
        raise ConfigError(f"the kind of file is missing; end the output in, or write as format, one of {_kinds()}")
    return path


def _kinds() -> str:
    return " ".join(suffix[1:] for suffix in SUFFIXES)


def _emotion(cells: dict[str, str]) -> EmotionTrack:
    name, intensity = cells.get("emotion", ""), cells.get("intensity", "")
    if not intensity:
        return EmotionTrack.parse(name) if name else EmotionTrack.constant({})
    if not name or ":" in name or "," in name:
        raise ConfigError("an intensity belongs to one emotion; write happy and 0.8, or happy:0.5,surprised:0.3 alone")
    return EmotionTrack.constant({name: _number(cells, "intensity", 1.0)})


def _number(cells: dict[str, str], name: str, usual: float) -> float:
    if name not in cells:
        return usual
    try:
        return float(cells[name])
    except ValueError:
        raise ConfigError(f"{name} '{cells[name][:40]}' is no number") from None


def _seed(cells: dict[str, str]) -> int:
    try:
        return int(cells.get("seed", "0"))
    except ValueError:
        raise ConfigError(f"seed '{cells['seed'][:40]}' is no whole number") from None


def _source(cells: dict[str, str], text_file: Path | None) -> PhoneSource:
    if "text" in cells and text_file is not None:
        raise ConfigError("text and text_file both say what is said; leave one out")
    text = cells.get("text", "") if text_file is None else read_text(text_file)
    return PhoneSource(text, cells.get("language", "en"), cells.get("lips", "auto"))


def _clashes(lines: list[ManifestLine]) -> list[str]:
    """Return what is wrong with lines that write the same file."""
    first: dict[str, int] = {}
    problems = []
    for line in lines:
        # Some file systems do not tell capitals from small letters.
        name = str(line.output).casefold()
        if name in first:
            problems.append(
                f"line {line.number}: '{line.output}' is the output of line {first[name]} too; name another output"
            )
        first.setdefault(name, line.number)
    return problems
