"""The list of what drives each shape of the character, as the sidebar shows it and animators edit it.

The rows only show a mapping; what counts is the JSON that ``character.store_mapping`` keeps with the character.
"""

# Blender reads properties from annotations, which type checkers take for types.
# mypy: disable-error-code="misc,valid-type"
# Blender names its classes KIND_OT_name and the like.
# ruff: noqa: N801
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import bpy

from ..blendshape_rigs.arkit import ARKIT_NAMES
from ..blendshape_rigs.mapping import Mapping, MappingEntry, MappingError
from .character import edited_mapping, mapping_of, problem_with, store_mapping, target_names
from .translations import said

_KINDS = (
    ("channel", "Sum", "The weighted sum of its channels"),
    ("pose", "Mouth Shape", "A whole mouth, such as a viseme: these are mixed to come nearest to the performance"),
    ("step", "Drawn Mouth", "One of several mouths of which one shows at a time; its keys are stepped"),
    ("bone", "Bone", "One axis of a bone: NAME:location or rotation:left, up or forward"),
)
_SURE, _LIKELY = 0.95, 0.7
_CHOSEN = 1.0  # confidence of what somebody has set by hand
_NO_CHARACTER = "Choose a character first"
_filling: list[str] = []
"""Not empty while we write rows ourselves: then their updates are no edits."""


@contextmanager
def _quietly() -> Iterator[None]:
    _filling.append("rows")
    try:
        yield
    finally:
        _filling.pop()


def _edited(row: Any, context: Any) -> None:
    if _filling:
        return
    with _quietly():
        row.confidence = _CHOSEN
    keep_rows(context.scene.dream_talk)


def _source_edited(source: Any, context: Any) -> None:
    if _filling:
        return
    settings = context.scene.dream_talk
    if 0 <= settings.mapping_row < len(settings.mapping_rows):
        _edited(settings.mapping_rows[settings.mapping_row], context)


def _target_search(_row: Any, context: Any, _typed: str) -> list[str]:
    character = context.scene.dream_talk.character
    return target_names(character) if character is not None else []


class DREAMTALK_PG_mapping_source(bpy.types.PropertyGroup):
    """One ARKit channel that drives a shape, and how strongly."""

    channel: bpy.props.EnumProperty(
        name="Channel", items=tuple((name, name, "") for name in ARKIT_NAMES), update=_source_edited
    )
    weight: bpy.props.FloatProperty(
        name="Weight", default=1.0, soft_min=-1.0, soft_max=2.0, min=-100.0, max=100.0, update=_source_edited
    )


class DREAMTALK_PG_mapping_row(bpy.types.PropertyGroup):
    """One driven shape."""

    target: bpy.props.StringProperty(
        name="Shape",
        description="The shape key, or the axis of a bone, that is driven",
        search=_target_search,
        search_options={"SUGGESTION"},
        update=_edited,
    )
    kind: bpy.props.EnumProperty(name="Kind", items=_KINDS, update=_edited)
    signed: bpy.props.BoolProperty(
        name="Both Ways", description="Let the sum go below zero, for a shape that works both ways", update=_edited
    )
    confidence: bpy.props.FloatProperty(name="Confidence")
    sources: bpy.props.CollectionProperty(type=DREAMTALK_PG_mapping_source)


def entry_of(row: Any) -> MappingEntry:
    """Return the mapping entry that ``row`` shows.

    Raises:
        MappingError: for a row that is no entry, such as one without a shape.
    """
    sources = tuple((source.channel, float(f"{source.weight:.6g}")) for source in row.sources)
    return MappingEntry(row.target, sources, float(f"{row.confidence:.6g}"), row.kind, row.signed)


def refill(settings: Any) -> None:
    """Show the mapping of the chosen character in the rows of ``settings``."""
    character = settings.character
    settings.mapping_error = ""
    mapping = Mapping("", ())
    if character is not None and not problem_with(character):
        mapping = mapping_of(character)
    with _quietly():
        settings.mapping_rows.clear()
        for entry in mapping.entries:
            row = settings.mapping_rows.add()
            row.target, row.kind, row.confidence = entry.target, entry.kind, entry.confidence
            row.signed = entry.signed
            for channel, weight in entry.sources:
                source = row.sources.add()
                source.channel, source.weight = channel, weight
    settings.mapping_row = min(settings.mapping_row, max(0, len(mapping.entries) - 1))
    settings.mapping_shown = mapping.to_json()


def keep_rows(settings: Any) -> None:
    """Keep what the rows of ``settings`` show as the edited mapping of the chosen character.

    Rows that make no mapping stay shown, with the reason in ``settings.mapping_error``; the last good mapping counts.
    """
    character = settings.character
    if character is None:
        return
    try:
        mapping = Mapping(mapping_of(character).profile, tuple(entry_of(row) for row in settings.mapping_rows))
    except MappingError as error:
        settings.mapping_error = str(error)
        return
    settings.mapping_error = ""
    store_mapping(character, mapping)
    settings.mapping_shown = mapping.to_json()


def _refill_later(scene_name: str) -> None:
    scene = bpy.data.scenes.get(scene_name)
    if scene is not None:
        refill(scene.dream_talk)


def refill_when_stale(scene: Any) -> None:
    """Have the rows filled anew soon when the character has changed by other means; a panel may not do it itself."""
    settings = scene.dream_talk
    character = settings.character
    if settings.mapping_error or character is None or problem_with(character):
        return
    if settings.mapping_shown != mapping_of(character).to_json():
        bpy.app.timers.register(partial(_refill_later, scene.name), first_interval=0.0)


class DREAMTALK_UL_mapping(bpy.types.UIList):
    """Rows: how sure the match is, the shape, and what drives it."""

    bl_idname = "DREAMTALK_UL_mapping"

    def draw_item(
        self, _context: Any, layout: Any, _data: Any, item: Any, _icon: int, _active: Any, _property: str
    ) -> None:
        """Draw one row."""
        sure = item.confidence
        icon = "CHECKMARK" if sure >= _SURE else "QUESTION" if sure >= _LIKELY else "ERROR"
        parts = [source.channel + (f" ×{source.weight:.3g}" if source.weight != 1 else "") for source in item.sources]
        if len(parts) == 1 and parts[0].lower() == item.target.lower():
            layout.label(text=item.target, icon=icon, translate=False)
            return
        row = layout.split(factor=0.55)
        row.label(text=item.target or "(no shape)", icon=icon, translate=False)
        shown = "Rest" if item.kind in ("pose", "step") else "Nothing"
        row.label(text=" + ".join(parts) or shown, translate=False)

    def filter_items(self, _context: Any, data: Any, name: str) -> tuple[list[int], list[int]]:
        """Filter by the shape's name."""
        rows = getattr(data, name)
        if not self.filter_name:
            return [], []
        wanted = self.filter_name.lower()
        return [self.bitflag_filter_item if wanted in row.target.lower() else 0 for row in rows], []


class _NeedsCharacter:
    """An operator on the mapping of the chosen character."""

    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Tell whether a character is chosen."""
        if context.scene.dream_talk.character is None:
            cls.poll_message_set(_NO_CHARACTER)  # type: ignore[attr-defined] # Blender's class has it
            return False
        return True


class _NeedsRow(_NeedsCharacter):
    """An operator on the chosen row."""

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Tell whether a row is chosen."""
        settings = context.scene.dream_talk
        if not 0 <= settings.mapping_row < len(settings.mapping_rows):
            cls.poll_message_set("Choose a row first")  # type: ignore[attr-defined] # Blender's class has it
            return False
        return True


class DREAMTALK_OT_mapping_add(_NeedsCharacter, bpy.types.Operator):
    """Add a row: a shape that the performance is to drive"""

    bl_idname = "dream_talk.mapping_add"
    bl_label = "Add Shape"

    def execute(self, context: Any) -> set[str]:
        """Add a row for the first shape that has none."""
        settings = context.scene.dream_talk
        taken = {row.target for row in settings.mapping_rows}
        free = [name for name in target_names(settings.character) if name not in taken]
        with _quietly():
            row = settings.mapping_rows.add()
            row.target, row.confidence = (free[0] if free else ""), _CHOSEN
            row.sources.add().channel = "jawOpen"
        settings.mapping_row = len(settings.mapping_rows) - 1
        keep_rows(settings)
        return {"FINISHED"}


class DREAMTALK_OT_mapping_remove(_NeedsRow, bpy.types.Operator):
    """Remove the chosen row: its shape is no longer driven"""

    bl_idname = "dream_talk.mapping_remove"
    bl_label = "Remove Shape"

    def execute(self, context: Any) -> set[str]:
        """Remove the row."""
        settings = context.scene.dream_talk
        settings.mapping_rows.remove(settings.mapping_row)
        settings.mapping_row = max(0, settings.mapping_row - 1)
        keep_rows(settings)
        return {"FINISHED"}


class DREAMTALK_OT_mapping_add_source(_NeedsRow, bpy.types.Operator):
    """Let one more ARKit channel drive the shape of the chosen row"""

    bl_idname = "dream_talk.mapping_add_source"
    bl_label = "Add Channel"

    def execute(self, context: Any) -> set[str]:
        """Add the first channel that is not there yet."""
        settings = context.scene.dream_talk
        row = settings.mapping_rows[settings.mapping_row]
        taken = {source.channel for source in row.sources}
        with _quietly():
            row.sources.add().channel = next((name for name in ARKIT_NAMES if name not in taken), ARKIT_NAMES[0])
            row.confidence = _CHOSEN
        keep_rows(settings)
        return {"FINISHED"}


class DREAMTALK_OT_mapping_remove_source(_NeedsRow, bpy.types.Operator):
    """No longer let this ARKit channel drive the shape"""

    bl_idname = "dream_talk.mapping_remove_source"
    bl_label = "Remove Channel"

    index: bpy.props.IntProperty(options={"HIDDEN", "SKIP_SAVE"})

    def execute(self, context: Any) -> set[str]:
        """Remove the channel with number ``index``."""
        settings = context.scene.dream_talk
        row = settings.mapping_rows[settings.mapping_row]
        row.sources.remove(self.index)
        with _quietly():
            row.confidence = _CHOSEN
        keep_rows(settings)
        return {"FINISHED"}


class DREAMTALK_OT_mapping_reset(_NeedsCharacter, bpy.types.Operator):
    """Find the mapping anew from the names of the shapes; edits are dropped"""

    bl_idname = "dream_talk.mapping_reset"
    bl_label = "Reset to Automatic"

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Tell whether the mapping has been edited."""
        character = context.scene.dream_talk.character
        if character is None or not edited_mapping(character):
            cls.poll_message_set("The mapping is the automatic one already" if character else _NO_CHARACTER)
            return False
        return True

    def execute(self, context: Any) -> set[str]:
        """Drop the edited mapping."""
        settings = context.scene.dream_talk
        store_mapping(settings.character, None)
        refill(settings)
        return {"FINISHED"}


class DREAMTALK_OT_mapping_load(_NeedsCharacter, bpy.types.Operator):
    """Drive the character by a mapping from a JSON file"""

    bl_idname = "dream_talk.mapping_load"
    bl_label = "Load Mapping"

    filepath: bpy.props.StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})
    filter_glob: bpy.props.StringProperty(default="*.json", options={"HIDDEN", "SKIP_SAVE"})

    def invoke(self, context: Any, _event: Any) -> set[str]:
        """Ask for the file."""
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: Any) -> set[str]:
        """Read the file and keep it with the character."""
        settings = context.scene.dream_talk
        path = Path(bpy.path.abspath(self.filepath))
        try:
            mapping = Mapping.from_json(path.read_text(encoding="utf-8"))
        except (MappingError, OSError, UnicodeDecodeError) as error:
            self.report({"ERROR"}, said(f"{path.name} was not loaded: {error}"))
            return {"CANCELLED"}
        known = set(target_names(settings.character))
        strange = [entry.target for entry in mapping.entries if entry.kind != "bone" and entry.target not in known]
        store_mapping(settings.character, mapping)
        refill(settings)
        if strange:
            self.report({"WARNING"}, said(f"{len(strange)} shapes are not on this character, such as {strange[0]}"))
        return {"FINISHED"}


class DREAMTALK_OT_mapping_save(_NeedsCharacter, bpy.types.Operator):
    """Write the mapping to a JSON file, for other characters of the same make"""

    bl_idname = "dream_talk.mapping_save"
    bl_label = "Save Mapping"
    bl_options = {"REGISTER"}

    filepath: bpy.props.StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})
    filter_glob: bpy.props.StringProperty(default="*.json", options={"HIDDEN", "SKIP_SAVE"})
    check_existing: bpy.props.BoolProperty(default=True, options={"HIDDEN"})

    def invoke(self, context: Any, _event: Any) -> set[str]:
        """Ask where to write."""
        name = context.scene.dream_talk.character.name
        self.filepath = bpy.path.ensure_ext(bpy.path.clean_name(f"{name} mapping"), ".json")
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: Any) -> set[str]:
        """Write the file."""
        path = Path(bpy.path.abspath(self.filepath))
        try:
            path.write_text(mapping_of(context.scene.dream_talk.character).to_json(), encoding="utf-8")
        except (MappingError, OSError) as error:
            self.report({"ERROR"}, said(f"{path.name} was not written: {error}"))
            return {"CANCELLED"}
        self.report({"INFO"}, said(f"Wrote {path}"))
        return {"FINISHED"}


class DREAMTALK_MT_mapping(bpy.types.Menu):
    """What to do with the whole mapping."""

    bl_idname = "DREAMTALK_MT_mapping"
    bl_label = "Mapping"

    def draw(self, _context: Any) -> None:
        """Draw the menu."""
        self.layout.operator("dream_talk.mapping_reset", icon="LOOP_BACK")
        self.layout.operator("dream_talk.mapping_load", icon="IMPORT")
        self.layout.operator("dream_talk.mapping_save", icon="EXPORT")


def draw_rows(layout: Any, settings: Any) -> None:
    """Draw the list, its buttons and the chosen row."""
    row = layout.row()
    row.template_list(
        DREAMTALK_UL_mapping.bl_idname, "", settings, "mapping_rows", settings, "mapping_row", rows=5, maxrows=14
    )
    column = row.column(align=True)
    column.operator("dream_talk.mapping_add", text="", icon="ADD")
    column.operator("dream_talk.mapping_remove", text="", icon="REMOVE")
    column.menu(DREAMTALK_MT_mapping.bl_idname, text="", icon="DOWNARROW_HLT")
    if not 0 <= settings.mapping_row < len(settings.mapping_rows):
        return
    chosen = settings.mapping_rows[settings.mapping_row]
    column = layout.column(align=True)
    column.prop(chosen, "target", text="")
    column.prop(chosen, "kind", text="")
    if chosen.kind == "channel":
        column.prop(chosen, "signed")
    for number, source in enumerate(chosen.sources):
        line = column.row(align=True)
        line.prop(source, "channel", text="")
        line.prop(source, "weight", text="")
        line.operator("dream_talk.mapping_remove_source", text="", icon="X").index = number
    column.operator("dream_talk.mapping_add_source", icon="ADD")


CLASSES: tuple[Any, ...] = (
    DREAMTALK_PG_mapping_source,
    DREAMTALK_PG_mapping_row,
    DREAMTALK_UL_mapping,
    DREAMTALK_OT_mapping_add,
    DREAMTALK_OT_mapping_remove,
    DREAMTALK_OT_mapping_add_source,
    DREAMTALK_OT_mapping_remove_source,
    DREAMTALK_OT_mapping_reset,
    DREAMTALK_OT_mapping_load,
    DREAMTALK_OT_mapping_save,
    DREAMTALK_MT_mapping,
)
