"""A range of one performance in another: where it is whole, how it fades, and how heads turn between the two."""

from __future__ import annotations

import numpy as np
import pytest

from blendshape_rigs.blend import crossfade, head_angles, head_quaternions, merge_range, slerp
from blendshape_rigs.curves import CurvesError, FaceCurves, Provenance


def performance(level: float, frames: int = 60, fps: float = 30.0, start: float = 0.0) -> FaceCurves:
    """Return a smooth performance about ``level`` in all channels."""
    times = start + np.arange(frames) / fps
    wave = level + 0.1 * np.sin(2 * np.pi * times[:, None] + np.arange(58))
    curves = FaceCurves.zeros(frames, fps, start)
    return curves.with_stacked(wave.astype(np.float32), provenance=Provenance(emotion=f"level {level}"))


def matrices(head_rotation: np.ndarray) -> np.ndarray:
    """Return (T, 3, 3) of pitch, yaw, roll by the definition of FaceCurves, axes left, up, forward."""
    result = []
    for pitch, yaw, roll in np.asarray(head_rotation, np.float64):
        cy, sy, cp, sp, cr, sr = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch), np.cos(roll), np.sin(roll)
        about_up = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
        about_left = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
        about_forward = np.array([[cr, sr, 0], [-sr, cr, 0], [0, 0, 1]])
        result.append(about_up @ about_left @ about_forward)
    return np.array(result)


def test_outside_is_the_base_and_inside_the_other_to_the_bit() -> None:
    base, other = performance(0.2), performance(0.6)
    merged = merge_range(base, other, 20, 39, 5)
    np.testing.assert_array_equal(merged.stacked()[:20], base.stacked()[:20])
    np.testing.assert_array_equal(merged.stacked()[40:], base.stacked()[40:])
    np.testing.assert_array_equal(merged.stacked()[25:35], other.stacked()[25:35])
    assert merged.provenance.emotion == "level 0.2 + level 0.6"
    assert (merged.fps, merged.start) == (base.fps, base.start)


def test_weights_fade_smoothly_at_both_ends() -> None:
    weights = crossfade(60, 20, 39, 5)
    assert weights[19] == weights[40] == 0
    np.testing.assert_allclose(weights[20:25], weights[35:40][::-1])
    np.testing.assert_allclose(weights[22], 0.5)
    assert (np.diff(weights[19:26]) > 0).all()
    # A smooth step is level at its ends: the first change is smaller than the one in the middle.
    assert weights[20] < 0.5 * (weights[23] - weights[22])
    base, other = performance(0.2), performance(0.6)
    merged = merge_range(base, other, 20, 39, 5)
    expected = base.values + weights[:, None] * (other.values - base.values)
    np.testing.assert_allclose(merged.values, expected, atol=1e-6)
    np.testing.assert_allclose(
        merged.head_translation,
        base.head_translation + weights[:, None] * (other.head_translation - base.head_translation),
        atol=1e-6,
    )


def test_no_fade_where_the_performance_ends_and_shorter_ones_where_they_meet() -> None:
    assert crossfade(10, 0, 9, 4).tolist() == [1.0] * 10
    np.testing.assert_array_equal(crossfade(10, 0, 3, 2)[:2], [1, 1])
    short = crossfade(10, 4, 7, 50)
    np.testing.assert_allclose(short[4:8], short[4:8][::-1])
    assert crossfade(10, 4, 7, 0).tolist() == [0, 0, 0, 0, 1, 1, 1, 1, 0, 0]


def test_head_angles_and_quaternions_are_those_of_the_definition() -> None:
    angles = np.random.default_rng(3).uniform(-1.2, 1.2, (50, 3))
    quaternions = head_quaternions(angles)
    np.testing.assert_allclose(head_angles(quaternions[:1]), angles[:1], atol=1e-9)
    w, x, y, z = quaternions.T
    forward = np.stack([2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y)], axis=1)
    up = np.stack([2 * (x * y - w * z), 1 - 2 * (x * x + z * z), 2 * (y * z + w * x)], axis=1)
    np.testing.assert_allclose(forward, matrices(angles)[:, :, 2], atol=1e-12)
    np.testing.assert_allclose(up, matrices(angles)[:, :, 1], atol=1e-12)
    for angle in angles:
        np.testing.assert_allclose(head_angles(head_quaternions(angle[None]))[0], angle, atol=1e-9)


def test_head_turns_on_the_shortest_way() -> None:
    base, other = FaceCurves.zeros(30, 30.0), FaceCurves.zeros(30, 30.0)
    base.head_rotation[:] = (0.3, 0.8, 0.0)
    other.head_rotation[:] = (-0.4, -0.7, 0.5)
    merged = merge_range(base, other, 10, 29, 9)
    weights = crossfade(30, 10, 29, 9)
    one, two = matrices(base.head_rotation[:1])[0], matrices(other.head_rotation[:1])[0]
    whole = np.arccos((np.trace(one.T @ two) - 1) / 2)
    for frame in range(10, 20):
        turned = matrices(merged.head_rotation[frame : frame + 1])[0]
        # The angle from the base grows as the weight does: a great circle at the right pace.
        done = np.arccos(np.clip((np.trace(one.T @ turned) - 1) / 2, -1, 1))
        np.testing.assert_allclose(done, weights[frame] * whole, atol=1e-5)


def test_slerp_takes_the_other_sign_of_a_quaternion_as_the_same_turn() -> None:
    one, other = head_quaternions([[0.0, 0.5, 0.0]]), head_quaternions([[0.0, 0.9, 0.0]])
    half = np.array([0.5])
    np.testing.assert_allclose(head_angles(slerp(one, -other, half)), [[0, 0.7, 0]], atol=1e-9)
    np.testing.assert_allclose(slerp(one, one, half), one, atol=1e-12)


def test_other_of_another_rate_and_start_is_read_at_the_same_seconds() -> None:
    base, other = performance(0.2, 60, 30.0), performance(0.6, 150, 60.0, start=-0.25)
    merged = merge_range(base, other, 20, 39, 0)
    np.testing.assert_allclose(merged.stacked()[20:40], performance(0.6).stacked()[20:40], atol=5e-3)


@pytest.mark.parametrize(
    ("first", "last", "fade", "said"),
    [
        (10, 5, 2, "no range"),
        (10, 60, 2, "no range"),
        (-1, 5, 2, "no range"),
        (10, 20, -1, "0 or more"),
        (10, 50, 2, "does not cover 0.33 to 1.67 s"),
    ],
)
def test_what_cannot_be_merged_says_why(first: int, last: int, fade: int, said: str) -> None:
    with pytest.raises(CurvesError, match=said):
        merge_range(performance(0.2), performance(0.6, 45), first, last, fade)
