"""One picture of a whole take: what was heard, what the face does, and stills at telling moments."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np
import numpy.typing as npt
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from blendshape_rigs.curves import FaceCurves
from model_server.pipeline.phones import PhoneSegment

Image = npt.NDArray[np.uint8]

_MOUTH = ("jawOpen", "mouthClose", "mouthPucker", "mouthFunnel", "mouthSmileLeft", "mouthRollLower")
_UPPER = ("browInnerUp", "browDownLeft", "browOuterUpLeft", "eyeBlinkLeft", "eyeWideLeft", "cheekSquintLeft")
_COLUMNS = 8


@dataclass(frozen=True)
class Still:
    """A picture of the take: (H, W, 3) uint8 at ``time`` seconds, with a short label."""

    image: Image
    time: float
    label: str


def telling_moments(segments: list[PhoneSegment], count: int) -> list[PhoneSegment]:
    """Return up to ``count`` segments in time order: half of them p b m, half open vowels, the longest of each."""
    chosen: list[PhoneSegment] = []
    for symbols in ("pbm", "aɑæɔʌɛ"):
        matching = [segment for segment in segments if segment.symbol in symbols]
        chosen += sorted(matching, key=lambda segment: segment.start - segment.end)[: count // 2]
    return sorted(chosen, key=lambda segment: segment.start)


def draw_contact_sheet(
    path: Path,
    title: str,
    curves: FaceCurves,
    segments: list[PhoneSegment],
    stills: dict[str, list[Still]],
) -> None:
    """Write a PNG with the mouth, the upper face, the head and rows of named stills.

    Args:
        path: file to write.
        title: heading.
        curves: the take.
        segments: what was heard, shown along the time axis.
        stills: row name to its stills, all of one row the same size.
    """
    rows = {name: row for name, row in stills.items() if row}
    lines = sum(-(-len(row) // _COLUMNS) for row in rows.values())
    height = 6.6 + 2.15 * lines
    figure = Figure(figsize=(16, height), dpi=90)
    FigureCanvasAgg(figure)
    figure.suptitle(title, fontsize=15, y=1 - 0.1 / height, va="top")
    grid = figure.add_gridspec(
        3 + lines,
        _COLUMNS,
        height_ratios=[1.3, 1, 0.8] + [1.3] * lines,
        top=1 - 0.75 / height,
        bottom=0.01,
        left=0.05,
        right=0.99,
        hspace=0.28,
        wspace=0.04,
    )
    _plot_curves(figure, grid, curves, segments)
    line = 3
    for name, row in rows.items():
        for start in range(0, len(row), _COLUMNS):
            for column, still in enumerate(row[start : start + _COLUMNS]):
                axes = figure.add_subplot(grid[line, column])
                axes.imshow(still.image)
                axes.set_axis_off()
                axes.set_title(f"{still.label}  {still.time:.2f} s", fontsize=9)
                if column == 0:
                    axes.text(-0.06, 0.5, name, transform=axes.transAxes, rotation=90, va="center", ha="right")
            line += 1
    figure.savefig(path, bbox_inches="tight")


def _plot_curves(
    figure: Figure, grid: matplotlib.gridspec.GridSpec, curves: FaceCurves, segments: list[PhoneSegment]
) -> None:
    head = np.degrees(curves.head_rotation)
    panels = [
        ("mouth", [(name, curves.channel(name)) for name in _MOUTH]),
        ("upper face", [(name, curves.channel(name)) for name in _UPPER]),
        ("head, degrees", [(name, head[:, i]) for i, name in enumerate(("pitch", "yaw", "roll"))]),
    ]
    for row, (name, lines) in enumerate(panels):
        axes = figure.add_subplot(grid[row, :])
        for label, curve in lines:
            axes.plot(curves.times, curve, label=label, linewidth=1)
        axes.set_xlim(curves.start, curves.start + curves.duration)
        axes.set_ylabel(name)
        axes.legend(ncol=6, fontsize=7, loc="upper right", framealpha=0.6)
        if row == 0:
            axes.set_ylim(0, max(0.5, axes.get_ylim()[1]))
            for segment in segments:
                if segment.symbol == "sil":
                    continue
                bold = segment.symbol in "pbm"
                axes.text(
                    (segment.start + segment.end) / 2,
                    1.02,
                    segment.symbol,
                    transform=axes.get_xaxis_transform(),
                    fontsize=8,
                    ha="center",
                    color="crimson" if bold else "black",
                    weight="bold" if bold else "normal",
                )
                if bold:
                    axes.axvspan(segment.start, segment.end, color="crimson", alpha=0.12, linewidth=0)
