"""Pretrained speech encoders: their frames become ours; where torchaudio is absent, one clear message."""

import importlib.util

import numpy as np
import pytest
import torch
from torch import Tensor

from model_server.audio.pretrained import PretrainedEncoder, load_pretrained, on_our_frames
from model_server.errors import ConfigError


class Clock:
    """Stands where a network of torchaudio would: every feature is the middle of what it heard, in samples."""

    def extract_features(self, sound: Tensor, num_layers: int) -> tuple[list[Tensor], None]:
        middles = sound.unfold(1, 400, 320)[..., 199:201].mean(dim=2)
        return [torch.zeros(0)] * (num_layers - 1) + [middles[..., None].expand(-1, -1, 3)], None


def test_their_frames_become_ours() -> None:
    centres = (200 + 320 * np.arange(9, dtype=np.float32))[:, None]
    ours = on_our_frames(centres, 10)[:, 0]
    np.testing.assert_allclose(ours[1:9], 160 + 320 * np.arange(1, 9), atol=1e-3)
    assert ours[0] == 200 and ours[9] == centres[-1]
    assert on_our_frames(np.ones((1, 4), np.float32), 3).tolist() == [[1.0] * 4] * 3


def test_a_long_recording_is_heard_in_blocks_without_seams() -> None:
    encoder = PretrainedEncoder(Clock(), 4, 3)
    samples = np.arange(2345 * 320 + 17, dtype=np.float32)
    features = encoder.features(samples)
    assert features.shape == (2345, 3) and features.dtype == np.float32
    np.testing.assert_allclose(features[1:-1, 0], 159.5 + 320 * np.arange(1, 2344), atol=0.2)
    assert encoder.features(np.zeros(330, np.float32)).shape == (1, 3)
    assert encoder.features(np.zeros(10, np.float32)).shape == (0, 3)


def test_an_unknown_encoder_is_named() -> None:
    with pytest.raises(ConfigError, match="'HUBERT_HUGE' is no pretrained encoder; choose from HUBERT_BASE"):
        load_pretrained("HUBERT_HUGE")


@pytest.mark.skipif(importlib.util.find_spec("torchaudio") is not None, reason="torchaudio is installed")
def test_where_torchaudio_is_absent_it_is_said_what_to_install() -> None:
    with pytest.raises(ConfigError, match=r"pip install 'dreamtalk\[torchaudio\]'"):
        load_pretrained("HUBERT_BASE")
