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
        what: name of a program, or an absolute path.
        package: the Debian package that brings it, or what else to do.
    """

    what: str
    package: str

    def met(self) -> bool:
        """Whether it is there."""
        return Path(self.what).exists() if self.what.startswith("/") else shutil.which(self.what) is not None


FORTUNES = Need("/usr/share/games/fortunes/fortunes", "fortunes-min")


def missing(needs: Iterable[Need]) -> str | None:
    """Return one sentence on what is missing and how to install it, or None where nothing is."""
    absent = [need for need in needs if not need.met()]
    if not absent:
        return None
    names = " and ".join(need.what for need in absent)
    packages = " ".join(dict.fromkeys(need.package for need in absent))
    return f"{names} {'is' if len(absent) == 1 else 'are'} missing; install it with: apt-get install {packages}"
