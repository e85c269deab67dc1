"""``dreamtalk rigs``: the proxy avatar and other characters' rigs."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

from . import rigs_mapping
from .options import add_json_option
from .progress import spinner

SUMMARY = "Check the proxy avatar, list mapping profiles, match a character's shapes."
EXAMPLE = "dreamtalk rigs check --recordings LiveLink/ --reference ICT-FaceKit/"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's actions with their options."""
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    _add_check(_add_action(actions, "check", check, "Measure the proxy avatar's shapes against fixed limits."))
    rigs_mapping.add_list(_add_action(actions, "list", rigs_mapping.list_families, rigs_mapping.LIST_SUMMARY))
    rigs_mapping.add_match(_add_action(actions, "match", rigs_mapping.match, rigs_mapping.MATCH_SUMMARY))


def run(arguments: argparse.Namespace) -> int:
    """Do the chosen action and return its exit status."""
    action: Callable[[argparse.Namespace], int] = arguments.action
    return action(arguments)


def _add_action(
    actions: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    action: Callable[[argparse.Namespace], int],
    summary: str,
) -> argparse.ArgumentParser:
    """Add one action; its function takes the arguments and returns the exit status."""
    parser = actions.add_parser(name, help=summary, description=summary)
    parser.set_defaults(action=action)
    return parser


def _add_check(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--avatar", type=Path, metavar="FILE", help="asset to check (default: the packaged avatar)")
    parser.add_argument(
        "--recordings",
        type=Path,
        metavar="FOLDER",
        help="Live Link Face CSVs (.csv or .csv.gz) to draw expressions from (default: drawn mixtures)",
    )
    parser.add_argument(
        "--reference",
        type=Path,
        metavar="FOLDER",
        help="your download of ICT-FaceKit's repository, to compare directions of motion",
    )
    parser.add_argument("--count", type=int, default=1000, help="expressions to draw (default: 1000)")
    add_json_option(parser)


def check(arguments: argparse.Namespace) -> int:
    """Print the table of measurements; return 1 where one breaks its limit."""
    from blendshape_rigs.avatar import load_proxy_avatar, read_proxy_avatar
    from model_server.evaluation.rig_checks import check_rig, table_lines
    from model_server.evaluation.rig_expressions import drawn_mixtures, recorded_expressions
    from model_server.evaluation.rig_reference import read_reference

    avatar = read_proxy_avatar(arguments.avatar) if arguments.avatar else load_proxy_avatar()
    if arguments.recordings:
        expressions = recorded_expressions(arguments.recordings, arguments.count)
    else:
        expressions = drawn_mixtures(arguments.count)
    reference = read_reference(arguments.reference) if arguments.reference else None
    with spinner("Measuring the avatar"):
        measurements = check_rig(avatar, expressions, reference)
    if arguments.json:
        print(json.dumps([measurement.as_json() for measurement in measurements]))
    else:
        print("\n".join(table_lines(measurements)))
    return 0 if all(measurement.passed for measurement in measurements) else 1
