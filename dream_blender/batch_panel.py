"""The sidebar's panel of the batch, and its operators."""

# Blender reads properties from annotations, which type checkers take for types.
# mypy: disable-error-code="misc,valid-type"
# Blender names its classes KIND_OT_name and the like.
# ruff: noqa: N801
from typing import Any

import bpy

from . import batch
from .panel import Sidebar, wrapped
from .sound import no_strips_reason, strips_where
from .translations import said

_ICONS = {
    batch.WAITING: "TIME",
    batch.RUNNING: "PLAY",
    batch.DONE: "CHECKMARK",
    batch.FAILED: "ERROR",
    batch.CANCELLED: "X",
}
_NAMED = 5  # failures told below the list


class DREAMTALK_OT_batch_fill(bpy.types.Operator):
    """Put sound strips on the list, each with the character whose name its name begins with or its channel bears. Others get the chosen character"""  # noqa: E501

    bl_idname = "dream_talk.batch_fill"
    bl_label = "Fill List"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Tell whether there is anything to fill the list with."""
        busy = "The batch is running: cancel it first" if batch.is_busy(context.scene) else ""
        reason = busy or no_strips_reason(context.scene)
        if reason:
            cls.poll_message_set(said(reason))
        return not reason

    def execute(self, context: Any) -> set[str]:
        """Fill it."""
        settings = context.scene.dream_talk_batch
        strips = strips_where(context.scene, settings.source, settings.channel)
        if not strips:
            where = f"on channel {settings.channel}" if settings.source == "CHANNEL" else "selected, or all are muted"
            self.report({"ERROR"}, said(f"No sound strip is {where}"))
            return {"CANCELLED"}
        batch.fill_rows(context, strips)
        return {"FINISHED"}


class DREAMTALK_OT_batch_start(bpy.types.Operator):
    """Make a take for every row, one after the other; Blender stays free meanwhile. Emotion, seed and lips are those of the first panel"""  # noqa: E501

    bl_idname = "dream_talk.batch_start"
    bl_label = "Start Batch"

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Tell whether every row can begin."""
        reason = batch.disabled_reason(context.scene)
        if reason:
            cls.poll_message_set(said(reason))
        return not reason

    def execute(self, context: Any) -> set[str]:
        """Begin, or make all takes when Blender has no window."""
        batch.start(context.scene, batch.open_rows(context.scene))
        return {"FINISHED"}


class DREAMTALK_OT_batch_cancel_all(bpy.types.Operator):
    """Stop the batch. Takes that are made stay"""

    bl_idname = "dream_talk.batch_cancel_all"
    bl_label = "Cancel All"

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Tell whether the batch is running."""
        if not batch.is_busy(context.scene):
            cls.poll_message_set("The batch is not running")
            return False
        return True

    def execute(self, _context: Any) -> set[str]:
        """Stop it."""
        batch.cancel_all()
        return {"FINISHED"}


class _RowOperator:
    """What operators on one row of the list share: ``number`` is the row's own."""

    number: bpy.props.IntProperty(options={"SKIP_SAVE", "HIDDEN"})

    def row(self, context: Any) -> Any | None:
        """Return the row, or None when it is gone."""
        rows = context.scene.dream_talk_batch.rows
        return next((row for row in rows if row.number == self.number), None)


class DREAMTALK_OT_batch_cancel(_RowOperator, bpy.types.Operator):
    """Stop this row, or take it out of the queue"""

    bl_idname = "dream_talk.batch_cancel"
    bl_label = "Cancel"

    def execute(self, _context: Any) -> set[str]:
        """Stop it."""
        batch.cancel(self.number)
        return {"FINISHED"}


class DREAMTALK_OT_batch_retry(_RowOperator, bpy.types.Operator):
    """Try this row again"""

    bl_idname = "dream_talk.batch_retry"
    bl_label = "Retry"

    def execute(self, context: Any) -> set[str]:
        """Put it in the queue."""
        row = self.row(context)
        if row is None or row.character is None:
            self.report({"ERROR"}, "Choose who speaks this strip first")
            return {"CANCELLED"}
        batch.start(context.scene, [row])
        return {"FINISHED"}


class DREAMTALK_OT_batch_remove(_RowOperator, bpy.types.Operator):
    """Take this row off the list"""

    bl_idname = "dream_talk.batch_remove"
    bl_label = "Remove"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: Any) -> set[str]:
        """Remove it."""
        row, settings = self.row(context), context.scene.dream_talk_batch
        if row is None:
            return {"CANCELLED"}
        settings.rows.remove(list(settings.rows).index(row))
        settings.row = min(settings.row, max(0, len(settings.rows) - 1))
        return {"FINISHED"}


class DREAMTALK_UL_batch(bpy.types.UIList):
    """The rows: state, strip, character, and what can be done."""

    bl_idname = "DREAMTALK_UL_batch"

    def draw_item(
        self, _context: Any, layout: Any, _data: Any, item: Any, _icon: Any, _active: Any, _property: Any, _index: int
    ) -> None:
        """Draw one row."""
        entry = batch.entry_of(item)
        row = layout.row(align=True)
        split = row.split(factor=0.5, align=True)
        if entry is not None and entry.generation is not None:
            split.progress(factor=entry.generation.progress.fraction, text=item.strip)
        else:
            split.label(text=item.strip, icon=_ICONS[entry.state] if entry else "SOUND", translate=False)
        busy = entry is not None and entry.is_busy
        name = split.row(align=True)
        name.enabled = not busy
        name.prop(item, "character", text="")
        if busy:
            row.operator("dream_talk.batch_cancel", text="", icon="X", emboss=False).number = item.number
            return
        if entry is not None and entry.state in (batch.FAILED, batch.CANCELLED):
            row.operator("dream_talk.batch_retry", text="", icon="FILE_REFRESH", emboss=False).number = item.number
        row.operator("dream_talk.batch_remove", text="", icon="REMOVE", emboss=False).number = item.number


class DREAMTALK_PT_batch(Sidebar, bpy.types.Panel):
    """Many takes, one after the other."""

    bl_idname = "DREAMTALK_PT_batch"
    bl_label = "Batch"
    bl_order = 4
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: Any) -> None:
        """Draw the panel."""
        layout, settings = self.layout, context.scene.dream_talk_batch
        column = layout.column(align=True)
        column.row(align=True).prop(settings, "source", expand=True)
        if settings.source == "CHANNEL":
            column.prop(settings, "channel")
        column.operator("dream_talk.batch_fill", icon="SEQ_SEQUENCER")
        if len(settings.rows):
            layout.template_list("DREAMTALK_UL_batch", "", settings, "rows", settings, "row", rows=4)
        known = [batch.entry_of(row) for row in settings.rows]
        self._draw_progress([entry for entry in known if entry is not None], len(settings.rows))
        if batch.is_busy(context.scene):
            layout.operator("dream_talk.batch_cancel_all", icon="X")
        else:
            row = layout.row()
            row.scale_y = 1.5
            row.operator("dream_talk.batch_start", icon="PLAY_SOUND")
        self._draw_failures(settings.rows)

    def _draw_progress(self, known: list[batch.Entry], count: int) -> None:
        if not known:
            return
        done = sum(entry.state == batch.DONE for entry in known)
        part = sum(entry.generation.progress.fraction for entry in known if entry.generation is not None)
        failed = sum(entry.state == batch.FAILED for entry in known)
        text = f"{done} of {count} done" + (f", {failed} failed" if failed else "")
        self.layout.progress(factor=min(1.0, (done + part) / count), text=said(text))

    def _draw_failures(self, rows: Any) -> None:
        entries = [(row.strip, batch.entry_of(row)) for row in rows]
        failed = [(strip, entry.message) for strip, entry in entries if entry and entry.state == batch.FAILED]
        for strip, message in failed[:_NAMED]:
            wrapped(self.layout, f"{strip}: {message}", "ERROR")
        if len(failed) > _NAMED:
            self.layout.label(text=said(f"and {len(failed) - _NAMED} more"), icon="BLANK1")


CLASSES = (
    DREAMTALK_OT_batch_fill,
    DREAMTALK_OT_batch_start,
    DREAMTALK_OT_batch_cancel_all,
    DREAMTALK_OT_batch_cancel,
    DREAMTALK_OT_batch_retry,
    DREAMTALK_OT_batch_remove,
    DREAMTALK_UL_batch,
    DREAMTALK_PT_batch,
)
