"""Blocks: what a transaction that fails leaves behind, where its trace and its log line lead, and what a crash may not repeat."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from opentelemetry import trace
from opentelemetry.trace import SpanKind

from examples.virtengine.chain.ante import (
    MOST_CPU_UNITS,
    Admission,
    ForbiddenError,
    MalformedError,
    RejectedError,
    ReplayedError,
    UnauthenticatedError,
    UnknownAccountError,
)
from examples.virtengine.chain.blocks import Blocks
from examples.virtengine.chain.events import Events, News
from examples.virtengine.chain.keepers import Keepers
from examples.virtengine.chain.storage import Mempool, open_committed, open_state
from examples.virtengine.protos import escrow_pb2, market_pb2, veid_pb2
from examples.virtengine.signing import Key
from tracing_lib.instrument import JobContext
from tracing_lib.logs import JsonFormatter
from tracing_lib.testing.kit import RecordedTraces, attributes_of, links_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from examples.virtengine.signing import TxMessage

KEY, PROVIDER, STRANGER = Key.make(), Key.make(), Key.make()
SECP256K1_ORDER = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141


class Chain:
    """A chain without servers, whose blocks are made when a test says so."""

    def __init__(self, folder: Path) -> None:
        self.db, self.read = open_state(folder), open_committed(folder)
        self.mempool = Mempool(folder)
        self.committed = Keepers.plain(self.read)
        self.events = Events(self.db)
        self.admission = Admission(self.read, self.mempool, self.committed)
        self.blocks = Blocks(self.db, self.mempool, Keepers.traced(self.db, self.events), self.events, News())

    def block(self, *messages: TxMessage) -> list[str]:
        """Admit messages and execute them; return their hashes."""
        hashes = [self.admission.admit(message) for message in messages]
        asyncio.run(self.blocks.make())
        return hashes

    def outcomes(self) -> list[str | None]:
        """The failure, or none, of every transaction that a block has executed, those of one block in any order."""
        return [row["error"] for row in self.read.execute("SELECT error FROM transactions ORDER BY height")]

    def told(self) -> list[dict[str, Any]]:
        """Every event that is told."""
        return [json.loads(event.text) for event in Events(self.read).after(0)]

    def close(self) -> None:
        self.db.close()
        self.read.close()
        self.mempool.close()


@pytest.fixture
def chain(tmp_path: Path, traces: RecordedTraces) -> Iterator[Chain]:
    """A chain on which the account has an identity."""
    with closing(Chain(tmp_path)) as made:
        made.block(scope())
        traces.clear()
        yield made


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What the chain logs, as JSON lines."""
    handler = logging.StreamHandler(stream := io.StringIO())
    handler.setFormatter(JsonFormatter())
    logger = logging.getLogger("examples.virtengine.chain")
    logger.addHandler(handler)
    yield stream
    logger.removeHandler(handler)


def scope(key: Key = KEY) -> veid_pb2.MsgSubmitScope:
    submitted = veid_pb2.Scope(id="scope-1", type=veid_pb2.SCOPE_TYPE_DOCUMENT)
    return key.signed(veid_pb2.MsgSubmitScope(account=key.account, scope=submitted))


def order(
    order_id: str = "order-7", *, deposit: int = 40, cpu_units: int = 4, account: str = "", key: Key = KEY
) -> market_pb2.MsgCreateOrder:
    opened = market_pb2.Order(id=order_id, account=account or key.account, cpu_units=cpu_units, deposit=deposit)
    return key.signed(market_pb2.MsgCreateOrder(order=opened))


def bid(key: Key = PROVIDER, *, order_id: str = "order-7", price: int = 28) -> market_pb2.MsgCreateBid:
    return key.signed(market_pb2.MsgCreateBid(bid=market_pb2.Bid(order_id=order_id, provider_id="provider-1", price=price)))


def close(key: Key) -> market_pb2.MsgCloseOrder:
    return key.signed(market_pb2.MsgCloseOrder(order_id="order-7"))


def settle(key: Key) -> escrow_pb2.MsgSettle:
    return key.signed(escrow_pb2.MsgSettle(order_id="order-7", amount=1))


def withdraw(key: Key) -> escrow_pb2.MsgWithdraw:
    return key.signed(escrow_pb2.MsgWithdraw(order_id="order-7"))


def altered(message: TxMessage, **signature: bytes) -> TxMessage:
    """A message whose signature has other parts than it was made with."""
    for name, value in signature.items():
        setattr(message.signature, name, value)
    return message


def cheapened(message: market_pb2.MsgCreateOrder) -> market_pb2.MsgCreateOrder:
    """An order with less of a deposit than was signed."""
    message.order.deposit -= 1
    return message


def test_a_transactions_own_trace_leads_back_to_its_requester(chain: Chain, traces: RecordedTraces) -> None:
    with trace.get_tracer("test").start_as_current_span("virtengine.market.v1.Msg/CreateOrder", kind=SpanKind.SERVER):
        tx_hash = chain.admission.admit(order())
    chain.block()  # after the call: it is led back to by what was stored alone
    traces.assert_tree(
        """
        virtengine.market.v1.Msg/CreateOrder (server)
          ante.Handle virtengine.order.id=order-7
        execute transaction virtengine.order.id=order-7 virtengine.block.height=2 ~> virtengine.market.v1.Msg/CreateOrder
          market.keeper.CreateOrder
            veid.keeper.CheckLevel
            escrow.keeper.Deposit virtengine.order.id=order-7
        """,
        attributes=["virtengine.order.id", "virtengine.block.height"],
    )
    executed, known = traces.span("execute transaction"), JobContext.of_transaction(tx_hash)
    assert executed.context is not None
    assert (executed.context.trace_id, executed.context.span_id) == (known.trace_id, known.span_id)


def test_a_transaction_that_was_admitted_outside_of_any_call_leads_back_to_nobody(chain: Chain, traces: RecordedTraces) -> None:
    chain.block(order())
    assert links_of(traces.span("execute transaction")) == []


def test_an_order_without_its_deposit_leaves_nothing_but_its_failure(chain: Chain) -> None:
    chain.block(order(deposit=39), order("order-8"))
    failed, opened = chain.committed.market.order("order-7"), chain.committed.market.order("order-8")
    assert failed is not None
    assert opened is not None
    assert (failed.state, opened.state) == (market_pb2.ORDER_STATE_FAILED, market_pb2.ORDER_STATE_OPEN)
    assert [row["order_id"] for row in chain.read.execute("SELECT order_id FROM escrow")] == ["order-8"]
    assert [event["order_id"] for event in chain.told()] == ["order-8"]


def test_the_log_line_of_a_failure_leads_to_its_trace_and_to_the_span_that_failed(
    chain: Chain, traces: RecordedTraces, log: io.StringIO
) -> None:
    (tx_hash,) = chain.block(order(deposit=39))
    line = json.loads(log.getvalue())
    executed, failed = traces.span("execute transaction").context, traces.span("escrow.keeper.Deposit").context
    assert executed is not None
    assert failed is not None
    assert line["trace_id"] == line["error.trace_id"] == f"{executed.trace_id:032x}"
    assert (line["span_id"], line["error.span_id"]) == (f"{executed.span_id:016x}", f"{failed.span_id:016x}")
    assert (line["level"], line["virtengine.order.id"], line["virtengine.tx.hash"]) == ("ERROR", "order-7", tx_hash)
    assert line["error.type"].endswith("DepositTooSmallError")
    assert KEY.account not in log.getvalue()
    assert attributes_of(traces.span("execute transaction"))["error.type"] == line["error.type"]


def test_what_the_last_block_before_a_crash_executed_is_not_executed_again(chain: Chain, traces: RecordedTraces) -> None:
    chain.admission.admit(order())
    waiting = chain.mempool.waiting()
    asyncio.run(chain.blocks.make())
    for tx in waiting:  # as if the process had ended between the two commits
        chain.mempool.add(tx, tx.requester)
    traces.clear()
    chain.block()
    assert traces.spans == []
    assert chain.mempool.waiting() == []
    assert [event["type"] for event in chain.told()] == ["order.created"]


def test_an_admitted_transaction_is_on_the_disk(chain: Chain) -> None:
    for db in (chain.mempool._db, chain.db):
        assert db.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
        assert db.execute("PRAGMA synchronous").fetchone()[0] == 2  # FULL
        assert not db.in_transaction


def test_two_equal_messages_are_two_transactions(chain: Chain) -> None:
    first, second = chain.block(settle(KEY), settle(KEY))
    assert first != second


@pytest.mark.parametrize(
    ("message", "error"),
    [
        (order("Jane Doe"), MalformedError),
        (order(cpu_units=0), MalformedError),
        (order(cpu_units=MOST_CPU_UNITS + 1), MalformedError),
        (order(account="x" * 5000), MalformedError),
        (bid(price=0), MalformedError),
        (KEY.signed(veid_pb2.MsgSubmitScope(account=KEY.account, scope=veid_pb2.Scope(id="scope-1"))), MalformedError),
        (order(key=STRANGER), UnknownAccountError),
        (market_pb2.MsgCloseOrder(order_id="order-7"), UnauthenticatedError),
        (cheapened(order()), UnauthenticatedError),
        (altered(order(), value=order().signature.value), UnauthenticatedError),
        (altered(order(), value=b""), UnauthenticatedError),
        (altered(order(), nonce=bytes(16)), UnauthenticatedError),
        (altered(order(), public_key=order(key=STRANGER).signature.public_key), UnauthenticatedError),
        (altered(order(), public_key=bytes(33)), UnauthenticatedError),
        (market_pb2.MsgCloseOrder(order_id="order-7", signature=withdraw(KEY).signature), UnauthenticatedError),
        (order(account=STRANGER.account), ForbiddenError),
        (STRANGER.signed(scope()), ForbiddenError),
        (STRANGER.signed(veid_pb2.MsgRevokeScope(account=KEY.account, scope_id="scope-1")), ForbiddenError),
    ],
)
def test_what_ante_handling_rejects_waits_for_no_block(
    chain: Chain, traces: RecordedTraces, message: TxMessage, error: type[RejectedError]
) -> None:
    with pytest.raises(error):
        chain.admission.admit(message)
    assert chain.mempool.waiting() == []
    (span,) = traces.spans
    assert (span.name, attributes_of(span)["virtengine.tx.accepted"]) == ("ante.Handle", False)


def test_an_account_whose_first_scope_waits_is_known(chain: Chain) -> None:
    chain.block(scope(STRANGER), order(key=STRANGER))
    opened = chain.committed.market.order("order-7")
    assert opened is not None
    assert opened.state == market_pb2.ORDER_STATE_OPEN


@pytest.mark.parametrize("executed", [False, True])
def test_a_transaction_is_admitted_once_while_it_waits_and_ever_after(chain: Chain, executed: bool) -> None:  # noqa: FBT001  a parameter
    message = order()
    chain.admission.admit(message)
    if executed:
        chain.block()
    with pytest.raises(ReplayedError):
        chain.admission.admit(message)
    chain.block()
    assert [event["type"] for event in chain.told()] == ["order.created"]


def test_a_malleable_signature_makes_no_second_transaction(chain: Chain) -> None:
    message = order()
    chain.admission.admit(message)
    r, s = decode_dss_signature(message.signature.value)
    message.signature.value = encode_dss_signature(r, SECP256K1_ORDER - s)
    with pytest.raises(ReplayedError):
        chain.admission.admit(message)


def test_customer_or_provider_close_an_order_and_the_provider_alone_is_paid(chain: Chain) -> None:
    chain.block(order(), scope(STRANGER))
    for message in (close(PROVIDER), close(STRANGER), settle(PROVIDER), settle(KEY), withdraw(KEY)):
        with pytest.raises(ForbiddenError):
            chain.admission.admit(message)
    chain.block(bid())
    for message in (close(STRANGER), settle(KEY), settle(STRANGER), withdraw(KEY)):
        with pytest.raises(ForbiddenError):
            chain.admission.admit(message)
    chain.block(settle(PROVIDER))
    chain.block(close(KEY))
    assert [event["type"] for event in chain.told()] == ["order.created", "lease.created", "escrow.settled", "order.closed"]
    chain.block(order("order-8"))
    chain.block(bid(order_id="order-8"))
    chain.block(PROVIDER.signed(market_pb2.MsgCloseOrder(order_id="order-8")))
    assert chain.told()[-1]["type"] == "order.closed"


def test_a_providers_name_is_that_of_the_first_who_bid_under_it(chain: Chain) -> None:
    chain.block(order(), order("order-8"))
    chain.block(bid())
    with pytest.raises(ForbiddenError):
        chain.admission.admit(bid(STRANGER, order_id="order-8"))


def test_what_became_forbidden_while_it_waited_fails_in_its_block(chain: Chain, log: io.StringIO) -> None:
    chain.block(order(), bid(), bid(STRANGER), close(STRANGER))
    assert sorted(filter(None, chain.outcomes())) == ["NotAllowedError", "NotAllowedError"]
    assert [event["type"] for event in chain.told()] == ["order.created", "lease.created"]
    assert not {key.account for key in (KEY, PROVIDER, STRANGER) if key.account in log.getvalue()}


def test_events_are_numbered_and_hold_what_the_provider_needs(chain: Chain) -> None:
    (created,) = chain.block(order())
    (leased,) = chain.block(bid())
    lease = {"lease_id": "lease-7", "provider_id": "provider-1", "price": 28}
    of = {"order_id": "order-7", "cpu_units": 4}
    assert chain.told() == [
        {"sequence": 1, "type": "order.created", **of, "tx_hash": created, "height": 2},
        {"sequence": 2, "type": "lease.created", **of, **lease, "tx_hash": leased, "height": 3},
    ]
