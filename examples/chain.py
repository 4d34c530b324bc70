"""chain: the market module's Msg service over gRPC; it asks the veid and escrow modules, then a provider over HTTP."""

from __future__ import annotations

import signal
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, Never

import grpc
import httpx
from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.struct_pb2 import Struct
from opentelemetry.instrumentation.grpc import server_interceptor
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor

from examples.service import (
    CREATE_ORDER,
    ESCROW_DEPOSIT,
    ESCROW_REQUIRED,
    HOST,
    ORDER_CPU,
    ORDER_ID,
    VEID_LEVEL,
    leave_on_sigterm,
    meet,
    traced,
)

if TYPE_CHECKING:
    from opentelemetry.instrumentation.httpx import RequestInfo
    from opentelemetry.trace import Span, Tracer

_ESCROW_PER_CPU: Final = 10
_VERIFIED: Final = 2
_GRACE_SECONDS: Final = 1.0


class EscrowError(Exception):
    """The deposit does not cover the order."""


class MarketKeeper:
    """The market module's state and rules; each call into another module is a span."""

    def __init__(self, tracer: Tracer, provider: httpx.Client) -> None:
        self._tracer = tracer
        self._provider = provider

    def create_order(self, order_id: str, cpu_units: int, deposit: int) -> dict[str, object]:
        """Check the owner, take the deposit, and let a provider bid. Raises ``EscrowError`` and httpx's errors."""
        with self._tracer.start_as_current_span("market.keeper.CreateOrder", attributes={ORDER_ID: order_id, ORDER_CPU: cpu_units}):
            self._check_identity()
            self._deposit(cpu_units, deposit)
            answer = self._provider.post("/bids", json={"id": order_id, "cpu_units": cpu_units}).raise_for_status()
            lease: dict[str, object] = answer.json()
            return lease

    def _check_identity(self) -> None:
        with self._tracer.start_as_current_span("veid.keeper.CheckLevel", attributes={VEID_LEVEL: _VERIFIED}):
            # The level alone is recorded: who the owner is stays in the module.
            pass

    def _deposit(self, cpu_units: int, deposit: int) -> None:
        required = cpu_units * _ESCROW_PER_CPU
        attributes = {ESCROW_DEPOSIT: deposit, ESCROW_REQUIRED: required}
        with self._tracer.start_as_current_span("escrow.keeper.Deposit", attributes=attributes):
            if deposit < required:
                raise EscrowError(f"deposit {deposit} is below {required}, which {cpu_units} CPU units need")


class MsgServer:
    """``virtengine.market.v1.Msg``."""

    def __init__(self, keeper: MarketKeeper) -> None:
        self._keeper = keeper

    def create_order(self, request: Struct, context: grpc.ServicerContext) -> Struct:
        """``CreateOrder``: the lease; ``FAILED_PRECONDITION`` without enough in escrow, ``UNAVAILABLE`` without a provider."""
        order = MessageToDict(request)
        try:
            lease = self._keeper.create_order(order["id"], int(order["cpu_units"]), int(order["deposit"]))
        except EscrowError as error:
            _abort(context, grpc.StatusCode.FAILED_PRECONDITION, str(error))
        except httpx.HTTPError:
            _abort(context, grpc.StatusCode.UNAVAILABLE, "no provider answered")
        return ParseDict(lease, Struct())


def _abort(context: grpc.ServicerContext, code: grpc.StatusCode, details: str) -> Never:
    context.abort(code, details)
    raise AssertionError("abort raises")


def _name_by_path(span: Span, request: RequestInfo) -> None:
    """Name a call by its path. Right here alone, where no path holds an id (semantic conventions, "HTTP client span name")."""
    path = httpx.URL(str(request.url)).path
    span.update_name(f"{request.method.decode()} {path}")
    span.set_attribute("url.template", path)


def main() -> None:
    """Serve until SIGTERM."""
    leave_on_sigterm()
    with traced("chain") as tracing:
        interceptor = server_interceptor()  # type: ignore[no-untyped-call]  # contrib has no types for it
        server = grpc.server(ThreadPoolExecutor(max_workers=4), interceptors=[interceptor])
        port = server.add_insecure_port(f"{HOST}:0")
        provider = meet(port)["provider-daemon"]
        with httpx.Client(base_url=f"http://{provider}", timeout=5) as client:
            HTTPXClientInstrumentor.instrument_client(client, request_hook=_name_by_path)
            messages = MsgServer(MarketKeeper(tracing.tracer("virtengine.market"), client))
            service, method = CREATE_ORDER.strip("/").split("/")
            handler = grpc.unary_unary_rpc_method_handler(
                messages.create_order, request_deserializer=Struct.FromString, response_serializer=Struct.SerializeToString
            )
            server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {method: handler}),))
            server.start()
            try:
                while True:
                    signal.pause()
            finally:
                server.stop(_GRACE_SECONDS).wait()


if __name__ == "__main__":
    main()
