"""What every span costs, in Python: made, given attributes, ended, and its ids read from and written to headers.

The same as ``_native.c``, for where that was not built; ``native`` chooses. All of it is the plain case: whatever is not plain is left to
the caller, or to a method of the span's. What is plain enough may differ (C takes headers in tuples only); what comes out of it does not.
"""

from __future__ import annotations

import binascii
import re
from time import monotonic, time_ns
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypeVar, cast

from opentelemetry.trace import Status

from tracing_lib.fast.plain import PLAIN, all_plain
from tracing_lib.sampling.probability import RANDOMNESS

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
    from contextvars import ContextVar

    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
    from opentelemetry.sdk.trace import Tracer as SdkTracer
    from opentelemetry.trace import Link, Span, SpanKind, TraceFlags, Tracer, TracerProvider, TraceState
    from opentelemetry.util.types import AnyValue

    from tracing_lib.fast.span import Ids, RecordedSpan
    from tracing_lib.fast.tracer import ShortTracer
    from tracing_lib.propagation.headers import OwnPropagator
    from tracing_lib.sampling.operation import Decided, Lease

_Span = TypeVar("_Span", bound="SpanCore")
_TRACEPARENT: Final = r"00-([0-9a-f]{32})-([0-9a-f]{16})-0([0-3])"
_PLAIN: Final[dict[type, re.Pattern[Any]]] = {str: re.compile(_TRACEPARENT), bytes: re.compile(_TRACEPARENT.encode())}
_PARENT: Final = frozenset({"traceparent", b"traceparent"})
_BAGGAGE: Final = frozenset({"baggage", b"baggage"})
_HEADERS: Final = frozenset({"tracestate", b"tracestate"}) | _PARENT | _BAGGAGE
_URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")
JOB_PREFIX: Final = "ve1."
"""What the token of a job begins with: its kind and version."""


class Recording:
    """What the spans of one tracer have in common (``spans.recording_of``)."""

    __slots__ = ("inner", "processor", "room", "stages", "started")

    inner: SdkTracer
    processor: Any
    stages: bool
    """Whether all that the processor does is to count a span that starts and to stage one that ends, others added to it apart."""
    started: Any
    """What counts a span that starts, where it stages."""
    room: int
    """Attributes that a span may have, and none are plain where their length is limited."""


class TracerCore:
    """What the short way to a span asks a tracer for."""

    inner: SdkTracer
    quick: Recording | None
    """What the spans have in common, where their ids are random and one that starts is counted and nothing else."""
    decide: Callable[[str], Decided] | None
    """What says, from the name alone, which traces are sampled that begin without links; none where more must be asked."""
    leases: dict[str, Lease] | None
    """What ``decide`` said last, for as long as it stands."""
    otherwise: tuple[TraceFlags, TraceFlags, TraceState]
    """Flags of traces that are not sampled, and of those that are, and the trace state of the former."""


class StageCore:
    """What the short way of a span asks the processor for."""

    stage: deque[ReadableSpan]
    """Spans that ended and wait to be encoded."""
    quiet: int = 0
    """With fewer spans on the stage than this nothing is to be done for one more but to put it there."""
    _span_processors: tuple[SpanProcessor, ...]
    """Those that were added to it."""


class SpanCore:
    """What a recorded span holds, and what is done to every one of them."""

    ids: Ids
    _above: Ids | None
    _attributes: Any
    _end_time: int | None = None
    _eventful: bool = False
    """Whether it may have events."""
    _kind: SpanKind
    _later: tuple[Callable[[], Link], ...] = ()
    """What makes the links that nobody has asked for yet."""
    _linked: bool = False
    """Whether the links are made."""
    _name: str
    _open: bool
    _recording: Recording
    _start_time: int | None
    _status: Status = Status()

    if TYPE_CHECKING:  # what the class that is made from this one does where it takes more

        def _set_attribute(self, key: str, value: AnyValue) -> None: ...
        def _set_attributes(self, attributes: Mapping[str, AnyValue]) -> None: ...
        def _ended_twice(self) -> None: ...
        def _freeze(self) -> None: ...

    def set_attribute(self, key: str, value: AnyValue) -> None:
        """Set an attribute, as ``opentelemetry.trace.Span`` has it."""
        held = self._attributes
        plain = type(value) in PLAIN and type(key) is str and key and type(held) is dict
        if plain and self._end_time is None and len(held) < self._recording.room:
            # Last, as in the SDK, where what is set again moves to the end.
            held.pop(key, None)
            held[key] = value
        else:
            self._set_attribute(key, value)

    def set_attributes(self, attributes: Mapping[str, AnyValue]) -> None:
        """Set several attributes, as ``opentelemetry.trace.Span`` has it."""
        held = self._attributes
        free = isinstance(attributes, dict) and attributes is not held and type(held) is dict and self._end_time is None
        if free and len(held) + len(attributes) <= self._recording.room and all_plain(attributes):
            for key, value in attributes.items():
                held.pop(key, None)
                held[key] = value
        else:
            self._set_attributes(attributes)

    def is_recording(self) -> bool:
        """Whether the span has not ended."""
        return self._end_time is None

    def end(self, end_time: int | None = None) -> None:
        """End the span and give it to the processors, as ``opentelemetry.trace.Span`` has it."""
        try:
            del self._open  # of several threads one succeeds
        except AttributeError:
            self._ended_twice()
            return
        self._end_time = time_ns() if end_time is None else end_time
        if type(self._attributes) is not dict:
            self._freeze()
        recording = self._recording
        processor = recording.processor
        if recording.stages and len(processor.stage) < processor.quiet:
            processor.stage.append(self)
        else:
            processor._on_ending(self)
            processor.on_end(self)


class PackCore:
    """What leaves of names, attributes and trace states, encoded and remembered."""

    _span_type: type
    """Of the spans that may take the short way: ``RecordedSpan``."""
    _kinds: tuple[SpanKind, ...]
    """In the order of their numbers, from 1."""
    _names: dict[str, bytes]
    _texts: dict[str, dict[str, bytes]]
    """Fields by key and value."""
    _integers: dict[str, dict[int, bytes]]
    _floats: dict[str, dict[float, bytes]]
    """Without zero, of which there are two that are equal."""
    _state: TraceState | None
    """The trace state seen last."""
    _state_bytes: bytes

    if TYPE_CHECKING:  # as above; what is not remembered is asked for here

        def _name_field(self, name: str) -> bytes: ...
        def _state_field(self, span: RecordedSpan) -> bytes: ...
        def _attribute_field(self, key: str, value: AnyValue) -> bytes: ...
        def _link_fields(self, span: RecordedSpan) -> bytes: ...

    def pack(self, span: ReadableSpan) -> bytes | None:  # noqa: ARG002  the long way gives the same bytes
        """Return what leaves of an ended span, as ``Encoder.span`` gives it; None where it takes more."""
        return None


class SourceCore:
    """What the tracer of one instrumented scope is asked for: the same as long as the provider is."""

    __slots__ = ("_fixed", "_globals", "_home", "_key", "_provider", "_tracer")

    _fixed: bool
    _globals: dict[str, Any]
    _home: Home | None
    _key: str
    _provider: TracerProvider | None
    _tracer: Tracer | None

    if TYPE_CHECKING:  # as above

        def _look_up(self) -> Tracer | None: ...

    def get(self) -> Tracer | None:
        """Return the tracer, or None while nobody would receive a span."""
        if self._fixed or (self._provider is not None and self._globals.get(self._key) is self._provider):
            return self._tracer
        return self._look_up()


def record(  # noqa: PLR0917  called for every span
    cls: type[_Span],
    recording: Recording,
    name: str,
    ids: Ids | Callable[[int], int],
    above: Ids | None,
    kind: SpanKind,
    attributes: Mapping[str, AnyValue] | None,
    marks: dict[str, AnyValue],
) -> _Span:
    """Return a span that starts now. ``ids``: its own, or what gives random bits for a child of ``above``; ``marks`` are plain."""
    span = object.__new__(cls)
    span._recording = recording
    if not isinstance(ids, tuple):
        ids = above[0], ids(64) or 1, False, above[3], above[4], True  # type: ignore[index]  # a child has a parent
    span._name, span.ids, span._above, span._kind, span._open = name, ids, above, kind, True
    given = () if attributes is None else attributes
    if len(given) + len(marks) <= recording.room and (not given or (isinstance(given, dict) and all_plain(given))):
        span._attributes = {**given, **marks} if given else {**marks}
    else:
        span._attributes = {}
        span.set_attributes(attributes or {})
        span.set_attributes(marks)
    span._start_time = time_ns()
    return span


def root(  # noqa: PLR0917  as above
    cls: type[_Span],
    recording: Recording,
    name: str,
    bits: Callable[[int], int],
    kind: SpanKind,
    attributes: Mapping[str, AnyValue] | None,
    decision: Decided,
    otherwise: tuple[TraceFlags, TraceFlags, TraceState],
) -> _Span | Ids:
    """Return the first span of a new trace, or where that is not sampled its ids.

    ``decision``: the threshold that the trace id has to reach, and marks and trace state of the traces that do. ``otherwise``: flags of
    traces that are not sampled, and of those that are, and the trace state of the former.
    """
    trace_id = bits(128) or 1
    threshold, marks, state = decision
    sampled = state is not None and trace_id & RANDOMNESS >= threshold
    ids = (
        trace_id,
        bits(64) or 1,
        False,
        otherwise[1] if sampled else otherwise[0],
        state if state is not None and sampled else otherwise[2],
        True,
    )
    return record(cls, recording, name, ids, None, kind, attributes, marks) if sampled else ids


def derived(cls: type[Context], key: str, value: object, context: Context) -> Context:
    """Return the context with one entry more, or another."""
    return cls({**context, key: value})


def current(variable: ContextVar[Context], key: str, nothing: Span, otherwise: Callable[[Context], Span]) -> Span:
    """Return the span of the current context, or ``nothing``; ``otherwise`` is asked about what is no recorded one."""
    context = variable.get()
    span = context.get(key)
    return nothing if span is None else cast("Span", span) if isinstance(span, SpanCore) else otherwise(context)


def caller(
    states: Mapping[str | bytes, TraceState], flags: tuple[TraceFlags, ...], default: TraceState, headers: Iterable[tuple[Any, Any]]
) -> Ids | Literal[False] | None:
    """Return the ids in plain headers, none where there are no headers, and ``False`` where it takes more to read them.

    ``headers``: names in lower case with their values, both bytes or both text. ``states``: trace states by their headers.
    """
    parent: Any = None
    state: Any = None
    for name, value in headers:
        if name not in _HEADERS:
            continue
        if name in _PARENT:
            if parent is not None:
                return False
            parent = value
        else:
            if state is not None or name in _BAGGAGE:
                return False
            state = value
    if parent is None:
        return None
    pattern = _PLAIN.get(type(parent))
    matched = None if pattern is None else pattern.fullmatch(parent)
    known = default if state is None else states.get(state) if isinstance(state, str | bytes) else None
    if matched is None or known is None:
        return False
    trace_id, span_id, sampled = matched.groups()
    found = int(trace_id, 16), int(span_id, 16), True, flags[int(sampled)], known, True
    return found if found[0] and found[1] else False


class Home(NamedTuple):
    """What ``enter`` and ``serve`` need that is the same for a whole process."""

    variable: ContextVar[Context] | None
    """Where OpenTelemetry keeps the current context; none where it keeps it elsewhere."""
    context: type[Context]
    span_key: str
    span: type[RecordedSpan]
    tracer: type[ShortTracer]
    bits: Callable[[int], int]
    no_marks: dict[str, AnyValue]
    server: SpanKind
    not_recorded: Callable[[Ids], Span]
    textmaps: dict[str, Any]
    """The variables of ``opentelemetry.propagate``."""
    textmap: str
    """Which of them is the global propagator."""
    propagator: type[OwnPropagator]
    flags: tuple[TraceFlags, ...]
    default_state: TraceState
    baggage_key: str


def enter(source: SourceCore, name: str, kind: SpanKind, attributes: Mapping[str, AnyValue] | None) -> tuple[Span, Context] | None:
    """Start a child of the current span and make it current; return it and the context before, or none where it takes more."""
    tracer = cast("Any", source.get())
    home = source._home
    if home is None or home.variable is None or type(tracer) is not home.tracer:
        return None
    recording, before = tracer.quick, home.variable.get()
    current = before.get(home.span_key)
    if recording is None or recording.processor._span_processors or type(current) is not home.span:
        return None
    span = record(home.span, recording, name, home.bits, current.ids, kind, attributes, home.no_marks)
    recording.started()
    home.variable.set(derived(home.context, home.span_key, span, before))
    return span, before


def serve(  # noqa: PLR0917  called for every request
    source: SourceCore,
    before: Context,
    name: str,
    attributes: Mapping[str, AnyValue],
    headers: Iterable[tuple[Any, Any]],
    key: str | None,
) -> tuple[Span, Context] | None:
    """Start the span of a request; return it and the context in which it is to become current, or none where it takes more.

    ``key``: under which that context holds the span's name and the span.
    """
    tracer = cast("Any", source.get())
    home = source._home
    propagator = None if home is None else home.textmaps.get(home.textmap)
    if home is None or type(propagator) is not home.propagator or type(tracer) is not home.tracer or home.span_key in before:
        return None
    recording, decide, above = tracer.quick, tracer.decide, propagator.caller(headers)
    if recording is None or recording.processor._span_processors or above is False:
        return None
    made: RecordedSpan | Ids
    if above is None:
        if decide is None or not tracer.inner._tracer_config.is_enabled:
            return None
        lease = None if tracer.leases is None else tracer.leases.get(name)
        decision = lease[0] if lease is not None and monotonic() < lease[1] else decide(name)
        made = root(home.span, recording, name, home.bits, home.server, attributes, decision, tracer.otherwise)
    else:
        sampled = above[3] & 1
        made = record(home.span, recording, name, home.bits, above, home.server, attributes, home.no_marks) if sampled else above
    if isinstance(made, tuple):
        span = home.not_recorded(made)
    else:
        span = made
        recording.started()
    active = {**before, home.span_key: span}
    return span, home.context(active if key is None else {**active, key: (name, span)})


class PairsCore:
    """Pairs that are mostly counted and read, and once by one who wants more are held by ``changeable`` instead."""

    pairs: tuple[tuple[str, str | bytes], ...] | None

    if TYPE_CHECKING:  # as above

        @property
        def changeable(self) -> Collection[tuple[str, str | bytes]]: ...  # noqa: D102  as above

    def __len__(self) -> int:
        return len(self.changeable if self.pairs is None else self.pairs)

    def __iter__(self) -> Iterator[tuple[str, str | bytes]]:
        return iter(self.changeable if self.pairs is None else self.pairs)


def carried(source: SourceCore, span: Span, context: Context) -> tuple[tuple[str, str], ...] | None:
    """Return the headers that carry a span, as pairs; none where it takes more. ``context``: the current one."""
    home = source._home
    propagator = None if home is None else home.textmaps.get(home.textmap)
    if home is None or type(propagator) is not home.propagator or type(span) is not home.span or home.baggage_key in context:
        return None
    found: tuple[tuple[str, str], ...] = propagator.headers(span.ids)
    return found or None


def traceparent(ids: Ids) -> str:
    """Return a span's ids as a ``traceparent`` of version 00 (W3C Trace Context)."""
    # Bytes in hexadecimal: a number with a format costs three times as much.
    return f"00-{ids[0].to_bytes(16, 'big').hex()}-{ids[1].to_bytes(8, 'big').hex()}-{ids[3].to_bytes(1, 'big').hex()}"


def token(trace_id: int, span_id: int, sampled: bool, hundredths: int) -> str:  # noqa: FBT001  called for every job
    """Return ids, flag and a time, 30 bytes, as text: ``JOB_PREFIX`` and URL-safe base64."""
    raw = trace_id.to_bytes(16, "big") + span_id.to_bytes(8, "big") + (sampled << 40 | hundredths).to_bytes(6, "big")
    return JOB_PREFIX + binascii.b2a_base64(raw, newline=False).translate(_URL_SAFE).decode("ascii")
