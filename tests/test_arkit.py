"""ARKit names, pairs and regions."""

from __future__ import annotations

from blendshape_rigs.arkit import (
    ARKIT_COUNT,
    ARKIT_INDEX,
    ARKIT_NAMES,
    EMOTIONS,
    LIP_CHANNELS,
    MIRROR_INDEX,
    MIRROR_PAIRS,
    REGION_OF,
    REGIONS,
    mirror_name,
)


def test_there_are_52_different_names_in_apples_order() -> None:
    assert len(ARKIT_NAMES) == len(set(ARKIT_NAMES)) == ARKIT_COUNT == 52
    assert (ARKIT_INDEX["eyeBlinkLeft"], ARKIT_INDEX["jawOpen"], ARKIT_INDEX["tongueOut"]) == (0, 17, 51)


def test_mirroring_twice_changes_nothing_and_keeps_regions() -> None:
    assert [MIRROR_INDEX[i] for i in MIRROR_INDEX] == list(range(52))
    assert all(REGION_OF[mirror_name(name)] == REGION_OF[name] for name in ARKIT_NAMES)


def test_pairs_are_left_then_right_and_leave_the_middle_shapes() -> None:
    assert all(
        ARKIT_NAMES[left].removesuffix("Left") == ARKIT_NAMES[right].removesuffix("Right")
        for left, right in MIRROR_PAIRS
    )
    paired = {index for pair in MIRROR_PAIRS for index in pair}
    middle = {name for i, name in enumerate(ARKIT_NAMES) if i not in paired}
    assert middle == {
        "jawForward",
        "jawOpen",
        "mouthClose",
        "mouthFunnel",
        "mouthPucker",
        "mouthRollLower",
        "mouthRollUpper",
        "mouthShrugLower",
        "mouthShrugUpper",
        "browInnerUp",
        "cheekPuff",
        "tongueOut",
    }


def test_regions_hold_each_channel_once() -> None:
    assert sorted(index for region in REGIONS.values() for index in region) == list(range(52))
    assert {region: len(channels) for region, channels in REGIONS.items()} == {
        "brow": 5,
        "eye": 14,
        "nose_cheek": 5,
        "jaw": 4,
        "mouth": 23,
        "tongue": 1,
    }
    assert len(LIP_CHANNELS) == 28


def test_emotions_are_meads_eight_with_neutral_first() -> None:
    assert EMOTIONS[0] == "neutral" and len(set(EMOTIONS)) == 8
