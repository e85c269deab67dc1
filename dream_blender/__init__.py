"""DREAM-Talk inside Blender: panels, operators, keying and export. Standard library, numpy and bpy only."""
