"""LipRefiner's training: what it sees and its loss."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from blendshape_rigs.arkit import ARKIT_COUNT, LIP_CHANNELS, MIRROR_INDEX
from model_server.models.lip_refiner import LipRefiner

from .compute import PROCESSOR, Compute
from .configs import LipTraining
from .mouth_teacher import lip_gap_weights
from .performance_corpus import PerformanceCorpus, load_corpora
from .performance_training import Prepared, Progress, validation

_LIPS = list(LIP_CHANNELS)


class LipLoss:
    """Distance on coefficients, on their velocity, and on the lip gap, which counts most where lips nearly touch.

    Args:
        corpus: what is drawn from.
        context: frames that the network needs on either side.
        window: frames that are judged.
        compute: where the model is, and its precision.
        scale: (28,) spread of the lip channels; None to measure it in the corpus.
    """

    def __init__(
        self,
        corpus: PerformanceCorpus,
        context: int,
        window: int = 200,
        compute: Compute = PROCESSOR,
        scale: Tensor | None = None,
    ) -> None:
        self.corpus = corpus
        self.context = context
        self.frames = window + 2 * context
        self.compute = compute
        self.gap = compute.put(lip_gap_weights())[_LIPS] * 1000
        self.scale = compute.put(corpus.statistics()[1][_LIPS]).clamp(min=0.03) if scale is None else scale

    def __call__(self, model: nn.Module, batch: int, generator: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        """Return the loss and its parts."""
        put = self.compute.put
        drawn = self.corpus.windows(batch, self.frames, generator)
        face = drawn.face[..., :ARKIT_COUNT]
        flip = (torch.rand(batch, generator=generator) < 0.5).numpy()
        face[flip] = face[flip][..., list(MIRROR_INDEX)]
        truth = put(face)
        seen = put(_as_generated(torch.from_numpy(face), generator))
        with self.compute.autocast():
            refined = model(put(drawn.audio), put(drawn.emotion), seen)[..., _LIPS].float()
        inner = slice(self.context, truth.shape[1] - self.context)
        wanted, valid = truth[:, inner, _LIPS], put(drawn.valid)[:, inner]

        def mean(error: Tensor) -> Tensor:
            known = valid[:, valid.shape[1] - error.shape[1] :]
            return (error * known).sum() / known.sum().clamp(min=1)

        coefficients = mean(smooth_l1(refined / self.scale, wanted / self.scale))
        velocity = mean(smooth_l1(refined.diff(dim=1) / self.scale, wanted.diff(dim=1) / self.scale))
        gap, wanted_gap = refined @ self.gap, wanted @ self.gap
        # Weight exp(-d / 2 mm): an error of a millimetre shows on touching lips, not on an open mouth.
        closeness = torch.exp(-wanted_gap.clamp(min=0) / 2)
        lip_gap = mean(closeness * (gap - wanted_gap).abs())
        total = coefficients + 2 * velocity + lip_gap
        figures = {"coefficients": coefficients, "velocity": velocity, "gap_mm": lip_gap}
        return total, {name: float(figure.detach()) for name, figure in figures.items()}


def smooth_l1(prediction: Tensor, truth: Tensor) -> Tensor:
    """Return (B, T) the absolute error averaged over channels, squared below a tenth of a standard deviation."""
    return nn.functional.smooth_l1_loss(prediction, truth, beta=0.1, reduction="none").mean(dim=2)


def _as_generated(truth: Tensor, generator: torch.Generator) -> Tensor:
    """Return (B, T, 52) expressions as imperfect as EmoDiff's: mouth gains off, slow errors added."""
    batch, frames, channels = truth.shape
    gain = 1 + 0.25 * torch.randn(batch, 1, channels, generator=generator)
    knots = torch.randn(batch, channels, frames // 20 + 2, generator=generator)
    slow = nn.functional.interpolate(knots, size=frames, mode="linear", align_corners=True).transpose(1, 2)
    return (truth * gain + 0.04 * slow).clamp(0, 1)


def prepare(config: LipTraining, start: LipRefiner | None, compute: Compute, progress: Progress = None) -> Prepared:
    """Return what the loop needs to train LipRefiner."""
    training, held_out = load_corpora(config.data, config.model.audio_features, progress)
    context = config.model.context
    loss = LipLoss(training, context, config.window, compute)
    held_out_loss = LipLoss(held_out, context, config.window, compute, loss.scale)
    return Prepared(start or LipRefiner(config.model), loss, validation(held_out_loss), training.facts())
