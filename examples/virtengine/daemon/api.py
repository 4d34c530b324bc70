"""The daemon's HTTP API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from tracing_lib import current_span
from tracing_lib.instrument.http import AsgiTracing

if TYPE_CHECKING:
    from starlette.requests import Request

    from examples.virtengine.daemon.jobs import Queue


def app(queue: Queue) -> AsgiTracing:
    """``GET /jobs/{order_id}``: the order's jobs, each with kind, state and attempt; none of an order that is not ours."""

    async def jobs(request: Request) -> JSONResponse:
        order_id = request.path_params["order_id"]
        current_span().set_attribute("virtengine.order.id", order_id)
        return JSONResponse(queue.jobs(order_id))

    return AsgiTracing(Starlette(routes=[Route("/jobs/{order_id}", jobs)]))
