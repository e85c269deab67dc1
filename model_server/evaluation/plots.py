"""Pictures of a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from blendshape_rigs.arkit import EMOTIONS
from model_server.metrics.closures import CLOSED_METRES
from model_server.metrics.motion import speed
from model_server.metrics.mouth_mesh import load_mouth_mesh

from .expression_tables import HEAD, INTENSITIES
from .motion_tables import MOTION_REGIONS, SLOW_FPS
from .recordings import FPS, Recording
from .takes import Rows

Array = npt.NDArray[np.float32]

_COLOURS = ("black", "crimson", "steelblue", "darkorange", "seagreen", "grey")


def _figure(rows: int, columns: int, width: float, height: float) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(width, height), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    return figure, list(figure.subplots(rows, columns, squeeze=False).ravel())


def plot_lips(path: Path, recording: Recording, faces: Mapping[str, Array], seconds: float = 6.0) -> None:
    """Write a picture of the lip gap of the first ``seconds`` under the true phones, p b m shaded."""
    figure, (axes,) = _figure(1, 1, 16, 4)
    mesh = load_mouth_mesh()
    for colour, (name, face) in zip(_COLOURS, faces.items(), strict=False):
        gap = mesh.lip_gap(face)[: int(seconds * FPS)] * 1000
        axes.plot(np.arange(len(gap)) / FPS, gap, label=name, color=colour, linewidth=1.4)
    axes.axhline(CLOSED_METRES * 1000, color="grey", linestyle=":", linewidth=1)
    for phone in recording.phones:
        if phone.start >= seconds or phone.symbol == "sil":
            continue
        bold = phone.symbol in "pbm"
        middle = (phone.start + phone.end) / 2
        colour, weight = ("crimson", "bold") if bold else ("black", "normal")
        axes.text(
            middle, 1.01, phone.symbol, transform=axes.get_xaxis_transform(), ha="center", color=colour, weight=weight
        )
        if bold:
            axes.axvspan(phone.start, phone.end, color="crimson", alpha=0.12, linewidth=0)
    axes.set(xlim=(0, seconds), xlabel="seconds", ylabel="lip gap, mm")
    axes.legend(loc="upper right", ncol=3, fontsize=8)
    figure.savefig(path)


def plot_captured(path: Path, recording: Recording, faces: Mapping[str, Array], start: float, seconds: float) -> None:
    """Write a picture of opening and rounding beside the captured ones, each minus its mean over its deviation."""
    figure, panels = _figure(2, 1, 16, 6)
    mesh = load_mouth_mesh()
    part = slice(int(start * FPS), int((start + seconds) * FPS))
    curves = (("opening", recording.opening, mesh.lip_gap, 1), ("rounding", recording.rounding, mesh.width, -1))
    for axes, (name, truth, measure, sign) in zip(panels, curves, strict=True):
        drawn = {"captured face": truth} | {row: sign * measure(face) for row, face in faces.items()}
        for colour, (row, curve) in zip(_COLOURS, drawn.items(), strict=False):
            level = (curve - curve.mean()) / max(float(curve.std()), 1e-9)
            axes.plot(start + np.arange(len(level[part])) / FPS, level[part], label=row, color=colour, linewidth=1.2)
        axes.set(ylabel=f"{name}, in deviations", xlim=(start, start + seconds))
    panels[0].legend(loc="upper right", ncol=4, fontsize=8)
    panels[-1].set_xlabel("seconds")
    figure.savefig(path)


def plot_intensity(path: Path, curves: Mapping[str, Mapping[str, Sequence[float]]]) -> None:
    """Write a picture of the strength of each emotion against the intensity asked for, one panel for each row."""
    figure, panels = _figure(1, len(curves), 4 * len(curves), 4)
    for axes, (row, emotions) in zip(panels, curves.items(), strict=True):
        axes.plot((0, 1), (0, 1), color="lightgrey")
        for name, values in emotions.items():
            axes.plot(INTENSITIES, values, marker="o", markersize=3, label=name)
        axes.set(title=row, xlabel="intensity", ylim=(-0.15, 1.25))
    panels[0].set_ylabel("strength")
    panels[0].legend(fontsize=7)
    figure.savefig(path)


def plot_confusions(path: Path, confusions: Mapping[str, npt.NDArray[np.float64]]) -> None:
    """Write a picture of which emotion (row) is taken for which (column), one panel for each source."""
    figure, panels = _figure(1, len(confusions), 4 * len(confusions), 4.4)
    for axes, (row, shares) in zip(panels, confusions.items(), strict=True):
        axes.imshow(shares, vmin=0, vmax=1, cmap="Blues")
        axes.set_title(row)
        axes.set_xticks(range(len(EMOTIONS)), EMOTIONS, rotation=90, fontsize=7)
        axes.set_yticks(range(len(EMOTIONS)), EMOTIONS, fontsize=7)
        for true, taken in np.argwhere(shares > 0.005):
            share = float(shares[true, taken])
            colour = "white" if share > 0.6 else "black"
            axes.text(taken, true, f"{share:.0%}", ha="center", va="center", fontsize=6, color=colour)
    figure.savefig(path)


def plot_speeds(path: Path, slow: Rows, names: Sequence[str]) -> None:
    """Write histograms of the speed of each region for the rows ``names``; ``slow`` holds faces at ``SLOW_FPS``."""
    regions = {**MOTION_REGIONS, "head": HEAD}
    figure, panels = _figure(2, 4, 16, 7)
    for axes, (region, channels) in zip(panels, regions.items(), strict=False):
        speeds = {
            name: np.concatenate([speed(face[:, channels], SLOW_FPS).max(axis=1) for face in slow[name]])
            for name in names
        }
        furthest = max(float(np.percentile(values, 99.5)) for values in speeds.values()) or 1.0
        for colour, (name, values) in zip(_COLOURS, speeds.items(), strict=False):
            if values.any():
                edges = np.linspace(0, furthest, 40).tolist()
                axes.hist(values, edges, density=True, histtype="step", log=True, color=colour, label=name)
        axes.set(title=region, xlabel="radians per second" if region == "head" else "per second")
    panels[0].legend(fontsize=7)
    for axes in panels[len(regions) :]:
        axes.set_axis_off()
    figure.savefig(path)
