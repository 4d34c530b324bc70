"""The example of every page on a surface runs, and makes the spans that the page says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tracing_lib.instrument import grpc_cases

ROOT = Path(__file__).parents[3]
PAGES = ROOT / "docs" / "library"

_BEFORE = """
import asyncio
from opentelemetry import trace as _trace
from opentelemetry.sdk.trace import TracerProvider as _Provider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor as _Processor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter as _Exporter

_spans = _Exporter()
_provider = _Provider(shutdown_on_exit=False)
_provider.add_span_processor(_Processor(_spans))
_trace.set_tracer_provider(_provider)
"""
_AFTER = """
print("\\n".join(span.name for span in _spans.get_finished_spans()))
"""
_SERVE = """
from tests.tracing_lib.instrument.served import served
with served(app) as _address:
    assert "state" in asyncio.run(follow(_address))
    import time
    _until = time.monotonic() + 120
    while len(_spans.get_finished_spans()) < 6 and time.monotonic() < _until:
        time.sleep(0.01)
"""
_CARRIED = """
_spans.clear()
def work(order):
    with _trace.get_tracer("test").start_as_current_span(f"work {order}"):
        return order
with _trace.get_tracer("test").start_as_current_span("caller") as _caller:
    with ContextThreadPoolExecutor(1) as _pool:
        _pool.submit(work, "a").result()
    asyncio.run(main())
_all = _spans.get_finished_spans()
assert all(span.parent.span_id == _caller.context.span_id for span in _all[:-1]), _all
"""
SPANS = {
    "functions": ("", ["__main__.best", "market.match"]),
    "keepers": ("", ["ante.Handle", "market.keeper.CreateOrder", "veid.keeper.CheckLevel"]),
    "grpc": ("", ["virtengine.market.v1.Msg/CreateOrder"] * 2),
    "http": ("asyncio.run(main())", ["GET /orders/{order_id}"] * 2),
    "websocket": (
        _SERVE,
        [f"{operation} /orders/{{order_id}}/events" for operation in ("GET", "GET", "process", "process", "send", "send")],
    ),
    "context": (_CARRIED, ["caller", "work a", "work o-1"]),
}


@pytest.mark.parametrize("page", SPANS)
def test_the_example_of_the_page_makes_the_spans_that_it_says(page: str) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```$", (PAGES / f"{page}.md").read_text(), re.DOTALL | re.MULTILINE)
    assert blocks
    then, expected = SPANS[page]
    program = "\n".join([_BEFORE, *blocks, then, _AFTER])
    command = [sys.executable, "-W", "error::DeprecationWarning:__main__", "-c", program]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (answer.returncode, answer.stderr) == (0, "")
    assert sorted(answer.stdout.split("\n")[:-1]) == expected


def test_the_page_on_grpc_holds_the_table_that_the_benchmark_writes() -> None:
    page = (PAGES / "grpc.md").read_text()
    rows = re.findall(r"^\| (.+) \| (client|server) \| (\d+) of (\d+)\b", page, re.MULTILINE)
    assert [(outcome, side) for outcome, side, _, _ in rows] == [
        (outcome.replace("_", " "), side) for outcome in grpc_cases.OUTCOMES for side in ("client", "server")
    ]
    assert {(right, cases) for _, _, right, cases in rows} == {("8", "8")}
