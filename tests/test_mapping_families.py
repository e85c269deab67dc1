"""Every family of characters: its names are recognised, its sides are right, and nothing is driven twice."""

from __future__ import annotations

import pytest

from blendshape_rigs.arkit import ARKIT_NAMES, mirror_name
from blendshape_rigs.mapping import MappingError, Profile, auto_map, bone_motion, profiles
from blendshape_rigs.mapping.catalogue import PROFILE_FOLDER, mouth_shapes, profile_from
from blendshape_rigs.mapping.names import side_of, words_of

FAMILIES = profiles()
# Channels with targets of their own, made by mouth shapes, with stand-ins, and lost.
COVERAGE = {
    "arkit": (52, 0, 0, 0),
    "character_creator": (52, 0, 0, 0),
    "daz_genesis3": (22, 14, 4, 12),
    "daz_genesis8": (52, 0, 0, 0),
    "daz_genesis9": (52, 0, 0, 0),
    "ict_facekit": (51, 0, 0, 1),
    "live_link": (52, 0, 0, 0),
    "makehuman": (30, 0, 7, 15),
    "metahuman": (52, 0, 0, 0),
    "mixamo": (33, 0, 8, 11),
    "oculus_visemes": (0, 17, 0, 35),
    "ready_player_me": (52, 0, 0, 0),
    "rhubarb": (0, 17, 0, 35),
    "rigify": (52, 0, 0, 0),
    "unified_expressions": (52, 0, 0, 0),
    "vrchat": (4, 17, 2, 29),
    "vrm": (21, 9, 6, 16),
    "vrm0": (19, 9, 6, 18),
    "vrm_perfect_sync": (52, 0, 0, 0),
    "vroid": (15, 9, 4, 24),
}


def names_of(family: Profile) -> list[str]:
    """Return the names that a character of this family has."""
    return [e.target.rsplit(":", 2)[0] if e.kind == "bone" else e.target for e in family.entries]


def test_every_data_file_is_a_family_of_its_own_name() -> None:
    files = {path.stem for path in PROFILE_FOLDER.glob("*.json")} - {"mouth_shapes"}
    assert files == {family.name for family in FAMILIES} == set(COVERAGE)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_a_family_is_recognised_by_its_own_names(family: Profile) -> None:
    mapping = auto_map(names_of(family))
    report = mapping.report()
    assert mapping.profile == family.name
    parts = (report.direct, report.by_mouth_shapes, report.replaced, report.missing)
    assert tuple(len(part) for part in parts) == COVERAGE[family.name]
    assert all(entry.confidence == 1.0 for entry in mapping.entries)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_no_side_is_driven_by_the_other(family: Profile) -> None:
    for entry in (entry for entry in family.entries if entry.kind in ("channel", "bone")):
        side = side_of(words_of(entry.target.rsplit(":", 2)[0]))
        sources = [name for name, weight in entry.sources if weight > 0]
        wrong = {"left": "Right", "right": "Left"}.get(side)
        shift = entry.target.endswith(":left") or entry.target.lower().startswith("look")
        assert wrong is None or shift or not any(name.endswith(wrong) for name in sources), entry


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_a_family_is_its_own_mirror_image(family: Profile) -> None:
    def form(sources: tuple[tuple[str, float], ...], sign: float) -> frozenset[tuple[str, float]]:
        return frozenset((name, weight * sign) for name, weight in sources)

    seen, mirrored = set(), set()
    for entry in family.entries:
        tail = entry.target.rsplit(":", 2)[1:]
        # Seen in a mirror, moves along the left axis turn round, and so do rotations about the two other axes.
        turned = entry.kind == "bone" and (tail[1] == "left") == (tail[0] == "location")
        sign = (
            -1.0 if turned or (entry.signed and any("jawLeft" in s or "mouthLeft" in s for s in entry.sources)) else 1.0
        )
        seen.add(form(entry.sources, 1.0))
        mirrored.add(form(tuple((mirror_name(name), weight) for name, weight in entry.sources), sign))
    assert seen == mirrored


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_a_full_face_overdrives_no_shape(family: Profile) -> None:
    for entry in family.entries:
        if entry.kind == "channel":
            assert 0 < sum(abs(weight) for _, weight in entry.sources) <= 2.0, entry
        if entry.kind in ("pose", "step"):
            assert all(0 < weight <= 1 for _, weight in entry.sources), entry


VARIANTS = {
    "as it is": lambda name: name,
    "small letters": str.lower,
    "capitals": str.upper,
    "snake case": lambda name: "_".join(words_of(name)),
    "Live Link": lambda name: name[0].upper() + name[1:],
    "L and R": lambda name: name.removesuffix("Left") + "_L" if name.endswith("Left") else name.replace("Right", "_R"),
    "dots": lambda name: name.removesuffix("Left") + ".L" if name.endswith("Left") else name.replace("Right", ".R"),
    "Maya": lambda name: f"blendShape1.{name}",
    "VRoid": lambda name: f"Face.M_F00_000_00_{name}",
    "MPFB": lambda name: f"!ex-{name}",
    "Daz": lambda name: f"Genesis8_1Female__{name}",
    "numbered": lambda name: f"A{ARKIT_NAMES.index(name):02d}_{name}",
    "copies": lambda name: f"{name}.001",
}


@pytest.mark.parametrize("style", VARIANTS)
def test_arkit_names_are_known_in_every_spelling(style: str) -> None:
    spell = VARIANTS[style]
    mapping = auto_map([spell(name) for name in ARKIT_NAMES])
    assert len(mapping.entries) == 52
    assert all(entry.confidence >= 0.95 for entry in mapping.entries)
    assert [dict(entry.sources) for entry in mapping.entries] == [{name: 1.0} for name in ARKIT_NAMES]


def test_head_teeth_and_tongue_with_prefixes_of_their_own_are_all_driven() -> None:
    names = [f"Head_blend.{name}" for name in ARKIT_NAMES]
    names += [f"{mesh}_blend.{name}" for mesh in ("Teeth", "Tongue") for name in ("jawOpen", "jawLeft", "tongueOut")]
    mapping = auto_map(names)
    assert len(mapping.entries) == 58
    driven = {entry.target for entry in mapping.entries if entry.sources == (("jawOpen", 1.0),)}
    assert driven == {"Head_blend.jawOpen", "Teeth_blend.jawOpen", "Tongue_blend.jawOpen"}


def test_a_shape_for_both_eyes_rests_where_each_eye_has_its_own() -> None:
    vowels = ["A", "I", "U", "E", "O"]
    assert "Blink" in auto_map([*vowels, "Blink"]).targets
    assert "Blink" not in auto_map([*vowels, "Blink", "Blink_L", "Blink_R"]).targets


def test_a_mouth_with_arkit_shapes_is_not_driven_by_visemes_too() -> None:
    visemes = [f"viseme_{name}" for name in list(mouth_shapes())[:15]]
    whole = auto_map([*ARKIT_NAMES, *visemes])
    assert whole.targets == ARKIT_NAMES
    small = auto_map(["mouthOpen", "mouthSmile", *visemes])
    assert set(small.targets) == {"mouthSmile", *visemes}


def test_perfect_sync_leaves_the_vrm_shapes_at_rest() -> None:
    vroid = [name for family in FAMILIES if family.name == "vroid" for name in family.targets]
    mapping = auto_map([*vroid, *(name[0].upper() + name[1:] for name in ARKIT_NAMES)])
    assert len(mapping.entries) == 52
    assert not set(mapping.targets) & set(vroid)


def test_metahuman_names_may_lack_their_prefix() -> None:
    metahuman = next(family for family in FAMILIES if family.name == "metahuman")
    bare = auto_map([name.removeprefix("CTRL_expressions_") for name in metahuman.targets])
    assert (bare.profile, len(bare.entries)) == ("metahuman", 81)
    gaze = {entry.target: dict(entry.sources) for entry in bare.entries}
    assert gaze["eyeLookLeftL"] == {"eyeLookOutLeft": 1.0}
    assert gaze["eyeLookLeftR"] == {"eyeLookInRight": 1.0}


def test_genesis_8_names_are_known_with_and_without_the_half() -> None:
    names = ["facs_jnt_JawOpen", "facs_bs_MouthSmileLeft_div2", "facs_bs_MouthSmileRight", "facs_jnt_EyesWideLeft"]
    family = next(family for family in FAMILIES if family.name == "daz_genesis8")
    mapping = auto_map([*family.targets[20:], *names])
    wanted = {"facs_jnt_JawOpen": "jawOpen", "facs_jnt_EyesWideLeft": "eyeWideLeft"}
    found = {entry.target: entry.main_sources for entry in mapping.entries}
    assert all(found[name] == (source,) for name, source in wanted.items())


def test_all_bones_of_the_rigify_profile_are_channels() -> None:
    rigify = next(family for family in FAMILIES if family.name == "rigify")
    bones = [bone for name in names_of(rigify) for bone in (name, f"DEF-{name}", f"MCH-{name}")]
    mapping = auto_map([*bones, "spine", "hand.L", "thigh.R"])
    motion = bone_motion(mapping, [[0.0] * 52])
    assert set(motion) == set(names_of(rigify))


def test_a_broken_profile_is_refused() -> None:
    good = (PROFILE_FOLDER / "rhubarb.json").read_text("utf-8")
    for old, new, message in (
        ('"rhubarb_A"', '"rhubarb_Z"', "there is no mouth shape 'rhubarb_Z'"),
        ('"at_least"', '"at_most"', "at_most unknown"),
        ('"title"', '"heading"', "heading unknown"),
        ('"version": 1', '"version": 9', "expected 'dreamtalk-mapping-profile' version 1"),
    ):
        with pytest.raises(MappingError, match=message):
            profile_from(good.replace(old, new), "test.json")
