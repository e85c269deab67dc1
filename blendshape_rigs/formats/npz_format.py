"""Face curves as a NumPy ``.npz`` archive, on disk or in memory. Nothing is ever unpickled.

Members: ``version`` (1), ``names`` (N,) of ARKit blendshapes, ``values`` (T, N), ``head_rotation`` (T, 3)
radians, ``head_translation`` (T, 3) metres, ``fps``, ``start`` seconds, and ``provenance`` as JSON text.
"""

from __future__ import annotations

import io
import json
import math
import zipfile
import zlib
from dataclasses import asdict
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from ..arkit import ARKIT_NAMES
from ..curves import CurvesError, FaceCurves
from .common import (
    MAX_BYTES,
    MAX_FRAMES,
    FormatError,
    arkit_columns,
    check_size,
    check_values,
    in_arkit_order,
    write_bytes,
)
from .provenance import provenance_from

VERSION = 1
KINDS = {
    "version": "iu",
    "names": "U",
    "values": "f",
    "head_rotation": "f",
    "head_translation": "f",
    "fps": "fiu",
    "start": "fiu",
    "provenance": "U",
}
"""The members of an archive, and which kinds of NumPy type each may hold."""


def npz_bytes(curves: FaceCurves) -> bytes:
    """Return ``curves`` as the bytes of an ``.npz`` archive."""
    stream = io.BytesIO()
    np.savez_compressed(
        stream,
        version=np.int64(VERSION),
        names=np.array(ARKIT_NAMES),
        values=curves.values,
        head_rotation=curves.head_rotation,
        head_translation=curves.head_translation,
        fps=np.float64(curves.fps),
        start=np.float64(curves.start),
        provenance=np.array(json.dumps(asdict(curves.provenance))),
    )
    return stream.getvalue()


def curves_from_npz(data: bytes) -> FaceCurves:
    """Return the curves in the bytes of an ``.npz`` archive.

    Sizes and types are checked before any array is made, so that a small hostile archive cannot fill the
    memory.

    Raises:
        FormatError: for bytes that are no such archive.
    """
    return _curves_from_stream(io.BytesIO(data))


def read_npz(path: Path) -> FaceCurves:
    """Read an ``.npz`` archive of curves; see :func:`curves_from_npz`."""
    check_size(path)
    with path.open("rb") as stream:
        return _curves_from_stream(stream)


def write_npz(curves: FaceCurves, path: Path) -> None:
    """Write ``curves`` to an ``.npz`` archive."""
    write_bytes(path, npz_bytes(curves))


def _curves_from_stream(stream: BinaryIO) -> FaceCurves:
    try:
        with zipfile.ZipFile(stream) as archive:
            members = _load_members(archive)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, OSError, ValueError) as error:
        if isinstance(error, FormatError):
            raise
        raise FormatError(f"this is no archive of face curves ({str(error)[:100]}); write it again") from error
    if members["version"].shape or int(members["version"]) != VERSION:
        raise FormatError(f"these curves are of version {members['version']}; this program reads {VERSION}")
    for name in ("fps", "start", "provenance"):
        if members[name].shape:
            raise FormatError(f"{name} has shape {members[name].shape}; it must be a single value")
    values, names = members["values"], members["names"]
    if values.ndim != 2 or names.shape != (values.shape[1],):
        raise FormatError(f"values of shape {values.shape} and names of shape {names.shape} do not fit")
    if len(values) > MAX_FRAMES:
        raise FormatError(f"there are {len(values)} frames; at most {MAX_FRAMES} are read: split the performance")
    columns = arkit_columns([str(name) for name in names], "names")
    arrays = {name: members[name].astype(np.float64) for name in ("values", "head_rotation", "head_translation")}
    for name, array in arrays.items():
        if array.shape != (len(values), len(names) if name == "values" else 3):
            raise FormatError(f"{name} has shape {array.shape}, which does not fit {len(values)} frames")
        check_values(array, range(len(array)), f"{name}, frame")
    try:
        return FaceCurves(
            in_arkit_order(arrays["values"], columns).astype(np.float32),
            arrays["head_rotation"].astype(np.float32),
            arrays["head_translation"].astype(np.float32),
            float(members["fps"]),
            float(members["start"]),
            provenance_from(_json_object(str(members["provenance"]))),
        )
    except FormatError:
        raise
    except CurvesError as error:
        raise FormatError(str(error)) from error


def _json_object(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"provenance is not JSON: {error}") from error


def _load_members(archive: zipfile.ZipFile) -> dict[str, npt.NDArray[np.generic]]:
    """Return every member of ``archive``, after a check that the members are the expected ones and fit."""
    infos = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
    unknown, missing = set(infos) - set(KINDS), set(KINDS) - set(infos)
    if unknown or missing or len(archive.infolist()) != len(KINDS):
        names = ", ".join(repr(name[:40]) for name in sorted(unknown or missing))
        raise FormatError(f"this archive is not one of face curves: {names} {'unknown' if unknown else 'missing'}")
    if any(info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for info in infos.values()):
        raise FormatError("this archive is compressed in an unusual way; write it with NumPy")
    total = sum(info.file_size for info in infos.values())
    if total > MAX_BYTES:
        raise FormatError(f"this archive unpacks to {total >> 20} MiB; at most {MAX_BYTES >> 20} are read")
    return {name: _load_member(archive, info, KINDS[name]) for name, info in infos.items()}


def _load_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, kinds: str) -> npt.NDArray[np.generic]:
    """Return one array; its header may claim neither objects nor more bytes than there are."""
    with archive.open(info) as stream:
        version = np.lib.format.read_magic(stream)  # type: ignore[no-untyped-call]
        read_header = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }.get(version)
        if read_header is None:
            raise FormatError(f"{info.filename} is of array format {version}; write it with a current NumPy")
        shape, _, dtype = read_header(stream)  # type: ignore[no-untyped-call]
        if dtype.kind not in kinds:
            raise FormatError(f"{info.filename} holds type {dtype}, which does not belong there")
        if stream.tell() + math.prod(shape) * dtype.itemsize != info.file_size:
            raise FormatError(f"{info.filename} does not have the size that its header claims")
    with archive.open(info) as stream:
        array: npt.NDArray[np.generic] = np.lib.format.read_array(stream, allow_pickle=False)  # type: ignore[no-untyped-call]
    return array
