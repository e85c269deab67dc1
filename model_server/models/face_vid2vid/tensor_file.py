"""Reads files of tensors that others made: safetensors, or PyTorch's format with nothing but tensors allowed."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from model_server.errors import WeightsError

LARGEST_FILE = 4 << 30


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a ``.safetensors`` or ``.pth``/``.pt``/``.tar`` file; of nested tables with dotted names.

    Raises:
        WeightsError: for a file that is missing, larger than 4 GiB, broken, or that holds more than tensors.
    """
    if not path.is_file():
        raise WeightsError(f"the weights file '{path}' is missing; check its path")
    if path.stat().st_size > LARGEST_FILE:
        raise WeightsError(f"'{path.name}' is larger than {LARGEST_FILE >> 30} GiB; that is no face model")
    if path.suffix == ".safetensors":
        try:
            return load_file(path)
        except (SafetensorError, OSError) as error:
            raise WeightsError(f"'{path.name}' is broken ({error}); fetch it again") from error
    try:
        kept = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise WeightsError(
            f"'{path.name}' is broken or holds more than tensors ({reason}); save its tensors as .safetensors"
        ) from error
    if not isinstance(kept, Mapping):
        raise WeightsError(f"'{path.name}' holds no table of tensors")
    return _flat(kept, "")


def _flat(table: Mapping[Any, Any], prefix: str) -> dict[str, Tensor]:
    """Return the tensors of nested tables by dotted name; numbers, words and lists beside them are left out."""
    found: dict[str, Tensor] = {}
    for name, value in table.items():
        if isinstance(value, Tensor):
            found[f"{prefix}{name}"] = value
        elif isinstance(value, Mapping):
            found |= _flat(value, f"{prefix}{name}.")
    return found
