"""Paths with spaces and letters of many scripts, an extension folder that is read-only, Windows' forms of paths."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from blender_support import Blender, installed_blender
from server_support import running_server, voice, wav

SUFFIXES = (".csv", ".json", ".npz", ".fbx", ".glb")
WINDOWS = {
    "C:\\Users\\Jörg Müller\\voice 1.wav": "C:\\Users\\Jörg Müller\\voice 1.wav",
    '"C:\\Users\\Jörg Müller\\voice 1.wav"': "C:\\Users\\Jörg Müller\\voice 1.wav",
    "c:/voices/voice.wav ": "c:/voices/voice.wav",
    "\\\\studio\\share\\voice.wav": "\\\\studio\\share\\voice.wav",
    '"\\\\studio\\share\\a b.wav"': "\\\\studio\\share\\a b.wav",
    "//sound\\voice.wav": "//sound\\voice.wav",
    "//..\\voice.wav": "//..\\voice.wav",
    "'": "'",
    "": "",
}
"""What users of Windows type, paste and store, and what is understood there."""


def contents(folder: Path) -> dict[str, str]:
    """Return the hash of every file in ``folder``; what Python compiles for itself is left out."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and "__pycache__" not in path.parts]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], dict[str, str], dict[str, str]]:
    """Return what the script reports, and what the extension's folder held before and after."""
    folder = tmp_path_factory.mktemp("Jörg Müller 日本語 ")
    voices = folder / "Töne & Stimmen"
    voices.mkdir()
    (voices / "Zeile 1 – süß 声.wav").write_bytes(wav(voice(1.0)))
    (voices / "kein Ton ё.wav").write_text("no sound at all")
    resources = folder / "Blenders Einstellungen"
    resources.mkdir()
    blender = Blender(resources, installed_blender().package)
    blender.run("install.py", package=str(blender.package))
    extension = resources / "extensions" / "user_default" / "dream_talk"
    before = contents(extension)
    with running_server(folder) as server:
        report = blender.run(
            "robust_paths.py", home=server.home, folder=str(folder), suffixes=SUFFIXES, windows=list(WINDOWS)
        )
    assert Path(report["extension"]) == extension.resolve()
    return report, before, contents(extension)


def test_recordings_are_found_however_their_path_is_written(story: tuple[dict[str, Any], Any, Any]) -> None:
    report, _, _ = story
    expected = ["Zeile 1 – süß 声 neutral 0", *(f"Zeile 1 – süß 声 neutral 0.00{number}" for number in (1, 2, 3))]
    assert sorted(report["made"].values()) == expected
    assert set(report["strips"]) <= {"Zeile 1 – süß 声"}
    assert len(report["strips"]) <= 1
    assert report.get("strip_made", True)


def test_messages_name_the_file_as_it_is(story: tuple[dict[str, Any], Any, Any]) -> None:
    report, _, _ = story
    assert "Ton" in report["refused_sound"]
    assert "There is no file" in report["other_system"]
    assert "C:\\Stimmen\\Zeile 1.wav" in report["other_system"]


def test_takes_go_out_and_in_again(story: tuple[dict[str, Any], Any, Any]) -> None:
    report, _, _ = story
    assert set(report["written"]) == set(SUFFIXES)
    assert min(report["written"].values()) > 1000
    assert report["imported"] == "Täke “1” 声"
    assert report["reopened"] == ['Jörg "der" 顔/é', "Täke “1” 声"]


def test_nothing_is_written_into_the_extension_s_folder(story: tuple[dict[str, Any], Any, Any]) -> None:
    report, before, after = story
    assert report["refused_writes"] == []
    assert "blender_manifest.toml" in before
    assert after == before


def test_windows_paths_stay_what_they_are_there(story: tuple[dict[str, Any], Any, Any]) -> None:
    assert story[0]["windows"] == WINDOWS


def test_paths_stored_on_windows_are_found_elsewhere(story: tuple[dict[str, Any], Any, Any]) -> None:
    elsewhere = story[0]["elsewhere"]
    assert elsewhere["//sound\\voice.wav"] == "//sound/voice.wav"
    assert elsewhere["//..\\voice.wav"] == "//../voice.wav"
    assert elsewhere["\\\\studio\\share\\voice.wav"] == "\\\\studio\\share\\voice.wav"
