"""Weights files: safetensors with everything that is needed to build the network again inside.

A network that can be stored is built from one argument, ``config``, a frozen dataclass of numbers and words. The
file's metadata holds the name of the network's class, the configuration as JSON, a digest of the channel and emotion
names that the weights were trained for, and figures such as accuracies.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from blendshape_rigs.arkit import ARKIT_NAMES, EMOTIONS
from model_server.errors import WeightsError

FORMAT = "dreamtalk-1"


Network = TypeVar("Network", bound=nn.Module)


def _names() -> str:
    """Return the digest of every name whose order the weights depend on."""
    return hashlib.sha256("|".join((*ARKIT_NAMES, *EMOTIONS)).encode()).hexdigest()[:16]


def save_checkpoint(model: nn.Module, config: Any, path: str | Path, extra: Mapping[str, Any] | None = None) -> None:
    """Write the weights of ``model`` with its configuration; a crash leaves the old file whole.

    Args:
        model: the network.
        config: the frozen dataclass it was built from.
        path: the ``.safetensors`` file.
        extra: figures and facts to keep, anything JSON can hold.
    """
    path = Path(path)
    metadata = {
        "format": FORMAT,
        "kind": type(model).__name__,
        "config": json.dumps(asdict(config)),
        "names": _names(),
        "extra": json.dumps(dict(extra or {}), ensure_ascii=False),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    tensors = {name: value.detach().contiguous().clone() for name, value in model.state_dict().items()}
    save_file(tensors, partial, metadata)
    partial.chmod(0o644)  # safetensors writes for the owner alone
    partial.replace(path)


def load_checkpoint(path: str | Path, model_class: type[Network]) -> Network:
    """Return the network in ``path``, ready for use (evaluation mode, no gradients).

    Raises:
        WeightsError: when the file is missing or broken, holds another kind of network, or was made for other
            channel names or sizes.
    """
    path = Path(path)
    metadata, tensors = _read(path)
    if metadata.get("format") != FORMAT:
        raise WeightsError(f"{path.name} is no weights file of this program; fetch the weights again")
    wanted = model_class.__name__
    if metadata.get("kind") != wanted:
        raise WeightsError(f"{path.name} holds '{metadata.get('kind')}' where '{wanted}' is needed")
    if metadata.get("names") != _names():
        raise WeightsError(f"{path.name} was trained for other channel names; use the weights of this version")
    try:
        settings = json.loads(metadata["config"])
        # JSON knows no tuples, and a frozen configuration holds no lists.
        settings = {name: tuple(value) if isinstance(value, list) else value for name, value in settings.items()}
        config = get_type_hints(model_class.__init__)["config"](**settings)
        model = model_class(config)
        model.load_state_dict(tensors)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise WeightsError(f"{path.name} does not fit this version of {wanted}: {reason}") from error
    return model.eval().requires_grad_(False)


def read_extra(path: str | Path) -> dict[str, Any]:
    """Return the figures and facts stored beside the weights.

    Raises:
        WeightsError: when the file is missing or broken.
    """
    metadata, _ = _read(Path(path), with_tensors=False)
    extra: dict[str, Any] = json.loads(metadata.get("extra", "{}"))
    return extra


def file_hash(*paths: str | Path) -> str:
    """Return the hex SHA-256 of the bytes of the files, in order.

    Raises:
        WeightsError: for a file that is missing.
    """
    digest = hashlib.sha256()
    for path in paths:
        _require(Path(path))
        with Path(path).open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def _require(path: Path) -> None:
    if not path.is_file():
        raise WeightsError(f"the weights file {path} is missing; fetch it again or train it")


def _read(path: Path, with_tensors: bool = True) -> tuple[dict[str, str], dict[str, torch.Tensor]]:
    _require(path)
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            names = file.keys() if with_tensors else ()
            return metadata, {name: file.get_tensor(name) for name in names}
    except SafetensorError as error:
        raise WeightsError(f"{path.name} is broken ({error}); fetch the weights again") from error
