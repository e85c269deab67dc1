"""Read the animated shapes of a binary FBX file, without opening it in the scene. Standard library and numpy only.

The form of the file: Blender Foundation, "FBX binary file format specification", 2013; Autodesk's FBX SDK for the
meaning of the nodes.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .file_shapes import FileShape, FileShapes

_MAGIC = b"Kaydara FBX Binary  \x00\x1a\x00"
_TICKS = 46186158000  # a second
_WIDE = 7500  # from this version on, offsets take 64 bits
_PLAIN = {b"Y": "<h", b"C": "<?", b"I": "<i", b"F": "<f", b"D": "<d", b"L": "<q"}
_ARRAYS = {b"f": "<f4", b"d": "<f8", b"l": "<i8", b"i": "<i4", b"b": "?"}
_OF_OBJECTS = (b"Geometry", b"Model", b"Deformer", b"AnimationCurveNode", b"AnimationCurve")


class FbxError(ValueError):
    """A file that is no binary FBX, or one that is cut off."""


@dataclass(frozen=True)
class _Node:
    """One record: its name, properties by place, and where its children lie."""

    name: bytes
    data: bytes
    properties_at: int
    count: int
    children_at: int
    end: int
    wide: bool

    def properties(self) -> list[Any]:
        """Return the decoded properties."""
        found, at = [], self.properties_at
        for _ in range(self.count):
            value, at = _property(self.data, at)
            found.append(value)
        return found

    def children(self) -> Iterator[_Node]:
        """Yield the nodes inside."""
        return _nodes(self.data, self.children_at, self.end, self.wide)

    def child(self, name: bytes) -> Any | None:
        """Return the first property of the child ``name``, None where there is none."""
        return next((node.properties()[0] for node in self.children() if node.name == name), None)


def _property(data: bytes, at: int) -> tuple[Any, int]:
    """Return the property at offset ``at`` and the offset after it."""
    kind, at = data[at : at + 1], at + 1
    if kind in _PLAIN:
        return struct.unpack_from(_PLAIN[kind], data, at)[0], at + struct.calcsize(_PLAIN[kind])
    if kind in (b"S", b"R"):
        length = struct.unpack_from("<I", data, at)[0]
        return data[at + 4 : at + 4 + length], at + 4 + length
    if kind not in _ARRAYS:
        raise FbxError(f"a property of the unknown kind {kind!r}")
    length, encoding, stored = struct.unpack_from("<III", data, at)
    raw = data[at + 12 : at + 12 + stored]
    array = np.frombuffer(zlib.decompress(raw) if encoding else raw, _ARRAYS[kind], length)
    return array, at + 12 + stored


def _nodes(data: bytes, at: int, end: int, wide: bool) -> Iterator[_Node]:
    """Yield the nodes that begin between the offsets ``at`` and ``end``."""
    header = "<QQQB" if wide else "<IIIB"
    size = struct.calcsize(header)
    while at + size <= end:
        node_end, count, length, name_length = struct.unpack_from(header, data, at)
        if node_end == 0:
            return
        if not at < node_end <= len(data):
            raise FbxError("the file is cut off")
        properties_at = at + size + name_length
        name = data[at + size : properties_at]
        yield _Node(name, data, properties_at, count, properties_at + length, node_end, wide)
        at = node_end


def _name(stored: bytes) -> str:
    """Return the name in ``stored``, which its class follows after a separator."""
    return stored.split(b"\0\1")[0].decode("utf-8")


def _curve(node: _Node) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return seconds (K,) and values (K,) of an animation curve."""
    inside = {child.name: child.properties()[0] for child in node.children() if child.name.startswith(b"Key")}
    return inside[b"KeyTime"].astype(np.float64) / _TICKS, inside[b"KeyValueFloat"].astype(np.float64)


def read_fbx_shapes(path: Path) -> FileShapes:
    """Return the shapes of the FBX file at ``path`` with their motion, by the name of the object; values 0..1.

    Raises:
        FbxError: for a file that is no whole binary FBX.
        OSError: for a file that cannot be read.
    """
    data = path.read_bytes()
    if not data.startswith(_MAGIC) or len(data) < 27:
        raise FbxError(f"{path.name} is no binary FBX file")
    wide = struct.unpack_from("<I", data, 23)[0] >= _WIDE
    try:
        tops = {node.name: node for node in _nodes(data, 27, len(data), wide)}
        return _shapes(_objects(tops[b"Objects"]), tops[b"Connections"])
    except (KeyError, struct.error, zlib.error) as error:
        raise FbxError(f"{path.name} is cut off or damaged") from error


def _objects(node: _Node) -> dict[int, tuple[_Node, str, bytes]]:
    """Return the objects by number: the node, its name and its kind."""
    found = {}
    for item in node.children():
        if item.name in _OF_OBJECTS:
            number, name, kind = item.properties()[:3]
            found[number] = (item, _name(name), kind)
    return found


def _shapes(objects: dict[int, tuple[_Node, str, bytes]], connections: _Node) -> FileShapes:
    """Follow the connections from each shape's channel up to its object, and down to its curve."""
    above: dict[int, list[int]] = {}
    below: dict[int, list[int]] = {}
    for link in connections.children():
        child, parent = link.properties()[1:3]
        above.setdefault(child, []).append(parent)
        below.setdefault(parent, []).append(child)
    found: FileShapes = {}
    for number, (node, name, kind) in objects.items():
        if kind != b"BlendShapeChannel":
            continue
        still = np.array([float(node.child(b"DeformPercent") or 0.0) / 100])
        shape = FileShape(name, np.zeros(1), still)
        for curve_node in below.get(number, ()):
            for curve in below.get(curve_node, ()):
                if curve in objects and objects[curve][0].name == b"AnimationCurve":
                    seconds, percents = _curve(objects[curve][0])
                    shape = FileShape(name, seconds, percents / 100)
        for geometry in (up for deformer in above.get(number, ()) for up in above.get(deformer, ())):
            for model in above.get(geometry, ()):
                if model in objects and objects[model][0].name == b"Model":
                    found.setdefault(objects[model][1], []).append(shape)
    return found
