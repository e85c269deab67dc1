"""``dreamtalk evaluate``: how good the animation is, on recordings whose truth is known; and how good portraits are."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from blendshape_rigs.curves import FaceCurves
from model_server.errors import ConfigError, ExportError
from model_server.pipeline.request import EmotionTrack

from . import evaluate_portrait, options
from .progress import progress_bar, spinner

if TYPE_CHECKING:
    from model_server.evaluation.full import Material
    from model_server.evaluation.recordings import RecordingSet
    from model_server.evaluation.report import Section
    from model_server.evaluation.table import Table
    from model_server.evaluation.takes import Animator

SUMMARY = "Measure the animation on recordings whose truth is known, beside the teacher and simple baselines."
EXAMPLE = "dreamtalk evaluate LJSpeech/ LiveLink/ --corpus runs/speech_corpus -o out/evaluation"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "sources",
        type=Path,
        nargs="*",
        metavar="FOLDER",
        help="recordings with texts (metadata.csv, as LJSpeech has them), recordings with captured curves "
        "(curves_30fps.npz, as FACEGOOD's), or Live Link Face CSVs for comparison; or the word portrait and "
        "photographs: portraits are measured then (default: scikit-image's astronaut)",
    )
    parser.add_argument("--corpus", type=Path, help="folder of the speech corpus: its held-out voices are measured")
    parser.add_argument("--emotion", type=options.emotion, default=EmotionTrack.constant({}), help="default: neutral")
    parser.add_argument(
        "--lips",
        type=_lips,
        default=(),
        metavar="NAMES",
        help="rows beside the model's, whose lips follow the speech encoder: recogniser (English), text, or both",
    )
    parser.add_argument("--emotions", action="store_true", help="measure the lips under every emotion as well")
    parser.add_argument("--steps-table", action="store_true", help="measure quality against sampling steps as well")
    parser.add_argument("--quick", action="store_true", help="20 s of each voice and captured recording, not 60 s")
    parser.add_argument("--weights", type=Path, metavar="FOLDER", help="folder of weights (default: the shipped)")
    parser.add_argument(
        "-o", "--out", type=Path, help="folder for the whole report: report.md, report.json, plots, contact sheet"
    )
    parser.add_argument("--sheet", type=Path, metavar="OUT", help="portraits: write the contact sheet (.png .jpg) only")
    parser.add_argument(
        "--curves", type=Path, metavar="TAKE", help="portraits: the take on the contact sheet (default: a sample)"
    )


def _lips(text: str) -> tuple[str, ...]:
    from model_server.evaluation.takes import EXTRA_LIPS

    names = tuple(name for name in text.split(",") if name != "encoder")
    unknown = [name for name in names if name not in EXTRA_LIPS]
    if unknown:
        raise argparse.ArgumentTypeError(f"'{unknown[0]}' is none of encoder, {', '.join(EXTRA_LIPS)}")
    return names


def run(arguments: argparse.Namespace) -> int:
    """Read the recordings, make the takes, measure, print Markdown tables, write the report."""
    if arguments.sources[:1] == [Path(evaluate_portrait.WORD)]:
        return evaluate_portrait.evaluate_portraits(arguments)
    if arguments.sheet or arguments.curves:
        raise ConfigError("--sheet and --curves are for portraits: dreamtalk evaluate portrait photo.jpg --sheet s.png")
    import torch

    from model_server.evaluation.full import QUICK, Effort, Material
    from model_server.evaluation.takes import Animator
    from model_server.pipeline.speech_to_curves import SpeechToCurves

    from .evaluation_material import teach

    # Windows are too small for threads to gain by, and on busy cores they wait for each other.
    torch.set_num_threads(1)
    with spinner("Reading and aligning"):
        sets, real = _read(arguments)
    material = Material(tuple(sets), tuple(real), teach, QUICK if arguments.quick else Effort())
    model = SpeechToCurves.load(*([arguments.weights] if arguments.weights else []))
    seconds = material.seconds() if arguments.out else sum(group.seconds for group in sets)
    with progress_bar("Animating", seconds) as progress:
        animator = Animator(model, progress)
        _print_lips(animator, material, arguments)
        sections = _whole_report(animator, material, arguments) if arguments.out else []
    if arguments.steps_table:
        sections.append(_steps(animator, material))
        _show(sections[-1].tables[0])
    if arguments.out:
        _write(arguments, material, model.model_hash, sections)
    return 0


def _read(arguments: argparse.Namespace) -> tuple[list[RecordingSet], list[FaceCurves]]:
    from model_server.evaluation.recordings import RecordingSet

    from .evaluation_material import read_source, read_voices

    most_seconds = 20.0 if arguments.quick else 60.0
    read = [read_source(source, most_seconds) for source in arguments.sources]
    sets = [each for each in read if isinstance(each, RecordingSet)]
    real = [curves for each in read if not isinstance(each, RecordingSet) for curves in each]
    if arguments.corpus:
        sets += read_voices(arguments.corpus, most_seconds)
    if not sets:
        raise ConfigError("there is no speech to measure on; name folders of recordings, or a corpus with --corpus")
    return sets, real


def _show(table: Table) -> None:
    print(f"## {table.title}\n\n{table.note}\n\n{table.markdown()}\n", flush=True)


def _print_lips(animator: Animator, material: Material, arguments: argparse.Namespace) -> None:
    from model_server.evaluation.full import emotional_lips
    from model_server.evaluation.lip_tables import capture_table, lip_table
    from model_server.evaluation.takes import lip_rows

    for group in material.sets:
        rows = lip_rows(animator, group.recordings, arguments.emotion, arguments.lips)
        if group.recordings[0].phones:
            _show(lip_table(group, rows, arguments.emotion.describe()))
        else:
            _show(capture_table(group, rows))
    if arguments.emotions and material.expression_set().recordings[0].phones:
        _show(emotional_lips(animator, material))


def _whole_report(animator: Animator, material: Material, arguments: argparse.Namespace) -> list[Section]:
    from model_server.evaluation.full import expression_section, lip_section, motion_section
    from model_server.evaluation.report import Section

    out: Path = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    lips, rows = lip_section(animator, material, arguments.lips, arguments.out)
    expression = expression_section(animator, material, out)
    motion = motion_section(material, rows, animator.model.emodiff.config.window, out)
    return [lips, expression, motion, _contact_sheet(animator, material, out, Section)]


def _contact_sheet(animator: Animator, material: Material, out: Path, section: type[Section]) -> Section:
    """Draw emotions by intensities; without Blender the report says so instead."""
    from model_server.evaluation.emotion_sheet import draw_emotion_sheet

    from .stills import render_stills

    try:
        with spinner("Rendering the contact sheet"):
            draw_emotion_sheet(out / "contact_sheet.png", animator, material.expression_recordings()[0], render_stills)
    except ExportError as error:
        return section(f"Contact sheet: not drawn, {error}")
    return section("Contact sheet", pictures=("contact_sheet.png",))


def _steps(animator: Animator, material: Material) -> Section:
    from model_server.evaluation.report import Section
    from model_server.evaluation.steps_table import steps_seconds, steps_table

    recordings = material.expression_recordings()[: material.effort.intensity_recordings]
    with progress_bar("Animating in 2 to 50 steps", steps_seconds(recordings)) as progress:
        table = steps_table(animator.model, recordings, material.teach, progress)
    return Section("Sampling steps", (table,))


def _write(arguments: argparse.Namespace, material: Material, model_hash: str, sections: list[Section]) -> None:
    from model_server.evaluation.report import Report

    facts = {
        "weights": f"SHA-256 {model_hash[:16]}…",
        "speech": ", ".join(f"{group.name} ({group.seconds:.0f} s)" for group in material.sets),
        "real curves": ", ".join(f"{curves.duration:.0f} s" for curves in material.real) or "none",
        "sampling": "quick subset" if arguments.quick else "the default amount",
    }
    Report(facts, tuple(sections)).write(arguments.out)
    print(f"{arguments.out / 'report.md'}: tables, plots and contact sheet")
