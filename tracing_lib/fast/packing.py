"""``FastSpanEncoder``: a span as OTLP bytes, joined from the redacted and encoded parts of spans that came before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from opentelemetry.trace import Link, SpanKind

from tracing_lib.base.conventions import LONGEST_NAME
from tracing_lib.export.encoder import encode_attribute, encode_links, encode_name, encode_state
from tracing_lib.export.packing import SpanEncoder
from tracing_lib.fast._native import PackCore
from tracing_lib.fast.span import FastSpan

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.util.types import AnyValue

    from tracing_lib.export.groups import ScopeGroup
    from tracing_lib.export.redactor import Redactor
    from tracing_lib.fast._native import Origin

_MOST_REMEMBERED: Final = 4096
"""Parts that are kept encoded; then they are forgotten, so that they cannot grow with what users send."""
_MOST_ORIGINS: Final = 1024
_KINDS: Final = (SpanKind.INTERNAL, SpanKind.SERVER, SpanKind.CLIENT, SpanKind.PRODUCER, SpanKind.CONSUMER)


class Parts(PackCore):
    """The encoded parts of spans. Remembered are parts that leave as they were recorded, and digests; no part that stays.

    The rules of the redactor are pure functions of one part each, so the redacted parts of a span are the redacted span. For one thread
    at a time.
    """

    def __init__(self, redactor: Redactor | None) -> None:
        self._redactor = redactor
        self._kinds = _KINDS
        self._names, self._texts, self._integers, self._floats = {}, {}, {}, {}
        self._memories: dict[type, dict[str, dict[Any, bytes]]] = {str: self._texts, int: self._integers, float: self._floats}
        self.forget()

    def forget(self) -> None:
        """Forget all parts: they may be redacted otherwise from now on."""
        self.version = 0 if self._redactor is None else self._redactor.version
        self._remembered = 0
        self._names.clear()
        for memory in self._memories.values():
            memory.clear()
        self._state, self._state_bytes = None, b""

    def _name_field(self, name: Any, attributes: dict[str, AnyValue]) -> bytes:  # noqa: ANN401  a service may give anything
        redactor = self._redactor
        path = isinstance(name, str) and "/" in name
        if redactor is not None and path:
            redactor.learn_routes(name, attributes)
        redacted = name if redactor is None else redactor.name(name)
        field = encode_name(redacted)
        # A path is another name beside the attribute that says that it is a route.
        if isinstance(name, str) and (redacted == name or not path) and self._remembers(name):
            self._names[name] = field
        return field

    def _state_field(self, span: FastSpan) -> bytes:
        context = span.get_span_context()
        field = encode_state((context if self._redactor is None else self._redactor.context(context)).trace_state)
        self._state, self._state_bytes = context.trace_state, field
        return field

    def _attribute_field(self, key: str, value: AnyValue) -> bytes | None:
        """Return an attribute as its field, or None for one that stays, which the span counts."""
        redacted = value if self._redactor is None else self._redactor.attribute(key, value)
        if redacted is None:
            if self._redactor is None:
                return encode_attribute(key, value)
            self._redactor.withheld.add(key, value)
            return None
        field = encode_attribute(key, redacted)
        memory = self._memories.get(type(value))
        same = redacted == value or (self._redactor is not None and self._redactor.hashes(key))
        # Zero is not remembered: 0.0 and -0.0 are equal, and not the same.
        if memory is not None and same and value and self._remembers(value):
            memory.setdefault(key, {})[value] = field
        return field

    def _remembers(self, value: object) -> bool:
        """Count one more part, and return whether it is to be remembered."""
        if isinstance(value, str) and len(value) > LONGEST_NAME:
            return False
        if self._remembered >= _MOST_REMEMBERED:
            self.forget()
        self._remembered += 1
        return True

    def _link_fields(self, span: FastSpan) -> bytes:
        links = [Link(context) for context in span._plain_links]
        return encode_links(links if self._redactor is None else [self._redactor.link(link) for link in links])


class FastSpanEncoder(SpanEncoder):
    """A ``SpanEncoder`` that joins plain spans of ``FastTracer`` from their parts, and encodes all others as its base does."""

    def __init__(self, redactor: Redactor | None) -> None:
        super().__init__(redactor)
        self._parts = Parts(redactor)
        self._by_origin: dict[Origin, ScopeGroup] = {}

    def encode(self, span: ReadableSpan) -> tuple[ScopeGroup, bytes]:
        """Return a span's group, and the span redacted and encoded. Raises whatever redactor and encoder raise."""
        parts, redactor = self._parts, self.redactor
        if redactor is not None and redactor.version != parts.version:
            parts.forget()
            self._by_origin.clear()
        encoded = parts.pack(span)
        if encoded is None or type(span) is not FastSpan:
            return super().encode(span)
        return self._by_origin.get(span._origin) or self._group(span), encoded

    def _group(self, span: FastSpan) -> ScopeGroup:
        if len(self._by_origin) >= _MOST_ORIGINS:
            self._by_origin.clear()
        group = self._by_origin[span._origin] = self.groups.of(span)
        return group
