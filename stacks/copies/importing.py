"""Put the traces of a file into a store, straight to its receiver: what is stored was sampled and counted already."""

from __future__ import annotations

import base64
import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import grpc
from google.protobuf.json_format import ParseDict, ParseError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceStub

from stacks.copies.archive import CopyError, Note, Progress, lines_of

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
_IDS: Final = ("traceId", "spanId", "parentSpanId")


def import_traces(path: Path, address: str, say: Callable[[Progress], None]) -> Progress:
    """Send the traces of a file to an OTLP/gRPC receiver (``host:port``); a run that was broken off goes on where it ended.

    ``say`` is called after each request. A request that the store may have taken without an answer is sent again, so a broken run may
    store its last traces twice, under the same ids. Raises ``CopyError``.
    """
    note, wanted = Note(path.with_name(f"{path.name}.imported")), {"bytes": _size(path), "to": address}
    progress = note.read() or Progress(wanted, 0)
    if progress.wanted != wanted:
        raise CopyError(
            f"{note.path}: an import of another file or into {progress.wanted.get('to')} was broken off; finish it, or remove that file"
        )
    with grpc.insecure_channel(address) as channel:
        stub = TraceServiceStub(channel)  # type: ignore[no-untyped-call]  # written by protoc
        for lines, spans, request in _requests(path, int(progress.at)):
            _send(stub, request, address)
            progress = replace(progress, at=progress.at + lines, traces=progress.traces + lines, spans=progress.spans + spans)
            note.write(progress)
            say(progress)
    note.remove()
    return progress


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise CopyError(f"{path}: {error.strerror}; name a file that `export` wrote") from None


def _requests(path: Path, done: int) -> Iterator[tuple[int, int, ExportTraceServiceRequest]]:
    """Yield requests of whole lines behind the first ``done``: how many lines, how many spans, and the request."""
    request, lines, spans, size = ExportTraceServiceRequest(), 0, 0, 0
    for number, line in enumerate(lines_of(path), start=1):
        if number <= done:
            continue
        one = _parsed(line, f"{path}: line {number}")
        count = sum(len(scope.spans) for group in one.resource_spans for scope in group.scope_spans)
        if lines and (spans + count > _MOST_SPANS or size + len(line) > _MOST_BYTES):
            yield lines, spans, request
            request, lines, spans, size = ExportTraceServiceRequest(), 0, 0, 0
        request.MergeFrom(one)
        lines, spans, size = lines + 1, spans + count, size + len(line)
    if lines:
        yield lines, spans, request


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
    except (ParseError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise CopyError(f"{place}: is no trace in OTLP JSON ({error}); export the file again") from None


def _send(stub: TraceServiceStub, request: ExportTraceServiceRequest, address: str) -> None:
    """Send a request until the store takes it. Raises ``CopyError`` when it refuses it, or was away for too long."""
    deadline, pause = time.monotonic() + _LONGEST_WAIT_SECONDS, 0.2
    while True:
        try:
            answer = stub.Export(request, timeout=_REQUEST_SECONDS)
        except grpc.RpcError as error:
            code, said = error.code(), error.details()
            if code not in _AGAIN:
                raise CopyError(f"{address}: refuses traces ({code.name}: {said}); name the OTLP/gRPC receiver of the store") from None
            if time.monotonic() > deadline:
                wrong = f"takes no traces for {_LONGEST_WAIT_SECONDS:g} s ({code.name}: {said})"
                raise CopyError(f"{address}: {wrong}; run the same command again when it does, and it goes on") from None
            time.sleep(pause)
            pause = min(2 * pause, 5.0)
            continue
        if answer.partial_success.rejected_spans:
            lost = f"{answer.partial_success.rejected_spans} spans ({answer.partial_success.error_message})"
            raise CopyError(f"{address}: refuses {lost}; read the log of the store")
        return
