"""The command line that EmoDiff's and LipRefiner's training share."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from model_server.models.checkpoint import save_checkpoint

from .loop import Loss, TrainConfig, train
from .performance_corpus import PerformanceCorpus, build_corpus

_SECONDS = 12
_TRAINING_SEED, _HELD_OUT_SEED = 1, 2
_HELD_OUT = 96


def train_on_performances(
    description: str | None,
    name: str,
    build: Callable[[PerformanceCorpus], nn.Module],
    loss_on: Callable[[PerformanceCorpus], Loss],
    settings: TrainConfig,
) -> None:
    """Read the command line, make the corpus, train, and write ``model_server/weights/<name>.safetensors``.

    Args:
        description: what ``--help`` says.
        name: name of the weights file and of the folder under ``runs``.
        build: returns the untrained model for a corpus.
        loss_on: returns the loss on a corpus.
        settings: the loop's settings; ``--steps`` replaces their steps.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--performances", type=int, default=2400, help="performances of 12 s to train on")
    parser.add_argument("--steps", type=int, default=settings.steps)
    parser.add_argument("--minutes", type=float, help="stop after this much time")
    parser.add_argument("--threads", type=int, help="processor threads (default: all)")
    parser.add_argument("--folder", type=Path, default=Path("runs") / name)
    parser.add_argument("-o", "--out", type=Path, default=Path(f"model_server/weights/{name}.safetensors"))
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    torch.manual_seed(settings.seed)
    corpus = build_corpus(arguments.performances, _SECONDS, _TRAINING_SEED)
    validate = validation(loss_on(build_corpus(_HELD_OUT, _SECONDS, _HELD_OUT_SEED)))
    model = build(corpus)

    def save(averaged: nn.Module) -> None:
        save_checkpoint(averaged, averaged.config, arguments.out)

    settings = replace(settings, steps=arguments.steps)
    train(model, loss_on(corpus), validate, save, settings, arguments.folder, arguments.minutes)


def validation(loss: Loss) -> Callable[[nn.Module], dict[str, float]]:
    """Return a function that measures ``loss`` with always the same windows and noise."""

    @torch.no_grad()
    def measure(model: nn.Module) -> dict[str, float]:
        generator = torch.Generator().manual_seed(1)
        parts = [loss(model, 64, generator)[1] for _ in range(4)]
        return {f"validation_{name}": sum(part[name] for part in parts) / len(parts) for name in parts[0]}

    return measure
