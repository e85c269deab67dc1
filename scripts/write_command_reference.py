"""Write the options of every command into ``docs/commands.md``, from the parsers that read them."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from pathlib import Path

from model_server.cli import build_parser

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "commands.md"
_BLOCK = re.compile(r"(<!-- options of (dreamtalk[a-z0-9 -]*?) -->\n).*?(<!-- end -->)", re.DOTALL)


def parsers() -> dict[str, argparse.ArgumentParser]:
    """Return the parser of each command and action that has options of its own, by its words."""
    return dict(_below("dreamtalk", build_parser()))


def _below(words: str, parser: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    # argparse has no other way to look into a parser.
    actions = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    if not actions:
        yield words, parser
    for action in actions:
        for name, inner in action.choices.items():
            yield from _below(f"{words} {name}", inner)


def names_of(action: argparse.Action) -> list[str]:
    """Return how an option is written, or what stands for an argument without a name."""
    if action.option_strings:
        return list(action.option_strings)
    if isinstance(action.metavar, str):
        return [action.metavar]
    return ["|".join(map(str, action.choices))] if action.choices else [action.dest]


def _row(action: argparse.Action) -> str:
    value = ""
    if action.option_strings and action.nargs != 0:
        choices = "|".join(map(str, action.choices)) if action.choices else action.dest.upper()
        value = f" {action.metavar or choices}" + (" …" if action.nargs == "+" else "")
    shown = ", ".join(f"`{name}{value}`" for name in names_of(action))
    must = " Must be given." if action.option_strings and action.required else ""
    cells = [shown, (action.help or "").replace("%%", "%") + must]
    # A bar would end the cell.
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def table(parser: argparse.ArgumentParser) -> str:
    """Return the options of one command as a Markdown table."""
    shown = [action for action in parser._actions if not isinstance(action, argparse._HelpAction)]
    if not shown:
        return "It has no options."
    return "\n".join(["| option | what |", "|---|---|", *map(_row, shown)])


def contents() -> dict[Path, str]:
    """Return what the page should hold.

    Raises:
        KeyError: when the page has a block for a command that does not exist.
        ValueError: when a command has no block.
    """
    known = parsers()
    text = PAGE.read_text(encoding="utf-8")
    missing = set(known) - {match[2] for match in _BLOCK.finditer(text)}
    if missing:
        raise ValueError(f"{PAGE.name} has no block '<!-- options of {min(missing)} -->'")
    return {PAGE: _BLOCK.sub(lambda match: f"{match[1]}\n{table(known[match[2]])}\n\n{match[3]}", text)}


def main() -> None:
    """Write the page."""
    for path, text in contents().items():
        path.write_text(text, encoding="utf-8")
        print(path.relative_to(ROOT))


if __name__ == "__main__":
    main()
