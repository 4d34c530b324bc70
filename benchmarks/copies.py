"""Traces out of one store, into another and out again: ``python -m benchmarks.copies``.

Fills a Jaeger with traces of VirtEngine's orders, exports them, imports the file into another Jaeger, exports that one, and compares.
Prints JSON: whether the sets are equal, rates, seconds of processors, the ratio of the file to its spans, and the memory of each command
when a tenth was done and at most.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.orders import orders
from benchmarks.sizing.collectors import environment
from benchmarks.sizing.spans import Way, send
from stacks.copies.archive import lines_of
from stacks.environment.source import ROOT
from stacks.placement.local import deploy
from stacks.trial.memory import resident

if TYPE_CHECKING:
    from collections.abc import Iterator

TRACES, ORDERS_PER_SECOND = 100_000, 10.0
POLL_SECONDS = 0.5
BEFORE_SECONDS = 600.0


def main() -> int:
    """Copy and compare. Returns 1 where a trace is missing, changed or new."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.copies", description=__doc__)
    parser.add_argument("--traces", type=int, default=TRACES, help=f"default: {TRACES:,}")
    count = parser.parse_args().traces
    with tempfile.TemporaryDirectory(prefix="copies-") as place:
        folder = Path(place)
        first, second = folder / "first.jsonl.gz", folder / "second.jsonl.gz"
        # Orders that began long enough ago that all of them have ended.
        began = time.time() - BEFORE_SECONDS - count / 13 / ORDERS_PER_SECOND
        with deploy(environment(), say=lambda _: None, state=folder / "a") as running:
            every = islice(orders(count, begin=began, per_second=ORDERS_PER_SECOND), count)
            sent: dict[str, int] = {}
            spans = (one for trace in _noted(every, sent) for one in trace.spans)
            target = f"127.0.0.1:{running.plan.workload('jaeger').port('otlp-grpc').number}"
            bytes_ = send(target, spans, Way(), _say).span_bytes
            hours = str((time.time() - began) / 3600 + 1)
            exported = _timed("export", running.outputs_file.parent.name, str(first), "--hours", hours, "--state", str(folder / "a"))
        with deploy(environment(), say=lambda _: None, state=folder / "b") as running:
            imported = _timed("import", running.outputs_file.parent.name, str(first), "--state", str(folder / "b"))
            again = _timed("export", running.outputs_file.parent.name, str(second), "--hours", hours, "--state", str(folder / "b"))
        one, other = _digests(first), _digests(second)
        whole = sum(sent.values())
        found = {
            "load average": os.getloadavg()[2],
            "traces": len(sent),
            "spans": whole,
            "equal": one == other and {trace_id: spans for trace_id, (spans, _) in one.items()} == sent,
            "file bytes": first.stat().st_size,
            "file bytes for each byte of OTLP": first.stat().st_size / bytes_,
            "export": exported | {"traces/s": len(sent) / exported["seconds"]},
            "import": imported | {"traces/s": len(sent) / imported["seconds"]},
            "export of the copy": again | {"traces/s": len(sent) / again["seconds"]},
        }
    sys.stdout.write(json.dumps(found, indent=2) + "\n")
    return 0 if found["equal"] else 1


def _noted(traces: Iterator[Any], sent: dict[str, int]) -> Iterator[Any]:
    """The traces, each noted with its number of spans."""
    for trace in traces:
        sent[trace.id.hex()] = len(trace.spans)
        yield trace


def _timed(verb: str, name: str, file: str, *options: str) -> dict[str, float]:
    """Run a verb on an environment that runs here; return its seconds and memory."""
    # The environment has no stack file; its name alone finds what runs in the folder of the state.
    command = [sys.executable, "-m", "stacks", verb, name, file, *options]
    began, seen, before = time.monotonic(), [], resource.getrusage(resource.RUSAGE_CHILDREN)
    with subprocess.Popen(command, cwd=ROOT, stdout=sys.stderr, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None:
            seen.append(resident(process.pid))
            time.sleep(POLL_SECONDS)
    if process.returncode:
        raise SystemExit(f"{verb} ended with {process.returncode}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "seconds": time.monotonic() - began,
        "seconds of processors": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        "MiB after a tenth": max(seen[: len(seen) // 10 + 1]) / 2**20,
        "MiB at most": max(seen) / 2**20,
    }


def _digests(file: Path) -> dict[str, tuple[int, str]]:
    """The number of spans of each trace in a file, and a digest of them whatever their order."""
    found = {}
    for line in lines_of(file):
        spans = []
        for group in json.loads(line)["resourceSpans"]:
            for scope in group["scopeSpans"]:
                for span in scope["spans"]:
                    attributes = sorted(json.dumps(pair, sort_keys=True) for pair in span.pop("attributes", ()))
                    resource = sorted(json.dumps(pair, sort_keys=True) for pair in group["resource"]["attributes"])
                    spans.append((span["traceId"], json.dumps([span, attributes, resource, scope.get("scope")], sort_keys=True)))
        texts = "\n".join(sorted(text for _, text in spans))
        found[spans[0][0]] = (len(spans), hashlib.sha256(texts.encode()).hexdigest())
    return found


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main())
