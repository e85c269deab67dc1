"""The training loop and its data on tiny networks: it learns, goes on exactly, keeps to its time, stops when asked."""

import contextlib
import copy
import dataclasses
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from model_server.errors import ConfigError, DreamTalkError
from model_server.models.emodiff import EmoDiff, EmoDiffConfig
from model_server.models.lip_refiner import LipRefiner, LipRefinerConfig
from model_server.models.speech_encoder import SpeechEncoder, SpeechEncoderConfig
from model_server.training.compute import PROCESSOR, Compute
from model_server.training.configs import LoopConfig, PerformanceData, SpeechData
from model_server.training.loop import Ending, Loss, Moment, train
from model_server.training.performance_corpus import PerformanceCorpus, invent_performances, load_corpora
from model_server.training.performance_training import validation
from model_server.training.performances import Performance, save_performances
from model_server.training.run_log import read_log
from model_server.training.train_emodiff import EmoDiffLoss, random_known_mask, set_channel_statistics
from model_server.training.train_encoder import EncoderLoss, SpeechSet, voice_weights
from model_server.training.train_lips import LipLoss

TINY = EmoDiffConfig(width=32, layers=1, heads=2, window=40, style_size=8)
TINY_LIPS = LipRefinerConfig(width=32, dilations=(1, 2), blur=5)
TINY_ENCODER = SpeechEncoderConfig(channels=32, centred=(1,), causal=(2,), dropout=0.2)
LOOP = LoopConfig(steps=8, batch=4, warm_up=2, validate_every=4)


@pytest.fixture(scope="module")
def corpus() -> PerformanceCorpus:
    return PerformanceCorpus(invent_performances(6, 4, seed=1))


def tiny_emodiff(corpus: PerformanceCorpus) -> EmoDiff:
    torch.manual_seed(0)
    model = EmoDiff(TINY)
    set_channel_statistics(model, corpus)
    return model


def speech_set(folder: Path) -> SpeechSet:
    """Half a minute of spectra in which the sounding band tells the phone."""
    generator = np.random.default_rng(0)
    phones = np.repeat(generator.integers(0, 42, 150), 10).astype(np.uint8)
    mel = np.full((2 * len(phones), 64), -8, np.float16)
    mel[np.arange(len(mel)), np.repeat(phones, 2)] = 0
    path = folder / "voice.0.npz"
    np.savez(path, mel=mel, phones=phones, counts=np.array([len(phones)]))
    return SpeechSet([path])


class Interrupted(Exception):
    """Stands for a machine that goes down."""


def run(
    model: nn.Module,
    loss: Loss,
    folder: Path,
    config: LoopConfig = LOOP,
    stop_after: int = 99,
    minutes: float | None = None,
) -> nn.Module:
    """Train, or be interrupted in the step after ``stop_after``; return the last averaged weights."""
    saved: list[nn.Module] = []
    calls: list[int] = []

    def interrupted(network: nn.Module, batch: int, generator: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        calls.append(1)
        if len(calls) > stop_after:
            raise Interrupted
        return loss(network, batch, generator)

    def save(averaged: nn.Module, kind: str, figures: Mapping[str, float]) -> None:
        if kind == "last":
            saved.append(averaged)

    with contextlib.suppress(Interrupted):
        train(model, interrupted, validation(loss), save, config, folder, minutes)
    return saved[-1]


def assert_equal_weights(one: nn.Module, other: nn.Module) -> None:
    for (name, first), second in zip(one.state_dict().items(), other.state_dict().values(), strict=True):
        assert torch.equal(first, second), name


def test_an_interrupted_run_goes_on_exactly(corpus: PerformanceCorpus, tmp_path: Path) -> None:
    loss = EmoDiffLoss(corpus, TINY.window)
    whole = run(tiny_emodiff(corpus), loss, tmp_path / "whole")
    run(tiny_emodiff(corpus), loss, tmp_path / "parts", stop_after=5)
    resumed = run(tiny_emodiff(corpus), loss, tmp_path / "parts")
    assert_equal_weights(whole, resumed)
    once, twice = (read_log(tmp_path / name / "log.csv") for name in ("whole", "parts"))
    assert [row["step"] for row in twice] == [4, 8]
    for first, second in zip(once, twice, strict=True):
        assert {**first, "seconds": 0} == {**second, "seconds": 0}


def test_a_run_that_is_asked_to_stop_goes_on_exactly_with_its_dropout(tmp_path: Path) -> None:
    """Stopped after three steps, between validations; the encoder draws its dropout from PyTorch's own chance."""
    loss = EncoderLoss(speech_set(tmp_path), 40)
    torch.manual_seed(0)
    first = SpeechEncoder(TINY_ENCODER)
    config = dataclasses.replace(LOOP, steps=6, validate_every=6)

    def go(model: nn.Module, folder: Path, stop_at: int | None = None) -> Ending:
        def watch(moment: Moment) -> None:
            if moment.step == stop_at:
                os.kill(os.getpid(), signal.SIGTERM)

        return train(model, loss, lambda _: {}, lambda *_: None, config, folder, watch=watch)

    whole, parts = copy.deepcopy(first), copy.deepcopy(first)
    before = signal.getsignal(signal.SIGTERM)
    assert go(whole, tmp_path / "whole") == "done"
    assert go(parts, tmp_path / "parts", stop_at=3) == "stopped"
    assert signal.getsignal(signal.SIGTERM) is before
    resumed = copy.deepcopy(first)
    assert go(resumed, tmp_path / "parts") == "done"
    assert_equal_weights(whole, resumed)
    rows = [read_log(tmp_path / name / "log.csv")[-1] for name in ("whole", "parts")]
    assert rows[0]["loss"] == rows[1]["loss"]


def test_the_best_weights_are_those_with_the_lowest_validation_loss(corpus: PerformanceCorpus, tmp_path: Path) -> None:
    scores = iter([3.0, 1.0, 2.0, 1.0])
    kept: list[tuple[str, float]] = []
    train(
        tiny_emodiff(corpus),
        EmoDiffLoss(corpus, TINY.window),
        lambda _: {"validation_loss": next(scores)},
        lambda _, kind, figures: kept.append((kind, figures["step"])),
        dataclasses.replace(LOOP, validate_every=2),
        tmp_path,
    )
    assert [step for kind, step in kept if kind == "best"] == [2, 4]
    assert [step for kind, step in kept if kind == "last"] == [2, 4, 6, 8]


def test_a_budget_of_no_time_stops_at_once(corpus: PerformanceCorpus, tmp_path: Path) -> None:
    untrained = tiny_emodiff(corpus)
    before = copy.deepcopy(untrained)
    saved = run(untrained, EmoDiffLoss(corpus, TINY.window), tmp_path, minutes=0)
    assert_equal_weights(before, saved)


def test_a_loss_that_is_no_number_ends_training_and_keeps_the_checkpoint(tmp_path: Path) -> None:
    model = nn.Linear(2, 1)
    calls: list[int] = []

    def loss(network: nn.Module, batch: int, generator: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        calls.append(1)
        value: Tensor = network(torch.ones(batch, 2)).mean() * (float("nan") if len(calls) == 6 else 1.0)
        return value, {}

    with pytest.raises(DreamTalkError, match="no number after 5 steps"):
        train(model, loss, lambda _: {}, lambda *_: None, LOOP, tmp_path)
    assert torch.load(tmp_path / "last.pt", weights_only=True)["step"] == 4


@pytest.mark.parametrize("kind", ["emodiff", "lips", "encoder"])
@pytest.mark.parametrize("half", [False, True])
def test_the_loss_falls(corpus: PerformanceCorpus, tmp_path: Path, kind: str, half: bool) -> None:
    torch.manual_seed(0)
    compute = Compute(PROCESSOR.device, half)
    model: nn.Module
    loss: Loss
    if kind == "emodiff":
        model, loss = tiny_emodiff(corpus), EmoDiffLoss(corpus, TINY.window, compute)
    elif kind == "lips":
        model, loss = LipRefiner(TINY_LIPS), LipLoss(corpus, TINY_LIPS.context, 40, compute)
    else:
        model, loss = SpeechEncoder(TINY_ENCODER), EncoderLoss(speech_set(tmp_path), 40, compute)
    before = validation(loss)(model)["validation_loss"]
    config = LoopConfig(steps=60, batch=8, warm_up=5, average=0.9, learning_rate=6e-3, validate_every=60)
    saved = run(model, loss, tmp_path, config)
    assert validation(loss)(saved)["validation_loss"] < 0.75 * before, kind


@pytest.mark.parametrize("schedule", ["cosine", "constant"])
def test_the_rate_rises_and_then_follows_its_schedule(tmp_path: Path, schedule: Literal["cosine", "constant"]) -> None:
    config = LoopConfig(20, 4, 1e-3, 5, schedule, validate_every=1)

    def loss(network: nn.Module, batch: int, generator: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        value: Tensor = network(torch.ones(batch, 2)).mean()
        return value, {}

    train(nn.Linear(2, 1), loss, lambda _: {}, lambda *_: None, config, tmp_path)
    rates = [row["learning_rate"] for row in read_log(tmp_path / "log.csv")]
    assert rates[0] == pytest.approx(2e-4, rel=0.01)
    if schedule == "constant":
        assert rates[5:] == [1e-3] * 15
    else:
        assert max(rates) == rates[4] and rates[-1] == pytest.approx(0.02e-3, rel=0.5)


def test_what_is_known_in_training_is_what_is_known_in_use() -> None:
    mask = random_known_mask(400, 200, torch.Generator().manual_seed(0))
    starts = mask[:, :20].amin(dim=(1, 2)) == 1
    nothing = mask.sum(dim=(1, 2)) == 0
    assert 0.6 < starts.float().mean() < 0.9
    assert 0.05 < nothing.float().mean() < 0.35
    assert mask[:, 100].amax() == 1


def ramp(frames: int, actor: str, offset: float = 0.0) -> Performance:
    """Every channel tells the frame number, in hundredths, and the actor by ``offset``."""
    column = (offset + np.arange(frames)[:, None] / 100).astype(np.float16)
    face, audio, emotion = (np.repeat(column, width, axis=1) for width in (58, 45, 8))
    return Performance(audio, emotion, face, face[:30], actor)


def test_windows_are_in_step_and_say_where_a_performance_ends() -> None:
    performances = [ramp(300, "long"), ramp(30, "short", offset=8)]
    corpus = PerformanceCorpus(performances, [1.0, 10.0])
    drawn = corpus.windows(400, 50, torch.Generator().manual_seed(0))
    assert np.array_equal(drawn.face[..., 0], drawn.audio[..., 0])
    assert np.array_equal(drawn.face[..., 0], drawn.emotion[..., 0])
    short = drawn.rows == 1
    assert 0.35 < short.mean() < 0.65  # both have 300 frames times weight
    assert np.array_equal(drawn.valid.sum(axis=1), np.where(short, 30, 50))
    assert np.ptp(drawn.face[short][:, 29:], axis=1).max() == 0
    np.testing.assert_allclose(np.diff(drawn.face[~short][..., 0]), 0.01, atol=2e-3)
    starts = drawn.face[~short][:, 0, 0] * 100
    assert starts.min() < 20 and starts.max() > 230


def test_a_short_style_clip_runs_there_and_back() -> None:
    corpus = PerformanceCorpus([ramp(60, "one")])
    clip = corpus.styles(np.array([0]), 100, torch.Generator().manual_seed(0))[0, :, 0]
    assert np.abs(np.diff(clip)).max() < 0.012
    assert clip.min() == 0 and clip.max() == pytest.approx(0.29, abs=1e-3)


def test_statistics_are_weighted_as_examples_are() -> None:
    corpus = PerformanceCorpus([ramp(100, "one"), ramp(100, "two", offset=4)], [3.0, 1.0])
    mean, spread = corpus.statistics()
    everything = np.concatenate(
        [np.tile(p.face[:, 0].astype(float), n) for p, n in zip(corpus.items, (3, 1), strict=True)]
    )
    assert mean[7] == pytest.approx(everything.mean(), abs=1e-3)
    assert spread[7] == pytest.approx(everything.std(), abs=1e-3)


def test_performances_come_from_files_and_held_out_actors_stay_out(tmp_path: Path) -> None:
    save_performances(tmp_path / "mead_1.npz", [ramp(500, "anna"), ramp(400, "bert")])
    save_performances(tmp_path / "other.npz", [ramp(1000, "carl")])
    save_performances(tmp_path / "other.held_out.npz", [ramp(100, "dora")])
    data = PerformanceData((str(tmp_path),), ("bert",), {"mead*": 2.0}, invented=2, invented_share=0.5)
    training, held_out = load_corpora(data, 45)
    assert [item.actor for item in training.items[:2]] == ["anna", "carl"]
    assert [item.actor for item in held_out.items] == ["bert", "dora"]
    chances = (training.chances / training.chances.sum()).tolist()
    assert chances == pytest.approx([0.25, 0.25, 0.25, 0.25])
    with pytest.raises(ConfigError, match="called nobody"):
        load_corpora(dataclasses.replace(data, held_out_actors=("nobody",)), 45)
    with pytest.raises(ConfigError, match="holds no performances"):
        load_corpora(dataclasses.replace(data, folders=(str(tmp_path / "nowhere"),)), 45)
    with pytest.raises(ConfigError, match="'eve' has no frames"):
        PerformanceCorpus([ramp(0, "eve")])
    with pytest.raises(ConfigError, match="no performances to learn from"):
        load_corpora(PerformanceData(invented=0), 45)


def test_performances_may_be_heard_by_a_pretrained_encoder_too(tmp_path: Path) -> None:
    wide = [dataclasses.replace(p, audio=np.tile(p.audio, (1, 2))) for p in (ramp(60, "anna"), ramp(60, "bert"))]
    save_performances(tmp_path / "wide.npz", wide)
    data = PerformanceData((str(tmp_path),), ("bert",), invented=0)
    training, held_out = load_corpora(data, 90)
    drawn = training.windows(2, 40, torch.Generator().manual_seed(0))
    assert drawn.audio.shape == (2, 40, 90)
    assert len(held_out) == 1
    with pytest.raises(ConfigError, match="hears 45 features and performances have 90"):
        load_corpora(data, 45)
    with pytest.raises(ConfigError, match=r"set data\.invented to 0"):
        load_corpora(dataclasses.replace(data, invented=1), 90)


def test_human_voices_count_more_unless_a_pattern_says_otherwise() -> None:
    data = SpeechData(weights={"espeak*": 0.5, "festvox*": 7.0}, human_weight=3.0)
    weights = voice_weights(["espeak", "prompts_en", "festvox_ru", "flite_slt"], data)
    assert weights == {"espeak": 0.5, "prompts_en": 3.0, "festvox_ru": 7.0, "flite_slt": 1.0}
