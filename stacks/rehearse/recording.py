"""Recorded traces, read from files of OTLP JSON."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from google.protobuf.json_format import ParseDict, ParseError
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status, TracesData

from stacks.copies.archive import UNREADABLE, open_text
from stacks.environment.units import shown
from stacks.show.stored import identifier

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
    from opentelemetry.proto.resource.v1.resource_pb2 import Resource

_TRACE_BYTES, _SPAN_BYTES = 16, 8
_TOO_DEEP = "is JSON of more levels than any span has\nthen: write OTLP JSON, one document a line"


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
        named = next((pair.value.string_value for pair in self.resource.attributes if pair.key == "service.name"), "")
        return named or "unknown_service"

    @property
    def ended(self) -> int:
        """End of the span in nanoseconds since 1970; its start where no end is recorded, and 0 where neither is."""
        return self.span.end_time_unix_nano or self.span.start_time_unix_nano


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
        return max(0, max(one.ended for one in self.spans) - first) / 1e9

    @cached_property
    def arrived(self) -> float:
        """End of the span that ended first, at which a gateway begins to wait, in seconds since 1970."""
        return min((one.ended for one in self.spans if one.ended), default=0) / 1e9

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
        return tuple(one for one in self.spans if one.ended / 1e9 <= self.arrived + wait_seconds)

    def after(self, wait_seconds: float) -> tuple[Recorded, ...]:
        """The spans that end when a gateway has decided already."""
        return tuple(one for one in self.spans if one.ended / 1e9 > self.arrived + wait_seconds)


def read_file(path: Path) -> list[Trace]:
    """The traces in a file of OTLP JSON, compressed or not: one document, or one on each line. Raises ``RecordingError``."""
    try:
        with open_text(path) as file:
            return read_lines(str(path), file)
    except UNREADABLE as error:
        raise RecordingError(f"{path}: cannot be read: {error}\nthen: name a file of OTLP JSON lines with --traces") from None


def read_lines(source: str, lines: Iterable[str]) -> list[Trace]:
    """The traces in lines of OTLP JSON that come from ``source``. Raises ``RecordingError``."""
    return _traces((place, group) for place, document in _documents(source, iter(lines)) for group in _groups(place, document))


def grouped(spans: Iterable[Recorded]) -> list[ResourceSpans]:
    """Spans as SDKs send them: those of one resource together, and of these those of one scope."""
    found: dict[bytes, tuple[ResourceSpans, dict[bytes, ScopeSpans]]] = {}
    for one in spans:
        resource, scope = (part.SerializeToString(deterministic=True) for part in (one.resource, one.scope))
        if resource not in found:
            found[resource] = (ResourceSpans(resource=one.resource), {})
        group, scopes = found[resource]
        if scope not in scopes:
            scopes[scope] = group.scope_spans.add(scope=one.scope)
        scopes[scope].spans.append(one.span)
    return [group for group, _ in found.values()]


def _documents(source: str, lines: Iterator[str]) -> Iterator[tuple[str, object]]:
    """Each JSON document with the words for its place: one on each line, or one over all lines."""
    first = True
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            yield f"{source}, line {number}", json.loads(line)
        except RecursionError:
            raise RecordingError(f"{source}, line {number}: {_TOO_DEEP}") from None
        except ValueError as error:
            if not first:
                raise RecordingError(f"{source}, line {number}: is no JSON: {error}\nthen: write OTLP JSON, one document a line") from None
            yield source, _whole(source, number, "".join([line, *lines]))
        first = False


def _whole(source: str, number: int, text: str) -> object:
    """The one document in a text that begins on a line with this number."""
    try:
        document: object = json.loads(text)
    except RecursionError:
        raise RecordingError(f"{source}: {_TOO_DEEP}") from None
    except json.JSONDecodeError as error:
        place = f"{source}, line {number + error.lineno - 1}"
        raise RecordingError(f"{place}: is no JSON: {error.msg}\nthen: write OTLP JSON, one document a line") from None
    return document


def _groups(place: str, document: Any) -> Iterator[ResourceSpans]:  # noqa: ANN401 - any JSON
    """Spans by resource, in the forms of exporters, of Jaeger and of Tempo."""
    if not isinstance(document, dict):
        raise RecordingError(f"{place}: is {shown(document)} and holds no traces of OTLP\nthen: write OTLP JSON, with resourceSpans")
    try:
        bare = document.get("result") or document.get("trace") or document
        yield from ParseDict({"resourceSpans": bare.get("resourceSpans") or bare.get("batches") or []}, TracesData(), True).resource_spans  # noqa: FBT003
    except (AttributeError, ParseError, TypeError) as error:
        raise RecordingError(f"{place}: holds no traces of OTLP: {error}\nthen: write OTLP JSON, with resourceSpans") from None


def _traces(groups: Iterable[tuple[str, ResourceSpans]]) -> list[Trace]:
    """The traces of groups and their places, in the order of their ids, each span once."""
    found: dict[bytes, dict[bytes, Recorded]] = defaultdict(dict)
    for place, group in groups:
        for scope in group.scope_spans:
            for span in scope.spans:
                try:
                    _read_ids(span)
                except ValueError as error:
                    wrong = f"{place}: the span {shown(span.name)} has no ids: {error}"
                    right = "write ids in hexadecimal, 32 digits of a trace and 16 of a span, not all zero"
                    raise RecordingError(f"{wrong}\nthen: {right}") from None
                found[span.trace_id][span.span_id] = Recorded(group.resource, scope.scope, span)
    return [Trace(trace_id, _in_order(spans.values())) for trace_id, spans in sorted(found.items())]


def _read_ids(span: Span) -> None:
    """Write the ids of a span and of its links as bytes. Raises ``ValueError``."""
    owners: list[Span | Span.Link] = [span, *(link for link in span.links if link.trace_id or link.span_id)]
    for owner in owners:
        owner.trace_id = bytes.fromhex(identifier(owner.trace_id, _TRACE_BYTES))
        owner.span_id = bytes.fromhex(identifier(owner.span_id, _SPAN_BYTES))
    if span.parent_span_id:
        span.parent_span_id = bytes.fromhex(identifier(span.parent_span_id, _SPAN_BYTES))
    if not any(span.trace_id) or not any(span.span_id):
        raise ValueError("one is all zero")


def _in_order(spans: Iterable[Recorded]) -> tuple[Recorded, ...]:
    return tuple(sorted(spans, key=lambda one: (one.ended, one.span.span_id)))


def spans_of(traces: Sequence[Trace]) -> int:
    """Number of spans of some traces."""
    return sum(len(trace.spans) for trace in traces)
