"""Resampling piece by piece equals resampling at once."""

import numpy as np
import pytest

from blendshape_rigs.curves import FaceCurves, Provenance, concatenate
from blendshape_rigs.filters import resample
from model_server.pipeline.resampling import resample_stream


@pytest.mark.parametrize("fps", [12.0, 23.976, 24.0, 25.0, 29.97, 30.0, 50.0, 59.94, 60.0, 120.0])
@pytest.mark.parametrize("sizes", [[333], [1, 2, 3, 160, 160, 7], [200, 133]])
def test_pieces_equal_the_whole(fps: float, sizes: list[int]) -> None:
    generator = np.random.default_rng(0)
    whole = np.cumsum(generator.normal(0, 0.03, (sum(sizes), 58)), axis=0).astype(np.float32) * 0.3
    whole[:, :52] = whole[:, :52].clip(0, 1)
    cuts = np.split(whole, np.cumsum(sizes)[:-1])
    streamed = concatenate(list(resample_stream(cuts, 50, fps, Provenance("speech"))))
    at_once = resample(FaceCurves.zeros(len(whole), 50).with_stacked(whole), fps)
    assert len(streamed) == len(at_once)
    np.testing.assert_allclose(streamed.stacked(), at_once.stacked(), atol=1e-6)


def test_no_pieces_make_no_parts() -> None:
    assert list(resample_stream([], 50, 30, Provenance())) == []
