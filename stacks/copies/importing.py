"""Put the traces of a file into a store, straight to its receiver: what is stored was sampled and counted already."""

from __future__ import annotations

import base64
import json
import time
import zlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import grpc
from google.protobuf.json_format import ParseDict, ParseError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceStub
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans

from stacks.copies.archive import CopyError, Note, NoTracesError, Progress, lines_of
from stacks.environment.units import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_MOST_SPANS: Final = 2_000
_MOST_BYTES: Final = 2 * 2**20
"""Bounds of a request: Jaeger's receiver takes up to 16 MiB here, and a store writes a request at once."""
_REQUEST_SECONDS: Final = 60.0
_LONGEST_WAIT_SECONDS: Final = 300.0
"""How long a store may be away before the copy ends; it goes on where it ended."""
_AGAIN: Final = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.ABORTED,
}
_TOO_LARGE: Final = "message larger than max"
"""What gRPC says of a request that is above the bound of a receiver, with the status of one that is busy."""
_KNOWN_BYTES: Final = 2**20
_IDS: Final = ("traceId", "spanId", "parentSpanId")


def import_traces(path: Path, address: str, say: Callable[[Progress], None], *, store: str = "") -> Progress:
    """Send the traces of a file to an OTLP/gRPC receiver (``host:port``); a run that was broken off goes on where it ended.

    ``store`` names what is behind the address, because a port-forward leads to one store today and to another tomorrow. ``say`` is called
    after each request. A request that the store may have taken without an answer is sent again, so a broken run may store its last traces
    twice, under the same ids; so are the first parts of a trace of several requests. Raises ``NoTracesError`` for a file without traces and
    ``CopyError``.
    """
    note, wanted = Note(path.with_name(f"{path.name}.imported")), {"file": _known_by(path), "to": address, "store": store}
    progress = _begun(note, wanted)
    with grpc.insecure_channel(address) as channel:
        stub = TraceServiceStub(channel)  # type: ignore[no-untyped-call]  # written by protoc
        for part in _parts(path, int(progress.at)):
            _send(stub, part, address)
            traces, spans = progress.traces + part.lines, progress.spans + part.spans
            progress = replace(progress, at=progress.at + part.lines, traces=traces, spans=spans)
            note.write(progress)
            say(progress)
    note.remove()
    if not progress.spans:
        raise NoTracesError(f"{path}: holds no trace, so none was sent; export a longer time, or without --service")
    return progress


def _begun(note: Note, wanted: dict[str, Any]) -> Progress:
    """Return the progress of the run that was broken off, if any. Raises ``CopyError`` where it was of something else."""
    progress = note.read() or Progress(wanted, 0)
    if progress.wanted.keys() != wanted.keys():
        raise note.foreign()
    if others := [
        f"{key} {progress.wanted[key]}, now asked for: {value}" for key, value in wanted.items() if progress.wanted[key] != value
    ]:
        then = f"give the same arguments as then, or begin anew: {note.anew}"
        raise CopyError(f"{note.path}: an import of another wish was broken off ({printable('; '.join(others))}); {then}")
    return progress


def _known_by(path: Path) -> str:
    """Words by which a file is known again."""
    try:
        with path.open("rb") as file:
            checksum = zlib.crc32(file.read(_KNOWN_BYTES))
        return f"of {path.stat().st_size} bytes with checksum {checksum:08x}"
    except OSError as error:
        raise CopyError(f"{path}: {error.strerror}; name a file that `export` wrote") from None


@dataclass(frozen=True, slots=True)
class _Part:
    """A request with its number of spans, the lines of the file that end with it, and words for where they are."""

    request: ExportTraceServiceRequest
    spans: int
    lines: int
    place: str


def _parts(path: Path, done: int) -> Iterator[_Part]:
    """Yield what is behind the first ``done`` lines: several lines in a request, and a line that is too large for one in several."""
    request, spans, size, sent, last = ExportTraceServiceRequest(), 0, 0, done, done
    for number, line in enumerate(lines_of(path), start=1):
        if number <= done:
            continue
        place = f"{path}: line {number}"
        one = _parsed(line, place)
        if last > sent and not _fits(spans + _count(one), size + one.ByteSize()):
            yield _Part(request, spans, last - sent, _lines(path, sent + 1, last))
            request, spans, size, sent = ExportTraceServiceRequest(), 0, 0, last
        *before, rest = _divided(one)
        for piece in before:
            yield _Part(piece, _count(piece), 0, place)
        request.MergeFrom(rest)
        spans, size, last = spans + _count(rest), size + rest.ByteSize(), number
    if last > sent:
        yield _Part(request, spans, last - sent, _lines(path, sent + 1, last))


def _divided(one: ExportTraceServiceRequest) -> Iterator[ExportTraceServiceRequest]:
    """Yield a trace in requests that fit, each span with its resource and scope. A span is not divided, however large it is."""
    if _fits(_count(one), one.ByteSize()):
        yield one
        return
    request, spans, size = ExportTraceServiceRequest(), 0, 0
    for group in one.resource_spans:
        for scope in group.scope_spans:
            head = ResourceSpans(resource=group.resource, schema_url=group.schema_url)
            head.scope_spans.add(scope=scope.scope, schema_url=scope.schema_url)
            begun = False
            for span in scope.spans:
                if spans and not _fits(spans + 1, size + head.ByteSize() + span.ByteSize()):
                    yield request
                    request, spans, size, begun = ExportTraceServiceRequest(), 0, 0, False
                if not begun:
                    request.resource_spans.append(head)
                    size, begun = size + head.ByteSize(), True
                request.resource_spans[-1].scope_spans[0].spans.append(span)
                spans, size = spans + 1, size + span.ByteSize()
    yield request


def _lines(path: Path, first: int, last: int) -> str:
    return f"{path}: line {first}" if first == last else f"{path}: lines {first} to {last}"


def _fits(spans: int, size: int) -> bool:
    return spans <= _MOST_SPANS and size <= _MOST_BYTES


def _count(request: ExportTraceServiceRequest) -> int:
    return sum(len(scope.spans) for group in request.resource_spans for scope in group.scope_spans)


def _parsed(line: str, place: str) -> ExportTraceServiceRequest:
    try:
        document: dict[str, Any] = json.loads(line)
        for group in document["resourceSpans"]:
            for scope in group.get("scopeSpans", ()):
                for span in scope.get("spans", ()):
                    for holder in (span, *span.get("links", ())):
                        for key in filter(holder.__contains__, _IDS):
                            holder[key] = base64.b64encode(bytes.fromhex(holder[key])).decode()
        return ParseDict(document, ExportTraceServiceRequest(), ignore_unknown_fields=True)
    except RecursionError:
        raise CopyError(f"{place}: is JSON of more levels than any span has; export the file again") from None
    except (ParseError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise CopyError(f"{place}: is no trace in OTLP JSON ({error}); export the file again") from None


def _send(stub: TraceServiceStub, part: _Part, address: str) -> None:
    """Send a request until the store takes it. Raises ``CopyError`` when it refuses it, or was away for too long."""
    deadline, pause = time.monotonic() + _LONGEST_WAIT_SECONDS, 0.2
    while True:
        try:
            answer = stub.Export(part.request, timeout=_REQUEST_SECONDS)
        except grpc.RpcError as error:
            code, said = error.code(), error.details() or ""
            if _TOO_LARGE in said.lower():
                # It never takes that, however long it is asked.
                then = "let its receiver take more (max_recv_msg_size_mib), or take the line out of the file"
                raise CopyError(f"{part.place}: is too large for {address} ({code.name}: {said}); {then}") from None
            if code not in _AGAIN:
                wrong = f"refuses traces ({code.name}: {said})"
                raise CopyError(f"{address}: {wrong}, {part.place}; name the OTLP/gRPC receiver of the store") from None
            if time.monotonic() > deadline:
                wrong = f"takes no traces for {_LONGEST_WAIT_SECONDS:g} s ({code.name}: {said})"
                raise CopyError(f"{address}: {wrong}; run the same command again when it does, and it goes on") from None
            time.sleep(pause)
            pause = min(2 * pause, 5.0)
            continue
        if answer.partial_success.rejected_spans:
            lost = f"{answer.partial_success.rejected_spans} spans ({answer.partial_success.error_message}), {part.place}"
            raise CopyError(f"{address}: refuses {lost}; read the log of the store")
        return
