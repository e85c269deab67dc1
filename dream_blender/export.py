"""Export a take with the settings that keep its animation. One function a format, chosen by file suffix.

How the avatar travels: FBX, GLB and USD hold its skeleton with the head's and eyes' turns, and all its shapes.
Correctives and the lids that follow the eye bones are shapes of their own there, with what drives them baked to
keys; identity and hidden hair are shapes at their values. Alembic holds the moving points, curve files the 52
channels and head pose. Look-at targets and drivers stay behind.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import bpy

from ..blendshape_rigs.formats import write_curves
from . import compat
from .avatar_rig import LOOK_AT_MARK
from .character import meshes_of
from .export_presets import PROGRAMS, Program
from .glb_times import GlbError, finish_glb
from .materials import plain_materials
from .take import frame_range, read_take, scene_fps
from .takes_compare import COMPARE_MARK
from .usd_metadata import set_frames_per_second, write_usdz


class ExportError(Exception):
    """A file that could not be written; the message says why and what to do."""


def _family(character: Any) -> list[Any]:
    """Return the objects that belong to ``character``: its topmost parent and everything below that.

    Look-at targets stay behind: the file holds the eyes' turns themselves. So does what takes are compared on.
    """
    top = character
    while top.parent is not None:
        top = top.parent
    armatures = [m.object for m in character.modifiers if m.type == "ARMATURE" and m.object is not None]
    found = (top, *top.children_recursive, *armatures, *meshes_of(character))
    return [item for item in dict.fromkeys(found) if LOOK_AT_MARK not in item and COMPARE_MARK not in item]


@contextmanager
def _only_selected(context: Any, objects: list[Any]) -> Iterator[None]:
    """Select exactly ``objects`` for the time of an export."""
    layer = context.view_layer
    before = [item for item in layer.objects if item.select_get()]
    active = layer.objects.active
    for item in before:
        item.select_set(False)
    for item in objects:
        if item.name in layer.objects:
            item.select_set(True)
    layer.objects.active = objects[0]
    try:
        yield
    finally:
        for item in layer.objects:
            item.select_set(item in before)
        layer.objects.active = active


@contextmanager
def _scene_range(scene: Any, first: int, last: int) -> Iterator[None]:
    """Set the frame range of ``scene`` for the time of an export."""
    before, now = (scene.frame_start, scene.frame_end), scene.frame_current_final
    scene.frame_start, scene.frame_end = first, last
    try:
        yield
    finally:
        scene.frame_start, scene.frame_end = before
        scene.frame_set(int(now), subframe=now - int(now))


def _export_fbx(path: Path, scene: Any, program: Program, together: bool) -> None:
    bpy.ops.export_scene.fbx(
        filepath=str(path),
        use_selection=True,
        object_types={"EMPTY", "MESH", "ARMATURE"},
        use_mesh_modifiers=False,  # evaluated meshes lose their shape keys
        add_leaf_bones=False,
        bake_anim=True,
        bake_anim_use_all_actions=False,
        bake_anim_use_nla_strips=False,
        bake_anim_simplify_factor=0.0,
        **program.fbx,
    )


def _export_glb(path: Path, scene: Any, program: Program, together: bool) -> None:
    operator = bpy.ops.export_scene.gltf
    settings = compat.set_supported(
        operator,
        export_format="GLB",
        use_selection=True,
        export_apply=False,
        export_animations=True,
        export_animation_mode="SCENE" if together else "ACTIVE_ACTIONS",
        export_anim_scene_split_object=False,
        export_merge_animation="ACTION",
        export_force_sampling=True,
        export_optimize_animation_size=False,
        export_frame_range=True,
        export_morph=True,
        export_morph_normal=False,
        export_morph_animation=True,
        export_morph_reset_sk_data=True,
    )
    operator(filepath=str(path), **settings)
    finish_glb(path, (scene.frame_end - scene.frame_start) / scene_fps(scene))


def _export_usd(path: Path, scene: Any, program: Program, together: bool) -> None:
    operator = bpy.ops.wm.usd_export
    settings = compat.set_supported(
        operator,
        selected_objects_only=True,
        export_animation=True,
        export_shapekeys=True,
        export_armatures=True,
        export_materials=True,
        export_custom_properties=False,
        convert_world_material=False,  # it would write a folder of textures beside the file
        **program.usd,
    )
    if path.suffix.lower() != ".usdz":
        operator(filepath=str(path), **settings)
        set_frames_per_second(path, scene_fps(scene))
        return
    with tempfile.TemporaryDirectory() as folder:
        layer = Path(folder) / f"{path.stem}.usdc"
        operator(filepath=str(layer), **settings)
        set_frames_per_second(layer, scene_fps(scene))
        write_usdz(layer, path)


def _export_alembic(path: Path, scene: Any, program: Program, together: bool) -> None:
    bpy.ops.wm.alembic_export(
        filepath=str(path),
        selected=True,
        start=scene.frame_start,
        end=scene.frame_end,
        as_background_job=False,
        evaluation_mode="RENDER",
    )


_SCENE_EXPORTERS: dict[str, tuple[str, Callable[[Path, Any, Program, bool], None]]] = {
    ".fbx": ("export_scene.fbx", _export_fbx),
    ".glb": ("export_scene.gltf", _export_glb),
    ".usd": ("wm.usd_export", _export_usd),
    ".usdc": ("wm.usd_export", _export_usd),
    ".usda": ("wm.usd_export", _export_usd),
    ".usdz": ("wm.usd_export", _export_usd),
    ".abc": ("wm.alembic_export", _export_alembic),
}
CURVE_SUFFIXES = (".csv", ".json", ".npz")
SUFFIXES = (*_SCENE_EXPORTERS, *CURVE_SUFFIXES)
"""The file suffixes that :func:`export_take` writes."""


def _write_scene_format(
    context: Any, characters: Sequence[Any], path: Path, span: tuple[int, int], program: Program
) -> None:
    operator, exporter = _SCENE_EXPORTERS[path.suffix.lower()]
    if not compat.has_operator(operator):
        raise ExportError(f"This build of Blender cannot write {path.suffix} files: use one from blender.org")
    scene = context.scene
    family = list(dict.fromkeys(item for character in characters for item in _family(character)))
    with _scene_range(scene, *span), _only_selected(context, family), plain_materials(family):
        try:
            exporter(path, scene, program, len(characters) > 1)
        except (RuntimeError, GlbError, OSError) as error:
            raise ExportError(f"{path.name} could not be written: {error}") from error


def span_of(characters: Sequence[Any]) -> tuple[int, int]:
    """Return the first and the last frame of all takes of ``characters``.

    Raises:
        TakeError: for a character without a take.
    """
    ranges = [frame_range(character) for character in characters]
    return min(first for first, _ in ranges), max(last for _, last in ranges)


def export_take(context: Any, characters: Sequence[Any], path: Path, program: Program = PROGRAMS["OTHER"]) -> None:
    """Write the takes of ``characters`` to ``path``; the suffix decides the format.

    Second 0 of GLB and curve files is the first frame. FBX, USD and Alembic keep the scene's own frame numbers, and
    state the range.

    Args:
        context: Blender's context; its scene is the one exported.
        characters: mesh objects with a take; files of curves hold one.
        path: the file to write, with one of ``SUFFIXES``; its folder is made when missing.
        program: what the file is for.

    Raises:
        ExportError: for an unknown suffix, a build without that exporter, or a file that was not written.
        TakeError: for a character without a take.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise ExportError(f"'{path.name}' has no known ending: use one of {', '.join(SUFFIXES)}")
    if suffix in CURVE_SUFFIXES and len(characters) > 1:
        raise ExportError(f"A {suffix} file holds one character: export them one by one")
    first, last = span_of(characters)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    if suffix in CURVE_SUFFIXES:
        write_curves(read_take(characters[0], first, last, scene_fps(context.scene), first), path)
    else:
        _write_scene_format(context, characters, path, (first, last), program)
    if not path.is_file() or path.stat().st_size == 0:
        raise ExportError(f"{path.name} was not written: look in Blender's log for the reason")
