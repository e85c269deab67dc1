"""Which files an export makes, one after the other, with the .blend file left as it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bpy

from . import compat
from .character import TAKE_MARK, can_be_chosen, meshes_of, own_keys, problem_with
from .export import CURVE_SUFFIXES, ExportError, export_take, span_of
from .export_presets import PROGRAMS, Program
from .take import take_of
from .takes import activate, moved_data, takes_of
from .takes_compare import COMPARE_MARK
from .verify import Verified, verify_take

SCOPES = (
    ("ACTIVE", "Active Take", "The take that the character plays now, in one file"),
    ("TAKES", "All Takes", "Every take of the character, one file each, named by the take"),
    ("SCENE", "Whole Scene", "Every character with a take, in one file; files of curves hold one character each"),
)
_POSE = ("location", "rotation_quaternion", "rotation_euler", "rotation_axis_angle", "scale")


@dataclass(frozen=True)
class ExportFile:
    """One file to write.

    Attributes:
        path: where it goes.
        characters: names of the objects that are in it.
        take: name of the Action that the character plays for it; empty for the one it plays now.
    """

    path: Path
    characters: tuple[str, ...]
    take: str = ""


@dataclass
class Exports:
    """Files in the making, and what was made.

    Attributes:
        files: all, in their order.
        program: what they are for.
        scene: name of the scene.
        written: what was seen in each file that was read back, None where it could not be; in order.
    """

    files: list[ExportFile]
    program: Program
    scene: str
    written: list[Verified | None] = field(default_factory=list)

    @property
    def done(self) -> bool:
        """Whether all files are written."""
        return len(self.written) == len(self.files)

    @property
    def text(self) -> str:
        """What was written, in words."""
        if len(self.written) == 1:
            path, seen = self.files[0].path, self.written[0]
            return f"Wrote {path.name}: {seen.text}" if seen else f"Wrote {path.name}; this build cannot read it back"
        seen_files = [seen for seen in self.written if seen is not None]
        said = f"Wrote {len(self.written)} files to {self.files[0].path.parent.name}"
        if not seen_files:
            return f"{said}; this build cannot read them back"
        worst = max(seen_files, key=lambda seen: seen.error)
        total = sum(seen.seconds for seen in seen_files)
        return f"{said}: {Verified(worst.count, worst.what, total, worst.error).text}"


def _poses(data: list[Any]) -> list[tuple[Any, str, Any]]:
    """Return what stands still or moves on ``data`` as (owner, property, value)."""
    owners = [bone for item in data if item.id_type == "OBJECT" and item.pose for bone in item.pose.bones]
    owners += [item for item in data if item.id_type == "OBJECT"]
    found = [(owner, name, tuple(getattr(owner, name))) for owner in owners for name in _POSE]
    keys = [key for item in data if item.id_type == "KEY" for key in item.key_blocks]
    return [*found, *((key, "value", key.value) for key in keys)]


@contextmanager
def _unchanged(context: Any, characters: list[Any]) -> Iterator[None]:
    """Give ``characters`` their Actions and poses back at the end, and the scene its frame."""
    scene, now = context.scene, context.scene.frame_current_final
    data = list(dict.fromkeys(item for character in characters for item in moved_data(character)))
    playing, poses = [compat.playing(item) for item in data], _poses(data)
    try:
        yield
    finally:
        for item, state in zip(data, playing, strict=True):
            compat.play_again(item, state)
        for owner, name, value in poses:
            setattr(owner, name, value)
        scene.frame_set(int(now), subframe=now - int(now))


def characters_in(scene: Any) -> list[Any]:
    """Return the characters of ``scene`` that play a take: of several meshes of one, that with most shape keys."""
    playing = [item for item in scene.objects if can_be_chosen(item) and _plays_take(item) and COMPARE_MARK not in item]
    found: list[Any] = []
    covered: set[Any] = set()
    for item in sorted(playing, key=lambda item: -len(own_keys(item))):
        if item not in covered:
            found.append(item)
            covered.update(meshes_of(item))
    return sorted(found, key=lambda item: item.name)


def _plays_take(item: Any) -> bool:
    action = None if problem_with(item) else take_of(item)
    return action is not None and TAKE_MARK in action


def file_name(text: str, suffix: str) -> str:
    """Return ``text`` as the name of a file with ``suffix``."""
    return str(bpy.path.ensure_ext(bpy.path.clean_name(text), suffix))


def plan_exports(context: Any, character: Any, path: Path, scope: str, program: str) -> Exports:
    """Return the files that an export makes.

    Args:
        context: Blender's context.
        character: the chosen one; of no account for the whole scene.
        path: the file; where several are made, its folder and suffix alone count.
        scope: an identifier in ``SCOPES``.
        program: one in ``PROGRAMS``.

    Raises:
        ExportError: when there is nothing to export.
    """
    suffix = path.suffix.lower()
    if scope == "ACTIVE":
        files = [ExportFile(path, (character.name,))]
    elif scope == "TAKES":
        takes = takes_of(character)
        files = [
            ExportFile(path.with_name(file_name(take.name, suffix)), (character.name,), take.name) for take in takes
        ]
    else:
        names = tuple(item.name for item in characters_in(context.scene))
        single = [ExportFile(path.with_name(file_name(name, suffix)), (name,)) for name in names]
        files = single if suffix in CURVE_SUFFIXES else [ExportFile(path, names)][: len(names)]
    if not files:
        raise ExportError("There is no take to export: generate or import one first")
    return Exports(files, PROGRAMS[program], context.scene.name)


def export_next(context: Any, exports: Exports) -> None:
    """Write the next file of ``exports`` and read it back; the .blend file is as before.

    Raises:
        ExportError: when it cannot be written, or a character or take is gone.
        VerifyError: when it holds something else than the take.
        TakeError: for a character without a take.
    """
    item = exports.files[len(exports.written)]
    characters = [bpy.data.objects.get(name) for name in item.characters]
    take = bpy.data.actions.get(item.take) if item.take else None
    if None in characters or (item.take and take is None):
        raise ExportError(f"{item.path.name} was not written: its character or take is no longer in the file")
    with _unchanged(context, characters):
        if take is not None:
            activate(characters[0], take)
        export_take(context, characters, item.path, exports.program)
        first, last = span_of(characters)
        exports.written.append(verify_take(context, characters, item.path, first, last))
