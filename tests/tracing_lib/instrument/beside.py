"""A program: FastAPI served with this library beside the instrumentation of others. Prints the spans of each arrangement as JSON.

Run in a process of its own, because FastAPI looks at the global provider and some of the calls change all of a process.
"""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from collections.abc import Awaitable, Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import fastapi
import requests
from opentelemetry import propagate, trace
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.instrumentation.requests import RequestsInstrumentor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import SpanKind
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from tests.tracing_lib.instrument.recorder import Recorder, id_of, own_provider, trace_of
from tracing_lib.base.hosts import OWN_HOSTS
from tracing_lib.instrument import instrument
from tracing_lib.instrument.http import AsgiTracing
from tracing_lib.propagation.baggage import OwnPropagator

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

App = Callable[[Any, Any, Any], Awaitable[None]]
CALLER = f"00-{'a' * 32}-{'b' * 16}-01"
UNSAMPLED = f"00-{'c' * 32}-{'d' * 16}-00"
REQUESTS = 500


def plain() -> fastapi.FastAPI:
    app = fastapi.FastAPI()

    @app.get("/orders/{order_id}")
    def show(order_id: str) -> dict[str, str]:
        trace.get_tracer("service").start_span("work").end()
        return {"id": order_id}

    return app


def with_middleware(app: fastapi.FastAPI) -> fastapi.FastAPI:
    app.add_middleware(AsgiTracing)
    return app


def in_a_span(app: App) -> App:
    async def call(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401  ASGI's
        with trace.get_tracer("service").start_as_current_span("own"):
            await app(scope, receive, send)

    return call


def starlette_with_middleware() -> Starlette:
    """Return an application that makes its middleware when the first request arrives, and has no spans of its own as FastAPI has."""

    def show(_request: object) -> PlainTextResponse:
        trace.get_tracer("service").start_span("work").end()
        return PlainTextResponse("")

    return Starlette(routes=[Route("/orders/{order_id}", show)], middleware=[Middleware(AsgiTracing)])


def by_contrib(app: fastapi.FastAPI) -> fastapi.FastAPI:
    FastAPIInstrumentor.instrument_app(app)
    return app


BEFORE_ONE_CALL: dict[str, Callable[[], App]] = {
    "AsgiTracing around FastAPI's own": lambda: AsgiTracing(plain()),
    "FastAPI's own around AsgiTracing": lambda: with_middleware(plain()),
    "AsgiTracing around contrib's of one application": lambda: AsgiTracing(by_contrib(plain())),
    "contrib's of one application around AsgiTracing": lambda: by_contrib(with_middleware(plain())),
    "AsgiTracing around contrib's ASGI": lambda: AsgiTracing(OpenTelemetryMiddleware(plain())),
    "contrib's ASGI around AsgiTracing": lambda: OpenTelemetryMiddleware(AsgiTracing(plain())),
    "contrib's ASGI around AsgiTracing made with the first request": lambda: OpenTelemetryMiddleware(starlette_with_middleware()),
    "contrib's ASGI around a span of the service around AsgiTracing": lambda: OpenTelemetryMiddleware(in_a_span(AsgiTracing(plain()))),
    "AsgiTracing around AsgiTracing": lambda: AsgiTracing(with_middleware(plain())),
}
BY_CONTRIB: dict[str, Callable[[], App]] = {
    "AsgiTracing around contrib's of all": lambda: AsgiTracing(plain()),
    "contrib's of all around AsgiTracing": lambda: with_middleware(plain()),
}
AFTER_ONE_CALL: dict[str, Callable[[], App]] = {
    "instrument alone": plain,
    "instrument and AsgiTracing around": lambda: AsgiTracing(plain()),
    "instrument and AsgiTracing inside": lambda: with_middleware(plain()),
    "contrib's ASGI around instrument": lambda: OpenTelemetryMiddleware(plain()),
    "instrument around contrib's of one application": lambda: by_contrib(plain()),
}
NAMES = [*BEFORE_ONE_CALL, *BY_CONTRIB, *AFTER_ONE_CALL]


async def ask(app: App, traceparent: str | None) -> None:
    """Make one request, as a server gives it to an application, in a context of its own."""
    headers = [(b"traceparent", traceparent.encode())] if traceparent else []
    path = "/orders/7"
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": headers,
        "server": ("portal", 80),
        "client": ("127.0.0.1", 1),
    }
    statuses = []

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    await asyncio.create_task(app(scope, receive, send))  # type: ignore[arg-type]  # a coroutine
    assert statuses == [200]


def told(spans: tuple[ReadableSpan, ...]) -> dict[str, object]:
    """Return what the test asks of a request's spans."""
    ids = {id_of(span) for span in spans}
    roots = [span for span in spans if span.parent is None or span.parent.span_id not in ids]
    return {
        "servers": sum(span.kind is SpanKind.SERVER for span in spans),
        "traces": len({trace_of(span) for span in spans}),
        "roots": [(f"{trace_of(span):032x}", f"{span.parent.span_id:016x}" if span.parent else None) for span in roots],
        "work": sum(span.name == "work" for span in spans),
    }


def observe(app: App, recorder: Recorder) -> dict[str, object]:
    """Return what the requests of three callers left: nobody, one that is sampled, one that is not."""
    found: dict[str, object] = {}
    for caller, traceparent in (("nobody", None), ("sampled", CALLER), ("unsampled", UNSAMPLED)):
        recorder.clear()
        asyncio.run(ask(app, traceparent))
        found[caller] = told(tuple(recorder.spans))
    return found


async def _many(app: App) -> None:
    for _ in range(REQUESTS):
        await ask(app, None)


def ratio(app: App, recorder: Recorder) -> int:
    """Return how many traces so many requests left."""
    recorder.clear()
    asyncio.run(_many(app))
    return len({trace_of(span) for span in recorder.spans})


class Shop(BaseHTTPRequestHandler):
    """A server that is called."""

    seen: list[str | None] = []  # noqa: RUF012  of one process

    def do_GET(self) -> None:
        """Answer, and keep the caller."""
        self.seen.append(self.headers["traceparent"])
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def calling(recorder: Recorder) -> list[tuple[str, str, str | None]]:
    """Return the spans of a request whose endpoint calls another server with requests, instrumented by contrib."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Shop)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    app = fastapi.FastAPI()

    @app.get("/orders/{order_id}")
    def show(order_id: str) -> str:
        requests.get(f"http://127.0.0.1:{server.server_port}/{order_id}", timeout=60)
        return order_id

    recorder.clear()
    RequestsInstrumentor().instrument()
    asyncio.run(ask(AsgiTracing(app), None))
    RequestsInstrumentor().uninstrument()
    server.shutdown()
    by_id = {id_of(span): span.name for span in recorder.spans}
    client = next(span for span in recorder.spans if span.kind is SpanKind.CLIENT)
    assert Shop.seen == [f"00-{trace_of(client):032x}-{id_of(client):016x}-{int(client.context.trace_flags):02x}"]
    return [(span.name, span.kind.name, by_id.get(span.parent.span_id) if span.parent else None) for span in recorder.spans]


def main() -> None:
    own, sampled = sys.argv[1] == "own", sys.argv[2] == "all"
    if own:
        propagate.set_global_textmap(OwnPropagator(OWN_HOSTS))
    recorder = Recorder(ParentBased(TraceIdRatioBased(1.0 if sampled else 0.1)), own_provider(1.0 if sampled else 0.1) if own else None)
    trace.set_tracer_provider(recorder.provider)
    look: Callable[[App, Recorder], object] = observe if sampled else ratio
    found = {name: look(make(), recorder) for name, make in BEFORE_ONE_CALL.items()}
    FastAPIInstrumentor().instrument()
    found |= {name: look(make(), recorder) for name, make in BY_CONTRIB.items()}
    FastAPIInstrumentor().uninstrument()
    if sampled:
        found["requests"] = calling(recorder)
    instrument(skip=["grpc", "httpx", "celery", "requests"])
    found |= {name: look(make(), recorder) for name, make in AFTER_ONE_CALL.items()}
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
