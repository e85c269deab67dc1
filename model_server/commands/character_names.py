"""The names of a character's shapes and bones, from its file."""

from __future__ import annotations

import json
import struct
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from model_server.errors import CharacterError

from .files import run_blender

GLTF_SUFFIXES: Final = (".glb", ".gltf", ".vrm")
BLENDER_SUFFIXES: Final = (".blend", ".fbx", ".usd", ".usda", ".usdc", ".usdz")
TEXT_SUFFIXES: Final = (".txt",)
_LARGEST_JSON: Final = 64 * 2**20
_GLB_HEADER: Final = struct.Struct("<4sIIII")
_JSON_CHUNK: Final = 0x4E4F534A


@dataclass(frozen=True)
class CharacterNames:
    """What a character can move: ``shapes`` are shape names by mesh, ``bones`` bone names by armature."""

    shapes: dict[str, tuple[str, ...]]
    bones: dict[str, tuple[str, ...]]

    @property
    def all_shapes(self) -> tuple[str, ...]:
        """Shape names of all meshes, each once."""
        return tuple(dict.fromkeys(name for names in self.shapes.values() for name in names))

    @property
    def all_bones(self) -> tuple[str, ...]:
        """Bone names of all armatures, each once."""
        return tuple(dict.fromkeys(name for names in self.bones.values() for name in names))


def read_names(path: Path) -> CharacterNames:
    """Return the names in a character file, or in a text file with one name a line.

    glTF and VRM are read directly, other formats by Blender in a process of its own.

    Raises:
        CharacterError: for a file of another kind, or one that cannot be read.
        ExportError: when Blender is needed and is missing or fails.
    """
    suffix = path.suffix.lower()
    if not path.is_file():
        raise CharacterError(f"there is no character file {path}")
    if suffix in GLTF_SUFFIXES:
        return _names_of_gltf(_gltf_document(path), path)
    if suffix in TEXT_SUFFIXES:
        lines = [line.strip() for line in path.read_text("utf-8-sig", errors="replace").splitlines()]
        return CharacterNames({path.stem: tuple(line for line in lines if line)}, {})
    if suffix in BLENDER_SUFFIXES:
        return _names_by_blender(path)
    known = " ".join(GLTF_SUFFIXES + BLENDER_SUFFIXES + TEXT_SUFFIXES)
    raise CharacterError(f"{path.name} is no character file; use one of {known}")


def _names_by_blender(path: Path) -> CharacterNames:
    with tempfile.TemporaryDirectory(prefix="dreamtalk-") as folder:
        out = Path(folder) / "names.json"
        run_blender("names", "--character", str(path.resolve()), "-o", str(out))
        record = json.loads(out.read_text("utf-8"))
    return CharacterNames(
        *({owner: tuple(names) for owner, names in record[part].items()} for part in ("shapes", "bones"))
    )


def _gltf_document(path: Path) -> dict[str, Any]:
    """Return the JSON part of a .gltf, .glb or .vrm file.

    Source: Khronos, "glTF 2.0 Specification", GLB file format.
    """
    with path.open("rb") as stream:
        head = stream.read(_GLB_HEADER.size)
        if head[:4] == b"glTF":
            if len(head) < _GLB_HEADER.size:
                raise CharacterError(f"{path.name} ends within its header")
            _, version, _, length, kind = _GLB_HEADER.unpack(head)
            if version != 2 or kind != _JSON_CHUNK:
                raise CharacterError(f"{path.name} is glTF version {version}; expected version 2")
            text = stream.read(min(length, _LARGEST_JSON))
        else:
            text = head + stream.read(_LARGEST_JSON)
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CharacterError(f"{path.name} is not glTF: {error}") from error
    if not isinstance(document, dict):
        raise CharacterError(f"{path.name} is not glTF: expected one object")
    return document


def _names_of_gltf(document: dict[str, Any], path: Path) -> CharacterNames:
    try:
        shapes = {
            str(mesh.get("name", f"mesh {number}")): tuple(_target_names(mesh))
            for number, mesh in enumerate(document.get("meshes", []))
        }
        nodes = document.get("nodes", [])
        bones = {
            str(skin.get("name", f"skin {number}")): tuple(
                str(nodes[joint].get("name", "")) for joint in skin["joints"]
            )
            for number, skin in enumerate(document.get("skins", []))
        }
    except (AttributeError, IndexError, KeyError, TypeError) as error:
        raise CharacterError(f"{path.name} breaks the form of glTF: {error!r}") from error
    return CharacterNames({mesh: names for mesh, names in shapes.items() if names}, bones)


def _target_names(mesh: dict[str, Any]) -> list[str]:
    """Return the morph target names of a glTF mesh, kept by convention in its extras or those of its first part."""
    parts = mesh.get("primitives", [])
    for holder in (mesh, *parts):
        names = holder.get("extras", {}).get("targetNames")
        if names:
            return [str(name) for name in names]
    return [f"target_{number}" for number in range(len(parts[0].get("targets", [])) if parts else 0)]
