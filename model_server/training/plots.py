"""Pictures of training: every logged figure over the steps."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure

_HELD_OUT = "validation_"
_COLUMNS = 3


def plot_rows(rows: Sequence[Mapping[str, float]], path: Path) -> None:
    """Draw each figure of a log over its steps into a PNG; a training and a validation figure of a name share axes.

    Args:
        rows: rows of a log, each with ``step``.
        path: the PNG file; a crash leaves the old one whole.
    """
    names = dict.fromkeys(name for row in rows for name in row if name != "step")
    panels = list(dict.fromkeys(name.removeprefix(_HELD_OUT) for name in names))
    if not panels:
        return
    lines = math.ceil(len(panels) / _COLUMNS)
    figure = Figure(figsize=(4.2 * _COLUMNS, 2.8 * lines), layout="constrained")
    for number, panel in enumerate(panels):
        axes = figure.add_subplot(lines, _COLUMNS, number + 1)
        values: list[float] = []
        for name, label in ((panel, "training"), (_HELD_OUT + panel, "validation")):
            points = [(row["step"], row[name]) for row in rows if name in row]
            if points:
                axes.plot(*zip(*points, strict=True), label=label, marker="." if len(points) < 20 else None)
                values += [value for _, value in points]
        if min(values) > 0 and max(values) > 10 * min(values):
            axes.set_yscale("log")
        axes.set_title(panel.replace("_", " "), fontsize=10)
        axes.set_xlabel("step", fontsize=8)
        axes.tick_params(labelsize=8)
        axes.grid(alpha=0.3)
        if _HELD_OUT + panel in names:
            axes.legend(fontsize=8)
    partial = path.with_suffix(".partial.png")
    figure.savefig(partial, dpi=80)
    partial.replace(path)
