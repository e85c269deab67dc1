"""``dreamtalk info``: what is installed."""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import platform
from pathlib import Path

from model_server import __version__

from .options import add_json_option

SUMMARY = "Show versions, the model and the device."
EXAMPLE = "dreamtalk info --json"
_PACKAGES = ("torch", "numpy", "av", "bpy", "mediapipe", "opencv-contrib-python", "fastapi")
_WEIGHTS = Path(__file__).parents[1] / "weights"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_json_option(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print what is installed."""
    import torch

    from model_server.pipeline.speech_to_curves import SpeechToCurves

    facts = {
        "dreamtalk": __version__,
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in _PACKAGES},
        "model": {
            "hash": SpeechToCurves.load().model_hash,
            "files": {path.name: path.stat().st_size for path in sorted(_WEIGHTS.glob("*.safetensors"))},
        },
        "device": "cpu",
        "threads": torch.get_num_threads(),
    }
    if arguments.json:
        print(json.dumps(facts))
        return 0
    print(f"dreamtalk {__version__}, Python {facts['python']}")
    for name in _PACKAGES:
        print(f"  {name} {_version(name) or 'is not installed'}")
    model = facts["model"]
    assert isinstance(model, dict)
    print(f"model {model['hash']}")
    for name, size in model["files"].items():
        print(f"  {name}, {size / 2**20:.1f} MiB")
    print(f"device: {facts['device']}, {facts['threads']} threads")
    return 0


def _version(package: str) -> str | None:
    """Return the installed version of a package, or None."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
