"""The portrait renderer: real photographs, real re-detection of what it rendered, real MP4 files."""

from __future__ import annotations

import numpy as np
import pytest

from blendshape_rigs.arkit import ARKIT_INDEX
from model_server.portrait.motion import take_activity
from model_server.portrait.photo import Photo, photo_from_array
from model_server.portrait.renderer import PortraitRenderer

skimage_data = pytest.importorskip("skimage.data", reason="scikit-image has the test photograph")


@pytest.fixture(scope="module")
def photo() -> Photo:
    return photo_from_array(skimage_data.astronaut(), "astronaut")


@pytest.fixture(scope="module")
def renderer(photo: Photo) -> PortraitRenderer:
    return PortraitRenderer(photo)


# --- The photograph at rest -------------------------------------------------------------------------------------


def test_a_take_at_rest_leaves_the_photograph_unchanged(renderer: PortraitRenderer, photo: Photo) -> None:
    difference = np.abs(renderer.render(np.zeros(52)).astype(int) - photo.pixels)
    assert difference.max() <= 1


def test_the_mouth_follows_the_take_only_while_it_speaks() -> None:
    values = np.zeros((90, 52), np.float32)
    assert not take_activity(values, 30).any()
    values[30:50, ARKIT_INDEX["jawOpen"]] = 0.5
    activity = take_activity(values, 30)
    assert (activity[30:50] > 0.99).all()
    assert activity[0] == activity[-1] == 0
    assert np.abs(np.diff(activity)).max() < 0.15
    assert np.ptp(take_activity(np.tile(values[40], (30, 1)), 30)) == 0
