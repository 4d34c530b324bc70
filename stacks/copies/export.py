"""Write the stored traces of a time into a file, on every store that the bundle knows."""

from __future__ import annotations

import base64
import json
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from stacks.copies.archive import Archive, CopyError, Note, Progress
from stacks.copies.pieces import Source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from stacks.placement.outputs import Outputs

_STEP_SECONDS: Final = 60.0
"""Time whose traces are one piece of the file: what is asked for again after a broken run."""
_ADDED: Final = "opentracing.ref_type"
"""Attribute that Jaeger adds to every link."""
_IDS: Final = {"traceId": 16, "spanId": 8, "parentSpanId": 8}


@dataclass(frozen=True, slots=True)
class Wanted:
    """Traces to copy: those whose first span starts from ``since`` to before ``until``, in seconds since 1970 (UTC), to the millisecond.

    With ``service`` only those in which that service has a span.
    """

    since: float
    until: float
    service: str | None = None


def unfinished(path: Path) -> Wanted | None:
    """Return what an export into ``path`` copied that was broken off. Raises ``CopyError`` for a broken note of it."""
    progress = _note(path).read()
    return None if progress is None else Wanted(**progress.wanted)


def export(outputs: Outputs, wanted: Wanted, path: Path, say: Callable[[Progress], None]) -> Progress:
    """Write traces into ``path``; a run that was broken off goes on where it ended. ``say`` is called after each minute of traces.

    Memory is bounded by the few hundred traces of one answer. Raises ``QueryError`` of the store, ``CopyError`` for a file of another copy,
    ``OSError``.
    """
    note, part = _note(path), path.with_name(f"{path.name}.part")
    progress = note.read()
    if progress is None or not part.is_file() or part.stat().st_size < progress.bytes:
        progress = Progress(asdict(wanted), wanted.since)
    if progress.wanted != asdict(wanted):
        raise CopyError(f"{note.path}: an export of another time or service was broken off; finish it, or remove that file")
    archive = Archive(part, progress.bytes)
    try:
        source = Source(outputs, wanted.service)
        while progress.at < wanted.until:
            until = min(progress.at + _STEP_SECONDS, wanted.until)
            progress = _piece(source, archive, progress, until)
            note.write(progress)
            say(progress)
    finally:
        archive.close()
    part.replace(path)
    note.remove()
    return progress


def _piece(source: Source, archive: Archive, progress: Progress, until: float) -> Progress:
    """Add the traces that begin before ``until``; return the progress to there."""
    first, end = int(progress.at * 1000), int(until * 1000)
    for documents in source.traces(progress.at, until):
        kept = [found for found in map(_normal, documents) if first <= _start(found) < end]
        archive.add([json.dumps(found, separators=(",", ":")) for found in kept])
        spans = sum(1 for found in kept for _ in _spans(found))
        progress = replace(progress, traces=progress.traces + len(kept), spans=progress.spans + spans)
    return replace(progress, at=until, bytes=archive.flush())


def _note(path: Path) -> Note:
    return Note(path.with_name(f"{path.name}.progress"))


def _normal(document: dict[str, Any]) -> dict[str, Any]:
    """Write ids in hexadecimal, as OTLP has them and Tempo does not, and leave out what a store has twice or has added."""
    seen: set[str] = set()
    for group in document["resourceSpans"]:
        for scope in group.get("scopeSpans", ()):
            kept = []
            for span in scope.get("spans", ()):
                for link in span.get("links", ()):
                    _repair(link)
                    link["attributes"] = [pair for pair in link.get("attributes", ()) if pair["key"] != _ADDED]
                _repair(span)
                if span["spanId"] not in seen:
                    seen.add(span["spanId"])
                    kept.append(span)
            scope["spans"] = kept
    return {"resourceSpans": document["resourceSpans"]}


def _repair(holder: dict[str, Any]) -> None:
    for key, size in _IDS.items():
        if key in holder:
            holder[key] = _hexadecimal(holder[key], size)


def _hexadecimal(text: str, size: int) -> str:
    return text if len(text) in {0, 2 * size} else base64.b64decode(text).hex()


def _spans(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    return (span for group in document["resourceSpans"] for scope in group.get("scopeSpans", ()) for span in scope["spans"])


def _start(document: dict[str, Any]) -> int:
    """Return the start of a trace's first span in whole milliseconds since 1970 (UTC), so that each trace belongs to one piece."""
    return min(int(span.get("startTimeUnixNano", 0)) for span in _spans(document)) // 1_000_000
