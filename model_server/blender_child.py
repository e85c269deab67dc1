"""Run Blender's part of the work in its own process: ``python -m model_server.blender_child export …``.

The extension imports its packages relatively, as parts of one parent package. Outside Blender that parent is
made here, so that the very code that users install also serves the command line. Blender gets its own process
because its libraries clash with others of the same name, and because a missing graphics driver ends it.
"""

from __future__ import annotations

import importlib
import sys
import types
from collections.abc import Sequence
from pathlib import Path

PARENT_PACKAGE = "dream_talk"


def load_headless() -> types.ModuleType:
    """Return the module ``dream_blender.headless``, imported as a part of the extension's parent package."""
    if PARENT_PACKAGE not in sys.modules:
        parent = types.ModuleType(PARENT_PACKAGE)
        parent.__path__ = [str(Path(__file__).resolve().parent.parent)]
        sys.modules[PARENT_PACKAGE] = parent
    return importlib.import_module(f"{PARENT_PACKAGE}.dream_blender.headless")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one headless command and return its exit status."""
    status: int = load_headless().main(sys.argv[1:] if argv is None else argv)
    return status


if __name__ == "__main__":
    sys.exit(main())
