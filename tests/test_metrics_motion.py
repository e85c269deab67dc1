"""Measures of motion, emotion and style, on curves whose answer is known."""

import numpy as np
import pytest

from model_server.metrics.beats import beat_consistency, motion_beats, speech_onsets
from model_server.metrics.frechet import WindowSpace, frechet_distance, window_statistics
from model_server.metrics.motion import diversity, dynamics_deviation, jerk, measure_blinks, seam_ratio, speed
from model_server.metrics.statistics import (
    accuracy,
    channel_statistics,
    confusion,
    nearest_centroid,
    retrieval,
    spearman,
    strength,
)


def test_speed_and_jerk_are_in_units_of_seconds() -> None:
    times = np.arange(100) / 50
    face = np.stack([2 * times, times**3], axis=1)
    assert speed(face, 50)[:, 0] == pytest.approx(2)
    assert jerk(face, 50)[:, 0] == pytest.approx(0, abs=1e-6)
    assert jerk(face, 50)[:, 1] == pytest.approx(6)


def test_a_jump_at_a_window_edge_is_seen_and_a_smooth_one_is_not() -> None:
    smooth = np.sin(np.arange(400) / 10)[:, None]
    assert seam_ratio(smooth, [180, 340]) == pytest.approx(1, abs=0.6)
    broken = smooth.copy()
    broken[180:] += 0.2
    assert seam_ratio(broken, [180]) > 10
    assert np.isnan(seam_ratio(smooth, []))


def test_blinks_are_counted_with_their_duration() -> None:
    lid = np.zeros(60 * 50)
    for start in (100, 900, 2000):
        lid[start : start + 10] = 0.9
    lid[2500:2600] = 0.4
    blinks = measure_blinks([lid], 50)
    assert blinks.per_minute == pytest.approx(3)
    assert blinks.duration == pytest.approx(0.2)
    assert blinks.depth == pytest.approx(0.9)
    assert np.isnan(measure_blinks([np.zeros(100)], 50).duration)


def test_dynamics_deviation_and_diversity() -> None:
    wave = np.sin(np.linspace(0, 20 * np.pi, 1000, endpoint=False))[:, None]
    truth = np.concatenate([wave, wave], axis=1)
    face = np.concatenate([0.5 * wave, 1.5 * wave], axis=1)
    signed, absolute = dynamics_deviation(face, truth)
    assert signed == pytest.approx(0, abs=1e-9)
    assert absolute == pytest.approx(0.5 / np.sqrt(2))
    assert diversity([np.zeros((5, 2)), np.ones((5, 2))]) == pytest.approx(np.sqrt(2))
    assert diversity([np.ones((5, 2))] * 3) == 0
    assert np.isnan(diversity([np.ones((5, 2))]))


def test_onsets_are_where_bursts_begin() -> None:
    rate = 16_000
    sound = 1e-4 * np.random.default_rng(0).standard_normal(3 * rate).astype(np.float32)
    for start in (0.5, 1.2, 2.0):
        place = int(start * rate)
        sound[place : place + 3200] += np.sin(np.arange(3200) / 5).astype(np.float32)
    assert speech_onsets(sound, rate) == pytest.approx([0.5, 1.2, 2.0], abs=0.03)


def test_beats_are_where_motion_rests() -> None:
    times = np.arange(200) / 50
    face = np.sin(2 * np.pi * times)[:, None]
    assert motion_beats(face, 50) == pytest.approx([0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3.25, 3.75], abs=0.03)
    assert beat_consistency(np.array([1.0, 2.0]), np.array([1.0, 2.0, 3.0])) == 1
    assert beat_consistency(np.array([1.0]), np.array([1.1])) == pytest.approx(np.exp(-0.5))
    assert beat_consistency(np.array([1.0]), np.zeros(0)) == 0
    assert np.isnan(beat_consistency(np.zeros(0), np.array([1.0])))


def test_classes_are_told_by_the_other_groups_means() -> None:
    generator = np.random.default_rng(0)
    labels = ["a", "b", "c"] * 6
    groups = [str(index // 3) for index in range(18)]
    features = np.eye(3)[[ord(label) - ord("a") for label in labels]] + 0.05 * generator.standard_normal((18, 3))
    guesses = nearest_centroid(features, labels, groups)
    assert accuracy(guesses, labels) == 1
    assert confusion(guesses, labels, ["a", "b", "c"]).tolist() == np.eye(3).tolist()
    assert confusion(["b", "b"], ["a", "b"], ["a", "b"]).tolist() == [[0, 1], [0, 1]]
    with pytest.raises(ValueError, match="another one"):
        nearest_centroid(features, labels, ["one"] * 18)


def test_rows_that_are_all_alike_are_guessed_by_chance() -> None:
    labels = ["a", "b", "c", "d"] * 50
    groups = [str(index // 4) for index in range(200)]
    assert accuracy(nearest_centroid(np.ones((200, 5)), labels, groups), labels) == pytest.approx(0.25, abs=0.1)


def test_channel_statistics_are_means_and_deviations() -> None:
    face = np.array([[0.0, 1.0], [2.0, 1.0]])
    assert channel_statistics(face).tolist() == [1, 1, 1, 0]


def test_strength_and_its_rank_correlation() -> None:
    neutral, full = np.zeros((4, 3)), np.tile([0.4, 0.0, 0.8], (4, 1))
    assert strength(neutral, neutral, full) == 0
    assert strength(full, neutral, full) == pytest.approx(1)
    assert strength(0.25 * full + [0, 7, 0], neutral, full) == pytest.approx(0.25)
    assert spearman([0, 0.5, 1], [1, 5, 6]) == pytest.approx(1)
    assert spearman([0, 0.5, 1], [6, 5, 1]) == pytest.approx(-1)
    assert spearman([0, 0.5, 1], [2, 2, 2]) == 0


def test_takes_find_their_style_clips() -> None:
    clips = np.diag([1.0, 2.0, 3.0, 4.0])
    assert retrieval(0.9 * clips, clips) == (1, pytest.approx(0, abs=0.15))
    found, ratio = retrieval(np.tile(clips.mean(axis=0), (4, 1)), clips)
    assert found == 0.25
    assert ratio == pytest.approx(1, abs=0.2)


def test_frechet_distance_of_gaussians() -> None:
    generator = np.random.default_rng(1)
    points = generator.standard_normal((4000, 3))
    assert frechet_distance(points, points) == pytest.approx(0, abs=1e-6)
    assert frechet_distance(points, points + np.array([3, 0, 0])) == pytest.approx(9, rel=1e-6)
    # Deviations 1 and 2 in three dimensions: 3 (2 - 1)².
    assert frechet_distance(points, 2 * points) == pytest.approx(3, rel=0.05)
    still = np.zeros((10, 3))
    assert frechet_distance(points, still) == pytest.approx(3, rel=0.05)


def test_the_window_space_has_unit_variance_in_its_reference() -> None:
    generator = np.random.default_rng(2)
    faces = [np.cumsum(generator.standard_normal((500, 4)), axis=0) for _ in range(3)]
    statistics = window_statistics(faces, 25)
    assert statistics.shape == (3 * 40, 12)
    space = WindowSpace.fit(statistics)
    assert space(statistics).std(axis=0) == pytest.approx(1)
    first = faces[0][:25]
    assert statistics[0, :4] == pytest.approx(first.mean(axis=0))
    assert statistics[0, 8:] == pytest.approx(25 * np.abs(np.diff(first, axis=0)).mean(axis=0))
