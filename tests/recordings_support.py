"""Small made recordings for the tests of importing them: a voice and a jaw that open together at known times."""

from __future__ import annotations

import json
import wave
from pathlib import Path

import numpy as np

from blendshape_rigs.arkit import ARKIT_INDEX, ARKIT_NAMES
from blendshape_rigs.curves import FaceCurves
from blendshape_rigs.formats import write_curves
from model_server.training.performances import Performance, load_performances
from model_server.training.recordings import Summary

RATE = 16_000
PULSES = (0.8, 1.5, 2.6, 3.1, 4.2, 5.0, 6.3, 7.1, 8.0, 9.3)
"""Seconds at which the made voice is loud and the made jaw open."""

JAW = ARKIT_INDEX["jawOpen"]
LOUDNESS = 44


def pulses(times: np.ndarray) -> np.ndarray:
    """Return 0..1: a bump of about 0.2 s around each of ``PULSES``."""
    return np.exp(-0.5 * ((times[:, None] - np.array(PULSES)) / 0.08) ** 2).max(axis=1)


def write_voice(path: Path, seconds: float = 10.0, lead: float = 0.0) -> None:
    """Write a buzz that is loud at ``PULSES``, ``lead`` seconds late, over faint noise."""
    times = np.arange(round(seconds * RATE)) / RATE
    buzz = sum(np.sin(2 * np.pi * 120 * harmonic * times) / harmonic for harmonic in range(1, 20))
    noise = np.random.default_rng(1).standard_normal(len(times))
    samples = 0.15 * buzz * pulses(times - lead) + 1e-4 * noise
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((samples.clip(-1, 1) * 32767).astype("<i2").tobytes())


def made_curves(fps: float = 60.0, seconds: float = 10.0, start: float = 0.0) -> FaceCurves:
    """Return curves whose jaw opens at ``PULSES`` seconds after their start; channel c otherwise rests at c / 100."""
    times = np.arange(round(seconds * fps)) / fps
    values = np.tile(np.arange(52, dtype=np.float32) / 100, (len(times), 1))
    values[:, JAW] = pulses(times)
    rotation = np.tile(np.float32([0.1, -0.2, 0.05]), (len(times), 1))
    return FaceCurves(values, rotation, np.zeros_like(rotation), fps, start)


def write_take(folder: Path, stem: str = "take", **curves: float) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    write_voice(folder / f"{stem}.wav")
    write_curves(made_curves(**curves), folder / f"{stem}.csv")


def write_beat(folder: Path, stem: str, voice: Path | None = None, first: float = 1 / 60) -> None:
    """Write a sequence as BEAT does: names in an order of its own, no tongue, weights at times."""
    folder.mkdir(parents=True, exist_ok=True)
    names = sorted(name for name in ARKIT_NAMES if name != "tongueOut")
    columns = [ARKIT_INDEX[name] for name in names]
    times = first + np.arange(590) / 60
    values = np.tile(np.arange(52) / 100, (len(times), 1))
    values[:, JAW] = pulses(times)
    frames = [
        {"weights": row, "time": time, "rotation": []}
        for row, time in zip(values[:, columns].tolist(), times.tolist(), strict=True)
    ]
    (folder / f"{stem}.json").write_text(json.dumps({"names": names, "frames": frames}))
    write_voice(voice or folder / f"{stem}.wav")


def loaded(summary: Summary) -> list[Performance]:
    return [performance for path in summary.files for performance in load_performances(path)]


def joined(performances: list[Performance], name: str) -> np.ndarray:
    return np.concatenate([getattr(performance, name) for performance in performances]).astype(np.float64)


def lag(performances: list[Performance]) -> int:
    """Return the frames by which the jaw comes later than the voice."""
    loudness, jaw = joined(performances, "audio")[:, LOUDNESS], joined(performances, "face")[:, JAW]
    loudness = np.maximum(loudness, -0.8)
    scores = {shift: np.corrcoef(loudness[30:-30], np.roll(jaw, -shift)[30:-30])[0, 1] for shift in range(-30, 31)}
    assert max(scores.values()) > 0.8
    return max(scores, key=lambda shift: scores[shift])


def refused(summary: Summary) -> dict[str, str]:
    return {item.path: item.reason for item in summary.refused}
