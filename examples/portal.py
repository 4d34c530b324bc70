"""portal: takes orders over HTTP and hands them to the chain over gRPC."""

from __future__ import annotations

from typing import TYPE_CHECKING

import grpc
import uvicorn
from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.struct_pb2 import Struct
from opentelemetry import trace
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from opentelemetry.instrumentation.grpc import aio_client_interceptors
from opentelemetry.instrumentation.propagators import TraceResponsePropagator, set_global_response_propagator
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from examples.service import CREATE_ORDER, ORDER_CPU, ORDER_ID, leave_on_sigterm, listening_socket, meet, traced

if TYPE_CHECKING:
    from starlette.requests import Request


class Portal:
    """The HTTP API. One gRPC channel to the chain, opened with the first order because it belongs to the event loop."""

    def __init__(self, chain: str) -> None:
        self._chain = chain
        self._channel: grpc.aio.Channel | None = None

    async def create_order(self, request: Request) -> JSONResponse:
        """``POST /orders``: 201 with the lease, 422 when the chain refuses the order, 502 when it cannot be asked."""
        order = await request.json()
        trace.get_current_span().set_attributes({ORDER_ID: order["id"], ORDER_CPU: order["cpu_units"]})
        if self._channel is None:
            interceptors = aio_client_interceptors()  # type: ignore[no-untyped-call]  # contrib has no types for it
            self._channel = grpc.aio.insecure_channel(self._chain, interceptors=interceptors)
        create = self._channel.unary_unary(
            CREATE_ORDER, request_serializer=Struct.SerializeToString, response_deserializer=Struct.FromString
        )
        try:
            lease = await create(ParseDict(order, Struct()), timeout=5)
        except grpc.aio.AioRpcError as error:
            status = 422 if error.code() is grpc.StatusCode.FAILED_PRECONDITION else 502
            return JSONResponse({"error": error.details()}, status_code=status)
        return JSONResponse(MessageToDict(lease), status_code=201)


def main() -> None:
    """Serve until SIGTERM."""
    leave_on_sigterm()
    with traced("portal"), listening_socket() as listener:
        # The answer names its trace in the header `traceresponse` (W3C Trace Context, level 2), as Jaeger's own API does.
        set_global_response_propagator(TraceResponsePropagator())  # type: ignore[no-untyped-call]  # contrib has no types for it
        portal = Portal(meet(listener.getsockname()[1])["chain"])
        app = Starlette(routes=[Route("/orders", portal.create_order, methods=["POST"])])
        traced_app = OpenTelemetryMiddleware(app, exclude_spans=["receive", "send"])
        uvicorn.Server(uvicorn.Config(traced_app, lifespan="off", log_level="warning")).run(sockets=[listener])


if __name__ == "__main__":
    main()
