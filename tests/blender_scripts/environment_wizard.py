"""Make the server's environment by the wizard: refused, cancelled, and whole, with a server that runs in it."""

import importlib
import os
import subprocess
import sys
import time
from pathlib import Path

import bpy
from blender_test import MODULE, arguments, refusal, report

module = f"{MODULE}.dream_blender"
status = importlib.import_module(f"{module}.server_status")
panel = importlib.import_module(f"{module}.server_panel")
process = importlib.import_module(f"{module}.server_process")
wizard = importlib.import_module(f"{module}.environment_operators")
setup = importlib.import_module(f"{module}.environment_setup")
preferences = bpy.context.preferences.addons[MODULE].preferences
server = bpy.ops.dream_talk
folder = Path(bpy.utils.extension_path_user(MODULE)) / "environment"


def status_line():
    """Return the sidebar's words about the server, asked anew."""
    status.line()
    status.refresh()
    status._tick()
    if status._asking is not None:
        status._asking.join()
    return status.line()


def wait_for(condition):
    """Wait until ``condition`` is true, at most a minute."""
    deadline = time.monotonic() + 60.0
    while not condition():
        if time.monotonic() > deadline:
            sys.exit("gave up waiting")
        time.sleep(0.1)


bpy.context.preferences.system.use_online_access = True
preferences.package_source = "dreamtalk-of-nobody"
report({"failed": refusal(server.create_environment), "left_after_failure": folder.exists()})

search, os.environ["PATH"] = os.environ["PATH"], str(folder)
made = setup.Setup(folder, arguments["wheel"])
setup._USUAL = ()
made.start()
made.join()
report({"no_python": made.problem})
os.environ["PATH"] = search

made = setup.Setup(folder, arguments["wheel"])
made.start()
wait_for(lambda: made.step != "Looking for Python" and folder.exists())
made.cancel()
made.join()
report({"cancelled": made.cancelled, "left_after_cancel": folder.exists()})

preferences.package_source = arguments["wheel"]
wizard.begin(preferences)  # as in a window, where a timer looks at the work
report({"while_running": [server.create_environment.poll(), server.cancel_environment.poll()]})
wait_for(lambda: wizard._poll() is None)
report({"environment": preferences.environment, "checked": panel.checked(preferences)})
report({"said": "\n".join(wizard.current.said())})
python = setup.python_of(folder)
asked = subprocess.run([python, "-c", "import sys; print(sys.prefix)"], capture_output=True, text=True, check=True)
report({"python": asked.stdout.strip()})

wait_for(lambda: not process.is_ours())
report({"without_libraries": status_line()[0]})
site = next(folder.glob("lib/python*/site-packages"))
(site / "lent.pth").write_text(arguments["libraries"])
server.start_server()
wait_for(lambda: status_line()[1])
server.restart_server()
wait_for(lambda: status_line()[1])
report({"restarted_line": status_line(), "log_lines": process.last_lines(panel.log_path(), 5)})
server.stop_server()
