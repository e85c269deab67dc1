"""What capture makes of exact landmarks: the solver, its windows, gaps and the person's own face."""

from __future__ import annotations

import numpy as np
import pytest

from blendshape_rigs.arkit import ARKIT_COUNT, ARKIT_INDEX
from blendshape_rigs.avatar import load_proxy_avatar
from model_server.capture.curve_solver import linked_frames, smoothed, solve_bounded
from model_server.capture.eye_curves import _pupil
from model_server.capture.landmark_curves import curves_of_track, open_track
from model_server.portrait.fit import rotation_matrix
from model_server.portrait.topology import IRIS_CENTRES

FPS = 30.0
SIZE = (640, 480)
SCALE = 1500.0  # pixels a metre
FRAMES = 1300
"""More than two windows of the solver."""


def known_values(frames: int = FRAMES) -> np.ndarray:
    """Return (T, 52) of a face that talks, smiles, blinks and frowns at times that have nothing in common."""
    time = np.arange(frames) / FPS
    values = np.zeros((frames, ARKIT_COUNT))
    for channels, rate, share in (
        (("jawOpen",), 1.3, 0.5),
        (("mouthSmileLeft", "mouthSmileRight"), 0.21, 0.3),
        (("browInnerUp",), 0.33, 0.3),
        (("browDownLeft", "browDownRight"), 0.27, 0.25),
        (("mouthPucker",), 0.47, 0.2),
        (("eyeBlinkLeft", "eyeBlinkRight"), 0.4, 0.1),
    ):
        wave = np.clip((np.sin(2 * np.pi * rate * time + rate * 40) - 1 + 2 * share) / (2 * share), 0, 1)
        values[:, [ARKIT_INDEX[channel] for channel in channels]] = 0.8 * wave[:, None]
    values[:, [ARKIT_INDEX["eyeBlinkLeft"], ARKIT_INDEX["eyeBlinkRight"]]] /= 0.8
    return values


def seen_landmarks(values: np.ndarray, angles: np.ndarray, identity: float, noise: float) -> np.ndarray:
    """Return (T, 478, 3) pixels of the avatar, wider or narrower than it is, before a distant camera."""
    avatar = load_proxy_avatar()
    points = [*avatar.landmark_vertices, *[int(avatar.landmark_vertices[0])] * 10]
    for side, centre in enumerate(IRIS_CENTRES):
        points[centre] = _pupil(side)
    rest = avatar.vertices[points].astype(np.float64) + identity * avatar.identities["width"][points]
    shape = rest + np.tensordot(values, avatar.deltas[:, points].astype(np.float64), 1)
    pivot = avatar.neck_pivot
    turned = np.stack(
        [(face - pivot) @ rotation_matrix(*angle).T + pivot for face, angle in zip(shape, angles, strict=True)]
    )
    generator = np.random.default_rng(7)
    return SCALE * turned + np.array([320, -240, 0]) + generator.normal(0, noise, turned.shape)


def solved(landmarks: np.ndarray, times: np.ndarray) -> np.ndarray:
    with open_track() as track:
        for frame in landmarks:
            track.add(frame.astype(np.float32))
        return curves_of_track(track, times, FPS, SIZE)


@pytest.fixture(scope="module")
def angles() -> np.ndarray:
    time = np.arange(FRAMES) / FPS
    return np.radians(np.stack([6 * np.sin(0.9 * time), 12 * np.sin(0.6 * time + 1), 5 * np.sin(0.7 * time + 2)], 1))


@pytest.fixture(scope="module")
def curves(angles: np.ndarray) -> np.ndarray:
    return solved(seen_landmarks(known_values(), angles, 0.8, 0.4), np.arange(FRAMES) / FPS)


@pytest.mark.parametrize("channel", ["jawOpen", "mouthSmileLeft", "browInnerUp", "browDownRight", "mouthPucker"])
def test_another_face_s_shapes_are_found_in_noise(channel: str, curves: np.ndarray) -> None:
    column = ARKIT_INDEX[channel]
    assert np.corrcoef(curves[:, column], known_values()[:, column])[0, 1] > 0.92


def test_blinks_are_full_and_the_eye_is_open_between(curves: np.ndarray) -> None:
    true, found = (values[:, ARKIT_INDEX["eyeBlinkRight"]] for values in (known_values(), curves))
    assert np.corrcoef(true, found)[0, 1] > 0.97
    assert found[true > 0.98].min() > 0.8
    assert np.median(found[true == 0]) < 0.03


def test_windows_meet_without_a_seam(curves: np.ndarray) -> None:
    steps = np.abs(np.diff(curves[:, :52], axis=0)).max(axis=1)
    for seam in (600, 1200):
        assert steps[seam - 1] <= np.quantile(steps, 0.99)


def test_the_head_is_turned_about_its_middle(curves: np.ndarray, angles: np.ndarray) -> None:
    for axis in range(3):
        assert np.corrcoef(curves[:, 52 + axis], angles[:, axis])[0, 1] > 0.99
    np.testing.assert_allclose(np.median(curves[:, 52:55], axis=0), 0, atol=np.radians(1.5))


def test_a_head_that_only_turns_stays_where_it_is(curves: np.ndarray) -> None:
    assert np.ptp(curves[:, 55:57], axis=0).max() < 0.015


def test_solved_values_are_the_best_within_their_bounds() -> None:
    generator = np.random.default_rng(1)
    factors = generator.normal(size=(40, 5, 4))
    normal = factors.transpose(0, 2, 1) @ factors + 0.1 * np.eye(4)
    right = generator.normal(0, 3, (40, 4))
    linked = np.ones(38, bool)
    found = solve_bounded(normal, right, np.full(4, 0.5), linked)
    bend = found[:-2] - 2 * found[1:-1] + found[2:]
    slope = np.einsum("tkl,tl->tk", normal, found) - right
    slope[:-2] += 0.5 * bend
    slope[1:-1] -= bend
    slope[2:] += 0.5 * bend
    inside = (found > 1e-6) & (found < 1 - 1e-6)
    assert np.abs(slope[inside]).max() < 0.01
    assert slope[found <= 1e-6].min() > -0.01
    assert slope[found >= 1 - 1e-6].max() < 0.01


def test_nothing_is_smoothed_across_a_gap() -> None:
    times = np.concatenate([np.arange(20), np.arange(60, 80)]) / FPS
    step = np.repeat([0.0, 1.0], 20)[:, None]
    linked = linked_frames(times, FPS)
    assert linked.sum() == 36
    np.testing.assert_allclose(smoothed(step, linked, 50.0), step, atol=1e-9)
    whole = smoothed(step, np.ones(38, bool), 50.0)
    assert 0.2 < whole[19, 0] < 0.5
