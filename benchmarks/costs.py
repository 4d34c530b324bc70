"""Small costs, each in a process of its own: ``python -m benchmarks.costs WHAT`` prints JSON."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
import tracemalloc
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_SDK = "import opentelemetry.sdk.trace, opentelemetry.sdk.trace.export"
IMPORTS = {
    "sdk": _SDK,
    "package": f"{_SDK}; import tracing_lib",
    "pydantic": f"{_SDK}; import pydantic; from pydantic import BaseModel, Field",
    "usable": f"{_SDK}; from tracing_lib import TracingSettings, configure",
    "configured": f"{_SDK}; from tracing_lib import TracingSettings, configure; configure(TracingSettings(service_name='a'))",
    "stock exporter": f"{_SDK}; import opentelemetry.exporter.otlp.proto.http.trace_exporter",
}


def best(call: Callable[[], object], calls: int = 20_000, repeats: int = 15) -> float:
    """CPU of one call in µs: the least of several, for whatever disturbs only adds."""
    found = []
    for _ in range(repeats):
        started = time.thread_time()
        for _ in range(calls):
            call()
        found.append((time.thread_time() - started) / calls * 1e6)
    return min(found)


def _tracers() -> tuple[Any, Any]:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

    from tracing_lib import TracingSettings, configure

    ours = configure(TracingSettings(service_name="a", shutdown_seconds=0.1, queue_bytes=2**29), set_global=False)
    stock = TracerProvider(sampler=ParentBased(TraceIdRatioBased(1.0)), shutdown_on_exit=False)
    return ours.tracer("bench"), stock.get_tracer("bench")


def unsampled() -> dict[str, float]:
    """A child in a trace that is not sampled, by ``with``, as code is written."""
    from opentelemetry import context, trace
    from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

    context.attach(trace.set_span_in_context(NonRecordingSpan(SpanContext(1, 2, is_remote=False, trace_flags=TraceFlags(0)))))
    found = {}
    for name, tracer in zip(("ours", "stock"), _tracers(), strict=True):

        def child(tracer: Any = tracer) -> None:  # noqa: ANN401
            with tracer.start_as_current_span("child"):
                pass

        def started(tracer: Any = tracer) -> None:  # noqa: ANN401
            tracer.start_span("child").end()

        found[name] = best(child)
        found[f"{name} start_span"] = best(started)
    return found


def decorator() -> dict[str, float]:
    """A function under ``tracing_lib.traced`` while tracing is disabled, less the function itself."""
    try:
        traced = import_module("tracing_lib").traced
    except AttributeError:
        return {}
    from tracing_lib import TracingSettings, configure

    configure(TracingSettings(service_name="a", enabled=False))

    def function() -> None:
        pass

    decorated = traced(function)
    return {"ours": best(decorated) - best(function)}


def imports() -> dict[str, float]:
    """Milliseconds to import, interleaved, each in a new interpreter: what is on top of an interpreter that does nothing.

    Bytecode is written and read, as in a service. Plugins of pydantic are off, because logfire, a peer that is installed here, has one.
    """
    environ = {**os.environ, "PYDANTIC_DISABLE_PLUGINS": "true"}
    environ.pop("PYTHONDONTWRITEBYTECODE", None)
    found: dict[str, list[float]] = {name: [] for name in IMPORTS}
    for _ in range(7):
        for name, program in IMPORTS.items():
            measured = (
                f"import time; t = time.process_time(); {program}; print(time.process_time() - t, flush=True); import os; os._exit(0)"
            )
            answer = subprocess.run([sys.executable, "-c", measured], capture_output=True, text=True, check=True, env=environ)
            found[name].append(float(answer.stdout) * 1000)
    return {name: min(values) for name, values in found.items()}


def queued() -> dict[str, float]:
    """Bytes of memory that a queued span takes, five attributes, measured on 20,000 of them."""
    from benchmarks.exporting import _traces_of
    from tracing_lib import TracingSettings, configure

    settings = TracingSettings(service_name="a", queue_bytes=2**29, batch_size=10**6, export_interval_seconds=60, shutdown_seconds=0.1)
    tracing = configure(settings, set_global=False)
    trace = _traces_of(tracing.tracer("bench"))
    for _ in range(1000):
        trace()
    tracemalloc.start()
    before = tracing.accounts().queued
    for _ in range(2000):
        trace()
    grown = tracemalloc.get_traced_memory()[0]
    number = tracing.accounts().queued - before
    tracemalloc.stop()
    return {"bytes": grown / number, "accounted": tracing.accounts().queued_bytes / tracing.accounts().queued}


MEASURED = {"unsampled": unsampled, "decorator": decorator, "imports": imports, "queued": queued}


def main() -> None:
    """Measure one thing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=MEASURED)
    result = MEASURED[parser.parse_args().what]()
    print(json.dumps(result), flush=True)
    os._exit(0)  # what is queued here has no collector


if __name__ == "__main__":
    main()
