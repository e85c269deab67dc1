"""The words of the classes that Blender knows, what greyed buttons say, and messages in other languages."""

import importlib.util

import bpy
from blender_test import MODULE, arguments, refusal, report

package = f"{MODULE}.dream_blender"
help_pages = importlib.import_module(f"{package}.help_pages")
registration = importlib.import_module(f"{package}.registration")
translations = importlib.import_module(f"{package}.translations")
wrapping = importlib.import_module(f"{package}.wrapping")


def words_of(item):
    """Yield the name, tooltip and items of a class, and of its own properties."""
    if not issubclass(item, (bpy.types.PropertyGroup, bpy.types.AddonPreferences)):
        yield getattr(item, "bl_label", "")
    if issubclass(item, bpy.types.Operator):
        yield item.bl_rna.description
    for name, value in item.bl_rna.properties.items():
        own = any(name in getattr(base, "__annotations__", {}) for base in item.__mro__)
        if not own or value.is_hidden:
            continue
        yield from (value.name, value.description)
        if value.type == "ENUM":
            for choice in value.enum_items:
                yield from (choice.name, choice.description)


words = {word: item.__name__ for item in registration.CLASSES for word in words_of(item) if word}
report({"words": words})


def unexplained():
    """Return the operators that are greyed out now and do not say why."""
    found = []
    for item in registration.CLASSES:
        if issubclass(item, bpy.types.Operator):
            area, name = item.bl_idname.split(".")
            operator = getattr(getattr(bpy.ops, area), name)
            if not operator.poll() and "context is incorrect" in refusal(lambda: operator("EXEC_DEFAULT")):  # noqa: B023
                found.append(item.bl_idname)
    return found


silent = {"fresh": unexplained()}
for thing in list(bpy.data.objects):
    bpy.data.objects.remove(thing)
silent["empty scene"] = unexplained()
bpy.ops.mesh.primitive_cube_add()
silent["cube"] = unexplained()
bpy.ops.object.mode_set(mode="EDIT")
silent["edit mode"] = unexplained()
bpy.ops.object.mode_set(mode="OBJECT")
bpy.ops.dream_talk.add_avatar()
silent["avatar"] = unexplained()
bpy.context.preferences.system.use_online_access = False
silent["offline"] = unexplained()
report({"silent": silent})

said = {
    "whole": "The server is not running",
    "name": "'Ada' has no shape keys and no face bones",
    "two": "There is no file /tmp/a b.wav. Drivers hold 3 shape keys, left as they are: jawOpen, A and 1 more",
    "nested": "The server ended by itself: The server is not running (log: /tmp/x.log)",
    "unknown": "A sentence that nobody has written",
}
report(
    {
        "said": {
            language: {name: translations.in_language(text, language) for name, text in said.items()}
            for language in translations.LANGUAGES
        }
    }
)
report({"languages": {language: translations.messages(language) for language in translations.LANGUAGES}})
long = "The server does not accept the token: restart it, or correct the token in the preferences"
wide = translations.in_language(long, "ja_JP")
report({"lines": wrapping.lines(long, 30), "wide_lines": wrapping.lines(wide, 30)})
report({"narrow": max(map(wrapping.width_of, wrapping.lines(wide, 14)))})
panels = [item for item in registration.CLASSES if issubclass(item, bpy.types.Panel)]
report(
    {"order": {item.bl_label: getattr(item, "bl_order", None) for item in panels if not hasattr(item, "bl_parent_id")}}
)
report({"without_help": [item.__name__ for item in panels if not hasattr(item, "draw_header_preset")]})
shown = {}
for name in [*(item.__name__ for item in panels), "DREAMTALK_AP_preferences"]:
    bpy.ops.dream_talk.help(panel=name)
    shown[name] = help_pages.text_about(name).name
report({"help": shown, "texts": {text.name: text.as_string() for text in bpy.data.texts}})
help_pages.text_about("DREAMTALK_PT_takes").from_string("scribbled over")
specification = importlib.util.spec_from_file_location("source", arguments["source"])
source = importlib.util.module_from_spec(specification)
specification.loader.exec_module(source)
report({"from_source": source.text_about("DREAMTALK_PT_takes").as_string()})
