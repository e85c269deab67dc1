"""Pure filters on animation curves: range, smoothing, resampling and key reduction.

Arrays have time along the first axis, (T,) or (T, C). None of these functions changes its arguments.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .curves import CurvesError, FaceCurves

FloatArray = npt.NDArray[np.floating[Any]]

MAX_FRAMES = 5_000_000
"""The most frames that :func:`resample` makes: 5.8 hours at 240 frames per second."""
SINC_LOBES = 3


def clamp(values: FloatArray, low: float = 0.0, high: float = 1.0) -> FloatArray:
    """Return ``values`` limited to [low, high]."""
    return np.clip(values, low, high)


def savitzky_golay(values: FloatArray, window: int = 7, order: int = 2) -> FloatArray:
    """Smooth by fitting a polynomial in a sliding window, which keeps peaks higher than an average does.

    The first and last half window are read from the polynomial of the nearest whole window. A clip shorter
    than ``window`` uses the longest odd window that fits in it, and is returned as it is when that cannot
    hold the polynomial. The result may leave the input's range a little: :func:`clamp` it.

    Args:
        values: (T,) or (T, C).
        window: odd number of frames.
        order: degree of the polynomial, below ``window``.

    Returns:
        float32 array of the shape of ``values``.

    Raises:
        CurvesError: for an even window, or an order outside [0, window).

    Source: Savitzky and Golay, "Smoothing and differentiation of data by simplified least squares
    procedures", 1964.
    """
    if window < 1 or window % 2 == 0:
        raise CurvesError(f"the smoothing window is {window} frames; choose an odd number")
    if not 0 <= order < window:
        raise CurvesError(f"the smoothing order is {order}; choose 0 to {window - 1}")
    frames = len(values)
    window = min(window, frames - 1 + frames % 2)
    if order >= window:
        return np.array(values, np.float32)
    half = window // 2
    # Scaled to [-1, 1]: powers of whole frames would make the fit of wide windows inexact.
    basis = np.vander(np.linspace(-1, 1, window), order + 1)
    fit = basis @ np.linalg.pinv(basis)
    source = np.asarray(values, np.float64)
    smooth = np.empty_like(source)
    smooth[:half] = np.tensordot(fit[:half], source[:window], 1)
    smooth[frames - half :] = np.tensordot(fit[window - half :], source[frames - window :], 1)
    middle = frames - window + 1
    smooth[half : half + middle] = sum(fit[half, k] * source[k : k + middle] for k in range(window))
    return smooth.astype(np.float32)


def one_euro(
    values: FloatArray,
    fps: float,
    minimum_cutoff: float = 1.5,
    speed_gain: float = 0.7,
    speed_cutoff: float = 1.0,
) -> FloatArray:
    """Smooth causally with the One-Euro filter: strong on slow motion and light, with little lag, on fast.

    A frame depends on no later frame, so the filter also suits live streams. The result stays within the
    input's range.

    Args:
        values: (T,) or (T, C).
        fps: frames per second.
        minimum_cutoff: cutoff frequency in Hz at rest; lower is smoother.
        speed_gain: Hz of cutoff added for each unit per second of speed; higher lags less.
        speed_cutoff: cutoff frequency in Hz for the speed itself.

    Returns:
        float32 array of the shape of ``values``.

    Source: Casiez, Roussel and Vogel, "1€ Filter", CHI 2012.
    """
    if fps <= 0 or minimum_cutoff <= 0 or speed_cutoff <= 0 or speed_gain < 0:
        raise CurvesError("One-Euro: fps and cutoffs must be above zero and the speed gain not negative")
    source = np.asarray(values, np.float64)
    smooth = source.copy()
    if not len(source):
        return smooth.astype(np.float32)
    speed = np.zeros_like(source[0])
    speed_weight = _smoothing_weight(speed_cutoff, fps)
    for frame in range(1, len(source)):
        # The speed comes from the raw signal, as in the authors' reference code.
        speed = speed + speed_weight * ((source[frame] - source[frame - 1]) * fps - speed)
        weight = _smoothing_weight(minimum_cutoff + speed_gain * np.abs(speed), fps)
        smooth[frame] = smooth[frame - 1] + weight * (source[frame] - smooth[frame - 1])
    return smooth.astype(np.float32)


def _smoothing_weight(cutoff: npt.ArrayLike, fps: float) -> npt.NDArray[np.float64]:
    """Return the weight of the new sample in an exponential filter with ``cutoff`` Hz."""
    turn = 2 * np.pi * np.asarray(cutoff, np.float64) / fps
    return turn / (turn + 1)


def interpolate(times: FloatArray, values: FloatArray, at: FloatArray) -> FloatArray:
    """Return smooth (C1) curves through ``values``, read at ``at``; constant outside ``times``.

    Between two samples a curve is monotone: it neither overshoots nor rings, so weights in [0, 1] stay there.

    Args:
        times: (T,) increasing, T at least 1.
        values: (T, C).
        at: (N,) in the unit of ``times``.

    Returns:
        (N, C) float32.

    Source: Fritsch and Butland, "A method for constructing local monotone piecewise cubic interpolants",
    1984.
    """
    times = np.asarray(times, np.float64)
    source = np.asarray(values, np.float64)
    if len(times) == 1:
        return np.repeat(source, len(at), axis=0).astype(np.float32)
    step = np.diff(times)
    tangents = _monotone_tangents(step, source)
    at = np.clip(at, times[0], times[-1])
    left = np.clip(np.searchsorted(times, at, side="right") - 1, 0, len(times) - 2)
    width = step[left][:, None]
    u = (at - times[left])[:, None] / width
    start, end = source[left], source[left + 1]
    rise = end - start
    toward, away = tangents[left] * width - rise, tangents[left + 1] * width - rise
    result: npt.NDArray[np.float64] = start + u * (rise + (1 - u) * ((1 - u) * toward - u * away))
    # Rounding may leave the two samples' range by a last digit.
    return np.clip(result, np.minimum(start, end), np.maximum(start, end)).astype(np.float32)


def _monotone_tangents(step: npt.NDArray[np.float64], source: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return (T, C) tangents that keep each piece monotone, for (T - 1,) steps and (T, C) samples."""
    slope = np.diff(source, axis=0) / step[:, None]
    tangents = np.empty_like(source)
    tangents[0], tangents[-1] = slope[0], slope[-1]
    before, after = slope[:-1], slope[1:]
    weight_before = (step[:-1] + 2 * step[1:])[:, None]
    weight_after = (2 * step[:-1] + step[1:])[:, None]
    same_way = before * after > 0
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        harmonic = (weight_before + weight_after) / (weight_before / before + weight_after / after)
    tangents[1:-1] = np.where(same_way, harmonic, 0.0)
    return tangents


def resample(curves: FaceCurves, fps: float) -> FaceCurves:
    """Return ``curves`` at another frame rate; frame i is exactly at ``curves.start + i / fps`` seconds.

    The last frame is the last one before the end of ``curves``, so that the duration stays. Towards more
    frames the curves are interpolated smoothly and pass through every old sample. Towards fewer frames they
    are first low-passed at half the new rate (a windowed sinc), no lower, so that jitter does not fold into
    slow wobble. Either way each new value lies within the range of the old samples around it: there is no
    ringing, and weights never fall below 0.

    Raises:
        CurvesError: for an ``fps`` outside (0, 1000] or too many frames.
    """
    if not 0 < fps <= 1000:
        raise CurvesError(f"fps is {fps}; choose a frame rate above 0 and up to 1000")
    if fps == curves.fps or not len(curves):
        return curves.with_stacked(curves.stacked(), fps=fps)
    # The small term keeps rounding from adding a frame at the very end.
    count = int(np.ceil(len(curves) * fps / curves.fps - 1e-6))
    if count > MAX_FRAMES:
        raise CurvesError(f"{count} frames at {fps:g} fps are too many; split the performance")
    ratio = curves.fps / fps
    return curves.with_stacked(read_at(curves.stacked(), np.arange(count) * ratio, ratio), fps=fps)


def read_at(source: FloatArray, position: npt.NDArray[np.float64], ratio: float) -> FloatArray:
    """Return (N, C) float32 curves read at ``position``: the work of :func:`resample`.

    A position depends on no sample further away than ``SINC_LOBES * max(ratio, 1) + 1``, so that long curves can be
    read piece by piece. Beyond the last sample the curves stay as they are.

    Args:
        source: (T, C) samples.
        position: (N,) in samples.
        ratio: old samples to a new one.
    """
    if ratio == 1:
        return np.asarray(source[np.round(position).astype(np.intp)], np.float32)
    if ratio < 1:
        return interpolate(np.arange(len(source), dtype=np.float64), source, position)
    return _low_pass(source, position, ratio)


def _low_pass(source: FloatArray, position: npt.NDArray[np.float64], ratio: float) -> FloatArray:
    """Return (N, C) ``source`` low-passed for ``ratio`` >= 1 old per new sample, at ``position`` samples."""
    last = len(source) - 1
    nearest = np.round(position).astype(np.intp)
    reach = int(np.ceil(SINC_LOBES * ratio))
    total = np.zeros((len(position), source.shape[1]))
    weights = np.zeros((len(position), 1))
    lowest = np.full(total.shape, np.inf)
    highest = np.full(total.shape, -np.inf)
    for offset in range(-reach, reach + 1):
        sample = source[np.clip(nearest + offset, 0, last)]
        distance = (nearest + offset - position)[:, None] / ratio
        window = np.cos(np.pi / 2 * np.clip(distance / SINC_LOBES, -1, 1)) ** 2
        weight = np.sinc(distance) * window
        total += weight * sample
        weights += weight
        near = np.abs(distance) <= 1
        lowest = np.where(near, np.minimum(lowest, sample), lowest)
        highest = np.where(near, np.maximum(highest, sample), highest)
    return np.clip(total / weights, lowest, highest).astype(np.float32)


def reduce_keys(times: FloatArray, values: FloatArray, tolerance: float) -> list[npt.NDArray[np.intp]]:
    """Choose keys for each curve so that straight lines between them are within ``tolerance`` at every frame.

    Keys are a subset of the frames and keep their exact values; the first and last frame are always among
    them, and a still curve needs no others. One pass over the frames, all curves at once.

    Args:
        times: (T,) increasing, in any unit.
        values: (T, C).
        tolerance: the largest error allowed at any frame, in the unit of ``values``, 0 or more.

    Returns:
        C arrays of increasing frame indices.

    Raises:
        CurvesError: for a negative tolerance, times that do not increase, or shapes that do not fit.
    """
    times = np.asarray(times, np.float64)
    source = np.asarray(values, np.float64)
    if source.ndim != 2 or times.shape != (len(source),):
        raise CurvesError(f"times of shape {times.shape} and values of shape {source.shape} do not fit")
    if not tolerance >= 0 or (np.diff(times) <= 0).any():
        raise CurvesError("key reduction needs increasing times and a tolerance of 0 or more")
    is_key = np.zeros(source.shape, bool)
    is_key[:1] = is_key[-1:] = True
    # A line from the last key passes every frame so far within tolerance while its slope is in [low, high].
    # The margin is for rounding, so that the promise holds to the last digit.
    margin = max(tolerance * (1 - 1e-6), 1e-12)
    key_time = np.full(source.shape[1], times[0] if len(times) else 0.0)
    key_value = source[0].copy() if len(times) else np.zeros(source.shape[1])
    low = np.full(source.shape[1], -np.inf)
    high = np.full(source.shape[1], np.inf)
    for frame in range(1, len(times)):
        span = times[frame] - key_time
        rise = source[frame] - key_value
        slope = rise / span
        broken = (slope < low) | (slope > high)
        if broken.any():
            is_key[frame - 1] |= broken
            key_time[broken] = times[frame - 1]
            key_value[broken] = source[frame - 1, broken]
            low[broken], high[broken] = -np.inf, np.inf
            span = times[frame] - key_time
            rise = source[frame] - key_value
        low = np.maximum(low, (rise - margin) / span)
        high = np.minimum(high, (rise + margin) / span)
    return [np.flatnonzero(column) for column in is_key.T]
