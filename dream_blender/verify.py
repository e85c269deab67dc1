"""Read an exported file back and compare its shape weights with the curves that it was made from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import bpy
import numpy as np
import numpy.typing as npt

from ..blendshape_rigs.arkit import ARKIT_NAMES
from ..blendshape_rigs.curves import FaceCurves
from ..blendshape_rigs.formats import read_curves
from . import compat
from .character import value_path
from .glb_times import float_accessor, read_glb

TOLERANCE = 1e-4
Weights = dict[str, tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]]
"""Times (K,) s from the file's first frame, and values (K,), by shape name."""


class VerifyError(Exception):
    """An exported file that does not hold the animation it was made from."""


def _read_glb(path: Path) -> Weights:
    document, binary = read_glb(path)
    found: Weights = {}
    for animation in document.get("animations", []):
        for channel in animation["channels"]:
            if channel["target"]["path"] != "weights":
                continue
            mesh = document["meshes"][document["nodes"][channel["target"]["node"]]["mesh"]]
            sampler = animation["samplers"][channel["sampler"]]
            times = float_accessor(document, binary, sampler["input"]).astype(np.float64)
            names = mesh["extras"]["targetNames"]
            values = float_accessor(document, binary, sampler["output"]).reshape(len(times), len(names))
            found.update({name: (times, values[:, i].astype(np.float64)) for i, name in enumerate(names)})
    return found


def _read_fbx(path: Path) -> Weights:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.import_scene.fbx(filepath=str(path), anim_offset=0.0)
    rate = bpy.context.scene.render.fps  # the importer turns seconds into frames without regard for fps_base
    found: Weights = {}
    for shape_keys in bpy.data.shape_keys:
        curves = {curve.data_path: curve for curve in compat.assigned_curves(shape_keys)}
        for key in shape_keys.key_blocks:
            curve = curves.get(value_path(key.name))
            if curve is None:
                continue
            points = np.empty(len(curve.keyframe_points) * 2, np.float32)
            curve.keyframe_points.foreach_get("co", points)
            frames, values = points.reshape(-1, 2).T.astype(np.float64)
            found[key.name] = ((frames - frames[0]) / rate, values)
    return found


def _read_usd(path: Path) -> Weights:
    from pxr import Usd, UsdSkel

    stage = Usd.Stage.Open(str(path))
    rate, start = stage.GetTimeCodesPerSecond(), stage.GetStartTimeCode()
    found: Weights = {}
    for prim in stage.Traverse():
        if not prim.IsA(UsdSkel.Animation):
            continue
        animation = UsdSkel.Animation(prim)
        weights = animation.GetBlendShapeWeightsAttr()
        codes = weights.GetTimeSamples()
        values = np.array([weights.Get(code) for code in codes], np.float64)
        times = (np.array(codes) - start) / rate
        names = animation.GetBlendShapesAttr().Get() or []
        found.update({str(name): (times, values[:, i]) for i, name in enumerate(names)})
    return found


def _read_curve_file(path: Path) -> Weights:
    curves = read_curves(path)
    times = np.arange(len(curves)) / curves.fps
    return {name: (times, curves.channel(name).astype(np.float64)) for name in ARKIT_NAMES}


def _reader(suffix: str) -> Callable[[Path], Weights] | None:
    """Return how to read a file back, or None where this build of Blender can only write it."""
    if suffix == ".glb":
        return _read_glb
    if suffix == ".fbx":
        return _read_fbx
    if suffix in (".csv", ".json", ".npz"):
        return _read_curve_file
    if suffix.startswith(".usd") and compat.expose_usd_library():
        return _read_usd
    return None


def verify_export(path: Path, curves: FaceCurves, names: Mapping[str, str]) -> float | None:
    """Compare the file at ``path`` with ``curves``; return the largest error, None for a kind not read back.

    Run it last: reading an FBX back replaces the open scene.

    Args:
        path: the file just exported; its first frame is the first frame of ``curves``.
        curves: what it was made from, at its frame rate.
        names: ARKit name to the shape's own name, of the shapes that the character has.

    Raises:
        VerifyError: when a shape is missing, or a value differs by more than ``TOLERANCE`` at its second.
    """
    reader = _reader(path.suffix.lower())
    if reader is None:
        return None
    weights = reader(path)
    seconds = np.arange(len(curves)) / curves.fps
    worst, worst_name = 0.0, ""
    for arkit_name, own_name in names.items():
        if own_name not in weights:
            raise VerifyError(f"{path.name} was written without the animation of '{own_name}'")
        times, values = weights[own_name]
        error = float(np.abs(np.interp(seconds, times, values) - curves.channel(arkit_name)).max())
        if error > worst:
            worst, worst_name = error, own_name
    if worst > TOLERANCE:
        raise VerifyError(f"{path.name}: '{worst_name}' differs from its curve by {worst:.2g}")
    return worst
