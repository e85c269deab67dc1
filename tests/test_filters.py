"""Filters: exactness where it is promised, no ringing, no aliasing, a bound on key reduction."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from blendshape_rigs.curves import CurvesError, FaceCurves
from blendshape_rigs.filters import clamp, interpolate, one_euro, reduce_keys, resample, savitzky_golay


def curves_of(signal: npt.NDArray[np.floating], fps: float, start: float = 0.0) -> FaceCurves:
    """Return curves whose 58 channels all are ``signal`` (T,)."""
    return FaceCurves.zeros(len(signal), fps, start).with_stacked(np.repeat(signal[:, None], 58, axis=1))


def tone(frequency: float, fps: float, seconds: float = 4.0) -> npt.NDArray[np.float64]:
    return 0.5 + 0.4 * np.sin(2 * np.pi * frequency * np.arange(int(seconds * fps)) / fps)


def steps(frames: int = 200, seed: int = 0) -> npt.NDArray[np.float64]:
    """Return weights that jump between 0 and 1: the worst case for ringing."""
    return np.repeat(np.random.default_rng(seed).integers(0, 2, frames // 4), 4).astype(np.float64)


def test_clamp() -> None:
    np.testing.assert_array_equal(clamp(np.array([-0.1, 0.4, 1.2])), [0, 0.4, 1])


def test_savitzky_golay_keeps_polynomials_to_the_ends() -> None:
    time = np.linspace(-1, 1, 40)
    parabola = np.stack([2 * time**2 - time, 1 + time], axis=1)
    np.testing.assert_allclose(savitzky_golay(parabola, 9, 2), parabola, atol=1e-6)


def test_savitzky_golay_removes_noise_and_keeps_a_peak() -> None:
    time = np.arange(300) / 60
    peak = np.exp(-(((time - 2.5) / 0.15) ** 2))
    noisy = peak + 0.05 * np.random.default_rng(1).standard_normal(300)
    smooth = savitzky_golay(noisy, 9, 2)
    assert np.std(smooth - peak) < 0.6 * np.std(noisy - peak)
    assert abs(smooth.max() - 1) < 0.08


@pytest.mark.parametrize("frames", [1, 2, 3, 4, 6])
def test_savitzky_golay_of_short_clips_uses_the_window_that_fits(frames: int) -> None:
    line = np.linspace(0, 1, frames)
    np.testing.assert_allclose(savitzky_golay(line, 7, 2), line, atol=1e-6)


def test_savitzky_golay_refuses_an_even_window() -> None:
    with pytest.raises(CurvesError, match="odd"):
        savitzky_golay(np.zeros(10), 4)


def test_one_euro_is_causal_stays_in_range_and_quietens_jitter() -> None:
    noisy = 0.3 + 0.02 * np.random.default_rng(2).standard_normal((240, 3))
    smooth = one_euro(noisy, 60)
    assert smooth[60:].std() < 0.4 * noisy[60:].std()
    assert smooth.min() >= noisy.min() and smooth.max() <= noisy.max() + 1e-7
    np.testing.assert_array_equal(one_euro(noisy[:100], 60), smooth[:100])


def test_one_euro_lags_less_with_speed_gain() -> None:
    ramp = np.clip(np.arange(120) / 60 * 4 - 2, 0, 1)
    lag = [np.abs(one_euro(ramp, 60, speed_gain=gain) - ramp).max() for gain in (0.0, 5.0)]
    assert lag[1] < 0.5 * lag[0]


@pytest.mark.parametrize("fps", [1, 12.5, 23.976, 24, 25, 29.97, 30, 48, 59.94, 60, 120, 240])
@pytest.mark.parametrize("source_fps", [25.0, 30.0, 60.0])
def test_resampling_keeps_range_start_and_end(source_fps: float, fps: float) -> None:
    source = curves_of(steps(), source_fps, start=1.25)
    resampled = resample(source, fps)
    assert resampled.fps == fps and resampled.start == 1.25
    # The duration stays, to less than a frame.
    assert 0 <= resampled.duration - source.duration + 1e-6 < 1 / fps + 2e-6
    assert resampled.values.min() >= 0 and resampled.values.max() <= 1


def test_resampling_to_a_multiple_passes_through_every_sample() -> None:
    source = curves_of(np.random.default_rng(3).random(100), 30.0)
    np.testing.assert_allclose(resample(source, 60).values[::2], source.values, atol=1e-7)
    np.testing.assert_array_equal(resample(source, 30).values, source.values)


def test_upsampling_is_smooth() -> None:
    resampled = resample(curves_of(tone(2, 30), 30.0), 120).values[:, 0]
    # After the last old sample there is nothing to interpolate to: the curve stays.
    inside = len(resampled) - 3
    assert np.abs(resampled - tone(2, 120)[: len(resampled)])[:inside].max() < 0.01
    assert (resampled[inside:] == resampled[inside]).all()


@pytest.mark.parametrize("frequency", [18, 22, 27])
def test_downsampling_does_not_alias(frequency: float) -> None:
    halved = resample(curves_of(tone(frequency, 60), 60.0), 30).values[10:-10, 0]
    assert np.std(halved) < (0.25 if frequency < 20 else 0.05) * 0.4 / np.sqrt(2)


@pytest.mark.parametrize("fps", [50.0, 30.0, 29.97, 24.0])
def test_downsampling_filters_only_as_much_as_needed(fps: float) -> None:
    """Speech moves lips at up to about 6 Hz: that must come through with its height and in its place."""
    resampled = resample(curves_of(tone(6, 60), 60.0), fps)
    truth = 0.5 + 0.4 * np.sin(2 * np.pi * 6 * resampled.times)
    inner = slice(10, -10)
    assert np.abs(resampled.values[inner, 0] - truth[inner]).max() < 0.03


def test_resampling_up_and_down_again_restores_slow_motion() -> None:
    source = curves_of(tone(3, 30), 30.0)
    back = resample(resample(source, 60), 30)
    assert np.abs(back.values - source.values)[5:-5].max() < 0.01


def test_constants_stay_exact() -> None:
    source = curves_of(np.full(50, 0.3), 60.0)
    assert (resample(source, 24).values == np.float32(0.3)).all()
    assert (resample(source, 144).values == np.float32(0.3)).all()


def test_resampling_edge_cases() -> None:
    assert len(resample(FaceCurves.zeros(0, 30), 60)) == 0
    assert len(resample(FaceCurves.zeros(1, 30), 60)) == 2
    assert len(resample(FaceCurves.zeros(1, 30), 24)) == 1
    for fps in (0, -1, float("nan"), 1e9):
        with pytest.raises(CurvesError, match="fps"):
            resample(FaceCurves.zeros(5, 30), fps)


def test_interpolation_of_uneven_samples_is_monotone_between_them() -> None:
    random = np.random.default_rng(4)
    times = np.cumsum(random.uniform(0.01, 0.2, 60))
    values = random.random((60, 5))
    fine = np.linspace(times[0] - 0.1, times[-1] + 0.1, 5000)
    curve = interpolate(times, values, fine)
    np.testing.assert_allclose(interpolate(times, values, times), values, atol=1e-7)
    left = np.clip(np.searchsorted(times, fine) - 1, 0, 58)
    low = np.minimum(values[left], values[left + 1])
    high = np.maximum(values[left], values[left + 1])
    assert (curve >= low - 1e-7).all() and (curve <= high + 1e-7).all()


@pytest.mark.parametrize("tolerance", [0.0, 1e-4, 0.01, 0.2])
@pytest.mark.parametrize("kind", ["smooth", "noise", "steps"])
def test_reduced_keys_keep_the_promised_bound(kind: str, tolerance: float) -> None:
    times = np.arange(500) / 30
    random = np.random.default_rng(5)
    phase = random.uniform(0, 6, 8)
    values = {
        "smooth": 0.5 + 0.5 * np.sin(times[:, None] * (1 + np.arange(8)) + phase),
        "noise": random.random((500, 8)),
        "steps": np.repeat(random.integers(0, 2, (50, 8)), 10, axis=0),
    }[kind].astype(np.float32)
    keys = reduce_keys(times, values, tolerance)
    assert len(keys) == 8
    for column, kept in zip(values.T.astype(np.float64), keys, strict=True):
        assert kept[0] == 0 and kept[-1] == 499 and (np.diff(kept) > 0).all()
        error = np.abs(np.interp(times, times[kept], column[kept]) - column)
        assert error.max() <= max(tolerance, 2e-12)


def test_key_reduction_is_worth_it() -> None:
    times = np.arange(18000) / 30
    values = 0.5 + 0.5 * np.sin(times[:, None] * np.linspace(0.5, 6, 52))
    kept = sum(len(keys) for keys in reduce_keys(times, values, 0.01))
    assert kept < 0.35 * values.size


def test_still_and_straight_curves_need_two_keys() -> None:
    times = np.arange(100) / 30
    values = np.stack([np.full(100, 0.3), times, np.zeros(100)], axis=1)
    assert [keys.tolist() for keys in reduce_keys(times, values, 1e-4)] == [[0, 99]] * 3
    assert [keys.tolist() for keys in reduce_keys(times[:1], values[:1], 0.1)] == [[0]] * 3
    assert [keys.tolist() for keys in reduce_keys(times[:0], values[:0], 0.1)] == [[]] * 3


def test_key_reduction_refuses_times_that_go_back() -> None:
    with pytest.raises(CurvesError, match="increasing"):
        reduce_keys(np.array([0.0, 1.0, 1.0]), np.zeros((3, 2)), 0.1)
    with pytest.raises(CurvesError, match="tolerance"):
        reduce_keys(np.arange(3.0), np.zeros((3, 2)), -0.1)
