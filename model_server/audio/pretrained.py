"""Features of pretrained speech encoders (HuBERT, wav2vec 2.0) through ``torchaudio.pipelines``: an optional extra.

For training on recordings of real faces, beside the phone track. Needs ``pip install 'dreamtalk[torchaudio]'``, which
on Linux needs a CUDA build of PyTorch, and fetches the encoder's weights (360 MB and more) on first use.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from model_server.errors import ConfigError

from .features import SAMPLE_RATE

FloatArray = npt.NDArray[np.float32]

ENCODERS = ("HUBERT_BASE", "HUBERT_LARGE", "WAV2VEC2_BASE", "WAV2VEC2_LARGE", "WAV2VEC2_XLSR53", "WAVLM_BASE")
"""Names in ``torchaudio.pipelines``."""

FRAME_SAMPLES = 320
"""Samples of a frame of ours, and from frame to frame of every such encoder."""

_RECEPTIVE_SAMPLES = 400
# What is encoded at once, and how much around it is heard too: attention over an hour would not fit into memory.
_BLOCK_FRAMES, _CONTEXT_FRAMES = 1000, 150


@dataclass(frozen=True)
class PretrainedEncoder:
    """A pretrained encoder, frozen.

    Attributes:
        network: its ``torchaudio`` network, at rest.
        layer: the transformer layer that features are taken from, from 1.
        width: D, columns of its features.
    """

    network: Any
    layer: int
    width: int

    def features(self, samples: FloatArray) -> FloatArray:
        """Return (N // 320, D) float32 features at 50 a second, frame by frame in step with a phone track.

        Args:
            samples: (N,) float32 at 16 kHz.
        """
        frames = len(samples) // FRAME_SAMPLES
        parts = []
        for first in range(0, frames, _BLOCK_FRAMES):
            begin = max(0, first - _CONTEXT_FRAMES)
            end = min(frames, first + _BLOCK_FRAMES + _CONTEXT_FRAMES)
            heard = self._block(samples[begin * FRAME_SAMPLES : end * FRAME_SAMPLES])
            parts.append(heard[first - begin : first - begin + _BLOCK_FRAMES])
        return np.concatenate(parts) if parts else np.zeros((0, self.width), np.float32)

    def _block(self, samples: FloatArray) -> FloatArray:
        import torch

        # At least one frame of theirs.
        padded = np.pad(samples, (0, max(0, _RECEPTIVE_SAMPLES - len(samples))))
        with torch.inference_mode():
            layers, _ = self.network.extract_features(torch.from_numpy(padded)[None], num_layers=self.layer)
        return on_our_frames(layers[-1][0].float().numpy(), len(samples) // FRAME_SAMPLES)


def on_our_frames(features: FloatArray, count: int) -> FloatArray:
    """Return (count, D) features at the middles of our frames.

    Theirs hear 400 samples, so that the middle of frame ``i`` is 12.5 ms after its beginning and not 10 ms.

    Args:
        features: (T, D) of an encoder, T at least 1.
        count: frames of ours.
    """
    late = (_RECEPTIVE_SAMPLES - FRAME_SAMPLES) / 2 / FRAME_SAMPLES
    places = np.clip(np.arange(count) - late, 0, len(features) - 1)
    low = np.minimum(places.astype(int), max(0, len(features) - 2))
    high = np.minimum(low + 1, len(features) - 1)
    part = (places - low)[:, None].astype(np.float32)
    return np.asarray((1 - part) * features[low] + part * features[high], np.float32)


def load_pretrained(name: str, layer: int | None = None) -> PretrainedEncoder:
    """Return a pretrained encoder; its weights are fetched when they are not there yet.

    Args:
        name: one of ``ENCODERS``.
        layer: which transformer layer to listen to, from 1; None for the one two thirds up, where phones are plainest
            (Pasad et al. 2021).

    Raises:
        ConfigError: for an unknown name or layer, or where torchaudio is not installed or does not load.
    """
    if name not in ENCODERS:
        raise ConfigError(f"'{name}' is no pretrained encoder; choose from {', '.join(ENCODERS)}")
    try:
        import torch
        import torchaudio  # type: ignore[import-not-found,import-untyped,unused-ignore]
    except (ImportError, OSError) as error:
        raise ConfigError(
            f"pretrained encoders need torchaudio, which does not load here ({str(error).splitlines()[0]}); "
            "pip install 'dreamtalk[torchaudio]', on Linux beside a CUDA build of PyTorch"
        ) from error
    bundle = getattr(torchaudio.pipelines, name)
    if bundle.sample_rate != SAMPLE_RATE:
        raise ConfigError(f"'{name}' hears {bundle.sample_rate} Hz; features are made at {SAMPLE_RATE} Hz")
    network = bundle.get_model().eval()
    with torch.inference_mode():
        layers, _ = network.extract_features(torch.zeros(1, _RECEPTIVE_SAMPLES))
    chosen = round(2 * len(layers) / 3) if layer is None else layer
    if not 1 <= chosen <= len(layers):
        raise ConfigError(f"'{name}' has layers 1 to {len(layers)}, not {chosen}")
    return PretrainedEncoder(network, chosen, layers[chosen - 1].shape[2])
