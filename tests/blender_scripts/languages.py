"""Run in a whole Blender: install the zip and print what a panel, a button and a message say in every language."""

import importlib
import json
import sys

import bpy

MODULE = "bl_ext.user_default.dream_talk"
bpy.ops.extensions.package_install_files(
    repo="user_default", filepath=sys.argv[-1], enable_on_install=True, overwrite=True
)
translations = importlib.import_module(f"{MODULE}.dream_blender.translations")
settings = importlib.import_module(f"{MODULE}.dream_blender.portrait_settings")
portrait = settings.DREAMTALK_PG_portrait.bl_rna.properties
shown = {}
for language in ("en_US", *translations.LANGUAGES):
    bpy.context.preferences.view.language = language
    shown[language] = {
        "panel": bpy.app.translations.pgettext_iface(bpy.types.DREAMTALK_PT_look.bl_label),
        "button": bpy.app.translations.pgettext_iface("Random Person", "Operator"),
        "face": bpy.app.translations.pgettext_iface(portrait["face"].name, portrait["face"].translation_context),
        "message": translations.said("'Ada' has no keys"),
    }
print("LANGUAGES", json.dumps(shown))
