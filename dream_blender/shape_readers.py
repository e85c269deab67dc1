"""Read the animated shapes of exported files: one function a format, chosen by file suffix."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from . import compat
from .fbx_reading import read_fbx_shapes
from .file_shapes import FileShape, FileShapes
from .glb_times import float_accessor, read_glb


def _read_glb(path: Path) -> FileShapes:
    document, binary = read_glb(path)
    meshes, nodes = document.get("meshes", []), document.get("nodes", [])
    moving: dict[int, tuple[Any, Any]] = {}
    for animation in document.get("animations", []):
        for channel in animation["channels"]:
            if channel["target"]["path"] == "weights":
                sampler = animation["samplers"][channel["sampler"]]
                seconds, values = (
                    float_accessor(document, binary, sampler[end]).astype(np.float64) for end in ("input", "output")
                )
                moving[channel["target"]["node"]] = seconds, values
    found: FileShapes = {}
    for number, node in enumerate(nodes):
        mesh = meshes[node["mesh"]] if "mesh" in node else {}
        names = mesh.get("extras", {}).get("targetNames", [])
        still = np.array(node.get("weights") or mesh.get("weights") or np.zeros(len(names)), np.float64)
        seconds, values = moving.get(number, (np.zeros(1), still))
        rows = values.reshape(len(seconds), len(names))
        found[node.get("name", "")] = [FileShape(name, seconds, rows[:, i]) for i, name in enumerate(names)]
    return found


def _read_usd(path: Path) -> FileShapes:
    from pxr import Usd, UsdGeom, UsdSkel

    stage = Usd.Stage.Open(str(path))
    rate = stage.GetTimeCodesPerSecond()
    found: FileShapes = {}
    for root in (prim for prim in stage.Traverse() if prim.IsA(UsdSkel.Root)):
        prims = list(Usd.PrimRange(root))
        motion = {}
        for animation in (UsdSkel.Animation(prim) for prim in prims if prim.IsA(UsdSkel.Animation)):
            weights = animation.GetBlendShapeWeightsAttr()
            codes = weights.GetTimeSamples()
            values = np.array([weights.Get(code) for code in codes] or [weights.Get() or ()], np.float64)
            seconds = np.array(codes or [0.0]) / rate
            for column, name in enumerate(animation.GetBlendShapesAttr().Get() or ()):
                motion[str(name)] = (seconds, values[:, column])
        for mesh in (prim for prim in prims if prim.IsA(UsdGeom.Mesh)):
            binding = UsdSkel.BindingAPI(mesh)
            names = [str(name) for name in binding.GetBlendShapesAttr().Get() or ()]
            targets = binding.GetBlendShapeTargetsRel().GetTargets()
            found[mesh.GetParent().GetName()] = [
                FileShape(target.name, *motion.get(name, (np.zeros(1), np.zeros(1))))
                for name, target in zip(names, targets, strict=True)
            ]
    return found


def shape_reader(suffix: str) -> Callable[[Path], FileShapes] | None:
    """Return how to read the shapes of a file with ``suffix``, None where this build can only write it, or points."""
    if suffix == ".glb":
        return _read_glb
    if suffix == ".fbx":
        return read_fbx_shapes
    if suffix.startswith(".usd") and compat.expose_usd_library():
        return _read_usd
    return None
