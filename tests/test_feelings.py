"""Feelings in words and over time."""

from __future__ import annotations

import numpy as np
import pytest

from blendshape_rigs.arkit import EMOTIONS
from blendshape_rigs.feelings import (
    FeelingError,
    eased,
    felt,
    likely_meant,
    name_of,
    names_feeling,
    parse_feeling,
    request_of,
    weights_row,
)
from model_server.server.protocol import parse_options

HAPPY, SAD = EMOTIONS.index("happy"), EMOTIONS.index("sad")


@pytest.mark.parametrize(
    ("text", "weights"),
    [
        ("happy 0.8", {"happy": 0.8}),
        ("sad", {"sad": 1.0}),
        ("Neutral", {"neutral": 1.0}),
        ("angry .5 + fear .2", {"angry": 0.5, "fear": 0.2}),
        ("happy:0.3+surprised", {"happy": 0.3, "surprised": 1.0}),
    ],
)
def test_feelings_are_read(text: str, weights: dict[str, float]) -> None:
    assert names_feeling(text)
    assert parse_feeling(text) == weights


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("happy 8", "between 0 and 1"),
        ("happy 0,8", "'0,8' in 'happy 0,8' is no strength"),
        ("happy nan", "between 0 and 1"),
        ("happy birthday", "'birthday' in 'happy birthday' is no strength"),
        ("angry .5 + feer .2", "'feer' in 'angry .5 + feer .2' is no emotion: did you mean fear?"),
        ("sad + zzz", "choose from neutral, angry"),
        ("sad .2 + sad .3", "names sad twice"),
        ("sad +", "a + too many"),
    ],
)
def test_what_cannot_be_read_says_what_to_write(text: str, said: str) -> None:
    assert names_feeling(text)
    with pytest.raises(FeelingError) as refused:
        parse_feeling(text)
    assert said in str(refused.value)


def test_other_words_are_no_feelings_but_near_ones_are_noticed() -> None:
    assert not names_feeling("Marker 1")
    assert not names_feeling("")
    assert likely_meant("hapy 0.8") == "happy"
    assert likely_meant("surprise") == "surprised"
    assert likely_meant("F_12") == likely_meant("shot 3") == likely_meant("happy 2") == ""


def test_neutral_holds_the_others_back_and_intensity_scales_them() -> None:
    weights = np.zeros((3, 8))
    weights[:, HAPPY] = 0.8
    weights[1, 0], weights[2, 0] = 0.5, 1.0
    acted = felt(weights, np.array([1.0, 0.5, 1.0]))
    np.testing.assert_allclose(acted[:, HAPPY], [0.8, 0.2, 0.0])
    assert (np.delete(acted, HAPPY, axis=1) == 0).all()


def test_feelings_give_way_to_each_other_within_their_time() -> None:
    rows = np.stack([weights_row(feeling) for feeling in ({"happy": 0.8}, {"sad": 1.0}, {"neutral": 1.0})])
    at = np.array([0.0, 0.79, 1.0, 1.21, 2.79, 3.0, 3.21, 3.29, 3.3, 3.5, 9.0])
    weights = eased(np.array([1.0, 3.0, 3.3]), rows, at)
    np.testing.assert_allclose(weights[:5, HAPPY], [0, 0.8 * (3 * 0.475**2 - 2 * 0.475**3), 0.8, 0.8, 0.8], atol=1e-9)
    assert weights[5, HAPPY] == pytest.approx(0.4, abs=0.1)
    assert weights[6, SAD] > 0.9  # a gap of 0.3 seconds: the change is over before the next one begins
    np.testing.assert_allclose(weights[9:], 0, atol=1e-9)
    assert (weights >= 0).all()
    assert (weights <= 1).all()


def test_requests_are_short_and_the_server_takes_them() -> None:
    times = np.arange(0, 10, 0.1)
    constant = request_of(times, np.tile(weights_row({"happy": 0.8}), (100, 1)))
    assert constant == {"happy": 0.8}
    rows = np.stack([weights_row({"happy": 0.8}), weights_row({"sad": 1.0})])
    changing = eased(np.array([0.0, 5.0]), rows, times)
    request = request_of(times, changing)
    assert len(request["times"]) < 15
    track = parse_options(f'{{"protocol": 1, "emotion": {str(request).replace(chr(39), chr(34))}}}').emotion_track()
    np.testing.assert_allclose(track.sample(times), changing, atol=1e-4)
    assert [name_of(constant), name_of(request), name_of({}), name_of({"neutral": 1.0})] == [
        "happy",
        "happy-sad",
        "neutral",
        "neutral",
    ]
