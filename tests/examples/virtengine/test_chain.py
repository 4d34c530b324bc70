"""The chain as a process: orders over gRPC, events over WebSockets, and what outlives the process."""

from __future__ import annotations

import asyncio
import json
import threading
from contextlib import closing
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from examples.virtengine.chain.events import Events, News
from examples.virtengine.chain.events import app as events_app
from examples.virtengine.chain.storage import open_committed, open_state
from examples.virtengine.protos import escrow_pb2, escrow_pb2_grpc, market_pb2, market_pb2_grpc, veid_pb2, veid_pb2_grpc
from tests.examples.virtengine.chain_processes import KEY, PROVIDER, STRANGER, ChainService, Running, bid, order, submit_scope, told
from tests.examples.virtengine.processes import outputs, websocket
from tests.examples.virtengine.spans import Spans
from tests.tracing_lib import receivers
from tests.waiting import STALL_SECONDS
from tracing_lib.instrument import JobContext

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tracing_lib.instrument.http import AsgiTracing


LONG_SECONDS = 3600.0
"""Between two blocks: the first is made at the start and no other comes."""


@pytest.fixture
def chain(running: Running) -> ChainService:
    return running.chain


@pytest.fixture
def channel(chain: ChainService) -> Iterator[grpc.Channel]:
    with chain.channel() as opened:
        yield opened


def _market(channel: grpc.Channel) -> Any:  # noqa: ANN401  generated code without types
    return market_pb2_grpc.MsgStub(channel)  # type: ignore[no-untyped-call]


def test_an_order_lives_from_its_creation_to_its_close(chain: ChainService, channel: grpc.Channel) -> None:
    market, escrow = _market(channel), escrow_pb2_grpc.MsgStub(channel)  # type: ignore[no-untyped-call]  # generated code
    accounts = escrow_pb2_grpc.QueryStub(channel)  # type: ignore[no-untyped-call]  # generated code
    with websocket(chain.events) as socket:
        created = market.CreateOrder(order("order-life"))
        first = told(socket, "order-life")
        assert (first["type"], first["tx_hash"]) == ("order.created", created.tx_hash)
        market.CreateBid(bid("order-life"))
        assert told(socket, "order-life")["type"] == "lease.created"
        escrow.Settle(PROVIDER.signed(escrow_pb2.MsgSettle(order_id="order-life", amount=28)))
        assert told(socket, "order-life")["type"] == "escrow.settled"
        market.CloseOrder(KEY.signed(market_pb2.MsgCloseOrder(order_id="order-life")))
        assert told(socket, "order-life")["type"] == "order.closed"
    account = accounts.Account(escrow_pb2.QueryAccountRequest(order_id="order-life")).account
    assert (account.deposit, account.settled) == (28, 28)


def _forged() -> market_pb2.MsgCreateOrder:
    message = STRANGER.signed(order("order-none"))
    message.signature.public_key = order("order-none").signature.public_key
    return message


def _tampered() -> market_pb2.MsgCreateOrder:
    message = order("order-none")
    message.order.cpu_units = 1
    return message


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (order("order-none", cpu_units=0), grpc.StatusCode.INVALID_ARGUMENT),
        (market_pb2.MsgCreateOrder(order=order("order-none").order), grpc.StatusCode.UNAUTHENTICATED),
        (_forged(), grpc.StatusCode.UNAUTHENTICATED),
        (_tampered(), grpc.StatusCode.UNAUTHENTICATED),
        (STRANGER.signed(order("order-none")), grpc.StatusCode.PERMISSION_DENIED),
        (STRANGER.signed(order("order-none", account=STRANGER.account)), grpc.StatusCode.FAILED_PRECONDITION),
    ],
    ids=["malformed", "unsigned", "forged", "tampered", "another's account", "unknown account"],
)
def test_what_ante_handling_rejects_is_refused_with_its_reason(
    channel: grpc.Channel, message: market_pb2.MsgCreateOrder, code: grpc.StatusCode
) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        _market(channel).CreateOrder(message)
    assert refused.value.code() is code
    query = market_pb2_grpc.QueryStub(channel)  # type: ignore[no-untyped-call]  # generated code
    assert not query.Order(market_pb2.QueryOrderRequest(order_id="order-none")).HasField("order")


def test_a_transaction_that_is_sent_again_is_refused(chain: ChainService, channel: grpc.Channel) -> None:
    message = order("order-again")
    with websocket(chain.events) as socket:
        _market(channel).CreateOrder(message)
        told(socket, "order-again")
    with pytest.raises(grpc.RpcError) as refused:
        _market(channel).CreateOrder(message)
    assert refused.value.code() is grpc.StatusCode.ALREADY_EXISTS


def test_a_subscriber_is_told_what_came_after_the_last_event_that_it_knows(chain: ChainService, channel: grpc.Channel) -> None:
    market = _market(channel)
    with websocket(chain.events) as socket:
        market.ImportOrders(iter([order("order-r1"), order("order-r2"), order("order-r3")]))
        last = told(socket, "order-r3")["sequence"]
    with websocket(f"{chain.events}?after={last - 2}") as socket:
        assert [json.loads(socket.recv(STALL_SECONDS))["order_id"] for _ in range(2)] == ["order-r2", "order-r3"]
        market.CreateOrder(order("order-r4"))
        live = json.loads(socket.recv(STALL_SECONDS))
        assert (live["order_id"], live["sequence"]) == ("order-r4", last + 1)


def test_an_event_is_sent_in_the_trace_of_its_transaction_now_and_again(
    running: Running, chain: ChainService, channel: grpc.Channel
) -> None:
    spans = running.spans
    with websocket(chain.events) as socket:
        tx_hash = _market(channel).CreateOrder(order("order-7")).tx_hash
        event = told(socket, "order-7")
    with websocket(f"{chain.events}?after={event['sequence'] - 1}") as socket:
        again = json.loads(socket.recv(STALL_SECONDS))
    executed = JobContext.of_transaction(tx_hash)
    assert {sent["traceparent"].split("-")[1] for sent in (event, again)} == {f"{executed.trace_id:032x}"}
    spans.assert_tree(
        spans.one("chain", "execute transaction", order_id="order-7"),
        """
        chain: execute transaction ~> virtengine.market.v1.Msg/CreateOrder
          chain: market.keeper.CreateOrder
            chain: veid.keeper.CheckLevel
            chain: escrow.keeper.Deposit
          chain: send /events ~> GET /events
        """,
    )


def test_the_queries_answer_from_the_last_block(chain: ChainService, channel: grpc.Channel) -> None:
    identities, orders = veid_pb2_grpc.QueryStub(channel), market_pb2_grpc.QueryStub(channel)  # type: ignore[no-untyped-call]  # generated code
    with websocket(chain.events) as socket:
        _market(channel).CreateOrder(order("order-q"))
        told(socket, "order-q")
    assert orders.Order(market_pb2.QueryOrderRequest(order_id="order-q")).order.account == KEY.account
    assert "order-q" in [one.id for one in orders.Orders(market_pb2.QueryOrdersRequest(state=market_pb2.ORDER_STATE_OPEN))]
    record = identities.IdentityRecord(veid_pb2.QueryIdentityRecordRequest(account=KEY.account)).record
    assert record.level == len(list(identities.Scopes(veid_pb2.QueryScopesRequest(account=KEY.account)))) == 1


def test_an_order_that_is_followed_is_told_in_every_state(channel: grpc.Channel) -> None:
    market, query = _market(channel), market_pb2_grpc.QueryStub(channel)  # type: ignore[no-untyped-call]  # generated code
    final, states = threading.Event(), []

    def requests() -> Iterator[market_pb2.QueryOrderRequest]:
        yield market_pb2.QueryOrderRequest(order_id="order-followed")
        final.wait(STALL_SECONDS)

    market.CreateOrder(order("order-followed"))
    for followed in query.FollowOrders(requests(), timeout=STALL_SECONDS):
        states.append(followed.state)
        if followed.state == market_pb2.ORDER_STATE_OPEN:
            market.CreateBid(bid("order-followed"))
        elif followed.state == market_pb2.ORDER_STATE_ACTIVE:
            market.CloseOrder(KEY.signed(market_pb2.MsgCloseOrder(order_id="order-followed")))
        else:
            final.set()
    assert states == [market_pb2.ORDER_STATE_OPEN, market_pb2.ORDER_STATE_ACTIVE, market_pb2.ORDER_STATE_CLOSED]


def test_what_was_admitted_before_the_process_was_killed_is_executed_after_it(tmp_path: Path) -> None:
    with receivers.http_receiver() as collector:
        file, spans = outputs(tmp_path, collector.url), Spans(collector)
        with ChainService(tmp_path, file, LONG_SECONDS) as before, before.channel() as channel:
            submit_scope(channel)
            tx_hash = _market(channel).CreateOrder(order("order-7")).tx_hash
            admitting = spans.one("chain", "virtengine.market.v1.Msg/CreateOrder")
            assert spans.find("chain", "execute transaction") == []
            before.kill()
        with ChainService(tmp_path, file, LONG_SECONDS) as after:
            with websocket(after.events) as socket:
                event = told(socket, "order-7")
            executed = spans.one("chain", "execute transaction", order_id="order-7")
    assert (event["tx_hash"], event["sequence"]) == (tx_hash, 1)
    assert [link.span_id for link in executed.links] == [admitting.span_id]


class Subscriber:
    """A WebSocket of an ASGI server, whose client reads or does not."""

    def __init__(self, *, reads: bool) -> None:
        self._reads = reads
        self._connecting = [{"type": "websocket.connect"}]
        self.received: asyncio.Queue[str] = asyncio.Queue()

    async def subscribe(self, app: AsgiTracing) -> None:
        await app({"type": "websocket", "path": "/events", "query_string": b"", "headers": []}, self._receive, self._send)

    async def _receive(self) -> Any:  # noqa: ANN401  ASGI's
        return self._connecting.pop() if self._connecting else await asyncio.Event().wait()

    async def _send(self, message: Any) -> None:  # noqa: ANN401  ASGI's
        if message["type"] == "websocket.send":
            if not self._reads:
                await asyncio.Event().wait()
            self.received.put_nowait(message["text"])


def test_a_subscriber_that_does_not_read_holds_up_nobody(tmp_path: Path) -> None:
    async def two_blocks(events: Events, read: Events) -> list[str]:
        news, stuck, quick = News(), Subscriber(reads=False), Subscriber(reads=True)
        app, order_ids = events_app(read, news), []
        subscribed = [asyncio.create_task(each.subscribe(app)) for each in (stuck, quick)]
        for height in (1, 2):
            events.emit("order.created", f"order-{height}")
            events.keep("00" * 32, height)
            news.tell()
            order_ids.append(json.loads(await asyncio.wait_for(quick.received.get(), STALL_SECONDS))["order_id"])
        for each in subscribed:
            each.cancel()
        await asyncio.wait(subscribed)
        return order_ids

    with closing(open_state(tmp_path)) as db, closing(open_committed(tmp_path)) as read:
        assert asyncio.run(two_blocks(Events(db), Events(read))) == ["order-1", "order-2"]
