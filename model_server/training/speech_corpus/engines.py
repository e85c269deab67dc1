"""The voices of the corpus: each gives utterances with timed phones."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import soundfile

from model_server.audio.phones import from_arpabet

from .align import align_words, pad, recognise_words
from .espeak import speak_espeak
from .needs import FORTUNES, Need
from .phone_sets import festival_phones
from .texts import sentence, spoken_words
from .utterance import FloatArray, Utterance, timed, to_16k

RUSSIAN_RECORDINGS = Path("festvox-ru")
"""Folder of the unpacked source of Debian's festvox-ru, below the corpus folder."""

_PROMPTS = Path("/usr/share/asterisk/sounds/en_US_f_Allison")
_ESPEAK_LANGUAGES = (
    *(("en-us", "en"), ("en-gb-x-rp", "en"), ("de", "de"), ("fr", "fr"), ("es", "es"), ("it", "it"), ("pt-br", "pt")),
    *(("nl", "nl"), ("sv", "sv"), ("pl", "pl"), ("cs", "cs"), ("ru", "ru"), ("fi", "fi"), ("cmn", "cmn"), ("ca", "ca")),
)
_ESPEAK_VARIANTS = ("m1", "m3", "m5", "m7", "f1", "f2", "f3", "f4", "f5", "klatt", "klatt3", "linda", "steph", "adam")

Source = Callable[[float, int, Path], Iterator[Utterance]]
"""``source(seconds, seed, corpus folder)`` yields utterances until they last about ``seconds`` together."""


@dataclass(frozen=True)
class Voice:
    """A voice of the corpus.

    Attributes:
        name: file name of its shard.
        licence: of the voice or the recordings, and where it is stated.
        seconds: how much of it a full corpus holds.
        source: makes the utterances.
        exact: whether the engine itself told the times.
        held_out: whether it is kept for validation.
        language: ISO 639 code of what it speaks; "mul" for several.
        needs: what must be installed for it.
    """

    name: str
    licence: str
    seconds: float
    source: Source
    exact: bool = True
    held_out: bool = False
    language: str = "en"
    needs: tuple[Need, ...] = ()


def _sentences(language: str, seed: int) -> Iterator[str]:
    generator = np.random.default_rng([seed, *language.encode()])
    while True:
        yield sentence(language, generator)


def _read(path: Path) -> FloatArray:
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    return to_16k(samples.mean(axis=1), rate)


def _limited(utterances: Iterator[Utterance | None], seconds: float) -> Iterator[Utterance]:
    total = 0.0
    for utterance in utterances:
        if utterance is None or not 0.3 < utterance.seconds < 30:
            continue
        yield utterance
        total += utterance.seconds
        if total >= seconds:
            return


def flite(voice: str) -> Source:
    """Return flite's ``voice``: ``slt``, ``rms``, ``awb`` or ``kal16``."""

    def say(text: str, stretch: float, folder: Path) -> Utterance:
        wave = folder / "flite.wav"
        command = ["flite", "-voice", voice, "-psdur", "--setf", f"duration_stretch={stretch:.2f}", "-t", text]
        run = subprocess.run([*command, "-o", str(wave)], check=True, capture_output=True, text=True)
        pairs = [token.rpartition(":") for token in run.stdout.split()]
        symbols = [from_arpabet(name) for name, _, _ in pairs]
        return timed(symbols, [float(end) for _, _, end in pairs], _read(wave))

    def source(seconds: float, seed: int, corpus: Path) -> Iterator[Utterance]:
        generator = np.random.default_rng(seed)
        with tempfile.TemporaryDirectory() as folder:
            texts = _sentences("en", seed)
            spoken = (say(text, generator.uniform(0.8, 1.25), Path(folder)) for text in texts)
            yield from _limited(spoken, seconds)

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
                yield _from_labels(_read(wave), labels.read_text(errors="ignore"), language)

    def source(seconds: float, seed: int, corpus: Path) -> Iterator[Utterance]:
        def spoken() -> Iterator[Utterance | None]:
            texts = _sentences(language, seed)
            while True:
                with tempfile.TemporaryDirectory() as folder:
                    yield from batch([next(texts) for _ in range(40)], Path(folder))

        yield from _limited(spoken(), seconds)

    return source


def _from_labels(samples: FloatArray, text: str, language: str) -> Utterance | None:
    rows = [line.split() for line in text.splitlines() if len(line.split()) >= 3]
    if len(rows) < 4:
        return None
    return timed([festival_phones(row[2], language) for row in rows], [float(row[0]) for row in rows], samples)


def russian_recordings(seconds: float, seed: int, corpus: Path) -> Iterator[Utterance]:
    """Yield the recordings from which festvox-ru was made: a human, with phone labels."""
    folder = corpus / RUSSIAN_RECORDINGS
    waves = sorted((folder / "wav").glob("*.wav"))
    if not waves:
        raise FileNotFoundError(f"{folder} holds no recordings; unpack Debian's source of festvox-ru there")
    pairs = ((wave, folder / "lab" / f"{wave.stem}.lab") for wave in waves)
    spoken = (_from_labels(_read(wave), labels.read_text(), "ru") for wave, labels in pairs if labels.exists())
    yield from _limited(spoken, seconds)


def espeak(seconds: float, seed: int, corpus: Path) -> Iterator[Utterance]:
    """Yield espeak-ng in fifteen languages with changing variants, rates and pitches."""
    generator = np.random.default_rng(seed)

    def spoken() -> Iterator[Utterance]:
        while True:
            voice, language = _ESPEAK_LANGUAGES[generator.integers(len(_ESPEAK_LANGUAGES))]
            variant = _ESPEAK_VARIANTS[generator.integers(len(_ESPEAK_VARIANTS))]
            rate, pitch = int(generator.integers(130, 220)), int(generator.integers(25, 75))
            yield speak_espeak(sentence(language, generator), f"{voice}+{variant}", rate, pitch)

    yield from _limited(spoken(), seconds)


def _aligned_command(command: Callable[[str, Path, np.random.Generator], list[str]]) -> Source:
    """Return an English voice that a command speaks, its phones found by alignment with the text."""

    def source(seconds: float, seed: int, corpus: Path) -> Iterator[Utterance]:
        generator = np.random.default_rng(seed)

        def spoken(folder: Path) -> Iterator[Utterance | None]:
            for text in _sentences("en", seed):
                wave, script = folder / "voice.wav", folder / "text.txt"
                script.write_text(text)
                subprocess.run(command(text, folder, generator), check=True, capture_output=True)
                yield align_words(pad(_read(wave)), spoken_words(text))

        with tempfile.TemporaryDirectory() as folder:
            yield from _limited(spoken(Path(folder)), seconds)

    return source


def rhvoice(voice: str) -> Source:
    """Return an English voice of RHVoice."""

    def command(text: str, folder: Path, generator: np.random.Generator) -> list[str]:
        rate = ["-r", str(generator.integers(85, 120)), "-t", str(generator.integers(85, 115))]
        return ["RHVoice-test", "-p", voice, *rate, "-i", f"{folder}/text.txt", "-o", f"{folder}/voice.wav"]

    return _aligned_command(command)


def pico(language: str) -> Source:
    """Return SVOX Pico's English voice of ``en-US`` or ``en-GB``."""

    def command(text: str, folder: Path, generator: np.random.Generator) -> list[str]:
        return ["pico2wave", "-l", language, "-w", f"{folder}/voice.wav", text]

    return _aligned_command(command)


def prompts(seconds: float, seed: int, corpus: Path) -> Iterator[Utterance]:
    """Yield Asterisk's English prompts: a human; words by recognition, phones by alignment."""

    def spoken() -> Iterator[Utterance | None]:
        for path in sorted(_PROMPTS.rglob("*.g722")):
            with av.open(str(path), format="g722") as container:
                pieces = [frame.to_ndarray().ravel() for frame in container.decode(audio=0)]
            samples = pad(to_16k(np.concatenate(pieces), 16_000))
            words = recognise_words(samples)
            yield align_words(samples, words) if words else None

    yield from _limited(spoken(), seconds)


HOUR = 3600.0
_FESTVOX = "BSD-like (Festival)"
_FLITE = (Need("flite", "flite"), FORTUNES)
_RHVOICE = (Need("RHVoice-test", "rhvoice"), Need("/usr/share/RHVoice/languages/English", "rhvoice-english"), FORTUNES)
_PICO = (Need("pico2wave", "libttspico-utils"), FORTUNES)


def _festival_needs(voice: str, package: str) -> tuple[Need, ...]:
    return (Need("festival", "festival"), Need(f"/usr/share/festival/voices/{voice}", package), FORTUNES)


VOICES: tuple[Voice, ...] = (
    Voice("flite_slt", "BSD-like (CMU Arctic)", 0.45 * HOUR, flite("slt"), needs=_FLITE),
    Voice("flite_rms", "BSD-like (CMU Arctic)", 0.55 * HOUR, flite("rms"), needs=_FLITE),
    Voice("flite_kal16", "BSD-like (CMU)", 0.25 * HOUR, flite("kal16"), needs=_FLITE),
    Voice("flite_awb", "BSD-like (CMU Arctic)", 0.15 * HOUR, flite("awb"), held_out=True, needs=_FLITE),
    Voice(
        "festival_slt_hts",
        "BSD-like (CMU Arctic)",
        0.2 * HOUR,
        festival("cmu_us_slt_arctic_hts", "en"),
        needs=_festival_needs("us/cmu_us_slt_arctic_hts", "festvox-us-slt-hts"),
    ),
    Voice(
        "festival_ked",
        _FESTVOX,
        0.25 * HOUR,
        festival("ked_diphone", "en"),
        needs=_festival_needs("english/ked_diphone", "festvox-kdlpc16k"),
    ),
    Voice(
        "festival_lp",
        "GPL-2+ (Italian Festival)",
        0.25 * HOUR,
        festival("lp_diphone", "it", "latin-1"),
        language="it",
        needs=_festival_needs("italian/lp_diphone", "festvox-italp16k"),
    ),
    Voice(
        "festival_pc",
        "GPL-2+ (Italian Festival)",
        0.12 * HOUR,
        festival("pc_diphone", "it", "latin-1"),
        held_out=True,
        language="it",
        needs=_festival_needs("italian/pc_diphone", "festvox-itapc16k"),
    ),
    Voice(
        "festival_czech_ph",
        "GPL-2+ (Brailcom)",
        0.15 * HOUR,
        festival("czech_ph", "cs", "iso-8859-2"),
        language="cs",
        needs=_festival_needs("czech/czech_ph", "festvox-czech-ph"),
    ),
    Voice(
        "festival_czech_dita",
        "GPL-2+ (Brailcom)",
        0.25 * HOUR,
        festival("czech_dita", "cs", "iso-8859-2"),
        language="cs",
        needs=_festival_needs("czech/czech_dita", "festvox-czech-dita"),
    ),
    Voice(
        "festival_czech_machac",
        "GPL-2+ (Brailcom)",
        0.25 * HOUR,
        festival("czech_machac", "cs", "iso-8859-2"),
        language="cs",
        needs=_festival_needs("czech/czech_machac", "festvox-czech-machac"),
    ),
    Voice(
        "festival_czech_krb",
        "GPL-2+ (Brailcom)",
        0.2 * HOUR,
        festival("czech_krb", "cs", "iso-8859-2"),
        language="cs",
        needs=_festival_needs("czech/czech_krb", "festvox-czech-krb"),
    ),
    Voice(
        "festival_finnish_lj",
        "LGPL-2+ (Suopuhe)",
        0.2 * HOUR,
        festival("suo_fi_lj_diphone", "fi", "latin-1"),
        language="fi",
        needs=_festival_needs("finnish/suo_fi_lj_diphone", "festvox-suopuhe-lj"),
    ),
    Voice(
        "festival_finnish_mv",
        "LGPL-2+ (Suopuhe)",
        0.2 * HOUR,
        festival("hy_fi_mv_diphone", "fi", "latin-1"),
        language="fi",
        needs=_festival_needs("finnish/hy_fi_mv_diphone", "festvox-suopuhe-mv"),
    ),
    Voice(
        "festival_catalan_ona",
        "LGPL-2.1+ (UPC)",
        0.2 * HOUR,
        festival("upc_ca_ona_hts", "ca", "latin-1"),
        language="ca",
        needs=_festival_needs("catalan/upc_ca_ona_hts", "festvox-ca-ona-hts"),
    ),
    Voice("festvox_ru", "BSD-like (festvox-ru)", 2.0 * HOUR, russian_recordings, language="ru"),
    Voice(
        "espeak",
        "output of GPL-3 espeak-ng",
        0.6 * HOUR,
        espeak,
        language="mul",
        needs=(Need("espeak-ng", "espeak-ng"), FORTUNES),
    ),
    Voice("rhvoice_alan", "LGPL-2.1+ (RHVoice)", 0.3 * HOUR, rhvoice("alan"), exact=False, needs=_RHVOICE),
    Voice("rhvoice_bdl", "LGPL-2.1+ (RHVoice)", 0.3 * HOUR, rhvoice("bdl"), exact=False, needs=_RHVOICE),
    Voice("rhvoice_clb", "LGPL-2.1+ (RHVoice)", 0.4 * HOUR, rhvoice("clb"), exact=False, needs=_RHVOICE),
    Voice("pico_en_us", "Apache-2.0 (SVOX)", 0.3 * HOUR, pico("en-US"), exact=False, needs=_PICO),
    Voice("pico_en_gb", "Apache-2.0 (SVOX)", 0.3 * HOUR, pico("en-GB"), exact=False, needs=_PICO),
    Voice(
        "prompts_en",
        "CC BY-SA 3.0 (Allison Smith, Digium)",
        1.0 * HOUR,
        prompts,
        exact=False,
        needs=(Need(str(_PROMPTS), "asterisk-core-sounds-en-g722"),),
    ),
)
