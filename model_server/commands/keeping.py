"""The options that make a part of an earlier take again and keep the rest."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from model_server.errors import ConfigError

if TYPE_CHECKING:
    from model_server.pipeline.kept import Kept


def add_keeping_options(parser: argparse.ArgumentParser) -> None:
    """Add --keep, --remake, --lock and --key."""
    group = parser.add_argument_group("making a part of an earlier take again")
    group.add_argument("--keep", type=Path, metavar="TAKE", help="the earlier take of this recording (.csv .json .npz)")
    group.add_argument(
        "--remake",
        type=_span,
        action="append",
        default=[],
        metavar="START-END",
        help="seconds to make again, like 2.5-4; all else stays; may be given more than once",
    )
    group.add_argument(
        "--lock",
        action="append",
        default=[],
        metavar="NAME",
        help="a channel (jawOpen, headYaw) or region (brow eye nose_cheek jaw mouth tongue head) that stays; "
        "may be given more than once",
    )
    group.add_argument(
        "--key",
        type=_key,
        action="append",
        default=[],
        metavar="CHANNEL@SECONDS",
        help="a single value of the take that stays, like browInnerUp@2.4; may be given more than once",
    )


def kept_part(arguments: argparse.Namespace) -> Kept | None:
    """Return what the options of :func:`add_keeping_options` keep, or None where there is no earlier take.

    Raises:
        ConfigError: for options that do not fit together.
        CurvesError: for a take that is no file of curves.
    """
    from blendshape_rigs.formats import read_curves
    from model_server.pipeline.kept import Kept

    some = arguments.remake or arguments.lock or arguments.key
    if arguments.keep is None:
        if some:
            raise ConfigError("--remake, --lock and --key are about an earlier take; name it with --keep TAKE")
        return None
    if not some:
        raise ConfigError("--keep alone leaves nothing to decide; say what to make again (--remake) or keep (--lock)")
    return Kept(read_curves(arguments.keep), tuple(arguments.remake), tuple(arguments.lock), tuple(arguments.key))


def _span(text: str) -> tuple[float, float]:
    start, _, end = text.partition("-")
    try:
        return float(start), float(end)
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is no range of seconds; write it like 2.5-4") from None


def _key(text: str) -> tuple[str, float]:
    name, _, time = text.partition("@")
    try:
        return name, float(time)
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is no key; write it like browInnerUp@2.4") from None
