"""A Python service and one in Go, configured by nothing but the outputs of a stack, whose spans join one trace."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from stacks.environment.source import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

QUOTES = ROOT / "examples" / "consumer" / "quotes"

CALLER = """
import sys, urllib.request
from opentelemetry import propagate, trace
from tracing_lib import TracingSettings, configure

with configure(TracingSettings.from_outputs(sys.argv[1], service_name="portal")):
    with trace.get_tracer("portal").start_as_current_span("GET /order", kind=trace.SpanKind.CLIENT) as span:
        headers = {}
        propagate.inject(headers)
        with urllib.request.urlopen(urllib.request.Request(sys.argv[2], headers=headers)) as answer:
            assert b"price_cents" in answer.read()
        print(format(span.get_span_context().trace_id, "032x"))
"""


def clean() -> dict[str, str]:
    """The environment without any variable that would configure a service by another way than the test's."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "VIRTENGINE_"))}


def build_quotes(folder: Path) -> Path:
    """The Go service. Where it cannot be built that is a failure in CI, and elsewhere a skip that says why."""
    program = folder / "quotes"
    if program.exists():
        return program
    if (go := shutil.which("go")) is None:
        return _missing("go is not on PATH, so the service in another language cannot be built")
    built = subprocess.run(
        [go, "build", "-trimpath", "-mod=readonly", "-o", program, "."],
        cwd=QUOTES,
        env={**os.environ, "CGO_ENABLED": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    return program if built.returncode == 0 else _missing(f"go build in {QUOTES} failed: {built.stderr[-400:]}")


def _missing(why: str) -> Path:
    if os.environ.get("CI") == "true":
        pytest.fail(why)
    pytest.skip(why)


@contextmanager
def quotes(program: Path, variables: Mapping[str, str]) -> Iterator[str]:
    """The URL of the Go service, which is configured by ``variables`` and by nothing else."""
    environment = clean() | dict(variables) | {"OTEL_SERVICE_NAME": "quotes"}
    with subprocess.Popen([program], env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield f"http://{process.stdout.readline().strip()}/quote"
        finally:
            process.terminate()
            process.wait()


def trace_of_both(outputs: Mapping[str, Any], folder: Path, program: Path) -> str:
    """Let the Python service call the Go service, and return the id of the trace. ``outputs`` are those that Pulumi prints."""
    file = folder / "outputs.json"
    file.write_text(json.dumps(outputs))
    with quotes(program, outputs["otel"]) as url:
        called = subprocess.run(
            [sys.executable, "-c", CALLER, str(file), url], cwd=ROOT, env=clean(), capture_output=True, text=True, check=False
        )
    assert called.returncode == 0, called.stderr
    return called.stdout.strip()
