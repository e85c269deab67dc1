"""The settings of each model's training: one file a model, with the recipe of the shipped weights as defaults."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from model_server.models.emodiff import EmoDiffConfig
from model_server.models.lip_refiner import LipRefinerConfig
from model_server.models.speech_encoder import SpeechEncoderConfig


@dataclass(frozen=True)
class LoopConfig:
    """How a model is trained.

    Attributes:
        steps: optimiser steps of a full run.
        batch: examples in a step, for each process.
        learning_rate: peak rate of AdamW.
        warm_up: steps in which the rate rises from nothing.
        schedule: the rate after that. "cosine" falls to a fiftieth over all steps, "time" over the minutes that the
            run was given, "constant" stays.
        weight_decay: AdamW's decay of weights.
        average: decay of the moving average of the weights; the average is what is validated and shipped.
        clip: limit of the gradient's norm.
        validate_every: steps between validations, each with a checkpoint.
        seed: seed of first weights, batches, noise and dropout.
        device: where to compute; "auto" takes a GPU where there is one.
        precision: of the network's arithmetic; "auto" is bfloat16 on a GPU and float32 on a processor.
    """

    steps: int = 8000
    batch: int = 32
    learning_rate: float = 4e-4
    warm_up: int = 300
    schedule: Literal["cosine", "time", "constant"] = "cosine"
    weight_decay: float = 0.01
    average: float = 0.999
    clip: float = 1.0
    validate_every: int = 500
    seed: int = 0
    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["auto", "float32", "bfloat16"] = "auto"

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "warm_up", "validate_every", "learning_rate", "clip"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be above 0, not {getattr(self, name)}")
        if not 0 <= self.average < 1:
            raise ValueError(f"average must be at least 0 and below 1, not {self.average}")


@dataclass(frozen=True)
class PerformanceData:
    """What the performance models learn from.

    Attributes:
        folders: folders (or files) of performances; files named *.held_out.npz are for validation.
        held_out_actors: actors who are for validation wherever they appear.
        weights: how often a file is drawn from, times its length, by file name pattern, such as "mead_*" = 3.0.
        invented: performances of 12 s of invented speech, made when the run starts.
        invented_share: share of examples that are invented where there are others too.
    """

    folders: tuple[str, ...] = ()
    held_out_actors: tuple[str, ...] = ()
    weights: dict[str, float] = field(default_factory=dict)
    invented: int = 400
    invented_share: float = 0.08

    def __post_init__(self) -> None:
        if not 0 <= self.invented_share <= 1:
            raise ValueError(f"invented_share must be from 0 to 1, not {self.invented_share}")


@dataclass(frozen=True)
class SpeechData:
    """What the speech encoder learns from.

    Attributes:
        folders: folders of session files named <voice>.<copy>.npz.
        weights: how often a voice is drawn from, times its length, by name pattern; the first that fits counts.
        human_weight: the same for human voices that no pattern fits.
        crop: phone frames of an example at 50 a second.
    """

    folders: tuple[str, ...] = ("runs/sessions",)
    weights: dict[str, float] = field(default_factory=lambda: {"espeak*": 0.5})
    human_weight: float = 3.0
    crop: int = 400

    def __post_init__(self) -> None:
        if self.crop < 40:
            raise ValueError(f"crop must be at least 40 frames, not {self.crop}")


@dataclass(frozen=True)
class EmoDiffTraining:
    """Settings of EmoDiff's training.

    Attributes:
        model: the network.
        loop: the training.
        data: the performances.
    """

    model: EmoDiffConfig = field(default_factory=EmoDiffConfig)
    loop: LoopConfig = field(default_factory=lambda: LoopConfig(steps=20_000))
    data: PerformanceData = field(default_factory=PerformanceData)


@dataclass(frozen=True)
class LipTraining:
    """Settings of lip refinement's training.

    Attributes:
        model: the network.
        loop: the training.
        data: the performances.
        window: frames of an example at 50 a second, besides the context that the network needs around them.
    """

    model: LipRefinerConfig = field(default_factory=LipRefinerConfig)
    loop: LoopConfig = field(default_factory=lambda: LoopConfig(batch=16, steps=12_000, learning_rate=1.2e-3))
    data: PerformanceData = field(default_factory=PerformanceData)
    window: int = 200

    def __post_init__(self) -> None:
        if self.window < 40:
            raise ValueError(f"window must be at least 40 frames, not {self.window}")


@dataclass(frozen=True)
class EncoderTraining:
    """Settings of the speech encoder's training.

    Attributes:
        model: the network.
        loop: the training.
        data: the sessions.
    """

    model: SpeechEncoderConfig = field(default_factory=SpeechEncoderConfig)
    loop: LoopConfig = field(
        default_factory=lambda: LoopConfig(
            batch=16, steps=5500, learning_rate=2e-3, warm_up=100, average=0.995, validate_every=100
        )
    )
    data: SpeechData = field(default_factory=SpeechData)
