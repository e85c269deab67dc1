"""``dreamtalk bench``: speed and memory on this machine."""

from __future__ import annotations

import argparse
import json
import os
import platform
from dataclasses import asdict

SUMMARY = "Measure speed and memory on this machine."
EXAMPLE = "dreamtalk bench --lengths 1,10"
_PARTS = ("speech", "memory", "keying", "portrait")


def _lengths(text: str) -> tuple[float, ...]:
    return tuple(float(part) for part in text.split(","))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("--only", choices=_PARTS, help="one part instead of all")
    parser.add_argument(
        "--lengths",
        type=_lengths,
        default=(1.0, 10.0, 60.0),
        help="minutes for peak memory (default: 1,10,60)",
    )
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Measure part by part and print each figure as it comes."""
    import torch

    from benchmarks import keying, portrait, speech

    parts = {
        "speech": speech.stages,
        "memory": lambda: speech.memory(arguments.lengths),
        "keying": keying.keying,
        "portrait": portrait.frames_per_second,
    }
    if not arguments.json:
        print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}")
    rows = []
    for name, measure in parts.items():
        if arguments.only in (None, name):
            for row in measure():
                rows.append(row)
                if not arguments.json:
                    print(f"{row.name:<48} {row.value:10.2f} {row.unit}", flush=True)
    if arguments.json:
        print(json.dumps([asdict(row) for row in rows]))
    return 0
