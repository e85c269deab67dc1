"""Check the built extension against the rules of Blender's extensions platform.

``python scripts/check_platform_rules.py dist/dream_talk-VERSION.zip`` prints what breaks a rule, one line each, and
ends with status 1 then. Source: https://developer.blender.org/docs/features/extensions/moderation/guidelines/ and
the manifest's schema 1.0.0.
"""

from __future__ import annotations

import argparse
import ast
import sys
import tomllib
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

SIZE_LIMIT = 8 * 2**20
"""Bytes of the zip. The platform takes 200 MB; users with slow lines are why ours is smaller."""
_MANIFEST = "blender_manifest.toml"
_REASON_LENGTH = 64  # characters that the platform shows of a tagline or of a permission's reason
_PERMISSIONS = {"files", "network", "clipboard", "camera", "microphone"}
_REQUIRED = ("id", "version", "name", "tagline", "maintainer", "type", "blender_version_min", "license")
_WITH_BLENDER = {"bpy", "bpy_extras", "bmesh", "mathutils", "gpu", "gpu_extras", "blf", "aud", "numpy", "pxr"}
"""What Blender brings; everything else must be the standard library or the extension itself."""
_BLENDERS_ADDONS = {"io_scene_fbx", "io_scene_gltf2"}
_COMPILED = (".so", ".pyd", ".dll", ".dylib", ".exe", ".whl", ".pyc")
_UNWANTED = {"__pycache__", "tests", "test", ".git", ".github", "__MACOSX"}
_NETWORK = {"socket", "ssl", "http.client", "http.server", "urllib.request", "ftplib", "smtplib", "xmlrpc.client"}
_WRITES = {"write_text", "write_bytes", "mkdir", "touch", "unlink", "rmdir", "rename", "replace", "symlink_to"}


@dataclass
class Package:
    """The zip of an extension.

    Attributes:
        path: the zip.
        names: of the files in it.
        manifest: what the manifest says.
        modules: syntax trees of the Python files, by their name in the zip.
    """

    path: Path

    def _read(self, name: str) -> str:
        with zipfile.ZipFile(self.path) as package:
            return package.read(name).decode("utf-8")

    @cached_property
    def names(self) -> list[str]:
        with zipfile.ZipFile(self.path) as package:
            return [name for name in package.namelist() if not name.endswith("/")]

    @cached_property
    def manifest(self) -> dict[str, Any]:
        return tomllib.loads(self._read(_MANIFEST)) if _MANIFEST in self.names else {}

    @cached_property
    def modules(self) -> dict[str, ast.Module]:
        return {name: ast.parse(self._read(name), name) for name in self.names if name.endswith(".py")}


def _dotted(node: ast.AST) -> str:
    """Return ``sys.path`` for its syntax tree; empty for anything but names and attributes."""
    if isinstance(node, ast.Attribute):
        inner = _dotted(node.value)
        return f"{inner}.{node.attr}" if inner else ""
    return node.id if isinstance(node, ast.Name) else ""


def _imported(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield line and name of every module that is imported absolutely, with what is taken from it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.lineno, node.module or ""
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def manifest_problems(package: Package) -> Iterator[str]:
    """Yield what the manifest lacks or says against the rules."""
    manifest = package.manifest
    yield from (f"{_MANIFEST}: '{field}' is missing" for field in _REQUIRED if not manifest.get(field))
    if "blender" in f"{manifest.get('name', '')} {manifest.get('id', '')}".lower():
        yield f"{_MANIFEST}: 'Blender' is a trademark and no part of an extension's name"
    tagline = manifest.get("tagline", "")
    if len(tagline) > _REASON_LENGTH or tagline.endswith("."):
        yield f"{_MANIFEST}: the tagline has at most {_REASON_LENGTH} characters and no full stop"
    if manifest.get("wheels"):
        yield f"{_MANIFEST}: wheels are bundled, which tie the extension to one version of Python"


def licence_problems(package: Package) -> Iterator[str]:
    """Yield what is wrong with the licence: code that uses bpy must be under the GPL, stated as SPDX."""
    licences = package.manifest.get("license", [])
    if not any(licence.startswith("SPDX:GPL-") and licence.endswith("-or-later") for licence in licences):
        yield f"{_MANIFEST}: the licence must be SPDX:GPL-3.0-or-later or SPDX:GPL-2.0-or-later"
    if "LICENSE" not in package.names:
        yield "LICENSE: the licence's text is missing"


def permission_problems(package: Package) -> Iterator[str]:
    """Yield permissions that are unknown, lack a proper reason, or that the code uses without asking."""
    permissions = package.manifest.get("permissions", {})
    for name, reason in permissions.items():
        if name not in _PERMISSIONS:
            yield f"{_MANIFEST}: there is no permission '{name}'"
        if not reason or len(reason) > _REASON_LENGTH or reason.endswith("."):
            yield (
                f"{_MANIFEST}: permission '{name}' needs a reason of at most {_REASON_LENGTH} characters, "
                "without a full stop"
            )
    if "network" not in permissions and any(map(_reaches_out, package.modules.values())):
        yield f"{_MANIFEST}: the code uses the network without the permission 'network'"
    opens = any(
        isinstance(node, ast.Name) and node.id == "open" for t in package.modules.values() for node in ast.walk(t)
    )
    if "files" not in permissions and opens:
        yield f"{_MANIFEST}: the code opens files without the permission 'files'"


def file_problems(package: Package) -> Iterator[str]:
    """Yield files that do not belong in the zip, and a zip that is too large."""
    size = package.path.stat().st_size
    if size > SIZE_LIMIT:
        yield f"{package.path.name}: {size / 2**20:.1f} MB are more than {SIZE_LIMIT / 2**20:.0f} MB"
    for name in package.names:
        path = PurePosixPath(name)
        if path.suffix in _COMPILED:
            yield f"{name}: compiled files are not taken"
        elif _UNWANTED & set(path.parts) or path.name.startswith((".", "test_")):
            yield f"{name}: does not belong in the extension"


def import_problems(package: Package) -> Iterator[str]:
    """Yield absolute imports of the extension's own packages, and of what Blender does not bring."""
    own = {name.split("/")[0].removesuffix(".py") for name in package.modules}
    own |= {str(package.manifest.get("id", "")), "bl_ext"}
    allowed = sys.stdlib_module_names | _WITH_BLENDER | _BLENDERS_ADDONS
    for name, tree in package.modules.items():
        for line, module in dict.fromkeys((line, module.split(".")[0]) for line, module in _imported(tree)):
            if module in own:
                yield f"{name}:{line}: '{module}' is imported absolutely: write a relative import"
            elif module not in allowed:
                yield f"{name}:{line}: '{module}' does not come with Blender"


def python_problems(package: Package) -> Iterator[str]:
    """Yield changes of Python's own tables, and code that is made at run time."""
    for name, tree in package.modules.items():
        for node in ast.walk(tree):
            dotted = _dotted(node)
            if dotted in ("sys.path", "sys.modules", "sys.meta_path"):
                yield f"{name}:{node.lineno}: {dotted} belongs to all extensions and is not to be touched"  # type: ignore[attr-defined]
            if isinstance(node, ast.Call) and _dotted(node.func) in ("eval", "exec", "__import__"):
                yield f"{name}:{node.lineno}: {_dotted(node.func)} runs code that nobody can review"
            if isinstance(node, ast.ImportFrom) and node.module == "sys":
                taken = {alias.name for alias in node.names} & {"path", "modules", "meta_path"}
                yield from (f"{name}:{node.lineno}: sys.{item} is not to be touched" for item in taken)


def _reaches_out(tree: ast.Module) -> bool:
    """Tell whether a module opens connections itself, or installs packages."""
    constants = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    return any(module in _NETWORK for _, module in _imported(tree)) or "pip" in constants


def network_problems(package: Package) -> Iterator[str]:
    """Yield modules that reach the network though none of those that use them asks ``bpy.app.online_access``."""
    gates = {
        name: tree
        for name, tree in package.modules.items()
        if any(_dotted(node) == "bpy.app.online_access" for node in ast.walk(tree))
    }
    asked = set(gates)
    for name, tree in gates.items():
        folder = PurePosixPath(name).parent
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.level == 1:
                used = [node.module] if node.module else [alias.name for alias in node.names]
                asked |= {str(folder / f"{module.replace('.', '/')}.py") for module in used}
    for name, tree in package.modules.items():
        if _reaches_out(tree) and name not in asked:
            yield f"{name}: reaches the network though nothing before it asks bpy.app.online_access"
        for node in ast.walk(tree):
            words = ast.unparse(node) if isinstance(node, ast.Call) else ""
            if "sys.executable" in words and "'pip'" in words:
                yield f"{name}:{node.lineno}: installs packages into Blender's own Python"  # type: ignore[attr-defined]


def _own_folder_names(tree: ast.Module) -> set[str]:
    """Return the names of a module that hold a path made from ``__file__``."""
    names = {"__file__"}
    for node in tree.body:
        value = getattr(node, "value", None)
        if isinstance(node, ast.Assign | ast.AnnAssign) and value is not None:
            used = {inner.id for inner in ast.walk(value) if isinstance(inner, ast.Name)}
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names |= {target.id for target in targets if isinstance(target, ast.Name) and used & names}
    return names


def _is_write(call: ast.Call) -> bool:
    """Tell whether ``call`` changes a file or folder."""
    function = call.func
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    if name != "open":
        return name in _WRITES
    modes = [
        item.value
        for item in [*call.args, *(keyword.value for keyword in call.keywords)]
        if isinstance(item, ast.Constant)
    ]
    return any(isinstance(mode, str) and len(mode) <= 3 and set(mode) & set("wax+") for mode in modes)


def own_folder_problems(package: Package) -> Iterator[str]:
    """Yield writes into the extension's own folder, which may be read-only and is replaced by every update."""
    for name, tree in package.modules.items():
        own = _own_folder_names(tree)
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and _is_write(node):
                used = {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}
                if used & own:
                    yield f"{name}:{node.lineno}: writes into the extension's own folder"


RULES: tuple[Callable[[Package], Iterator[str]], ...] = (
    manifest_problems,
    licence_problems,
    permission_problems,
    file_problems,
    import_problems,
    python_problems,
    network_problems,
    own_folder_problems,
)


def problems(path: Path) -> list[str]:
    """Return everything in the extension at ``path`` that breaks a rule, one line each."""
    package = Package(path)
    return [problem for rule in RULES for problem in rule(package)]


def main() -> int:
    """Check the named zip; return 1 when it breaks a rule."""
    parser = argparse.ArgumentParser(description="Check an extension against the rules of Blender's platform.")
    parser.add_argument("package", type=Path, help="the extension's zip")
    path = parser.parse_args().package
    if not path.is_file():
        raise SystemExit(f"error: there is no file {path}: build it first by make extension")
    found = problems(path)
    print("\n".join(found) or f"{path.name}: no rule is broken")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
