"""Fingerprints of errors, and reports that lead from an error to its trace."""

from __future__ import annotations

import hashlib
import re
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from opentelemetry import trace

if TYPE_CHECKING:
    from types import TracebackType

    from opentelemetry.trace import Span

_FRAME: Final = re.compile(r'^\s*File "([^"]+)", line \d+, in (.+)$', re.MULTILINE)
_GROUP: Final = re.compile(r"^\s*\| ", re.MULTILINE)
_FOLDERS: Final = re.compile(r"[/\\]")
_DIGITS: Final = 16
_MARK: Final = "__virtengine_error__"
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class ErrorReport:
    """Report of an error for a log line, a ticket or a response to a customer: it leads to the trace and has nothing private."""

    type: str
    """Qualified name of the exception's class."""
    fingerprint: str
    """16 hexadecimal digits, equal in every process and release for errors of one type that one function raised."""
    trace_id: str | None
    """Id of the trace in which the error was first reported, 32 hexadecimal digits; None outside of a trace."""
    span_id: str | None
    """Id of the span in which the error was first reported, 16 hexadecimal digits; None outside of a trace."""

    def __str__(self) -> str:
        where = f" trace_id={self.trace_id} span_id={self.span_id}" if self.trace_id else ""
        return f"{self.type} fingerprint={self.fingerprint}{where}"


def qualified_type(error: BaseException) -> str:
    """Return the qualified name of the error's class, without a module for builtins (as ``exception.type`` has it)."""
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def fingerprint(error: BaseException) -> str:
    """Return the fingerprint of an error: a digest of its type, and of the name of the file and the function that raised it.

    The message is left out because it holds values, line numbers because releases change them, and folders because machines differ.
    """
    return _digest(qualified_type(error), "" if isinstance(error, BaseExceptionGroup) else _raised_at(error.__traceback__))


def fingerprint_of_text(kind: str, stack: str) -> str:
    """Return the fingerprint of an error from its recorded ``exception.type`` and ``exception.stacktrace``."""
    frames = [] if _GROUP.search(stack) else _FRAME.findall(stack)
    return _digest(kind, _place(*frames[-1]) if frames else "")


def report(error: BaseException, span: Span | None = None) -> ErrorReport:
    """Return the report of an error with ``span``; default: the current span. Later calls for the error return the first report.

    The ids are added to the exception as a note (PEP 678), so that a traceback that is printed later shows the trace.
    """
    known = marked(error, _MARK, ErrorReport)
    if known is not None:
        return known
    context = (trace.get_current_span() if span is None else span).get_span_context()
    ids = (f"{context.trace_id:032x}", f"{context.span_id:016x}") if context.is_valid else (None, None)
    made = ErrorReport(qualified_type(error), fingerprint(error), *ids)
    # An exception class with slots, or a frozen one, has no place for the report, so that each call makes a new one; and whatever its own
    # methods raise here, the caller must get the exception that it raised.
    with suppress(Exception):
        setattr(error, _MARK, made)
        if made.trace_id:
            error.add_note(f"trace_id={made.trace_id} span_id={made.span_id} fingerprint={made.fingerprint}")
    return made


def marked(error: BaseException, name: str, kind: type[_T]) -> _T | None:
    """Return what the library left on an exception under this name; None where there is nothing, or its class answers with an error."""
    with suppress(Exception):
        found = getattr(error, name, None)
        return found if isinstance(found, kind) else None
    return None


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
