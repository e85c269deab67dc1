"""What the preferences say of a running server, of wrong ones, and of environments; refusals of the wizard."""

import importlib

import bpy
from blender_test import MODULE, arguments, refusal, report

module = f"{MODULE}.dream_blender"
status = importlib.import_module(f"{module}.server_status")
panel = importlib.import_module(f"{module}.server_panel")
client = importlib.import_module(f"{module}.client")
server_operators = importlib.import_module(f"{module}.server_operators")
environment_setup = importlib.import_module(f"{module}.environment_setup")
preferences = bpy.context.preferences.addons[MODULE].preferences
server = bpy.ops.dream_talk


def ask():
    """Ask the server anew, and wait for its answer."""
    status.line()
    status.refresh()
    status._tick()
    if status._asking is not None:
        status._asking.join()


class Paper:
    """A layout that counts what is drawn; Blender without a window draws none."""

    drawn = 0

    def __getattr__(self, name):
        """Return the next piece of paper for everything that a layout can be asked."""

        def draw(*_values, **_named):
            Paper.drawn += 1
            return self

        return draw


def drawn():
    """Return how many things the preferences draw."""
    Paper.drawn = 0
    panel.draw(Paper(), bpy.context, preferences)
    return Paper.drawn


ask()
while not status.answer()[1].ready:
    ask()
address, health = status.answer()
report({"answer": [address.url, health.version, health.device, health.ready, health.model_hash]})
report({"tested": list(server.test_connection()), "described": server_operators.described(address, health)})

preferences.environment = arguments["environment"]
states = {"running": drawn()}
report({"environment": panel.checked(preferences)})
preferences.environment = "/nowhere"
report({"nowhere": panel.checked(preferences)})
preferences.environment = arguments["bare"]
report({"bare": panel.checked(preferences)})
preferences.environment = ""
states["no environment"] = drawn()

preferences.server_url, preferences.server_token = address.url, "wrong"
report({"wrong_token": refusal(server.test_connection)})
preferences.server_url = arguments["stranger"]
report({"wrong_protocol": refusal(server.test_connection)})
preferences.server_url = "http://127.0.0.1:9"
report({"nobody": refusal(server.test_connection)})
system = bpy.context.preferences.system
system.use_online_access = False
preferences.server_url = "https://studio.example:8787"
report({"offline": refusal(server.test_connection)})
states["remote, offline"] = drawn()
preferences.server_url = ""

preferences.package_source = "/tmp/my wheel.whl"
report({"wizard_offline": refusal(server.create_environment)})
system.use_online_access = True
preferences.server_url = "studio"
report({"no_url": refusal(server.test_connection)})
preferences.server_url = ""
report({"wizard_wrong_path": refusal(server.create_environment)})
preferences.package_source = ""
report({"wizard_without_package": refusal(server.create_environment)})
lines = {name: environment_setup.commands(name, "/tmp/my wheel.whl") for name in ("linux", "darwin", "win32")}
report({"commands": lines, "drawn": states})
