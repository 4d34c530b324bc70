# What _native.c offers. The methods that it calls are those of the classes that are made from these.

from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar, Token
from typing import Any, Self, TypeAlias

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace import Tracer as SdkTracer
from opentelemetry.trace import Span, SpanContext, SpanKind, Status, TraceFlags, TraceState
from opentelemetry.util.types import AnyValue

from tracing_lib.fast.span import FastSpan
from tracing_lib.sampling.operation import Decided

Ids: TypeAlias = tuple[int, int, bool, TraceFlags, TraceState, bool] | SpanContext
# The fields of a SpanContext: trace, span, whether it is remote, flags, state, whether it is valid.

class Pipeline:
    processor: Any
    direct: Any
    count_start: Callable[[], int] | None

class Origin:
    tracer: SdkTracer
    def __init__(self, tracer: SdkTracer, pipeline: Pipeline, room: int) -> None: ...
    @property
    def pipeline(self) -> Pipeline: ...
    @property
    def room(self) -> int: ...

class SpanCore:
    _attributes: Any
    _context: Any
    _end_time: int | None
    _kind: SpanKind
    _eventful: bool
    _linked: bool
    _name: str
    _start_time: int | None
    _status: Status
    @property
    def ids(self) -> Ids: ...
    @property
    def _above(self) -> Ids | None: ...
    @property
    def _origin(self) -> Origin: ...
    @property
    def _plain_links(self) -> tuple[SpanContext, ...]: ...
    def _add_plain_link(self, context: SpanContext, most: int, /) -> bool: ...
    def _copied(self) -> Self: ...
    def set_attribute(self, key: str, value: AnyValue) -> None: ...
    def set_attributes(self, attributes: Mapping[str, AnyValue]) -> None: ...
    def is_recording(self) -> bool: ...
    def get_span_context(self) -> SpanContext: ...
    def end(self, end_time: int | None = None) -> None: ...

class TracerCore:
    _origin: Origin
    _decide: Callable[[str], Decided] | None
    _otherwise: tuple[TraceFlags, TraceFlags, TraceState]
    _plain_ids: bool
    def start_child(self, name: str, kind: SpanKind, attributes: Mapping[str, AnyValue] | None, /) -> tuple[Span, Token[Context]]: ...
    def start_server_span(
        self, name: str, headers: Iterable[tuple[Any, Any]], attributes: Mapping[str, AnyValue], /
    ) -> tuple[Span, Context]: ...
    def inject(self, carrier: dict[str, str], to: str | None, /) -> None: ...
    def attach(self, context: Context, /) -> Token[Context]: ...
    def leave(self, token: Token[Context], /) -> None: ...

class PackCore:
    _kinds: tuple[SpanKind, ...]
    _names: dict[str, bytes]
    _texts: dict[str, dict[str, bytes]]
    _integers: dict[str, dict[int, bytes]]
    _floats: dict[str, dict[float, bytes]]
    _state: TraceState | None
    _state_bytes: bytes
    def pack(self, span: ReadableSpan, /) -> bytes | None: ...

def set_up(
    variable: ContextVar[Context] | None,
    context: type[Context],
    span_key: str,
    baggage_key: str,
    span_context: type[SpanContext],
    non_recording: Callable[[SpanContext], Span],
    span: type[FastSpan],
    get_textmap: Callable[[], object],
    propagator: type,
    bits: Callable[[int], int],
    server: SpanKind,
    flags: tuple[TraceFlags, ...],
    default_state: TraceState,
    states: dict[str | bytes, TraceState],
    /,
) -> None: ...
def record(
    origin: Origin, name: str, ids: Ids | None, above: Ids | None, kind: SpanKind, attributes: Mapping[str, AnyValue] | None, /
) -> FastSpan: ...
def root(
    origin: Origin,
    name: str,
    kind: SpanKind,
    attributes: Mapping[str, AnyValue] | None,
    decision: Decided,
    otherwise: tuple[TraceFlags, TraceFlags, TraceState],
    /,
) -> FastSpan | Ids: ...
def with_span(context: Context, span: Span, /) -> Context: ...
