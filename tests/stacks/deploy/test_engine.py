"""What is said of an engine that its user interrupts, and what it plans, by a program that says what the real one has said."""

from __future__ import annotations

import json
import signal
import sys
from typing import TYPE_CHECKING, Any

import pytest

from stacks.deploy.engine import Engine, EngineError, EngineInterruptedError
from stacks.deploy.hints import Place, cancelled, interrupted
from stacks.deploy.up import Deployment, _deploy
from stacks.environment.source import read

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
UNANSWERED = (
    f'resource "{URN}" was not successfully created by the Kubernetes API server: unexpected error when reading response body. '
    "Please retry. Original error: context canceled"
)
"""What the engine says of a request whose answer it did not wait for; beside it "update failed", and nothing of an interruption."""


def event(operation: str, record: dict[str, Any]) -> dict[str, Any]:
    """A step as the event log tells it."""
    metadata = {"op": operation, "urn": record["urn"], "type": record["type"], "old": None, "new": record}
    return {"resourcePreEvent": {"metadata": metadata}}


MAKING = [
    event("create", RECORD),
    {"diagnosticEvent": {"message": UNANSWERED, "severity": "error"}},
    {"diagnosticEvent": {"message": "update failed", "severity": "error"}},
]


def engine(folder: Path, **script: object) -> Engine:
    """An engine that follows a script."""
    whole: dict[str, Any] = {"state": {}, "events": "", "digest": "", "interruptions": 0, "said": "", "code": 0} | script
    if not isinstance(whole["events"], str):
        whole["events"] = "".join(f"{json.dumps(found)}\n" for found in whole["events"])
    (folder / "script").write_text(json.dumps(whole))
    program = folder / "pulumi"
    program.write_text(PROGRAM.format(python=sys.executable))
    program.chmod(0o755)
    return Engine(str(program), {}, Place("prod", "observability"), folder / "Pulumi.prod.yaml")


def deployment(folder: Path, **script: object) -> Deployment:
    """Development on a host, which nothing watches, and an engine that follows a script."""
    return Deployment(read("dev"), engine(folder, **script), None)


def test_a_request_without_an_answer_at_an_interruption_is_named_with_recover(tmp_path: Path) -> None:
    with pytest.raises(EngineError) as told:
        _deploy(deployment(tmp_path, events=MAKING, interruptions=1, code=255))
    assert str(told.value).splitlines() == [
        "prod: `up` was interrupted while it made StatefulSet jaeger, which may be there without a note of it",
        "then: python -m stacks recover prod, which looks for it",
    ]


def test_an_interrupted_up_that_noted_all_that_it_had_begun_is_gone_on_with(tmp_path: Path) -> None:
    with pytest.raises(EngineError) as told:
        _deploy(deployment(tmp_path, events=MAKING, interruptions=1, code=255, state={"resources": [RECORD]}))
    assert str(told.value).splitlines() == [
        "prod: `up` was interrupted; what it had begun is noted",
        "then: python -m stacks up prod, which goes on from here",
    ]


def test_what_was_to_replace_another_is_not_known_by_the_note_of_that_one(tmp_path: Path) -> None:
    events, state = [event("create-replacement", RECORD)], {"resources": [{**RECORD, "pendingReplacement": True}]}
    with pytest.raises(EngineError, match="while it made StatefulSet jaeger"):
        _deploy(deployment(tmp_path, events=events, interruptions=1, code=255, state=state))


def test_components_and_providers_are_nothing_that_could_be_there_unnoted(tmp_path: Path) -> None:
    component = {"urn": "urn::backend", "type": "virtengine:tracing:Backend"}
    provider = {"urn": "urn::kubernetes", "type": "pulumi:providers:kubernetes", "custom": True}
    events = [event("create", found) for found in (component, provider)]
    with pytest.raises(EngineError, match="then: python -m stacks up prod"):
        _deploy(deployment(tmp_path, events=events, interruptions=1, code=255))


def test_an_engine_interrupted_twice_is_recovered_though_nothing_is_named(tmp_path: Path) -> None:
    # It was ended while it wrote its log as well.
    with pytest.raises(EngineError, match="then: python -m stacks recover prod"):
        _deploy(deployment(tmp_path, events='{"resourcePreEvent": {"metad', interruptions=2, code=255))


@pytest.mark.parametrize("code", [0, 255])
@pytest.mark.parametrize(("verb", "then"), [("preview", "preview"), ("destroy", "destroy"), ("refresh", "recover")])
def test_a_user_who_interrupts_is_told_so_whatever_comes_of_it(tmp_path: Path, verb: str, then: str, code: int) -> None:
    found, before = engine(tmp_path, interruptions=1, code=code), signal.getsignal(signal.SIGINT)
    with pytest.raises(EngineInterruptedError, match=f"`{verb}` was interrupted.*\nthen: python -m stacks {then} prod"):
        found.operate(verb)
    assert signal.getsignal(signal.SIGINT) == before


def test_an_engine_that_alone_was_interrupted_is_believed(tmp_path: Path) -> None:
    with pytest.raises(EngineInterruptedError):
        engine(tmp_path, said="error: update canceled\n", code=255).operate("up")
    assert cancelled("error: preview was cancelled")
    assert not cancelled(UNANSWERED)


def test_an_engine_that_failed_was_not_interrupted(tmp_path: Path) -> None:
    with pytest.raises(EngineError) as told:
        engine(tmp_path, events=MAKING, code=255).operate("up")
    assert not isinstance(told.value, EngineInterruptedError)


def test_a_message_ends_with_one_command() -> None:
    for told in (interrupted("up", "prod"), interrupted("up", "prod", ["Service x"]), interrupted("up", "prod", at_once=True)):
        assert [line for line in told.splitlines() if "python -m stacks" in line] == told.splitlines()[-1:]


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
