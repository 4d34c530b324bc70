"""Stable fingerprints of errors, and the way from a report of one to its trace."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from opentelemetry import trace

if TYPE_CHECKING:
    from types import TracebackType

    from opentelemetry.trace import Span

_FRAME: Final = re.compile(r'^\s*File "([^"]+)", line \d+, in (.+)$', re.MULTILINE)
_GROUP: Final = re.compile(r"^\s*\| ", re.MULTILINE)
_FOLDERS: Final = re.compile(r"[/\\]")
_DIGITS: Final = 16
_MARK: Final = "__virtengine_error__"


@dataclass(frozen=True, slots=True)
class ErrorDescription:
    """What is told of an error wherever it is recorded."""

    type: str
    """Qualified name of the exception's class."""
    fingerprint: str
    """16 hexadecimal digits; see ``fingerprint``."""


@dataclass(frozen=True, slots=True)
class ErrorReport:
    """What a log line, an answer to a customer or a ticket may hold of an error: enough to find its trace, nothing private."""

    type: str
    """Qualified name of the exception's class."""
    fingerprint: str
    """16 hexadecimal digits: equal for the same kind of error raised at the same place, in every process and release that has both."""
    trace_id: str | None
    """The trace in which it was first seen, 32 hexadecimal digits; none outside of a trace."""
    span_id: str | None
    """The span in which it was first seen, 16 hexadecimal digits."""

    def __str__(self) -> str:
        where = f" trace_id={self.trace_id} span_id={self.span_id}" if self.trace_id else ""
        return f"{self.type} fingerprint={self.fingerprint}{where}"


def qualified_type(error: BaseException) -> str:
    """Return the name of the error's class with its module, without one for builtins (as ``exception.type`` has it)."""
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def fingerprint(error: BaseException) -> str:
    """Return the fingerprint of an error: of its type, and of the file's name and the function that raised it.

    Neither its message, which holds values, nor line numbers, which change with every release, nor folders, which differ by machine.
    """
    return _digest(qualified_type(error), "" if isinstance(error, BaseExceptionGroup) else _raised_at(error.__traceback__))


def fingerprint_of_text(kind: str, stack: str) -> str:
    """Return the same fingerprint from a recorded ``exception.type`` and ``exception.stacktrace``."""
    frames = [] if _GROUP.search(stack) else _FRAME.findall(stack)
    return _digest(kind, _place(*frames[-1]) if frames else "")


def describe(error: BaseException) -> ErrorDescription:
    """Return type and fingerprint of an error, for a span's event or a log record."""
    return ErrorDescription(qualified_type(error), fingerprint(error))


def report(error: BaseException, span: Span | None = None) -> ErrorReport:
    """Return the report of an error, with the span (default: the current one) in which it is first reported; later calls return the same.

    A note with the trace is added to the exception (PEP 678), so that whoever prints it, much later, sees where to look.
    """
    known = getattr(error, _MARK, None)
    if isinstance(known, ErrorReport):
        return known
    context = (trace.get_current_span() if span is None else span).get_span_context()
    ids = (f"{context.trace_id:032x}", f"{context.span_id:016x}") if context.is_valid else (None, None)
    made = ErrorReport(qualified_type(error), fingerprint(error), *ids)
    try:
        setattr(error, _MARK, made)
        if made.trace_id:
            error.add_note(f"trace_id={made.trace_id} span_id={made.span_id} fingerprint={made.fingerprint}")
    except (AttributeError, TypeError):
        # An exception class with slots takes no attribute; it is reported all the same, each time anew.
        pass
    return made


def _raised_at(traceback: TracebackType | None) -> str:
    if traceback is None:
        return ""
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    code = traceback.tb_frame.f_code
    return _place(code.co_filename, code.co_name)


def _place(file: str, function: str) -> str:
    return f"{_FOLDERS.split(file)[-1]}:{function}"


def _digest(kind: str, place: str) -> str:
    return hashlib.sha256(f"{kind}\0{place}".encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]
