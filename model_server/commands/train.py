"""``dreamtalk train``: train the speech encoder, EmoDiff, lip refinement and Face-vid2vid."""

from __future__ import annotations

import argparse
import math
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from model_server.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from model_server.training.loop import Moment

SUMMARY = "Train the models, or train them further on your own data; a run that was stopped goes on."
EXAMPLE = "dreamtalk train emodiff --data performances/ --minutes 60 -o my_emodiff.safetensors"

_MODELS = ("encoder", "emodiff", "lips")
_ALONE = ("face-vid2vid",)
"""Trained by name only: animating needs no such weights."""
_RUNS = Path("runs/training")
_LINE_EVERY = 60.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("model", choices=(*_MODELS, *_ALONE, "all"), help="which model; 'all' trains the first three")
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings (TOML); see docs/training.md")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="one setting, such as loop.steps=2000; may be repeated",
    )
    parser.add_argument(
        "--data",
        nargs="+",
        default=[],
        metavar="FOLDER",
        help="performances, sessions (encoder) or clips (face-vid2vid); *.held_out.npz are for validation",
    )
    parser.add_argument("--from", dest="start", type=Path, metavar="WEIGHTS", help="start from these weights")
    parser.add_argument("--minutes", type=float, help="stop after this much time (each model)")
    parser.add_argument("--threads", type=int, help="processor threads (default: all)")
    parser.add_argument("--folder", type=Path, help=f"folder of the run (default: {_RUNS}/MODEL)")
    parser.add_argument("--fresh", action="store_true", help="begin anew where the folder holds a run")
    parser.add_argument("-o", "--out", type=Path, help="where the best weights go too; with 'all' a folder")


def run(arguments: argparse.Namespace) -> int:
    """Train and say how it ended."""
    import torch

    from model_server.training.recipes import RECIPES, Order, carry_out

    every = arguments.model == "all"
    if every and (arguments.config or arguments.start or arguments.data):
        raise ConfigError("--config, --data and --from are for one model; name it instead of 'all'")
    if arguments.minutes is not None and arguments.minutes < 0:
        raise ConfigError("--minutes must not be below 0")
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    for name in _MODELS if every else (arguments.model,):
        folder = (arguments.folder or _RUNS) / name if every else arguments.folder or _RUNS / name
        out = arguments.out / RECIPES[name].weights if every and arguments.out else arguments.out
        order = Order(
            name,
            folder,
            arguments.config,
            tuple(arguments.set),
            tuple(arguments.data),
            arguments.start,
            out,
            arguments.fresh,
            arguments.minutes,
        )
        with _watching(name) as (say, watch, progress):
            ending = carry_out(order, say, watch, progress)
            if ending != "stopped":
                reason = "all steps are done" if ending == "done" else "the time is over"
                say(f"{name}: {reason}; the best weights are in '{out or folder / 'best.safetensors'}'")
        if ending == "stopped":
            if _speaks():
                print(f"dreamtalk: stopped; the same command goes on from '{folder}'", file=sys.stderr)
            return 1
    return 0


def _speaks() -> bool:
    """Whether this process is the one that tells the user; launchers number the processes of a run."""
    return os.environ.get("RANK", "0") == "0"


@contextmanager
def _watching(
    name: str,
) -> Iterator[tuple[Callable[[str], None], Callable[[Moment], None], Callable[[int], None]]]:
    """Show training on the terminal, or in lines now and then where the output goes to a file."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    console = Console()
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[text]}"))
    with Progress(*columns, console=console, disable=not (console.is_terminal and _speaks()), transient=True) as bar:
        task = bar.add_task(name, total=None, text="reading the data")
        told = time.monotonic()

        def say(line: str) -> None:
            if not _speaks():
                return
            if console.is_terminal:
                console.print(line, highlight=False, markup=False)
            else:
                print(line, flush=True)

        def watch(moment: Moment) -> None:
            nonlocal told
            if moment.validated is not None:
                say("  ".join(f"{key} {value:.4g}" for key, value in moment.validated.items()))
            text = f"step {moment.step}/{moment.steps}, {moment.rate:.2f} step/s, {_clock(moment.seconds_left)} left"
            if math.isfinite(moment.best):
                text += f", best validation {moment.best:.4g}"
            bar.update(task, completed=moment.step, total=moment.steps, text=text)
            if not console.is_terminal and time.monotonic() - told > _LINE_EVERY:
                told = time.monotonic()
                say(text)

        def progress(count: int) -> None:
            bar.update(task, text=f"invented {count} performances")

        yield say, watch, progress


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
