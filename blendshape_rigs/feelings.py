"""Feelings in words, such as ``angry .5 + fear .2``, and as weights over time."""

from __future__ import annotations

import difflib
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from .arkit import EMOTIONS

EASE_SECONDS: Final = 0.4
"""How long one feeling takes to give way to the next."""
_EXAMPLE: Final = "write it like happy 0.8 or angry .5 + fear .2"
_LIKENESS: Final = 0.7
_MOST_NAMED: Final = 3
Array = npt.NDArray[np.float64]


class FeelingError(ValueError):
    """Words that name no feeling; the message says what to write."""


def names_feeling(text: str) -> bool:
    """Tell whether the first word of ``text`` is an emotion, so that the text is meant to be a feeling."""
    return _first_word(text) in EMOTIONS


def likely_meant(text: str) -> str:
    """Return the emotion that the first word of ``text`` nearly is, such as happy for ``hapy 0.8``; perhaps none."""
    word = _first_word(text)
    return "" if word in EMOTIONS else _nearest(word)


def parse_feeling(text: str) -> dict[str, float]:
    """Return the weights 0..1 by name that ``text`` gives; a name without a number is felt in full.

    Args:
        text: such as ``happy 0.8``, ``sad``, ``neutral`` or ``angry .5 + fear .2``.

    Raises:
        FeelingError: for an unknown emotion, one named twice, or a strength that is no number from 0 to 1.
    """
    weights: dict[str, float] = {}
    for part in text.split("+"):
        words = part.replace(":", " ").split()
        if not words:
            raise FeelingError(f"'{text}' has a + too many: {_EXAMPLE}")
        name = words[0].lower()
        if name not in EMOTIONS:
            meant = _nearest(name)
            hint = f"did you mean {meant}?" if meant else f"choose from {', '.join(EMOTIONS)}"
            raise FeelingError(f"'{words[0]}' in '{text}' is no emotion: {hint}")
        if name in weights:
            raise FeelingError(f"'{text}' names {name} twice: {_EXAMPLE}")
        weights[name] = _strength(words[1:], text)
    return weights


def _first_word(text: str) -> str:
    words = text.replace(":", " ").replace("+", " ").split()
    return words[0].lower() if words else ""


def _nearest(word: str) -> str:
    found = difflib.get_close_matches(word, EMOTIONS, 1, _LIKENESS)
    return found[0] if found else ""


def _strength(words: list[str], text: str) -> float:
    if not words:
        return 1.0
    try:
        number = float(" ".join(words))
    except ValueError:
        raise FeelingError(f"'{' '.join(words)}' in '{text}' is no strength: {_EXAMPLE}") from None
    if not 0 <= number <= 1:
        raise FeelingError(f"'{text}': a strength lies between 0 and 1, {_EXAMPLE}")
    return number


def weights_row(feeling: dict[str, float]) -> Array:
    """Return the (8,) weights of ``feeling`` in the order of ``EMOTIONS``.

    Neutral takes its share from all others and has no weight of its own: it is their absence.
    """
    row = np.array([feeling.get(name, 0.0) for name in EMOTIONS])
    acted: Array = felt(row[None], np.ones(1))[0]
    return acted


def felt(weights: npt.NDArray[np.floating[Any]], intensity: npt.NDArray[np.floating[Any]]) -> Array:
    """Return the (T, 8) weights that are acted: times the intensity, and less what neutral holds back.

    Args:
        weights: (T, 8) of sliders, in the order of ``EMOTIONS``; those of neutral are what is held back, 0..1.
        intensity: (T,) 0..1.
    """
    held = 1 - weights[:, EMOTIONS.index("neutral")].clip(0, 1)
    acted: Array = (weights * (held * intensity)[:, None]).clip(0, 1).astype(np.float64)
    acted[:, EMOTIONS.index("neutral")] = 0
    return acted


def turns_of(times: Array, ease: float = EASE_SECONDS) -> tuple[Array, Array]:
    """Return when the change at each of the ``times`` (K,) begins and ends, seconds; none runs into the next.

    A change lies around its time; the first is over at its time, so that a marker where a recording begins counts
    from its first sound. Where times are closer than ``ease``, a change is shorter, on that side.
    """
    gaps = np.diff(times)
    before, after = np.minimum(ease, np.append(ease * 2, gaps)) / 2, np.minimum(ease, np.append(gaps, ease)) / 2
    before[0], after[0] = ease, 0.0
    return times - before, times + after


def eased(times: Array, weights: Array, wanted: Array, ease: float = EASE_SECONDS) -> Array:
    """Return (T, 8) weights at the ``wanted`` (T,) seconds of feelings that begin at ``times``.

    Neutral before the first, which is there in full at its time; each gives way to the next smoothly around the time
    of the next, within ``ease`` seconds.

    Args:
        times: (K,) increasing seconds.
        weights: (K, 8), one row a time.
        wanted: (T,) seconds.
        ease: seconds of a change.
    """
    begin, end = turns_of(times, ease)
    share = ((wanted[:, None] - begin) / (end - begin)).clip(0, 1)
    steps = np.diff(weights, axis=0, prepend=0)
    result: Array = (share**2 * (3 - 2 * share)) @ steps
    return result.clip(0, 1)


def request_of(times: Array, weights: Array) -> dict[str, Any]:
    """Return how a request to the server states ``weights`` (T, 8) at ``times`` (T,) seconds, as short as can be.

    Weights that never change become ``{"happy": 0.8}``, others ``{"times": [...], "weights": [[8 numbers], ...]}``
    without the rows that only repeat both their neighbours.
    """
    rounded = np.round(weights, 4)
    if (rounded == rounded[0]).all():
        return {name: float(weight) for name, weight in zip(EMOTIONS, rounded[0], strict=True) if weight > 0}
    same = (rounded[1:] == rounded[:-1]).all(axis=1)
    kept = ~np.concatenate([[False], same[:-1] & same[1:], [False]])
    return {"times": np.round(times[kept], 4).tolist(), "weights": rounded[kept].tolist()}


def name_of(request: dict[str, Any]) -> str:
    """Return a short name of the feeling in a request, such as ``"neutral"`` or ``"happy-sad"``: in order of time."""
    if "times" not in request:
        found = [name for name, weight in request.items() if weight > 0 and name != "neutral"]
    else:
        weights = np.array(request["weights"])
        shown = weights > 0.1 * max(weights.max(), 1e-9)
        first = {name: int(shown[:, i].argmax()) for i, name in enumerate(EMOTIONS) if i and shown[:, i].any()}
        found = sorted(first, key=lambda name: first[name])
    return "-".join(found[:_MOST_NAMED]) or "neutral"
