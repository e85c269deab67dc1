"""Where training computes: a processor or GPUs, in which precision, in one process or in several.

Several processes, one a GPU, are started by HuggingFace Accelerate:
``accelerate launch --num_processes 2 -m model_server.cli train …``. One process needs no Accelerate.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from model_server.errors import ConfigError

from .configs import LoopConfig


@dataclass(frozen=True)
class Compute:
    """A device and the precision of the networks' arithmetic on it.

    Attributes:
        device: where weights and batches are.
        half: whether networks compute in bfloat16; weights, losses and optimiser stay in float32.
    """

    device: torch.device
    half: bool = False

    def autocast(self) -> torch.autocast:
        """Return the context in which to call the network."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.half)

    def put(self, values: npt.NDArray[Any] | Tensor) -> Tensor:
        """Return ``values`` as a tensor on the device; half-precision floats become float32."""
        tensor = torch.from_numpy(np.ascontiguousarray(values)) if isinstance(values, np.ndarray) else values
        if tensor.dtype == torch.float16:
            tensor = tensor.float()
        return tensor.to(self.device)


PROCESSOR = Compute(torch.device("cpu"))
"""The processor, in float32."""


class Processes(Protocol):
    """The processes that train one model together, seen from one of them."""

    rank: int
    count: int

    def share(self, objective: nn.Module) -> nn.Module:
        """Return ``objective`` so that gradients of its calls are averaged over all processes."""

    def mean(self, figures: Mapping[str, float]) -> dict[str, float]:
        """Return the figures averaged over all processes, which all must call this."""

    def any(self, flag: bool) -> bool:
        """Return whether the flag is set in any process; all must call this."""

    def gather(self, state: list[Tensor]) -> list[list[Tensor]]:
        """Return the states of all processes in order of rank; all must call this."""


class OneProcess:
    """Training alone."""

    rank = 0
    count = 1

    def share(self, objective: nn.Module) -> nn.Module:
        """Return ``objective`` as it is."""
        return objective

    def mean(self, figures: Mapping[str, float]) -> dict[str, float]:
        """Return the figures as they are."""
        return dict(figures)

    def any(self, flag: bool) -> bool:
        """Return the flag as it is."""
        return flag

    def gather(self, state: list[Tensor]) -> list[list[Tensor]]:
        """Return the state alone."""
        return [state]


ALONE = OneProcess()


class AcceleratedProcesses:
    """Several processes that Accelerate has started.

    Args:
        cpu: compute on processors; each process has a GPU otherwise.
    """

    def __init__(self, cpu: bool) -> None:
        from accelerate import Accelerator  # type: ignore[import-untyped,import-not-found,unused-ignore]

        # Networks choose their precision themselves, on one process as on many.
        self._accelerator = Accelerator(cpu=cpu, mixed_precision="no")
        self.rank: int = self._accelerator.process_index
        self.count: int = self._accelerator.num_processes
        self.device: torch.device = self._accelerator.device

    def share(self, objective: nn.Module) -> nn.Module:
        """Return ``objective`` in PyTorch's DistributedDataParallel."""
        shared: nn.Module = self._accelerator.prepare_model(objective)
        return shared

    def mean(self, figures: Mapping[str, float]) -> dict[str, float]:
        """Return the figures averaged over all processes."""
        values = torch.tensor(list(figures.values()), dtype=torch.float32, device=self.device)
        return dict(zip(figures, self._accelerator.reduce(values, "mean").tolist(), strict=True))

    def any(self, flag: bool) -> bool:
        """Return whether the flag is set in any process."""
        return bool(self._accelerator.reduce(torch.tensor(float(flag), device=self.device), "sum") > 0)

    def gather(self, state: list[Tensor]) -> list[list[Tensor]]:
        """Return the states of all processes."""
        from accelerate.utils import gather_object  # type: ignore[import-untyped,import-not-found,unused-ignore]

        gathered: list[list[Tensor]] = gather_object([state])
        return gathered


def choose_compute(config: LoopConfig) -> tuple[Compute, Processes]:
    """Return where to compute, as the settings and the launcher say.

    Raises:
        ConfigError: when a GPU is asked for that PyTorch cannot use, or several processes were started without
            Accelerate being installed.
    """
    if config.device == "cuda" and not torch.cuda.is_available():
        raise ConfigError("PyTorch finds no CUDA GPU here; install its CUDA build, or set loop.device to 'cpu'")
    processes: Processes = ALONE
    device = torch.device("cuda" if config.device != "cpu" and torch.cuda.is_available() else "cpu")
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        if importlib.util.find_spec("accelerate") is None:
            raise ConfigError("several processes need Accelerate: pip install 'dreamtalk[train]'")
        accelerated = AcceleratedProcesses(device.type == "cpu")
        processes, device = accelerated, accelerated.device
    half = config.precision == "bfloat16" or (config.precision == "auto" and device.type == "cuda")
    return Compute(device, half), processes
