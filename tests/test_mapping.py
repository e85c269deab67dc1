"""Mappings: sums, what is kept both ways, edits, and the JSON that a .blend file holds."""

from __future__ import annotations

import json

import numpy as np
import pytest

from blendshape_rigs.arkit import ARKIT_COUNT, ARKIT_INDEX, ARKIT_NAMES
from blendshape_rigs.mapping import Mapping, MappingEntry, MappingError, auto_map, profile


def random_values(frames: int = 40) -> np.ndarray:
    return np.random.default_rng(3).random((frames, ARKIT_COUNT)).astype(np.float32)


def one(**channels: float) -> np.ndarray:
    values = np.zeros((1, ARKIT_COUNT), np.float32)
    for name, value in channels.items():
        values[0, ARKIT_INDEX[name]] = value
    return values


def applied(mapping: Mapping, **channels: float) -> dict[str, float]:
    """Return what each target gets for one frame, without those that stay at 0."""
    row = mapping.apply(one(**channels))[0]
    return {target: round(float(value), 4) for target, value in zip(mapping.targets, row, strict=True) if value}


def test_arkit_names_pass_through_unchanged_in_any_order() -> None:
    mapping = auto_map(tuple(reversed(ARKIT_NAMES)))
    values = random_values()
    assert mapping.profile == "arkit"
    assert mapping.missing == ()
    assert np.array_equal(mapping.apply(values), values[:, ::-1])
    np.testing.assert_allclose(mapping.restore(mapping.apply(values)), values, atol=1e-6)


def test_values_below_zero_and_above_one_are_kept() -> None:
    assert applied(auto_map(ARKIT_NAMES), jawOpen=-0.2, browInnerUp=1.4) == {"jawOpen": -0.2, "browInnerUp": 1.4}


def test_one_channel_drives_many_targets_and_many_channels_one() -> None:
    mapping = Mapping(
        "",
        (
            MappingEntry("puff_l", (("cheekPuff", 1.0),)),
            MappingEntry("puff_r", (("cheekPuff", 1.0),)),
            MappingEntry("grin", (("mouthSmileLeft", 0.5), ("mouthSmileRight", 0.5))),
        ),
    )
    assert applied(mapping, cheekPuff=0.4, mouthSmileLeft=0.6) == {"puff_l": 0.4, "puff_r": 0.4, "grin": 0.3}
    restored = mapping.restore(np.array([[0.4, 0.4, 0.3]]))[0]
    assert restored[ARKIT_INDEX["cheekPuff"]] == pytest.approx(0.4)
    # What one target carries for both sides comes back equal on both.
    assert restored[ARKIT_INDEX["mouthSmileLeft"]] == restored[ARKIT_INDEX["mouthSmileRight"]] == pytest.approx(0.3)


def test_what_takes_away_stops_at_zero_except_on_sliders_that_go_both_ways() -> None:
    jaw = MappingEntry("open", (("jawOpen", 1.0), ("mouthClose", -1.0)))
    side = MappingEntry("side", (("jawLeft", 1.0), ("jawRight", -1.0)), signed=True)
    mapping = Mapping("", (jaw, side))
    assert applied(mapping, jawOpen=0.3, mouthClose=0.1, jawLeft=0.2) == {"open": 0.2, "side": 0.2}
    assert applied(mapping, jawOpen=0.1, mouthClose=0.3, jawRight=0.2) == {"side": -0.2}


def test_the_report_tells_own_targets_stand_ins_and_what_is_lost() -> None:
    names = ["jawOpen", "mouthSmileLeft", "mouthSmileRight", "mouthPucker"]
    report = auto_map(names).report()
    assert report.direct == ("jawOpen", "mouthPucker", "mouthSmileLeft", "mouthSmileRight")
    assert dict(report.replaced) == {
        "mouthClose": ("jawOpen",),
        "mouthFunnel": ("mouthPucker",),
        "mouthDimpleLeft": ("mouthSmileLeft",),
        "mouthDimpleRight": ("mouthSmileRight",),
        "mouthStretchLeft": ("mouthSmileLeft",),
        "mouthStretchRight": ("mouthSmileRight",),
    }
    parts = (*report.direct, *report.by_mouth_shapes, *(name for name, _ in report.replaced), *report.missing)
    assert sorted(parts) == sorted(ARKIT_NAMES)


def test_lips_shut_by_the_jaw_where_there_is_no_mouth_close() -> None:
    mapping = auto_map(["jawOpen", "eyeBlinkLeft", "eyeBlinkRight"])
    assert applied(mapping, jawOpen=0.3, mouthClose=0.3) == {}
    assert applied(mapping, jawOpen=0.5, mouthClose=0.1) == {"jawOpen": 0.4}


def test_an_empty_character_has_an_empty_mapping() -> None:
    for names in ([], ["Basis", "Fat", "Muscular"]):
        mapping = auto_map(names)
        assert (mapping.profile, mapping.entries) == ("", ())
        assert mapping.missing == ARKIT_NAMES
        assert mapping.apply(random_values(5)).shape == (5, 0)
        assert not mapping.restore(np.zeros((5, 0))).any()


def test_no_frames_give_no_frames() -> None:
    for name in ("arkit", "oculus_visemes", "rhubarb"):
        mapping = auto_map(profile(name).targets)
        assert mapping.apply(np.zeros((0, ARKIT_COUNT))).shape == (0, len(mapping.targets))


def test_entries_are_replaced_added_and_removed() -> None:
    mapping = auto_map(["jawOpen", "Smile"])
    stronger = MappingEntry("jawOpen", (("jawOpen", 1.5),))
    edited = mapping.with_entry(stronger).with_entry(MappingEntry("Extra", (("tongueOut", 1.0),)))
    assert edited.targets == (*mapping.targets, "Extra")
    assert applied(edited, jawOpen=0.2, tongueOut=0.5) == {"jawOpen": 0.3, "Extra": 0.5}
    assert edited.without(["Extra", "never there"]).targets == mapping.targets
    assert edited.only(["Extra"]).targets == ("Extra",)
    assert mapping.targets == ("jawOpen", "Smile")


@pytest.mark.parametrize("name", ["arkit", "oculus_visemes", "rhubarb", "rigify", "daz_genesis3", "vrm"])
def test_json_keeps_everything(name: str) -> None:
    names = (
        [target.rsplit(":", 2)[0] for target in profile(name).targets] if name == "rigify" else profile(name).targets
    )
    mapping = auto_map(names)
    again = Mapping.from_json(mapping.to_json())
    assert again == mapping
    values = random_values()
    assert np.array_equal(again.apply(values), mapping.apply(values))


def test_json_keeps_names_in_any_script() -> None:
    mapping = Mapping("", (MappingEntry('あ "quoted" \\ name', (("jawOpen", 1.0),)),))
    assert Mapping.from_json(mapping.to_json()) == mapping


def record(**changes: object) -> str:
    entry = {"target": "Open", "sources": {"jawOpen": 1.0}}
    return json.dumps({"format": "dreamtalk-mapping", "version": 1, "profile": "", "entries": [entry]} | changes)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not JSON"),
        ("[1]", "expected one object, found a list"),
        ("[" * 100_000, "not JSON"),
        (record(version=2), "version 2; expected 'dreamtalk-mapping' version 1"),
        (record(format="other"), "this is 'other'"),
        (record(profile=3), "profile"),
        (record(entries={}), "entries"),
        (record(entries=[3]), "entry 0: expected an object with a target"),
        (record(entries=[{"target": "Open", "sources": [1]}]), "entry 0: sources must be an object"),
        (record(entries=[{"target": "Open", "sources": {"jawOpen": "1"}}]), "weight of 'jawOpen' is no number"),
        (record(entries=[{"target": "Open", "sources": {"jawOpen": True}}]), "weight of 'jawOpen' is no number"),
        (record(entries=[{"target": "Open", "sources": {"jawOpen": 1e9}}]), "Open: a weight is not finite or above"),
        (record(entries=[{"target": "Open", "sources": {"jaw": 1}}]), "Open: 'jaw' is not an ARKit blendshape"),
        (record(entries=[{"target": "Open", "sources": {}, "kind": "magic"}]), "Open: kind 'magic' is unknown"),
        (record(entries=[{"target": "Open", "sources": {}, "confidence": 2}]), "confidence 2.0 is not in 0..1"),
        (record(entries=[{"target": "", "sources": {}}]), "is no target"),
        (record(entries=[{"target": "x" * 257, "sources": {}}]), "is no target"),
        (record(entries=[{"target": "Open", "sources": {}}] * 2), "'Open' is mapped twice"),
        (record(entries=[{"target": "Open", "sources": {}}] * 4097), "4097 entries are too many"),
        ('{"entries": [NaN]}', "NaN is not a number that JSON allows"),
        (" " * (2 * 2**20 + 1), "at most 2048 are read"),
    ],
)
def test_bad_json_is_refused_with_the_place_of_the_fault(text: str, message: str) -> None:
    with pytest.raises(MappingError) as caught:
        Mapping.from_json(text)
    assert message in str(caught.value)
    assert len(str(caught.value)) < 300


def test_an_unknown_profile_is_named_with_those_there_are() -> None:
    with pytest.raises(MappingError, match="no profile is called 'poser'; there are arkit, "):
        profile("poser")


def test_correctives_and_identities_are_left_alone() -> None:
    extra = ["corrective eyeBlinkLeft x eyeLookDownLeft", "identity jaw", "pJCMJawOpen"]
    assert auto_map([*ARKIT_NAMES, *extra]).targets == tuple(ARKIT_NAMES)
