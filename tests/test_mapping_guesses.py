"""Names that no family has: guessed by their words, never onto the wrong side."""

from __future__ import annotations

import pytest

from blendshape_rigs.arkit import ARKIT_NAMES
from blendshape_rigs.mapping import auto_map


def guessed(*names: str) -> dict[str, tuple[str, ...]]:
    return {entry.target: entry.main_sources for entry in auto_map(names).entries}


@pytest.mark.parametrize(
    ("name", "channels"),
    [
        ("Jaw_Drop", ("jawOpen",)),
        ("Mouth Open", ("jawOpen",)),
        ("OpenMouth", ("jawOpen",)),
        ("LeftEyeClose", ("eyeBlinkLeft",)),
        ("eye_shut.R", ("eyeBlinkRight",)),
        ("Wink_L", ("eyeBlinkLeft",)),
        ("EyelidClosed_R", ("eyeBlinkRight",)),
        ("EyesClosed", ("eyeBlinkLeft", "eyeBlinkRight")),
        ("smile", ("mouthSmileLeft", "mouthSmileRight")),
        ("smileL", ("mouthSmileLeft",)),
        ("lipCornerPuller_right", ("mouthSmileRight",)),
        ("kiss", ("mouthPucker",)),
        ("Eyebrow_Raise_L", ("browOuterUpLeft",)),
        ("eyebrowInnerRaise", ("browInnerUp",)),
        ("brow_lower_r", ("browDownRight",)),
        ("nose_wrinkle.L", ("noseSneerLeft",)),
        ("upper_lip_raise_L", ("mouthUpperUpLeft",)),
        ("Lower Lip Suck", ("mouthRollLower",)),
        ("puff_cheeks", ("cheekPuff",)),
        ("TongueStick", ("tongueOut",)),
        ("look_up_L", ("eyeLookUpLeft",)),
        ("EyeSquintt_L", ("eyeSquintLeft",)),
    ],
)
def test_a_word_is_known_by_its_meaning(name: str, channels: tuple[str, ...]) -> None:
    entries = auto_map([name]).entries
    assert [entry.main_sources for entry in entries] == [channels]
    assert 0.55 <= entries[0].confidence <= 0.95


@pytest.mark.parametrize("name", ["Basis", "Fat", "Hand_Grip_L", "Bicep flex", "hair_01", "Skirt_open", "", "___", "9"])
def test_shapes_of_no_face_stay_as_they_are(name: str) -> None:
    assert auto_map([name]).entries == ()


def test_no_guess_crosses_sides() -> None:
    names = [f"{stem}{tail}" for stem in ("smile", "Brow Down", "eyeClose", "sneer") for tail in ("_L", "_R")]
    for entry in auto_map(names).entries:
        side = {"_L": "Left", "_R": "Right"}[entry.target[-2:]]
        assert all(name.endswith(side) for name in entry.main_sources)
    assert len(auto_map(names).entries) == 8


def test_a_side_is_a_side_and_not_a_direction() -> None:
    assert guessed("happyMouth_R", "happyMouth_L") == {
        "happyMouth_R": ("mouthSmileRight",),
        "happyMouth_L": ("mouthSmileLeft",),
    }


def test_misspelt_words_are_less_sure() -> None:
    right, wrong = auto_map(["cheek_squint_L"]).entries[0], auto_map(["cheek_sqiunt_L"]).entries[0]
    assert right.main_sources == wrong.main_sources
    assert wrong.confidence < right.confidence


def test_sided_names_come_before_one_for_both() -> None:
    assert guessed("eye close", "wink_L", "wink_R") == {"wink_L": ("eyeBlinkLeft",), "wink_R": ("eyeBlinkRight",)}


def test_guesses_fill_what_a_family_leaves_open() -> None:
    names = [name for name in ARKIT_NAMES if name not in ("tongueOut", "jawOpen")]
    mapping = auto_map([*names, "StickTongueOut", "Jaw_Drop", "Jaw_Drop_Wide"])
    found = {entry.target: entry for entry in mapping.entries}
    assert mapping.profile == "arkit"
    assert found["StickTongueOut"].main_sources == ("tongueOut",)
    assert found["Jaw_Drop"].main_sources == ("jawOpen",)
    assert found["Jaw_Drop"].confidence < 1
    assert "Jaw_Drop_Wide" not in found


def test_the_order_of_names_does_not_matter_but_among_equals() -> None:
    names = ["Smile_L", "Jaw_Drop", "kiss", "Blink", "eyebrow up L"]
    assert guessed(*names) == guessed(*reversed(names))
    assert "Smile_L" in guessed("Smile_L", "grin_L")
    assert "grin_L" in guessed("grin_L", "Smile_L")
