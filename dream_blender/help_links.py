"""Which page of the documentation is about what: for the question marks of the panels, and for Online Manual (F1)."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any

import bpy

DOCUMENTATION = "https://dream-talk.example/docs/"
"""Address of the documentation's site."""
PAGES = (
    ("*portrait*", "panels/portrait.html"),
    ("*mapping*", "panels/shapes.html"),
    ("*transfer*", "characters.html"),
    ("*face_point*", "characters.html"),
    ("*ict_facekit*", "characters.html"),
    ("*override*", "characters.html"),
    ("*adjust*", "panels/adjust.html"),
    ("*keys*", "panels/adjust.html"),
    ("*hold_poses*", "panels/adjust.html"),
    ("*key_finished_take*", "panels/speak.html"),
    ("*batch*", "panels/batch.html"),
    ("*queue*", "panels/batch.html"),
    ("*emotion*", "panels/emotion.html"),
    ("*style*", "panels/emotion.html"),
    ("*server*", "panels/preferences.html"),
    ("*environment*", "panels/preferences.html"),
    ("*connection*", "panels/preferences.html"),
    ("*copy_*", "panels/preferences.html"),
    ("*_log", "panels/preferences.html"),
    ("*look*", "panels/look.html"),
    ("*avatar*", "panels/look.html"),
    ("*person*", "panels/look.html"),
    ("*asset*", "panels/look.html"),
    ("*pose*", "panels/look.html"),
    ("*export*", "panels/export.html"),
    ("*import*", "panels/export.html"),
    ("*capture*", "panels/export.html"),
    ("*drawings*", "panels/export.html"),
    ("*files*", "panels/export.html"),
    ("*take*", "panels/takes.html"),
    ("*", "panels/speak.html"),
)
"""Pages by patterns of the names of panels, operators and groups of properties, in lower case; the first that fits."""


def page_of(name: str) -> str:
    """Return the page about the panel, operator or group of properties called ``name``, below the site's address."""
    return next(page for pattern, page in PAGES if fnmatchcase(name.lower(), pattern))


def draw(layout: Any, name: str) -> None:
    """Draw a question mark that opens the page about the panel called ``name``."""
    layout.operator("wm.url_open", text="", icon="QUESTION", emboss=False).url = DOCUMENTATION + page_of(name)


def manual_map() -> tuple[str, tuple[tuple[str, str], ...]]:
    """Return the address of the site, and its pages by what Blender calls our operators and properties."""
    pages = []
    for pattern, page in PAGES:
        pages.append((f"bpy.ops.dream_talk.{pattern}", page))
        pages.append((f"bpy.types.dreamtalk_{pattern}", page))
    return DOCUMENTATION, tuple(pages)


def register() -> None:
    """Let Online Manual open our pages."""
    bpy.utils.register_manual_map(manual_map)


def unregister() -> None:
    """Take our pages back."""
    bpy.utils.unregister_manual_map(manual_map)
