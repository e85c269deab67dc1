"""Build the Blender extension: ``python scripts/build_extension.py`` writes ``dist/dream_talk-VERSION.zip``.

Only what Blender needs goes in: the manifest, the licence, the root package, ``dream_blender`` and
``blendshape_rigs`` with its assets, and as ``dream_blender/help`` the pages of the documentation about the panels.
Blender's own command, which comes with the ``bpy`` wheel, builds and validates the package.
"""

from __future__ import annotations

import argparse
import importlib.util
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_FILES = ("blender_manifest.toml", "__init__.py", "LICENSE")
_PACKAGES = ("dream_blender", "blendshape_rigs")


def blender_command() -> Path:
    """Return Blender's own script that builds extensions.

    Raises:
        SystemExit: when bpy is not installed.
    """
    spec = importlib.util.find_spec("bpy")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("error: bpy is not installed; install the distribution's extra 'blender'")
    package = Path(next(iter(spec.submodule_search_locations)))
    return next(package.glob("*/scripts/addons_core/bl_pkg/cli/blender_ext.py"))


def _run(*arguments: str | Path) -> None:
    done = subprocess.run([sys.executable, *map(str, arguments)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"error: {done.stdout}{done.stderr}")


def build(folder: Path) -> Path:
    """Build the extension into ``folder``, validate it, and return its path.

    Raises:
        SystemExit: when Blender's command refuses it.
    """
    version = tomllib.loads((ROOT / "blender_manifest.toml").read_text(encoding="utf-8"))["version"]
    package = folder / f"dream_talk-{version}.zip"
    folder.mkdir(parents=True, exist_ok=True)
    command = blender_command()
    with tempfile.TemporaryDirectory() as staged:
        for name in _FILES:
            shutil.copy2(ROOT / name, staged)
        for name in _PACKAGES:
            ignored = shutil.ignore_patterns("__pycache__", "*.pyc")
            shutil.copytree(ROOT / name, Path(staged) / name, ignore=ignored)
        shutil.copytree(ROOT / "docs" / "panels", Path(staged) / "dream_blender" / "help")
        _run(command, "build", "--source-dir", staged, "--output-filepath", package)
    _run(command, "validate", package)
    return package


def main() -> None:
    """Build the extension and print where it is."""
    parser = argparse.ArgumentParser(description="Build the Blender extension.")
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="folder to write the zip to")
    print(build(parser.parse_args().out))


if __name__ == "__main__":
    main()
