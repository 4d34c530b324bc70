"""A supervisor in a process of its own, to be signalled: python -m tests.components.local.run_stage FOLDER BEHAVIOUR.

Prints the process id of its server when that is up, and what it says.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from components.local.errors import LocalError
from components.local.files import hold_folder
from components.local.instances import one_each
from components.local.signals import stop_on_signals
from components.local.supervisor import Supervisor
from tests.components.local.stage import PYTHON, Stage


def say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - read by the test


def main() -> None:
    stage = Stage(Path(sys.argv[1]))
    stage.add("backend", **json.loads(sys.argv[2]))
    with stop_on_signals(say) as stopping, hold_folder(stage.folder / "state") as held:
        with Supervisor(one_each(stage.plan), PYTHON, held, say, stopping) as supervisor:
            say(f"pid {supervisor.pid('backend')}")
            stopping.wait()
        say("all stopped")


try:
    main()
except LocalError as error:
    sys.exit(str(error))
