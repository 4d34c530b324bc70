"""Traces of a file in a real Jaeger, and out of it again: the same traces, also when a run is broken off."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from stacks.cli.cli import main, parsers
from stacks.cli.rehearsing import recorded
from stacks.copies.archive import lines_of
from stacks.copies.export import Wanted, export
from stacks.copies.importing import import_traces
from stacks.rehearse.recording import read_file
from tests.servers.conftest import named

if TYPE_CHECKING:
    from pathlib import Path

    from stacks.copies.archive import Progress
    from tests.servers.conftest import Deploy

TRACES = 2_500
"""More than one request holds, and more than one search answers."""


def pairs(**values: object) -> list[dict[str, Any]]:
    kinds = {str: "stringValue", bool: "boolValue", int: "intValue", float: "doubleValue"}
    return [{"key": key, "value": {kinds[type(value)]: str(value) if type(value) is int else value}} for key, value in values.items()]


def trace(number: int, began: int) -> dict[str, Any]:
    """A trace of two services, with an event, a failure, and a link to the trace before it."""
    trace_id, start = f"{number + 1:032x}", began + number * 400_000_000
    root = {"traceId": trace_id, "spanId": f"{number + 1:015x}1", "name": "POST /orders", "kind": 2, "startTimeUnixNano": str(start)}
    child = {"traceId": trace_id, "spanId": f"{number + 1:015x}2", "parentSpanId": root["spanId"], "name": "CreateOrder", "kind": 2}
    event = {"name": "retry", "timeUnixNano": str(start + 5), "attributes": pairs(attempt=2)}
    links = [{"traceId": f"{number:032x}", "spanId": f"{number:015x}1"}] if number else []
    root |= {"endTimeUnixNano": str(start + 9_000_000), "attributes": pairs(number=number, share=0.5, new=True), "links": links}
    child |= {"startTimeUnixNano": str(start + 1_000_000), "endTimeUnixNano": str(start + 2_000_000), "events": [event]}
    child |= {"status": {"code": 2, "message": "no funds"}, "attributes": pairs(note="ä → 注文")}
    return {
        "resourceSpans": [
            {"resource": {"attributes": pairs(**{"service.name": name})}, "scopeSpans": [{"scope": {"name": "test"}, "spans": [span]}]}
            for name, span in (("portal", root), ("chain", child))
        ]
    }


def spans_of(path: Path) -> dict[tuple[str, str], Any]:
    """Every span of a file with its service and scope, in one form."""
    found = {}
    for line in lines_of(path):
        for group in json.loads(line)["resourceSpans"]:
            resource = {pair["key"]: pair["value"] for pair in group["resource"]["attributes"]}
            for scope in group["scopeSpans"]:
                for span in scope["spans"]:
                    attributes = {pair["key"]: pair["value"] for pair in span.pop("attributes", ())}
                    for link in span.get("links", ()):
                        assert link.pop("attributes", []) == [], "none were sent"
                    whole = {key: value for key, value in span.items() if value not in ("", [], {}, 0) and key != "flags"}
                    found[span["traceId"], span["spanId"]] = (resource["service.name"], scope["scope"]["name"], attributes, whole)
    return found


class BrokenOffError(Exception):
    """Stands for a kill."""


def break_off(after: int) -> Any:  # noqa: ANN401  a callback of either copy
    calls = iter(range(after))

    def say(_: Progress) -> None:
        if next(calls, None) is None:
            raise BrokenOffError

    return say


def test_traces_leave_a_store_as_they_came_though_runs_break_off(deployed: Deploy, tmp_path: Path) -> None:
    began = time.time_ns() - 30 * 60 * 10**9
    file, copy = tmp_path / "traces.jsonl", tmp_path / "copy.jsonl.gz"
    file.write_text("".join(json.dumps(trace(number, began)) + "\n" for number in range(TRACES)))
    with deployed(named("dev")) as running:
        receiver = f"127.0.0.1:{running.plan.workload('jaeger').port('otlp-grpc').number}"
        with pytest.raises(BrokenOffError):
            import_traces(file, receiver, break_off(1))
        assert import_traces(file, receiver, lambda _: None).traces == TRACES
        wanted = Wanted(began / 1e9, time.time())
        with pytest.raises(BrokenOffError):
            export(running.outputs, wanted, copy, break_off(3))
        with copy.with_name("copy.jsonl.gz.part").open("ab") as part:
            part.write(b"half a piece")
        assert export(running.outputs, wanted, copy, lambda _: None).traces == TRACES
        assert spans_of(copy) == spans_of(file)
        assert len(read_file(copy)) == TRACES, "a rehearsal reads the file as it is"
        of_chain = ["export", "dev", str(tmp_path / "chain.gz"), "--since", "2020-01-01T00:00:00Z", "--until", "2020-01-01T00:01:00Z"]
        assert main([*of_chain, "--service", "chain", "--state", str(tmp_path)]) == 0
        assert list(lines_of(tmp_path / "chain.gz")) == []
        assert main(["import", "dev", str(copy), "--state", str(tmp_path)]) == 0
        from_store = ["rehearse", "dev", "dev", "--from", "dev", "--save", str(tmp_path / "kept.gz"), "--state", str(tmp_path)]
        assert {one.id for one in recorded(parsers()[0].parse_args(from_store))} == {one.id for one in read_file(copy)}
    assert len(read_file(tmp_path / "kept.gz")) == TRACES
    assert sorted(path.name for path in tmp_path.glob("*.jsonl*")) == ["copy.jsonl.gz", "traces.jsonl"], "a whole copy leaves no notes"
