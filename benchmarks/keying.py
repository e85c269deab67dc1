"""Keying time in Blender: the fast path against ``keyframe_insert``. Runs in a process of its own."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import time

import numpy as np

from . import Row

_FPS = 30.0


def keying() -> list[Row]:
    """Measure the seconds to key 52 channels."""
    done = subprocess.run([sys.executable, "-m", "benchmarks.keying"], capture_output=True, text=True, check=True)
    figures = json.loads(done.stdout.splitlines()[-1])
    return [
        Row("keying 10 min x 52 channels and the head", figures["fast_10"], "s"),
        Row("keying 1 min x 52 channels and the head", figures["fast_1"], "s"),
        Row("keyframe_insert, 1 min x 52 channels", figures["insert_1"], "s"),
        Row("keyframe_insert / fast path, 1 min", figures["insert_1"] / figures["fast_1"], "x"),
    ]


def _measure() -> None:
    from model_server.blender_child import PARENT_PACKAGE, load_headless

    load_headless()
    import bpy

    curves_module = importlib.import_module(f"{PARENT_PACKAGE}.blendshape_rigs.curves")
    take = importlib.import_module(f"{PARENT_PACKAGE}.dream_blender.take")
    spawn = importlib.import_module(f"{PARENT_PACKAGE}.dream_blender.avatar_object").spawn_avatar
    generator = np.random.default_rng(0)
    figures = {}
    for name, minutes in (("fast_1", 1), ("fast_10", 10)):
        bpy.ops.wm.read_factory_settings()
        character = spawn(bpy.context.scene.collection)
        rest = curves_module.FaceCurves.zeros(round(minutes * 60 * _FPS), _FPS)
        curves = rest.with_stacked(generator.random((len(rest), 58)))
        began = time.perf_counter()
        take.key_take(character, curves, "Benchmark", 1, _FPS)
        figures[name] = time.perf_counter() - began
    bpy.ops.wm.read_factory_settings()
    character = spawn(bpy.context.scene.collection)
    keys = [key for key in character.data.shape_keys.key_blocks if key.name in curves_module.ARKIT_INDEX]
    values = generator.random((round(60 * _FPS), len(keys)))
    began = time.perf_counter()
    for frame, row in enumerate(values.tolist()):
        for key, value in zip(keys, row, strict=True):
            key.value = value
            key.keyframe_insert("value", frame=frame)
    figures["insert_1"] = time.perf_counter() - began
    print(json.dumps(figures))


if __name__ == "__main__":
    _measure()
