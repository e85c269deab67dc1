"""espeak-ng through its library, which tells the sample at which every phone begins."""

from __future__ import annotations

import ctypes
import ctypes.util
from functools import cache

import numpy as np

from model_server.audio.phones import to_inventory

from .utterance import Utterance, timed, to_16k

_SYNCHRONOUS = 2
_PHONEME_EVENTS_IN_IPA = 3
_UTF8 = 1
_EVENT_END, _EVENT_PHONEME = 0, 7
# espeak-ng credits the silent closure of a voiceless stop to the phone before it.
_CLOSURE_SECONDS = 0.037
_VOICELESS_STOPS = frozenset("ptk")


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("string", ctypes.c_char * 8),
    )


_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


class _Collector:
    """Gathers the sound and the phone events of one utterance."""

    def __init__(self) -> None:
        self.samples: list[bytes] = []
        self.events: list[tuple[int, str]] = []

    def take(self, wave: object, count: int, events: object) -> int:
        """Take one block from the library."""
        if wave and count > 0:
            self.samples.append(ctypes.string_at(wave, 2 * count))  # type: ignore[arg-type]
        index = 0
        while events[index].type != _EVENT_END:  # type: ignore[index]
            event = events[index]  # type: ignore[index]
            if event.type == _EVENT_PHONEME:
                self.events.append((event.sample, event.string.decode("utf-8", "ignore")))
            index += 1
        return 0


_collector = _Collector()


@_CALLBACK  # type: ignore[untyped-decorator]
def _receive(wave: object, count: int, events: object) -> int:
    return _collector.take(wave, count, events)


@cache
def _library() -> tuple[ctypes.CDLL, int]:
    """Return the library and its sample rate. Its state is global: one process, one voice at a time."""
    library = ctypes.CDLL(ctypes.util.find_library("espeak-ng") or "libespeak-ng.so.1")
    rate = library.espeak_Initialize(_SYNCHRONOUS, 200, None, _PHONEME_EVENTS_IN_IPA)
    if rate <= 0:
        raise RuntimeError("espeak-ng could not start; is espeak-ng-data installed?")
    library.espeak_SetSynthCallback(_receive)
    return library, rate


def speak_espeak(text: str, voice: str, rate: int = 170, pitch: int = 50) -> Utterance:
    """Return ``text`` spoken by an espeak-ng voice such as ``"de+f2"``.

    Raises:
        ValueError: for an unknown voice, or a phone that is not IPA.
    """
    library, sample_rate = _library()
    if library.espeak_SetVoiceByName(voice.encode()) != 0:
        raise ValueError(f"espeak-ng has no voice '{voice}'")
    library.espeak_SetParameter(1, rate, 0)
    library.espeak_SetParameter(3, pitch, 0)
    _collector.__init__()  # type: ignore[misc]
    encoded = text.encode()
    library.espeak_Synth(encoded, len(encoded) + 1, 0, 1, 0, _UTF8, None, None)
    samples = np.frombuffer(b"".join(_collector.samples), np.int16)
    events = _collector.events
    flap = "d" if voice.startswith("en") else "r"
    symbols: list[tuple[str, ...]] = [("sil",)]
    starts = [0.0]
    for sample, ipa in events:
        phones = to_inventory(ipa.replace("ɾ", flap)) if ipa and not ipa.startswith(("_", "(")) else ("sil",)
        start = sample / sample_rate
        if phones and phones[0] in _VOICELESS_STOPS:
            start = max(start - _CLOSURE_SECONDS, 0.5 * (starts[-1] + start))
        symbols.append(phones)
        starts.append(start)
    ends = [*starts[1:], len(samples) / sample_rate]
    return timed(symbols, ends, to_16k(samples, sample_rate))
