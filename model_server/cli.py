"""The ``dreamtalk`` command.

Exit status: 0 done, 1 failed with one line on stderr, 2 wrong usage.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Protocol, cast

from blendshape_rigs.curves import CurvesError
from model_server import __version__
from model_server.errors import DreamTalkError

COMMANDS = {
    "animate": "model_server.commands.animate",
    "batch": "model_server.commands.batch",
    "portrait": "model_server.commands.portrait",
    "phones": "model_server.commands.phones",
    "demo": "model_server.commands.demo",
    "corpus": "model_server.commands.corpus",
    "train": "model_server.commands.train",
    "evaluate": "model_server.commands.evaluate",
    "bench": "model_server.commands.bench",
    "capture": "model_server.commands.capture",
    "convert": "model_server.commands.convert",
    "rigs": "model_server.commands.rigs",
    "serve": "model_server.commands.serve",
    "info": "model_server.commands.info",
}
"""Name of each command to its module, which imports nothing heavy before it runs."""


class Stopped(BaseException):
    """The user or the system asked the command to end.

    Not ``KeyboardInterrupt``: where that passes through a library's own start-up code, the interpreter ends by the
    signal in spite of our having caught it.
    """


class Command(Protocol):
    """What a command module holds: ``SUMMARY`` is one line, ``EXAMPLE`` is shown below the options."""

    SUMMARY: str
    EXAMPLE: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the command's options."""

    def run(self, arguments: argparse.Namespace) -> int:
        """Do the work and return the exit status."""


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = argparse.ArgumentParser(prog="dreamtalk", description="Speech and an emotion in, facial animation out.")
    parser.add_argument("--version", action="version", version=f"dreamtalk {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, module in COMMANDS.items():
        command = cast(Command, importlib.import_module(module))
        subparser = commands.add_parser(
            name,
            help=command.SUMMARY,
            description=command.SUMMARY,
            epilog=f"example:\n  {command.EXAMPLE}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.add_arguments(subparser)
        subparser.set_defaults(run=command.run, parser=subparser)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    logging.basicConfig(level=logging.WARNING, format="dreamtalk: %(message)s")
    arguments = build_parser().parse_args(argv)
    try:
        with _stoppable():
            return int(arguments.run(arguments))
    except (DreamTalkError, CurvesError) as error:
        return _fail(str(error))
    except Stopped:
        return _fail("stopped")
    except BrokenPipeError:
        # Whoever read our output has gone; keep the interpreter from writing to it once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        return _fail(f"{error.filename}: {error.strerror}" if error.filename else str(error))


@contextmanager
def _stoppable() -> Iterator[None]:
    """Told to end, a command is left by an exception, so that it still removes its unfinished files."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise Stopped

    former = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def _fail(message: str) -> int:
    print(f"dreamtalk: {' '.join(message.split())}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
