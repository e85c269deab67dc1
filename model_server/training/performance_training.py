"""What the trainings of the models share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from .loop import Loss, Validate

Progress = Callable[[int], None] | None
"""Called with the number of performances invented."""

_BATCHES, _BATCH = 4, 64


@dataclass(frozen=True)
class Prepared:
    """What the loop needs to train a model.

    Attributes:
        model: the network with its first weights.
        loss: the loss on training examples.
        validate: measures the model on held-out examples.
        facts: what is to be kept in the weights file about the data.
        decides: the validation figure that is lowest for the best weights.
        picture: draws (H, W, 3) uint8 RGB samples of the averaged model for the run's folder; None for no picture.
    """

    model: nn.Module
    loss: Loss
    validate: Validate
    facts: Mapping[str, Any]
    decides: str = "validation_loss"
    picture: Callable[[nn.Module], npt.NDArray[np.uint8]] | None = None


def validation(loss: Loss) -> Validate:
    """Return a function that measures ``loss`` with always the same windows and noise."""

    @torch.no_grad()
    def measure(model: nn.Module) -> dict[str, float]:
        generator = torch.Generator().manual_seed(1)
        rows: list[dict[str, float]] = []
        for _ in range(_BATCHES):
            value, figures = loss(model, _BATCH, generator)
            rows.append({"loss": float(value), **figures})
        return {f"validation_{name}": sum(row[name] for row in rows) / len(rows) for name in rows[0]}

    return measure
