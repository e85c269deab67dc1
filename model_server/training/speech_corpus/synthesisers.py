"""Speech synthesisers: each voice gives utterances with timed phones."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from model_server.audio.phones import from_arpabet

from .align import align_words, pad
from .espeak import speak_espeak
from .phone_sets import festival_phones, japanese_phones, mbrola_phones
from .text_alignment import align_text
from .texts import sentence, spoken_words
from .utterance import FloatArray, Utterance, timed
from .voice import Source, limited, read_sound

JTALK_DICTIONARY = Path("/var/lib/mecab/dic/open-jtalk/naist-jdic")
JTALK_VOICE = Path("/usr/share/hts-voice/nitech-jp-atr503-m001/nitech_jp_atr503_m001.htsvoice")
MBROLA_VOICES = Path("/usr/share/mbrola")

_ESPEAK_LANGUAGES = (
    *(("en-us", "en"), ("en-gb-x-rp", "en"), ("de", "de"), ("fr", "fr"), ("es", "es"), ("it", "it"), ("pt-br", "pt")),
    *(("nl", "nl"), ("sv", "sv"), ("pl", "pl"), ("cs", "cs"), ("ru", "ru"), ("fi", "fi"), ("cmn", "cmn"), ("ca", "ca")),
)
_ESPEAK_VARIANTS = ("m1", "m3", "m5", "m7", "f1", "f2", "f3", "f4", "f5", "klatt", "klatt3", "linda", "steph", "adam")


def _sentences(language: str, seed: int) -> Iterator[str]:
    generator = np.random.default_rng([seed, *language.encode()])
    while True:
        yield sentence(language, generator)


def flite_says(voice: str, text: str, stretch: float, folder: Path) -> Utterance:
    """Return English ``text`` by a voice of flite, ``stretch`` times as long as it speaks by itself."""
    wave = folder / "flite.wav"
    command = ["flite", "-voice", voice, "-psdur", "--setf", f"duration_stretch={stretch:.2f}", "-t", text]
    run = subprocess.run([*command, "-o", str(wave)], check=True, capture_output=True, text=True)
    pairs = [token.rpartition(":") for token in run.stdout.split()]
    symbols = [from_arpabet(name) for name, _, _ in pairs]
    return timed(symbols, [float(end) for _, _, end in pairs], read_sound(wave))


def flite(voice: str) -> Source:
    """Return flite's ``voice``: ``slt``, ``rms``, ``awb`` or ``kal16``."""

    def source(seconds: float, seed: int, corpus: Path) -> Iterator[Utterance]:
        generator = np.random.default_rng(seed)
        with tempfile.TemporaryDirectory() as folder:
            texts = _sentences("en", seed)
            spoken = (flite_says(voice, text, generator.uniform(0.8, 1.25), Path(folder)) for text in texts)
            yield from limited(spoken, seconds)

    return source


def festival(voice: str, language: str, encoding: str = "utf-8") -> Source:
    """Return a Festival voice such as ``"lp_diphone"``; Festival runs once for every 40 sentences."""

    def batch(texts: list[str], folder: Path) -> Iterator[Utterance | None]:
        lines = [f"(voice_{voice})"]
        for number, text in enumerate(texts):
            quoted = text.replace("\\", " ").replace('"', " ")
            lines.append(f'(set! utt (SynthText "{quoted}"))')
            lines.append(f'(utt.save.segs utt "{folder}/{number}.lab")')
            lines.append(f'(utt.save.wave utt "{folder}/{number}.wav")')
        script = folder / "say.scm"
        script.write_text("\n".join(lines), encoding=encoding, errors="ignore")
        subprocess.run(["festival", "-b", str(script)], check=False, capture_output=True, timeout=300)
        for number in range(len(texts)):
            wave, labels = folder / f"{number}.wav", folder / f"{number}.lab"
            if wave.exists() and labels.exists():
                yield from_labels(read_sound(wave), labels.read_text(errors="ignore"), language)

    def source(seconds: float, seed: int, corpus: Path) -> Iterator[Utterance]:
        def spoken() -> Iterator[Utterance | None]:
            texts = _sentences(language, seed)
            while True:
                with tempfile.TemporaryDirectory() as folder:
                    yield from batch([next(texts) for _ in range(40)], Path(folder))

        yield from limited(spoken(), seconds)

    return source


def from_labels(samples: FloatArray, text: str, language: str) -> Utterance | None:
    """Return speech with the phones of a Festival label file in a language, None for an empty one."""
    rows = [line.split() for line in text.splitlines() if len(line.split()) >= 3]
    if len(rows) < 4:
        return None
    return timed([festival_phones(row[2], language) for row in rows], [float(row[0]) for row in rows], samples)


def espeak(seconds: float, seed: int, corpus: Path) -> Iterator[Utterance]:
    """Yield espeak-ng in fifteen languages with changing variants, rates and pitches."""
    generator = np.random.default_rng(seed)

    def spoken() -> Iterator[Utterance]:
        while True:
            voice, language = _ESPEAK_LANGUAGES[generator.integers(len(_ESPEAK_LANGUAGES))]
            variant = _ESPEAK_VARIANTS[generator.integers(len(_ESPEAK_VARIANTS))]
            rate, pitch = int(generator.integers(130, 220)), int(generator.integers(25, 75))
            yield speak_espeak(sentence(language, generator), f"{voice}+{variant}", rate, pitch)

    yield from limited(spoken(), seconds)


def _aligned_command(command: Callable[[str, Path, np.random.Generator], list[str]], language: str) -> Source:
    """Return a voice that a command speaks, its phones found by alignment with the text."""

    def source(seconds: float, seed: int, corpus: Path) -> Iterator[Utterance]:
        generator = np.random.default_rng(seed)

        def spoken(folder: Path) -> Iterator[Utterance | None]:
            sentences = _sentences(language, seed)
            while True:
                # Starting these engines takes longer than speaking a sentence.
                text = " ".join(next(sentences) for _ in range(3))
                wave, script = folder / "voice.wav", folder / "text.txt"
                script.write_text(text, encoding="utf-8")
                subprocess.run(command(text, folder, generator), check=True, capture_output=True)
                samples = pad(read_sound(wave))
                if language == "en":
                    yield align_words(samples, spoken_words(text))
                else:
                    yield align_text(samples, text, language)

        with tempfile.TemporaryDirectory() as folder:
            yield from limited(spoken(Path(folder)), seconds)

    return source


def rhvoice(voice: str, language: str = "en") -> Source:
    """Return a voice of RHVoice, speaking its language."""

    def command(text: str, folder: Path, generator: np.random.Generator) -> list[str]:
        rate = ["-r", str(generator.integers(85, 120)), "-t", str(generator.integers(85, 115))]
        return ["RHVoice-test", "-p", voice, *rate, "-i", f"{folder}/text.txt", "-o", f"{folder}/voice.wav"]

    return _aligned_command(command, language)


def pico(voice: str) -> Source:
    """Return SVOX Pico's voice ``en-US en-GB de-DE es-ES fr-FR`` or ``it-IT``, at changing speeds and pitches."""

    def command(text: str, folder: Path, generator: np.random.Generator) -> list[str]:
        speed, pitch = generator.integers(85, 120), generator.integers(85, 120)
        changed = f'<speed level="{speed}"><pitch level="{pitch}">{text}</pitch></speed>'
        return ["pico2wave", "-l", voice, "-w", f"{folder}/voice.wav", changed]

    return _aligned_command(command, voice[:2])


def open_jtalk(seconds: float, seed: int, corpus: Path) -> Iterator[Utterance]:
    """Yield Open JTalk's Japanese voice, as higher and lower voices and at changing rates."""
    generator = np.random.default_rng(seed)

    def say(text: str, folder: Path) -> Utterance:
        wave, trace, script = (folder / name for name in ("voice.wav", "trace.txt", "text.txt"))
        script.write_text(text, encoding="utf-8")
        rate, higher, warp = generator.uniform(0.85, 1.2), generator.uniform(-4, 7), generator.uniform(0.5, 0.6)
        change = ["-r", f"{rate:.2f}", "-fm", f"{higher:.1f}", "-a", f"{warp:.3f}"]
        files = ["-x", str(JTALK_DICTIONARY), "-m", str(JTALK_VOICE), "-ow", str(wave), "-ot", str(trace)]
        subprocess.run(["open_jtalk", *files, *change, str(script)], check=True, capture_output=True)
        rows = re.findall(r"^(\d+) (\d+) \S+?-(\w+)\+", trace.read_text(errors="ignore"), re.MULTILINE)
        ends = [float(end) * 1e-7 for _, end, _ in rows]
        return timed(japanese_phones([name for _, _, name in rows]), ends, read_sound(wave))

    with tempfile.TemporaryDirectory() as folder:
        yield from limited((say(text, Path(folder)) for text in _sentences("ja", seed)), seconds)


def mbrola(voice: str, language: str) -> Source:
    """Return an MBROLA voice such as ``"us1"``, with espeak-ng's times."""
    database = MBROLA_VOICES / voice / voice

    def source(seconds: float, seed: int, corpus: Path) -> Iterator[Utterance]:
        generator = np.random.default_rng(seed)

        def spoken(folder: Path) -> Iterator[Utterance | None]:
            for text in _sentences(language, seed):
                wave, script = folder / "voice.wav", folder / "phones.pho"
                style = ["-s", str(generator.integers(120, 180)), "-p", str(generator.integers(30, 70))]
                heard = subprocess.run(
                    ["espeak-ng", "-v", f"mb-{voice}", *style, "-q", "--pho", text],
                    check=True,
                    capture_output=True,
                    text=True,
                )
                script.write_text(heard.stdout)
                run = subprocess.run(
                    ["mbrola", "-e", str(database), str(script), str(wave)],
                    check=True,
                    capture_output=True,
                    text=True,
                )
                rows = [line.split() for line in heard.stdout.splitlines() if len(line.split()) >= 2]
                # Diphones that the voice lacks are replaced by others.
                if rows and "nknown" not in heard.stderr + run.stderr + run.stdout:
                    ends = np.cumsum([float(row[1]) for row in rows]) / 1000
                    yield timed([mbrola_phones(row[0], language) for row in rows], ends.tolist(), read_sound(wave))

        with tempfile.TemporaryDirectory() as folder:
            yield from limited(spoken(Path(folder)), seconds)

    return source
