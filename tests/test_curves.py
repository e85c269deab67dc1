"""FaceCurves keep their contract."""

from __future__ import annotations

import numpy as np
import pytest

from blendshape_rigs.curves import CurvesError, FaceCurves, concatenate


def test_times_and_duration() -> None:
    curves = FaceCurves.zeros(90, 30.0, start=2.0)
    assert len(curves) == 90 and curves.duration == 3.0
    np.testing.assert_array_equal(curves.times[[0, 30, 89]], [2.0, 3.0, 2.0 + 89 / 30])


def test_stacked_channels_round_trip() -> None:
    stacked = np.random.default_rng(0).random((7, 58), np.float32)
    curves = FaceCurves.zeros(7, 25.0).with_stacked(stacked, fps=50.0)
    np.testing.assert_array_equal(curves.stacked(), stacked)
    np.testing.assert_array_equal(curves.channel("jawOpen"), stacked[:, 17])
    assert curves.fps == 50.0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"values": np.zeros((3, 51))}, r"values has shape \(3, 51\)"),
        ({"head_rotation": np.zeros((2, 3))}, "head_rotation has shape"),
        ({"values": np.full((3, 52), np.nan)}, "not finite at frame 0"),
        ({"fps": 0.0}, "fps is 0"),
        ({"fps": float("nan")}, "fps is nan"),
        ({"start": float("inf")}, "start is inf"),
    ],
)
def test_a_broken_contract_is_refused(changes: dict[str, object], message: str) -> None:
    good = {
        "values": np.zeros((3, 52)),
        "head_rotation": np.zeros((3, 3)),
        "head_translation": np.zeros((3, 3)),
        "fps": 30.0,
    }
    with pytest.raises(CurvesError, match=message):
        FaceCurves(**(good | changes))  # type: ignore[arg-type]


def test_parts_join_in_order() -> None:
    first, second = FaceCurves.zeros(2, 30.0, start=1.0), FaceCurves.zeros(3, 30.0)
    second = second.with_stacked(np.ones((3, 58)))
    joined = concatenate([first, second])
    assert joined.start == 1.0 and joined.values[:, 0].tolist() == [0, 0, 1, 1, 1]
    with pytest.raises(CurvesError, match="different frame rates"):
        concatenate([first, FaceCurves.zeros(1, 25.0)])
    with pytest.raises(CurvesError, match="no curves"):
        concatenate([])
