"""Tables of a report: one row an animation source, one column a figure."""

from __future__ import annotations

import math
from dataclasses import dataclass

Cell = float | str | None


@dataclass(frozen=True)
class Column:
    """A figure's name and how it is written: ``value * scale`` in the format ``form``."""

    name: str
    form: str = ".2f"
    scale: float = 1.0

    def write(self, value: Cell) -> str:
        """Return ``value`` as text; what could not be measured is a dash."""
        if isinstance(value, str):
            return value
        if value is None or math.isnan(value):
            return "–"
        return format(value * self.scale, self.form)


@dataclass(frozen=True)
class Table:
    """A table with a heading and a sentence on what was measured and how.

    Attributes:
        title: heading.
        note: unit, channels or mesh distances, and thresholds of the figures.
        columns: the figures.
        rows: row name and its values in the order of ``columns``, unscaled.
    """

    title: str
    note: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]

    def markdown(self) -> str:
        """Return the table itself in Markdown, without heading and note."""
        lines = [f"| | {' | '.join(column.name for column in self.columns)} |", "|---" * (len(self.columns) + 1) + "|"]
        for name, values in self.rows:
            cells = [column.write(value) for column, value in zip(self.columns, values, strict=True)]
            lines.append(f"| {' | '.join([name, *cells])} |")
        return "\n".join(lines)

    def as_json(self) -> dict[str, object]:
        """Return title, note and rows as ``json`` writes them, in the units of the columns; not measured is null."""
        rows = {
            name: {
                column.name: _number(value, column.scale) for column, value in zip(self.columns, values, strict=True)
            }
            for name, values in self.rows
        }
        return {"title": self.title, "note": self.note, "rows": rows}


def _number(value: Cell, scale: float) -> Cell:
    if isinstance(value, str) or value is None:
        return value
    return None if math.isnan(value) else round(value * scale, 5)
