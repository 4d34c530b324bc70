"""Write the stored traces of a time into a file, on every store that the bundle knows."""

from __future__ import annotations

import base64
import json
import shlex
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from stacks.copies.archive import Archive, CopyError, Note, Progress, is_number
from stacks.copies.pieces import Source
from stacks.environment.units import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from stacks.placement.outputs import Outputs

_STEP_SECONDS: Final = 60.0
"""Time whose traces are one piece of the file: what is asked for again after a broken run."""
_LATEST: Final = 2**33
"""Seconds since 1970 that no copy reaches: a store counts nanoseconds, and in the year 2262 they are more than it has bits."""
_ADDED: Final = "opentracing.ref_type"
"""Attribute that Jaeger adds to every link."""
_IDS: Final = {"traceId": 16, "spanId": 8, "parentSpanId": 8}


@dataclass(frozen=True, slots=True)
class Wanted:
    """Traces to copy: those whose first span starts from ``since`` to before ``until``, in seconds since 1970 (UTC), to the millisecond.

    With ``service`` only those in which that service has a span. ``environment`` and ``store`` name where they are. ``asked`` is the time
    in the words of who asked, such as ``--hours 24``: by them the same command is known again, though the clock went on.
    """

    since: float
    until: float
    service: str | None = None
    environment: str = ""
    store: str = ""
    asked: str = ""

    def told(self) -> dict[str, str]:
        """Phrases for what makes a copy another one."""
        return {
            "environment": f"environment {self.environment}",
            "store": f"store {self.store}",
            "asked": self.asked or f"{self.since} to {self.until}",
            "service": "all services" if self.service is None else f"service {self.service}",
        }


def resumed(path: Path, wanted: Wanted) -> Wanted:
    """Return the same wish as it was when an export into ``path`` was broken off; ``wanted`` itself where none was.

    Raises ``CopyError`` where another wish was broken off, and for a broken note.
    """
    note = _note(path)
    if (progress := note.read()) is None:
        return wanted
    begun = _wish(note, progress)
    others = [(one, other) for one, other in zip(begun.told().values(), wanted.told().values(), strict=True) if one != other]
    if others:
        was, now = (printable(", ".join(phrases)) for phrases in zip(*others, strict=True))
        then = f"give the same arguments as then, name another file, or begin anew: {note.anew}"
        raise CopyError(f"{note.path}: an export of another wish was broken off ({was}; now asked for: {now}); {then}")
    return begun


def _wish(note: Note, progress: Progress) -> Wanted:
    """Return what was wanted when a note was written. Raises ``CopyError`` for one of something else."""
    try:
        wanted = Wanted(**progress.wanted)
    except TypeError:
        raise note.foreign() from None
    times = (wanted.since, progress.at, wanted.until)
    if not (all(map(is_number, times)) and wanted.since <= progress.at <= wanted.until < _LATEST):
        raise note.foreign()
    return wanted


def export(outputs: Outputs, wanted: Wanted, path: Path, say: Callable[[Progress], None], *, replaces: bool = False) -> Progress:
    """Write traces into ``path``; a run that was broken off goes on where it ended. ``say`` is called after each minute of traces.

    A file that is there already is replaced with ``replaces`` alone, when the copy is whole. Memory is bounded by the few hundred traces of
    one answer. Raises ``QueryError`` of the store, ``CopyError`` for a file of another copy, ``OSError``.
    """
    _refuse_taken(path, replaces=replaces)
    note, part = _note(path), _part(path)
    progress = note.read()
    if progress is None and part.exists():
        # A note is written before the first byte, so this is a file of somebody else's.
        raise CopyError(
            f"{part}: is there, and belongs to no export that was broken off; look what it is, and remove it or name another file"
        )
    if progress is not None and progress.wanted != asdict(wanted):
        raise CopyError(f"{note.path}: an export of another time or service was broken off; finish it, or begin anew: {note.anew}")
    if progress is None or not part.is_file() or part.stat().st_size < progress.bytes:
        progress = Progress(asdict(wanted), wanted.since)
        note.write(progress)
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


def _refuse_taken(path: Path, *, replaces: bool) -> None:
    """Refuse a file that cannot be written, or has something that may be all that is left of it, before the store is asked."""
    if not path.parent.is_dir():
        raise CopyError(f"{path}: its folder is not there; make it: mkdir -p {shlex.quote(str(path.parent))}")
    if (path.exists() or path.is_symlink()) and not path.is_file():
        raise CopyError(f"{path}: is there and is no file; name another one, such as traces.jsonl.gz")
    if path.exists() and not replaces:
        raise CopyError(f"{path}: is there already; name another file, or give --replace to put the copy in its place")


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
    return Note(path.with_name(f"{path.name}.progress"), _part(path))


def _part(path: Path) -> Path:
    return path.with_name(f"{path.name}.part")


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
