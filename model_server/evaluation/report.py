"""A report: sections of tables and pictures, written as Markdown and JSON into one folder."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from .table import Table


@dataclass(frozen=True)
class Section:
    """A heading with its tables and the file names of its pictures in the report's folder."""

    heading: str
    tables: tuple[Table, ...] = ()
    pictures: tuple[str, ...] = ()


@dataclass(frozen=True)
class Report:
    """What was measured: ``facts`` tell on what and with which model."""

    facts: dict[str, str]
    sections: tuple[Section, ...]

    def markdown(self) -> str:
        """Return the report in Markdown."""
        lines = ["# Evaluation", ""]
        lines += [f"- {name}: {value}" for name, value in self.facts.items()]
        for section in self.sections:
            lines += ["", f"## {section.heading}"]
            for table in section.tables:
                lines += ["", f"### {table.title}", "", table.note, "", table.markdown()]
            for picture in section.pictures:
                lines += ["", f"![{Path(picture).stem.replace('_', ' ')}]({picture})"]
        return "\n".join(lines) + "\n"

    def write(self, folder: Path) -> None:
        """Write ``report.md`` and ``report.json``; the JSON holds the figures in the units of the tables."""
        tables = [
            table.as_json() | {"section": section.heading} for section in self.sections for table in section.tables
        ]
        data = {"facts": self.facts, "tables": tables}
        (folder / "report.json").write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        (folder / "report.md").write_text(self.markdown(), encoding="utf-8")
