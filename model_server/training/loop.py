"""One training loop for every model: averaged weights, clipping, schedule, validation, exact resume, time budget."""

from __future__ import annotations

import copy
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, Literal

import torch
from torch import Tensor, nn

from model_server.errors import ConfigError, DreamTalkError

from .compute import ALONE, PROCESSOR, Compute, Processes
from .configs import LoopConfig
from .run_log import RunLog

Loss = Callable[[nn.Module, int, torch.Generator], tuple[Tensor, dict[str, float]]]
"""``loss(model, batch, generator)`` draws a batch and returns the loss and named figures for the log."""

Validate = Callable[[nn.Module], dict[str, float]]
"""Returns figures of a model, each named ``validation_…``."""

Save = Callable[[nn.Module, Literal["best", "last"], Mapping[str, float]], None]
"""Stores averaged weights, the best so far or the last, with figures about them."""

Ending = Literal["done", "time", "stopped"]
"""Why training ended: all steps are done, the time is over, or somebody asked (Ctrl-C, SIGTERM)."""

_FORMAT = 2


@dataclass(frozen=True)
class Moment:
    """How far a run is.

    Attributes:
        step: steps done.
        steps: steps of the whole run.
        rate: steps a second.
        seconds_left: until the steps or the time are over.
        validated: the row of the log when one was just written.
        best: lowest deciding figure so far; infinite before there is one.
    """

    step: int
    steps: int
    rate: float
    seconds_left: float
    validated: Mapping[str, float] | None
    best: float


@dataclass
class _State:
    """All that a run must know to go on exactly."""

    model: nn.Module
    averaged: nn.Module
    optimiser: torch.optim.Optimizer
    generator: torch.Generator
    step: int = 0
    seconds: float = 0.0
    best: float = math.inf
    counted: int = 0
    sums: dict[str, float] = field(default_factory=dict)

    def chance(self, device: torch.device) -> list[Tensor]:
        """Return the states of this process's sources of chance."""
        states = [self.generator.get_state(), torch.get_rng_state()]
        if device.type == "cuda":
            states.append(torch.cuda.get_rng_state(device))
        return states

    def set_chance(self, states: list[Tensor], device: torch.device) -> None:
        """Set the sources of chance as :meth:`chance` returned them."""
        self.generator.set_state(states[0])
        torch.set_rng_state(states[1])
        if device.type == "cuda" and len(states) > 2:
            torch.cuda.set_rng_state(states[2], device)

    def write(self, path: Path, chances: list[list[Tensor]]) -> None:
        """Write a checkpoint; a crash leaves the old one whole."""
        kept = {
            "format": _FORMAT,
            "model": self.model.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "chances": chances,
            **{name: getattr(self, name) for name in ("step", "seconds", "best", "counted", "sums")},
        }
        partial = path.with_suffix(".partial")
        torch.save(kept, partial)
        partial.replace(path)

    def read(self, path: Path, processes: Processes, device: torch.device) -> None:
        """Go on from a checkpoint."""
        kept = read_checkpoint(path)
        try:
            self.model.load_state_dict(kept["model"])
            self.averaged.load_state_dict(kept["averaged"])
        except RuntimeError as error:
            raise ConfigError(f"'{path}' is of another network; start afresh with --fresh") from error
        self.optimiser.load_state_dict(kept["optimiser"])
        for name in ("step", "seconds", "best", "counted", "sums"):
            setattr(self, name, kept[name])
        if len(kept["chances"]) == processes.count:
            self.set_chance(kept["chances"][processes.rank], device)
        else:
            # Another number of processes cannot go on exactly; nobody may draw what was drawn before.
            self.generator.manual_seed(self.generator.initial_seed() + 7919 * self.step)


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Return what a ``last.pt`` holds, on the processor.

    Raises:
        ConfigError: when it is of another version.
    """
    kept: dict[str, Any] = torch.load(path, weights_only=True, map_location="cpu")
    if kept.get("format") != _FORMAT:
        raise ConfigError(f"'{path}' is a checkpoint of another version; start afresh with --fresh")
    return kept


class _Objective(nn.Module):
    """Model and loss as one module, so that several processes can average its gradients."""

    def __init__(self, model: nn.Module, loss: Loss) -> None:
        super().__init__()
        self.model = model
        self.loss = loss

    def forward(self, batch: int, generator: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        return self.loss(self.model, batch, generator)


def train(
    model: nn.Module,
    loss: Loss,
    validate: Validate,
    save: Save,
    config: LoopConfig,
    folder: Path,
    minutes: float | None = None,
    watch: Callable[[Moment], None] | None = None,
    compute: Compute = PROCESSOR,
    processes: Processes = ALONE,
    decides: str = "validation_loss",
) -> Ending:
    """Train ``model``; validate, save and write a checkpoint every ``config.validate_every`` steps and at the end.

    Writes ``log.csv`` and ``last.pt`` into ``folder``; when ``last.pt`` is there, goes on from it exactly where it
    stopped (weights, average, optimiser, chance), bit for bit on a processor with as many threads. Ctrl-C and SIGTERM
    end it after the step, with a checkpoint.

    Args:
        model: the network, changed in place.
        loss: draws a batch and judges it.
        validate: measures the averaged weights.
        save: stores the averaged weights.
        config: the settings.
        folder: of the run.
        minutes: stop after this much wall-clock time; None for no limit.
        watch: called after every step.
        compute: device and precision that ``loss`` uses too.
        processes: who trains along.
        decides: the validation figure that is lowest for the best weights.

    Raises:
        ConfigError: when the checkpoint does not fit.
        DreamTalkError: when the loss is no longer a number.
    """
    state = _begin(model, config, folder / "last.pt", compute, processes)
    log = RunLog(folder, state.step) if processes.rank == 0 else None
    clock = _Clock(state.seconds, state.step, minutes)
    run = _Run(state, validate, save, config, folder, compute, processes, log, clock, watch, decides)
    with _stop_requests() as stop:
        ending = run.go(processes.share(_Objective(state.model, loss)), stop)
    if log is not None:
        log.close()
    return ending


@dataclass
class _Run:
    """One part of a run, from its beginning or a checkpoint to its end or an interruption."""

    state: _State
    validate: Validate
    save: Save
    config: LoopConfig
    folder: Path
    compute: Compute
    processes: Processes
    log: RunLog | None
    clock: _Clock
    watch: Callable[[Moment], None] | None
    decides: str

    def go(self, objective: nn.Module, stop: threading.Event) -> Ending:
        """Take the steps."""
        state, config, processes = self.state, self.config, self.processes
        judged = -1
        while state.step < config.steps and not processes.any(self.clock.is_over() or stop.is_set()):
            _step(state, objective, config, self.clock.share(config, state.step))
            state.seconds = self.clock.seconds()
            self.tell()
            if state.step % config.validate_every == 0 or state.step == config.steps:
                judged = state.step
                self.judge()
                self.keep()
        stopped = state.step < config.steps and processes.any(stop.is_set())
        if stopped and self.log is not None:
            # Who waits for the end gets a checkpoint and weights, but no validation, which may take long.
            self.save(state.averaged, "last", {"step": state.step, "seconds": state.seconds})
        elif judged != state.step:
            self.judge()
        self.keep()
        if state.step >= config.steps:
            return "done"
        return "stopped" if stopped else "time"

    def judge(self) -> None:
        """Validate, log, save."""
        state = self.state
        means = {name: total / state.counted for name, total in state.sums.items()}
        row = {"step": state.step, "seconds": state.seconds, **self.processes.mean(means)}
        state.sums, state.counted = {}, 0
        if self.log is None:
            return
        row |= self.validate(state.averaged)
        self.log.add(row)
        self.save(state.averaged, "last", row)
        # Where nothing is held out the last weights are the best known.
        score = row.get(self.decides, -math.inf)
        if score < state.best or score == -math.inf:
            state.best = score
            self.save(state.averaged, "best", row)
        self.tell(row)

    def keep(self) -> None:
        """Write the checkpoint."""
        chances = self.processes.gather(self.state.chance(self.compute.device))
        if self.log is not None:
            self.state.write(self.folder / "last.pt", chances)

    def tell(self, row: Mapping[str, float] | None = None) -> None:
        """Tell who watches."""
        if self.watch is not None and self.log is not None:
            self.watch(self.clock.moment(self.state, self.config, row))


def _begin(model: nn.Module, config: LoopConfig, last: Path, compute: Compute, processes: Processes) -> _State:
    """Return the state of a run that begins, or that goes on from the checkpoint ``last``."""
    last.parent.mkdir(parents=True, exist_ok=True)
    model.to(compute.device).train()
    averaged = copy.deepcopy(model).eval().requires_grad_(False)
    model.requires_grad_(True)
    optimiser = torch.optim.AdamW(
        model.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay, betas=(config.momentum, 0.98)
    )
    # Each process draws its own examples.
    generator = torch.Generator().manual_seed(config.seed + 1_000_003 * processes.rank)
    torch.manual_seed(config.seed + 1_000_003 * processes.rank)
    state = _State(model, averaged, optimiser, generator)
    if last.exists():
        state.read(last, processes, compute.device)
    return state


def _step(state: _State, objective: nn.Module, config: LoopConfig, share: float) -> None:
    """Do one optimiser step; ``share`` of the schedule is over."""
    rate = config.learning_rate * min(1.0, (state.step + 1) / config.warm_up)
    if config.schedule != "constant":
        rate *= 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1.0, share)))
    for group in state.optimiser.param_groups:
        group["lr"] = rate
    value, figures = objective(config.batch, state.generator)
    if not math.isfinite(float(value.detach())):
        raise DreamTalkError(
            f"the loss is no number after {state.step} steps; run again to go on from the last checkpoint, "
            "with a lower loop.learning_rate if it happens again"
        )
    state.optimiser.zero_grad(set_to_none=True)
    value.backward()
    norm = nn.utils.clip_grad_norm_(state.model.parameters(), config.clip)
    state.optimiser.step()
    state.step += 1
    _average(state.averaged, state.model, min(config.average, (1 + state.step) / (10 + state.step)))
    shown = {"learning_rate": rate, "gradient": float(norm), "loss": float(value.detach()), **figures}
    for name, figure in shown.items():
        state.sums[name] = state.sums.get(name, 0.0) + figure
    state.counted += 1


@torch.no_grad()
def _average(averaged: nn.Module, model: nn.Module, decay: float) -> None:
    for weights, source in zip(averaged.parameters(), model.parameters(), strict=True):
        weights.lerp_(source, 1 - decay)
    for buffer, current in zip(averaged.buffers(), model.buffers(), strict=True):
        # Running statistics belong to the weights that they were counted with: both are averaged.
        if buffer.is_floating_point():
            buffer.lerp_(current, 1 - decay)
        else:
            buffer.copy_(current)


class _Clock:
    """The time of a run.

    Args:
        before: seconds of its earlier parts.
        step: the step at which this part begins.
        minutes: how long this part may take.
    """

    def __init__(self, before: float, step: int, minutes: float | None) -> None:
        self._started = time.monotonic()
        self._before = before
        self._first_step = step
        self._limit = math.inf if minutes is None else 60 * minutes

    def seconds(self) -> float:
        """Seconds of the run, earlier parts included."""
        return self._before + time.monotonic() - self._started

    def is_over(self) -> bool:
        """Whether this part has had its minutes."""
        return time.monotonic() - self._started >= self._limit

    def share(self, config: LoopConfig, step: int) -> float:
        """How much of the schedule is over, 0..1."""
        if config.schedule == "time" and math.isfinite(self._limit):
            return self.seconds() / (self._before + self._limit)
        return step / config.steps

    def moment(self, state: _State, config: LoopConfig, row: Mapping[str, float] | None) -> Moment:
        """Return how far the run is."""
        step = state.step
        passed = time.monotonic() - self._started
        rate = (step - self._first_step) / max(passed, 1e-9)
        left = min((config.steps - step) / max(rate, 1e-9), self._limit - passed)
        return Moment(step, config.steps, rate, max(0.0, left), row, state.best)


@contextmanager
def _stop_requests() -> Iterator[threading.Event]:
    """Let Ctrl-C and SIGTERM set the event instead of ending the program; a second one does what it did before."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    former: dict[signal.Signals, Any] = {}

    def ask(number: int, frame: FrameType | None) -> None:
        asked.set()
        restore()

    def restore() -> None:
        for number, handler in former.items():
            signal.signal(number, handler)

    for number in (signal.SIGINT, signal.SIGTERM):
        former[number] = signal.signal(number, ask)
    try:
        yield asked
    finally:
        restore()
