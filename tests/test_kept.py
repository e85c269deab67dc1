"""Making a part of a performance again: ranges with matched edges, locked channels, an animator's own keys."""

from pathlib import Path

import numpy as np
import pytest

from blendshape_rigs.arkit import ARKIT_COUNT, ARKIT_INDEX, LIP_CHANNELS, REGIONS
from blendshape_rigs.curves import FaceCurves
from model_server.audio.decode import open_audio
from model_server.errors import ConfigError
from model_server.pipeline.kept import Kept, go_on_from
from model_server.pipeline.request import AnimationRequest, EmotionTrack
from model_server.pipeline.speech_to_curves import SpeechToCurves

SPEECH = Path(__file__).parent.parent / "model_server" / "assets" / "demo_speech.flac"


@pytest.fixture(scope="module")
def model() -> SpeechToCurves:
    return SpeechToCurves.load()


@pytest.fixture(scope="module")
def take(model: SpeechToCurves) -> FaceCurves:
    return model(open_audio(SPEECH), AnimationRequest(seed=3, fps=50))


@pytest.mark.parametrize("fps", [50, 30])
def test_a_range_is_made_again_and_everything_else_is_the_same_bits(
    model: SpeechToCurves, take: FaceCurves, fps: float
) -> None:
    first = take if fps == 50 else model(open_audio(SPEECH), AnimationRequest(seed=3, fps=fps))
    request = AnimationRequest(EmotionTrack.parse("angry"), seed=4, fps=fps, kept=Kept(first, remake=((2.0, 3.6),)))
    again = model(open_audio(SPEECH), request)
    inside = (again.times >= 2.0) & (again.times < 3.6)
    old, new = first.stacked(), again.stacked()
    assert np.array_equal(old[~inside], new[~inside])
    brows = list(REGIONS["brow"])
    assert np.abs(old[inside][:, brows] - new[inside][:, brows]).mean() > 0.05


def test_no_edge_of_a_remade_range_is_a_jump(model: SpeechToCurves, take: FaceCurves) -> None:
    request = AnimationRequest(EmotionTrack.parse("angry"), seed=4, fps=50, kept=Kept(take, remake=((2.0, 3.6),)))
    steps = np.abs(np.diff(model(open_audio(SPEECH), request).stacked(), axis=0))
    inside = steps[101:178]
    # The frames on either side of the two edges against the fastest motion of the same channel inside the range.
    for edge in (99, 179):
        assert (steps[edge] <= np.maximum(inside.max(axis=0), 0.02)).all()


def test_locked_channels_stay_and_the_rest_is_new(model: SpeechToCurves, take: FaceCurves) -> None:
    kept = Kept(take, locked=("brow", "head", "jawOpen"))
    again = model(open_audio(SPEECH), AnimationRequest(EmotionTrack.parse("happy"), seed=9, fps=50, kept=kept))
    held = [*REGIONS["brow"], *range(ARKIT_COUNT, ARKIT_COUNT + 6), ARKIT_INDEX["jawOpen"]]
    assert np.array_equal(take.stacked()[:, held], again.stacked()[:, held])
    others = list(REGIONS["nose_cheek"])
    assert np.abs(take.stacked()[:, others] - again.stacked()[:, others]).mean() > 0.02


def test_an_animators_key_is_passed_through_smoothly(model: SpeechToCurves, take: FaceCurves) -> None:
    edited = take.values.copy()
    edited[100, ARKIT_INDEX["browInnerUp"]] = 0.9
    keyed = FaceCurves(edited, take.head_rotation, take.head_translation, 50)
    name = "browInnerUp"
    kept = Kept(keyed, keys=((name, 2.0),))
    again = model(open_audio(SPEECH), AnimationRequest(seed=3, fps=50, kept=kept)).channel(name)
    assert again[100] == keyed.channel(name)[100]
    assert np.abs(np.diff(again[80:121])).max() < 0.15


def test_a_gap_leads_from_one_known_side_to_the_other() -> None:
    known = np.zeros((60, 2), np.float32)
    known[:, 0] = np.linspace(0, 0.59, 60)
    mask = np.ones((60, 2), bool)
    mask[20:40] = False
    drawn = np.full((60, 2), 0.5, np.float32)
    joined = go_on_from(drawn, known, mask)
    assert np.array_equal(joined[mask], known[mask])
    assert joined[20, 0] == pytest.approx(0.2, abs=2e-3)
    assert joined[39, 0] == pytest.approx(0.39, abs=2e-3)


def test_free_channels_are_left_alone() -> None:
    drawn = np.random.default_rng(0).random((30, 58)).astype(np.float32)
    mask = np.zeros((30, 58), bool)
    mask[:, 3] = True
    joined = go_on_from(drawn, np.zeros_like(drawn), mask)
    assert (joined[:, 3] == 0).all()
    others = [i for i in range(58) if i != 3]
    assert np.array_equal(joined[:, others], drawn[:, others])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"remake": ((3.0, 2.0),)}, "range 3-2 s"),
        ({"remake": ((-1.0, 2.0),)}, "at least 0"),
        ({"locked": ("ears",)}, "'ears' is neither a channel nor a region"),
        ({"keys": (("nothing", 1.0),)}, "'nothing' is neither"),
    ],
)
def test_wrong_ranges_and_names_are_refused(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Kept(FaceCurves.zeros(10, 30), **wrong)  # type: ignore[arg-type]


def test_kept_lips_stay_bit_for_bit_too(model: SpeechToCurves, take: FaceCurves) -> None:
    kept = Kept(take, remake=((2.0, 3.0),), locked=("mouth", "jaw", "tongue"))
    again = model(open_audio(SPEECH), AnimationRequest(seed=5, fps=50, kept=kept))
    lips = list(LIP_CHANNELS)
    assert np.array_equal(take.values[:, lips], again.values[:, lips])
