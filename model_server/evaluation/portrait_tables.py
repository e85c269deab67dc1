"""Tables and plots of the closed loop of portraits, with the targets that they are held to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from .portrait_loop import Gain, PortraitMeasurement
from .portrait_poses import TURNS
from .table import Cell, Column, Table

MESH_TARGET = 0.015
"""Largest mean distance between driven and found landmarks, in face widths."""
GAIN_TARGET = (0.8, 1.2)
PICTURE_TARGET = 0.05
"""Largest change of the skin's colours and of its sharpness against the photograph."""
_COLOURS = 10


def picture_table(measured: Sequence[PortraitMeasurement]) -> Table:
    """Return mesh error, identity, sharpness, broken pixels and flicker of each portrait, over all poses."""
    columns = (
        Column("mesh error %", scale=100),
        Column("worst %", scale=100),
        Column("worst pose"),
        Column("detector's own %", scale=100),
        Column("still photograph %", scale=100),
        Column("skin colours %", scale=100),
        Column("worst %", scale=100),
        Column("sharpness %", "+.1f", 100),
        Column("worst %", "+.1f", 100),
        Column("holes px", ".0f"),
        Column("smeared or torn %", scale=100),
        Column("flicker", ".0f"),
    )
    rows = tuple((each.name, _picture_cells(each)) for each in measured)
    mean = tuple(_mean([cells[i] for _, cells in rows]) for i in range(len(columns)))
    return Table(
        "Portraits: mesh and picture",
        f"Over {len(measured[0].mesh_errors)} poses each. Mesh error: mean distance between the driven landmarks and "
        f"those that are found in the frame, in face widths; target ≤ {100 * MESH_TARGET:g} %. Baselines: the "
        "detector's own error on the untouched photograph moved as a whole, and the photograph held still against what "
        "was asked for. Skin colours: share of the histogram that differs from the photograph's; sharpness: gradient "
        f"energy of the skin against the photograph's; target for both ±{100 * PICTURE_TARGET:g} %. Holes: black "
        "pixels that show nothing, of the worst pose; smeared or torn: drawn out more than five times, share of the "
        "moving region in the worst pose; flicker: largest difference between two frames of one pose, of 255.",
        columns,
        (*rows, ("mean", mean)),
    )


def _picture_cells(each: PortraitMeasurement) -> tuple[Cell, ...]:
    errors = each.mesh_errors
    found = {name: error for name, error in errors.items() if np.isfinite(error)}
    lost = [name for name in errors if name not in found]
    worst = lost[0] if lost else max(found, key=lambda name: found[name])
    changes = [value - 1 for value in each.sharpness.values()]
    return (
        float(np.mean(list(found.values()))) if found else float("nan"),
        errors[worst],
        worst,
        each.floor,
        float(np.mean(list(each.still_errors.values()))),
        float(np.mean(list(each.identity.values()))),
        max(each.identity.values()),
        float(np.mean(changes)),
        max(changes, key=abs),
        float(max(each.holes.values())),
        max(each.smears.values()),
        float(each.flicker),
    )


def gain_table(measured: Sequence[PortraitMeasurement], avatar: Mapping[str, Gain]) -> Table:
    """Return the gain of every response of each portrait; what is not monotone is marked.

    ``avatar``: what the detector reads from the avatar itself, truly moved.
    """
    names = tuple(measured[0].gains)
    rows: list[tuple[str, tuple[Cell, ...]]] = [
        (each.name, tuple(_gain_text(gain) for gain in each.gains.values())) for each in measured
    ]
    slopes = np.array([[gain.slope for gain in each.gains.values()] for each in measured])
    rows.append(("median", tuple(float(value) for value in np.median(slopes, axis=0))))
    rows.append(("the avatar itself, in 3D", tuple(_gain_text(avatar[name]) for name in names)))
    rows.append(("still photograph", (0.0,) * len(names)))
    low, high = GAIN_TARGET
    return Table(
        "Portraits: responses",
        f"Gain: measured over commanded inside the clamps, by least squares over the steps; target {low:g} to "
        f"{high:g}. Commanded is what the proxy avatar's own landmarks do at the same values, laid on this face "
        "(blink: of the opening at rest), and degrees for the head. ✗ marks a response that is not "
        "monotone (Spearman's ρ below 1). Baselines: the avatar itself, truly moved, as the same detector "
        "reads it; and a photograph held still.",
        tuple(Column(name) for name in names),
        tuple(rows),
    )


def _gain_text(gain: Gain) -> str:
    mark = "" if gain.order > 0.999 else " ✗"
    return f"{gain.slope:.2f}{mark}"


def _mean(cells: Sequence[Cell]) -> Cell:
    numbers = [cell for cell in cells if isinstance(cell, float)]
    return float(np.nanmean(numbers)) if len(numbers) == len(cells) else None


def plot_gains(path: Path, measured: Sequence[PortraitMeasurement]) -> None:
    """Write a picture of measured against commanded, one panel a response and one line a portrait."""
    names = tuple(measured[0].gains)
    figure = Figure(figsize=(16, 7.5), dpi=80, layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(2, -(-len(names) // 2), squeeze=False).ravel()
    for axes, name in zip(panels, names, strict=False):
        reach: list[float] = []
        for number, each in enumerate(measured):
            gain = each.gains[name]
            asked, seen = gain.commanded - gain.commanded.mean(), gain.measured - gain.measured.mean()
            axes.plot(asked, seen, "o-", markersize=3, linewidth=1, color=f"C{number % _COLOURS}", label=each.name)
            reach += [float(np.abs(asked).max())]
        edge = max(reach)
        axes.plot([-edge, edge], [-edge, edge], color="black", linewidth=1, linestyle="--")
        unit = "degrees" if name in TURNS else "of the opening at rest" if name == "blink" else "face widths"
        axes.set(title=name, xlabel=f"commanded, {unit}", ylabel="measured")
    panels[0].legend(fontsize=7)
    figure.savefig(path)
