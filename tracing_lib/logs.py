"""Redacted log records with the ids of their trace, for standard logging and for structlog.

The ids are ``trace_id``, ``span_id`` and ``trace_flags`` in lower-case hexadecimal, as in OpenTelemetry's "Trace Context in non-OTLP Log
Formats". They are absent outside of a span.

The template of ``logger.info("leased %s to %s", lease, customer)`` is code and is written. An argument that is neither a number, nor an
identifier, nor made of declared words becomes ``*``. A message that was formatted before the call (an f-string) is one text: the privacy
rules mask their matches in it, and cannot recognise a person's name. Ruff's rule G004 reports such calls.
"""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import json
import logging
import re
import sys
import traceback
import uuid
from collections.abc import Mapping, MutableMapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, TextIO

from opentelemetry import trace

from tracing_lib.base.fingerprints import fingerprint, qualified_type, report
from tracing_lib.privacy.names import ID, MASK, phrase
from tracing_lib.privacy.policy import PrivacyPolicy, policy_of

if TYPE_CHECKING:
    from types import TracebackType

    from tracing_lib.contract.settings import TracingSettings

TRACE_ID: Final = "trace_id"
SPAN_ID: Final = "span_id"
TRACE_FLAGS: Final = "trace_flags"
_FIELDS: Final = (TRACE_ID, SPAN_ID, TRACE_FLAGS)

_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", *_FIELDS}
_KEY: Final = re.compile(r"[a-z_][a-z0-9_.]{0,63}")
_LONGEST_PHRASE: Final = 80
_PLAIN: Final = (bool, int, float, type(None), uuid.UUID, dt.date, dt.time, dt.timedelta, decimal.Decimal)
_STRUCTLOG_OWN: Final = frozenset({"event", "level", "timestamp", "logger", "logger_name", "lineno", "func_name", "module", *_FIELDS})


class _Shown(str):
    """A string that ``%r`` writes without quotes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def trace_fields() -> dict[str, str]:
    """Return ``trace_id``, ``span_id`` and ``trace_flags`` of the current span; empty outside of a span."""
    context = trace.get_current_span().get_span_context()
    if not context.is_valid:
        return {}
    values = (f"{context.trace_id:032x}", f"{context.span_id:016x}", f"{context.trace_flags:02x}")
    return dict(zip(_FIELDS, values, strict=True))


class _Named(dict[str, object]):
    """Arguments by name: a template that has ``%s`` for all of them does not write their keys, which can be data."""

    def __repr__(self) -> str:
        return "<dict>"


class LogPrivacy:
    """Redaction of log records, by the privacy policy that also redacts spans."""

    def __init__(self, policy: PrivacyPolicy | None = None) -> None:
        self.policy = PrivacyPolicy() if policy is None else policy

    def argument(self, value: object) -> object:
        """Return the redacted form of a message's argument."""
        if isinstance(value, BaseException):
            return _Shown(f"{qualified_type(value)} fingerprint={fingerprint(value)}")
        if isinstance(value, enum.Enum):
            return _Shown(value.name)
        if isinstance(value, _PLAIN):
            return value
        return _Shown(self.string(value)) if isinstance(value, str) else _Shown(f"<{type(value).__qualname__}>")

    def string(self, value: str) -> str:
        """Return a string that is an identifier or is made of declared words, else ``*``."""
        if ID.fullmatch(value):
            return MASK if self.policy.rules.found(value) else value
        return self.policy.text(phrase(value, self.policy.registry)) if value.islower() and len(value) <= _LONGEST_PHRASE else MASK

    def message(self, record: logging.LogRecord) -> str:
        """Return the message of a record with redacted arguments."""
        template = record.msg if isinstance(record.msg, str) else str(self.argument(record.msg))
        if not record.args:
            return self.policy.text(template)
        arguments: Any = record.args
        if isinstance(arguments, Mapping):
            arguments = _Named({key: self.argument(value) for key, value in arguments.items()})
        else:
            arguments = tuple(self.argument(value) for value in arguments)
        try:
            return self.policy.text(template % arguments)
        except (TypeError, ValueError, KeyError, OverflowError):
            # A masked argument does not fit a template that formats a number. The template alone still tells the event.
            return self.policy.text(template)

    def field(self, key: str, value: object) -> object:
        """Return the redacted form of an added field, or None when the field is not written."""
        if self.policy.registry.get(key) is not None:
            return self.policy.attribute(key, value)
        if not _KEY.fullmatch(key) or self.policy.rules.key(key) or self.policy.rules.found(key):
            return None
        shown = self.argument(value)
        return shown if isinstance(shown, bool | int | float) or shown is None else str(shown)

    def error(self, error: BaseException) -> dict[str, str]:
        """Return the fields of an exception: type, fingerprint, ids of its first report, and with ``exception_text`` its masked text."""
        found = report(error)
        fields = {"error.type": found.type, "virtengine.error.fingerprint": found.fingerprint}
        if found.trace_id and found.span_id:
            fields |= {"error.trace_id": found.trace_id, "error.span_id": found.span_id}
        if self.policy.exception_text:
            fields["exception.message"] = self.policy.text(str(error))
            fields["exception.stacktrace"] = self.policy.text("".join(traceback.format_exception(error)))
        return fields


_ExcInfo = tuple[type[BaseException], BaseException, "TracebackType | None"] | tuple[None, None, None]


class TraceContextFilter(logging.Filter):
    """A filter that adds ``trace_id``, ``span_id`` and ``trace_flags`` to each record, for formats of a service's own.

    They are empty outside of a span. Add the filter to a handler, and to the ``QueueHandler`` if there is one, because it must run in the
    thread that logs.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Add the fields to the record, and return True."""
        fields = trace_fields()
        for name in _FIELDS:
            if not getattr(record, name, ""):
                setattr(record, name, fields.get(name, ""))
        return True


class JsonFormatter(logging.Formatter):
    """A formatter that writes one JSON object a line: time (RFC 3339, UTC), level, logger, message, ids, added fields, error."""

    def __init__(self, policy: PrivacyPolicy | None = None, *, service_name: str | None = None) -> None:
        super().__init__()
        self._privacy = LogPrivacy(policy)
        self._service_name = service_name

    def fields(self, record: logging.LogRecord) -> dict[str, object]:
        """Return the fields that are written for a record."""
        made = dt.datetime.fromtimestamp(record.created, dt.UTC).isoformat(timespec="milliseconds")
        fields: dict[str, object] = {"time": made, "level": record.levelname, "logger": self._privacy.policy.name(record.name)}
        if self._service_name:
            fields["service.name"] = self._service_name
        fields["message"] = self._privacy.message(record)
        known = {name: value for name in _FIELDS if (value := getattr(record, name, ""))}
        fields |= known or trace_fields()
        for key, value in vars(record).items():
            if key not in _STANDARD and (kept := self._privacy.field(key, value)) is not None:
                fields[key] = kept
        information: _ExcInfo | None = record.exc_info
        if information and information[1] is not None:
            fields |= self._privacy.error(information[1])
        return fields

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        return _writable(json.dumps(self.fields(record), ensure_ascii=False, default=str))


class TextFormatter(JsonFormatter):
    """A formatter that writes the fields of ``JsonFormatter`` as text: time, level, logger, message, then ``key=value``."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        fields = self.fields(record)
        head = " ".join(str(fields.pop(name)) for name in ("time", "level", "logger", "message"))
        return _writable(" ".join([head, *(f"{key}={value}" for key, value in fields.items())]))


def _writable(line: str) -> str:
    """Return a line that UTF-8 can hold: a lone surrogate becomes ``?``."""
    return line.encode(errors="replace").decode()


class _Handler(logging.StreamHandler[TextIO]):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802  the interface's
        """Say on standard error that a record was not written; the standard handler shows its message and arguments there."""
        if logging.raiseExceptions and sys.stderr:
            with suppress(OSError, ValueError):
                sys.stderr.write(f"a log record could not be written ({type(sys.exception()).__name__})\n")


def configure_logging(
    settings: TracingSettings | None = None, *, level: int = logging.INFO, as_json: bool = True, stream: TextIO | None = None
) -> logging.Handler:
    """Write redacted log records with trace ids to ``stream`` (default: standard error), and return the handler.

    ``settings`` give the privacy rules and the service's name. ``level`` is that of the root logger; default ``INFO``. ``as_json=False``
    writes text. The handler replaces all handlers of the root logger, because another one would write the unredacted record.
    """
    policy = None if settings is None else policy_of(settings)
    formatter = JsonFormatter if as_json else TextFormatter
    handler = _Handler(sys.stderr if stream is None else stream)
    handler.addFilter(TraceContextFilter())
    handler.setFormatter(formatter(policy, service_name=None if settings is None else settings.service_name))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    return handler


def add_trace_context(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Add the ids of the current span to a structlog event. A structlog processor."""
    event.update(trace_fields())
    return event


class PrivateEvent:
    """A structlog processor that redacts an event. Place it last before the renderer.

    ``event`` is redacted as a text, added values and an exception as in standard logging.
    """

    def __init__(self, policy: PrivacyPolicy | None = None) -> None:
        self._privacy = LogPrivacy(policy)

    def __call__(self, _logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """Return the redacted event."""
        kept: dict[str, Any] = {}
        for key, value in event.items():
            if key == "exc_info":
                error = sys.exception() if value is True else value[1] if isinstance(value, tuple) else value
                kept |= self._privacy.error(error) if isinstance(error, BaseException) else {}
            elif key == "event":
                kept[key] = self._privacy.policy.text(str(value))
            elif key in _STRUCTLOG_OWN:
                kept[key] = value if isinstance(value, int | float) else self._privacy.policy.text(str(value))
            elif (field := self._privacy.field(key, value)) is not None:
                kept[key] = field
        return kept
