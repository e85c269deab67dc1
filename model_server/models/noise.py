"""Diffusion noise mathematics, apart from any network.

Notation of DDPM (Ho et al. 2020): x_t = sqrt(a_t) x_0 + sqrt(1 - a_t) e with a_t the cumulative product of
1 - beta_t. The cosine schedule is that of Nichol and Dhariwal (2021); v is that of Salimans and Ho (2022):
v = sqrt(a_t) e - sqrt(1 - a_t) x_0.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn

Prediction = Literal["epsilon", "x0", "v"]

# Above 1 the steps crowd where there is much noise; see the table of quality against steps in docs/evaluation.md.
_STEP_POWER = 2.0


class NoiseSchedule(nn.Module):
    """Cosine schedule of ``steps`` training steps.

    Args:
        steps: number T of training steps.
        prediction: what the network predicts: the noise (as in the paper), the clean data, or v.
    """

    signal: Tensor
    noise: Tensor

    def __init__(self, steps: int, prediction: Prediction) -> None:
        super().__init__()
        self.steps = steps
        self.prediction = prediction
        grid = torch.arange(steps + 1, dtype=torch.float64) / steps
        cumulative = torch.cos((grid + 0.008) / 1.008 * math.pi / 2) ** 2
        alphas = (cumulative[1:] / cumulative[:-1]).clamp(min=1e-3)
        cumulative = torch.cumprod(alphas, 0)
        # Computed in float64, kept in float32: products of a thousand factors lose digits otherwise.
        self.register_buffer("signal", cumulative.sqrt().float(), persistent=False)
        self.register_buffer("noise", (1 - cumulative).sqrt().float(), persistent=False)

    def _at(self, table: Tensor, t: Tensor, like: Tensor) -> Tensor:
        return table[t].view(-1, *([1] * (like.dim() - 1)))

    def add_noise(self, x0: Tensor, epsilon: Tensor, t: Tensor) -> Tensor:
        """Return x_t of the same shape as ``x0`` (B, ...) for steps ``t`` (B,) int64 in [0, T)."""
        return self._at(self.signal, t, x0) * x0 + self._at(self.noise, t, x0) * epsilon

    def target(self, x0: Tensor, epsilon: Tensor, t: Tensor) -> Tensor:
        """Return what the network should predict."""
        if self.prediction == "epsilon":
            return epsilon
        if self.prediction == "x0":
            return x0
        return self._at(self.signal, t, x0) * epsilon - self._at(self.noise, t, x0) * x0

    def to_x0(self, prediction: Tensor, x_t: Tensor, t: Tensor) -> Tensor:
        """Return the clean data that a network's ``prediction`` at ``x_t`` implies."""
        signal, noise = self._at(self.signal, t, x_t), self._at(self.noise, t, x_t)
        if self.prediction == "epsilon":
            return (x_t - noise * prediction) / signal
        if self.prediction == "x0":
            return prediction
        return signal * x_t - noise * prediction

    def to_epsilon(self, x0: Tensor, x_t: Tensor, t: Tensor) -> Tensor:
        """Return the noise in ``x_t`` given the clean data."""
        return (x_t - self._at(self.signal, t, x_t) * x0) / self._at(self.noise, t, x_t)

    def sampling_steps(self, count: int) -> list[int]:
        """Return ``count`` training steps from the noisiest to the cleanest, most of them where there is much noise.

        Slow curves can be told from much more noise than single frames can: what happens, and when, is settled early.

        Raises:
            ValueError: when ``count`` is not in 1..T.
        """
        if not 1 <= count <= self.steps:
            raise ValueError(f"sampling takes 1 to {self.steps} steps, not {count}")
        # No step comes twice, however many there are.
        return [
            min(self.steps - 1 - i, max(count - 1 - i, round(self.steps * (1 - (i / count) ** _STEP_POWER)) - 1))
            for i in range(count)
        ]


class MultistepSolver:
    """DPM-Solver++(2M) of Lu et al. 2022 for one run of sampling: each step uses the clean data guessed before it.

    Args:
        schedule: the noise schedule.
        count: sampling steps.
    """

    def __init__(self, schedule: NoiseSchedule, count: int) -> None:
        self.steps = schedule.sampling_steps(count)
        self._signal = [float(schedule.signal[step]) for step in self.steps] + [1.0]
        self._noise = [float(schedule.noise[step]) for step in self.steps] + [0.0]
        self._index = 0
        self._guess: Tensor | None = None

    def advance(self, x_t: Tensor, x0: Tensor) -> Tensor:
        """Return x at the next of ``steps``, or the clean data after the last, from ``x_t`` and the guess ``x0``."""
        index = self._index
        self._index += 1
        if index + 1 == len(self.steps):
            return x0
        ahead = self._half_log_snr(index + 1) - self._half_log_snr(index)
        guess = x0
        if self._guess is not None:
            behind = self._half_log_snr(index) - self._half_log_snr(index - 1)
            guess = x0 + (x0 - self._guess) * (0.5 * ahead / behind)
        self._guess = x0
        carried = self._noise[index + 1] / self._noise[index]
        return carried * x_t - self._signal[index + 1] * math.expm1(-ahead) * guess

    def _half_log_snr(self, index: int) -> float:
        return math.log(self._signal[index] / self._noise[index])
