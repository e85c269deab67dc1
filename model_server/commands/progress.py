"""A progress bar on stderr."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from model_server.pipeline.request import Progress


@contextmanager
def progress_bar(label: str, duration: float | None) -> Iterator[Progress]:
    """Show seconds of work done, of ``duration`` where that is known; only where stderr is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:.0f} of {task.total:.0f} s" if duration else "{task.completed:.0f} s"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task(label, total=duration)

        def advance(seconds: float) -> None:
            bar.update(task, completed=seconds)

        yield advance


@contextmanager
def counted_bar(label: str) -> Iterator[Callable[[int, int, str], None]]:
    """Show how many things are done, of how many, and which comes next; only where stderr is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bar(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task(label, total=None)

        def advance(done: int, total: int, following: str) -> None:
            bar.update(task, completed=done, total=total, description=f"{label}: {following}")

        yield advance


@contextmanager
def spinner(label: str) -> Iterator[None]:
    """Show that work goes on whose length is not known; only where stderr is a terminal."""
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield
        return
    with console.status(label):
        yield
