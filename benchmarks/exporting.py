"""One vendor's way from span to sink, measured in a process of its own.

``python -m benchmarks.exporting VENDOR URL --spans N`` makes traces of ten spans with five attributes, delivers all of them, and prints
JSON: CPU of the whole process per span in µs (the making, the encoding, every thread), and how many were made.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import urlsplit

SPANS_PER_TRACE: Final = 10
WARM_UP: Final = 3_000
"""Spans before the measured ones: the interpreter adapts its bytecode, and the allocator grows, in a service's first moments."""
ATTRIBUTES: Final[Mapping[str, str | int]] = {
    "rpc.system.name": "grpc",
    "rpc.method": "virtengine.market.v1.Msg/CreateOrder",
    "rpc.response.status_code": "OK",
    "virtengine.order.id": "order-000000",
    "server.port": 9090,
}

Vendor = tuple[Callable[[], None], Callable[[], None]]
"""What makes one trace, and what delivers all that is left."""


def _attributes(orders: Iterator[int]) -> dict[str, str | int]:
    """The attributes of one trace's spans: one of them differs from trace to trace."""
    return {**ATTRIBUTES, "virtengine.order.id": f"order-{next(orders):06d}"}


def _traces_of(tracer: Any) -> Callable[[], None]:  # noqa: ANN401
    orders = itertools.count()

    def trace() -> None:
        attributes = _attributes(orders)
        with tracer.start_as_current_span("POST /orders", attributes=attributes):
            for _ in range(SPANS_PER_TRACE - 1):
                with tracer.start_as_current_span("market.keeper.CreateOrder", attributes=attributes):
                    pass

    return trace


def ours(url: str, **values: Any) -> Vendor:  # noqa: ANN401
    """This library as it comes."""
    from tracing_lib import TracingSettings, configure

    tracing = configure(TracingSettings(service_name="portal", endpoint=url, **values), set_global=False)

    def finish() -> None:
        report = tracing.shutdown(30.0)
        if not report.complete:
            raise SystemExit(f"{report.lost} spans were not delivered: {report.accounts}")

    return _traces_of(tracing.tracer("bench")), finish


def stock(url: str) -> Vendor:
    """OpenTelemetry's SDK, batch processor and OTLP/HTTP exporter, as they come; its queue has room for what is made meanwhile."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource.create({"service.name": "portal"}), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{url}/v1/traces"), max_queue_size=1_000_000))
    return _traces_of(provider.get_tracer("bench")), provider.shutdown


def ddtrace(url: str) -> Vendor:
    """Datadog's tracer, to an agent's address."""
    import os

    os.environ.update(DD_TRACE_AGENT_URL=url, DD_INSTRUMENTATION_TELEMETRY_ENABLED="0", DD_REMOTE_CONFIGURATION_ENABLED="0")
    from ddtrace.trace import tracer

    orders = itertools.count()

    def trace() -> None:
        attributes = _attributes(orders)
        with tracer.trace("POST /orders") as root:
            root.set_tags(attributes)
            for _ in range(SPANS_PER_TRACE - 1):
                with tracer.trace("market.keeper.CreateOrder") as span:
                    span.set_tags(attributes)

    return trace, tracer.shutdown


def logfire(url: str) -> Vendor:
    """Pydantic's Logfire, sending OTLP to an address of one's own."""
    import os

    os.environ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] = f"{url}/v1/traces"
    import logfire as library

    library.configure(send_to_logfire=False, console=False, metrics=False, service_name="portal", inspect_arguments=False)

    orders = itertools.count()

    def trace() -> None:
        attributes = _attributes(orders)
        with library.span("POST /orders", **attributes):
            for _ in range(SPANS_PER_TRACE - 1):
                with library.span("market.keeper.CreateOrder", **attributes):
                    pass

    return trace, lambda: (library.force_flush(), library.shutdown())[0] and None


def sentry(url: str) -> Vendor:
    """Sentry's SDK."""
    import sentry_sdk

    address = urlsplit(url)
    sentry_sdk.init(
        dsn=f"http://key@{address.netloc}/1", traces_sample_rate=1.0, default_integrations=False, auto_enabling_integrations=False
    )

    orders = itertools.count()

    def trace() -> None:
        attributes = _attributes(orders)
        with sentry_sdk.start_transaction(name="POST /orders", op="http.server") as root:
            for key, value in attributes.items():
                root.set_data(key, value)
            for _ in range(SPANS_PER_TRACE - 1):
                with sentry_sdk.start_span(op="market.keeper.CreateOrder", name="market.keeper.CreateOrder") as span:
                    for key, value in attributes.items():
                        span.set_data(key, value)

    return trace, lambda: sentry_sdk.flush(30)


def elastic(url: str) -> Vendor:
    """Elastic's APM agent."""
    import elasticapm
    from elasticapm.contrib.serverless import aws  # noqa: F401  shows early that the package is whole

    client = elasticapm.Client(
        service_name="portal",
        server_url=url,
        central_config=False,
        metrics_interval="0ms",
        cloud_provider="none",
        span_compression_enabled=False,
        transaction_max_spans=100,
        span_stack_trace_min_duration="-1ms",
        exit_span_min_duration="0ms",
        instrument=False,
    )

    orders = itertools.count()

    def trace() -> None:
        attributes = _attributes(orders)
        client.begin_transaction("request")
        elasticapm.label(**{key.replace(".", "_"): value for key, value in attributes.items()})
        for _ in range(SPANS_PER_TRACE - 1):
            with elasticapm.capture_span(
                "market.keeper.CreateOrder", labels={key.replace(".", "_"): value for key, value in attributes.items()}
            ):
                pass
        client.end_transaction("POST /orders", "OK")

    return trace, client.close


VENDORS: Final[Mapping[str, Callable[[str], Vendor]]] = {
    "stock OTLP/HTTP": stock,
    "virtengine": ours,
    "virtengine gzip": lambda url: ours(url, compression="gzip"),
    "ddtrace": ddtrace,
    "logfire": logfire,
    "sentry": sentry,
    "elastic": elastic,
}


@contextmanager
def _measured(result: dict[str, float], spans: int) -> Iterator[None]:
    cpu, wall = time.process_time(), time.perf_counter()
    yield
    result.update(cpu=(time.process_time() - cpu) / spans * 1e6, wall=(time.perf_counter() - wall) / spans * 1e6)


def main() -> None:
    """Measure one vendor once."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("vendor", choices=VENDORS)
    parser.add_argument("url")
    parser.add_argument("--spans", type=int, default=10_000)
    arguments = parser.parse_args()
    trace, finish = VENDORS[arguments.vendor](arguments.url)
    for _ in range(WARM_UP // SPANS_PER_TRACE):
        trace()
    time.sleep(1.2)  # what was imported and connected late is behind it
    result: dict[str, float] = {"spans": arguments.spans}
    with _measured(result, arguments.spans):
        for _ in range(arguments.spans // SPANS_PER_TRACE):
            trace()
        finish()
    print(json.dumps(result))


if __name__ == "__main__":
    main()
