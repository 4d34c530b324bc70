"""Spans and log records with canaries in every input, made with the real SDK and encoded to the real bytes."""

from __future__ import annotations

import io
import logging
import random
from typing import TYPE_CHECKING

from opentelemetry import baggage, trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState

from tests.tracing_lib.privacy.canaries import KEYS, STRUCTURAL, Canary, any_canary, found, patterned
from tracing_lib.logs import JsonFormatter
from tracing_lib.privacy.attribute import Attribute, Privacy, Shape
from tracing_lib.privacy.policy import PrivacyPolicy
from tracing_lib.privacy.registry import Registry, library_registry
from tracing_lib.propagation.baggage import OwnBaggagePropagator
from tracing_lib.provider import recorder

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from opentelemetry.sdk.trace import ReadableSpan

NOTE = "virtengine.fuzz.note"
"""A declared free text: the value rules alone stand before it."""

DROPPED = "virtengine.fuzz.diagnosis"
"""Declared, and of the class drop."""

MISTAKES = tuple(key for keys in KEYS.values() for key in keys)
"""Keys that should never have been declared: the key rules alone stand before them."""


def registry() -> Registry:
    made = Registry(library_registry())
    made.declare(Attribute(DROPPED, "Declared for the fuzz.", Shape.TEXT, Privacy.DROP))
    made.declare(Attribute(NOTE, "Declared for the fuzz.", Shape.TEXT))
    # As of a convention, because a service cannot declare keys in camel case, and an instrumentation can.
    made.declare_convention(*(Attribute(key, "Declared for the fuzz.", Shape.TEXT) for key in MISTAKES))
    return made


class Leaving(SpanProcessor):
    """Keeps the bytes that leave the process, made as delivery makes them."""

    def __init__(self, policy: PrivacyPolicy) -> None:
        self._encoder = recorder()[1](policy)
        self.sent: list[bytes] = []

    def on_end(self, span: ReadableSpan) -> None:
        group, encoded = self._encoder.encode(span)
        self.sent.append(self._encoder.request([group], [encoded]))


class Rig:
    """One process's tracing and logging, of which everything that leaves is kept."""

    def __init__(self, policy: PrivacyPolicy) -> None:
        self.bytes = Leaving(policy)
        self.lines = io.StringIO()
        self._handler = logging.StreamHandler(self.lines)
        self.formatter = JsonFormatter(policy)
        self._handler.setFormatter(self.formatter)
        self._logger = logging.Logger("fuzz")  # noqa: LOG001  one that nobody else configures
        self._logger.addHandler(self._handler)
        self.propagator = OwnBaggagePropagator(policy=policy)
        self.headers: list[dict[str, str]] = []

    def tracer(self, canary: Canary) -> trace.Tracer:
        resource = Resource({"service.name": canary.text, f"customer {canary.text}": "x", "host.name": canary.text, "team": canary.text})
        provider = recorder()[0](resource=resource, shutdown_on_exit=False)
        provider.add_span_processor(self.bytes)
        return provider.get_tracer(canary.text, canary.text, attributes={"customer": canary.text})

    def left(self) -> str:
        """Everything that left since the last call, as text."""
        out = b"\n".join(self.bytes.sent).decode("utf-8", "replace") + self.lines.getvalue() + repr(self.headers)
        self.bytes.sent.clear()
        self.headers.clear()
        self.lines.seek(0)
        self.lines.truncate()
        return out

    def log(self, *arguments: object, **keywords: object) -> None:
        self._logger.info(*arguments, **keywords)  # type: ignore[arg-type]  # what a service passes

    def carry(self, key: str, value: str, to: str) -> None:
        from opentelemetry import context as contexts

        from tracing_lib.propagation.baggage import outbound_to

        with outbound_to(to):
            headers: dict[str, str] = {}
            self.propagator.inject(headers, baggage.set_baggage(key, value, contexts.get_current()))
            self.headers.append(headers)

    def receive(self, key: str, value: str) -> None:
        arrived = self.propagator.extract({"baggage": f"{key.replace(' ', '')}={value}"})
        self.headers.append({str(name): str(value) for name, value in baggage.get_all(arrived).items()})


_SENTENCES = (
    "{}",
    "order for {}",
    "GET /customers/{}",
    "Customer.{}",
    "lookup {} now",
    "publish {}",
    "/orders/{}/items",
    "{} placed order",
)


def _sentence(rng: random.Random, canary: Canary) -> str:
    return rng.choice(_SENTENCES).format(canary.text)


def _error(rng: random.Random, canary: Canary) -> Exception:
    try:
        try:
            raise KeyError(canary.text)  # noqa: TRY301  an error with a cause is what is wanted
        except KeyError as cause:
            raise rng.choice((ValueError, RuntimeError, TimeoutError))(_sentence(rng, canary)) from cause
    except Exception as error:  # noqa: BLE001  any of those above
        return error


def _attributes(rng: random.Random, canary: Canary, keys: Sequence[str]) -> dict[str, object]:
    text = rng.choice((canary.text, f"id-7 {canary.text}", _sentence(rng, canary), f"https://{canary.text}/orders?customer={canary.text}"))
    made: dict[str, object] = dict.fromkeys(rng.sample(keys, 4), text)
    made[rng.choice(("customer", "enduser.id", "db.query.text", "url.query", "http.request.header.authorization", "user.email"))] = text
    made[canary.text] = 1
    made["virtengine.account"] = made[DROPPED] = text
    made["messaging.destination.name"] = [text, canary.text]
    return made


def span_case(rng: random.Random, rig: Rig, keys: Sequence[str]) -> Canary:
    """One trace with a canary in every input of its spans."""
    canary = any_canary(rng)
    tracer = rig.tracer(canary)
    state = TraceState([("other", "x"), ("ve", canary.text.lower().replace(" ", "")[:60])]) if canary.text.isascii() else None
    caller = SpanContext(rng.getrandbits(127) + 1, rng.getrandbits(63) + 1, is_remote=True, trace_flags=TraceFlags(1), trace_state=state)
    link = Link(caller, _attributes(rng, canary, keys))  # type: ignore[arg-type]  # wrong values are the point
    span = tracer.start_span(
        _sentence(rng, canary),
        trace.set_span_in_context(NonRecordingSpan(caller)),
        rng.choice(list(SpanKind)),
        _attributes(rng, canary, keys),  # type: ignore[arg-type]  # as above
        [link],
    )
    span.set_attribute("http.route", _sentence(rng, canary))
    span.add_event(_sentence(rng, canary), _attributes(rng, canary, keys))  # type: ignore[arg-type]  # as above
    span.record_exception(_error(rng, canary), {"virtengine.error.code": canary.text})
    span.set_status(Status(StatusCode.ERROR, rng.choice((_sentence(rng, canary), f"ValueError: {canary.text}", canary.text))))
    if rng.random() < 0.3:
        span.update_name(_sentence(rng, canary))
    span.end()
    return canary


def text_case(rng: random.Random, rig: Rig, _keys: Sequence[str]) -> Canary:
    """A canary that a rule finds, in free text that was let out."""
    canary = patterned(rng)
    span = rig.tracer(canary).start_span("s", attributes={NOTE: rng.choice(("{}", "see {} now", "({})")).format(canary.text)})
    span.record_exception(_error(rng, canary))
    span.end()
    rig.log(f"customer wrote {canary.text} today")
    return canary


def key_case(rng: random.Random, rig: Rig, _keys: Sequence[str]) -> Canary:
    """A value that no rule finds, under a key that tells what it is."""
    canary = STRUCTURAL[rng.choice(list(STRUCTURAL))](rng)
    rig.tracer(canary).start_span("s", attributes={rng.choice(MISTAKES): canary.text}).end()
    rig.log("login", extra={"password": "id7" + canary.text, "customer_email": canary.text})
    return canary


def log_case(rng: random.Random, rig: Rig, _keys: Sequence[str]) -> Canary:
    """A canary in every input of a log record but a message that was put together before."""
    canary = any_canary(rng)
    error = _error(rng, canary)
    extra = {"customer": canary.text, canary.text: 1, "virtengine.order.id": canary.text, "count": 3}
    rig.log("order %s of %s failed", "order-7", canary.text, extra=extra, exc_info=error)
    rig.log("failed: %r", error)
    rig.log("failed: %(who)s", {"who": canary.text})
    rig.log(error)
    return canary


def baggage_case(rng: random.Random, rig: Rig, _keys: Sequence[str]) -> Canary:
    """A canary as baggage: as key and value, to ourselves; as a fitting value, to others."""
    canary = any_canary(rng)
    key = rng.choice(("customer", "virtengine.order.id", "virtengine.account", "tenant"))
    rig.carry(key, canary.text, "http://localhost:80")
    rig.receive(key, canary.text)
    rig.carry("virtengine.order.id", f"stranger-{canary.secrets[0].replace(' ', '')}-7", "https://api.example.org/")
    return canary


CASES: dict[str, Callable[[random.Random, Rig, Sequence[str]], Canary]] = {
    "span": span_case,
    "text": text_case,
    "key": key_case,
    "log": log_case,
    "baggage": baggage_case,
}


def policies(change: Callable[[PrivacyPolicy], None] = lambda _: None, kind: type[PrivacyPolicy] = PrivacyPolicy) -> list[PrivacyPolicy]:
    """The policy of every case, and that of the case ``text``, which has exception text opted in; both changed for a mutation."""
    made = [kind(registry()), kind(registry(), exception_text=True)]
    for policy in made:
        change(policy)
    return made


def leaks(seed: int, cases: int, pair: Sequence[PrivacyPolicy], *, rig: type[Rig] = Rig, most: int = 20) -> list[str]:
    """Run so many cases with a seed, or until so many canaries left; tell each that left, by its case."""
    rng = random.Random(seed)  # noqa: S311  to be repeated
    rigs = {name: rig(pair[name == "text"]) for name in CASES}
    keys = [attribute.key for attribute in pair[0].registry if not attribute.key.startswith("virtengine.fuzz.")]
    told: list[str] = []
    for number in range(cases):
        name = rng.choices(list(CASES), (5, 2, 1, 2, 1))[0]
        canary = CASES[name](rng, rigs[name], keys)
        if hits := found(canary, rigs[name].left()):
            told.append(f"case {number} of seed {seed}: {name}: {canary.kind} {hits}")
            if len(told) >= most:
                break
    return told
