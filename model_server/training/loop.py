"""One training loop for every model: averaged weights, clipping, schedule, validation, exact resume, time budget."""

from __future__ import annotations

import copy
import csv
import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class TrainConfig:
    """Settings of the loop.

    Attributes:
        steps: optimiser steps of a full run; the learning rate falls along a cosine over them.
        batch: examples in a step.
        learning_rate: peak rate of AdamW, reached after ``warm_up`` steps.
        warm_up: steps of linear warm-up.
        average: decay of the exponential moving average of the weights.
        clip: gradient norm limit.
        validate_every: steps between validations and checkpoints.
        seed: seed of batches, noise and dropout.
    """

    steps: int = 8000
    batch: int = 32
    learning_rate: float = 4e-4
    warm_up: int = 300
    average: float = 0.999
    clip: float = 1.0
    validate_every: int = 500
    seed: int = 0


Loss = Callable[[nn.Module, int, torch.Generator], tuple[Tensor, dict[str, float]]]
"""``loss(model, batch, generator)`` draws a batch and returns the loss and named figures for the log."""


def train(
    model: nn.Module,
    loss: Loss,
    validate: Callable[[nn.Module], dict[str, float]],
    save: Callable[[nn.Module], None],
    config: TrainConfig,
    folder: Path,
    minutes: float | None,
) -> None:
    """Train ``model`` and call ``save`` with the averaged weights at every validation and at the end.

    Writes ``log.csv`` and ``last.pt`` into ``folder``; when ``last.pt`` is there, goes on from it exactly where it
    stopped (weights, average, optimiser, chance).

    Args:
        minutes: stop after this much wall-clock time; None for no limit.
    """
    folder.mkdir(parents=True, exist_ok=True)
    averaged = copy.deepcopy(model).eval().requires_grad_(False)
    optimiser = torch.optim.AdamW(model.parameters(), lr=config.learning_rate, weight_decay=0.01, betas=(0.9, 0.98))
    generator = torch.Generator().manual_seed(config.seed)
    step = _resume(folder / "last.pt", model, averaged, optimiser, generator)
    (folder / "config.json").write_text(json.dumps(asdict(config), indent=2))
    deadline = math.inf if minutes is None else time.monotonic() + 60 * minutes
    sums: dict[str, float] = {}
    counted = 0
    while step < config.steps and time.monotonic() < deadline:
        for group in optimiser.param_groups:
            group["lr"] = config.learning_rate * _rate(step, config)
        value, figures = loss(model, config.batch, generator)
        optimiser.zero_grad(set_to_none=True)
        value.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), config.clip)
        optimiser.step()
        step += 1
        _average(averaged, model, min(config.average, (1 + step) / (10 + step)))
        for name, figure in figures.items():
            sums[name] = sums.get(name, 0.0) + figure
        counted += 1
        if step % config.validate_every == 0 or step == config.steps:
            row = {
                "step": step,
                **{name: total / counted for name, total in sums.items()},
                **validate(averaged),
            }
            sums, counted = {}, 0
            _log(folder / "log.csv", row)
            _checkpoint(folder / "last.pt", step, model, averaged, optimiser, generator)
            save(averaged)
    _checkpoint(folder / "last.pt", step, model, averaged, optimiser, generator)
    save(averaged)


def _rate(step: int, config: TrainConfig) -> float:
    """Share of the peak learning rate at ``step``: linear warm-up, then a cosine down to a fiftieth."""
    warm = min(1.0, (step + 1) / config.warm_up)
    return warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1.0, step / config.steps))))


@torch.no_grad()
def _average(averaged: nn.Module, model: nn.Module, decay: float) -> None:
    for weights, source in zip(averaged.parameters(), model.parameters(), strict=True):
        weights.lerp_(source, 1 - decay)
    for buffer, current in zip(averaged.buffers(), model.buffers(), strict=True):
        buffer.copy_(current)


def _checkpoint(
    path: Path,
    step: int,
    model: nn.Module,
    averaged: nn.Module,
    optimiser: torch.optim.Optimizer,
    generator: torch.Generator,
) -> None:
    state = {
        "step": step,
        "model": model.state_dict(),
        "averaged": averaged.state_dict(),
        "optimiser": optimiser.state_dict(),
        "generator": generator.get_state(),
    }
    partial = path.with_suffix(".partial")
    torch.save(state, partial)
    partial.replace(path)


def _resume(
    path: Path,
    model: nn.Module,
    averaged: nn.Module,
    optimiser: torch.optim.Optimizer,
    generator: torch.Generator,
) -> int:
    if not path.exists():
        return 0
    state = torch.load(path, weights_only=True)
    model.load_state_dict(state["model"])
    averaged.load_state_dict(state["averaged"])
    optimiser.load_state_dict(state["optimiser"])
    generator.set_state(state["generator"])
    return int(state["step"])


def _log(path: Path, row: dict[str, float]) -> None:
    fresh = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, list(row))
        if fresh:
            writer.writeheader()
        writer.writerow({name: f"{value:.6g}" for name, value in row.items()})
    print("  ".join(f"{name} {value:.4g}" for name, value in row.items()), flush=True)
