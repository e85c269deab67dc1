"""Finish GLB files: their animation at the right second, their meshes in place. Standard library and numpy only.

Blender's glTF exporter writes a key at second ``frame / (fps * fps_base)``: late by the scene's first frame,
and wrong wherever ``fps_base`` is not 1, as at 29.97 fps.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

_MAGIC, _JSON_CHUNK, _BINARY_CHUNK = 0x46546C67, 0x4E4F534A, 0x004E4942
_FLOAT = 5126


class GlbError(ValueError):
    """A GLB file without the structure that Blender's exporter gives it."""


def read_glb(path: Path) -> tuple[dict[str, Any], bytearray]:
    """Return the JSON document and the binary chunk of the GLB file at ``path``.

    Raises:
        GlbError: for a file of another form.
    """
    data = path.read_bytes()
    if len(data) < 20 or struct.unpack_from("<I", data)[0] != _MAGIC:
        raise GlbError(f"{path.name} is not a GLB file")
    length, kind = struct.unpack_from("<II", data, 12)
    if kind != _JSON_CHUNK:
        raise GlbError(f"{path.name} does not begin with its JSON chunk")
    document = json.loads(data[20 : 20 + length])
    binary_start = 20 + length + 8
    return document, bytearray(data[binary_start:])


def write_glb(path: Path, document: dict[str, Any], binary: bytes | bytearray) -> None:
    """Write a GLB file of ``document`` and ``binary``."""
    text = json.dumps(document, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    binary = bytes(binary) + b"\0" * (-len(binary) % 4)
    header = struct.pack("<III", _MAGIC, 2, 12 + 8 + len(text) + 8 + len(binary))
    json_chunk = struct.pack("<II", len(text), _JSON_CHUNK) + text
    binary_chunk = struct.pack("<II", len(binary), _BINARY_CHUNK) + binary
    path.write_bytes(header + json_chunk + binary_chunk)


def float_accessor(document: dict[str, Any], binary: bytearray, index: int) -> npt.NDArray[np.float32]:
    """Return a writable (count,) float32 view of the scalar float accessor ``index``.

    Raises:
        GlbError: for an accessor of another type.
    """
    accessor = document["accessors"][index]
    if accessor["componentType"] != _FLOAT or accessor["type"] != "SCALAR":
        raise GlbError(f"accessor {index} does not hold plain floats")
    view = document["bufferViews"][accessor["bufferView"]]
    offset = view.get("byteOffset", 0) + accessor.get("byteOffset", 0)
    return np.frombuffer(binary, np.float32, accessor["count"], offset)


def _put_skinned_meshes_at_the_root(document: dict[str, Any]) -> None:
    """Take nodes with skinned meshes off their parents, whose transforms do not move them (glTF 2.0, 3.7.3.3)."""
    nodes = document["nodes"]
    skinned = {number for number, node in enumerate(nodes) if "skin" in node}
    for node in nodes:
        held = skinned.intersection(node.get("children", ()))
        if held:
            node["children"] = [child for child in node["children"] if child not in held]
            document["scenes"][document.get("scene", 0)]["nodes"] += sorted(held)
        if not node.get("children", True):
            del node["children"]  # the schema asks for one child or more


def finish_glb(path: Path, duration: float) -> None:
    """Move all animation of the GLB file at ``path`` so that it runs from second 0 to ``duration``.

    Skinned meshes also become roots of the scene, as validators ask.

    Args:
        path: the file, written with every frame sampled.
        duration: seconds between its first and its last frame.

    Raises:
        GlbError: for a file without animation.
    """
    document, binary = read_glb(path)
    samplers = [sampler for animation in document.get("animations", []) for sampler in animation["samplers"]]
    inputs = sorted({sampler["input"] for sampler in samplers})
    if not inputs:
        raise GlbError(f"{path.name} holds no animation")
    times = {index: float_accessor(document, binary, index) for index in inputs}
    first = min(float(t[0]) for t in times.values())
    last = max(float(t[-1]) for t in times.values())
    scale = duration / (last - first) if last > first else 1.0
    for index, seconds in times.items():
        seconds[:] = (seconds.astype(np.float64) - first) * scale
        accessor = document["accessors"][index]
        accessor["min"], accessor["max"] = [float(seconds[0])], [float(seconds[-1])]
    _put_skinned_meshes_at_the_root(document)
    write_glb(path, document, binary)
