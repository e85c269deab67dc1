"""The built extension keeps the rules of Blender's extensions platform; what breaks them is found."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import zipfile
from pathlib import Path
from types import ModuleType

import pytest
from blender_support import ROOT, installed_blender

CHECKER = ROOT / "scripts" / "check_platform_rules.py"


@pytest.fixture(scope="module")
def checker() -> ModuleType:
    """Return the checker as a module."""
    spec = importlib.util.spec_from_file_location("check_platform_rules", CHECKER)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["check_platform_rules"] = module  # data classes look for their module
    spec.loader.exec_module(module)
    return module


def changed(target: Path, files: dict[str, str], manifest: tuple[str, str] = ("", ""), without: str = "") -> Path:
    """Write the built extension to ``target`` with more ``files``, one change of its manifest, one file left out."""
    with zipfile.ZipFile(installed_blender().package) as package, zipfile.ZipFile(target, "w") as other:
        for name in package.namelist():
            data = package.read(name)
            if name == "blender_manifest.toml":
                assert manifest[0] in data.decode()
                data = data.decode().replace(*manifest).encode() if manifest[0] else data
            if name not in files and name != without:
                other.writestr(name, data)
        for name, text in files.items():
            other.writestr(name, text)
    return target


def test_built_extension_breaks_no_rule(checker: ModuleType) -> None:
    package = installed_blender().package
    assert checker.problems(package) == []
    done = subprocess.run([sys.executable, CHECKER, package], capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, f"{package.name}: no rule is broken")


def test_blender_s_own_command_takes_the_extension() -> None:
    spec = importlib.util.find_spec("bpy")
    assert spec is not None
    command = next(Path((spec.submodule_search_locations or [""])[0]).glob("*/scripts/addons_core/**/blender_ext.py"))
    package = installed_blender().package
    done = subprocess.run([sys.executable, command, "validate", package], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


CODE = "dream_blender/more.py"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("from blendshape_rigs import curves\n", f"{CODE}:1: 'blendshape_rigs' is imported absolutely"),
        ("import dream_blender.panel\n", f"{CODE}:1: 'dream_blender' is imported absolutely"),
        ("import bl_ext.user_default.dream_talk\n", f"{CODE}:1: 'bl_ext' is imported absolutely"),
        ("def f():\n    import torch\n", f"{CODE}:2: 'torch' does not come with Blender"),
        ("import sys\nsys.path.insert(0, 'x')\n", f"{CODE}:2: sys.path belongs to all extensions"),
        ("from sys import path\n", f"{CODE}:1: sys.path is not to be touched"),
        ("eval('1')\n", f"{CODE}:1: eval runs code"),
        ("import urllib.request\n", f"{CODE}: reaches the network though nothing before it asks"),
        ("from http import client\n", f"{CODE}: reaches the network though nothing before it asks"),
        (
            "import subprocess, sys\nsubprocess.run([sys.executable, '-m', 'pip', 'install', 'x'])\n",
            f"{CODE}:2: installs packages into Blender's own Python",
        ),
        ("from pathlib import Path\nHERE = Path(__file__)\n(HERE / 'x').write_text('')\n", f"{CODE}:3: writes into"),
        ("open(__file__ + '.log', 'a')\n", f"{CODE}:1: writes into the extension's own folder"),
    ],
)
def test_code_that_breaks_a_rule_is_named(checker: ModuleType, tmp_path: Path, text: str, expected: str) -> None:
    found = checker.problems(changed(tmp_path / "changed.zip", {CODE: text}))
    assert [problem for problem in found if problem.startswith(expected)], found


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('name = "DREAM-Talk"', 'name = "Talk for Blender"', "is a trademark"),
        ('network = "', 'net = "', "there is no permission 'net'"),
        ('network = "', 'net = "', "uses the network without the permission 'network'"),
        ('network = "', 'network = "' + "long " * 12, "permission 'network' needs a reason"),
        ("SPDX:GPL-3.0-or-later", "SPDX:MIT", "the licence must be SPDX:GPL-3.0-or-later"),
        ('tagline = "Talking', 'tagline = "Very' + " very" * 12 + " talking", "the tagline has at most 64"),
        ("[permissions]", 'wheels = ["./x.whl"]\n[permissions]', "wheels are bundled"),
        ('maintainer = "', 'keeper = "', "'maintainer' is missing"),
    ],
)
def test_manifest_that_breaks_a_rule_is_named(
    checker: ModuleType, tmp_path: Path, old: str, new: str, expected: str
) -> None:
    found = checker.problems(changed(tmp_path / "changed.zip", {}, (old, new)))
    assert [problem for problem in found if expected in problem], found


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("dream_blender/fast.so", "compiled files are not taken"),
        ("dream_blender/__pycache__/panel.cpython-311.pyc", "compiled files are not taken"),
        ("wheels/torch.whl", "compiled files are not taken"),
        ("tests/data.json", "does not belong in the extension"),
        ("dream_blender/test_panel.py", "does not belong in the extension"),
        (".gitignore", "does not belong in the extension"),
    ],
)
def test_files_that_do_not_belong_are_named(checker: ModuleType, tmp_path: Path, name: str, expected: str) -> None:
    assert checker.problems(changed(tmp_path / "changed.zip", {name: ""})) == [f"{name}: {expected}"]


def test_missing_licence_and_too_much_weight_are_named(checker: ModuleType, tmp_path: Path) -> None:
    assert "LICENSE: the licence's text is missing" in checker.problems(
        changed(tmp_path / "bare.zip", {}, without="LICENSE")
    )
    heavy = changed(tmp_path / "heavy.zip", {"dream_blender/heavy.bin": "x" * checker.SIZE_LIMIT})
    assert [problem for problem in checker.problems(heavy) if problem.startswith("heavy.zip: ")]
