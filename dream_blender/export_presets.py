"""What other programs want of an exported file, and what to press there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

FORMATS = (
    ("FBX", "FBX", "Shapes, skeleton and motion, for Unreal, Unity and Maya"),
    ("GLB", "glTF (.glb)", "Shapes, skeleton and motion, for Godot, three.js and other real-time engines"),
    ("USDC", "USD (.usdc)", "Shapes, skeleton and motion, for Omniverse, Houdini and other USD programs"),
    ("USDZ", "USDZ", "USD in one package, for Apple's AR viewers"),
    ("ABC", "Alembic", "A baked point cache: moves the same everywhere, cannot be edited"),
    ("CSV", "Live Link Face CSV", "Curves alone, for Unreal's Live Link and MetaHuman"),
    ("JSON", "Curves as JSON", "Curves alone, DREAM-Talk's own, readable by any program"),
    ("NPZ", "Curves as NPZ", "Curves alone, DREAM-Talk's own, small and exact"),
)
"""Kinds of files: identifier, which is the suffix in capitals, name and tooltip."""


@dataclass(frozen=True)
class Program:
    """What one program wants.

    Attributes:
        title: its name.
        kind: the identifier in ``FORMATS`` that it reads best.
        layout: axes and unit of that file, in words.
        steps: what to press there after choosing the file, one line.
        fbx: settings of Blender's FBX exporter.
        usd: settings of Blender's USD exporter.
    """

    title: str
    kind: str
    layout: str = ""
    steps: str = ""
    fbx: dict[str, Any] = field(default_factory=dict)
    usd: dict[str, Any] = field(default_factory=dict)


_Y_UP: dict[str, Any] = {"axis_forward": "-Z", "axis_up": "Y"}
_USD_Y_UP: dict[str, Any] = {
    "convert_orientation": True,
    "export_global_forward_selection": "NEGATIVE_Z",
    "export_global_up_selection": "Y",
}

PROGRAMS: dict[str, Program] = {
    "UNREAL": Program(
        "Unreal Engine",
        "FBX",
        "Y up, centimetres",
        "Import as Skeletal Mesh, with Import Morph Targets and Import Animations on",
        fbx=_Y_UP | {"apply_scale_options": "FBX_SCALE_NONE"},
    ),
    "UNITY": Program(
        "Unity",
        "FBX",
        "Y up, metres",
        "In the Inspector: Model, Import BlendShapes and Bake Axis Conversion on; Animation, Import Animation on",
        # With the unit in the file instead of on each object, Unity's objects have scale 1.
        fbx=_Y_UP | {"apply_scale_options": "FBX_SCALE_ALL"},
    ),
    "GODOT": Program(
        "Godot",
        "GLB",
        "Y up, metres",
        "Put the file into the project's folder; in the Import tab set Animation, FPS to the frame rate, then Reimport",
    ),
    "OMNIVERSE": Program(
        "Omniverse",
        "USDC",
        "Z up, metres",
        "File, Open, or drag the file from the Content browser into the stage; then press Play on the timeline",
    ),
    "MAYA": Program(
        "Maya",
        "FBX",
        "Y up, centimetres",
        "Set the scene's frame rate, then File, Import with Animation, Skins and Blend Shapes on "
        "(the plug-in fbxmaya must be loaded)",
        fbx=_Y_UP | {"apply_scale_options": "FBX_SCALE_NONE"},
        usd=_USD_Y_UP,
    ),
    "OTHER": Program("Other", "GLB"),
}
"""By identifier; the last one leaves everything as Blender writes it by itself."""


def program_items() -> tuple[tuple[str, str, str], ...]:
    """Return the programs for a list in the sidebar, with what to do there as tooltips."""
    names = {kind: title for kind, title, _ in FORMATS}
    return tuple(
        (
            identifier,
            program.title,
            f"{names[program.kind]}, {program.layout}. There: {program.steps}"
            if program.steps
            else "Any format, as Blender writes it",
        )
        for identifier, program in PROGRAMS.items()
    )
