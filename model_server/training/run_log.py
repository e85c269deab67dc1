"""The log of a run: a CSV file always, TensorBoard and a picture of the curves where their packages are installed."""

from __future__ import annotations

import csv
import importlib.util
import time
from collections.abc import Mapping
from pathlib import Path

_SECONDS_BETWEEN_PICTURES = 60.0


class RunLog:
    """Rows of figures, one a validation.

    Args:
        folder: where ``log.csv``, ``curves.png`` and the folder ``tensorboard`` go.
        step: the step at which the run goes on; rows after it, of steps that are done again, are dropped.
    """

    def __init__(self, folder: Path, step: int) -> None:
        self.path = folder / "log.csv"
        self.rows = [row for row in read_log(self.path) if row["step"] <= step]
        self._picture = folder / "curves.png"
        self._drawn = time.monotonic()
        self._board = None
        if importlib.util.find_spec("tensorboard") is not None:
            from torch.utils.tensorboard import SummaryWriter

            self._board = SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1)

    def add(self, row: Mapping[str, float]) -> None:
        """Add a row; its ``step`` is the horizontal axis of every curve."""
        self.rows.append({name: float(f"{value:.6g}") for name, value in row.items()})
        self._write()
        if self._board is not None:
            for name, value in row.items():
                if name != "step":
                    self._board.add_scalar(name, value, int(row["step"]))
            self._board.flush()
        # A picture takes a second: not at every row of a quick run.
        if time.monotonic() - self._drawn > _SECONDS_BETWEEN_PICTURES:
            self._draw()

    def close(self) -> None:
        """Draw the last picture and let go of TensorBoard's file."""
        self._draw()
        if self._board is not None:
            self._board.close()

    def _draw(self) -> None:
        if importlib.util.find_spec("matplotlib") is not None:
            from .plots import plot_rows

            plot_rows(self.rows, self._picture)
        self._drawn = time.monotonic()

    def _write(self) -> None:
        # The whole file anew: it is small, and a row may bring a column that there was not before.
        names = list(dict.fromkeys(name for row in self.rows for name in row))
        partial = self.path.with_suffix(".partial")
        with partial.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, names)
            writer.writeheader()
            writer.writerows({name: f"{value:.6g}" for name, value in row.items()} for row in self.rows)
        partial.replace(self.path)


def read_log(path: Path) -> list[dict[str, float]]:
    """Return the rows of a ``log.csv``; none when it is not there."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return [{name: float(value) for name, value in row.items() if value} for row in csv.DictReader(file)]
