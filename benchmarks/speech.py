"""Speed of audio to curves, whole and by stage, and its peak memory by length."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
import wave
from dataclasses import replace
from pathlib import Path

import numpy as np

from model_server.audio.decode import SAMPLE_RATE, open_audio
from model_server.audio.listener import PhoneListener
from model_server.commands.demo import DEMO_SPEECH
from model_server.pipeline.performance import express, refine
from model_server.pipeline.phone_source import PhoneSource
from model_server.pipeline.request import AnimationRequest, EmotionTrack
from model_server.pipeline.speech_to_curves import SpeechToCurves

from . import Row

_HAPPY = EmotionTrack.constant({"happy": 0.8})


def write_repeated_speech(path: Path, minutes: float) -> None:
    """Write the demo's speech over and over as a 16-bit WAV of ``minutes``."""
    speech = np.concatenate(list(open_audio(DEMO_SPEECH).blocks()))
    samples = (speech * 32767).astype("<i2")
    wanted = round(minutes * 60 * SAMPLE_RATE)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        while wanted:
            part = samples[:wanted]
            file.writeframes(part.tobytes())
            wanted -= len(part)


def stages(minutes: float = 2.0) -> list[Row]:
    """Measure seconds of audio per second of wall time, for each stage and the whole."""
    model = SpeechToCurves.load()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "speech.wav"
        write_repeated_speech(path, minutes)
        audio = open_audio(path)
        request = AnimationRequest(_HAPPY, seed=1)
        next(model.stream(audio, request))  # warm up
        seconds = minutes * 60
        rows: list[Row] = []

        def measure(name: str, work: object) -> None:
            rows.append(Row(name, seconds / work, "x real time"))  # type: ignore[operator]

        began = time.perf_counter()
        heard = [track.features() for track in PhoneListener(model.encoder).listen(audio.blocks())]
        measure("decode, features and speech encoder", time.perf_counter() - began)
        began = time.perf_counter()
        faces = list(express(heard, model.emodiff, _HAPPY, None, 1, model.sampling, lambda _: None))
        measure(f"EmoDiff, {model.sampling.steps} steps", time.perf_counter() - began)
        began = time.perf_counter()
        list(refine(faces, model.lip_refiner))
        measure("lip refinement", time.perf_counter() - began)
        began = time.perf_counter()
        model(audio, request)
        measure("audio to curves, whole", time.perf_counter() - began)
        began = time.perf_counter()
        model(audio, replace(request, source=PhoneSource(lips="recogniser")))
        measure("audio to curves, whole, English recogniser", time.perf_counter() - began)
        began = time.perf_counter()
        next(model.stream(audio, request))
        rows.append(Row("first curves of a warm model", time.perf_counter() - began, "s"))
        return rows


def memory(lengths: tuple[float, ...]) -> list[Row]:
    """Measure the peak memory of a fresh process for recordings of ``lengths`` minutes."""
    rows = []
    for minutes in lengths:
        command = [sys.executable, "-m", "benchmarks.speech", str(minutes)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        figures = json.loads(done.stdout)
        rows.append(Row(f"peak memory, {minutes:g} min of audio", figures["peak_mib"], "MiB"))
        rows.append(Row(f"audio to curves, {minutes:g} min of audio", figures["speed"], "x real time"))
    return rows


def _measure_memory(minutes: float) -> None:
    """Make curves of ``minutes`` part by part and print peak memory and speed as JSON."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "speech.wav"
        write_repeated_speech(path, minutes)
        model = SpeechToCurves.load()
        began = time.perf_counter()
        for _ in model.stream(open_audio(path), AnimationRequest(_HAPPY, seed=1)):
            pass
        speed = minutes * 60 / (time.perf_counter() - began)
    # Not getrusage: its peak begins with the memory of the process that started this one.
    status = Path("/proc/self/status").read_text()
    peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1024
    print(json.dumps({"peak_mib": peak, "speed": speed}))


if __name__ == "__main__":
    _measure_memory(float(sys.argv[1]))
