"""Ante handling: what must be right about a transaction before it may wait for a block."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar, Final

import grpc

from examples.virtengine.chain import authority
from examples.virtengine.chain.storage import executed
from examples.virtengine.chain.transactions import Transaction
from examples.virtengine.protos import market_pb2, veid_pb2
from tracing_lib.instrument import JobContext, trace_ante

if TYPE_CHECKING:
    import sqlite3

    from examples.virtengine.chain.keepers import Keepers
    from examples.virtengine.chain.storage import Mempool
    from examples.virtengine.signing import TxMessage

MOST_BYTES: Final = 4096
"""Size of the largest transaction."""
MOST_CPU_UNITS: Final = 1024
"""CPU units of the largest order."""
_ID: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,127}")


class RejectedError(Exception):
    """The transaction may not enter the mempool."""

    code: ClassVar = grpc.StatusCode.FAILED_PRECONDITION


class MalformedError(RejectedError):
    """The transaction could never be executed."""

    code = grpc.StatusCode.INVALID_ARGUMENT


class UnauthenticatedError(RejectedError):
    """No signature, or not one of this key over this message."""

    code = grpc.StatusCode.UNAUTHENTICATED


class ForbiddenError(RejectedError):
    """It acts for an account that is not the signer's."""

    code = grpc.StatusCode.PERMISSION_DENIED


class ReplayedError(RejectedError):
    """It was admitted before."""

    code = grpc.StatusCode.ALREADY_EXISTS


class UnknownAccountError(RejectedError):
    """Nobody has submitted anything about the account."""


class Admission:
    """The way into the mempool. ``read``: the state of the last block, as ``committed`` reads it too."""

    def __init__(self, read: sqlite3.Connection, mempool: Mempool, committed: Keepers) -> None:
        self._read = read
        self._mempool = mempool
        self._committed = committed
        self._ante = trace_ante(self._handle, attributes={"virtengine.order.id": "tx.order_id"})

    def admit(self, message: TxMessage) -> str:
        """Take a transaction for the next block, and return its hash. Raises ``RejectedError`` and ``sqlite3.Error``."""
        tx = Transaction.of(message)
        self._ante(tx)
        requester = JobContext.current()
        self._mempool.add(tx, requester.token if requester else None)
        return tx.hash

    def _handle(self, tx: Transaction) -> None:
        if tx.message.ByteSize() > MOST_BYTES:
            raise MalformedError(f"a transaction has {MOST_BYTES} bytes at most")
        if not all(_ID.fullmatch(name) for name in (tx.order_id, tx.account) if name is not None):
            raise MalformedError("orders and accounts are named by letters, digits and ._-")
        self._content(tx)
        if not tx.signed:
            raise UnauthenticatedError("the signature is not one of its key over this message")
        if not authority.allows(self._committed.market, tx):
            raise ForbiddenError("the signer may not do this")
        if self._mempool.holds(tx.hash) or executed(self._read, tx.hash):
            raise ReplayedError("the transaction was admitted before")
        if isinstance(tx.message, market_pb2.MsgCreateOrder):
            self._identity(tx.message.order.account)

    def _content(self, tx: Transaction) -> None:
        match tx.message:
            case market_pb2.MsgCreateOrder(order=order) if not 0 < order.cpu_units <= MOST_CPU_UNITS:
                raise MalformedError(f"an order asks for 1 to {MOST_CPU_UNITS} CPU units")
            case market_pb2.MsgCreateBid(bid=bid) if not (_ID.fullmatch(bid.provider_id) and bid.price):
                raise MalformedError("a bid has a provider and a price")
            case veid_pb2.MsgSubmitScope(scope=scope) if not (_ID.fullmatch(scope.id) and scope.type):
                raise MalformedError("a scope has an id and a type")

    def _identity(self, account: str) -> None:
        if not self._committed.veid.level(account) and not self._mempool.mentions(account):
            raise UnknownAccountError("the account has no identity")
