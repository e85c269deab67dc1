"""Read an Alembic point cache back into a scene of its own, and compare its points with those of the meshes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import numpy.typing as npt

_SAMPLES = 9  # frames that are compared: a face has many points


@dataclass(frozen=True)
class PointsError:
    """How far points of a file are from where they should be.

    Attributes:
        count: points that were compared.
        error: largest distance, metres.
        worst: name of the mesh with that distance.
        size: of what moves, metres.
        missing: name of a mesh that the file does not have, or has with other points; empty when all are there.
    """

    count: int = 0
    error: float = 0.0
    worst: str = ""
    size: float = 1.0
    missing: str = ""


def _points(item: Any, depsgraph: Any) -> npt.NDArray[np.float64]:
    """Return the points (V, 3) of the mesh object ``item`` in the world, as ``depsgraph`` shows them."""
    evaluated = item.evaluated_get(depsgraph)
    vertices = evaluated.data.vertices
    points = np.empty(len(vertices) * 3, np.float32)
    vertices.foreach_get("co", points)
    matrix = np.array(evaluated.matrix_world)
    placed: npt.NDArray[np.float64] = points.reshape(-1, 3) @ matrix[:3, :3].T + matrix[:3, 3]
    return placed


def _collections() -> list[Any]:
    """Return all collections of data-blocks of the file."""
    return [getattr(bpy.data, prop.identifier) for prop in bpy.data.bl_rna.properties if prop.type == "COLLECTION"]


@contextmanager
def _own_scene(context: Any) -> Iterator[Any]:
    """Give a scene with the frame rate of the present one; it goes, and all that was added meanwhile, at the end."""
    before = {block for blocks in _collections() for block in blocks}
    render = context.scene.render
    scene = bpy.data.scenes.new("DREAM-Talk Check")
    scene.render.fps, scene.render.fps_base = render.fps, render.fps_base
    try:
        yield scene
    finally:
        bpy.data.batch_remove([block for blocks in _collections() for block in blocks if block not in before])


def _read_back(path: Path, scene: Any) -> dict[str, Any]:
    """Import the cache into ``scene``; return its meshes by the name of their object in the file."""
    layer = scene.view_layers[0]
    with bpy.context.temp_override(
        scene=scene, view_layer=layer, collection=scene.collection, layer_collection=layer.layer_collection
    ):
        bpy.ops.wm.alembic_import(
            filepath=str(path), set_frame_range=False, always_add_cache_reader=True, as_background_job=False
        )
    found = {}
    for item in scene.objects:
        for modifier in item.modifiers:
            if modifier.type == "MESH_SEQUENCE_CACHE":
                found[modifier.object_path.split("/")[-2]] = item
    return found


def _plain(name: str) -> str:
    return re.sub(r"[\s.:/]", "_", name)


def points_error(context: Any, meshes: list[Any], path: Path, first: int, last: int) -> PointsError:
    """Return how far the points of the Alembic file at ``path`` are from those of ``meshes`` in the scene.

    Args:
        context: Blender's context.
        meshes: objects that the file must hold.
        path: the file.
        first: first frame of it.
        last: last frame of it.
    """
    frames = np.unique(np.linspace(first, last, _SAMPLES).round().astype(int)).tolist()
    stage, now = context.scene, context.scene.frame_current_final
    depsgraph = context.evaluated_depsgraph_get()
    expected: list[list[npt.NDArray[np.float64]]] = []
    for frame in frames:
        stage.frame_set(frame)
        expected.append([_points(mesh, depsgraph) for mesh in meshes])
    stage.frame_set(int(now), subframe=now - int(now))
    count, error, worst = sum(len(points) for points in expected[0]), 0.0, ""
    size = float(np.ptp(np.concatenate(expected[0]), axis=0).max())
    with _own_scene(context) as scene:
        found = _read_back(path, scene)
        for frame, row in zip(frames, expected, strict=True):
            scene.frame_set(frame)
            shown = scene.view_layers[0].depsgraph
            for mesh, wanted in zip(meshes, row, strict=True):
                back = _points(found[_plain(mesh.name)], shown) if _plain(mesh.name) in found else None
                if back is None or back.shape != wanted.shape:
                    return PointsError(missing=mesh.name)
                apart = float(np.linalg.norm(back - wanted, axis=1).max())
                if apart > error:
                    error, worst = apart, mesh.name
    return PointsError(count, error, worst, size)
