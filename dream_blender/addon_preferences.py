"""The add-on's preferences as Blender keeps and draws them."""

# Blender reads properties from annotations, which type checkers take for types.
# mypy: disable-error-code="misc,valid-type"
# Blender names its classes KIND_OT_name and the like.
# ruff: noqa: N801
from typing import Any

import bpy

from . import server_panel, server_status
from .preferences import EXTENSION


class DREAMTALK_AP_preferences(bpy.types.AddonPreferences):
    """Where the model server is, and how to start it."""

    bl_idname = EXTENSION

    server_url: bpy.props.StringProperty(
        name="Server Address",
        description="Leave empty for the server of this computer; else like https://studio.example:8787",
        update=lambda _chosen, _context: server_status.refresh(),
    )
    server_token: bpy.props.StringProperty(
        name="Token",
        description="What the other computer's server printed as its token",
        subtype="PASSWORD",
        update=lambda _chosen, _context: server_status.refresh(),
    )
    environment: bpy.props.StringProperty(
        name="Environment",
        description="Folder of the Python environment with the dreamtalk command; used to start the server",
        subtype="DIR_PATH",
    )
    package_source: bpy.props.StringProperty(
        name="Package",
        description="The dreamtalk wheel, source archive or folder that you have; "
        "or a name, where your package index has it",
        subtype="FILE_PATH",
    )
    show_log: bpy.props.BoolProperty(
        name="Show Log", description="Show the last lines that the server has said", options={"SKIP_SAVE"}
    )

    likeness_consent: bpy.props.BoolProperty(
        name="I may animate this person's likeness",
        description="I have the right to animate the likeness of the persons whose photographs I choose, "
        "and will not pass the result off as a recording of them",
    )

    def draw(self, context: Any) -> None:
        """Draw the preferences."""
        server_panel.draw(self.layout, context, self)
