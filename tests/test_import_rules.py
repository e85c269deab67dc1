"""Who may import whom, read from the real imports of every module.

Each row of ``MAY_IMPORT`` is a part of the project and the other parts that it may import, in functions too.
Errors are everybody's; ``FaceCurves`` is the hub, so whoever looks at results may know it.
"""

from __future__ import annotations

import ast
import graphlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("blendshape_rigs", "dream_blender", "model_server")
BASE = {"model_server", "model_server.errors", "model_server.config_io", "model_server.media"}
"""The package itself holds the version only."""
LOWER = BASE | {"blendshape_rigs", "model_server.audio", "model_server.models", "model_server.metrics"}

MAY_IMPORT: dict[str, set[str]] = {
    "blendshape_rigs": set(),
    "dream_blender": {"blendshape_rigs"},
    "model_server": set(),
    "model_server.errors": set(),
    "model_server.config_io": {"model_server.errors"},
    "model_server.media": set(),
    "model_server.audio": BASE,
    "model_server.models": BASE | {"blendshape_rigs"},
    "model_server.metrics": {"blendshape_rigs"},
    "model_server.portrait": BASE | {"blendshape_rigs", "model_server.models"},
    "model_server.capture": BASE | {"blendshape_rigs", "model_server.portrait"},
    "model_server.pipeline": (LOWER - {"model_server.metrics"}) | {"model_server.capture", "model_server.portrait"},
    "model_server.training": LOWER | {"model_server.capture", "model_server.portrait"},
    "model_server.evaluation": BASE
    | {"blendshape_rigs", "model_server.pipeline", "model_server.metrics", "model_server.portrait"},
    "model_server.server": {"model_server", "model_server.errors", "model_server.pipeline"},
}
TOP = {"model_server.cli", "model_server.commands", "model_server.blender_child"}
"""These may import anything, and nothing but themselves and each other imports them."""

BLENDER = {"aud", "bl_ext", "blf", "bpy", "bpy_extras", "gpu", "gpu_extras", "mathutils", "pxr"}
"""Modules that come with Blender; ``pxr`` is its own build of OpenUSD."""

THIRD_PARTY = {
    "blendshape_rigs": {"numpy"},
    "dream_blender": {"numpy", *BLENDER},
    "model_server.errors": set(),
    "model_server.config_io": set(),
}
"""What may come from outside the standard library and the project, where that is restricted."""


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {module_name(path): path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))}


def part_of(module: str) -> str:
    """Return the row of the table that ``module`` belongs to."""
    parts = module.split(".")
    return ".".join(parts[:2]) if parts[0] == "model_server" else parts[0]


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def import_nodes(tree: ast.AST, types_too: bool = True) -> Iterator[ast.Import | ast.ImportFrom]:
    """Yield every import in ``tree``, inside functions too; without those for type checkers only if asked."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif types_too or not is_type_checking(node):
            yield from import_nodes(node, types_too)


def targets(node: ast.Import | ast.ImportFrom, module: str) -> Iterator[str]:
    """Yield the full names of the modules that ``node`` in ``module`` imports."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
        return
    base = node.module or ""
    if node.level:
        package = module if FILES[module].name == "__init__.py" else module.rpartition(".")[0]
        parts = package.split(".")
        parts = parts[: len(parts) - node.level + 1]
        # One level above a package is the extension, in which the packages lie side by side.
        base = ".".join([*parts, base] if base else parts)
    for alias in node.names:
        full = f"{base}.{alias.name}" if base else alias.name
        yield full if full in FILES else base


def imports(module: str) -> list[tuple[int, str]]:
    """Return (line, imported module) of everything that ``module`` imports."""
    tree = ast.parse(FILES[module].read_text(encoding="utf-8"))
    return [(node.lineno, name) for node in import_nodes(tree) for name in targets(node, module)]


def is_ours(name: str) -> bool:
    return name.split(".")[0] in PACKAGES


def test_every_part_has_its_row() -> None:
    assert {part_of(module) for module in FILES} <= MAY_IMPORT.keys() | TOP


@pytest.mark.parametrize("part", sorted(MAY_IMPORT))
def test_a_part_imports_only_what_it_may(part: str) -> None:
    wrong = [
        f"{FILES[module].relative_to(ROOT)}:{line} imports {name}"
        for module in FILES
        if part_of(module) == part
        for line, name in imports(module)
        if is_ours(name) and part_of(name) not in MAY_IMPORT[part] | {part}
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("part", sorted(THIRD_PARTY))
def test_dependencies_stay_small_where_they_must(part: str) -> None:
    wrong = [
        f"{FILES[module].relative_to(ROOT)}:{line} imports {name}"
        for module in FILES
        if part_of(module) == part
        for line, name in imports(module)
        if not is_ours(name) and name.split(".")[0] not in sys.stdlib_module_names | THIRD_PARTY[part]
    ]
    assert not wrong, "\n".join(wrong)


def test_the_extension_imports_itself_relatively() -> None:
    """Inside Blender these packages lie in a package whose name is not known."""
    wrong = []
    for module, path in FILES.items():
        if module.split(".")[0] == "model_server":
            continue
        for node in import_nodes(ast.parse(path.read_text(encoding="utf-8"))):
            absolute = isinstance(node, ast.Import) or not node.level
            if absolute and any(is_ours(name) for name in targets(node, module)):
                wrong.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert not wrong, wrong


def test_there_are_no_import_cycles() -> None:
    """Imports inside functions count: a cycle that works by luck is one. Those for type checkers do not."""
    graph: dict[str, set[str]] = {}
    for module, path in FILES.items():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        found = {name for node in import_nodes(tree, types_too=False) for name in targets(node, module)}
        graph[module] = {name for name in found if name in FILES and name != module}
    try:
        list(graphlib.TopologicalSorter(graph).static_order())
    except graphlib.CycleError as error:
        pytest.fail(f"import cycle: {' -> '.join(error.args[1])}")
