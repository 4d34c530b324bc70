"""Transactions: a message of one of the modules, its hash, and the trace of whoever sent it."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from typing import Final, Self, TypeAlias

from examples.virtengine.protos import escrow_pb2, market_pb2, veid_pb2

TxMessage: TypeAlias = (
    veid_pb2.MsgSubmitScope
    | veid_pb2.MsgRevokeScope
    | market_pb2.MsgCreateOrder
    | market_pb2.MsgCreateBid
    | market_pb2.MsgCloseOrder
    | escrow_pb2.MsgDeposit
    | escrow_pb2.MsgSettle
    | escrow_pb2.MsgWithdraw
)

_TYPES: Final[dict[str, type[TxMessage]]] = {
    kind.DESCRIPTOR.full_name: kind
    for kind in (
        veid_pb2.MsgSubmitScope,
        veid_pb2.MsgRevokeScope,
        market_pb2.MsgCreateOrder,
        market_pb2.MsgCreateBid,
        market_pb2.MsgCloseOrder,
        escrow_pb2.MsgDeposit,
        escrow_pb2.MsgSettle,
        escrow_pb2.MsgWithdraw,
    )
}
_NONCE_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class Transaction:
    """A message on its way into a block."""

    hash: str
    """64 hexadecimal digits in capitals, SHA-256."""
    message: TxMessage
    """What it is to do."""
    requester: str | None = None
    """Token of the span that admitted it; none when tracing is off."""

    @classmethod
    def of(cls, message: TxMessage) -> Self:
        """Return a transaction with a hash of its own: two equal messages are two transactions."""
        content = message.DESCRIPTOR.full_name.encode() + message.SerializeToString()
        return cls(hashlib.sha256(secrets.token_bytes(_NONCE_BYTES) + content).hexdigest().upper(), message)

    @classmethod
    def stored(cls, tx_hash: str, kind: str, content: bytes, requester: str | None) -> Self:
        """Return what a row of the mempool holds."""
        return cls(tx_hash, _TYPES[kind].FromString(content), requester)

    @property
    def kind(self) -> str:
        """Full name of the message's type."""
        return self.message.DESCRIPTOR.full_name

    @property
    def order_id(self) -> str | None:
        """The order that it is about; none for one about an identity."""
        match self.message:
            case market_pb2.MsgCreateOrder(order=order):
                return order.id
            case market_pb2.MsgCreateBid(bid=bid):
                return bid.order_id
            case veid_pb2.MsgSubmitScope() | veid_pb2.MsgRevokeScope():
                return None
            case message:
                return message.order_id

    @property
    def account(self) -> str | None:
        """The account that it is about; none for one about an order that exists."""
        match self.message:
            case market_pb2.MsgCreateOrder(order=order):
                return order.account
            case veid_pb2.MsgSubmitScope(account=account) | veid_pb2.MsgRevokeScope(account=account):
                return account
            case _:
                return None
