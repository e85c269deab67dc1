"""Blender without a window: export a take, or render stills of it, from curves in a file.

Commands (run through ``python -m model_server.blender_child``)::

    export --curves X.npz [--audio A] [--character FILE] [--fps F] -o OUT
    names --character FILE -o OUT.json
    render --curves X.npz --times 0.5,1.0 [--size 512] [--engine workbench|eevee] [--turn DEGREES] -o FOLDER
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import bpy

from ..blendshape_rigs.curves import CurvesError, FaceCurves
from ..blendshape_rigs.filters import resample
from ..blendshape_rigs.formats import read_curves
from . import compat
from .avatar_object import spawn_avatar
from .character import likeliest, own_keys, turns_by_default
from .export import SUFFIXES, ExportError, export_take
from .sound import Recording, place_sound
from .stage import render_still, set_picture, set_stage
from .take import TakeError, arkit_keys, frame_range, key_take
from .verify import VerifyError, verify_export

_FIRST_FRAME = 0  # glTF counts its seconds from frame 0
_PACK_LIMIT = 64 * 2**20  # bytes of sound kept inside a .blend file


def set_scene_fps(scene: Any, fps: float) -> None:
    """Set the frame rate of ``scene`` to ``fps`` Hz; 29.97 and its like become a whole rate over 1.001."""
    whole = max(1, round(fps))
    base = whole / fps
    if abs(base - 1.001) < 1e-4:
        base = 1.001
    scene.render.fps, scene.render.fps_base = whole, base


def _open_character(path: Path | None) -> Any:
    """Return a character in a fresh scene: the proxy avatar, or the one in the file at ``path``."""
    bpy.ops.wm.read_factory_settings()
    for item in list(bpy.data.objects):
        bpy.data.objects.remove(item)
    if path is None:
        return spawn_avatar(bpy.context.scene.collection)
    if not path.is_file():
        raise ExportError(f"there is no character file {path}")
    suffix = path.suffix.lower()
    if suffix == ".blend":
        bpy.ops.wm.open_mainfile(filepath=str(path))
    elif suffix in (".glb", ".gltf"):
        bpy.ops.import_scene.gltf(filepath=str(path))
    elif suffix == ".fbx":
        bpy.ops.import_scene.fbx(filepath=str(path), use_anim=False)
    elif suffix in (".usd", ".usda", ".usdc", ".usdz") and compat.has_operator("wm.usd_import"):
        bpy.ops.wm.usd_import(filepath=str(path))
    else:
        raise ExportError(f"{path.name} is no character file this Blender reads: use .blend, .fbx, .glb or .usd")
    character = likeliest(bpy.data.objects)
    if character is None:
        raise TakeError(f"{path.name} has no mesh")
    return character


def _prepare(curves: FaceCurves, character_path: Path | None, fps: float | None) -> tuple[Any, FaceCurves]:
    """Return a keyed character and the curves that it was keyed with, at the scene's frame rate."""
    character = _open_character(character_path)
    scene = bpy.context.scene
    set_scene_fps(scene, fps or curves.fps)
    rate = scene.render.fps / scene.render.fps_base
    if abs(rate - curves.fps) > 1e-3 * curves.fps:
        curves = resample(curves, rate)
    key_take(character, curves, "Take", _FIRST_FRAME, rate, head=turns_by_default(character))
    scene.frame_start, scene.frame_end = frame_range(character)
    scene.frame_set(scene.frame_start)
    return character, curves


def _save_blend(path: Path, head: Any) -> None:
    set_stage(bpy.context.scene, head)
    for sound in bpy.data.sounds:
        if Path(bpy.path.abspath(sound.filepath)).stat().st_size <= _PACK_LIMIT:
            sound.pack()
    path.parent.mkdir(parents=True, exist_ok=True)
    bpy.ops.wm.save_as_mainfile(filepath=str(path), compress=True)


def export_command(arguments: argparse.Namespace) -> None:
    """Key curves on a character in a fresh scene and write it; read the file back and compare."""
    out: Path = arguments.out.resolve()
    if out.suffix.lower() not in (*SUFFIXES, ".blend"):
        raise ExportError(f"'{out.name}' has no known ending: use .blend or one of {', '.join(SUFFIXES)}")
    character, curves = _prepare(read_curves(arguments.curves), arguments.character, arguments.fps)
    if arguments.audio is not None:
        place_sound(bpy.context.scene, Recording(arguments.audio.resolve(), _FIRST_FRAME, _FIRST_FRAME))
    if out.suffix.lower() == ".blend":
        _save_blend(out, character)
        return
    names = {arkit_name: key.name for arkit_name, key in arkit_keys(character).items()}
    export_take(bpy.context, [character], out)
    verify_export(out, curves, names)


def render_command(arguments: argparse.Namespace) -> None:
    """Render stills of curves on a character at the asked seconds, as ``000.png``, ``001.png``, …

    Without a graphics driver Blender aborts the process: the caller has to tell that from its exit status.
    """
    character, curves = _prepare(read_curves(arguments.curves), arguments.character, None)
    scene = bpy.context.scene
    scene.frame_set(_FIRST_FRAME)
    set_stage(scene, character, arguments.turn)
    set_picture(scene, arguments.size, arguments.engine)
    arguments.out.mkdir(parents=True, exist_ok=True)
    for number, seconds in enumerate(arguments.times):
        render_still(scene, seconds, _FIRST_FRAME, curves.fps, arguments.out.resolve() / f"{number:03d}.png")


def names_command(arguments: argparse.Namespace) -> None:
    """Write what a character can move as JSON: its shape keys by mesh and its bones by armature."""
    _open_character(arguments.character)
    meshes = [item for item in bpy.data.objects if own_keys(item)]
    armatures = [item for item in bpy.data.objects if item.type == "ARMATURE"]
    record = {
        "shapes": {item.name: [key.name for key in own_keys(item)] for item in meshes},
        "bones": {item.name: [bone.name for bone in item.data.bones] for item in armatures},
    }
    arguments.out.write_text(json.dumps(record), encoding="utf-8")


def _seconds_list(text: str) -> list[float]:
    return [float(part) for part in text.split(",")]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="blender_child", description=__doc__.splitlines()[0] if __doc__ else None)
    commands = parser.add_subparsers(required=True)
    export = commands.add_parser("export", help="write a take as .fbx, .usd, .glb, .abc, .blend or curves")
    export.add_argument("--audio", type=Path, help="sound to lay under the take")
    export.add_argument("--fps", type=float, help="frame rate of the scene; the curves' own when left out")
    export.set_defaults(run=export_command)
    render = commands.add_parser("render", help="render stills of a take")
    render.add_argument("--times", type=_seconds_list, required=True, help="seconds, parted by commas")
    render.add_argument("--size", type=int, default=512, help="width and height in pixels")
    render.add_argument("--engine", choices=("workbench", "eevee"), default="workbench")
    render.add_argument("--turn", type=float, default=0.0, help="degrees the camera stands to the subject's left")
    render.set_defaults(run=render_command)
    names = commands.add_parser("names", help="write the names of a character's shape keys and bones")
    names.set_defaults(run=names_command)
    for command in (export, render):
        command.add_argument("--curves", type=Path, required=True, help="curves as .npz, .json or .csv")
    for command in (export, render, names):
        command.add_argument("--character", type=Path, help="a .blend, .fbx, .glb or .usd whose face has shape keys")
        command.add_argument("-o", "--out", type=Path, required=True)
    return parser


def main(argv: Sequence[str]) -> int:
    """Run one command; return 0 when done, 1 with one clear line on standard error when it failed."""
    arguments = _parser().parse_args(argv)
    try:
        arguments.run(arguments)
    except (CurvesError, ExportError, TakeError, VerifyError, OSError, RuntimeError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0
