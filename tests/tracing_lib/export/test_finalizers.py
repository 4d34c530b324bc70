"""Spans that begin and end in finalizers, which garbage collection runs in the middle of other code: no crash, and no thread that hangs."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

SECONDS = float(os.environ.get("FINALIZER_SECONDS", "3"))
"""Seconds of the test, by hand 60."""

PROGRAM = """
import faulthandler, gc, sys, time
from contextvars import ContextVar
faulthandler.enable()
seconds = float(sys.argv[1])
faulthandler.dump_traceback_later(seconds + 60, exit=True)
from opentelemetry.context import attach, get_current
from tracing_lib import TracingSettings, configure, traced
tracing = configure(TracingSettings(service_name="a", endpoint="http://127.0.0.1:9", shutdown_seconds=0.1))
tracer = tracing.tracer("t")
for number in range(40):  # so many that the interpreter's map of them has several levels
    ContextVar(str(number)).set(number)
# The stock SDK's spans alone crash CPython 3.11 here: garbage collection in the middle of a ContextVar.set runs a finalizer that sets
# one as well, which frees the map that is being copied. The fast way guards its sets; without it, no finalizer makes its span current.
guarded = type(tracer).__module__.startswith("tracing_lib.fast")
# One that only reads a variable in the middle of a reset that removes it has the interpreter keep a pointer to what is freed then.
if not guarded:
    attach(get_current())
class Circle:
    def __init__(self):
        self.me = self
    def __del__(self):
        if guarded:
            with tracer.start_as_current_span("finalizer"):
                pass
        else:
            tracer.start_span("finalizer").end()
@traced
def inner():
    Circle()
@traced
def outer():
    inner()
gc.set_threshold(int(sys.argv[2]))
end = time.monotonic() + seconds
while time.monotonic() < end:
    outer()
    with tracer.start_as_current_span("block"):
        Circle()
print("alive", len(get_current()))
gc.set_threshold(700)
"""


@pytest.mark.parametrize("threshold", [10, 50, 700])
def test_spans_begun_by_finalizers_neither_crash_nor_hang_the_process(threshold: int) -> None:
    command = [sys.executable, "-c", PROGRAM, str(SECONDS), str(threshold)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS + 120, check=False)
    assert (ended.returncode, ended.stdout) == (0, "alive 0\n"), ended.stderr


IN_MEMORY = """
import faulthandler, gc, sys
faulthandler.dump_traceback_later(120, exit=True)
from tracing_lib import TracingSettings, configure, declare, Attribute
if sys.argv[1] == "RecordedTraces":
    from tracing_lib.testing import RecordedTraces
    traces = RecordedTraces()
    tracer = traces.provider.get_tracer("t")
else:
    tracer = configure(TracingSettings(service_name="a"), console=True).tracer("t")
class Circle:
    def __init__(self):
        self.me = self
    def __del__(self):
        with tracer.start_as_current_span("finalizer"):
            pass
gc.set_threshold(3)
for number in range(1000):
    Circle()
    with tracer.start_as_current_span("block", attributes={"url.template": f"/orders/{number}"}):
        Circle()
    if number % 50 == 0:
        declare(Attribute(f"tests.key{number}", "Of a test."))
gc.set_threshold(700)
gc.collect()
assert sys.argv[1] == "console" or len(traces.spans) >= 2900
"""


@pytest.mark.parametrize("way", ["RecordedTraces", "console"])
def test_spans_of_finalizers_wait_for_no_lock_that_their_own_thread_holds(way: str) -> None:
    command = [sys.executable, "-c", IN_MEMORY, way]
    ended = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, timeout=300, check=False)
    assert ended.returncode == 0, ended.stderr[-4000:]
