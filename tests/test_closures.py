"""The measure of lips against speech, on gaps whose answer is known."""

import numpy as np
import pytest

from model_server.metrics.closures import TimedPhone, measure_lips

TRUTH = [
    TimedPhone("sil", 0.0, 0.5),
    TimedPhone("a", 0.5, 0.8),
    TimedPhone("m", 0.8, 0.9),
    TimedPhone("a", 0.9, 1.2),
    TimedPhone("p", 1.2, 1.3),
    TimedPhone("s", 1.3, 1.6),
]


def gap(closed: list[tuple[float, float]]) -> np.ndarray:
    times = np.arange(160) / 100
    values = np.full(160, 0.008)
    for start, end in closed:
        values[(times >= start) & (times < end)] = 0.0
    return values


def test_right_closures_score_one() -> None:
    figures = measure_lips([gap([(0, 0.5), (0.82, 0.88), (1.22, 1.28)])], [TRUTH], 100)
    assert (figures.bilabials, figures.recall, figures.precision, figures.f1) == (2, 1, 1, 1)
    assert figures.timing_error == pytest.approx(0.03, abs=0.011)
    assert figures.vowels_closed == 0
    assert figures.vowel_gap == pytest.approx(0.008)
    assert figures.silence_gap == 0


def test_missed_and_false_closures_count() -> None:
    figures = measure_lips([gap([(0.82, 0.88), (1.4, 1.45)])], [TRUTH], 100)
    assert figures.recall == 0.5
    assert figures.precision == 0.5
    assert figures.silence_gap == pytest.approx(0.008)


def test_a_mouth_that_never_opens_closes_its_vowels() -> None:
    figures = measure_lips([np.zeros(160)], [TRUTH], 100)
    assert figures.recall == 1
    assert figures.vowels_closed == 1
