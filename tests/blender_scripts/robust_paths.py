"""Work among paths with spaces and letters of many scripts, in an extension folder that cannot be written to."""

import errno
import importlib
import json
import sys
from pathlib import Path

import bpy
from blender_test import MODULE, arguments, refusal, report

compat = importlib.import_module(f"{MODULE}.dream_blender.compat")
generate = importlib.import_module(f"{MODULE}.dream_blender.generate")
paths = importlib.import_module(f"{MODULE}.dream_blender.paths")
take = importlib.import_module(f"{MODULE}.dream_blender.take")
folder = Path(arguments["folder"])
audio = folder / "Töne & Stimmen" / "Zeile 1 – süß 声.wav"
extension = str(Path(sys.modules[MODULE].__file__).parent.resolve())
CHANGES = ("os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.truncate", "os.symlink", "os.link", "os.chmod")
refused: list[str] = []


def keep_read_only(event, details):
    """Refuse every change below the extension's folder, as a folder does that is read-only."""
    if event == "open":
        path, mode, flags = details
        changes = bool(set(mode or "") & set("wax+")) or bool((flags or 0) & 3)
    else:
        path, changes = (details[0] if details else ""), event in CHANGES
    if changes and isinstance(path, str) and path.startswith(extension):
        if "__pycache__" not in path:  # Python itself asks, and goes on without
            refused.append(f"{event} {path}")
        raise PermissionError(errno.EACCES, "read-only", path)


sys.addaudithook(keep_read_only)
bpy.ops.dream_talk.add_avatar()
settings = bpy.context.scene.dream_talk
settings.character.name = 'Jörg "der" 顔/é'
bpy.ops.wm.save_as_mainfile(filepath=str(folder / "Szene mit Größe.blend"))
made = {}
for what, text in {
    "whole": str(audio),
    "pasted": f' "{audio}" ',
    "beside": bpy.path.relpath(str(audio)),
    "windows": bpy.path.relpath(str(audio)).replace("/", "\\").replace("\\\\", "//", 1),
}.items():
    settings.audio_path = text
    bpy.ops.dream_talk.generate()
    made[what] = take.take_of(settings.character).name
report({"made": made, "strips": [strip.name for strip in compat.strips(bpy.context.scene)]})

if compat.has_audio():
    settings.audio_source, settings.strip_name = "STRIP", compat.strips(bpy.context.scene)[0].name
    before = take.take_of(settings.character)
    bpy.ops.dream_talk.generate()
    report({"strip_made": take.take_of(settings.character) != before})
    settings.audio_source = "FILE"

settings.audio_path = str(folder / "Töne & Stimmen" / "kein Ton ё.wav")
report({"refused_sound": refusal(bpy.ops.dream_talk.generate)})
settings.audio_path = "C:\\Stimmen\\Zeile 1.wav"
report({"other_system": refusal(bpy.ops.dream_talk.generate)})

written = {}
for suffix in arguments["suffixes"]:
    target = folder / "Ausgabe für Spiele" / f"Täke “1” 声{suffix}"
    target.parent.mkdir(exist_ok=True)
    bpy.ops.dream_talk.export(filepath=str(target))
    written[suffix] = target.stat().st_size
bpy.ops.dream_talk.import_curves(filepath=str(folder / "Ausgabe für Spiele" / "Täke “1” 声.csv"))
report({"written": written, "imported": take.take_of(settings.character).name})

bpy.ops.wm.save_mainfile()
bpy.ops.wm.open_mainfile(filepath=str(folder / "Szene mit Größe.blend"))
settings = bpy.context.scene.dream_talk
report({"reopened": [settings.character.name, take.take_of(settings.character).name]})

windows = {text: paths.tidied(text, windows=True) for text in arguments["windows"]}
elsewhere = {text: paths.tidied(text, windows=False) for text in arguments["windows"]}
report({"windows": windows, "elsewhere": elsewhere, "refused_writes": refused, "extension": extension})
report({"home": json.loads((folder / "home" / "server.json").read_text())["protocol"]})
