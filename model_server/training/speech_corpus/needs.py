"""What a voice needs on this machine, and what to install where it is not there."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Need:
    """A program or a file that a voice cannot do without.

    Attributes:
        what: name of a program, or a path with a slash, absolute or below the corpus folder.
        package: the Debian package that brings it.
        source: whether it is in the package's source, which is to be unpacked in the corpus folder.
    """

    what: str
    package: str
    source: bool = False

    def met(self, corpus: Path) -> bool:
        """Whether it is there."""
        return (corpus / self.what).exists() if "/" in self.what else shutil.which(self.what) is not None

    def remedy(self) -> str:
        """Return the command that brings it."""
        return f"apt-get {'source' if self.source else 'install'} {self.package}"


FORTUNES = Need("/usr/share/games/fortunes/fortunes", "fortunes-min")


def missing(needs: Iterable[Need], corpus: Path) -> str | None:
    """Return one sentence on what is missing and how to get it, or None where nothing is."""
    absent = [need for need in needs if not need.met(corpus)]
    if not absent:
        return None
    names = " and ".join(need.what for need in absent)
    remedies = " && ".join(dict.fromkeys(need.remedy() for need in absent))
    return f"{names} {'is' if len(absent) == 1 else 'are'} missing; get it with: {remedies}"
