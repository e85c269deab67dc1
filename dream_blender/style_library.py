"""The user's own styles: short clips of a manner, one NPZ file each, in the folder that Blender gives the extension."""

from __future__ import annotations

from pathlib import Path

import bpy

from ..blendshape_rigs.curves import CurvesError, FaceCurves
from ..blendshape_rigs.filters import resample
from ..blendshape_rigs.formats import read_curves, write_curves
from .preferences import EXTENSION

LONGEST_SECONDS = 60.0
"""What a style is taken from of a longer clip: its first minute."""
SHORTEST_SECONDS = 0.5
"""The server takes no shorter clips."""
_FPS = 30.0
_LONGEST_NAME = 60
_NOT_IN_NAMES = '<>:"/\\|?*'
_SUFFIX = ".npz"


class StyleError(Exception):
    """A style that cannot be used, kept or found; the message says what to do."""


def folder() -> Path:
    """Return the folder of the styles, which may not exist yet."""
    return Path(bpy.utils.extension_path_user(EXTENSION, path="styles"))


def names() -> list[str]:
    """Return the names of all styles in the library."""
    found = folder()
    return sorted((path.stem for path in found.glob(f"*{_SUFFIX}")), key=str.casefold) if found.is_dir() else []


def name_problem(name: str) -> str:
    """Return why no new style can be called ``name``, as one sentence; empty when one can."""
    if not name.strip():
        return "Give the style a name"
    if any(letter in _NOT_IN_NAMES or not letter.isprintable() for letter in name) or name.strip().startswith("."):
        return f"A style's name becomes a file's: leave out {' '.join(_NOT_IN_NAMES)} and a first full stop"
    if len(name.strip()) > _LONGEST_NAME:
        return f"The name is too long: use at most {_LONGEST_NAME} letters"
    taken = next((other for other in names() if other.casefold() == name.strip().casefold()), "")
    return f"There is a style '{taken}' already: use another name, or delete it first" if taken else ""


def free_name(wished: str) -> str:
    """Return ``wished`` as a name that a style can have and none has yet."""
    base = "".join(letter for letter in wished if letter.isprintable() and letter not in _NOT_IN_NAMES).strip(" .")
    base = base[: _LONGEST_NAME - 4] or "Style"
    name, number = base, 2
    while name_problem(name):
        name, number = f"{base} {number}", number + 1
    return name


def _path(name: str) -> Path:
    """Return the file of the style ``name``.

    Raises:
        StyleError: when there is none.
    """
    if name not in names():
        raise StyleError(f"There is no style '{name}' in the library any more: choose another")
    return folder() / f"{name}{_SUFFIX}"


def as_style(curves: FaceCurves) -> FaceCurves:
    """Return what of ``curves`` makes a style: the first minute, at 30 frames a second.

    Raises:
        StyleError: for a clip that is too short.
    """
    if curves.duration < SHORTEST_SECONDS:
        raise StyleError(f"The style clip lasts {curves.duration:.2f} s: use one of at least {SHORTEST_SECONDS:g} s")
    first = curves.with_stacked(curves.stacked()[: round(LONGEST_SECONDS * curves.fps)])
    return resample(first, _FPS) if first.fps > _FPS else first


def load(name: str) -> FaceCurves:
    """Return the style ``name``.

    Raises:
        StyleError: when there is none, or its file is broken.
    """
    path = _path(name)
    try:
        return read_curves(path)
    except (CurvesError, OSError) as error:
        raise StyleError(f"The style '{name}' cannot be read ({error}): delete it and save it again") from error


def save(name: str, curves: FaceCurves) -> None:
    """Keep ``curves`` as the new style ``name``.

    Raises:
        StyleError: for a name that is taken or no name, a clip that is too short, or a folder that cannot be written.
    """
    problem = name_problem(name)
    if problem:
        raise StyleError(problem)
    style = as_style(curves)
    try:
        folder().mkdir(parents=True, exist_ok=True)
        write_curves(style, folder() / f"{name.strip()}{_SUFFIX}")
    except OSError as error:
        raise StyleError(f"The style cannot be kept ({error}): make {folder()} writable") from error


def rename(name: str, new: str) -> None:
    """Call the style ``name`` ``new``; raises StyleError as :func:`save` does."""
    path = _path(name)
    problem = name_problem(new) if new.strip().casefold() != name.casefold() else ""
    if problem:
        raise StyleError(problem)
    try:
        path.rename(path.with_name(f"{new.strip()}{_SUFFIX}"))
    except OSError as error:
        raise StyleError(f"The style cannot be renamed ({error})") from error


def delete(name: str) -> None:
    """Remove the style ``name`` from the library.

    Raises:
        StyleError: when there is none, or it cannot be removed.
    """
    try:
        _path(name).unlink()
    except OSError as error:
        raise StyleError(f"The style cannot be deleted ({error})") from error
