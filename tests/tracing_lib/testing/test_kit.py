"""The test kit: isolated, the same in every run, and readable when it fails."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import tomllib
from importlib import import_module
from pathlib import Path

import pytest
from opentelemetry import trace
from opentelemetry.trace import Link, SpanKind, Status, StatusCode

from tracing_lib.testing.kit import START, TICK, RecordedTraces, as_global

ROOT = Path(__file__).parents[3]
_TRACER = trace.get_tracer("taken.at.import")


def _story() -> None:
    with _TRACER.start_as_current_span("place order") as order:
        with _TRACER.start_as_current_span("Keeper.Reserve", kind=SpanKind.CLIENT, attributes={"virtengine.order.id": "order-7"}):
            pass
        failed = _TRACER.start_span("deposit")
        failed.set_status(Status(StatusCode.ERROR, "EscrowError"))
        failed.end()
    _TRACER.start_span("process order", links=[Link(order.get_span_context())]).end()


STORY = """
    place order
      Keeper.Reserve (client) virtengine.order.id=order-7
      deposit ! EscrowError
    process order ~> place order
"""


@pytest.mark.parametrize("run", [1, 2])
def test_ids_and_times_are_the_same_in_every_run_of_a_test(traces: RecordedTraces, run: int) -> None:
    assert run
    _story()
    traces.assert_tree(STORY, attributes=["virtengine.order.id"])
    contexts = [span.context for span in traces.spans]
    assert [(context.trace_id, context.span_id) for context in contexts if context] == [(1, 1), (1, 2), (1, 3), (2, 4)]
    times = [(span.start_time, span.end_time) for span in traces.spans]
    assert times == [(START + a * TICK, START + b * TICK) for a, b in ((0, 5), (1, 2), (3, 4), (6, 7))]


def test_another_tree_is_told_as_a_difference(traces: RecordedTraces) -> None:
    _story()
    with pytest.raises(AssertionError) as told:
        traces.assert_tree("place order\n  deposit")
    assert "+  Keeper.Reserve (client)" in str(told.value)
    assert "+process order ~> place order" in str(told.value)


def test_a_span_that_was_forgotten_is_named(traces: RecordedTraces) -> None:
    span = _TRACER.start_span("bid")
    with pytest.raises(AssertionError, match="did not end: bid"):
        traces.assert_tree("")
    span.end()
    traces.assert_tree("bid")


def test_a_test_sees_what_leaves_the_process_unless_it_asks_for_all() -> None:
    for private, left in ((True, None), (False, "Jane Doe")):
        traces = RecordedTraces(private=private)
        traces.provider.get_tracer("t").start_span("bid", attributes={"customer": "Jane Doe"}).end()
        assert (traces.span("bid").attributes or {}).get("customer") == left


def test_providers_beside_each_other_share_nothing() -> None:
    many = [RecordedTraces() for _ in range(8)]

    def work(traces: RecordedTraces) -> None:
        for _ in range(50):
            with traces.provider.get_tracer("t").start_as_current_span("outer"):
                traces.provider.get_tracer("t").start_span("inner").end()

    threads = [threading.Thread(target=work, args=(traces,)) for traces in many]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for traces in many:
        traces.assert_tree("\n".join(["outer\n  inner"] * 50))


def test_the_global_provider_leads_to_the_innermost_and_then_nowhere() -> None:
    outer, inner = RecordedTraces(), RecordedTraces()
    with as_global(outer):
        _TRACER.start_span("one").end()
        with as_global(inner):
            _TRACER.start_span("two").end()
        _TRACER.start_span("three").end()
    _TRACER.start_span("four").end()
    assert (outer.tree(), inner.tree()) == ("one\nthree", "two")


def test_a_missing_span_is_told_with_those_that_are_there(traces: RecordedTraces) -> None:
    _story()
    with pytest.raises(AssertionError, match=r"0 spans are named 'bid'(.|\n)*place order"):
        traces.span("bid")
    traces.clear()
    assert traces.tree() == ""


def test_a_service_uses_it_in_its_own_tests_in_parallel(tmp_path: Path) -> None:
    # What the entry point does where the package is installed.
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["tracing_lib.testing.pytest_plugin"]\n')
    (tmp_path / "test_service.py").write_text(
        """
import pytest
from opentelemetry import trace

@pytest.mark.parametrize("number", range(6))
def test_order(traces, number):
    with trace.get_tracer("service").start_as_current_span("place order"):
        pass
    traces.assert_tree("place order")
    assert traces.spans[0].context.trace_id == 1
"""
    )
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:asyncio",
        "-p",
        "no:virtengine-tracing",
        "-n",
        "2",
        "-W",
        "error",
        str(tmp_path),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert done.returncode == 0, done.stdout + done.stderr
    assert "6 passed" in done.stdout


def test_the_entry_point_names_the_plugin() -> None:
    points = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["pytest11"]
    assert points == {"virtengine-tracing": "tracing_lib.testing.pytest_plugin"}
    assert hasattr(import_module(points["virtengine-tracing"]), "traces")
