"""What the tests of the documentation share: its pages, what stands in them, and small files for its commands."""

from __future__ import annotations

import ast
import re
import shlex
import shutil
import wave
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import av
import numpy as np
import pytest
from capture_support import moving_photograph, write_video
from PIL import Image

from model_server.cli import main

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
_SENTENCE_SECONDS = 3.73  # of the sample
_LINE_SECONDS = 4.2  # README makes 2.5 to 4 s of a take again
_SHORT_SECONDS = 1.0
_RATE = 16_000
_VIDEO_FRAMES = 24
_SIDE = 200  # pixels of a photograph
_SAID = {"Bring me the map, Pam.": "Hello! My name is Bella, and I bring pictures to life."}
"""What the documentation says a recording says, and what the sample really does."""


@dataclass(frozen=True)
class Block:
    """One fenced block of a page."""

    page: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    def commands(self) -> list[list[str]]:
        """Return the words of each command, without comments."""
        whole = self.text.replace("\\\n", " ")
        return [words for line in whole.splitlines() if (words := shlex.split(line, comments=True))]


def blocks(language: str) -> list[Block]:
    """Return the fenced blocks of all pages that are marked as ``language``."""
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for match in re.finditer(r"^( *)```(\w*)[^\n]*\n(.*?)^ *```$", text, re.DOTALL | re.MULTILINE):
            if match[2] == language:
                body = re.sub(f"^{match[1]}", "", match[3], flags=re.MULTILINE)
                found.append(Block(page, text.count("\n", 0, match.start()) + 1, language, body))
    return found


def prose(page: Path) -> str:
    """Return the text of a page without fenced blocks, code, and comments."""
    text = re.sub(r"^( *)```.*?^ *```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"<!--.*?-->|`[^`\n]*`", "", text, flags=re.DOTALL)


# --- What the extension shows --------------------------------------------------------------------------------------


def _strings(node: ast.expr) -> Iterator[str]:
    """Yield the strings that an expression may be; what is put into them stands as ``…``."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        yield "".join(
            part.value if isinstance(part, ast.Constant) and isinstance(part.value, str) else "…"
            for part in node.values
        )
    elif isinstance(node, ast.IfExp):
        yield from _strings(node.body)
        yield from _strings(node.orelse)


_SHOWN = ("name", "text", "heading")


def _labels_in(node: ast.AST) -> Iterator[str]:
    """Yield what Blender may show of one node: labels, names of properties, texts, items of lists and tables."""
    if isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        if any(isinstance(target, ast.Name) and target.id == "bl_label" for target in targets) and node.value:
            yield from _strings(node.value)
    elif isinstance(node, ast.Call):
        for value in [*node.args, *(keyword.value for keyword in node.keywords if keyword.arg in _SHOWN)]:
            yield from _strings(value)
    elif isinstance(node, ast.Tuple):
        for value in node.elts:
            yield from _strings(value)


@cache
def trees() -> dict[Path, ast.Module]:
    """Return the parsed source of the extension and of what it talks to."""
    paths = [
        path
        for package in ("dream_blender", "blendshape_rigs", "model_server")
        for path in (ROOT / package).rglob("*.py")
    ]
    return {path: ast.parse(path.read_text(encoding="utf-8")) for path in paths}


@cache
def labels() -> frozenset[str]:
    """Return every label that the extension shows."""
    extension = [tree for path, tree in trees().items() if path.parent.name == "dream_blender"]
    return frozenset(label for tree in extension for node in ast.walk(tree) for label in _labels_in(node) if label)


def _texts(node: ast.AST) -> set[str]:
    return {item.value for item in ast.walk(node) if isinstance(item, ast.Constant) and isinstance(item.value, str)}


def class_labels(kind: str) -> set[str]:
    """Return the ``bl_label`` of the classes whose name holds ``_KIND_``: "PT" for panels, "OT" for operators.

    Those that are marked as internal are left out: nobody sees them.
    """
    found = set()
    for path, tree in trees().items():
        if path.parent.name != "dream_blender":
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and f"_{kind}_" in node.name:
                own = [item for item in node.body if isinstance(item, ast.Assign)]
                if not any("INTERNAL" in _texts(item) for item in own):
                    found |= {label for item in own for label in _labels_in(item)}
    return found


@cache
def messages() -> tuple[str, ...]:
    """Return every string of the program, with ``…`` where something is put into it."""
    return tuple(
        text
        for tree in trees().values()
        for node in ast.walk(tree)
        if isinstance(node, ast.expr)
        for text in _strings(node)
    )


# --- Small files for commands --------------------------------------------------------------------------------------


def _line(path: Path) -> None:
    """Write the first sentence of the sample, and a short silence."""
    _write_sample(path, _SENTENCE_SECONDS, _LINE_SECONDS)


def short_line(path: Path) -> None:
    """Write the first second of the sample, where what is said does not matter."""
    _write_sample(path, _SHORT_SECONDS, _SHORT_SECONDS)


def _write_sample(path: Path, spoken: float, seconds: float) -> None:
    with av.open(str(ROOT / "model_server" / "assets" / "demo_speech.flac")) as file:
        resampler = av.AudioResampler("s16", "mono", _RATE)
        pieces = [made.to_ndarray()[0] for frame in file.decode(audio=0) for made in resampler.resample(frame)]
    samples, end = np.zeros(round(seconds * _RATE), "<i2"), round(spoken * _RATE)
    samples[:end] = np.concatenate(pieces)[:end]
    with wave.open(str(path), "wb") as written:
        written.setparams((1, 2, _RATE, 0, "NONE", ""))
        written.writeframes(samples.tobytes())


def _photograph(path: Path) -> None:
    photographs = pytest.importorskip("skimage.data", reason="scikit-image has the test photograph")
    Image.fromarray(photographs.astronaut()[:300, 60:360]).resize((_SIDE, _SIDE)).save(path)


def _video(path: Path) -> None:
    write_video(path, moving_photograph(_VIDEO_FRAMES, hidden=slice(0)), 24)


def _take(path: Path) -> None:
    _made_by("animate", small_file(path.parent, "line.wav"), "-o", path)


def _hero(path: Path) -> None:
    _made_by("convert", small_file(path.parent, "take.csv"), "-o", path)


def _points(path: Path) -> None:
    _made_by("portrait", "--write-landmarks", path, small_file(path.parent, "drawing.png"))


def _manifest(path: Path) -> None:
    """Write the table that the page on commands shows."""
    shown = [block for block in blocks("csv") if block.page.name == "commands.md"]
    path.write_text(truly_said(shown[0].text), encoding="utf-8")


def _made_by(*words: object) -> None:
    assert main([str(word) for word in words]) == 0, words


_MAKERS: dict[str, Callable[[Path], None]] = {
    "line.wav": _line,
    "my.wav": _line,
    "me.jpg": _photograph,
    "drawing.png": _photograph,
    "video.mp4": _video,
    "performance.mp4": _video,
    "interview.mp4": _video,
    "take.csv": _take,
    "take.npz": _take,
    "hero.glb": _hero,
    "points.json": _points,
    "manifest.csv": _manifest,
}
"""How each small file is made that the commands of the documentation are given."""


_kept = TemporaryDirectory(prefix="dreamtalk-docs-")


_NAMED_IN = {"manifest.csv": ("line.wav",)}
"""Files that others name, and that must lie beside them."""


def small_file(folder: Path, name: str) -> Path:
    """Return a file of the documentation in ``folder``; it is made once, and copied if it is not there."""
    path = folder / name
    if not path.exists():
        made = Path(_kept.name) / name
        if not made.exists():
            _MAKERS[name](made)
        if made != path:
            shutil.copyfile(made, path)
    for other in _NAMED_IN.get(name, ()):
        small_file(folder, other)
    return path


def truly_said(text: str) -> str:
    """Return ``text`` with the words of the sample in place of those of the documentation."""
    for written, said in _SAID.items():
        text = text.replace(written, said)
    return text


def is_small_file(word: str) -> bool:
    """Tell whether ``word`` names a file that can be made."""
    return word in _MAKERS
