"""Making a stack usable again whose ``up`` was killed or interrupted."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from stacks.deploy import leftovers
from stacks.deploy.engine import EngineError
from stacks.deploy.up import QUIET, say
from stacks.deploy.workspace import open_engine

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from typing import Any

    from stacks.deploy.engine import Engine, Event
    from stacks.deploy.leftovers import Settled
    from stacks.environment.source import Named


def recover(environment: Named, *, state: Path | None = None) -> None:
    """Give up the lock of a killed ``up``, settle what it had begun, and let the engine read what is there.

    To be called only when no ``up`` is running on it. Raises ``EngineError``, and what the target's errors say.
    """
    engine = open_engine(environment, say=say, state=state)
    # Without a lock there is nothing to give up, which is no error here.
    with suppress(EngineError):
        engine.ask("cancel", engine.name, "--yes")
    before = engine.state()
    if before.get("resources") or before.get("pending_operations"):
        _settle(environment, engine, leftovers.begun(before), noted=True)
        engine.operate("refresh", "--yes", "--skip-preview", *QUIET)
        while _settle_unnoted(environment, engine):
            engine.operate("refresh", "--yes", "--skip-preview", *QUIET)
    say(f"{environment.name} can be deployed again\nthen: python -m stacks up {environment.name}")


def _settle(environment: Named, engine: Engine, records: Sequence[Mapping[str, Any]], *, noted: bool) -> bool:
    """Settle each record, say what became of it, and let the state know. Whether anything was taken over or removed."""
    target, namespace, before = leftovers.target_of(environment.environment), environment.environment.namespace, engine.state()
    if not noted:
        records = leftovers.unknown(before, records)
    settled = [
        leftovers.settle(target, record, noted=noted, may_be_ours=noted or leftovers.may_be_ours(record, before, namespace))
        for record in records
    ]
    after = leftovers.with_taken_over(before, settled)
    if after != before:
        engine.keep_state(after)
    for one in settled:
        if noted or one.fate != "never made":
            say(f"{one.fate}: {one.name}")
    _refuse(environment, [one for one in settled if one.fate == "not ours"])
    return after["resources"] != (before.get("resources") or []) or any(one.fate == "removed" for one in settled)


def _refuse(environment: Named, strangers: Sequence[Settled]) -> None:
    if strangers:
        names = ", ".join(one.name for one in strangers)
        raise EngineError(
            f"{environment.name}: {names}: there, not made by this stack as far as can be told, and left alone\n"
            f"then: delete it, or choose another environment.namespace in {environment.source}, and python -m stacks recover "
            f"{environment.name} again"
        )


def _settle_unnoted(environment: Named, engine: Engine) -> bool:
    """Settle what the engine would make now and is there all the same. Whether anything was, and there may be more behind it.

    It plans no further than to what is in its way, so this has to be asked until nothing is.
    """
    say(f"{environment.name}: looking for what is there and the state has no note of")
    failed: EngineError | None = None
    try:
        events: Sequence[Event] = engine.planned()
    except EngineError as error:
        failed, events = error, error.events
    made = [event.record for event in events if event.operation in leftovers.MAKING]
    moved = _settle(environment, engine, made, noted=False)
    if failed is not None and not moved:
        raise failed
    return moved
