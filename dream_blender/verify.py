"""Read an exported file back and compare it with the animation that it was made from."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..blendshape_rigs.arkit import ARKIT_NAMES
from ..blendshape_rigs.curves import CurvesError, FaceCurves
from ..blendshape_rigs.formats import READERS, read_curves
from . import compat
from .character import meshes_of, shape_names, value_path
from .fbx_reading import FbxError
from .file_shapes import Array, FileShape, FileShapes
from .glb_times import GlbError
from .shape_readers import shape_reader
from .take import read_take, scene_fps
from .verify_points import points_error

TOLERANCE = 1e-4
_POINT_TOLERANCE = 1e-5  # of the size of what moves
_HEAD = ("head pitch", "head yaw", "head roll", "head to the left", "head up", "head forward")


class VerifyError(Exception):
    """An exported file that does not hold the animation it was made from."""


@dataclass(frozen=True)
class Verified:
    """What reading a file back has shown.

    Attributes:
        count: channels, or points of a point cache, that were compared.
        what: ``"channels"`` or ``"points"``.
        seconds: between the first and the last frame that were compared.
        error: the largest difference, of a weight, radians or metres.
    """

    count: int
    what: str
    seconds: float
    error: float

    @property
    def text(self) -> str:
        """The numbers in words, such as ``"52 channels, 10.00 s, max error 1e-6"``."""
        if not self.count:
            return f"{self.seconds:.2f} s, no shapes to compare"
        error = re.sub(r"e([+-])0", r"e\1", f"{self.error:.0e}") if self.error else "0"
        return f"{self.count} {self.what}, {self.seconds:.2f} s, max error {error}"


@dataclass(frozen=True, eq=False)
class ExpectedShape:
    """What a file must hold of one shape key.

    Attributes:
        owner: name of the mesh object; empty where any will do.
        name: of the shape key.
        place: of the shape key among those of the mesh, the reference left out; -1 where names alone tell.
        values: (T,) weights, frame by frame.
    """

    owner: str
    name: str
    place: int
    values: Array


def expected_shapes(character: Any, first: int, last: int) -> list[ExpectedShape]:
    """Return the keyed shapes of all meshes of ``character``, at every frame from ``first`` to ``last``."""
    found = []
    for mesh in meshes_of(character):
        shape_keys = mesh.data.shape_keys
        curves = {curve.data_path: curve for curve in compat.assigned_curves(shape_keys)} if shape_keys else {}
        for place, name in enumerate(shape_names(mesh)):
            key, curve = shape_keys.key_blocks[name], curves.get(value_path(name))
            if curve is None or curve.mute:
                continue
            values = np.array([curve.evaluate(frame) for frame in range(first, last + 1)])
            found.append(ExpectedShape(mesh.name, name, place, values.clip(key.slider_min, key.slider_max)))
    return found


def _plain(name: str) -> str:
    """Return ``name`` as far as every format can hold it."""
    return re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_")


def _owned(file: FileShapes, owner: str) -> list[FileShape]:
    """Return the shapes in ``file`` of the object ``owner``; USD knows only plain names."""
    if owner in file:
        return file[owner]
    return next((shapes for name, shapes in file.items() if shapes and _plain(name) == _plain(owner)), [])


def _find(file: FileShapes, wanted: ExpectedShape, meshes: dict[str, int]) -> FileShape | None:
    shapes = _owned(file, wanted.owner) if wanted.owner else [shape for every in file.values() for shape in every]
    named = next((shape for shape in shapes if shape.name == wanted.name), None)
    if named is not None:
        return named
    if len(shapes) == meshes.get(wanted.owner):  # names of other scripts are spelt otherwise in USD
        return shapes[wanted.place]
    return next((shape for shape in shapes if _plain(shape.name) == _plain(wanted.name)), None)


def compare_shapes(path: Path, file: FileShapes, expected: Sequence[ExpectedShape], seconds: Array) -> Verified:
    """Compare the shapes of a file with what they must be.

    Args:
        path: of the file, for messages.
        file: its shapes.
        expected: at least those that move.
        seconds: (T,) of the frames of ``expected``, as the file counts them.

    Raises:
        VerifyError: when a shape is missing, or a value differs by more than ``TOLERANCE`` at its second.
    """
    meshes = {wanted.owner: shape_count(wanted.owner) for wanted in expected if wanted.owner}
    worst = 0.0
    for wanted in expected:
        found = _find(file, wanted, meshes)
        if found is None:
            raise VerifyError(f"{path.name} was written without '{wanted.name}'")
        errors = np.abs(np.interp(seconds, found.seconds, found.values) - wanted.values)
        if errors.max() > TOLERANCE:
            frame = int(errors.argmax())
            raise VerifyError(
                f"{path.name}: '{wanted.name}' differs from the take by {errors[frame]:.2g} "
                f"at {seconds[frame] - seconds[0]:.2f} s"
            )
        worst = max(worst, float(errors.max()))
    names = {wanted.name for wanted in expected}
    return Verified(len(names), "channels", float(seconds[-1] - seconds[0]), worst)


def shape_count(owner: str) -> int:
    """Return how many shape keys the mesh object called ``owner`` has, the reference left out."""
    import bpy

    return len(shape_names(bpy.data.objects[owner]))


def _compare_curves(path: Path, file: FaceCurves, expected: FaceCurves) -> Verified:
    """Compare a file of curves with ``expected``, channel by channel and head pose too."""
    if len(file) != len(expected) or abs(file.fps - expected.fps) > 1e-3 * expected.fps:
        raise VerifyError(f"{path.name} has {len(file)} frames at {file.fps:g} Hz, the take has {len(expected)}")
    errors = np.abs(file.stacked().astype(np.float64) - expected.stacked()).max(axis=0)
    if path.suffix.lower() == ".csv":
        errors = errors[: len(ARKIT_NAMES) + 3]  # Live Link Face keeps no translation
    worst = int(errors.argmax())
    if errors[worst] > TOLERANCE:
        name = (*ARKIT_NAMES, *_HEAD)[worst]
        raise VerifyError(f"{path.name}: '{name}' differs from the take by {errors[worst]:.2g}")
    return Verified(len(ARKIT_NAMES), "channels", (len(file) - 1) / file.fps, float(errors[worst]))


def _read(path: Path) -> FileShapes | None:
    reader = shape_reader(path.suffix.lower())
    try:
        return None if reader is None else reader(path)
    except (FbxError, GlbError) as error:
        raise VerifyError(f"{path.name} cannot be read back: {error}") from error


def verify_take(context: Any, characters: Sequence[Any], path: Path, first: int, last: int) -> Verified | None:
    """Compare the file at ``path`` with the takes of ``characters``; None for a kind that this build cannot read.

    Shapes are compared at every frame, a point cache at some. The scene is left as it is.

    Args:
        context: Blender's context; its scene is the one that was exported.
        characters: mesh objects with a take.
        path: the file just exported; a file of curves holds the first character.
        first: first frame that was exported.
        last: last frame that was exported.

    Raises:
        VerifyError: when the file holds something else; the message names the channel.
    """
    fps, suffix = scene_fps(context.scene), path.suffix.lower()
    if suffix in READERS:
        try:
            return _compare_curves(path, read_curves(path), read_take(characters[0], first, last, fps, first))
        except CurvesError as error:
            raise VerifyError(f"{path.name} cannot be read back: {error}") from error
    if suffix == ".abc":
        meshes = [mesh for character in characters for mesh in meshes_of(character)]
        points = points_error(context, meshes, path, first, last)
        if points.missing:
            raise VerifyError(f"{path.name} was written without '{points.missing}'")
        if points.error > _POINT_TOLERANCE * points.size:
            raise VerifyError(f"{path.name}: points of '{points.worst}' are {points.error:.2g} m off")
        return Verified(points.count, "points", (last - first) / fps, points.error)
    file = _read(path)
    if file is None:
        return None
    expected = [shape for character in characters for shape in expected_shapes(character, first, last)]
    frames = np.arange(0, last - first + 1) if suffix == ".glb" else np.arange(first, last + 1)
    return compare_shapes(path, file, expected, frames / fps)


def verify_export(path: Path, curves: FaceCurves, names: Mapping[str, str]) -> Verified | None:
    """Compare the file at ``path`` with ``curves``; return what was seen, None for a kind not read back.

    Args:
        path: the file just exported; its first frame is frame 0 and the first frame of ``curves``.
        curves: what it was made from, at its frame rate.
        names: ARKit name to the shape's own name, of the shapes that the character has.

    Raises:
        VerifyError: when a shape is missing, or a value differs by more than ``TOLERANCE`` at its second.
    """
    if path.suffix.lower() in READERS:
        file: FileShapes | None = {"": _as_shapes(read_curves(path))}
        names = {name: name for name in names}
    else:
        file = _read(path)
    if file is None:
        return None
    expected = [ExpectedShape("", own, -1, curves.channel(name).astype(np.float64)) for name, own in names.items()]
    return compare_shapes(path, file, expected, np.arange(len(curves)) / curves.fps)


def _as_shapes(curves: FaceCurves) -> list[FileShape]:
    seconds = np.arange(len(curves)) / curves.fps
    return [FileShape(name, seconds, curves.channel(name).astype(np.float64)) for name in ARKIT_NAMES]
