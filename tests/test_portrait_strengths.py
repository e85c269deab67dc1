"""Strengths of a portrait: what each factor reaches, what it leaves alone."""

from __future__ import annotations

import numpy as np
import pytest

from blendshape_rigs.arkit import ARKIT_NAMES
from blendshape_rigs.curves import FaceCurves
from model_server.errors import ConfigError
from model_server.portrait.strengths import PortraitStrengths


@pytest.fixture(scope="module")
def take() -> FaceCurves:
    generator = np.random.default_rng(3)
    values, turns = generator.uniform(0, 1, (20, 52)), generator.uniform(-0.3, 0.3, (20, 3))
    return FaceCurves(values, turns, 0.1 * turns, 30.0, 0.4)


def channels(*starts: str) -> list[int]:
    return [i for i, name in enumerate(ARKIT_NAMES) if name.startswith(starts)]


REACH = {
    "brows": channels("brow"),
    "eyes": channels("eyeLook", "eyeWide", "eyeSquint"),
    "mouth": channels("jaw", "mouth", "cheek", "nose", "tongue"),
    "blink": channels("eyeBlink"),
    "head": [],
}


def test_every_channel_has_one_strength() -> None:
    assert sorted(index for reach in REACH.values() for index in reach) == list(range(52))


@pytest.mark.parametrize("name", REACH)
@pytest.mark.parametrize("factor", [0.0, 0.5])
def test_a_strength_scales_its_own_channels_alone(take: FaceCurves, name: str, factor: float) -> None:
    made = PortraitStrengths(**{name: factor}).apply(take)
    expected = take.values.copy()
    expected[:, REACH[name]] *= factor
    assert made.values == pytest.approx(expected)
    head = factor if name == "head" else 1.0
    assert made.head_rotation == pytest.approx(head * take.head_rotation)
    assert made.head_translation == pytest.approx(head * take.head_translation)
    assert (made.fps, made.start, made.provenance) == (take.fps, take.start, take.provenance)


def test_twice_the_take_stops_at_the_full_shape(take: FaceCurves) -> None:
    made = PortraitStrengths(brows=2, eyes=2, mouth=2, blink=2).apply(take)
    assert made.values == pytest.approx(np.minimum(2 * take.values, 1))


def test_the_take_itself_is_the_default(take: FaceCurves) -> None:
    above = take.with_stacked(1.3 * take.stacked())
    assert np.array_equal(PortraitStrengths().apply(above).stacked(), above.stacked())


@pytest.mark.parametrize("factor", [-0.1, 2.1, float("nan"), float("inf")])
def test_strengths_out_of_range_are_refused(factor: float) -> None:
    with pytest.raises(ConfigError, match="blink"):
        PortraitStrengths(blink=factor)
