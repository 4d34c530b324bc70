"""The chain's keepers: their rules, and the spans of calls from one module to another."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from examples.virtengine.chain.keepers import DepositTooSmallError, IdentityError, Keepers, NotFoundError, OrderStateError
from examples.virtengine.chain.storage import open_state
from examples.virtengine.protos import market_pb2, veid_pb2
from tracing_lib.testing.kit import RecordedTraces, attributes_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ACCOUNT = "virtengine1w0n8k"
ORDER = market_pb2.Order(id="order-7", account=ACCOUNT, cpu_units=4, deposit=40)
BIDDER = "virtengine1f3v9q"
BID = market_pb2.Bid(order_id="order-7", provider_id="provider-1", price=28)


class Told:
    """The types of the events that were emitted."""

    def __init__(self) -> None:
        self.types: list[str] = []

    def emit(self, event: str, order_id: str, **_fields: str | int) -> None:
        assert order_id == ORDER.id
        self.types.append(event)


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def keepers(tmp_path: Path, told: Told) -> Iterator[Keepers]:
    """Keepers of a chain on which the account has one scope."""
    with closing(open_state(tmp_path)) as db:
        made = Keepers.traced(db, told)
        Keepers.plain(db).veid.submit_scope(ACCOUNT, veid_pb2.Scope(id="scope-1", type=veid_pb2.SCOPE_TYPE_DOCUMENT))
        yield made


def test_an_order_asks_veid_for_the_customer_and_escrow_for_the_deposit(keepers: Keepers, traces: RecordedTraces) -> None:
    keepers.market.create_order(ORDER)
    traces.assert_tree(
        """
        market.keeper.CreateOrder virtengine.order.cpu_units=4
          veid.keeper.CheckLevel virtengine.veid.level=1
          escrow.keeper.Deposit virtengine.order.id=order-7 virtengine.escrow.deposit=40 virtengine.escrow.required=40
        """,
        attributes=[
            "virtengine.order.id",
            "virtengine.order.cpu_units",
            "virtengine.veid.level",
            "virtengine.escrow.deposit",
            "virtengine.escrow.required",
        ],
    )


def test_an_account_leaves_as_a_digest(keepers: Keepers, traces: RecordedTraces) -> None:
    keepers.market.create_order(ORDER)
    assert str(attributes_of(traces.span("veid.keeper.CheckLevel"))["virtengine.account"]).startswith("h:")
    assert not [span.name for span in traces.spans if ACCOUNT in str(attributes_of(span))]


def test_an_order_without_its_deposit_fails_where_the_deposit_is_taken(keepers: Keepers, traces: RecordedTraces) -> None:
    with pytest.raises(DepositTooSmallError):
        keepers.market.create_order(market_pb2.Order(id="order-7", account=ACCOUNT, cpu_units=4, deposit=39))
    failed = "! examples.virtengine.chain.keepers.DepositTooSmallError"
    traces.assert_tree(
        f"""
        market.keeper.CreateOrder {failed}
          veid.keeper.CheckLevel
          escrow.keeper.Deposit {failed}
        """
    )
    assert [span.name for span in traces.spans if span.events] == ["escrow.keeper.Deposit"]


def test_an_order_needs_an_identity_that_was_not_revoked(keepers: Keepers) -> None:
    assert keepers.veid.revoke_scope(ACCOUNT, "scope-1") == 0
    with pytest.raises(IdentityError):
        keepers.market.create_order(ORDER)
    with pytest.raises(NotFoundError):
        keepers.veid.revoke_scope(ACCOUNT, "scope-1")


def test_the_first_bid_on_an_open_order_wins(keepers: Keepers, traces: RecordedTraces, told: Told) -> None:
    with pytest.raises(NotFoundError):
        keepers.market.create_bid(BID, BIDDER)
    keepers.market.create_order(ORDER)
    traces.clear()
    lease = keepers.market.create_bid(BID, BIDDER)
    assert lease.price == 28
    span = attributes_of(traces.span("market.keeper.CreateBid"))
    assert (span["virtengine.lease.id"], span["virtengine.provider.id"]) == (lease.lease_id, "provider-1")
    with pytest.raises(OrderStateError, match="ORDER_STATE_ACTIVE"):
        keepers.market.create_bid(market_pb2.Bid(order_id="order-7", provider_id="provider-2", price=1), BIDDER)
    assert (keepers.market.lessor("order-7"), keepers.market.provider("provider-2")) == (BIDDER, None)
    assert told.types == ["order.created", "lease.created"]


def test_a_closed_order_gives_back_what_was_not_settled(keepers: Keepers, traces: RecordedTraces, told: Told) -> None:
    keepers.market.create_order(ORDER)
    keepers.market.create_bid(BID, BIDDER)
    keepers.escrow.settle("order-7", 28)
    traces.clear()
    keepers.market.close_order("order-7")
    traces.assert_tree(
        """
        market.keeper.CloseOrder
          escrow.keeper.Withdraw
        """
    )
    account = keepers.escrow.account("order-7")
    assert (account.deposit, account.settled) == (28, 28)
    with pytest.raises(OrderStateError, match="ORDER_STATE_CLOSED"):
        keepers.market.close_order("order-7")
    with pytest.raises(DepositTooSmallError):
        keepers.escrow.settle("order-7", 1)
    assert told.types == ["order.created", "lease.created", "escrow.settled", "order.closed"]


def test_no_more_is_settled_than_was_deposited(keepers: Keepers) -> None:
    with pytest.raises(NotFoundError):
        keepers.escrow.settle("order-7", 1)
    keepers.market.create_order(ORDER)
    keepers.escrow.settle("order-7", 28)
    with pytest.raises(DepositTooSmallError):
        keepers.escrow.settle("order-7", 13)
    keepers.escrow.deposit("order-7", 1, 1)
    assert keepers.escrow.settle("order-7", 13).settled == 41


def test_a_taken_id_is_no_second_order_and_a_failure_does_not_change_the_first(keepers: Keepers) -> None:
    keepers.market.create_order(ORDER)
    again = market_pb2.Order(id="order-7", account=ACCOUNT, cpu_units=1, deposit=10)
    with pytest.raises(OrderStateError):
        keepers.market.create_order(again)
    keepers.market.fail_order(again)
    kept = keepers.market.order("order-7")
    assert kept is not None
    assert (kept.cpu_units, kept.state) == (4, market_pb2.ORDER_STATE_OPEN)
