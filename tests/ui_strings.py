"""What users of the extension read: the strings of its source, with ``{0}`` where something is filled in."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
SHOWN_BY = {"name", "description", "text", "title", "message", "confirm_text", "sending", "doing"}
"""Keywords whose values are shown, however short they are."""
_SENTENCE = re.compile(r"(?=.*[a-zA-Z]{2})['\"{A-Z].* .*", re.DOTALL)
_CODE = re.compile(r"\\n#|import |dream_talk|^\{0\}[^a-zA-Z]*\{1\}$|^DREAM-Talk( [a-z]+)?$|%|/v1/|#!/")
_IDENTIFIER = re.compile("[a-z]+[A-Za-z_]*|[A-Z_]+")
_NOT_SHOWN = {"headless.py", "materials.py", "avatar_rig.py", "environment_setup.py"}
"""Modules whose strings are no words for users: Blender without a window, names of sockets and bones, command lines."""
_SHOWN_STILL = {
    "Python {0} was not found. Install it from python.org or by your system's package manager, or install "
    "uv from docs.astral.sh/uv, which brings it along; then press the button again",
    "Making the environment",
    "Installing",
    "Looking for Python",
    "{0} failed: {1}",
}
NAMES = {
    "Basis",
    "Bearer {0}",
    "Not Found",
    "UVMap",
    "Subsurface Radius",
    "DREAM-Talk Avatar Rig",
    "DREAM-Talk {0}",
    "DREAM-Talk: ",
    "DREAM-Talk portrait job",
    "{0} Light",
    "{0} mapping",
    "{0} mouths",
    "{0} fps",
    "{0} captured",
    "Face: {0}",
    "FBX",
    "{0}lid {1} {2}",
    "MP4",
    "WebM",
    "USDZ",
    "Alembic",
    "USD (.usdc)",
    "glTF (.glb)",
    "Live Link Face CSV",
    "DREAM-Talk Avatar",
    "DREAM-Talk Check",
    "DREAM-Talk Comparison",
    "DREAM-Talk Mouths",
    "DREAM-Talk Portrait",
    "Godot",
    "Maya",
    "Omniverse",
    "Unity",
    "{0} copy",
}
"""What is the same in every language, and names that are given to data."""


def template(node: ast.AST) -> str | None:
    """Return the string of a literal, with numbers in braces for what is filled in; None for anything else."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if not isinstance(node, ast.JoinedStr):
        return None
    number, parts = 0, []
    for value in node.values:
        if isinstance(value, ast.Constant):
            parts.append(str(value.value))
        else:
            parts.append(f"{{{number}}}")
            number += 1
    return "".join(parts)


def _documentation(tree: ast.AST) -> set[int]:
    """Return the ids of the docstrings, and of strings that follow assignments to say what they are."""
    return {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}


def _tooltips(tree: ast.AST) -> Iterator[str]:
    """Yield the docstrings of operators, which Blender shows as tooltips."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and "_OT_" in node.name:
            text = ast.get_docstring(node)
            if text:
                yield text


def _labels(tree: ast.AST) -> Iterator[str]:
    """Yield what is a label by its place: keywords, ``bl_label``, and the name and description of an item of a list."""
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg in SHOWN_BY:
            values = [node.value.body, node.value.orelse] if isinstance(node.value, ast.IfExp) else [node.value]
        elif isinstance(node, (ast.Assign, ast.AnnAssign)) and "bl_label" in ast.unparse(node).split("=")[0]:
            values = [node.value] if node.value is not None else []
        elif isinstance(node, ast.Tuple) and len(node.elts) in (3, 4, 5) and _is_item(node):
            values = list(node.elts[1:3])
        else:
            continue
        yield from (text for text in map(template, values) if text)


def _is_item(node: ast.Tuple) -> bool:
    first = node.elts[0]
    named = isinstance(first, ast.Constant) and isinstance(first.value, str) and first.value.isupper()
    return named and all(template(part) is not None for part in node.elts[1:3])


def _sentences(tree: ast.AST) -> Iterator[str]:
    """Yield the literals that read like sentences, wherever they stand."""
    skipped = _documentation(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            skipped.update(id(part) for part in ast.walk(node) if part is not node)
    for node in ast.walk(tree):
        text = template(node) if id(node) not in skipped else None
        if text and _SENTENCE.fullmatch(text):
            yield text


def _raised(tree: ast.AST) -> Iterator[str]:
    """Yield the messages of errors that are raised."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and node.exc.args:
            text = template(node.exc.args[0])
            if text:
                yield text


def shown_strings() -> set[str]:
    """Return every string of the extension that its users may read."""
    found: set[str] = set()
    for path in sorted((ROOT / "dream_blender").glob("*.py")):
        if path.name not in _NOT_SHOWN:
            tree = ast.parse(path.read_text(encoding="utf-8"))
            found.update(_tooltips(tree), _labels(tree), _sentences(tree), _raised(tree), _titles(tree))
    return {text for text in found | _SHOWN_STILL if is_word(text)}


def is_word(text: str) -> bool:
    """Tell whether ``text`` is for users to read, and differs from language to language."""
    named = text in NAMES or _IDENTIFIER.fullmatch(text) or _CODE.search(text)
    return bool(re.search("[A-Za-z]{2}", text)) and not named


def _titles(tree: ast.Module) -> Iterator[str]:
    """Yield the values of tables of titles, such as ``{"jaw": "Jaw"}``."""
    for node in tree.body:
        value = node.value if isinstance(node, (ast.Assign, ast.AnnAssign)) else None
        if isinstance(value, ast.Dict) and value.values:
            texts = [template(item) for item in value.values]
            if all(text is not None and text[:1].isupper() for text in texts):
                yield from (text for text in texts if text)


_SPOKEN = {"poll_message_set": 0, "report": 1}
"""Calls that show a message, and which of their arguments it is."""


def _composed(node: ast.expr) -> bool:
    """Tell whether ``node`` is put together or fetched while running: Blender itself translates fixed words only."""
    if isinstance(node, ast.IfExp):
        return _composed(node.body) or _composed(node.orelse)
    if isinstance(node, ast.Attribute) and node.attr in ("name", "strip"):
        return False  # a name of the user's
    if isinstance(node, ast.Call) and ast.unparse(node.func) in ("said", "translations.said"):
        return False
    constant = (isinstance(node, ast.Name) and node.id.isupper()) or (
        isinstance(node, ast.Attribute) and node.attr.isupper()
    )
    return not isinstance(node, ast.Constant) and not constant


def untranslated_messages(tree: ast.AST) -> Iterator[ast.expr]:
    """Yield the messages that are shown without having gone through ``said``."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        place = _SPOKEN.get(node.func.attr)
        if place is not None and len(node.args) > place and _composed(node.args[place]):
            yield node.args[place]
        if node.func.attr in ("label", "progress"):
            # Names of data are shown as they are, and say so.
            plain = any(word.arg == "translate" for word in node.keywords)
            for word in node.keywords:
                if word.arg == "text" and not plain and _composed(word.value):
                    yield word.value


def untranslated_calls() -> list[str]:
    """Return where in the extension composed messages are shown in English whatever the language."""
    return [
        f"{path.name}:{message.lineno} {ast.unparse(message)}"
        for path in sorted((ROOT / "dream_blender").glob("*.py"))
        for message in untranslated_messages(ast.parse(path.read_text(encoding="utf-8")))
    ]
