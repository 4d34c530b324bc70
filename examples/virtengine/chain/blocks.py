"""Blocks: all that was admitted, executed in order, each transaction in a trace of its own."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from examples.virtengine.chain import authority
from examples.virtengine.chain.keepers import ChainError, Keepers, NotAllowedError
from examples.virtengine.chain.storage import executed
from examples.virtengine.protos import escrow_pb2, market_pb2, veid_pb2
from tracing_lib.instrument import continued, transaction

if TYPE_CHECKING:
    import sqlite3

    from examples.virtengine.chain.events import Events, News
    from examples.virtengine.chain.storage import Mempool
    from examples.virtengine.chain.transactions import Transaction
    from examples.virtengine.signing import TxMessage

_logger: Final = logging.getLogger(__name__)


class Blocks:
    """Makes blocks of what waits in the mempool. ``db``: the state; no one else writes to it."""

    def __init__(self, db: sqlite3.Connection, mempool: Mempool, keepers: Keepers, events: Events, news: News) -> None:
        self._db = db
        self._mempool = mempool
        self._keepers = keepers
        self._market = Keepers.plain(db).market
        self._events = events
        self._news = news
        self._ending = asyncio.Event()

    async def run(self, seconds: float) -> None:
        """Make a block every so many seconds, until ``end``. Raises ``sqlite3.Error``."""
        now = asyncio.get_running_loop().time
        due = now()
        while not self._ending.is_set():
            await self.make()
            due = max(due + seconds, now())
            with suppress(TimeoutError):
                async with asyncio.timeout_at(due):
                    await self._ending.wait()

    def end(self) -> None:
        """Let the block that is being made be the last."""
        self._ending.set()

    async def make(self) -> None:
        """Make one block: when it is committed its transactions leave the mempool, and those who wait for it are told."""
        waiting, now = self._mempool.waiting(), asyncio.get_running_loop().time
        self._db.execute("BEGIN")
        height = self._db.execute("INSERT INTO blocks DEFAULT VALUES RETURNING height").fetchone()["height"]
        for tx in waiting:
            # One that the last block before a crash has executed may wait still.
            if not executed(self._db, tx.hash):
                began = now()
                self._execute(tx, height)
                await asyncio.sleep(now() - began)  # half of the time is for requests
        self._db.execute("COMMIT")
        self._mempool.remove(waiting)
        self._news.tell()

    def _execute(self, tx: Transaction, height: int) -> None:
        """Execute a transaction in its own trace; one that fails leaves the state as it was, but for the failure."""
        described: dict[str, str | int] = {"virtengine.block.height": height}
        if tx.order_id:
            described["virtengine.order.id"] = tx.order_id
        failure = None
        try:
            with continued(tx.requester), transaction("execute transaction", tx.hash, attributes=described):
                self._in_savepoint(tx, height)
        except ChainError as error:
            failure = type(error).__name__
        self._db.execute("INSERT INTO transactions VALUES (?, ?, ?)", (tx.hash, height, failure))

    def _in_savepoint(self, tx: Transaction, height: int) -> None:
        self._db.execute("SAVEPOINT tx")
        try:
            # Again as at the way in: a transaction before this one in the block may have changed who may.
            if not authority.allows(self._market, tx):
                raise NotAllowedError("the signer may not do this")
            self._deliver(tx.message, tx.signer)
            self._events.keep(tx.hash, height)
        except ChainError as error:
            self._db.execute("ROLLBACK TO tx")
            self._events.drop()
            if isinstance(tx.message, market_pb2.MsgCreateOrder):
                self._keepers.market.fail_order(tx.message.order)
            described = {"virtengine.tx.hash": tx.hash, "virtengine.order.id": tx.order_id}
            _logger.error("a transaction failed", exc_info=error, extra=described)  # noqa: TRY400  the trace leads to where
            raise
        finally:
            self._db.execute("RELEASE tx")

    def _deliver(self, message: TxMessage, signer: str) -> None:
        """Call the keeper that a message is for."""
        veid, escrow, market = self._keepers.veid, self._keepers.escrow, self._keepers.market
        match message:
            case veid_pb2.MsgSubmitScope():
                veid.submit_scope(message.account, message.scope)
            case veid_pb2.MsgRevokeScope():
                veid.revoke_scope(message.account, message.scope_id)
            case market_pb2.MsgCreateOrder():
                market.create_order(message.order)
            case market_pb2.MsgCreateBid():
                market.create_bid(message.bid, signer)
            case market_pb2.MsgCloseOrder():
                market.close_order(message.order_id)
            case escrow_pb2.MsgDeposit():
                escrow.deposit(message.order_id, message.amount, message.required)
            case escrow_pb2.MsgSettle():
                escrow.settle(message.order_id, message.amount)
            case escrow_pb2.MsgWithdraw():
                escrow.withdraw(message.order_id)
