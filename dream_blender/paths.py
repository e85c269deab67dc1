"""Paths as users type and paste them, and as .blend files bring them from other systems."""

from __future__ import annotations

import sys
from pathlib import Path

import bpy

_QUOTES = ('"', "'")


def tidied(text: str, windows: bool = sys.platform == "win32") -> str:
    """Return the path ``text`` as this system understands it.

    Quotes around it go: Windows' "Copy as path" puts them there. A path beside the .blend file (``//``) that was
    saved on Windows gets this system's separators; drive letters and network shares (``\\\\``) stay as they are.

    Args:
        text: what was typed, pasted or stored.
        windows: whether a backslash parts folders.
    """
    text = text.strip()
    if len(text) > 1 and text[0] in _QUOTES and text[0] == text[-1]:
        text = text[1:-1]
    return text.replace("\\", "/") if text.startswith("//") and not windows else text


def absolute(text: str) -> Path:
    """Return the whole path of ``text``, which may begin with Blender's ``//``."""
    return Path(bpy.path.abspath(tidied(text)))
