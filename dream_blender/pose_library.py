"""The avatar and its poses as an asset library: a .blend file in a folder that the Asset Browser shows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from ..blendshape_rigs.arkit import ARKIT_NAMES
from ..blendshape_rigs.poses import FacePose, face_poses
from . import compat
from .avatar_object import AVATAR_NAME, spawn_avatar
from .character import value_path
from .pose_icons import set_picture
from .take import fill_curve

LIBRARY_NAME = "DREAM-Talk"
FILE_NAME = "dream_talk_poses.blend"
CATALOG_FILE = "blender_assets.cats.txt"
CATALOGS = {
    "DREAM-Talk": "6f1d9a52-3f0e-4c57-9a37-5d3c1a0e7b10",
    "DREAM-Talk/Avatar": "0c7b2f6e-8a41-4d0b-b6f5-2e9d47c1a911",
    "DREAM-Talk/Visemes": "b3a4e8d0-5c16-4f7d-8e2b-71f06c9d3a12",
    "DREAM-Talk/Emotions": "e95d0b7c-21fa-4b38-a0c4-98b6d3e57f13",
}
"""The number of each catalog by its path; they never change, so that files made by all versions share them."""
_PICTURE = 128  # pixels
_CATALOG_HEAD = """# This is an Asset Catalog Definition file for Blender.
#
# Empty lines and lines starting with `#` will be ignored.
# The first non-ignored line should be the version indicator.
# Other lines are of the format "UUID:catalog/path/for/assets:simple catalog name"

VERSION 1

"""
_HOW = "In the sidebar, tab DREAM-Talk, Poses: Apply Pose puts it on any character"


class LibraryError(Exception):
    """A library that could not be made; the message says what to do."""


def _blocks() -> list[Any]:
    return [
        block
        for prop in bpy.data.bl_rna.properties
        if prop.type == "COLLECTION"
        for block in getattr(bpy.data, prop.identifier)
    ]


@contextmanager
def _only_for_now() -> Iterator[Callable[[], list[Any]]]:
    """Remove every data-block that is made inside at the end; the function given tells which they are so far.

    While inside, they may take names from others: those have them back at the end.
    """
    before = set(_blocks())

    def made() -> list[Any]:
        return [block for block in _blocks() if block not in before]

    names = {block: block.name for block in before if block.library is None}
    try:
        yield made
    finally:
        bpy.data.batch_remove(made())
        for block, name in names.items():
            if block.name != name:
                block.name = name


def _take_names(made: list[Any]) -> None:
    """Give each of ``made`` its name without a number, which others in the file may have."""
    for block in made:
        plain = block.name.rpartition(".")[0] if block.name[-4:-3] == "." and block.name[-3:].isdigit() else ""
        if not plain:
            continue
        holder = next((other for other in _blocks() if other.id_type == block.id_type and other.name == plain), None)
        if holder is not None and holder not in made:
            holder.name = f"{plain} (kept)"
        block.name = plain


def _mark(block: Any, catalog: str, about: str, tags: tuple[str, ...]) -> None:
    block.asset_mark()
    data = block.asset_data
    data.catalog_id = CATALOGS[catalog]
    data.description, data.author = about, "DREAM-Talk"
    for tag in tags:
        data.tags.new(tag)


def _pose_action(shape_keys: Any, pose: FacePose) -> Any:
    """Return a new Action asset that holds ``pose`` for ``shape_keys`` in one frame."""
    action = bpy.data.actions.new(pose.name)
    curves = compat.animate(shape_keys, action)
    for channel in pose.channels:
        curve = curves.new(value_path(ARKIT_NAMES[channel]))
        fill_curve(curve, np.array([1.0]), pose.values[channel : channel + 1])
    catalog = "DREAM-Talk/Visemes" if pose.group == "viseme" else "DREAM-Talk/Emotions"
    _mark(action, catalog, f"{pose.about}. {_HOW}", (pose.group, pose.title))
    set_picture(action.preview_ensure(), pose, _PICTURE, 2)
    return action


def _avatar_asset(context: Any) -> tuple[Any, Any]:
    """Return a collection asset with a new avatar, and the avatar's shape keys."""
    collection = bpy.data.collections.new(AVATAR_NAME)
    head = spawn_avatar(collection)
    _mark(collection, "DREAM-Talk/Avatar", "A bust with ARKit's 52 shape keys that speaks", ("avatar", "face"))
    set_picture(collection.preview_ensure(), face_poses()["emotion neutral"], _PICTURE, 2)
    return collection, head.data.shape_keys


def catalogs_with_ours(text: str) -> str:
    """Return the catalog file ``text`` with our catalogs in it; those of others stay."""
    lines = [f"{number}:{path}:{path.replace('/', '-')}" for path, number in CATALOGS.items()]
    missing = [line for line in lines if line.split(":")[0] not in text]
    kept = text or _CATALOG_HEAD
    return kept if not missing else kept.rstrip("\n") + "\n" * (1 + (not text)) + "\n".join(missing) + "\n"


def write_library(context: Any, folder: Path) -> Path:
    """Write the avatar and all poses as assets into ``folder`` and return the file; the open file stays as it is.

    Args:
        context: Blender's context, in object mode.
        folder: made when missing; a library made there before is replaced.

    Raises:
        LibraryError: when the file is the open one, or cannot be written.
    """
    path = folder / FILE_NAME
    if bpy.data.filepath and Path(bpy.data.filepath) == path:
        raise LibraryError(f"{FILE_NAME} is open: close it first, or choose another folder")
    poses, manager = face_poses(), context.window_manager
    manager.progress_begin(0, len(poses))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _only_for_now() as made:
            collection, shape_keys = _avatar_asset(context)
            actions = []
            for number, pose in enumerate(poses.values()):
                actions.append(_pose_action(shape_keys, pose))
                manager.progress_update(number)
            compat.unassign(shape_keys)
            _take_names(made())
            bpy.data.libraries.write(str(path), {collection, *actions}, fake_user=True, compress=True)
        catalogs = folder / CATALOG_FILE
        before = catalogs.read_text("utf-8") if catalogs.is_file() else ""
        catalogs.write_text(catalogs_with_ours(before), "utf-8")
    except (OSError, RuntimeError) as error:
        raise LibraryError(f"The library could not be written: {error}") from error
    finally:
        manager.progress_end()
    return path


def register_library(context: Any, folder: Path) -> None:
    """Let the Asset Browser show ``folder`` as the library DREAM-Talk, once however often this is called."""
    libraries = context.preferences.filepaths.asset_libraries
    known = [library for library in libraries if library.path and Path(library.path) == folder]
    if known:
        return
    ours = next((library for library in libraries if library.name == LIBRARY_NAME), None)
    if ours is None:
        libraries.new(name=LIBRARY_NAME, directory=str(folder))
    else:
        ours.path = str(folder)
    context.preferences.is_dirty = True
