"""Key the mouths of a grease pencil after a take on the avatar, and look which drawing shows at every frame."""

import bpy
from blender_test import arguments, refusal, report

scene = bpy.context.scene
bpy.ops.dream_talk.add_avatar()
character = scene.dream_talk.character
pencils = getattr(bpy.data, "grease_pencils_v3", bpy.data.grease_pencils)  # 4.3 to 4.5 hold both kinds
drawing = bpy.data.objects.new("mouth", pencils.new("mouth"))
scene.collection.objects.link(drawing)
bpy.context.view_layer.objects.active = drawing
report({"without take": bpy.ops.dream_talk.key_drawings.poll()})
bpy.ops.dream_talk.import_curves(filepath=arguments["take"])
bpy.context.view_layer.objects.active = drawing
wrong = refusal(lambda: bpy.ops.dream_talk.key_drawings(mouths="ABCDEFF"))
bpy.ops.dream_talk.key_drawings(mouths="XABCDEF", first_drawing=10)
modifiers = getattr(drawing, "grease_pencil_modifiers", drawing.modifiers)
modifier = next(item for item in modifiers if item.name == "DREAM-Talk Mouths")
shown = []
for frame in range(int(scene.frame_start), int(scene.frame_start) + arguments["frames"]):
    scene.frame_set(frame, subframe=0.0)
    evaluated = drawing.evaluated_get(bpy.context.evaluated_depsgraph_get())
    copies = getattr(evaluated, "grease_pencil_modifiers", evaluated.modifiers)
    shown.append(copies["DREAM-Talk Mouths"].offset)
report({"wrong": wrong, "mode": modifier.mode, "shown": shown, "again": bpy.ops.dream_talk.key_drawings.poll()})
