"""Visemes, drawn mouths and face bones: solved well, smooth, held, and turned the right way."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from blendshape_rigs.arkit import ARKIT_COUNT, ARKIT_INDEX
from blendshape_rigs.avatar import load_proxy_avatar
from blendshape_rigs.mapping import (
    BoneChannel,
    Mapping,
    MappingEntry,
    MappingError,
    auto_map,
    bone_motion,
    profile,
)
from blendshape_rigs.mapping.catalogue import mouth_shapes
from blendshape_rigs.mapping.visemes import mouth_features, solve_poses

FPS = 30.0


def pose(name: str) -> np.ndarray:
    row = np.zeros(ARKIT_COUNT)
    for channel, weight in mouth_shapes()[name]:
        row[ARKIT_INDEX[channel]] = weight
    return row


def speech(frames: int) -> np.ndarray:
    """Return (T, 52) a mouth that glides through mixtures of visemes, with lips that shut now and then."""
    generator = np.random.default_rng(5)
    names = list(mouth_shapes())[:15]
    marks = frames // 5 + 2
    mixtures = generator.dirichlet(np.full(len(names), 0.3), marks) @ np.stack([pose(name) for name in names])
    times = np.arange(frames) / 5
    values = np.stack([np.interp(times, np.arange(marks), column) for column in mixtures.T], axis=1)
    jaw, close = ARKIT_INDEX["jawOpen"], ARKIT_INDEX["mouthClose"]
    shut = (np.arange(frames) // 6) % 5 == 0
    values[shut] *= 0.2
    values[shut, close] = values[shut, jaw]
    return values


# The others lie between these: small openings between rest and SS, RR between U and rest.
@pytest.mark.parametrize("name", ["PP", "FF", "TH", "CH", "SS", "aa", "E", "I", "O", "U"])
def test_a_viseme_at_its_full_is_mostly_itself(name: str) -> None:
    mapping = auto_map(profile("oculus_visemes").targets)
    weights = dict(zip(mapping.targets, mapping.apply(pose(name)[None])[0], strict=True))
    assert max(weights, key=lambda target: weights[target]) == f"viseme_{name}"
    assert weights[f"viseme_{name}"] > 0.5


def test_rest_is_silence_and_all_visemes_together_are_one_mouth() -> None:
    mapping = auto_map(profile("oculus_visemes").targets)
    still = mapping.apply(np.zeros((1, ARKIT_COUNT)))[0]
    assert dict(zip(mapping.targets, still, strict=True))["viseme_sil"] == 1
    weights = mapping.apply(np.random.default_rng(1).random((300, ARKIT_COUNT)))
    assert weights.min() >= 0
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-5)


def test_the_fit_is_the_best_there_is() -> None:
    poses = np.stack([pose(name) for name in list(mouth_shapes())[1:15]])
    values = speech(60) + np.random.default_rng(2).normal(0, 0.05, (60, ARKIT_COUNT))
    solved = solve_poses(values, poses)
    seen, known = mouth_features(values, poses)
    for frame, weights in zip(seen[::10], solved[::10], strict=True):

        def cost(candidate: np.ndarray, frame: np.ndarray = frame) -> float:
            return float(((candidate @ known - frame) ** 2).sum() + 0.004 * (candidate**2).sum())

        best = minimize(
            cost,
            np.full(len(poses), 0.05),
            bounds=[(0, 1)] * len(poses),
            constraints={"type": "ineq", "fun": lambda candidate: 1 - candidate.sum()},
            method="SLSQP",
            options={"ftol": 1e-12, "maxiter": 300},
        )
        assert cost(weights) <= best.fun + 1e-4


def test_each_frame_is_solved_for_itself() -> None:
    mapping = auto_map(profile("vrm").targets)
    values = speech(80)
    together = mapping.apply(values)
    np.testing.assert_allclose(
        np.concatenate([mapping.apply(values[i : i + 1]) for i in range(80)]), together, atol=3e-3
    )


def test_smooth_curves_stay_smooth() -> None:
    mapping = auto_map(profile("oculus_visemes").targets)
    steps = np.linspace(0, 1, 200)[:, None]
    glide = mapping.apply(pose("aa") * (1 - steps) + pose("U") * steps)
    assert np.abs(np.diff(glide, axis=0)).max() < 0.03


@pytest.mark.parametrize("family", ["oculus_visemes", "vrchat", "vrm", "vrm0", "vroid", "daz_genesis3", "makehuman"])
def test_lips_open_and_shut_as_in_the_take(family: str) -> None:
    avatar = load_proxy_avatar()
    mapping = auto_map(profile(family).targets)
    values = speech(400).astype(np.float32)
    gap = avatar.lip_gap(values)
    carried = avatar.lip_gap(mapping.restore(mapping.apply(values)))
    assert np.corrcoef(gap, carried)[0, 1] > 0.97
    shut = gap < 0.0004
    assert shut.sum() > 40
    assert np.quantile(carried[shut], 0.9) < 0.0015


def test_a_smile_leaves_a_shut_mouth_shut() -> None:
    mapping = auto_map(profile("oculus_visemes").targets)
    values = np.zeros((1, ARKIT_COUNT))
    values[0, [ARKIT_INDEX["mouthSmileLeft"], ARKIT_INDEX["mouthSmileRight"]]] = 0.6
    assert load_proxy_avatar().lip_gap(mapping.restore(mapping.apply(values)))[0] < 0.0006


def test_shapes_with_targets_of_their_own_are_not_asked_of_visemes() -> None:
    mapping = auto_map([*profile("oculus_visemes").targets, "Smile_L", "Smile_R"])
    values = pose("I")[None].copy()
    values[0, ARKIT_INDEX["mouthSmileLeft"]] = 0.9
    weights = dict(zip(mapping.targets, mapping.apply(values)[0], strict=True))
    assert weights["Smile_L"] == pytest.approx(0.9)
    without = auto_map(profile("oculus_visemes").targets)
    plain = dict(zip(without.targets, without.apply(values)[0], strict=True))
    assert weights["viseme_I"] <= plain["viseme_I"]


def test_drawn_mouths_show_one_at_a_time_and_are_held() -> None:
    mapping = auto_map(list("ABCDEFGHX"))
    values = speech(600)
    shown = mapping.apply(values, FPS)
    assert set(np.unique(shown)) == {0.0, 1.0}
    assert (shown.sum(axis=1) == 1).all()
    changes = np.flatnonzero(np.abs(np.diff(shown, axis=0)).any(axis=1))
    assert len(changes) > 20
    assert np.diff(changes).min() >= 3  # at 30 frames a second two frames of film are two and a half


@pytest.mark.parametrize("name", "ABCDEFGHX")
def test_a_drawn_mouth_is_chosen_for_its_own_pose(name: str) -> None:
    mapping = auto_map(list("ABCDEFGHX"))
    events = mapping.shape_events(np.repeat(pose(f"rhubarb_{name}")[None], 12, axis=0), FPS, start=2.0)
    assert [(event.time, event.shape) for event in events] == [(2.0, name)]


def test_missing_extra_mouths_are_replaced_by_near_ones() -> None:
    mapping = auto_map(list("ABCDEF"))
    for name, near in (("G", "AB"), ("H", "BC"), ("X", "A")):
        events = mapping.shape_events(pose(f"rhubarb_{name}")[None], FPS)
        assert [event.shape in near for event in events] == [True]


def test_a_short_closure_still_shows() -> None:
    values = np.repeat(pose("rhubarb_D")[None], 40, axis=0)
    values[20:22] = pose("rhubarb_A")
    events = auto_map(list("ABCDEFGHX")).shape_events(values, 24.0)
    assert [event.shape for event in events] == ["D", "A", "D"]
    assert events[1].time == pytest.approx(20 / 24)
    assert events[2].time == pytest.approx(22 / 24)


def test_events_are_where_the_keys_change() -> None:
    mapping = auto_map([f"mouth_{name}" for name in "ABCDEFGHX"])
    values = speech(200)
    events = mapping.shape_events(values, FPS, start=1.0)
    shown = mapping.apply(values, FPS)
    for event in events:
        frame = round((event.time - 1.0) * FPS)
        assert shown[frame, mapping.targets.index(event.shape)] == 1
    assert mapping.shape_events(np.zeros((0, ARKIT_COUNT)), FPS) == ()
    assert auto_map(["jawOpen"]).shape_events(values, FPS) == ()


def rigify() -> Mapping:
    return auto_map([target.rsplit(":", 2)[0] for target in profile("rigify").targets])


def frame(**channels: float) -> np.ndarray:
    values = np.zeros((1, ARKIT_COUNT))
    for name, value in channels.items():
        values[0, ARKIT_INDEX[name]] = value
    return values


def test_an_open_jaw_turns_the_chin_down_and_back() -> None:
    jaw = bone_motion(rigify(), frame(jawOpen=1.0))["jaw_master"]
    assert (jaw.turns, jaw.moves) == (True, True)
    assert jaw.rotation[0] == pytest.approx([0.35, 0, 0])
    # Quaternion (w, x, y, z) applied to a chin before the hinge: forward goes down.
    w, x, _, _ = jaw.quaternions()[0]
    angle = 2 * np.arctan2(x, w)
    chin = np.array([0.0, -0.5, 1.0])
    turned = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]]) @ chin
    assert turned[1] < chin[1] - 0.3
    assert turned[2] < chin[2]


def test_locations_follow_the_size_of_the_face() -> None:
    values = frame(mouthSmileLeft=1.0)
    child, giant = (bone_motion(rigify(), values, size)["lips.L"].location[0] for size in (0.05, 5.0))
    np.testing.assert_allclose(giant, child * 100)
    left, up, forward = child
    assert left > 0
    assert up > 0
    assert forward < 0
    assert not bone_motion(rigify(), values)["lips.R"].location.any()


def test_motion_is_told_in_a_bones_own_axes() -> None:
    motion = bone_motion(rigify(), frame(jawOpen=0.5, mouthSmileLeft=1.0))
    # A bone that points up at rest with x to the subject's right: x = -left, y = up, z = -forward.
    axes = np.array([[-1.0, 0, 0], [0, 1, 0], [0, 0, -1]])
    left, up, forward = motion["lips.L"].location[0]
    np.testing.assert_allclose(motion["lips.L"].in_axes(axes).location[0], [-left, up, -forward])
    assert motion["jaw_master"].in_axes(axes).rotation[0] == pytest.approx([-0.175, 0, 0])


def test_quaternions_are_of_length_one_even_at_rest() -> None:
    values = np.random.default_rng(4).random((50, ARKIT_COUNT))
    values[0] = 0
    for motion in bone_motion(rigify(), values).values():
        np.testing.assert_allclose(np.linalg.norm(motion.quaternions(), axis=1), 1)
    assert bone_motion(rigify(), values)["jaw_master"].quaternions()[0] == pytest.approx([1, 0, 0, 0])


def test_bone_targets_are_read_from_the_right_and_refused_when_broken() -> None:
    assert BoneChannel.parse("odd:name.L:location:up") == BoneChannel("odd:name.L", "location", 1)
    for target in ("jaw", "jaw:location", "jaw:scale:up", "jaw:location:x", ":location:up"):
        broken = Mapping("", (MappingEntry(target, (("jawOpen", 1.0),), kind="bone"),))
        with pytest.raises(MappingError, match="is no bone channel"):
            bone_motion(broken, frame())
