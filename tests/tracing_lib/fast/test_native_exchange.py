"""A request is taken and its answer begun in the same way by the module in C as by Python."""

from __future__ import annotations

import gc
import sys
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from tests.tracing_lib.fast.test_entering import source, tracing
from tests.tracing_lib.fast.test_native import MANY, NOISE, outcome, same
from tracing_lib.fast import exchanges, native
from tracing_lib.fast.plain import PlainAttributes

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from tracing_lib.instrument.source import TracerSource

_native: Any = pytest.importorskip("tracing_lib.fast._native", reason="tracing_lib/fast/_native.c was not built")
__all__ = ["source", "tracing"]
TWINS: tuple[ModuleType, ModuleType] = (exchanges, _native)
EACH = pytest.mark.parametrize("twin", TWINS, ids=["python", "c"])
PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
SCOPE = {
    "type": "http",
    "method": "POST",
    "scheme": "http",
    "http_version": "1.1",
    "server": ("127.0.0.1", 80),
    "path": "/orders",
    "root_path": "/v1",
    "headers": [(b"traceparent", PARENT.encode())],
}
KNOWN = {
    ("POST", "http", "http", "1.1", ("127.0.0.1", 80)): ("POST", PlainAttributes({"http.request.method": "POST"})),
    ("GET", "http", None, None, None): ("GET", PlainAttributes({"http.request.method": "GET"})),
}
FIELDS = ("scope", "root_path", "path", "_receive", "_send", "_option", "ended", "_gone", "_trailers", "_status")


class _More:
    def _send_more(self, message: object) -> object:
        return "more", message


CLASSES: dict[Any, Any] = {twin: type("_Exchange", (_More, twin.ExchangeCore), {}) for twin in TWINS}


@pytest.fixture(autouse=True)
def _spans_of_one_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    # A process has its spans from one of the two modules, and here the class in Python meets those in C.
    monkeypatch.setattr(exchanges, "serve", native.serve)


def taken(twin: ModuleType, source: TracerSource, scope: object, *, option: bool = True) -> Any:  # noqa: ANN401  of either module
    return twin.exchange(CLASSES[twin], source, Context(), KNOWN, scope, "receive", lambda message: ("sent", message), option)


@EACH
def test_a_request_has_its_span_and_what_it_came_with(twin: ModuleType, source: TracerSource) -> None:
    found = taken(twin, source, SCOPE)
    assert (type(found), found.scope, found.root_path, found.path, found._receive) == (CLASSES[twin], SCOPE, "/v1", "/orders", "receive")
    assert (found.ended, found._gone, found._trailers, found._status, found._option) == (False, False, False, None, True)
    assert (found.span.name, dict(found.span.attributes)) == ("POST", {"http.request.method": "POST"})
    assert f"{found.span.parent.span_id:016x}" == PARENT.split("-")[2]
    assert list(found.active.values()) == [found.span]
    for field in FIELDS:
        setattr(found, field, getattr(found, field))


@pytest.mark.parametrize(
    ("change", "takes"),
    [
        ({}, True),
        ({"server": ["127.0.0.1", 80]}, True),
        ({"headers": ()}, True),
        ({"headers": None}, True),
        ({"server": ("127.0.0.1", 81)}, False),
        ({"method": "PUT"}, False),
        ({"type": "websocket"}, False),
        ({"headers": [(b"baggage", b"a=b")]}, False),
    ],
)
@EACH
def test_what_is_not_known_takes_more(twin: ModuleType, source: TracerSource, change: dict[str, object], takes: bool) -> None:  # noqa: FBT001
    assert (taken(twin, source, {**SCOPE, **change}) is not None) == takes


@EACH
def test_what_a_scope_lacks_has_the_default_of_the_specification(twin: ModuleType, source: TracerSource) -> None:
    found = taken(twin, source, {"type": "http"})
    assert (found.span.name, found.span.parent, found.root_path, found.path) == ("GET", None, "", "")
    assert taken(twin, source, MappingProxyType(SCOPE)) is None


SPANS = st.sampled_from([NonRecordingSpan(SpanContext(5, 6, is_remote=False, trace_flags=TraceFlags(flags))) for flags in (0, 1)])
HEADERS = st.sampled_from([None, [], (), [(b"a", b"b")], ((b"a", b"b"), (b"c", b"d")), 5])
MESSAGES = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["http.response.start", "http.response.body", "http.disconnect", 5]),
        "status": st.sampled_from([200, 404, None]),
        "trailers": st.sampled_from([True, False, None]),
        "headers": HEADERS,
    },
)


@given(message=MESSAGES, span=SPANS, option=st.booleans())
def test_both_begin_an_answer_in_the_same_way(message: dict[str, Any], span: object, option: bool) -> None:  # noqa: FBT001
    found = []
    for twin in TWINS:
        made = CLASSES[twin]()
        made.span, made._option, made._send = span, option, lambda given: ("sent", given)
        answer = dict(message)
        gave = outcome(lambda: made.send(answer))  # noqa: B023  called at once
        # Where it fails, how far it came is no promise.
        found.append((gave, answer, made._status, made._trailers) if gave[0] == "gave" else gave)
    assert same(*found)


@pytest.mark.parametrize(
    "call",
    [
        lambda source: _native.exchange(object, source, Context(), KNOWN, SCOPE, None, None, 1),
        lambda _source: _native.exchange(CLASSES[_native], 5, Context(), KNOWN, SCOPE, None, None, 1),
        lambda source: _native.exchange(CLASSES[_native], source, 5, KNOWN, SCOPE, None, None, 1),
        lambda source: _native.exchange(CLASSES[_native], source, Context(), [], SCOPE, None, None, 1),
        lambda source: _native.exchange(CLASSES[_native], source),
        lambda _source: CLASSES[_native]().send(5),
    ],
)
def test_what_the_module_in_c_cannot_take_is_a_type_error(source: TracerSource, call: Callable[[object], object]) -> None:
    with pytest.raises(TypeError):
        call(source)


@pytest.mark.parametrize("name", ["scope", "root_path", "path", "span", "active", "_receive", "_send"])
@EACH
def test_what_it_was_not_given_it_does_not_have(twin: ModuleType, name: str) -> None:
    with pytest.raises(AttributeError, match=name):
        getattr(CLASSES[twin](), name)


def test_an_answer_without_a_way_out_or_a_span_is_an_attribute_error() -> None:
    for option in (False, True):
        made = CLASSES[_native]()
        made._option = option
        with pytest.raises(AttributeError):
            made.send({"type": "http.response.start", "status": 200})


def test_nothing_is_kept_that_nobody_uses(source: TracerSource) -> None:
    send, receive, context = (lambda message: message), object(), Context()
    headers: list[object] = []
    span = NonRecordingSpan(SpanContext(5, 6, is_remote=False, trace_flags=TraceFlags(1)))

    def once() -> None:
        made = _native.exchange(CLASSES[_native], source, context, KNOWN, SCOPE, receive, send, 1)
        made.span.end()
        made.span = span
        made.send({"type": "http.response.start", "status": 200, "headers": headers})
        made.send({"type": "http.response.body"})

    once()
    gc.collect()
    counted = [send, receive, context, headers, span, SCOPE, *KNOWN.values()]
    before, blocks = [sys.getrefcount(one) for one in counted], sys.getallocatedblocks()
    for _ in range(MANY):
        once()
    source.get()._recording.processor.force_flush(0)  # type: ignore[union-attr]  # of a tracer of ours
    assert [sys.getrefcount(one) for one in counted] == before
    # What the spans that wait take is theirs.
    assert sys.getallocatedblocks() - blocks < NOISE + 20 * MANY
