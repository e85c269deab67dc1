"""The repository keeps its own rules: sizes, no pickles, no paths of one machine, one version."""

from __future__ import annotations

import ast
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

import model_server

ROOT = Path(__file__).resolve().parents[1]
LARGEST_FILE = 16 * 2**20
LONGEST_FUNCTION = 60
LONGEST_FILE = 500
PICKLES = {".pkl", ".pickle", ".pt", ".pth", ".ckpt", ".joblib", ".npy.pkl"}
# Paths of somebody's machine. Spelled in two halves so that this file does not match itself.
MACHINE_PATH = re.compile(r"(/" + r"home/|/" + r"Users/|/" + r"root/|/" + r"work/|[A-Z]:\\" + r"Users)")


@pytest.fixture(scope="module")
def tracked() -> list[Path]:
    """Return the files that git tracks and that are there, or skip outside a git checkout."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout, so there is no list of tracked files")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.decode()
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_tracked_files_are_small(tracked: list[Path]) -> None:
    assert not [named(path) for path in tracked if path.stat().st_size > LARGEST_FILE]


def test_no_pickles_are_tracked(tracked: list[Path]) -> None:
    """By suffix and by content: protocol 2 and later begin with 0x80 and the protocol's number."""
    wrong = []
    for path in tracked:
        start = path.read_bytes()[:2]
        if path.suffix in PICKLES or (len(start) == 2 and start[0] == 0x80 and 2 <= start[1] <= 5):
            wrong.append(named(path))
    assert not wrong


def test_files_and_functions_are_short(tracked: list[Path]) -> None:
    wrong = []
    for path in tracked:
        if path.suffix != ".py":
            continue
        text = path.read_text(encoding="utf-8")
        if text.count("\n") >= LONGEST_FILE:
            wrong.append(f"{named(path)}: {text.count(chr(10))} lines")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length >= LONGEST_FUNCTION:
                    wrong.append(f"{named(path)}:{node.lineno} {node.name}: {length} lines")
    assert not wrong, "\n".join(wrong)


def test_no_machine_paths_outside_tests(tracked: list[Path]) -> None:
    wrong = []
    for path in tracked:
        data = path.read_bytes()
        if named(path).startswith("tests/") or b"\0" in data:
            continue
        for number, line in enumerate(data.decode("utf-8").splitlines(), 1):
            if MACHINE_PATH.search(line):
                wrong.append(f"{named(path)}:{number}: {line.strip()[:80]}")
    assert not wrong, "\n".join(wrong)


def test_one_version_everywhere() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    manifest = tomllib.loads((ROOT / "blender_manifest.toml").read_text(encoding="utf-8"))
    newest = re.search(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert newest is not None
    assert {version, manifest["version"], newest[1], model_server.__version__} == {version}


def test_the_licence_is_the_gpl() -> None:
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "GNU GENERAL PUBLIC LICENSE" in text and "Version 3, 29 June 2007" in text and len(text) > 35_000
