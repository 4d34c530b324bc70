"""Recorded traces, read from files of OTLP JSON."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from google.protobuf.json_format import ParseDict, ParseError
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status, TracesData

from stacks.copies.archive import open_text
from stacks.show.stored import identifier

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
    from opentelemetry.proto.resource.v1.resource_pb2 import Resource

_TRACE_BYTES, _SPAN_BYTES = 16, 8


class RecordingError(Exception):
    """Traces that cannot be read. The text names the place, what is wrong, and the next command."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """A recorded span with the resource and the scope that it came with."""

    resource: Resource
    scope: InstrumentationScope
    span: Span

    @property
    def service(self) -> str:
        """``service.name`` of its resource."""
        return next((pair.value.string_value for pair in self.resource.attributes if pair.key == "service.name"), "unknown_service")


@dataclass(frozen=True)
class Trace:
    """The recorded spans of one trace id, in the order of their ends, in which services send them."""

    id: bytes
    spans: tuple[Recorded, ...]

    @cached_property
    def root(self) -> Recorded:
        """The span that has no parent here; the earliest where there are several."""
        known = {one.span.span_id for one in self.spans}
        roots = [one for one in self.spans if one.span.parent_span_id not in known]
        return min(roots or self.spans, key=lambda one: one.span.start_time_unix_nano)

    @cached_property
    def failed(self) -> bool:
        """Whether any span has failed."""
        return any(one.span.status.code == Status.STATUS_CODE_ERROR for one in self.spans)

    @cached_property
    def seconds(self) -> float:
        """From the first start to the last end."""
        first = min(one.span.start_time_unix_nano for one in self.spans)
        return max(0, max(one.span.end_time_unix_nano for one in self.spans) - first) / 1e9

    @cached_property
    def arrived(self) -> float:
        """End of the span that ended first, at which a gateway begins to wait, in seconds since 1970."""
        return self.spans[0].span.end_time_unix_nano / 1e9

    @cached_property
    def bytes(self) -> int:
        """Bytes of its spans in OTLP, each without its resource."""
        return sum(one.span.ByteSize() for one in self.spans)

    @property
    def name(self) -> str:
        """Service and name of the root."""
        return f"{self.root.service} {self.root.span.name}"

    def before(self, wait_seconds: float) -> tuple[Recorded, ...]:
        """The spans that have ended when a gateway decides, after ``wait_seconds``; those that come later follow its decision."""
        return tuple(one for one in self.spans if one.span.end_time_unix_nano / 1e9 <= self.arrived + wait_seconds)

    def after(self, wait_seconds: float) -> tuple[Recorded, ...]:
        """The spans that end when a gateway has decided already."""
        return tuple(one for one in self.spans if one.span.end_time_unix_nano / 1e9 > self.arrived + wait_seconds)


def read_file(path: Path) -> list[Trace]:
    """The traces in a file of OTLP JSON, compressed or not: one document, or one on each line. Raises ``RecordingError``."""
    try:
        with open_text(path) as file:
            return read_lines(str(path), file)
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise RecordingError(f"{path}: cannot be read: {error}\nthen: name a file of OTLP JSON lines with --traces") from None


def read_lines(source: str, lines: Iterable[str]) -> list[Trace]:
    """The traces in lines of OTLP JSON that come from ``source``. Raises ``RecordingError``."""
    return _traces(group for place, document in _documents(source, iter(lines)) for group in _groups(place, document))


def grouped(spans: Iterable[Recorded]) -> list[ResourceSpans]:
    """Spans as OTLP sends them: those of one resource and scope together."""
    found: dict[tuple[bytes, bytes], ResourceSpans] = {}
    for one in spans:
        key = (one.resource.SerializeToString(deterministic=True), one.scope.SerializeToString(deterministic=True))
        if key not in found:
            found[key] = ResourceSpans(resource=one.resource, scope_spans=[ScopeSpans(scope=one.scope)])
        found[key].scope_spans[0].spans.append(one.span)
    return list(found.values())


def _documents(source: str, lines: Iterator[str]) -> Iterator[tuple[str, object]]:
    """Each JSON document with the words for its place: one on each line, or one over all lines."""
    first = True
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            yield f"{source}, line {number}", json.loads(line)
        except ValueError as error:
            if not first:
                raise RecordingError(f"{source}, line {number}: is no JSON: {error}\nthen: write OTLP JSON, one document a line") from None
            yield source, _whole(source, number, "".join([line, *lines]))
        first = False


def _whole(source: str, number: int, text: str) -> object:
    """The one document in a text that begins on a line with this number."""
    try:
        document: object = json.loads(text)
    except json.JSONDecodeError as error:
        place = f"{source}, line {number + error.lineno - 1}"
        raise RecordingError(f"{place}: is no JSON: {error.msg}\nthen: write OTLP JSON, one document a line") from None
    return document


def _groups(place: str, document: Any) -> Iterator[ResourceSpans]:  # noqa: ANN401 - any JSON
    """Spans by resource, in the forms of exporters, of Jaeger and of Tempo."""
    try:
        bare = document.get("result") or document.get("trace") or document
        yield from ParseDict({"resourceSpans": bare.get("resourceSpans") or bare.get("batches") or []}, TracesData(), True).resource_spans  # noqa: FBT003
    except (AttributeError, ParseError, TypeError) as error:
        raise RecordingError(f"{place}: holds no traces of OTLP: {error}\nthen: write OTLP JSON, with resourceSpans") from None


def _traces(groups: Iterable[ResourceSpans]) -> list[Trace]:
    """The traces, in the order of their ids, each span once."""
    found: dict[bytes, dict[bytes, Recorded]] = defaultdict(dict)
    for group in groups:
        for scope in group.scope_spans:
            for span in scope.spans:
                owners: list[Span | Span.Link] = [span, *span.links]
                for owner in owners:
                    owner.trace_id = bytes.fromhex(identifier(owner.trace_id, _TRACE_BYTES))
                    owner.span_id = bytes.fromhex(identifier(owner.span_id, _SPAN_BYTES))
                if span.parent_span_id:
                    span.parent_span_id = bytes.fromhex(identifier(span.parent_span_id, _SPAN_BYTES))
                found[span.trace_id][span.span_id] = Recorded(group.resource, scope.scope, span)
    return [Trace(trace_id, _in_order(spans.values())) for trace_id, spans in sorted(found.items())]


def _in_order(spans: Iterable[Recorded]) -> tuple[Recorded, ...]:
    return tuple(sorted(spans, key=lambda one: (one.span.end_time_unix_nano, one.span.span_id)))


def spans_of(traces: Sequence[Trace]) -> int:
    """Number of spans of some traces."""
    return sum(len(trace.spans) for trace in traces)
