"""The extension's words in other languages: one file a language in ``languages``, English to the other.

Blender itself translates labels, tooltips and whole messages that are registered with it. What is put together while
running, such as a sentence with a name in it, goes through :func:`said`: the files hold it with ``{0}``, ``{1}`` and
so on where something is filled in.
"""

from __future__ import annotations

import json
import re
from functools import cache, lru_cache
from pathlib import Path

import bpy

LANGUAGES = ("ja_JP", "zh_HANS", "de_DE", "es")
"""Locales, by Blender's names, that the extension speaks beside English."""
_FOLDER = Path(__file__).with_name("languages")
CONTEXT = "DREAM-Talk"
"""Translation context of words that Blender has in another sense, such as the face of a mesh."""
_CONTEXTS = ("*", "Operator", CONTEXT)  # of labels, of the names of operators, and ours
_HOLE = re.compile(r"\{(\d+)\}")
_FEWEST_LETTERS = 5  # of a sentence that is recognised with its holes filled
_DEEPEST = 3  # sentences within sentences


@cache
def messages(language: str) -> dict[str, str]:
    """Return what is said in ``language``, one of :data:`LANGUAGES`, by the English."""
    found: dict[str, str] = json.loads((_FOLDER / f"{language}.json").read_text(encoding="utf-8"))
    return found


@cache
def _patterns(language: str) -> list[tuple[re.Pattern[str], list[int], str]]:
    """Return how sentences with holes are recognised, which hole each group is, and the translation; longest first."""
    made = []
    for english, other in messages(language).items():
        pieces = _HOLE.split(english)
        letters = sum(len(piece) for piece in pieces[::2])
        if len(pieces) > 1 and letters >= _FEWEST_LETTERS:
            pattern = "(.+?)".join(re.escape(piece) for piece in pieces[::2])
            made.append((letters, re.compile(pattern, re.DOTALL), [int(piece) for piece in pieces[1::2]], other))
    made.sort(key=lambda item: -item[0])
    return [(pattern, holes, other) for _, pattern, holes, other in made]


@lru_cache(maxsize=1024)
def in_language(text: str, language: str, depth: int = 0) -> str:
    """Return the English ``text`` in ``language``; what is not known stays as it is.

    Args:
        text: a message, perhaps with names and numbers filled in, or several sentences.
        language: one of :data:`LANGUAGES`.
        depth: how many sentences it lies within.
    """
    known = messages(language).get(text)
    if known is not None or depth > _DEEPEST:
        return known or text
    for pattern, holes, other in _patterns(language):
        found = pattern.fullmatch(text)
        if found is not None:
            parts = (in_language(part, language, depth + 1) for part in found.groups())
            return _filled(other, dict(zip(holes, parts, strict=True)))
    if ". " in text:
        first, rest = text.split(". ", 1)
        stop = "。" if language in ("ja_JP", "zh_HANS") else ". "
        return stop.join(in_language(part, language, depth + 1) for part in (first, rest))
    return text


def _filled(template: str, parts: dict[int, str]) -> str:
    return _HOLE.sub(lambda hole: parts.get(int(hole[1]), hole[0]), template)


def said(text: str) -> str:
    """Return the English ``text`` in the language of Blender's interface; in English where we do not speak that."""
    language = bpy.app.translations.locale
    if language not in LANGUAGES or not bpy.context.preferences.view.use_translate_interface:
        return text
    return in_language(text, language)


def register() -> None:
    """Hand the words to Blender."""
    words = {
        language: {(context, english): other for english, other in messages(language).items() for context in _CONTEXTS}
        for language in LANGUAGES
    }
    bpy.app.translations.register(__package__, words)


def unregister() -> None:
    """Take the words back."""
    bpy.app.translations.unregister(__package__)
