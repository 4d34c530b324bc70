"""The oracle, whose keeper is written in Go: prices and signatures over gRPC, and its spans in the trace of who asks."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import grpc
import httpx
import pytest

from components.local.ports import free_ports
from examples.virtengine.oracle_program import find_oracle
from examples.virtengine.protos import oracle_pb2, oracle_pb2_grpc
from examples.virtengine.signing import Key
from tests.tracing_lib.receivers import attributes, http_receiver
from tests.waiting import STALL_SECONDS, cpu_ticks, until
from tracing_lib import Outputs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
CALLER = (("traceparent", f"00-{TRACE}-{PARENT}-01"),)
ENVIRONMENT = {"deployment.environment.name": "test", "service.name": "oracle"}


@pytest.fixture(scope="module")
def program() -> str:
    said: list[str] = []
    if (found := find_oracle(said.append)) is not None:
        return str(found)
    if os.environ.get("CI") == "true":
        pytest.fail(said[-1])
    pytest.skip(said[-1])


@contextmanager
def running(program: str, folder: Path, variables: dict[str, str]) -> Iterator[str]:
    """The address of an oracle that is configured by variables alone, until SIGTERM ends it in order."""
    (target, health), log = (f"127.0.0.1:{number}" for number in free_ports(2)), folder / "oracle.log"

    def healthy() -> bool:
        try:
            return httpx.get(f"http://{health}/healthz").is_success
        except httpx.TransportError:
            return False

    with log.open("wb") as written:
        process = subprocess.Popen([program, "-grpc", target, "-health", health], env=variables, stdout=written, stderr=written)
    try:
        until(healthy, lambda: f"the oracle to be healthy: {log.read_text()}", progress=lambda: cpu_ticks(process.pid), every=0.05)
        yield target
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(STALL_SECONDS) == 0, log.read_text()


def outputs(url: str) -> Outputs:
    """Outputs of a stack whose intake is at this URL and wants a token."""
    ends: dict[str, Any] = dict.fromkeys(("otlp_grpc_endpoint", "otlp_http_endpoint", "strategies_url", "query_url", "ui_url"), url)
    told = {"environment": "test", "namespace": "tracing", "backend": "jaeger", "span_metrics_url": url, "otlp_token": "a-token"}
    numbers = {"schema_version": 1, "retention_seconds": 60, "head_ratio": 1.0, "strategies_poll_seconds": 60}
    return Outputs.parse({**ends, **told, **numbers})


def status(call: Any, *arguments: Any) -> grpc.StatusCode:  # noqa: ANN401 - generated code has no types for its methods
    """The status with which a call is refused."""
    with pytest.raises(grpc.RpcError) as refused:
        call(*arguments, timeout=STALL_SECONDS)
    found: grpc.StatusCode = refused.value.code()
    return found


def test_the_outputs_alone_put_the_keeper_in_go_into_the_trace_of_who_asks(program: str, tmp_path: Path) -> None:
    key = Key.make()
    with http_receiver() as received:
        variables = outputs(received.url).to_otel_environment(secrets=True) | {"OTEL_SERVICE_NAME": "oracle"}
        with running(program, tmp_path, variables) as target, grpc.insecure_channel(target) as channel:
            query: Any = oracle_pb2_grpc.QueryStub(channel)  # type: ignore[no-untyped-call]  # generated code
            msg: Any = oracle_pb2_grpc.MsgStub(channel)  # type: ignore[no-untyped-call]  # generated code
            asked = oracle_pb2.QueryPriceRequest(symbol="cpu-unit")
            assert query.Price(asked, timeout=STALL_SECONDS, metadata=CALLER).price.amount == 7
            posted = msg.PostPrice(key.signed(oracle_pb2.MsgPostPrice(symbol="cpu-unit", amount=9)), timeout=STALL_SECONDS)
            assert (posted.price.amount, posted.price.observations) == (9, 1)

            changed = key.signed(oracle_pb2.MsgPostPrice(symbol="cpu-unit", amount=9))
            changed.amount = 8
            assert status(msg.PostPrice, changed) == grpc.StatusCode.UNAUTHENTICATED
            assert status(msg.PostPrice, oracle_pb2.MsgPostPrice(symbol="cpu-unit", amount=9)) == grpc.StatusCode.UNAUTHENTICATED
            far = key.signed(oracle_pb2.MsgPostPrice(symbol="cpu-unit", amount=2**63))
            assert status(msg.PostPrice, far) == grpc.StatusCode.INVALID_ARGUMENT
            assert status(query.Price, oracle_pb2.QueryPriceRequest(symbol="jane@example.org")) == grpc.StatusCode.NOT_FOUND
            assert query.Price(asked, timeout=STALL_SECONDS).price.amount == 9
        # Ended in order, it has sent all.
        spans = received.spans
    assert set(received.authorizations) == {"Bearer a-token"}
    assert all(ENVIRONMENT.items() <= resource.items() for resource, _ in spans)
    ours = {span.name: span for _, span in spans if span.trace_id.hex() == TRACE}
    assert ours.keys() == {"virtengine.oracle.v1.Query/Price", "oracle.keeper.Price"}
    server, keeper = ours["virtengine.oracle.v1.Query/Price"], ours["oracle.keeper.Price"]
    assert (server.parent_span_id.hex(), keeper.parent_span_id) == (PARENT, server.span_id)
    assert attributes(keeper.attributes)["virtengine.oracle.amount"] == 7
    kinds = {attributes(span.attributes).get("error.type") for _, span in spans if span.name.startswith("oracle.keeper")}
    assert kinds == {None, "OutOfBounds", "UnknownSymbol"}
    assert "jane@example.org" not in str(spans)


def test_without_go_the_story_goes_without_the_oracle_and_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    said: list[str] = []
    assert find_oracle(said.append) is None
    assert said == ["without the oracle, whose keeper is written in Go: there is no `go` on PATH (1.26.0 or later is needed)"]
