"""The settings of each model's training: one file a model, with the recipe of the shipped weights as defaults."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from model_server.models.emodiff import EmoDiffConfig
from model_server.models.face_vid2vid.config import FaceVid2VidConfig
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
        momentum: AdamW's decay of the mean gradient; adversarial training wants 0.5.
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
    momentum: float = 0.9
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
        for name in ("average", "momentum"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 0 and below 1, not {getattr(self, name)}")


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


@dataclass(frozen=True)
class FaceData:
    """What Face-vid2vid learns from.

    Attributes:
        folders: folders of clips, rendered or cut from videos; files named *.held_out.npz are for validation.
        vgg: torchvision's weights of VGG19 for perceptual loss; without them fixed filters are compared.
    """

    folders: tuple[str, ...] = ("runs/heads",)
    vgg: str = ""


@dataclass(frozen=True)
class LossWeights:
    """How much each loss counts; the paper's weights where it has the loss.

    Attributes:
        perceptual: how alike the pictures look.
        adversarial: whether they look real to the discriminator; 0 trains without it (in one process only).
        matching: how alike the discriminator finds them.
        discriminator: the discriminator's own loss.
        equivariance: keypoints follow a distorted picture.
        keypoint_prior: keypoints keep apart, at a middle depth; for clips of videos.
        pose: angles of the head, in bins of 3 degrees.
        expression: expressions are small.
        keypoints: placed keypoints, where they are known.
        canonical: canonical keypoints, where they are known.
        translation: the head's move, where it is known.
        flow: where the points of the surface come from, where it is known.
        sizes: sizes at which pictures are compared.
        true_keypoints: share of steps on rendered heads that draw from the known keypoints instead of those found, so
            that the drawing's gradients leave the estimators to what they are taught.
        rendered_share: share of training steps on rendered heads where there are videos too.
        more_poses: pairs of rendered heads in each step beyond the batch, for the pose estimator alone, whose turn
            costs a hundredth of a whole pair's.
    """

    perceptual: float = 10.0
    adversarial: float = 1.0
    matching: float = 10.0
    discriminator: float = 1.0
    equivariance: float = 20.0
    keypoint_prior: float = 10.0
    pose: float = 20.0
    expression: float = 5.0
    keypoints: float = 50.0
    canonical: float = 50.0
    translation: float = 20.0
    flow: float = 20.0
    sizes: int = 4
    true_keypoints: float = 1.0
    rendered_share: float = 0.5
    more_poses: int = 0


@dataclass(frozen=True)
class FaceVid2VidTraining:
    """Settings of Face-vid2vid's training.

    Attributes:
        model: the networks.
        loop: the training.
        data: the clips.
        weights: the losses.
    """

    model: FaceVid2VidConfig = field(default_factory=FaceVid2VidConfig)
    loop: LoopConfig = field(
        default_factory=lambda: LoopConfig(
            steps=500_000,
            batch=8,
            learning_rate=2e-4,
            warm_up=1000,
            weight_decay=0.0,
            momentum=0.5,
            clip=100.0,
            validate_every=2000,
        )
    )
    data: FaceData = field(default_factory=FaceData)
    weights: LossWeights = field(default_factory=LossWeights)
