"""Operators that choose a character, and make one from another file animatable."""

# Blender names its classes KIND_OT_name and the like.
# mypy: disable-error-code="misc"
# ruff: noqa: N801
from typing import Any

import bpy

from . import generate
from .character import can_be_chosen, character_from, has_shapes, is_linked
from .head_target import armature_of
from .translations import said


class DREAMTALK_OT_use_active(bpy.types.Operator):
    """Choose the active object as the character: a mesh, or the face mesh of an armature or of a collection"""

    bl_idname = "dream_talk.use_active"
    bl_label = "Use Active"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Tell whether the active object is, or carries, a mesh that could talk."""
        active = context.view_layer.objects.active
        mesh = character_from(active)
        if active is None:
            cls.poll_message_set("Make an object active first")
        elif mesh is None:
            cls.poll_message_set(said(f"'{active.name}' is no mesh and carries none"))
        elif not can_be_chosen(mesh):
            cls.poll_message_set(said(f"'{mesh.name}' has no shape keys and no face bones"))
        else:
            return True
        return False

    def execute(self, context: Any) -> set[str]:
        """Choose it."""
        context.scene.dream_talk.character = character_from(context.view_layer.objects.active)
        return {"FINISHED"}


def _instance_of(scene: Any, character: Any) -> Any | None:
    """Return the empty of ``scene`` that shows the collection of ``character``, or None."""
    for item in scene.objects:
        shown = item.instance_collection if item.instance_type == "COLLECTION" else None
        if shown is not None and character.name in shown.all_objects:
            return item
    return None


def _linked_collections(collection: Any, character: Any) -> list[tuple[Any, Any]]:
    """Return (collection above, linked collection) where the linked one holds ``character``, below ``collection``."""
    found = []
    for child in collection.children:
        if child.library is not None and character.name in child.all_objects:
            found.append((collection, child))
        else:
            found += _linked_collections(child, character)
    return found


def _override_objects(context: Any, character: Any) -> None:
    """Override ``character`` and, from the top down, what it hangs on; in the scene by whatever way it came there."""
    scene, layer = context.scene, context.view_layer
    shown = _instance_of(scene, character)
    if shown is not None:
        for item in context.selected_objects:
            item.select_set(False)
        layer.objects.active = shown
        shown.select_set(True)
        bpy.ops.object.make_override_library()
        return
    above = _linked_collections(scene.collection, character)
    if above:
        parent, linked = above[0]
        linked.override_hierarchy_create(scene, layer, do_fully_editable=True)
        parent.children.unlink(linked)
        return
    _override_alone(scene, character)


def _override_alone(scene: Any, character: Any) -> None:
    """Override ``character``, linked by itself, and what it hangs on, which gets a place in ``scene`` too."""
    chain = [character]
    for above in (armature_of(character), character.parent):
        while above is not None and above not in chain:
            chain.append(above)
            above = above.parent
    local = {item: item.override_create(remap_local_usages=True) for item in chain if item.library is not None}
    for made in local.values():
        if made.parent in local:
            made.parent = local[made.parent]
        for modifier in made.modifiers:
            if modifier.type == "ARMATURE" and modifier.object in local:
                modifier.object = local[modifier.object]
        if not made.users_scene:
            scene.collection.objects.link(made)


class DREAMTALK_OT_make_override(bpy.types.Operator):
    """Make the linked character animatable here: a library override of its objects and of its meshes' shape keys"""

    bl_idname = "dream_talk.make_override"
    bl_label = "Make Library Override"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Tell whether the character is linked."""
        character = generate.chosen_character(context)
        if character is None:
            cls.poll_message_set("Choose a character first")
        elif not is_linked(character):
            cls.poll_message_set(said(f"'{character.name}' is not linked: it can be animated as it is"))
        else:
            return True
        return False

    def execute(self, context: Any) -> set[str]:
        """Override the objects, then the meshes, which alone hold on to animation of their shape keys."""
        character = generate.chosen_character(context)
        assert character is not None  # poll saw to it
        linked, name = character, character.name
        if character.library is not None:
            _override_objects(context, character)
            character = next(
                (
                    item
                    for item in context.scene.objects
                    if item.override_library is not None and item.override_library.reference == linked
                ),
                None,
            )
        if character is None:
            self.report({"ERROR"}, said(f"'{name}' could not be overridden: override its collection in the Outliner"))
            return {"CANCELLED"}
        armature = armature_of(character)
        for item in context.scene.objects:
            ours = item == character or (armature is not None and item.type == "MESH" and armature_of(item) == armature)
            if ours and item.library is None and has_shapes(item) and item.data.library is not None:
                item.data.override_create(remap_local_usages=True)
        context.scene.dream_talk.character = character
        return {"FINISHED"}


CLASSES: tuple[Any, ...] = (DREAMTALK_OT_use_active, DREAMTALK_OT_make_override)
