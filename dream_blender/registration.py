"""What Blender is told of: every class of the extension, in order."""

from __future__ import annotations

from typing import Any

import bpy

from . import (
    adjust_operators,
    adjust_panel,
    adjust_settings,
    avatar_options,
    batch,
    batch_panel,
    batch_settings,
    capture_operator,
    character_operators,
    drawings,
    emotion,
    emotion_operators,
    emotion_panel,
    environment_operators,
    export_operators,
    generate,
    help_pages,
    ict_operator,
    mapping_list,
    operators,
    panel,
    portrait_panel,
    pose_operators,
    remake_operators,
    server_operators,
    server_process,
    server_status,
    sound_drop,
    style,
    style_capture,
    style_operators,
    style_panel,
    takes_again,
    takes_list,
    takes_operators,
    takes_panel,
    transfer_operator,
    translations,
)
from .addon_preferences import DREAMTALK_AP_preferences
from .portrait_settings import DREAMTALK_PG_portrait, DREAMTALK_PG_portrait_point
from .properties import DREAMTALK_PG_settings

CLASSES: tuple[Any, ...] = (
    *mapping_list.CLASSES,
    *adjust_settings.CLASSES,
    *batch_settings.CLASSES,
    *emotion.CLASSES,
    *style.CLASSES,
    DREAMTALK_PG_portrait_point,
    DREAMTALK_PG_portrait,
    DREAMTALK_PG_settings,
    DREAMTALK_AP_preferences,
    *help_pages.CLASSES,
    *avatar_options.CLASSES,
    *character_operators.CLASSES,
    operators.DREAMTALK_OT_generate,
    operators.DREAMTALK_OT_key_finished_take,
    operators.DREAMTALK_OT_cancel,
    operators.DREAMTALK_OT_import_curves,
    operators.DREAMTALK_OT_start_server,
    operators.DREAMTALK_OT_stop_server,
    operators.DREAMTALK_OT_copy_command,
    *server_operators.CLASSES,
    *environment_operators.CLASSES,
    *capture_operator.CLASSES,
    *drawings.CLASSES,
    panel.DREAMTALK_PT_speak,
    *takes_list.CLASSES,
    *takes_operators.CLASSES,
    *takes_panel.CLASSES,
    *emotion_operators.CLASSES,
    *emotion_panel.CLASSES,
    *style_operators.CLASSES,
    *style_panel.CLASSES,
    panel.DREAMTALK_PT_mapping,
    panel.DREAMTALK_PT_look,
    *ict_operator.CLASSES,
    *transfer_operator.CLASSES,
    *adjust_operators.CLASSES,
    *adjust_panel.CLASSES,
    *remake_operators.CLASSES,
    *sound_drop.CLASSES,
    *batch_panel.CLASSES,
    *portrait_panel.CLASSES,
    *pose_operators.CLASSES,
    panel.DREAMTALK_PT_files,
    *export_operators.CLASSES,
)


def register() -> None:
    """Add the extension to Blender."""
    translations.register()
    for item in CLASSES:
        bpy.utils.register_class(item)
    bpy.types.Scene.dream_talk = bpy.props.PointerProperty(type=DREAMTALK_PG_settings)
    avatar_options.register_properties()
    emotion.register_properties()
    export_operators.register_properties()
    pose_operators.register_properties()
    adjust_settings.register_properties()
    batch_settings.register_properties()
    remake_operators.register_properties()
    takes_list.register_properties()
    bpy.app.handlers.load_post.append(generate.on_file_loaded)
    bpy.app.handlers.load_post.append(batch.on_file_loaded)
    portrait_panel.register()
    server_status.register()


def unregister() -> None:
    """Remove the extension: stop its work, and the server if this Blender started it."""
    takes_again.stop()
    batch.stop()
    style_capture.stop()
    generate.cancel_all()
    portrait_panel.unregister()
    bpy.app.handlers.load_post.remove(batch.on_file_loaded)
    bpy.app.handlers.load_post.remove(generate.on_file_loaded)
    server_status.unregister()
    environment_operators.stop()
    server_process.stop()
    takes_list.unregister_properties()
    remake_operators.unregister_properties()
    batch_settings.unregister_properties()
    adjust_settings.unregister_properties()
    pose_operators.unregister_properties()
    export_operators.unregister_properties()
    emotion.unregister_properties()
    avatar_options.unregister_properties()
    del bpy.types.Scene.dream_talk
    for item in reversed(CLASSES):
        bpy.utils.unregister_class(item)
    translations.unregister()
