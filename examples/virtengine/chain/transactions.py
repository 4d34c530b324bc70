"""Transactions: a signed message of one of the modules, its hash, and the trace of whoever sent it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self, get_args

from examples.virtengine import signing
from examples.virtengine.protos import market_pb2, veid_pb2
from examples.virtengine.signing import TxMessage

_TYPES: Final[dict[str, type[TxMessage]]] = {kind.DESCRIPTOR.full_name: kind for kind in get_args(TxMessage)}


@dataclass(frozen=True, slots=True)
class Transaction:
    """A message on its way into a block."""

    hash: str
    """64 hexadecimal digits in capitals: the SHA-256 that its signature signs."""
    message: TxMessage
    """What it is to do."""
    requester: str | None = None
    """Token of the span that admitted it; none when tracing is off."""

    @classmethod
    def of(cls, message: TxMessage) -> Self:
        """Return the transaction of a message. Its signature is not looked at here."""
        return cls(signing.digest(message).hex().upper(), message)

    @classmethod
    def stored(cls, tx_hash: str, kind: str, content: bytes, requester: str | None) -> Self:
        """Return what a row of the mempool holds."""
        return cls(tx_hash, _TYPES[kind].FromString(content), requester)

    @property
    def kind(self) -> str:
        """Full name of the message's type."""
        return self.message.DESCRIPTOR.full_name

    @property
    def signed(self) -> bool:
        """Whether its signature is one of its signer."""
        return signing.valid(self.message.signature, bytes.fromhex(self.hash))

    @property
    def signer(self) -> str:
        """The account whose key it names."""
        return signing.address(self.message.signature.public_key)

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
