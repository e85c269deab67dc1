"""``dreamtalk corpus``: make speech and heads to train on, perform, list voices, add a studio's own recordings."""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model_server.errors import ConfigError, DreamTalkError

from . import options
from .progress import counted_bar, progress_bar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from model_server.training.speech_corpus.build import VoiceReport
    from model_server.training.speech_corpus.voice import Voice

SUMMARY = "Make speech and heads to train on, perform it, list its voices, add your own recordings."
EXAMPLE = "dreamtalk corpus build --hours 2 --voices flite_slt flite_rms --jobs 2"
_EXTRA = ("pocketsphinx", "soundfile", "soxr")
SPEECH, SESSIONS = "speech_corpus", "sessions"
"""Folders below ``--out``: voices, and their augmented sessions."""
_PERFORMED_HOURS = 13.0
LAYOUTS = ("auto", "livelink", "video", "beat", "beat2", "mead", "hdtf")
"""Layouts of ``model_server.training.recordings``, which is slow to import."""
_REFUSED_SHOWN = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the six actions and their options."""
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    build = actions.add_parser("build", help="make voices and sessions; what is there stays, a stopped run goes on")
    build.add_argument(
        "--hours", type=options.positive, help="of synthesised speech in all (default: as in 'dreamtalk corpus list')"
    )
    build.add_argument("--voices", nargs="+", metavar="NAME", help="which (default: all; see 'dreamtalk corpus list')")
    build.add_argument("--copies", type=_whole, default=2, help="augmented copies beside the clean one (default: 2)")
    build.add_argument(
        "--jobs", type=_whole, default=os.cpu_count() or 1, help="processes at once (default: all cores)"
    )
    build.add_argument("--seed", type=options.seed, default=0, help="same seed, same corpus (default: 0)")
    performing = actions.add_parser(
        "perform", help="let the teachers act the speech: what EmoDiff and lip refinement learn from"
    )
    performing.add_argument("--sessions", type=Path, default=Path("runs") / SESSIONS, help="default: runs/sessions")
    performing.add_argument(
        "--hours",
        type=options.positive,
        default=_PERFORMED_HOURS,
        help=f"of performances (default: {_PERFORMED_HOURS:g})",
    )
    performing.add_argument(
        "--encoder", type=Path, metavar="WEIGHTS", help="who hears it (default: the shipped encoder)"
    )
    performing.add_argument(
        "--jobs", type=_whole, default=os.cpu_count() or 1, help="processes at once (default: all cores)"
    )
    performing.add_argument("--seed", type=options.seed, default=0, help="same seed, same performances (default: 0)")
    listing = actions.add_parser("list", help="show the voices: installed or not, made or not, licence")
    adding = actions.add_parser("add", help="make performances of your recorded faces and their sound")
    adding.add_argument("recordings", type=Path, metavar="FOLDER", help="folder of recordings")
    adding.add_argument(
        "--layout", choices=LAYOUTS, default="auto", help="how the folder is laid out (default: seen from its names)"
    )
    adding.add_argument("--emotion", metavar="NAME:AMOUNT", help="what is acted where the layout does not tell")
    adding.add_argument("--lang", default="en", help="what is spoken where the layout does not tell (default: en)")
    adding.add_argument("--model", type=Path, metavar="FILE", help="face_landmarker.task, to capture videos with")
    heads, faces = _add_face_actions(actions)
    for action in (listing, adding):
        options.add_json_option(action)
    for action, run_action, out in (
        (build, _build, "runs"),
        (performing, _perform, "runs/performances"),
        (listing, _list, "runs"),
        (adding, _add, "runs/performances"),
        (heads, _heads, "runs/heads"),
        (faces, _faces, "runs/faces"),
    ):
        action.add_argument("--out", type=Path, default=Path(out), help=f"folder of what is made (default: {out})")
        action.set_defaults(action=run_action, action_parser=action)


def _add_face_actions(actions: Any) -> tuple[argparse.ArgumentParser, argparse.ArgumentParser]:
    """Add the actions that make faces to look at: rendered heads, and clips of videos."""
    heads = actions.add_parser("heads", help="render people of the avatar: what Face-vid2vid learns from")
    heads.add_argument("--people", type=_whole, default=200, help="how many in all; those there stay (default: 200)")
    heads.add_argument("--frames", type=_whole, default=32, help="pictures of each (default: 32)")
    heads.add_argument("--size", type=_whole, default=256, help="pixels of a picture's side (default: 256)")
    heads.add_argument(
        "--jobs", type=_whole, default=os.cpu_count() or 1, help="processes at once (default: all cores)"
    )
    heads.add_argument("--seed", type=options.seed, default=0, help="same seed, same people (default: 0)")
    faces = actions.add_parser("faces", help="cut faces out of videos: what Face-vid2vid learns from beside heads")
    faces.add_argument("videos", type=Path, metavar="FOLDER", help="folder of videos (VoxCeleb, HDTF or any other)")
    faces.add_argument("--frames", type=_whole, default=32, help="pictures of each video at most (default: 32)")
    faces.add_argument("--size", type=_whole, default=256, help="pixels of a picture's side (default: 256)")
    return heads, faces


def run(arguments: argparse.Namespace) -> int:
    """Do what was chosen."""
    return int(arguments.action(arguments))


def _whole(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 1000:
        raise argparse.ArgumentTypeError(f"'{text}' must be a whole number from 1 to 1000")
    return number


def _check_extra() -> None:
    """Raise ``ConfigError`` where the Python packages that make speech are not installed."""
    missing = [name for name in _EXTRA if importlib.util.find_spec(name) is None]
    if missing:
        names = ", ".join(missing)
        raise ConfigError(f"making a corpus needs {names}; install them with: pip install 'dreamtalk[train]'")


def _perform(arguments: argparse.Namespace) -> int:
    """Perform the sessions that are not performed yet."""
    from model_server.pipeline.speech_to_curves import WEIGHTS_FOLDER
    from model_server.training.speech_performances import perform_corpus

    encoder = arguments.encoder or WEIGHTS_FOLDER / "speech_encoder.safetensors"
    made = perform_corpus(arguments.sessions, arguments.out, encoder, arguments.hours, arguments.jobs, arguments.seed)
    total = 0.0
    with closing(made):
        for path, seconds in made:
            total += seconds
            print(f"{path.name}: {seconds:.0f} s", flush=True)
    print(f"{arguments.out}: {total / 3600:.1f} hours of new performances")
    return 0


def _heads(arguments: argparse.Namespace) -> int:
    """Render the people that are not there yet."""
    from model_server.training.face_vid2vid.heads import make_heads

    count = 0
    with (
        counted_bar("Heads") as advance,
        closing(
            make_heads(
                arguments.out, arguments.people, arguments.frames, arguments.size, arguments.seed, arguments.jobs
            )
        ) as making,
    ):
        for path in making:
            count += 1
            advance(count, arguments.people, path.name)
    print(f"{arguments.out}: {count} new people")
    return 0


def _faces(arguments: argparse.Namespace) -> int:
    """Cut the faces out of the videos that have no clip yet."""
    from model_server.training.face_vid2vid.videos import cut_videos

    done = clips = 0
    with (
        counted_bar("Videos") as advance,
        closing(cut_videos(arguments.videos, arguments.out, arguments.frames, arguments.size)) as cutting,
    ):
        for total, cut in cutting:
            done += 1
            clips += cut.clip is not None
            advance(done, total, cut.video)
            if cut.clip is None:
                print(f"refused {cut.video}: {cut.reason}", flush=True)
    print(f"{arguments.out}: clips of {clips} of {done} videos")
    return 0


def _chosen(arguments: argparse.Namespace) -> list[Voice]:
    """Return the voices that were named, or all; an unknown name is wrong usage."""
    from model_server.training.speech_corpus.engines import VOICES

    if not arguments.voices:
        return list(VOICES)
    unknown = set(arguments.voices) - {voice.name for voice in VOICES}
    if unknown:
        arguments.action_parser.error(f"no voice is called {', '.join(sorted(unknown))}; see 'dreamtalk corpus list'")
    return [voice for voice in VOICES if voice.name in arguments.voices]


def _build(arguments: argparse.Namespace) -> int:
    """Make voices, then their sessions; fail in the end if a voice that is installed could not be made."""
    _check_extra()
    from model_server.training.speech_corpus.build import share_of_hours
    from model_server.training.speech_corpus.manifest import write_manifest

    voices = _chosen(arguments)
    speech: Path = arguments.out / SPEECH
    share = 1.0 if arguments.hours is None else share_of_hours(voices, arguments.hours)
    reports = _speak(voices, share, speech, arguments)
    made = [report.voice.name for report in reports if report.row]
    if not made:
        raise DreamTalkError("none of these voices could be made; what each needs is said above")
    rows = write_manifest(speech)
    _augment([row.voice for row in rows if row.voice in made], arguments)
    hours = sum(row.seconds for row in rows) / 3600
    print(f"{speech}: {len(rows)} voices, {hours:.2f} hours")
    print(f"{arguments.out / SESSIONS}: {arguments.copies} augmented copies and a clean one")
    failed = [report.voice.name for report in reports if report.failed]
    if failed:
        raise DreamTalkError(f"{', '.join(failed)} could not be made; the reasons are above. The rest is ready")
    return 0


def _speak(voices: Sequence[Voice], share: float, folder: Path, arguments: argparse.Namespace) -> list[VoiceReport]:
    """Make the voices, saying one line of each that is new or missing."""
    from model_server.training.speech_corpus.build import make_voices, share_seconds

    reports = []
    done = 0.0
    with (
        progress_bar("Speech", sum(share_seconds(voice, share) for voice in voices)) as advance,
        closing(make_voices(voices, share, folder, arguments.jobs, arguments.seed)) as making,
    ):
        for report in making:
            reports.append(report)
            done += share_seconds(report.voice, share)
            advance(done)
            if report.made and report.row:
                print(
                    f"{report.voice.name}: {report.row.seconds:.0f} s, {report.row.utterances} utterances", flush=True
                )
            elif report.reason:
                outcome = "failed" if report.failed else "skipped"
                print(f"{report.voice.name}: {outcome}: {report.reason}", flush=True)
    return reports


def _augment(voices: list[str], arguments: argparse.Namespace) -> None:
    """Make the sessions of the voices, saying one line of each file."""
    from model_server.training.speech_corpus.sessions import make_files, wanted_files

    speech, sessions = arguments.out / SPEECH, arguments.out / SESSIONS
    wanted = wanted_files(speech, sessions, arguments.copies, voices)
    done = 0.0
    with (
        progress_bar("Sessions", sum(work.seconds for work in wanted)) as advance,
        closing(make_files(wanted, arguments.jobs, arguments.seed)) as making,
    ):
        for work, took in making:
            done += work.seconds
            advance(done)
            print(f"{work.out.name}: {work.seconds:.0f} s, {work.seconds / took:.0f} times real time", flush=True)


def _list(arguments: argparse.Namespace) -> int:
    """Show every voice."""
    _check_extra()
    from model_server.training.speech_corpus.engines import VOICES
    from model_server.training.speech_corpus.manifest import read_row
    from model_server.training.speech_corpus.needs import missing

    speech: Path = arguments.out / SPEECH
    table = []
    for voice in VOICES:
        row = read_row(speech, voice.name)
        table.append(
            {
                "voice": voice.name,
                "language": voice.language,
                "hours": round(voice.seconds / 3600, 2),
                "times": "given" if voice.exact else "alignment",
                "held_out": voice.held_out,
                "made_seconds": row.seconds if row else 0.0,
                "missing": missing(voice.needs, speech),
                "licence": voice.licence,
            }
        )
    if arguments.json:
        print(json.dumps(table))
        return 0
    print(f"{'voice':24} {'language':9} {'hours':>6} {'made':>6}  {'times':10} {'for':9} licence; what is missing")
    for entry in table:
        made = float(str(entry["made_seconds"])) / 3600
        purpose = "checking" if entry["held_out"] else "training"
        note = f"; {entry['missing']}" if entry["missing"] else ""
        print(
            f"{entry['voice']:24} {entry['language']:9} {entry['hours']:6.2f} {made:6.2f}  {entry['times']:10} "
            f"{purpose:9} {entry['licence']}{note}"
        )
    installed = sum(entry["missing"] is None for entry in table)
    total = sum(float(str(entry["made_seconds"])) for entry in table) / 3600
    print(f"{installed} of {len(table)} voices are installed, {total:.2f} hours are made")
    return 0


def _add(arguments: argparse.Namespace) -> int:
    """Make performances of a folder of recordings."""
    from model_server.training.recordings import add

    with counted_bar("Recordings") as progress:
        summary = add(
            arguments.recordings,
            arguments.layout,
            arguments.out,
            progress,
            emotion=arguments.emotion,
            language=arguments.lang,
            face_landmarker=arguments.model,
        )
    if arguments.json:
        print(json.dumps(asdict(summary), default=str))
        return 0
    for note in summary.notes:
        print(f"{note.path}: {note.reason}")
    for refused in summary.refused[:_REFUSED_SHOWN]:
        print(f"refused {refused.path}: {refused.reason}")
    if len(summary.refused) > _REFUSED_SHOWN:
        print(f"refused {len(summary.refused) - _REFUSED_SHOWN} more; the report in {arguments.out} names them")
    for actor, seconds in sorted(summary.seconds.items()):
        print(f"{actor}: {seconds:.1f} s")
    total = sum(summary.seconds.values())
    print(
        f"{arguments.out}: {summary.recordings} recordings in the layout {summary.layout}, {total / 60:.1f} minutes of "
        f"{len(summary.seconds)} actors in {len(summary.files)} files; {summary.converted} converted now"
    )
    return 0
