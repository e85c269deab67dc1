"""Install the extension's zip as a user does."""

import bpy
from blender_test import MODULE, arguments, report

done = bpy.ops.extensions.package_install_files(
    repo="user_default", filepath=arguments["package"], enable_on_install=True, overwrite=True
)
report({"done": list(done), "enabled": MODULE in bpy.context.preferences.addons})
