"""Who may do what: a customer with her account and her orders, a provider with what he leases out under his name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from examples.virtengine.protos import escrow_pb2, market_pb2

if TYPE_CHECKING:
    from examples.virtengine.chain.keepers import MarketKeeper
    from examples.virtengine.chain.transactions import Transaction


def allows(market: MarketKeeper, tx: Transaction) -> bool:
    """Whether a transaction's signer may do that, in the state that ``market`` reads.

    That there is no such order is not for here to say: before the block it may be waiting, and in the block its keeper says so.
    """
    match tx.message:
        case market_pb2.MsgCreateBid(bid=bid):
            return market.provider(bid.provider_id) in (tx.signer, None)
        case market_pb2.MsgCloseOrder(order_id=order_id):
            order = market.order(order_id)
            return order is None or tx.signer in (order.account, market.lessor(order_id))
        case escrow_pb2.MsgSettle(order_id=order_id) | escrow_pb2.MsgWithdraw(order_id=order_id):
            return market.order(order_id) is None or tx.signer == market.lessor(order_id)
        case escrow_pb2.MsgDeposit():
            return True  # whoever pays
        case _:
            return tx.signer == tx.account
