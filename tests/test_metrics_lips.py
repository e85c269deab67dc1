"""Measures of the mouth, on curves whose answer is known."""

import numpy as np
import pytest

from blendshape_rigs.arkit import ARKIT_INDEX
from model_server.metrics.closures import TimedPhone, constraint_rate, labiodental_rate, measure_lips, sibilant_rate
from model_server.metrics.correlation import best_lag, correlation
from model_server.metrics.loudness import loudness_to_jaw
from model_server.metrics.mouth_mesh import load_mouth_mesh
from model_server.metrics.rounding import area_under_curve, phone_means, rounding_auc


def weights(frames: int = 1, **channels: float) -> np.ndarray:
    values = np.zeros((frames, 52), np.float32)
    for name, value in channels.items():
        values[:, ARKIT_INDEX[name]] = value
    return values


def test_the_mesh_moves_as_a_mouth_does() -> None:
    mesh = load_mouth_mesh()
    rest = weights()
    assert mesh.lip_gap(rest) == pytest.approx(0, abs=1e-5)
    assert mesh.width(rest)[0] == pytest.approx(0.045, abs=0.005)
    assert mesh.width(weights(mouthPucker=1.0))[0] < mesh.width(rest)[0] - 0.015
    assert mesh.width(weights(mouthStretchLeft=1.0, mouthStretchRight=1.0))[0] > mesh.width(rest)[0] + 0.01
    assert mesh.teeth_gap(weights(jawOpen=1.0))[0] == pytest.approx(mesh.teeth_gap(rest)[0] + 0.023, abs=0.002)


def test_the_threshold_of_closure_counts() -> None:
    gap = np.full(100, 0.008)
    gap[40:50] = 0.0018
    truth = [TimedPhone("a", 0, 0.4), TimedPhone("p", 0.4, 0.5), TimedPhone("a", 0.5, 1.0)]
    recalls = [measure_lips([gap], [truth], 100, closed).recall for closed in (0.001, 0.0015, 0.002)]
    assert recalls == [0, 0, 1]


def test_constraints_count_phones_that_fulfil_them_once() -> None:
    truth = [TimedPhone("f", 0, 0.1), TimedPhone("s", 0.1, 0.2), TimedPhone("v", 0.2, 0.3), TimedPhone("z", 0.3, 0.4)]
    gap, roll, teeth = np.full(40, 0.003), np.zeros(40), np.full(40, 0.006)
    roll[5] = 0.2
    teeth[15:18] = 0.002
    assert labiodental_rate([gap], [roll], [truth], 100) == 0.5
    assert sibilant_rate([teeth], [truth], 100) == 0.5
    assert np.isnan(constraint_rate([roll > 0], [truth], frozenset("p"), 100, 0.04))


def test_area_under_curve_counts_pairs() -> None:
    assert area_under_curve(np.array([2.0, 3.0]), np.array([0.0, 1.0])) == 1
    assert area_under_curve(np.array([1.0, 3.0]), np.array([0.0, 2.0])) == 0.75
    assert area_under_curve(np.ones(3), np.ones(4)) == 0.5
    assert np.isnan(area_under_curve(np.ones(3), np.ones(0)))


def test_rounding_is_told_from_spreading_in_the_middle_of_phones() -> None:
    truth = [TimedPhone("u", 0, 0.4), TimedPhone("i", 0.4, 0.8), TimedPhone("o", 0.8, 1.2), TimedPhone("ɪ", 1.2, 1.6)]
    score = np.zeros(160)
    score[10:30] = score[90:110] = 1
    assert rounding_auc([score], [truth], 100) == 1
    assert rounding_auc([-score], [truth], 100) == 0
    assert phone_means([score], [truth], frozenset("u"), 100) == pytest.approx([20 / 21])


def test_correlation_and_the_best_lag() -> None:
    generator = np.random.default_rng(0)
    truth = np.convolve(generator.standard_normal(520), np.ones(10), "same")
    late, now = truth[:500], truth[5:505]
    assert correlation(now, 3 * now + 2) == pytest.approx(1)
    assert correlation(now, -now) == pytest.approx(-1)
    assert correlation(np.ones(500), now) == 0
    lag, r = best_lag(late, now, 50)
    assert (lag, r) == (pytest.approx(0.1), pytest.approx(1))
    assert correlation(late, now) < 0.7


def test_the_loudness_baseline_opens_with_the_sound() -> None:
    rate = 16_000
    sound = np.sin(2 * np.pi * 200 * np.arange(2 * rate) / rate).astype(np.float32)
    sound[:rate] *= 1e-4
    jaw = loudness_to_jaw(sound, rate, 50, 100)
    assert jaw[:40].max() < 0.02
    assert jaw[60:95] == pytest.approx(0.4, abs=0.02)
