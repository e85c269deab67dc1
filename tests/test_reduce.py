"""Fewer keys within a bound, and held poses."""

from __future__ import annotations

import numpy as np
import pytest

from blendshape_rigs.curves import CurvesError
from blendshape_rigs.reduce import SmoothKeys, held_frames, line_keys, smooth_keys


def wave(frames: int = 300) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[type-arg]
    """Return frames and a smooth curve in 0..1 with a blink in it."""
    at = np.arange(frames, dtype=np.float64) + 11
    values = 0.4 + 0.3 * np.sin(at / 9) + 0.1 * np.sin(at / 3.1)
    values[100:105] = (0.5, 0.9, 1.0, 0.8, 0.4)
    return at, values


@pytest.mark.parametrize("tolerance", [0.05, 0.005, 0.0005, 0.0])
def test_no_frame_is_off_by_more_than_the_tolerance(tolerance: float) -> None:
    frames, values = wave()
    keys = smooth_keys(frames, values, tolerance)
    assert np.abs(keys.at(frames) - values).max() <= tolerance + 1e-12
    assert set(keys.frames) <= set(frames)
    assert (keys.frames[0], keys.frames[-1]) == (frames[0], frames[-1])
    assert np.array_equal(keys.values, values[np.isin(frames, keys.frames)])
    lines = line_keys(frames, values, tolerance)
    assert np.abs(np.interp(frames, frames[lines], values[lines]) - values).max() <= tolerance + 1e-12


def test_handles_need_far_fewer_keys_than_lines() -> None:
    frames, values = wave()
    assert len(smooth_keys(frames, values, 0.005).frames) < len(line_keys(frames, values, 0.005)) / 2


def test_cubics_and_still_curves_need_their_ends_only() -> None:
    frames = np.arange(60, dtype=np.float64)
    for values in (np.full(60, 0.3), frames / 59, 3 * (frames / 59) ** 2 - 2 * (frames / 59) ** 3):
        assert len(smooth_keys(frames, values, 1e-4).frames) == 2
    assert smooth_keys(frames[:1], np.array([0.7]), 0.1).at(np.array([0.0])).tolist() == [0.7]


def test_uneven_frames_keep_the_bound() -> None:
    frames, values = wave()
    uneven = frames + 0.3 * np.sin(frames)
    keys = smooth_keys(uneven, values, 0.01)
    assert np.abs(keys.at(uneven) - values).max() <= 0.01


def test_handles_draw_the_same_curve_as_a_bezier() -> None:
    keys = SmoothKeys(np.array([0.0, 12.0]), np.array([0.2, 0.8]), np.array([0.0, -0.1]), np.array([0.1, 0.0]))
    left, right = keys.handles()
    u = np.linspace(0, 1, 13)
    points = (np.array([0.0, 0.2]), right[0], left[1], np.array([12.0, 0.8]))
    weights = ((1 - u) ** 3, 3 * u * (1 - u) ** 2, 3 * u**2 * (1 - u), u**3)
    drawn = sum(weight[:, None] * point for weight, point in zip(weights, points, strict=True))
    np.testing.assert_allclose(drawn[:, 0], 12 * u, atol=1e-12)
    np.testing.assert_allclose(drawn[:, 1], keys.at(12 * u), atol=1e-12)


def test_held_frames_lie_on_the_grid() -> None:
    assert held_frames(11, 20, 2, origin=1).tolist() == [11, 13, 15, 17, 19]
    assert held_frames(12, 20, 3, origin=11).tolist() == [11, 14, 17, 20]
    assert held_frames(5.4, 7.6, 2).tolist() == [4, 6]


def test_what_is_wrong_is_said() -> None:
    frames, values = wave(120)
    with pytest.raises(CurvesError, match="tolerance"):
        smooth_keys(frames, values, -1)
    with pytest.raises(CurvesError, match="increasing"):
        smooth_keys(frames[::-1], values, 0.1)
    with pytest.raises(CurvesError, match="do not fit"):
        smooth_keys(frames[:0], values[:0], 0.1)
    with pytest.raises(CurvesError, match="held"):
        held_frames(0, 10, 0)
