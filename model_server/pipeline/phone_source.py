"""Where the phones of a performance come from, besides the sound itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from model_server.audio.timed_phones import TimedPhones
from model_server.errors import ConfigError

Lips = Literal["auto", "encoder", "recogniser"]
LIPS: tuple[str, ...] = get_args(Lips)

MAXIMUM_TEXT = 200_000
"""Characters of the longest text: about four hours of speech."""


@dataclass(frozen=True)
class PhoneSource:
    """What the lips follow.

    Attributes:
        text: what is said in the recording; empty where that is not known.
        language: of the text, as espeak-ng names it: ``"en"``, ``"de"``, ``"cmn"``.
        lips: ``"encoder"`` hears phones of any language, as they come; ``"recogniser"`` hears English words, slower;
            ``"auto"`` follows the text where one is given and is the encoder otherwise.
        phones: an edited track that the lips follow instead of all that is heard.
    """

    text: str = ""
    language: str = "en"
    lips: str = "auto"
    phones: TimedPhones | None = None

    def __post_init__(self) -> None:
        if self.lips not in LIPS:
            raise ConfigError(f"lips cannot follow '{self.lips[:40]}'; choose from {', '.join(LIPS)}")
        if len(self.text) > MAXIMUM_TEXT:
            raise ConfigError(f"the text has {len(self.text)} characters; give at most {MAXIMUM_TEXT}")
        if self.text and not self.text.strip():
            raise ConfigError("the text is empty; write what is said, or leave it out")
        if self.text and self.lips != "auto":
            raise ConfigError(f"lips follow the text or the {self.lips}, not both; leave one out")
        if self.phones is not None and (self.text or self.lips != "auto"):
            raise ConfigError("an edited track of phones needs neither a text nor a choice of lips; leave them out")
        if self.lips == "recogniser" and self.language.lower().split("-")[0] != "en":
            raise ConfigError(
                f"the recogniser knows English only, not '{self.language[:20]}'; "
                "give the text, or let the lips follow the encoder, which hears any language"
            )

    @property
    def kind(self) -> str:
        """One of ``"edited"``, ``"text"``, ``"recogniser"`` and ``"encoder"``."""
        if self.phones is not None:
            return "edited"
        if self.text:
            return "text"
        return "recogniser" if self.lips == "recogniser" else "encoder"
