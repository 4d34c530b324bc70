"""gRPC on real servers and clients: outcomes, parents, attributes, what other instrumentations make of it."""

from __future__ import annotations

import asyncio
import gc
import importlib
import itertools
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio
import pytest
from grpc_tools import protoc  # type: ignore[import-untyped]
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import SpanKind, StatusCode

from examples.virtengine.protos import market_pb2, market_pb2_grpc
from tests.tracing_lib.instrument import chain, grpc_cases
from tests.tracing_lib.instrument.grpc_cases import OUTCOMES, SERVICE, SHAPES
from tests.tracing_lib.instrument.recorder import Recorder, attributes, id_of, is_child
from tracing_lib import traced
from tracing_lib.instrument import trace_keeper
from tracing_lib.instrument.grpc import (
    grpc_aio_client_interceptors,
    grpc_aio_server_interceptor,
    grpc_client_interceptors,
    grpc_server_interceptor,
    trace_aio_channel,
    trace_servicer,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

CREATE = "virtengine.market.v1.Msg/CreateOrder"
PATHS = {
    "virtengine.order.id": "request.order.id",
    "virtengine.order.state": "return.order.state",
    "virtengine.bid.price": "request.bid.price",
}


@pytest.mark.filterwarnings("default")  # grpcio leaves cancelled coroutines behind when its server stops
@pytest.mark.parametrize("own", [False, True], ids=["sdk", "own"])
@pytest.mark.parametrize(("mode", "intercepted"), [("sync", True), ("aio", True), ("aio", False)], ids=["sync", "aio", "aio-channel"])
def test_every_outcome_of_every_call_shape_is_right_on_both_sides(mode: str, *, intercepted: bool, own: bool) -> None:
    found = grpc_cases.observe(grpc_cases.ours(intercepted=intercepted), mode, own=own)
    assert sorted(found) == sorted(itertools.product(OUTCOMES, SHAPES, ("client", "server")))
    assert {case: wrong for case, wrong in found.items() if wrong} == {}


def test_the_judge_of_outcomes_finds_what_the_contrib_interceptors_get_wrong() -> None:
    found = grpc_cases.observe(grpc_cases.contrib(), "sync")
    assert found["success", "unary_unary", "server"] == []
    assert "status UNSET" in found["exception", "unary_unary", "server"]
    assert "2 exceptions" in found["exception", "unary_unary", "server"]
    assert "raw text" in found["exception", "unary_unary", "client"]
    assert "code 0" in found["deadline", "unary_unary", "server"]


def test_a_call_is_one_trace_from_the_caller_through_the_servicer_to_the_keepers(recorder: Recorder) -> None:
    keepers = chain.Keepers(lambda keeper: trace_keeper(keeper, tracer_provider=recorder.provider))
    interceptor = grpc_server_interceptor(attributes=PATHS, tracer_provider=recorder.provider)
    with chain.serving(keepers.servicers(), [interceptor]) as target, grpc.insecure_channel(target) as bare:
        traced_channel: Any = grpc.intercept_channel(bare, *grpc_client_interceptors(target, tracer_provider=recorder.provider))
        with recorder.tracer.start_as_current_span("portal"):
            request = market_pb2.MsgCreateOrder(order=market_pb2.Order(id="o-1", cpu_units=4, deposit=40))
            _msg(traced_channel).CreateOrder(request)
    client, server = (next(span for span in recorder.spans if span.name == CREATE and span.kind is kind) for kind in _KINDS)
    assert is_child(client, recorder.one("portal"))
    assert is_child(server, client)
    assert is_child(recorder.one("market.keeper.CreateOrder"), server)
    assert attributes(client) == {
        "rpc.system.name": "grpc",
        "rpc.method": CREATE,
        "server.address": "127.0.0.1",
        "server.port": int(target.rpartition(":")[2]),
        "rpc.response.status_code": "OK",
    }
    assert attributes(server) == {
        "rpc.system.name": "grpc",
        "rpc.method": CREATE,
        "virtengine.order.id": "o-1",
        "virtengine.order.state": "ORDER_STATE_OPEN",
        "rpc.response.status_code": "OK",
    }


_KINDS = (SpanKind.CLIENT, SpanKind.SERVER)


def _msg(channel: grpc.Channel) -> market_pb2_grpc.MsgStub:
    return market_pb2_grpc.MsgStub(channel)  # type: ignore[no-untyped-call]  # protoc writes no types


def _stub(channel: Any, method: str = "unary_unary") -> Any:  # noqa: ANN401  the stubs' multi-callables want serializers
    return channel.unary_unary(f"/{SERVICE}/{method}")


def _names(recorder: Recorder, interceptors: list[Any], *, wrap: bool = False) -> list[str]:
    servicers = chain.Keepers().servicers()
    if wrap:
        servicers = {
            service.full_name: trace_servicer(servicers[service.full_name], service, tracer_provider=recorder.provider)
            for service in chain.SERVICES
        }
    with chain.serving(servicers, interceptors) as target, grpc.insecure_channel(target) as channel:
        for method in chain.methods():
            chain.call(channel, method)
        if interceptors or wrap:
            recorder.wait(len(chain.methods()))
    return recorder.names


def test_every_method_of_the_msg_and_query_services_has_a_span_by_interceptor(recorder: Recorder) -> None:
    names = _names(recorder, [grpc_server_interceptor(tracer_provider=recorder.provider)])
    assert chain.without_span(names) == []
    assert len(names) == len(chain.methods()) == 15


def test_every_method_of_the_msg_and_query_services_has_a_span_by_servicer(recorder: Recorder) -> None:
    assert chain.without_span(_names(recorder, [], wrap=True)) == []


def test_a_method_without_a_span_is_noticed(recorder: Recorder) -> None:
    assert len(chain.without_span(_names(recorder, []))) == 15


def test_every_method_of_the_services_has_a_keepers_method_behind_it(recorder: Recorder) -> None:
    keepers = chain.Keepers(lambda keeper: trace_keeper(keeper, tracer_provider=recorder.provider))
    with chain.serving(keepers.servicers(), [grpc_server_interceptor(tracer_provider=recorder.provider)]) as target:
        for method in chain.methods():
            recorder.clear()
            with grpc.insecure_channel(target) as channel:
                chain.call(channel, method)
            spans = recorder.wait(2)
            server = next(span for span in spans if span.kind is SpanKind.SERVER)
            module = method.containing_service.full_name.split(".")[1]
            assert [span for span in spans if span.name.startswith(f"{module}.keeper.") and is_child(span, server)], method.full_name


def test_interceptor_and_traced_servicer_are_one_span_with_the_attributes_of_both(recorder: Recorder) -> None:
    service = chain.SERVICES[2]
    servicer = trace_servicer(
        chain.MarketMsg(chain.Keepers().market),
        service,
        attributes={"virtengine.order.cpu_units": "request.order.cpu_units"},
        tracer_provider=recorder.provider,
    )
    assert isinstance(servicer, chain.MarketMsg)
    interceptor = grpc_server_interceptor(attributes=PATHS, tracer_provider=recorder.provider)
    with chain.serving({service.full_name: servicer}, [interceptor]) as target, grpc.insecure_channel(target) as channel:
        request = market_pb2.MsgCreateOrder(order=market_pb2.Order(id="o-1", cpu_units=4, deposit=40))
        _msg(channel).CreateOrder(request)
    server = recorder.one(CREATE)
    assert (attributes(server)["virtengine.order.id"], attributes(server)["virtengine.order.cpu_units"]) == ("o-1", 4)


def test_a_servicer_that_does_not_serve_the_service_is_refused() -> None:
    with pytest.raises(ValueError, match=r"VeidMsg has no method CreateOrder, .*Wanted: .*Next: "):
        trace_servicer(chain.VeidMsg(chain.VeidKeeper()), chain.SERVICES[2])


def test_a_rejected_order_leaves_no_words_of_the_error_in_any_span(recorder: Recorder) -> None:
    keepers = chain.Keepers(lambda keeper: trace_keeper(keeper, tracer_provider=recorder.provider))
    interceptor = grpc_server_interceptor(tracer_provider=recorder.provider)
    with chain.serving(keepers.servicers(), [interceptor]) as target, grpc.insecure_channel(target) as bare:
        traced_channel: Any = grpc.intercept_channel(bare, *grpc_client_interceptors(tracer_provider=recorder.provider))
        with pytest.raises(grpc.RpcError) as refused:
            _msg(traced_channel).CreateOrder(market_pb2.MsgCreateOrder(order=market_pb2.Order(cpu_units=4)))
    assert "jane@example.com" in str(refused.value)
    assert "jane" not in "".join(span.to_json() for span in recorder.spans)
    assert {event.name for span in recorder.spans for event in span.events} == {"exception"}
    assert sum(len(span.events) for span in recorder.spans) == 1
    server = next(span for span in recorder.spans if span.kind is SpanKind.SERVER)
    assert (attributes(server)["rpc.response.status_code"], server.status.status_code) == ("FAILED_PRECONDITION", StatusCode.UNSET)


def test_a_server_started_inside_a_span_does_not_hang_its_calls_under_it(recorder: Recorder) -> None:
    async def run() -> None:
        behaviors = grpc_cases.Behaviors()
        server = grpc.aio.server(interceptors=[grpc_aio_server_interceptor(tracer_provider=recorder.provider)])
        server.add_generic_rpc_handlers((grpc_cases.handlers(behaviors, "aio"),))
        with recorder.tracer.start_as_current_span("startup"):
            port = server.add_insecure_port("127.0.0.1:0")
            await server.start()
            channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}")
        await _stub(channel)(b"success")
        await channel.close(None)
        await server.stop(0)

    asyncio.run(run())
    assert recorder.one(f"{SERVICE}/unary_unary").parent is None


def test_an_interceptor_of_the_channels_own_adds_to_the_headers_that_carry_the_trace(recorder: Recorder) -> None:
    class Naming(grpc.aio.UnaryUnaryClientInterceptor):  # type: ignore[type-arg]  # generic in the stubs alone
        async def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: object) -> Any:  # noqa: ANN401
            client_call_details.metadata.add("x-caller", "portal")
            return await continuation(client_call_details, request)

    seen: dict[str, object] = {}

    async def answer(request: bytes, context: Any) -> bytes:  # noqa: ANN401  grpcio's
        seen.update(context.invocation_metadata())
        return request

    async def run() -> None:
        server = grpc.aio.server()
        methods = {"Echo": grpc.unary_unary_rpc_method_handler(answer)}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, methods),))
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        naming: Any = Naming()
        plain = grpc.aio.insecure_channel(f"127.0.0.1:{port}", interceptors=[naming])
        channel: Any
        async with trace_aio_channel(plain, tracer_provider=recorder.provider) as channel:
            await channel.unary_unary(f"/{SERVICE}/Echo")(b"", timeout=120)
        await server.stop(0)

    asyncio.run(run())
    (client,) = recorder.wait(1)
    assert seen["x-caller"] == "portal"
    assert str(seen["traceparent"]).split("-")[2] == f"{id_of(client):016x}"


def test_requests_that_are_made_while_they_are_sent_belong_to_the_call(recorder: Recorder) -> None:
    @traced(name="read", tracer_provider=recorder.provider)
    def read() -> bytes:
        return b"success"

    def requests() -> Iterator[bytes]:
        yield read()
        yield read()

    with grpc_cases.sync_server(grpc_cases.Behaviors(), []) as target, grpc.insecure_channel(target) as bare:
        channel: Any = grpc.intercept_channel(bare, *grpc_client_interceptors(tracer_provider=recorder.provider))
        channel.stream_unary(f"/{SERVICE}/stream_unary")(requests(), timeout=120)
    recorder.wait(3)
    client = recorder.one(f"{SERVICE}/stream_unary")
    assert all(is_child(span, client) for span in recorder.spans if span.name == "read")


def test_a_stream_that_nobody_reads_to_its_end_still_ends_its_span(recorder: Recorder) -> None:
    with (
        grpc_cases.sync_server(grpc_cases.Behaviors(), [grpc_server_interceptor(tracer_provider=recorder.provider)]) as target,
        grpc.insecure_channel(target) as bare,
    ):
        channel: Any = grpc.intercept_channel(bare, *grpc_client_interceptors(tracer_provider=recorder.provider))
        call: Any = channel.unary_stream(f"/{SERVICE}/unary_stream")(b"cancel", timeout=120)
        next(call)
        del call
        gc.collect()
        spans = recorder.wait(2)
    assert {attributes(span)["rpc.response.status_code"] for span in spans} == {"CANCELLED"}


def test_a_code_that_is_set_without_an_abort_is_the_outcome(recorder: Recorder) -> None:
    def answer(_request: bytes, context: grpc.ServicerContext) -> bytes:
        context.set_code(grpc.StatusCode.NOT_FOUND)
        context.set_details("jane@example.com")
        return b""

    def fail(_request: bytes, context: grpc.ServicerContext) -> bytes:
        context.set_code(grpc.StatusCode.DATA_LOSS)
        raise RuntimeError("jane@example.com")

    assert _outcomes(recorder, answer, fail) == [("NOT_FOUND", "UNSET", 0), ("DATA_LOSS", "ERROR", 1)]


def _outcomes(recorder: Recorder, *behaviors: Any, aio: bool = False) -> list[tuple[object, str, int]]:  # noqa: ANN401  servicers' methods
    methods = {f"m{number}": grpc.unary_unary_rpc_method_handler(behavior) for number, behavior in enumerate(behaviors)}
    generic = grpc.method_handlers_generic_handler(SERVICE, methods)

    async def run() -> None:
        server = grpc.aio.server(
            migration_thread_pool=ThreadPoolExecutor(2), interceptors=[grpc_aio_server_interceptor(tracer_provider=recorder.provider)]
        )
        server.add_generic_rpc_handlers((generic,))
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        await asyncio.to_thread(_call_each, f"127.0.0.1:{port}", methods)
        await server.stop(0)

    if aio:
        asyncio.run(run())
    else:
        server = grpc.server(ThreadPoolExecutor(2), interceptors=[grpc_server_interceptor(tracer_provider=recorder.provider)])
        server.add_generic_rpc_handlers((generic,))
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        _call_each(f"127.0.0.1:{port}", methods)
        server.stop(0).wait()
    spans = recorder.wait(len(behaviors))
    return [(attributes(span)["rpc.response.status_code"], span.status.status_code.name, len(span.events)) for span in spans]


def _call_each(target: str, methods: dict[str, Any]) -> None:
    with grpc.insecure_channel(target) as channel:
        for name in methods:
            try:
                _stub(channel, name)(b"", timeout=120)
            except grpc.RpcError:
                continue


def test_a_plain_servicer_on_an_asyncio_server_is_traced_too(recorder: Recorder) -> None:
    def abort(_request: bytes, context: grpc.ServicerContext) -> bytes:
        context.abort(grpc.StatusCode.UNAVAILABLE, "jane@example.com")
        raise AssertionError

    def fail(_request: bytes, _context: grpc.ServicerContext) -> bytes:
        raise RuntimeError("jane@example.com")

    outcomes = _outcomes(recorder, lambda request, _context: request, abort, fail, aio=True)
    # A thread ends the span after the caller was answered, and the next call may have another thread.
    assert sorted(outcomes) == [("OK", "UNSET", 0), ("UNAVAILABLE", "ERROR", 0), ("UNKNOWN", "ERROR", 1)]


def test_the_writer_api_of_asyncio_streams_is_traced(recorder: Recorder) -> None:
    async def write(request: bytes, context: Any) -> None:  # noqa: ANN401  grpcio's context has no public type with all of it
        await context.write(request)
        await context.write(request)

    async def run() -> list[bytes]:
        server = grpc.aio.server(interceptors=[grpc_aio_server_interceptor(tracer_provider=recorder.provider)])
        methods = {"write": grpc.unary_stream_rpc_method_handler(write)}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, methods),))
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        interceptors = grpc_aio_client_interceptors(tracer_provider=recorder.provider)
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", interceptors=interceptors) as channel:
            stub: Any = channel.unary_stream
            call = stub(f"/{SERVICE}/write")(b"x")
            answers = [answer async for answer in call]
        await server.stop(0)
        return answers

    assert asyncio.run(run()) == [b"x", b"x"]
    client, server = (next(span for span in recorder.spans if span.kind is kind) for kind in _KINDS)
    assert is_child(server, client)


def test_callers_and_servers_with_contrib_interceptors_share_their_traces_with_ours(recorder: Recorder) -> None:
    ours, contrib = grpc_cases.ours(), grpc_cases.contrib()
    for client, server in ((ours, contrib), (contrib, ours)):
        recorder.clear()
        interceptor = server.server(recorder.provider)
        with grpc_cases.sync_server(grpc_cases.Behaviors(), [interceptor]) as target, grpc.insecure_channel(target) as bare:
            _stub(client.channel(bare, recorder.provider))(b"success", timeout=120)
        below, above = (next(span for span in recorder.wait(2) if span.kind is kind) for kind in (SpanKind.SERVER, SpanKind.CLIENT))
        assert is_child(below, above)


def test_inside_a_contrib_server_interceptor_ours_belongs_to_its_span(recorder: Recorder) -> None:
    interceptors = [instrumentation.server(recorder.provider) for instrumentation in (grpc_cases.contrib(), grpc_cases.ours())]
    with grpc_cases.sync_server(grpc_cases.Behaviors(), interceptors) as target, grpc.insecure_channel(target) as channel:
        _stub(channel)(b"success", timeout=120)
        inner, outer = recorder.wait(2)
    assert is_child(inner, outer)
    assert inner.kind is SpanKind.INTERNAL


def test_a_caller_that_is_not_sampled_is_followed(recorder: Recorder) -> None:
    with Recorder(sampler=ALWAYS_OFF) as unsampled:
        interceptor = grpc_cases.ours().server(recorder.provider)
        with grpc_cases.sync_server(grpc_cases.Behaviors(), [interceptor]) as target, grpc.insecure_channel(target) as bare:
            _stub(grpc_cases.ours().channel(bare, unsampled.provider))(b"success", timeout=120)
            time.sleep(0.05)
    assert recorder.names == []


@pytest.mark.parametrize(
    ("target", "server"),
    [
        ("chain.virtengine:9090", {"server.address": "chain.virtengine", "server.port": 9090}),
        ("dns:///chain:443", {"server.address": "chain", "server.port": 443}),
        ("ipv6:[::1]:50051,[::2]:50051", {"server.address": "::1", "server.port": 50051}),
        ("unix:/run/chain.sock", {"server.address": "/run/chain.sock"}),
        ("chain", {"server.address": "chain"}),
    ],
)
def test_the_target_says_where_the_server_is(recorder: Recorder, target: str, server: dict[str, object]) -> None:
    with grpc_cases.sync_server(grpc_cases.Behaviors(), []) as real, grpc.insecure_channel(real) as bare:
        channel: Any = grpc.intercept_channel(bare, *grpc_client_interceptors(target, tracer_provider=recorder.provider))
        channel.unary_unary(f"/{SERVICE}/unary_unary")(b"success", timeout=120)
    found = attributes(recorder.spans[0])
    assert {key: value for key, value in found.items() if key.startswith("server.")} == server


def test_a_target_without_a_usable_port_is_refused() -> None:
    with pytest.raises(ValueError, match=r"the target's port is 'http'\. Wanted: .*Next: "):
        grpc_client_interceptors("chain:http")


def test_a_malformed_path_is_refused_where_the_interceptor_is_made() -> None:
    with pytest.raises(ValueError, match=r"the path 'order\.id'\. Wanted: one of request"):
        grpc_server_interceptor(attributes={"virtengine.order.id": "order.id"})


@pytest.mark.parametrize(("module", "services"), [("auth", []), *((module, ["Msg", "Query"]) for module in ("veid", "market", "escrow"))])
def test_the_generated_code_is_what_protoc_makes_of_the_protos(module: str, services: list[str], tmp_path: Path) -> None:
    root = Path(chain.__file__).parents[3]
    source = f"examples/virtengine/protos/{module}.proto"
    arguments = ["protoc", f"-I{root}", *(f"--{kind}_out={tmp_path}" for kind in ("python", "pyi", "grpc_python")), str(root / source)]
    assert protoc.main(arguments) == 0
    for name in (f"{module}_pb2.py", f"{module}_pb2.pyi", f"{module}_pb2_grpc.py"):
        assert (root / "examples/virtengine/protos" / name).read_text() == (tmp_path / "examples/virtengine/protos" / name).read_text()
    assert importlib.import_module(f"examples.virtengine.protos.{module}_pb2").DESCRIPTOR.services_by_name.keys() == services
