"""The operators on the takes of a character. Each says why it is greyed out, and undoes in one step."""

# Blender reads properties from annotations, which type checkers take for types.
# mypy: disable-error-code="misc,valid-type"
# Blender names its classes KIND_OT_name and the like.
# ruff: noqa: N801
from typing import Any

import bpy

from ..blendshape_rigs.curves import CurvesError
from . import generate, server_status, takes, takes_again, takes_compare, takes_merge, takes_nla
from .character import NOBODY, problem_with
from .client import ServerError
from .sound import SoundError
from .take import NO_TAKE, TakeError
from .takes_list import STARS
from .translations import said

NONE_ACTIVE = "Click a take in the list first, so that it plays"
_others: list[tuple[str, str, str]] = []
"""Blender does not keep the texts of a menu that Python makes: they must live on here."""


def character_problem(context: Any) -> str:
    """Return why no take of the sidebar's character can be handled, as one sentence; empty when one can."""
    character = generate.chosen_character(context)
    if character is None:
        return NOBODY
    problem = problem_with(character)
    return problem or ("" if takes.takes_of(character) else NO_TAKE)


def active_problem(context: Any) -> str:
    """Return why the active take cannot be handled, as one sentence; empty when it can."""
    problem = character_problem(context)
    if problem:
        return problem
    return "" if takes.active_take(generate.chosen_character(context)) is not None else NONE_ACTIVE


def _chosen(context: Any) -> tuple[Any, Any]:
    """Return the sidebar's character and its active take, where :func:`active_problem` saw to it that it has one."""
    character = generate.chosen_character(context)
    return character, takes.active_take(character)


def other_problem(context: Any) -> str:
    """Return why the active take has no other one beside it, as one sentence; empty when it has."""
    problem = active_problem(context)
    if problem:
        return problem
    few = len(takes.takes_of(generate.chosen_character(context))) < 2
    return "There is only one take: make another one, or duplicate it" if few else ""


def _other_takes(_operator: Any, context: Any) -> list[tuple[str, str, str]]:
    character = generate.chosen_character(context)
    if character is not None:
        now = takes.active_take(character)
        _others[:] = [(take.name, take.name, "") for take in takes.takes_of(character) if take != now]
    return _others


class _OnTakes:
    """An operator on the active take."""

    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def problem(cls, context: Any) -> str:
        """Return why it cannot run, as one sentence; empty when it can."""
        return active_problem(context)

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Tell whether there is what it works on."""
        problem = cls.problem(context)
        if problem:
            cls.poll_message_set(said(problem))  # type: ignore[attr-defined] # Blender's class has it
        return not problem


class DREAMTALK_OT_use_take(_OnTakes, bpy.types.Operator):
    """Let this take play on the character"""

    bl_idname = "dream_talk.use_take"
    bl_label = "Use Take"

    take: bpy.props.StringProperty(name="Take", options={"SKIP_SAVE"})

    @classmethod
    def problem(cls, context: Any) -> str:
        """Return why no take can play."""
        return character_problem(context)

    def execute(self, context: Any) -> set[str]:
        """Let it play."""
        character, take = generate.chosen_character(context), bpy.data.actions.get(self.take)
        if take is None or take not in takes.takes_of(character):
            self.report({"ERROR"}, said(f"'{self.take}' is no take of this character"))
            return {"CANCELLED"}
        left_out = takes.activate(character, take)
        if left_out:
            self.report({"WARNING"}, said(left_out))
        return {"FINISHED"}


class DREAMTALK_OT_rate_take(bpy.types.Operator):
    """Give the take this many stars; the same again takes the last one away"""

    bl_idname = "dream_talk.rate_take"
    bl_label = "Rate Take"
    bl_options = {"REGISTER", "UNDO"}

    take: bpy.props.StringProperty(name="Take", options={"SKIP_SAVE"})
    stars: bpy.props.IntProperty(name="Stars", min=0, max=STARS, options={"SKIP_SAVE"})

    def execute(self, _context: Any) -> set[str]:
        """Keep the rating with the take."""
        take = bpy.data.actions.get(self.take)
        if take is None:
            self.report({"ERROR"}, said(f"There is no take '{self.take}'"))
            return {"CANCELLED"}
        take.dream_talk_rating = self.stars - 1 if take.dream_talk_rating == self.stars else self.stars
        return {"FINISHED"}


class DREAMTALK_OT_solo_take(_OnTakes, bpy.types.Operator):
    """Show only the active take: mute the face's other NLA tracks. Press again to hear from them all"""

    bl_idname = "dream_talk.solo_take"
    bl_label = "Solo"

    @classmethod
    def problem(cls, context: Any) -> str:
        """Return why there is nothing to show alone; what is shown alone can always be ended."""
        character = generate.chosen_character(context)
        return "" if character is not None and takes_nla.is_solo(character) else active_problem(context)

    def execute(self, context: Any) -> set[str]:
        """Mute the others, or let them play again."""
        character = generate.chosen_character(context)
        takes_nla.set_solo(character, not takes_nla.is_solo(character))
        return {"FINISHED"}


class DREAMTALK_OT_duplicate_take(_OnTakes, bpy.types.Operator):
    """Copy the active take, to try something on the copy"""

    bl_idname = "dream_talk.duplicate_take"
    bl_label = "Duplicate"

    def execute(self, context: Any) -> set[str]:
        """Copy it; the copy plays."""
        character, take = _chosen(context)
        takes.activate(character, takes.copy_take(take, f"{take.name} copy"))
        return {"FINISHED"}


class DREAMTALK_OT_delete_take(_OnTakes, bpy.types.Operator):
    """Remove the active take from the file, and its NLA strips"""

    bl_idname = "dream_talk.delete_take"
    bl_label = "Delete Take"

    @classmethod
    def problem(cls, context: Any) -> str:
        """Return why the take cannot go."""
        problem = active_problem(context)
        if problem:
            return problem
        take = _chosen(context)[1]
        if take.library is not None:
            return f"'{take.name}' is linked from another file: delete it there"
        return takes_nla.own_keys_problem(take)

    def invoke(self, context: Any, event: Any) -> set[str]:
        """Ask first."""
        name = _chosen(context)[1].name
        asked: set[str] = context.window_manager.invoke_confirm(
            self, event, title="Delete Take", message=said(f"Remove '{name}' from this file?"), confirm_text="Delete"
        )
        return asked

    def execute(self, context: Any) -> set[str]:
        """Remove it."""
        takes.delete_take(*_chosen(context))
        return {"FINISHED"}


class DREAMTALK_OT_compare_takes(_OnTakes, bpy.types.Operator):
    """Stand a copy of the character beside it that plays another take from the same frame"""

    bl_idname = "dream_talk.compare_takes"
    bl_label = "Compare With"

    other: bpy.props.EnumProperty(name="Take", description="The take to compare with", items=_other_takes)

    @classmethod
    def problem(cls, context: Any) -> str:
        """Return why there is nothing to compare."""
        return other_problem(context) or ("" if context.mode == "OBJECT" else "Go to Object Mode first")

    def execute(self, context: Any) -> set[str]:
        """Make the copy."""
        character = generate.chosen_character(context)
        takes_compare.compare(context, character, bpy.data.actions[self.other])
        return {"FINISHED"}


class DREAMTALK_OT_stop_comparing(_OnTakes, bpy.types.Operator):
    """Remove the copy that stands beside the character"""

    bl_idname = "dream_talk.stop_comparing"
    bl_label = "Stop Comparing"

    @classmethod
    def problem(cls, context: Any) -> str:
        """Return why there is nothing to remove."""
        character = generate.chosen_character(context)
        return "" if character is not None and takes_compare.compared(character) else "Nothing is being compared"

    def execute(self, context: Any) -> set[str]:
        """Remove it."""
        takes_compare.stop(generate.chosen_character(context))
        return {"FINISHED"}


class DREAMTALK_OT_more_like_this(_OnTakes, bpy.types.Operator):
    """Make more takes of the same recording with the same settings and new seeds, one after the other"""

    bl_idname = "dream_talk.more_like_this"
    bl_label = "More Like This"
    bl_options = {"REGISTER"}

    count: bpy.props.IntProperty(name="Takes", description="How many to make", default=1, min=1, max=4)

    @classmethod
    def problem(cls, context: Any) -> str:
        """Return why no more can be made."""
        problem = active_problem(context) or generate.character_problem(context)
        if problem:
            return problem
        character, take = _chosen(context)
        if character.name in generate.active or takes_again.left_for(character.name):
            return "A take for this character is being made"
        return takes_again.problem_with_again(take)

    def invoke(self, context: Any, _event: Any) -> set[str]:
        """Ask how many."""
        asked: set[str] = context.window_manager.invoke_props_dialog(self)
        return asked

    def execute(self, context: Any) -> set[str]:
        """Begin them, or make them all when Blender has no window."""
        try:
            made = takes_again.prepare_many(context, *_chosen(context), self.count)
            if bpy.app.background:
                for generation in made:
                    generate.run_blocking(generation)
            else:
                takes_again.start(made)
        except (TakeError, SoundError, ServerError) as error:
            server_status.refresh()
            self.report({"ERROR"}, said(server_status.explained(error)))
            return {"CANCELLED"}
        return {"FINISHED"}


class DREAMTALK_OT_push_take(_OnTakes, bpy.types.Operator):
    """Push the active take down to NLA tracks called DREAM-Talk; the body's tracks and Actions stay as they are"""

    bl_idname = "dream_talk.push_take"
    bl_label = "Push to NLA"

    def execute(self, context: Any) -> set[str]:
        """Make the strips."""
        character, take = _chosen(context)
        try:
            takes_nla.push_down(character, take)
        except TakeError as error:
            self.report({"ERROR"}, said(str(error)))
            return {"CANCELLED"}
        self.report({"INFO"}, said(f"'{take.name}' is a strip on the track {takes.TRACK_NAME}"))
        return {"FINISHED"}


class DREAMTALK_OT_merge_takes(_OnTakes, bpy.types.Operator):
    """Take a range of frames from another take into the active one, as a new take; both others stay"""

    bl_idname = "dream_talk.merge_takes"
    bl_label = "Merge Range"

    other: bpy.props.EnumProperty(name="From", description="The take whose frames are taken over", items=_other_takes)
    first: bpy.props.IntProperty(name="First Frame", options={"SKIP_SAVE"})
    last: bpy.props.IntProperty(name="Last Frame", options={"SKIP_SAVE"})
    fade: bpy.props.IntProperty(
        name="Crossfade", description="Frames at each end in which one take goes over into the other", default=6, min=0
    )

    @classmethod
    def problem(cls, context: Any) -> str:
        """Return why there is nothing to merge."""
        return other_problem(context)

    def invoke(self, context: Any, _event: Any) -> set[str]:
        """Ask for the range, which is that of the preview, if one is set."""
        scene = context.scene
        first, last = takes_merge.whole_range(_chosen(context)[1])
        if scene.use_preview_range:
            first, last = max(first, scene.frame_preview_start), min(last, scene.frame_preview_end)
        self.first, self.last = first, last
        asked: set[str] = context.window_manager.invoke_props_dialog(self)
        return asked

    def execute(self, context: Any) -> set[str]:
        """Key the new take."""
        (character, take), other = _chosen(context), bpy.data.actions[self.other]
        first, last = takes_merge.whole_range(take)
        if not first <= self.first <= self.last <= last:
            self.report({"ERROR"}, said(f"Choose frames between {first} and {last}, where '{take.name}' is"))
            return {"CANCELLED"}
        try:
            made = takes_merge.merge(context.scene, character, take, other, (self.first, self.last), self.fade)
        except (CurvesError, TakeError) as error:
            self.report({"ERROR"}, said(f"'{other.name}' was not merged: {error}"))
            return {"CANCELLED"}
        self.report({"INFO"}, said(f"Keyed '{made.name}'"))
        return {"FINISHED"}


CLASSES: tuple[Any, ...] = (
    DREAMTALK_OT_use_take,
    DREAMTALK_OT_rate_take,
    DREAMTALK_OT_solo_take,
    DREAMTALK_OT_duplicate_take,
    DREAMTALK_OT_delete_take,
    DREAMTALK_OT_compare_takes,
    DREAMTALK_OT_stop_comparing,
    DREAMTALK_OT_more_like_this,
    DREAMTALK_OT_push_take,
    DREAMTALK_OT_merge_takes,
)
