"""ICT-FaceKit's repository, written anew from the public head that the project does not ship."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blendshape_rigs.arkit import ARKIT_NAMES
from blendshape_rigs.ict_facekit import NEUTRAL_FILE, ict_names

SHAPES = [part for name in ARKIT_NAMES for part in ict_names(name)]


def write_obj(path: Path, vertices: NDArray[Any], faces: str = "") -> None:
    """Write an OBJ file of vertices (V, 3) and the lines of its faces."""
    lines = "".join(f"v {x:.6f} {y:.6f} {z:.6f}\n" for x, y, z in vertices.tolist())
    path.write_text(f"# a made head\no head\n{lines}{faces}")


def write_repository(shared_data: Path, folder: Path) -> tuple[NDArray[Any], dict[str, NDArray[Any]]]:
    """Write the head's files to ``folder``; return its vertices (V, 3) and its own shapes, centimetres."""
    source = shared_data / "characters" / "ict_facekit"
    with np.load(source / "ict_facekit_light.npz", allow_pickle=False) as stored:
        neutral, faces = stored["neutral"], stored["faces"]
        own = dict(zip(stored["expr_names"].tolist(), stored["expr_delta"], strict=True))
        uvs, faces_uv = stored["uv"], stored["faces_uv"]
    corners = "".join(
        "f " + " ".join(f"{v + 1}/{t + 1}" for v, t in zip(face, flat, strict=True) if v >= 0) + "\n"
        for face, flat in zip(faces.tolist(), faces_uv.tolist(), strict=True)
    )
    texture = "".join(f"vt {u:.6f} {v:.6f}\n" for u, v in uvs.tolist())
    write_obj(folder / NEUTRAL_FILE, neutral, texture + corners)
    for name in SHAPES:
        write_obj(folder / f"{name}.obj", neutral + own[name])
    shutil.copy(source / "vertex_indices.json", folder)
    return neutral, own
