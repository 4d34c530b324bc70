"""The engine, by a program that says what the real one has said."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

from stacks.engine import Engine, EngineError

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = """#!{python}
import json, os, pathlib, signal, sys, time
script = json.loads((pathlib.Path(__file__).parent / "script").read_text())
if sys.argv[1] == "stack":
    print(json.dumps({{"deployment": script["state"]}}))
    sys.exit()
if "--json" in sys.argv:
    print(script["digest"])
else:
    pathlib.Path(sys.argv[sys.argv.index("--event-log") + 1]).write_text(script["events"])
for _ in range(script["interruptions"]):
    os.kill(os.getppid(), signal.SIGINT)
    time.sleep(0.2)
sys.stderr.write(script["said"])
sys.exit(script["code"])
"""

URN = "urn:pulumi:prod::virtengine-tracing::virtengine:tracing:Backend$kubernetes:apps/v1:StatefulSet::backend-jaeger"
RECORD = {
    "urn": URN,
    "type": "kubernetes:apps/v1:StatefulSet",
    "custom": True,
    "inputs": {"kind": "StatefulSet", "metadata": {"name": "jaeger", "namespace": "observability"}},
}


def engine(folder: Path, **script: object) -> Engine:
    """An engine that follows a script."""
    whole: dict[str, Any] = {"state": {}, "events": "", "digest": "", "interruptions": 0, "said": "", "code": 0} | script
    if not isinstance(whole["events"], str):
        whole["events"] = "".join(f"{json.dumps(found)}\n" for found in whole["events"])
    (folder / "script").write_text(json.dumps(whole))
    program = folder / "pulumi"
    program.write_text(PROGRAM.format(python=sys.executable))
    program.chmod(0o755)
    return Engine(str(program), {}, "prod", folder / "Pulumi.prod.yaml")


PLANNED = {
    **RECORD,
    "parent": "urn::backend",
    "protect": True,
    "dependencies": ["urn::claim"],
    "propertyDependencies": {"spec": ["urn::claim"]},
}


def test_a_planned_step_tells_what_the_resource_depends_on(tmp_path: Path) -> None:
    gone = {"op": "delete", "urn": "urn::old", "oldState": {**RECORD, "urn": "urn::old"}}
    digest = json.dumps({"steps": [{"op": "create", "urn": URN, "newState": PLANNED}, gone]})
    first, second = engine(tmp_path, digest=digest).planned()
    assert (first.operation, first.urn, first.kind, first.old, first.new) == ("create", URN, RECORD["type"], {}, RECORD["inputs"])
    assert first.record == PLANNED
    assert (second.operation, second.old, second.record) == ("delete", RECORD["inputs"], {})


def test_a_plan_that_failed_tells_the_steps_before_and_the_next_command(tmp_path: Path) -> None:
    told = [
        {"message": "a warning", "severity": "warning"},
        {"message": 'error: configmaps "agent" already exists', "severity": "error"},
    ]
    digest = json.dumps({"steps": [{"op": "create", "urn": URN, "newState": PLANNED}], "diagnostics": told})
    with pytest.raises(EngineError, match=r'^error: configmaps "agent" already exists(\n.*)*then: python -m stacks recover prod') as failed:
        engine(tmp_path, digest=digest, code=255).planned()
    assert [found.record for found in failed.value.events] == [PLANNED]


def test_an_engine_that_cannot_begin_to_plan_says_why(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="then: export PULUMI_CONFIG_PASSPHRASE"):
        engine(tmp_path, said="error: incorrect passphrase", code=255).planned()
