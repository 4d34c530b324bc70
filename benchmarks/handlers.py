"""Echo handlers with tracing: ``python -m benchmarks.handlers KIND MODE URL`` prints the p50 and p95 of a call in µs as JSON.

Kinds: ``grpc`` (a real server and client on loopback) and ``asgi`` (an application called as a server calls it). Modes: ``off``;
``stock``, contrib's instrumentation on the stock pipeline; ``ours``, the same instrumentation on this library's; ``own``, this library's
instrumentation on its pipeline, where its modules are there.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

MODES = ("off", "stock", "ours", "own")
CALLS = {"grpc": 3000, "asgi": 10_000}


def provider_of(mode: str, url: str) -> Any:  # noqa: ANN401
    """The tracer provider of a mode; None without tracing."""
    if mode == "off":
        return None
    if mode == "stock":
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{url}/v1/traces"), max_queue_size=1_000_000))
        return provider
    from tracing_lib import TracingSettings, configure

    return configure(TracingSettings(service_name="portal", endpoint=url), set_global=False).provider


def grpc_interceptors(mode: str, provider: Any) -> list[Any]:  # noqa: ANN401
    """The server's interceptors of a mode."""
    if provider is None:
        return []
    if mode == "own":
        from tracing_lib.instrument.grpc import grpc_server_interceptor

        return [grpc_server_interceptor(tracer_provider=provider)]
    from opentelemetry.instrumentation.grpc import server_interceptor

    return [server_interceptor(provider)]  # type: ignore[no-untyped-call]  # it has no types


def asgi_wrapped(mode: str, application: Any, provider: Any) -> Any:  # noqa: ANN401
    """The application under a mode's middleware."""
    if provider is None:
        return application
    if mode == "own":
        from tracing_lib.instrument.http import AsgiTracing

        return AsgiTracing(application, tracer_provider=provider)
    from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware

    return OpenTelemetryMiddleware(application, tracer_provider=provider)


def grpc_echo(mode: str, url: str) -> list[float]:
    """Seconds of each call."""
    import grpc

    interceptors = grpc_interceptors(mode, provider_of(mode, url))
    handler = grpc.method_handlers_generic_handler("echo.Echo", {"Say": grpc.unary_unary_rpc_method_handler(lambda body, _context: body)})
    server = grpc.server(ThreadPoolExecutor(1), interceptors=interceptors)
    server.add_generic_rpc_handlers((handler,))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    took = []
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = channel.unary_unary("/echo.Echo/Say", request_serializer=None, response_deserializer=None)
        for _ in range(CALLS["grpc"]):
            started = time.perf_counter()
            call(b"hello")
            took.append(time.perf_counter() - started)
    server.stop(None).wait()
    return took


def asgi_echo(mode: str, url: str) -> list[float]:
    """Seconds of each call."""

    async def echo(_scope: Any, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]) -> None:  # noqa: ANN401
        message = await receive()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
        await send({"type": "http.response.body", "body": message["body"]})

    application = asgi_wrapped(mode, echo, provider_of(mode, url))
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/echo",
        "raw_path": b"/echo",
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"portal"), (b"user-agent", b"bench")],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 8000),
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"hello", "more_body": False}

    async def send(_message: Any) -> None:  # noqa: ANN401
        pass

    async def calls() -> list[float]:
        took = []
        for _ in range(CALLS["asgi"]):
            started = time.perf_counter()
            await application(dict(scope), receive, send)
            took.append(time.perf_counter() - started)
        return took

    return asyncio.run(calls())


def main() -> None:
    """Measure one mode once."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kind", choices=CALLS)
    parser.add_argument("mode", choices=MODES)
    parser.add_argument("url")
    arguments = parser.parse_args()
    took = sorted({"grpc": grpc_echo, "asgi": asgi_echo}[arguments.kind](arguments.mode, arguments.url)[500:])
    print(json.dumps({"p50": took[len(took) // 2] * 1e6, "p95": took[int(len(took) * 0.95)] * 1e6}), flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
