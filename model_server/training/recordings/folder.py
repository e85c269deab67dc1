"""Lists the files of a folder without being led out of it."""

from __future__ import annotations

import os
from pathlib import Path

from model_server.errors import DreamTalkError

from .recording import Listing, Refused

_MOST_FILES = 500_000


def list_folder(root: Path, leave_out: Path) -> tuple[Listing, list[Refused]]:
    """Return the regular files below ``root`` and the links that were refused.

    Links to folders are not followed; links to files count when they stay below ``root``. Hidden files, and what
    lies below ``leave_out``, are passed over.

    Raises:
        DreamTalkError: when ``root`` is no folder, or holds more than half a million files.
    """
    if not root.is_dir():
        raise DreamTalkError(f"'{root}' is no folder; name the folder that holds the recordings")
    inside, left_out = root.resolve(), leave_out.resolve()
    files: list[str] = []
    refused: list[Refused] = []
    for place, folders, names in os.walk(root, followlinks=False):
        here = Path(place)
        for folder in list(folders):
            path = here / folder
            if path.is_symlink() and not path.resolve().is_relative_to(inside):
                refused.append(Refused(_relative(path, root), "is a link that leads out of the folder; copy it in"))
            if folder.startswith(".") or path.is_symlink() or path.resolve() == left_out:
                folders.remove(folder)
        folders.sort()
        for name in names:
            path = here / name
            if name.startswith("."):
                continue
            if path.is_symlink() and not path.resolve().is_relative_to(inside):
                refused.append(Refused(_relative(path, root), "is a link that leads out of the folder; copy it in"))
            elif path.is_file():
                if os.access(path, os.R_OK):
                    files.append(_relative(path, root))
                else:
                    refused.append(Refused(_relative(path, root), "may not be read; change its permissions"))
            if len(files) > _MOST_FILES:
                raise DreamTalkError(f"'{root}' holds more than {_MOST_FILES} files; add its parts one by one")
    return Listing(root, tuple(sorted(files))), refused


def _relative(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()
