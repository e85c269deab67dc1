"""The voices of the speech corpus: synthesisers that tell their phones, and recorded people."""

from __future__ import annotations

from .needs import FORTUNES, Need
from .recordings import (
    RUSSIAN_RECORDINGS,
    fishes,
    letters,
    prompts,
    russian_recordings,
    stamps,
    syllables,
)
from .synthesisers import espeak, festival, flite, pico, rhvoice
from .voice import HOUR, Source, Voice

__all__ = ["VOICES", "Source", "Voice", "flite"]

_ARCTIC = "BSD-like (CMU Arctic)"
_FLITE = (Need("flite", "flite"), FORTUNES)
_RHVOICE = (Need("RHVoice-test", "rhvoice"), Need("/usr/share/RHVoice/languages/English", "rhvoice-english"), FORTUNES)
_PICO = (Need("pico2wave", "libttspico-utils"), FORTUNES)
_PROMPTS = (Need("/usr/share/asterisk/sounds/en_US_f_Allison", "asterisk-core-sounds-en-g722"),)
_RUSSIAN = (Need(f"{RUSSIAN_RECORDINGS}/wav", "festvox-ru", source=True),)


def _festival(name: str, voice: str, folder: str, package: str, language: str, licence: str, hours: float) -> Voice:
    encoding = {"en": "utf-8", "cs": "iso-8859-2"}.get(language, "latin-1")
    needs = (Need("festival", "festival"), Need(f"/usr/share/festival/voices/{folder}/{voice}", package), FORTUNES)
    source = festival(voice, language, encoding)
    held_out = name == "pc"
    return Voice(f"festival_{name}", licence, hours * HOUR, source, held_out=held_out, language=language, needs=needs)


def _recorded(
    name: str, licence: str, source: Source, language: str, needs: tuple[Need, ...], echoes: bool = False
) -> Voice:
    """Return recorded people, all there is of them, whose phones are found by alignment."""
    return Voice(
        name, licence, 2 * HOUR, source, exact=False, human=True, echoes=echoes, language=language, needs=needs
    )


def _fishes(language: str) -> Voice:
    package = "fillets-ng-data" + ("" if language == "en" else f"-{language}")
    needs = (
        Need("/usr/share/games/fillets-ng/script", "fillets-ng-data"),
        Need(f"/usr/share/games/fillets-ng/sound/keys/{language}", package),
    )
    licence = "GPL-2 (Fish Fillets - Next Generation)"
    return _recorded(f"fishes_{language}", licence, fishes(language), language, needs, echoes=True)


def _stamps(language: str) -> Voice:
    needs = (Need("/usr/share/tuxpaint/stamps/animals", "tuxpaint-stamps-default"),)
    licence = "GPL-2 (Tux Paint stamps)"
    return _recorded(f"stamps_{language}", licence, stamps(language), language, needs)


def _letters(language: str) -> Voice:
    needs = (Need(f"/usr/share/klettres/{language}", "klettres-data"),)
    name, licence = f"letters_{language.lower()}", "GPL-2+ (KLettres)"
    return _recorded(name, licence, letters(language), language.split("_")[0], needs)


def _syllables(speaker: str, licence: str) -> Voice:
    needs = (Need("/usr/share/gcin-voice/ogg", "gcin-voice"),)
    return _recorded(f"syllables_{speaker}", licence, syllables(speaker), "cmn", needs)


_ITALIAN, _CZECH, _FINNISH = "GPL-2+ (Italian Festival)", "GPL-2+ (Brailcom)", "LGPL-2+ (Suopuhe)"

_SYNTHESISERS: tuple[Voice, ...] = (
    Voice("flite_slt", _ARCTIC, 0.45 * HOUR, flite("slt"), needs=_FLITE),
    Voice("flite_rms", _ARCTIC, 0.55 * HOUR, flite("rms"), needs=_FLITE),
    Voice("flite_kal16", "BSD-like (CMU)", 0.25 * HOUR, flite("kal16"), needs=_FLITE),
    Voice("flite_awb", _ARCTIC, 0.15 * HOUR, flite("awb"), held_out=True, needs=_FLITE),
    _festival("slt_hts", "cmu_us_slt_arctic_hts", "us", "festvox-us-slt-hts", "en", _ARCTIC, 0.2),
    _festival("ked", "ked_diphone", "english", "festvox-kdlpc16k", "en", "BSD-like (Festival)", 0.25),
    _festival("lp", "lp_diphone", "italian", "festvox-italp16k", "it", _ITALIAN, 0.25),
    _festival("pc", "pc_diphone", "italian", "festvox-itapc16k", "it", _ITALIAN, 0.12),
    _festival("czech_ph", "czech_ph", "czech", "festvox-czech-ph", "cs", _CZECH, 0.15),
    _festival("czech_dita", "czech_dita", "czech", "festvox-czech-dita", "cs", _CZECH, 0.25),
    _festival("czech_machac", "czech_machac", "czech", "festvox-czech-machac", "cs", _CZECH, 0.25),
    _festival("czech_krb", "czech_krb", "czech", "festvox-czech-krb", "cs", _CZECH, 0.2),
    _festival("finnish_lj", "suo_fi_lj_diphone", "finnish", "festvox-suopuhe-lj", "fi", _FINNISH, 0.2),
    _festival("finnish_mv", "hy_fi_mv_diphone", "finnish", "festvox-suopuhe-mv", "fi", _FINNISH, 0.2),
    _festival("catalan_ona", "upc_ca_ona_hts", "catalan", "festvox-ca-ona-hts", "ca", "LGPL-2.1+ (UPC)", 0.2),
    Voice(
        "espeak",
        "output of GPL-3 espeak-ng",
        0.6 * HOUR,
        espeak,
        language="mul",
        needs=(Need("espeak-ng", "espeak-ng"), FORTUNES),
    ),
    *(
        Voice(f"rhvoice_{name}", "LGPL-2.1+ (RHVoice)", hours * HOUR, rhvoice(name), exact=False, needs=_RHVOICE)
        for name, hours in (("alan", 0.3), ("bdl", 0.3), ("clb", 0.4))
    ),
    Voice("pico_en_us", "Apache-2.0 (SVOX)", 0.3 * HOUR, pico("en-US"), exact=False, needs=_PICO),
    Voice("pico_en_gb", "Apache-2.0 (SVOX)", 0.3 * HOUR, pico("en-GB"), exact=False, needs=_PICO),
)

_PEOPLE: tuple[Voice, ...] = (
    Voice(
        "festvox_ru",
        "BSD-like (festvox-ru)",
        2 * HOUR,
        russian_recordings,
        human=True,
        language="ru",
        needs=_RUSSIAN,
    ),
    Voice(
        "prompts_en",
        "CC BY-SA 3.0 (Allison Smith, Digium)",
        HOUR,
        prompts,
        exact=False,
        human=True,
        needs=_PROMPTS,
    ),
    *(_fishes(language) for language in ("cs", "nl", "en")),
    *(_stamps(language) for language in ("be", "bg", "ca", "da", "el", "es", "fr", "nl", "ro", "ru")),
    _syllables("3", "GPL-3 or LGPL-3 (gcin-voice)"),
    _syllables("5", "CC BY 3.0 (gcin-voice: Chu Lo, ChionMeilin)"),
    *(_letters(language) for language in ("da", "de", "en", "en_GB", "es", "fr", "hu", "it", "lt", "ml", "nl")),
    *(_letters(language) for language in ("pt_BR", "ru", "uk")),
)

VOICES: tuple[Voice, ...] = (*_SYNTHESISERS, *_PEOPLE)
