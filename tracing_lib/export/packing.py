"""From an ended span to what waits: what may leave of it, encoded, or as the SDK ended it where the stock exporter is to send it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

from opentelemetry.trace import SpanKind

from tracing_lib.base.conventions import LONGEST_NAME
from tracing_lib.export.encoder import Encoder
from tracing_lib.fast.native import PackCore
from tracing_lib.fast.span import RecordedSpan, all_links_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope
    from opentelemetry.trace import Link, SpanContext
    from opentelemetry.util.types import AnyValue

    from tracing_lib.contract.settings import TracingSettings
    from tracing_lib.export.groups import Group


class Wall(Protocol):
    """Makes of what was recorded what may leave the process (``privacy.PrivacyPolicy``)."""

    @property
    def version(self) -> int:
        """Another number whenever what leaves may be another."""

    def name(self, value: str) -> str:
        """Return what leaves of a span's name."""

    def attribute(self, key: str, value: object) -> AnyValue:
        """Return what leaves of an attribute's value, or ``None`` when it stays in the process."""

    def hashes(self, key: str) -> bool:
        """Whether a digest leaves of an attribute, and never its value."""

    def context(self, context: SpanContext) -> SpanContext:
        """Return what leaves of a span's context."""

    def link(self, link: Link) -> Link:
        """Return what leaves of a link."""

    def leaving(self, span: ReadableSpan) -> ReadableSpan:
        """Return what leaves of a span, resource and scope apart."""

    def span(self, span: ReadableSpan) -> ReadableSpan:
        """Return what leaves of a span, resource and scope included."""

    def resource(self, resource: Resource) -> Resource:
        """Return what leaves of a resource, the same object each time."""

    def scope(self, scope: InstrumentationScope | None) -> InstrumentationScope | None:
        """Return what leaves of a scope, the same object each time."""


class Packing(Protocol):
    """How spans are made private, wait and are joined to a request."""

    @property
    def size_of(self) -> Callable[[Any], int]:
        """What says how much memory a packed span takes, in bytes."""
        ...

    def pack(self, span: ReadableSpan) -> object:
        """Return what waits. Raises what wall and encoder raise."""
        ...

    def join(self, groups: Sequence[Group], spans: Sequence[Any]) -> object:
        """Return the request of what was packed, each with its group."""
        ...


STOCK_SPAN_BYTES: Final = 4096
"""What a span takes that waits for the stock exporter as it is (ran: 2.9 to 4 kB)."""
_MOST_REMEMBERED: Final = 4096
"""Parts that are kept encoded; then they are forgotten, so that they cannot grow with what users send."""


class _Parts(PackCore):
    """What leaves of the parts of spans, encoded. What leaves as it was recorded is remembered, and digests; nothing that stays.

    The rules of the wall are pure functions of one part each: a span of parts that leave is what leaves of the span. For one thread at a
    time.
    """

    def __init__(self, encoder: Encoder, wall: Wall | None) -> None:
        self._encoder = encoder
        self._wall = wall
        self._span_type = RecordedSpan
        self._kinds = (SpanKind.INTERNAL, SpanKind.SERVER, SpanKind.CLIENT, SpanKind.PRODUCER, SpanKind.CONSUMER)
        self._names, self._texts, self._integers, self._floats = {}, {}, {}, {}
        self._memories: dict[type, dict[str, dict[Any, bytes]]] = {str: self._texts, int: self._integers, float: self._floats}
        self.forget()

    def forget(self) -> None:
        """Forget everything: what leaves may be something else from now on."""
        self.version = 0 if self._wall is None else self._wall.version
        self._remembered = 0
        self._names.clear()
        for memory in self._memories.values():
            memory.clear()
        self._state, self._state_bytes = None, b""

    def _name_field(self, name: str) -> bytes:
        field = self._encoder.name(name if self._wall is None else self._wall.name(name))
        if self._remembers(name):
            self._names[name] = field
        return field

    def _state_field(self, span: RecordedSpan) -> bytes:
        context = span.get_span_context()
        field = self._encoder.state((context if self._wall is None else self._wall.context(context)).trace_state)
        self._state, self._state_bytes = context.trace_state, field
        return field

    def _attribute_field(self, key: str, value: AnyValue) -> bytes:
        left = value if self._wall is None else self._wall.attribute(key, value)
        if left is None:
            return b""
        field = self._encoder.attribute(key, left)
        memory = self._memories.get(type(value))
        same = left == value or (self._wall is not None and self._wall.hashes(key))
        # Zero is not remembered: 0.0 and -0.0 are equal, and not the same.
        if memory is not None and same and value and self._remembers(value):
            memory.setdefault(key, {})[value] = field
        return field

    def _remembers(self, value: object) -> bool:
        """Whether one more is to be remembered, which is counted."""
        if isinstance(value, str) and len(value) > LONGEST_NAME:
            return False
        if self._remembered >= _MOST_REMEMBERED:
            self.forget()
        self._remembered += 1
        return True

    def _link_fields(self, span: RecordedSpan) -> bytes:
        links, dropped = all_links_of(span)
        return self._encoder.links(links if self._wall is None else [self._wall.link(link) for link in links], dropped)


class EncodedPacking:
    """Spans as OTLP bytes."""

    size_of = staticmethod(len)

    def __init__(self, wall: Wall | None) -> None:
        self._encoder = Encoder()
        self._wall = wall
        self._parts = _Parts(self._encoder, wall)

    def pack(self, span: ReadableSpan) -> bytes:
        """Return what leaves of the span, encoded."""
        wall, parts = self._wall, self._parts
        if wall is not None and wall.version != parts.version:
            parts.forget()
        encoded = parts.pack(span)
        if encoded is None:
            encoded = self._encoder.span(span if wall is None else wall.leaving(span))
        return encoded

    def join(self, groups: Sequence[Group], spans: Sequence[bytes]) -> bytes:
        """Return the bytes of an ``ExportTraceServiceRequest``."""
        return self._encoder.request(groups, spans)


class StockPacking:
    """Spans as they are, what may leave of them."""

    def __init__(self, wall: Wall | None) -> None:
        self._wall = wall

    @staticmethod
    def size_of(packed: object) -> int:  # noqa: ARG004  nobody knows how large one is
        """Return what most spans take at the most."""
        return STOCK_SPAN_BYTES

    def pack(self, span: ReadableSpan) -> ReadableSpan:
        """Return the span, resource and scope included: the stock exporter takes them from it."""
        return span if self._wall is None else self._wall.span(span)

    def join(self, groups: Sequence[Group], spans: Sequence[ReadableSpan]) -> Sequence[ReadableSpan]:  # noqa: ARG002
        """Return the spans alone; the stock exporter groups them itself."""
        return spans


def build_packing(settings: TracingSettings, wall: Wall | None) -> Packing:
    """Return the packing for the exporter that the settings name. Without a wall a span leaves as it was recorded."""
    return StockPacking(wall) if settings.exporter == "stock" else EncodedPacking(wall)
