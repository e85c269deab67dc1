"""Strength, offset, smoothing, time shift and mute of parts of a performance, and of a character's own targets."""

from __future__ import annotations

import numpy as np
import pytest

from blendshape_rigs.adjust import (
    FACE_PARTS,
    LARGEST_MOVE,
    LARGEST_TILT,
    PARTS,
    Adjustment,
    adjusted,
    adjusted_targets,
    blink_peaks,
    closures,
    shifted,
    smoothed,
    touched_targets,
)
from blendshape_rigs.arkit import ARKIT_INDEX, ARKIT_NAMES, REGIONS
from blendshape_rigs.avatar import load_proxy_avatar
from blendshape_rigs.curves import CurvesError, FaceCurves
from blendshape_rigs.mapping import Mapping, MappingEntry, auto_map

FPS = 30.0


def performance(frames: int = 240, seed: int = 1) -> FaceCurves:
    """Return slow random motion in 0..1 with syllables of the jaw, closures of the lips and three blinks."""
    rng = np.random.default_rng(seed)
    times = np.arange(frames) / FPS
    phases, rates = rng.uniform(0, 6, 58), rng.uniform(0.3, 2.0, 58)
    motion = 0.25 + 0.2 * np.sin(2 * np.pi * rates * times[:, None] + phases)
    values = motion[:, :52].astype(np.float32)
    values[:, [ARKIT_INDEX[name] for name in ("mouthClose", "mouthLowerDownLeft", "mouthLowerDownRight")]] = 0
    values[:, [ARKIT_INDEX[name] for name in ("mouthUpperUpLeft", "mouthUpperUpRight", "mouthFunnel")]] = 0
    values[:, ARKIT_INDEX["jawOpen"]] = 0.3 + 0.05 * rng.standard_normal(frames)
    values[:, [ARKIT_INDEX["eyeBlinkLeft"], ARKIT_INDEX["eyeBlinkRight"]]] = 0.05
    for blink in (40, 120, 200):
        values[blink - 2 : blink + 3, ARKIT_INDEX["eyeBlinkLeft"]] = (0.3, 0.8, 0.95, 0.6, 0.2)
        values[blink - 2 : blink + 3, ARKIT_INDEX["eyeBlinkRight"]] = (0.3, 0.8, 0.93, 0.6, 0.2)
    for closure in (60, 90, 170):
        values[closure : closure + 2, ARKIT_INDEX["jawOpen"]] = 0.1
        values[closure : closure + 2, ARKIT_INDEX["mouthClose"]] = 0.6
    pose = (motion[:, 52:] - 0.25).astype(np.float32)
    return FaceCurves(values, pose[:, :3], pose[:, 3:] * 0.02, FPS)


def columns(part: str) -> list[int]:
    return list(PARTS[part])


def test_parts_are_all_columns_each_once_and_follow_the_regions() -> None:
    assert sorted(index for part in PARTS.values() for index in part) == list(range(58))
    for part, region in (("mouth", "mouth"), ("jaw", "jaw"), ("brows", "brow"), ("cheeks", "nose_cheek")):
        assert PARTS[part] == REGIONS[region]
    assert sorted(PARTS["eyes"] + PARTS["blinks"] + PARTS["gaze"]) == sorted(REGIONS["eye"])


def test_neutral_adjustments_change_no_bit() -> None:
    curves = performance()
    again = adjusted(curves, {part: Adjustment() for part in PARTS})
    assert np.array_equal(again.stacked(), curves.stacked())


@pytest.mark.parametrize("part", PARTS)
def test_a_part_changes_alone(part: str) -> None:
    curves = performance()
    curves = curves.with_stacked(curves.stacked() + np.float32(0.05))  # none at its lower end
    changed = adjusted(curves, {part: Adjustment(0.5, 0.2, 0.2, 0.1)}).stacked() != curves.stacked()
    assert changed[:, columns(part)].any(axis=0).all()
    changed[:, columns(part)] = False
    assert not changed.any()


def test_strength_scales_and_stays_in_range() -> None:
    curves = performance()
    half = adjusted(curves, {"brows": Adjustment(strength=0.5), "head_rotation": Adjustment(strength=0.5)})
    np.testing.assert_allclose(half.values[:, columns("brows")], curves.values[:, columns("brows")] / 2, atol=1e-7)
    np.testing.assert_allclose(half.head_rotation, curves.head_rotation / 2, atol=1e-7)
    twice = adjusted(curves, {part: Adjustment(strength=2, offset=1) for part in FACE_PARTS}).values
    assert twice.min() >= 0
    assert twice.max() == 1


def test_values_that_were_out_of_range_may_stay_there() -> None:
    curves = performance()
    values = curves.values.copy()
    values[10, ARKIT_INDEX["browInnerUp"]] = 1.3
    wide = FaceCurves(values, curves.head_rotation, curves.head_translation, FPS)
    shown = adjusted(wide, {"brows": Adjustment(shift=2 / FPS)})
    assert shown.values[12, ARKIT_INDEX["browInnerUp"]] == np.float32(1.3)


def test_offset_moves_a_part_in_one_direction() -> None:
    curves = performance()
    down = adjusted(curves, {"brows": Adjustment(offset=-0.2)})
    assert np.allclose(down.channel("browDownLeft"), np.clip(curves.channel("browDownLeft") + 0.2, 0, 1), atol=1e-6)
    assert np.allclose(down.channel("browInnerUp"), np.clip(curves.channel("browInnerUp") - 0.2, 0, 1), atol=1e-6)
    head = adjusted(curves, {"head_rotation": Adjustment(offset=1), "head_translation": Adjustment(offset=-0.5)})
    np.testing.assert_allclose(head.head_rotation[:, 0], curves.head_rotation[:, 0] - LARGEST_TILT, atol=1e-6)
    assert np.array_equal(head.head_rotation[:, 1:], curves.head_rotation[:, 1:])
    np.testing.assert_allclose(head.head_translation[:, 2], curves.head_translation[:, 2] - LARGEST_MOVE / 2, atol=1e-6)


def test_muted_parts_rest() -> None:
    muted = adjusted(performance(), {"gaze": Adjustment(mute=True, offset=0.5), "head_rotation": Adjustment(mute=True)})
    assert not muted.values[:, columns("gaze")].any()
    assert not muted.head_rotation.any()


def test_shift_by_whole_frames_is_exact_and_holds_the_ends() -> None:
    curves = performance()
    for frames in (6, -6):
        moved = adjusted(curves, {"mouth": Adjustment(shift=frames / FPS)}).values[:, columns("mouth")]
        source = curves.values[:, columns("mouth")]
        expected = source[np.clip(np.arange(len(source)) - frames, 0, len(source) - 1)]
        assert np.array_equal(moved, expected)


def test_shift_between_frames_interpolates_without_overshoot() -> None:
    ramp = np.linspace(0, 1, 31)[:, None]
    moved = shifted(ramp, 0.5)
    np.testing.assert_allclose(moved[1:, 0], ramp[1:, 0] - 0.5 / 30, atol=1e-6)
    curves = performance()
    between = shifted(curves.values, 2.5)
    assert between.min() >= curves.values.min()
    assert between.max() <= curves.values.max()


def test_smoothing_has_no_delay_and_no_overshoot() -> None:
    step = np.zeros((61, 1))
    step[30:] = 1
    soft = smoothed(step, 12)
    assert soft.min() >= 0
    assert soft.max() <= 1 + 1e-12
    np.testing.assert_allclose(soft[:, 0] + soft[::-1, 0][np.r_[1:61, 60]], 1, atol=0.2)
    peak = np.exp(-0.5 * ((np.arange(61) - 30) / 3) ** 2)[:, None]
    assert int(np.argmax(smoothed(peak, 15))) == 30


def test_smoothing_calms_motion_but_keeps_closures_and_blinks() -> None:
    curves = performance()
    assert {40, 120, 200} == set(blink_peaks(curves).tolist())
    assert {60, 61, 90, 91, 170, 171} <= set(closures(curves).tolist())
    soft = adjusted(curves, {part: Adjustment(smoothing=0.4) for part in FACE_PARTS})
    blinks, lips = blink_peaks(curves), closures(curves)
    assert np.array_equal(soft.values[blinks][:, columns("blinks")], curves.values[blinks][:, columns("blinks")])
    for part in ("mouth", "jaw", "tongue"):
        assert np.array_equal(soft.values[lips][:, columns(part)], curves.values[lips][:, columns(part)])
    gap = load_proxy_avatar().lip_gap(soft.values)[lips]
    assert gap.max() < 0.001
    jaw = ARKIT_INDEX["jawOpen"]
    away = np.ones(len(curves), bool)
    away[np.unique(np.clip(lips[:, None] + np.arange(-4, 5), 0, len(curves) - 1))] = False
    rough, calm = (np.abs(np.diff(each.values[:, jaw], 2))[away[1:-1]].mean() for each in (curves, soft))
    assert calm < 0.2 * rough


def test_one_frame_and_no_frame_do_not_matter() -> None:
    every = {part: Adjustment(1.5, 0.1, 0.3, 0.2) for part in PARTS}
    for frames in (0, 1, 2):
        assert len(adjusted(FaceCurves.zeros(frames, FPS), every)) == frames


def test_what_is_wrong_is_said() -> None:
    with pytest.raises(CurvesError, match="'nose' is no part"):
        adjusted(performance(), {"nose": Adjustment()})
    with pytest.raises(CurvesError, match="strength is 3"):
        Adjustment(strength=3)
    with pytest.raises(CurvesError, match="smoothing is -1"):
        Adjustment(smoothing=-1)


SETTINGS = {
    "brows": Adjustment(1.4, -0.2, 0.1, 0.05),
    "mouth": Adjustment(0.7, 0.1, 0.2, -0.1),
    "blinks": Adjustment(shift=0.2),
    "gaze": Adjustment(mute=True),
}


def test_targets_of_an_arkit_character_are_the_adjusted_curves() -> None:
    curves, mapping = performance(), auto_map(ARKIT_NAMES)
    made = adjusted_targets(mapping, mapping.apply(curves.values), FPS, SETTINGS)
    np.testing.assert_allclose(made, mapping.apply(adjusted(curves, SETTINGS).values), atol=2e-6)
    untouched = sorted(set(range(52)) - set(touched_targets(mapping, tuple(SETTINGS))))
    assert np.array_equal(made[:, untouched], mapping.apply(curves.values)[:, untouched].astype(np.float64))


def test_targets_that_share_channels_go_by_their_weights() -> None:
    smile = MappingEntry("smile", (("mouthSmileLeft", 0.5), ("mouthSmileRight", 0.5)))
    mixed = MappingEntry("scared", (("browInnerUp", 0.5), ("jawOpen", 0.5)))
    mapping = Mapping("", (smile, mixed))
    curves = performance()
    targets = mapping.apply(curves.values)
    half = adjusted_targets(mapping, targets, FPS, {"mouth": Adjustment(strength=0.5)})
    np.testing.assert_allclose(half[:, 0], targets[:, 0] / 2, atol=1e-6)
    assert np.array_equal(half[:, 1], targets[:, 1].astype(np.float64))
    brows = adjusted_targets(mapping, targets, FPS, {"brows": Adjustment(mute=True)})
    np.testing.assert_allclose(brows[:, 1], targets[:, 1] / 2, atol=1e-6)


def test_mouth_shapes_weaken_and_give_the_rest_pose_what_they_leave() -> None:
    open_mouth = MappingEntry("AA", (("jawOpen", 0.7),), kind="pose")
    pucker = MappingEntry("OO", (("mouthPucker", 0.8), ("jawOpen", 0.2)), kind="pose")
    rest = MappingEntry("SIL", (), kind="pose")
    mapping = Mapping("", (open_mouth, pucker, rest))
    targets = mapping.apply(performance().values)
    weaker = adjusted_targets(mapping, targets, FPS, {part: Adjustment(0.5) for part in ("mouth", "jaw")})
    np.testing.assert_allclose(weaker[:, :2], targets[:, :2] / 2, atol=1e-6)
    np.testing.assert_allclose(weaker.sum(axis=1), targets.sum(axis=1), atol=1e-5)


def test_drawn_mouths_only_shift() -> None:
    shapes = (("A", "jawOpen"), ("O", "mouthPucker"), ("M", "mouthClose"))
    mapping = Mapping("", tuple(MappingEntry(name, ((source, 0.8),), kind="step") for name, source in shapes))
    targets = mapping.apply(performance().values, FPS)
    every = {part: Adjustment(0.5, shift=0.1) for part in ("mouth", "jaw")}
    moved = adjusted_targets(mapping, targets, FPS, every)
    assert np.array_equal(moved[3:], targets[:-3].astype(np.float64))
    assert (moved.sum(axis=1) == 1).all()
