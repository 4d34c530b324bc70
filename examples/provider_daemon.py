"""provider-daemon: bids for orders over HTTP, and provisions what it won through Waldur."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import uvicorn
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from examples.service import BID_PRICE, LEASE_ID, ORDER_CPU, ORDER_ID, PROVIDER_ID, leave_on_sigterm, listening_socket, meet, traced

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer
    from starlette.requests import Request

_PROVIDER: Final = "provider-1"
_PRICE_PER_CPU: Final = 7
_PROVISION_SECONDS: Final = 0.012
"""How long the example's Waldur takes. It stands in for a call to a server that would have to be installed."""


class ProviderDaemon:
    """The HTTP API of a provider."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    async def create_bid(self, request: Request) -> JSONResponse:
        """``POST /bids``: 201 with price and lease."""
        order = await request.json()
        with self._tracer.start_as_current_span("bidengine.price") as span:
            price = order["cpu_units"] * _PRICE_PER_CPU
            span.set_attributes({ORDER_ID: order["id"], ORDER_CPU: order["cpu_units"], PROVIDER_ID: _PROVIDER, BID_PRICE: price})
        lease = f"{order['id']}/{_PROVIDER}"
        with self._tracer.start_as_current_span("waldur.provision", attributes={LEASE_ID: lease, PROVIDER_ID: _PROVIDER}):
            await asyncio.sleep(_PROVISION_SECONDS)
        return JSONResponse({"lease": lease, "price": price}, status_code=201)


def main() -> None:
    """Serve until SIGTERM."""
    leave_on_sigterm()
    with traced("provider-daemon") as tracing, listening_socket() as listener:
        meet(listener.getsockname()[1])
        daemon = ProviderDaemon(tracing.tracer("virtengine.provider"))
        app = Starlette(routes=[Route("/bids", daemon.create_bid, methods=["POST"])])
        traced_app = OpenTelemetryMiddleware(app, exclude_spans=["receive", "send"])
        uvicorn.Server(uvicorn.Config(traced_app, lifespan="off", log_level="warning")).run(sockets=[listener])


if __name__ == "__main__":
    main()
