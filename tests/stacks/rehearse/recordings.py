"""A recording of three services: ordinary, failed, slow and noisy traces, and some that fail long after their first span has ended."""

from __future__ import annotations

import base64
import json
import random
import time
from typing import TYPE_CHECKING, Any

from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from stacks.rehearse.recording import Recorded, Trace, grouped

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans

KINDS = ("ordinary", "failed", "slow", "noise", "late")
LATE_SECONDS = 5.0
MILLISECOND = 1_000_000


def text(key: str, value: str) -> KeyValue:
    return KeyValue(key=key, value=AnyValue(string_value=value))


def recorded(service: str, span: Span) -> Recorded:
    return Recorded(Resource(attributes=[text("service.name", service)]), InstrumentationScope(name="test"), span)


def trace(chance: random.Random, kind: str, *, at: float, spans: int = 4) -> Trace:
    """A trace of a kind whose first span ends at ``at``, in seconds since 1970."""
    trace_id, end = chance.randbytes(16), round(at * 1e9)
    made = []
    for index in range(spans):
        last = index == spans - 1
        # Spans end one after the other; the last one is the root.
        until = end + index * MILLISECOND + (round(LATE_SECONDS * 1e9) if kind == "late" and last else 0)
        lasts = (3000 if kind == "slow" and last else 10) * MILLISECOND
        span = Span(
            trace_id=trace_id,
            span_id=bytes([*trace_id[:7], index + 1]),
            parent_span_id=b"" if last else bytes([*trace_id[:7], spans]),
            name={"noise": "GET /healthz", "slow": "GET /report"}.get(kind, "POST /orders") if last else f"step {index}",
            kind=Span.SPAN_KIND_SERVER if last else Span.SPAN_KIND_INTERNAL,
            start_time_unix_nano=until - lasts,
            end_time_unix_nano=until,
            attributes=[text("http.route", "/healthz" if kind == "noise" else "/orders")],
            status=Status(code=Status.STATUS_CODE_ERROR if kind in {"failed", "late"} and last else Status.STATUS_CODE_UNSET),
        )
        made.append(recorded("portal" if last else f"service-{index % 2}", span))
    return Trace(trace_id, tuple(made))


def recording(count: int, *, seed: int = 1, begin: float | None = None, per_second: float = 100.0) -> dict[str, list[Trace]]:
    """``count`` traces by kind, half of them ordinary, so many a second."""
    chance, since = random.Random(seed), time.time() - 60 if begin is None else begin  # noqa: S311 - to be repeated
    found: dict[str, list[Trace]] = {kind: [] for kind in KINDS}
    for number in range(count):
        kind = "ordinary" if number % 2 else KINDS[number // 2 % len(KINDS)]
        found[kind].append(trace(chance, kind, at=since + number / per_second))
    return found


def all_of(found: dict[str, list[Trace]]) -> list[Trace]:
    return sorted((one for those in found.values() for one in those), key=lambda one: one.id)


def write_lines(path: Path, traces: Iterable[Trace]) -> None:
    """Write traces as OTLP JSON, one trace a line."""
    lines = [json.dumps({"resourceSpans": [_otlp(group) for group in grouped(trace.spans)]}) for trace in traces]
    path.write_text("".join(f"{line}\n" for line in lines))


def _otlp(group: ResourceSpans) -> dict[str, Any]:
    """Spans as OTLP JSON has them: ids in hexadecimal, enumerations as numbers."""
    written: dict[str, Any] = MessageToDict(group, use_integers_for_enums=True)
    for span in (span for scope in written["scopeSpans"] for span in scope["spans"]):
        for owner in (span, *span.get("links", ())):
            owner |= {key: base64.b64decode(owner[key]).hex() for key in ("traceId", "spanId", "parentSpanId") if key in owner}
    return written
