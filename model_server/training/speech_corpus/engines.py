"""The voices of the speech corpus: synthesisers that tell their phones, and recorded people."""

from __future__ import annotations

from .amazon_queen import QUEEN, amazon_queen
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
from .synthesisers import (
    JTALK_DICTIONARY,
    JTALK_VOICE,
    MBROLA_VOICES,
    espeak,
    festival,
    flite,
    mbrola,
    open_jtalk,
    pico,
    rhvoice,
)
from .voice import HOUR, Source, Voice

__all__ = ["VOICES", "Source", "Voice", "flite"]

_ARCTIC = "BSD-like (CMU Arctic)"
_FORTUNES, _WORDS = "/usr/share/games/fortunes", "/usr/share/dict"
_STAMPS = Need("/usr/share/tuxpaint/stamps/animals", "tuxpaint-stamps-default")
_TEXTS: dict[str, tuple[Need, ...]] = {
    "en": (FORTUNES, Need(f"{_WORDS}/american-english", "wamerican")),
    "de": (Need(f"{_FORTUNES}/de", "fortunes-de"), Need(f"{_WORDS}/ngerman", "wngerman")),
    "es": (Need(f"{_FORTUNES}/es", "fortunes-es"), Need(f"{_WORDS}/spanish", "wspanish")),
    "it": (Need(f"{_FORTUNES}/italia", "fortunes-it"), Need(f"{_WORDS}/italian", "witalian")),
    "ru": (Need(f"{_FORTUNES}/ru", "fortunes-ru"),),
    "cs": (Need(f"{_FORTUNES}/cs", "fortunes-cs"),),
    "fr": (Need(f"{_WORDS}/french", "wfrench"),),
    "nl": (Need(f"{_WORDS}/dutch", "wdutch"),),
    "pl": (Need(f"{_WORDS}/polish", "wpolish"),),
    "pt": (Need(f"{_WORDS}/portuguese", "wportuguese"),),
    "sv": (Need(f"{_WORDS}/swedish", "wswedish"),),
    **dict.fromkeys(("eo", "ja", "uk"), (_STAMPS,)),
}


def _texts(language: str) -> tuple[Need, ...]:
    """Return what the sentences of a language are made from; those of some are invented."""
    return _TEXTS.get(language, ())


_FLITE = (Need("flite", "flite"), *_texts("en"))
_JTALK = (
    Need("open_jtalk", "open-jtalk"),
    Need(str(JTALK_DICTIONARY), "open-jtalk-mecab-naist-jdic"),
    Need(str(JTALK_VOICE), "hts-voice-nitech-jp-atr503-m001"),
    _STAMPS,
)
_MBROLA_LICENCE = "MBROLA: not for products that are sold; for validation only"
_PROMPTS = (Need("/usr/share/asterisk/sounds/en_US_f_Allison", "asterisk-core-sounds-en-g722"),)
_RUSSIAN = (Need(f"{RUSSIAN_RECORDINGS}/wav", "festvox-ru", source=True),)


def _festival(name: str, voice: str, folder: str, package: str, language: str, licence: str, hours: float) -> Voice:
    encoding = {"en": "utf-8", "cs": "iso-8859-2"}.get(language, "latin-1")
    data = Need(f"/usr/share/festival/voices/{folder}/{voice}", package)
    needs = (Need("festival", "festival"), data, *_texts(language))
    source = festival(voice, language, encoding)
    held_out = name == "pc"
    return Voice(f"festival_{name}", licence, hours * HOUR, source, held_out=held_out, language=language, needs=needs)


def _rhvoice(voice: str, language: str, folder: str, hours: float, licence: str = "LGPL-2.1+ (RHVoice)") -> Voice:
    data = Need(f"/usr/share/RHVoice/languages/{folder}", f"rhvoice-{folder.lower()}")
    name = voice.lower().replace("í", "i").replace("-", "_")
    return Voice(
        f"rhvoice_{name}",
        licence,
        hours * HOUR,
        rhvoice(voice, language),
        exact=False,
        language=language,
        needs=(Need("RHVoice-test", "rhvoice"), data, *_texts(language)),
    )


def _pico(voice: str) -> Voice:
    name, language = voice.lower().replace("-", "_"), voice[:2]
    needs = (Need("pico2wave", "libttspico-utils"), *_texts(language))
    return Voice(
        f"pico_{name}", "Apache-2.0 (SVOX)", 0.4 * HOUR, pico(voice), exact=False, language=language, needs=needs
    )


def _mbrola(voice: str, language: str) -> Voice:
    """Return a voice of the engine that is never trained on."""
    needs = (Need("mbrola", "mbrola"), Need(f"{MBROLA_VOICES}/{voice}", f"mbrola-{voice}"), *_texts(language))
    return Voice(
        f"mbrola_{voice}",
        _MBROLA_LICENCE,
        0.04 * HOUR,
        mbrola(voice, language),
        held_out=True,
        language=language,
        needs=needs,
    )


def _recorded(
    name: str,
    licence: str,
    hours: float,
    source: Source,
    language: str,
    needs: tuple[Need, ...],
    echoes: bool = False,
) -> Voice:
    """Return recorded people whose phones are found by alignment; ``hours`` are a little more than there are."""
    return Voice(
        name,
        licence,
        hours * HOUR,
        source,
        exact=False,
        human=True,
        echoes=echoes,
        language=language,
        needs=needs,
    )


def _fishes(language: str, hours: float) -> Voice:
    package = "fillets-ng-data" + ("" if language == "en" else f"-{language}")
    needs = (
        Need("/usr/share/games/fillets-ng/script", "fillets-ng-data"),
        Need(f"/usr/share/games/fillets-ng/sound/keys/{language}", package),
    )
    licence = "GPL-2 (Fish Fillets - Next Generation)"
    source = fishes(language)
    return _recorded(f"fishes_{language}", licence, hours, source, language, needs, echoes=True)


def _queen(name: str, hero: bool, hours: float) -> Voice:
    needs = (Need(str(QUEEN), "flight-of-the-amazon-queen"),)
    licence = "Flight of the Amazon Queen licence, DFSG-free (John Passfield, Steven Stamatiadis)"
    return _recorded(f"queen_{name}", licence, hours, amazon_queen(hero), "en", needs)


def _stamps(language: str, hours: float) -> Voice:
    licence = "GPL-2 (Tux Paint stamps)"
    return _recorded(f"stamps_{language}", licence, hours, stamps(language), language, (_STAMPS,))


def _letters(language: str, hours: float) -> Voice:
    needs = (Need(f"/usr/share/klettres/{language}", "klettres-data"),)
    name, licence = f"letters_{language.lower()}", "GPL-2+ (KLettres)"
    return _recorded(name, licence, hours, letters(language), language.split("_")[0], needs)


def _syllables(speaker: str, licence: str) -> Voice:
    needs = (Need("/usr/share/gcin-voice/ogg", "gcin-voice"),)
    return _recorded(f"syllables_{speaker}", licence, 0.2, syllables(speaker), "cmn", needs)


_ITALIAN, _CZECH, _FINNISH = "GPL-2+ (Italian Festival)", "GPL-2+ (Brailcom)", "LGPL-2+ (Suopuhe)"

_SYNTHESISERS: tuple[Voice, ...] = (
    Voice("flite_slt", _ARCTIC, 0.8 * HOUR, flite("slt"), needs=_FLITE),
    Voice("flite_rms", _ARCTIC, 0.8 * HOUR, flite("rms"), needs=_FLITE),
    Voice("flite_kal16", "BSD-like (CMU)", 0.35 * HOUR, flite("kal16"), needs=_FLITE),
    Voice("flite_awb", _ARCTIC, 0.15 * HOUR, flite("awb"), held_out=True, needs=_FLITE),
    _festival("slt_hts", "cmu_us_slt_arctic_hts", "us", "festvox-us-slt-hts", "en", _ARCTIC, 0.4),
    _festival("ked", "ked_diphone", "english", "festvox-kdlpc16k", "en", "BSD-like (Festival)", 0.4),
    _festival("lp", "lp_diphone", "italian", "festvox-italp16k", "it", _ITALIAN, 0.4),
    _festival("pc", "pc_diphone", "italian", "festvox-itapc16k", "it", _ITALIAN, 0.12),
    _festival("czech_ph", "czech_ph", "czech", "festvox-czech-ph", "cs", _CZECH, 0.3),
    _festival("czech_dita", "czech_dita", "czech", "festvox-czech-dita", "cs", _CZECH, 0.35),
    _festival("czech_machac", "czech_machac", "czech", "festvox-czech-machac", "cs", _CZECH, 0.35),
    _festival("czech_krb", "czech_krb", "czech", "festvox-czech-krb", "cs", _CZECH, 0.3),
    _festival("finnish_lj", "suo_fi_lj_diphone", "finnish", "festvox-suopuhe-lj", "fi", _FINNISH, 0.35),
    _festival("finnish_mv", "hy_fi_mv_diphone", "finnish", "festvox-suopuhe-mv", "fi", _FINNISH, 0.35),
    _festival("catalan_ona", "upc_ca_ona_hts", "catalan", "festvox-ca-ona-hts", "ca", "LGPL-2.1+ (UPC)", 0.4),
    Voice(
        "espeak",
        "output of GPL-3 espeak-ng",
        0.9 * HOUR,
        espeak,
        language="mul",
        needs=(Need("espeak-ng", "espeak-ng"), *(need for needs in _TEXTS.values() for need in needs)),
    ),
    *(_rhvoice(voice, "en", "English", 0.45) for voice in ("alan", "bdl", "clb", "slt")),
    *(_rhvoice(voice, "ru", "Russian", 0.3) for voice in ("Aleksandr", "Anna", "Elena", "Irina")),
    _rhvoice("Aleksandr-hq", "ru", "Russian", 0.3, "CC BY-SA 4.0 (RHVoice, Artem Plaksin)"),
    *(_rhvoice(voice, "uk", "Ukrainian", 0.3) for voice in ("Anatol", "Natalia")),
    _rhvoice("Spomenka", "eo", "Esperanto", 0.3),
    _rhvoice("Letícia-F123", "pt", "Brazilian-Portuguese", 0.4, "CC BY-SA 4.0 (RHVoice, Fernando Botelho)"),
    *(_pico(voice) for voice in ("en-US", "en-GB", "de-DE", "es-ES", "fr-FR", "it-IT")),
    Voice("open_jtalk", "CC BY 3.0 (HTS Working Group)", 0.5 * HOUR, open_jtalk, language="ja", needs=_JTALK),
)

_VALIDATION_ENGINE: tuple[Voice, ...] = tuple(
    _mbrola(voice, language)
    for voice, language in (
        *(("us1", "en"), ("us2", "en"), ("us3", "en"), ("en1", "en"), ("de6", "de"), ("de7", "de"), ("fr1", "fr")),
        *(("fr4", "fr"), ("es1", "es"), ("it4", "it"), ("pl1", "pl"), ("cz2", "cs")),
    )
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
    _queen("hero", hero=True, hours=1.2),
    _queen("others", hero=False, hours=3.2),
    *(_fishes(language, hours) for language, hours in (("cs", 1.8), ("nl", 1.7), ("en", 0.12))),
    *(
        _stamps(language, hours)
        for language, hours in (
            *(("be", 0.3), ("bg", 0.4), ("ca", 0.3), ("da", 0.1), ("el", 0.35), ("es", 0.45), ("fr", 0.4)),
            *(("nl", 0.05), ("ro", 0.55), ("ru", 0.45)),
        )
    ),
    _syllables("3", "GPL-3 or LGPL-3 (gcin-voice)"),
    _syllables("5", "CC BY 3.0 (gcin-voice: Chu Lo, ChionMeilin)"),
    _letters("ml", 0.4),
    *(_letters(language, 0.06) for language in ("da", "de", "en", "en_GB", "es", "fr", "hu", "it", "lt", "nl")),
    *(_letters(language, 0.06) for language in ("pt_BR", "ru", "uk")),
)

VOICES: tuple[Voice, ...] = (*_SYNTHESISERS, *_PEOPLE, *_VALIDATION_ENGINE)
"""Every voice of the corpus."""
