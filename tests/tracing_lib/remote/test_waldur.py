"""The real waldur-api-client on a Waldur-shaped server."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import httpx
import pytest
from opentelemetry import baggage
from opentelemetry import context as contexts
from opentelemetry.trace import SpanKind, StatusCode
from waldur_api_client.api.marketplace_orders import marketplace_orders_retrieve, marketplace_orders_set_state_done
from waldur_api_client.errors import UnexpectedStatus

from tracing_lib.instrument.remote.waldur import OBJECT_UUID, REQUEST_ID, RESOURCE_TYPE, route_of, waldur_client
from tracing_lib.propagation.baggage import set_baggage
from tracing_lib.testing.kit import attributes_of

if TYPE_CHECKING:
    from tests.tracing_lib.remote.waldur_server import WaldurServer
    from tracing_lib.testing.kit import RecordedTraces

ORDER = "GET /api/marketplace-orders/{uuid}/"
TOKEN = "5ecret-t0ken"


def test_an_order_is_read_in_a_span_and_the_trace_travels_with_it(waldur: WaldurServer, traces: RecordedTraces) -> None:
    client = waldur_client(waldur.url, TOKEN, tracer_provider=traces.provider)
    order = waldur.order()
    with traces.provider.get_tracer("t").start_as_current_span("provision"):
        found = marketplace_orders_retrieve.sync(order, client=client)
    assert found.uuid == order
    traces.assert_tree(f"""
        provision
          {ORDER} (client)
    """)
    span = traces.span(ORDER)
    assert span.context is not None
    assert waldur.headers["traceparent"] == f"00-{span.context.trace_id:032x}-{span.context.span_id:016x}-01"
    assert waldur.headers["authorization"] == f"Token {TOKEN}"
    assert attributes_of(span) == {
        "http.request.method": "GET",
        "url.template": "/api/marketplace-orders/{uuid}/",
        "server.address": "127.0.0.1",
        "server.port": int(waldur.url.rpartition(":")[2]),
        "http.response.status_code": 200,
        RESOURCE_TYPE: "marketplace-orders",
        OBJECT_UUID: str(order),
        REQUEST_ID: "req-1",
    }
    assert span.kind is SpanKind.CLIENT


@pytest.mark.asyncio
async def test_the_asynchronous_client_gives_the_same_span(waldur: WaldurServer, traces: RecordedTraces) -> None:
    client = waldur_client(waldur.url, TOKEN, tracer_provider=traces.provider)
    order = waldur.order()
    async with client:
        assert (await marketplace_orders_retrieve.asyncio(order, client=client)).uuid == order
    assert waldur.headers["traceparent"].split("-")[1] == f"{traces.span(ORDER).get_span_context().trace_id:032x}"  # type: ignore[union-attr]


def test_orders_share_a_name_whatever_their_ids(waldur: WaldurServer, traces: RecordedTraces) -> None:
    client = waldur_client(waldur.url, TOKEN, tracer_provider=traces.provider)
    for _ in range(3):
        order = waldur.order()
        marketplace_orders_retrieve.sync(order, client=client)
        marketplace_orders_set_state_done.sync_detailed(order, client=client)
    assert {span.name for span in traces.spans} == {ORDER, "POST /api/marketplace-orders/{uuid}/set_state_done/"}


def test_an_answer_that_is_an_error_is_the_error_of_its_span(waldur: WaldurServer, traces: RecordedTraces) -> None:
    client = waldur_client(waldur.url, TOKEN, tracer_provider=traces.provider)
    with pytest.raises(UnexpectedStatus):
        marketplace_orders_retrieve.sync(uuid4(), client=client)
    span = traces.span(ORDER)
    assert (span.status.status_code, attributes_of(span)["error.type"]) == (StatusCode.ERROR, "404")


def test_a_server_that_is_away_is_the_error_of_the_span(traces: RecordedTraces) -> None:
    client = waldur_client("http://127.0.0.1:9", TOKEN, tracer_provider=traces.provider)
    with pytest.raises(httpx.ConnectError):
        marketplace_orders_retrieve.sync(uuid4(), client=client)
    span = traces.span(ORDER)
    assert (span.status.status_code, attributes_of(span)["error.type"]) == (StatusCode.ERROR, "httpx.ConnectError")
    assert [event.name for event in span.events] == ["exception"]


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/api/marketplace-orders/", "/api/marketplace-orders/"),
        ("/api/marketplace-orders/550e8400e29b41d4a716446655440000/cancel/", "/api/marketplace-orders/{uuid}/cancel/"),
        ("/api/customers/550E8400-E29B-41D4-A716-446655440000/", "/api/customers/{uuid}/"),
        ("/api/users/Jane.Doe@example.org/", "/api/users/{key}/"),
        ("/api/invoices/42/", "/api/invoices/{key}/"),
    ],
)
def test_a_route_holds_no_value(path: str, route: str) -> None:
    assert route_of(path) == route


def test_no_baggage_is_set_that_is_not_declared() -> None:
    with pytest.raises(ValueError, match="may not travel"):
        set_baggage("customer", "Jane Doe")
    with pytest.raises(ValueError, match="not of its declared shape") as refused:
        set_baggage("virtengine.order.id", "Jane Doe")
    assert "Jane" not in str(refused.value)
    assert baggage.get_baggage("virtengine.order.id", set_baggage("virtengine.order.id", "order-7")) == "order-7"
    assert not baggage.get_all(contexts.get_current())
