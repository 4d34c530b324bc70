"""The faults of the servers that every environment has, each with the alerts that it is to fire."""

from __future__ import annotations

import datetime as dt
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceServicer, add_TraceServiceServicer_to_server
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from benchmarks.alerts.scenario import USUAL, Scenario, refused, unbroken
from benchmarks.alerts.topic import ON_A_TOPIC, ON_TEMPO, STORE_ELSEWHERE
from benchmarks.repeated import repeated
from stacks.trial.load import Pace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from benchmarks.alerts.stage import Stage

HEAVY = Pace(40, 3600, span_bytes=700, give_up_seconds=5)
"""A load that fills the queues of the environment within two minutes."""
MANY = Pace(1500, 3600, spans=1, span_bytes=150, give_up_seconds=5)
"""Traces of one small span."""
STEADY = Pace(45, 3600, span_bytes=6000, give_up_seconds=5)
"""A load that agents take with ease while a gateway answers. Its requests are larger than the batches that agents wait to fill, so that as
many as may be under way fill the memory of an agent."""
FLOOD = Pace(40, 3600, span_bytes=6000, give_up_seconds=5)
"""More than collectors with hardly any memory take."""


@contextmanager
def _backend_away(stage: Stage) -> Iterator[None]:
    with stage.people(), refused("jaeger-0")(stage):
        yield


def _killed_again_and_again(stage: Stage) -> AbstractContextManager[None]:
    """A server that is killed and started again at once, each time after a scrape or two have seen it."""
    return repeated(lambda: stage.start_again("sampling-0"), 4)


def _stranger(stage: Stage) -> AbstractContextManager[None]:
    """Another server in place of a gateway, which refuses what it is sent for good."""
    return _in_place(stage, lambda _: 400)


def _silent(stage: Stage) -> AbstractContextManager[None]:
    """A gateway that takes requests and answers none, so that what is under way to it stays in the memory of the agents."""

    def wait(ended: threading.Event) -> int:
        ended.wait()
        return 503

    return _in_place(stage, wait)


@contextmanager
def _in_place(stage: Stage, answer: Callable[[threading.Event], int]) -> Iterator[None]:
    """A server in place of a gateway; ``answer`` gives the status of each answer, and is told when the fault ends."""
    ended = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        """Takes the body, and answers."""

        def do_POST(self) -> None:
            """Take the body and answer."""
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(answer(ended))
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the overridden method
            """Say nothing."""

    listed = stage.faults.find("gateway-0")
    with refused("gateway-0")(stage), ThreadingHTTPServer((listed.address, listed.ports["otlp-http"]), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield
        finally:
            ended.set()
            server.shutdown()
            thread.join()


def _request(spans: Sequence[Span]) -> bytes:
    scope, whole = ScopeSpans(spans=spans), ResourceSpans()
    whole.resource.attributes.append(KeyValue(key="service.name", value=AnyValue(string_value="orders")))
    whole.scope_spans.append(scope)
    return ExportTraceServiceRequest(resource_spans=[whole]).SerializeToString()


def _span(number: int, name: str, filling: str = "", kind: Span.SpanKind.ValueType = Span.SPAN_KIND_CLIENT) -> Span:
    now = time.time_ns()
    filled = [KeyValue(key="virtengine.filling", value=AnyValue(string_value=filling))] if filling else []
    identity = (now + number).to_bytes(16, "big")
    return Span(
        trace_id=identity,
        span_id=identity[8:],
        name=name,
        kind=kind,
        start_time_unix_nano=now,
        end_time_unix_nano=now + 10**7,
        attributes=filled,
    )


def _sent(stage: Stage, spans: Callable[[], Sequence[Span]], every: float) -> AbstractContextManager[None]:
    """Send spans of its own again and again while the context lasts."""

    def send() -> None:
        # A collector that is busy with earlier ones answers late.
        with suppress(OSError):
            stage.post(_request(spans()))

    return repeated(send, every)


class _Refusing(TraceServiceServicer):
    """Takes no span, for good."""

    def Export(self, request: object, context: grpc.ServicerContext) -> None:  # noqa: ARG002, N802 - the signature that is overridden
        """Refuse."""
        context.abort(grpc.StatusCode.INVALID_ARGUMENT, "no spans here")


@contextmanager
def _other_store(stage: Stage) -> Iterator[None]:
    """Another server in place of the store, which refuses what it is sent for good."""
    listed, server = stage.faults.find("jaeger-0"), grpc.server(ThreadPoolExecutor(4))
    add_TraceServiceServicer_to_server(_Refusing(), server)  # type: ignore[no-untyped-call]  # written by protoc
    with refused("jaeger-0")(stage):
        server.add_insecure_port(f"{listed.address}:{listed.ports['otlp-grpc']}")
        server.start()
        try:
            yield
        finally:
            server.stop(0).wait()


def _many_names(stage: Stage) -> AbstractContextManager[None]:
    return _sent(stage, lambda: [_span(number, f"order {number}") for number in range(50)], 1)


def _half_calls(stage: Stage) -> AbstractContextManager[None]:
    return _sent(stage, lambda: [_span(number, "call") for number in range(500)], 1)


@contextmanager
def _filled_volume(stage: Stage) -> Iterator[None]:
    """A file beside a gateway's queue that grows until there is no room."""
    folder = Path(stage.faults.find("gateway-0").volumes["queue"])
    filler = folder / "filler"

    def fill() -> None:
        if shutil.disk_usage(folder).free > 2**20:
            with filler.open("ab") as file:
                file.write(bytes(2**19))

    try:
        with repeated(fill, 1):
            yield
    finally:
        filler.unlink()


@contextmanager
def _old_certificate(stage: Stage) -> Iterator[None]:
    """A certificate that ends in three days in place of the intake's."""
    path = Path(next(file.path for file in stage.running.plan.workload("agent").secret_files if file.key == "tls.crt"))
    before = path.read_text(encoding="utf-8")
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "old")])
    now = dt.datetime.now(dt.UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
    made = made.not_valid_before(now - dt.timedelta(days=87)).not_valid_after(now + dt.timedelta(days=3))
    path.write_bytes(made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    try:
        yield
    finally:
        path.write_text(before, encoding="utf-8")


def _damaged(name: str, away: str) -> Callable[[Stage], AbstractContextManager[None]]:
    """A queue file that is overwritten while it holds spans, because what is behind it is away."""

    @contextmanager
    def make(stage: Stage) -> Iterator[None]:
        with ExitStack() as stack:
            stack.enter_context(refused(away)(stage))
            time.sleep(5)
            stage.faults.damage(name, "queue", "garbage")
            stage.faults.wait_healthy(name)
        yield

    return make


SCENARIOS = {
    "sampling-down": Scenario(title="The strategy server is away", alerts=("TracingSamplingDown",), make=refused("sampling-0")),
    "access-down": Scenario(title="The login proxy is away", alerts=("TracingAccessDown",), make=refused("access-0")),
    "agent-down": Scenario(title="An agent is away", alerts=("TracingAgentDown",), after=("TracingLateSpans",), make=refused("agent-1")),
    "restarts": Scenario(title="A server is killed again and again", alerts=("TracingServerRestarts",), make=_killed_again_and_again),
    "certificate": Scenario(title="A certificate was not renewed", alerts=("TracingCertificateExpires",), make=_old_certificate),
    "gateway-away": Scenario(
        title="A gateway is away until the agents' queues are full",
        alerts=(
            "TracingGatewayDown",
            "TracingAgentDeliveryStalled",
            "TracingAgentQueueFilling",
            "TracingAgentQueueFull",
            "TracingSpansRefused",
        ),
        make=refused("gateway-0"),
        load=HEAVY,
    ),
    "stranger": Scenario(
        title="Another server answers in place of a gateway", alerts=("TracingAgentDeliveryFailed",), make=_stranger, load=USUAL
    ),
    "other-store": Scenario(
        title="Another server answers in place of the store", alerts=("TracingGatewayDeliveryFailed",), make=_other_store
    ),
    "backend-away": Scenario(
        title="The backend is away until the gateways' queues are full",
        alerts=(
            "TracingJaegerDown",
            "TracingGatewayDeliveryStalled",
            "TracingGatewayQueueFilling",
            "TracingGatewayQueueFull",
            "TracingLoginFails",
        ),
        make=_backend_away,
        load=HEAVY,
    ),
    "no-spans": Scenario(title="No service sends", alerts=("TracingNoSpans",), make=unbroken, load=None),
    "gateway-queue": Scenario(
        title="A gateway's queue file is overwritten",
        alerts=("TracingGatewayQueueDamaged",),
        make=_damaged("gateway-0", "jaeger-0"),
        stays=True,
    ),
    "agent-queue": Scenario(
        title="An agent's queue file is overwritten",
        alerts=("TracingAgentQueueDamaged",),
        make=_damaged("agent-1", "gateway-0"),
        stays=True,
    ),
    "volume": Scenario(
        title="A volume fills up",
        alerts=("TracingVolumeFillsUp", "TracingVolumeFull"),
        make=_filled_volume,
        environment="disks",
        stays=True,
    ),
    "names": Scenario(
        title="A service has ids in the names of its spans", alerts=("TracingSpanMetricsFull",), make=_many_names, environment="tight"
    ),
    "half-calls": Scenario(
        title="Calls whose other side is not traced", alerts=("TracingServiceGraphFull",), make=_half_calls, environment="tight"
    ),
    "many-traces": Scenario(
        title="Traces are smaller and more than expected",
        alerts=("TracingSamplingFull",),
        make=unbroken,
        load=MANY,
        rises=True,
        environment="tight",
    ),
    "flood": Scenario(
        title="A gateway answers nothing, and more comes than the memory of an agent holds",
        alerts=("TracingAgentMemoryFull",),
        make=_silent,
        load=STEADY,
        environment="small",
    ),
    "crowd": Scenario(
        title="More comes than the memory of a gateway holds",
        alerts=("TracingGatewayMemoryFull",),
        make=unbroken,
        load=FLOOD,
        rises=True,
        environment="crowded",
    ),
    **STORE_ELSEWHERE,
    **ON_TEMPO,
    **ON_A_TOPIC,
}
"""In the order in which they are run."""
