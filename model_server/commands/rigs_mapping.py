"""``dreamtalk rigs list`` and ``rigs match``: families of characters, and how one character is driven."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from .options import add_json_option

if TYPE_CHECKING:
    from blendshape_rigs.mapping import Mapping, MappingReport, Profile

LIST_SUMMARY = "List the families of characters that are recognised."
MATCH_SUMMARY = "Show how a character's shapes or bones would be driven."


def add_list(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``rigs list``."""
    add_json_option(parser)


def add_match(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``rigs match``."""
    parser.add_argument(
        "character",
        type=Path,
        metavar="FILE",
        help="character as .glb .gltf .vrm .fbx .blend .usd, or a .txt with one shape name a line",
    )
    add_json_option(parser)


def list_families(arguments: argparse.Namespace) -> int:
    """Print each family with what becomes of ARKit's 52 channels on a character that has all of its targets."""
    from blendshape_rigs.mapping import profiles

    rows = [(family, _full_mapping(family).report()) for family in profiles()]
    if arguments.json:
        print(json.dumps([{"name": p.name, "title": p.title, **_counts(report)} for p, report in rows]))
        return 0
    print(f"{'family':<20} {'targets':>7} {'direct':>6} {'mouths':>6} {'replaced':>8} {'missing':>7}  title")
    for family, report in rows:
        counts = "{direct:>6} {mouth_shapes:>6} {replaced:>8} {missing:>7}".format(**_counts(report))
        print(f"{family.name:<20} {len(family.entries):>7} {counts}  {family.title}")
    return 0


def match(arguments: argparse.Namespace) -> int:
    """Print the mapping that a character gets; return 1 when nothing of it can be driven."""
    from blendshape_rigs.mapping import auto_map

    from .character_names import read_names

    names = read_names(arguments.character)
    by_shapes, by_bones = auto_map(names.all_shapes), auto_map(names.all_bones)
    by_bones = by_bones.only(entry.target for entry in by_bones.entries if entry.kind == "bone")
    mapping = by_bones if len(by_bones.missing) < len(by_shapes.missing) else by_shapes
    unused = [name for name in names.all_shapes if name not in mapping.targets]
    if arguments.json:
        print(json.dumps(json.loads(mapping.to_json()) | {"report": _record(mapping.report()), "unused": unused}))
    else:
        print(f"{arguments.character.name}: {len(names.all_shapes)} shapes in {len(names.shapes)} meshes,", end=" ")
        print(f"{len(names.all_bones)} bones; {_family_line(mapping)}")
        _print_entries(mapping)
        _print_report(mapping.report(), unused)
    return 0 if mapping.entries else 1


def _full_mapping(family: Profile) -> Mapping:
    from blendshape_rigs.mapping import auto_map

    return auto_map([e.target.rsplit(":", 2)[0] if e.kind == "bone" else e.target for e in family.entries])


def _counts(report: MappingReport) -> dict[str, int]:
    return {
        "direct": len(report.direct),
        "mouth_shapes": len(report.by_mouth_shapes),
        "replaced": len(report.replaced),
        "missing": len(report.missing),
    }


def _record(report: MappingReport) -> dict[str, object]:
    return {
        "direct": report.direct,
        "by_mouth_shapes": report.by_mouth_shapes,
        "replaced": dict(report.replaced),
        "missing": report.missing,
    }


def _family_line(mapping: Mapping) -> str:
    from blendshape_rigs.mapping import profile

    return f"recognised as {profile(mapping.profile).title}" if mapping.profile else "no known family"


def _print_entries(mapping: Mapping) -> None:
    width = max((len(target) for target in mapping.targets), default=0)
    for entry in mapping.entries:
        sources = ", ".join(f"{name} {weight:g}" for name, weight in entry.sources)
        print(f"  {entry.target:<{width}}  {entry.confidence:4.0%}  {entry.kind:<7}  {sources or 'rest'}")


def _print_report(report: MappingReport, unused: list[str]) -> None:
    print(f"{len(report.direct)} of 52 ARKit channels have targets of their own", end="")
    print(f", {len(report.by_mouth_shapes)} are made by mouth shapes" if report.by_mouth_shapes else "")
    for name, targets in report.replaced:
        print(f"  {name} has none; {', '.join(targets)} {'stands' if len(targets) == 1 else 'stand'} in")
    if report.missing:
        print(f"{len(report.missing)} reach nothing: {', '.join(report.missing)}")
    if unused:
        more = f" and {len(unused) - 12} more" if len(unused) > 12 else ""
        print(f"{len(unused)} shapes stay as they are: {', '.join(unused[:12])}{more}")
