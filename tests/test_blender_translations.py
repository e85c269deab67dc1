"""What users read: every word in four languages beside English, reasons on greyed buttons, help, line breaks."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest
from blender_support import ROOT, SCRIPTS, installed_blender
from ui_strings import is_word, shown_strings, untranslated_calls

LANGUAGES = ("ja_JP", "zh_HANS", "de_DE", "es")
PAGES = ROOT / "docs" / "panels"
HOLE = re.compile(r"\{\d+\}")


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    """Return what the installed extension says of its own words."""
    return installed_blender().run("translations.py", source=str(ROOT / "dream_blender" / "help_pages.py"))


def language_file(language: str) -> dict[str, str]:
    found: dict[str, str] = json.loads((ROOT / "dream_blender" / "languages" / f"{language}.json").read_text())
    return found


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_every_word(language: str, report: dict[str, Any]) -> None:
    wanted = shown_strings() | {word for word in report["words"] if is_word(word)}
    assert sorted(wanted - set(language_file(language))) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_filled_in_stays(language: str) -> None:
    wrong = {
        english: other
        for english, other in language_file(language).items()
        if set(HOLE.findall(english)) != set(HOLE.findall(other)) or not other.strip()
    }
    assert wrong == {}


def test_installed_zip_holds_the_languages(report: dict[str, Any]) -> None:
    assert report["languages"] == {language: language_file(language) for language in LANGUAGES}


def test_sentences_with_names_are_recognised(report: dict[str, Any]) -> None:
    said = report["said"]
    assert said["de_DE"]["whole"] == "Der Server läuft nicht"
    assert said["ja_JP"]["name"] == "「Ada」にはシェイプキーも顔のボーンもありません"
    assert said["es"]["two"].startswith("No existe el archivo /tmp/a b.wav. Hay controladores en 3 formas clave")
    assert said["es"]["two"].endswith("jawOpen, A y 1 más")
    assert said["zh_HANS"]["nested"] == "服务器自行结束：服务器未运行（日志：/tmp/x.log）"
    assert {words["unknown"] for words in said.values()} == {"A sentence that nobody has written"}


def test_composed_messages_go_through_the_translation() -> None:
    assert untranslated_calls() == []


def test_greyed_buttons_say_why(report: dict[str, Any]) -> None:
    assert {state: names for state, names in report["silent"].items() if names} == {}


def test_lines_fit_narrow_sidebars_in_every_script(report: dict[str, Any]) -> None:
    assert all(len(line) <= 30 for line in report["lines"])
    assert " ".join(report["lines"]).startswith("The server does not accept the token: restart")
    assert len(report["wide_lines"]) > 2
    assert report["narrow"] <= 16  # a closing mark may hang over the edge


def test_every_panel_shows_a_page_of_the_documentation(report: dict[str, Any]) -> None:
    assert report["without_help"] == []
    assert report["help"]["DREAMTALK_PT_portrait"] == "DREAM-Talk: Portrait"
    assert report["help"]["DREAMTALK_PT_remake"] == "DREAM-Talk: Adjust"
    assert report["help"]["DREAMTALK_AP_preferences"] == "DREAM-Talk: Preferences"
    with zipfile.ZipFile(installed_blender().package) as package:
        pages = {path.name: package.read(f"dream_blender/help/{path.name}").decode() for path in PAGES.glob("*.md")}
    titles = {page.partition("\n")[0].removeprefix("# ") for page in pages.values()}
    assert set(report["texts"]) == {f"DREAM-Talk: {title}" for title in titles}  # one text a page, however often shown
    assert set(report["help"].values()) == set(report["texts"])


def test_pages_read_as_plain_text(report: dict[str, Any]) -> None:
    for name, text in report["texts"].items():
        title = name.removeprefix("DREAM-Talk: ")
        assert text.startswith(f"{title}\n{'=' * len(title)}\n\n")
        assert max(map(len, text.splitlines())) <= 80
        assert not re.search(r"\*\*|`|\]\(|^!|^\||<kbd>", text, re.MULTILINE), name
    assert report["from_source"] == report["texts"]["DREAM-Talk: Takes"]
    adjust = report["texts"]["DREAM-Talk: Adjust"]
    assert "\n\nParts of the face\n-----------------\n\n" in adjust
    assert "\n- Strength: how much of the movement is left: 1 is as it was made, 0 is none, 2\n  is twice\n" in adjust
    assert "Body animation on the same object is left\nalone." in report["texts"]["DREAM-Talk: Speak"]


def test_panels_stand_in_the_order_of_the_work(report: dict[str, Any]) -> None:
    order = report["order"]
    named = ["DREAM-Talk", "Takes", "Emotion over Time", "Adjust", "Batch", "Portrait", "Shapes of the Character"]
    assert [order[name] for name in named] == sorted(order[name] for name in named)
    assert None not in order.values()
    assert order["Export"] == max(order.values())


def test_panels_have_no_fixed_widths_or_colours() -> None:
    fixed = re.compile(r"ui_units_x|\bwidth=\d|\.theme_|rgba|#[0-9a-fA-F]{6}")
    drawn = [path for path in (ROOT / "dream_blender").glob("*.py") if "_PT_" in path.read_text()]
    assert drawn
    assert [path.name for path in drawn if fixed.search(path.read_text())] == []


BLENDER = os.environ.get("DREAMTALK_BLENDER", "")
"""A whole Blender, or a command that starts one: the bpy wheels have no languages."""


@pytest.mark.skipif(not BLENDER, reason="needs a whole Blender, named by DREAMTALK_BLENDER")
def test_switching_the_language_changes_the_panels(tmp_path: Path) -> None:
    for source in (installed_blender().package, SCRIPTS / "languages.py"):
        (tmp_path / source.name).write_bytes(source.read_bytes())
    arguments = ["-b", "--factory-startup", "--python-exit-code", "1", "--python", str(tmp_path / "languages.py")]
    command = [*shlex.split(BLENDER), *arguments, "--", str(tmp_path / installed_blender().package.name)]
    environment = os.environ | {"BLENDER_USER_RESOURCES": str(tmp_path)}
    done = subprocess.run(command, env=environment, cwd="/", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("LANGUAGES ")]
    shown = json.loads(line.removeprefix("LANGUAGES "))
    for language in LANGUAGES:
        words = language_file(language)
        assert shown[language]["panel"] == words["Look of the Avatar"]
        assert shown[language]["button"] == words["Random Person"]
        assert shown[language]["face"] == words["Face"]  # not the face of a mesh
        assert shown[language]["message"] == words["'{0}' has no keys"].replace("{0}", "Ada")
    english = {"panel": "Look of the Avatar", "button": "Random Person", "face": "Face", "message": "'Ada' has no keys"}
    assert shown["en_US"] == english
