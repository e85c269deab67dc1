"""The training loop on tiny networks and a tiny corpus: it learns, resumes exactly and keeps to its time."""

import contextlib
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from model_server.models.emodiff import EmoDiff, EmoDiffConfig
from model_server.models.lip_refiner import LipRefiner, LipRefinerConfig
from model_server.training.loop import Loss, TrainConfig, train
from model_server.training.performance_corpus import PerformanceCorpus, build_corpus
from model_server.training.performance_training import validation
from model_server.training.train_emodiff import EmoDiffLoss, random_known_mask, set_channel_statistics
from model_server.training.train_lips import LipLoss

TINY = EmoDiffConfig(width=32, layers=1, heads=2, window=40, style_size=8)
TINY_LIPS = LipRefinerConfig(width=32, dilations=(1, 2), blur=5)


@pytest.fixture(scope="module")
def corpus() -> PerformanceCorpus:
    return build_corpus(6, 4, seed=1)


def tiny_emodiff(corpus: PerformanceCorpus) -> EmoDiff:
    torch.manual_seed(0)
    model = EmoDiff(TINY)
    set_channel_statistics(model, corpus)
    return model


class Interrupted(Exception):
    """Stands for a machine that goes down."""


def run(model: nn.Module, loss: Loss, folder: Path, stop_after: int = 99, minutes: float | None = None) -> nn.Module:
    """Train 8 steps, or be interrupted in the one after ``stop_after``; return the weights saved last."""
    saved: list[nn.Module] = []
    calls: list[int] = []

    def interrupted(network: nn.Module, batch: int, generator: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        calls.append(1)
        if len(calls) > stop_after:
            raise Interrupted
        return loss(network, batch, generator)

    config = TrainConfig(steps=8, batch=4, warm_up=2, validate_every=4)
    with contextlib.suppress(Interrupted):
        train(model, interrupted, validation(loss), saved.append, config, folder, minutes)
    return saved[-1]


def test_an_interrupted_run_goes_on_exactly(corpus: PerformanceCorpus, tmp_path: Path) -> None:
    loss = EmoDiffLoss(corpus, TINY.window)
    whole = run(tiny_emodiff(corpus), loss, tmp_path / "whole")
    run(tiny_emodiff(corpus), loss, tmp_path / "parts", stop_after=5)
    resumed = run(tiny_emodiff(corpus), loss, tmp_path / "parts")
    for (name, first), second in zip(whole.state_dict().items(), resumed.state_dict().values(), strict=True):
        assert torch.equal(first, second), name
    lines = (tmp_path / "parts" / "log.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["step", "4", "8"]


def test_a_budget_of_no_time_stops_at_once(corpus: PerformanceCorpus, tmp_path: Path) -> None:
    untrained = tiny_emodiff(corpus)
    before = {name: value.clone() for name, value in untrained.state_dict().items()}
    saved = run(untrained, EmoDiffLoss(corpus, TINY.window), tmp_path, minutes=0)
    assert all(torch.equal(before[name], value) for name, value in saved.state_dict().items())


@pytest.mark.parametrize("kind", ["emodiff", "lips"])
def test_the_loss_falls(corpus: PerformanceCorpus, tmp_path: Path, kind: str) -> None:
    torch.manual_seed(0)
    model: nn.Module
    loss: Loss
    if kind == "emodiff":
        model, loss = tiny_emodiff(corpus), EmoDiffLoss(corpus, TINY.window)
    else:
        model, loss = LipRefiner(TINY_LIPS), LipLoss(corpus, TINY_LIPS.context, window=40)
    before = validation(loss)(model)
    saved: list[nn.Module] = []
    config = TrainConfig(steps=60, batch=8, warm_up=5, average=0.9, learning_rate=3e-3, validate_every=60)
    train(model, loss, validation(loss), saved.append, config, tmp_path, None)
    after = validation(loss)(saved[-1])
    name = next(iter(before))
    assert after[name] < 0.7 * before[name]


def test_what_is_known_in_training_is_what_is_known_in_use() -> None:
    mask = random_known_mask(400, 200, torch.Generator().manual_seed(0))
    starts = mask[:, :20].amin(dim=(1, 2)) == 1
    nothing = mask.sum(dim=(1, 2)) == 0
    assert 0.6 < starts.float().mean() < 0.9
    assert 0.05 < nothing.float().mean() < 0.35
    assert mask[:, 100].amax() == 1
