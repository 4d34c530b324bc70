"""The keepers of the three modules: their state and their rules, called by the transactions of a block and by each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from examples.virtengine.protos import escrow_pb2, market_pb2, veid_pb2
from tracing_lib.instrument import trace_keeper

if TYPE_CHECKING:
    import sqlite3

DEPOSIT_PER_CPU: Final = 10
"""What an order must deposit for each CPU unit, in the smallest unit of the chain's coin."""
VERIFIED_LEVEL: Final = 1
"""Level of identity that an order needs. Every scope of an account is worth one."""


class ChainError(Exception):
    """A transaction that the rules of a module do not allow; it leaves nothing behind."""


class IdentityError(ChainError):
    """The account's identity is not verified as far as it must be."""


class DepositTooSmallError(ChainError):
    """The deposit does not cover what it is for."""


class NotFoundError(ChainError):
    """There is no such order, scope or escrow account."""


class OrderStateError(ChainError):
    """The order is not in a state that allows this."""


class NotAllowedError(ChainError):
    """The signer may not do this."""


class Emitter(Protocol):
    """What takes the events of a transaction."""

    def emit(self, event: str, order_id: str, **fields: str | int) -> None:
        """Take an event; of a transaction that fails, none becomes known."""


class _Silence:
    def emit(self, event: str, order_id: str, **fields: str | int) -> None:
        """Tell nobody."""


class VeidKeeper:
    """Identity: what was verified about an account."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def submit_scope(self, account: str, scope: veid_pb2.Scope) -> int:
        """Take a scope as verified; return the account's level. The same scope again changes nothing."""
        self._db.execute("INSERT OR REPLACE INTO scopes VALUES (?, ?, ?)", (account, scope.id, scope.type))
        return self.level(account)

    def revoke_scope(self, account: str, scope_id: str) -> int:
        """Take a scope back; return the level that is left. Raises ``NotFoundError``."""
        if not self._db.execute("DELETE FROM scopes WHERE account = ? AND id = ?", (account, scope_id)).rowcount:
            raise NotFoundError("the account has no such scope")
        return self.level(account)

    def check_level(self, account: str, required: int) -> int:
        """Return the account's level. Raises ``IdentityError`` where it is below what is required."""
        level = self.level(account)
        if level < required:
            raise IdentityError(f"level {level} of verification, {required} required")
        return level

    def level(self, account: str) -> int:
        """Return the level of verification, 0 for an account that nobody knows."""
        return len(self.scopes(account))

    def scopes(self, account: str) -> list[veid_pb2.Scope]:
        """Return the scopes of an account."""
        rows = self._db.execute("SELECT id, type FROM scopes WHERE account = ?", (account,))
        return [veid_pb2.Scope(id=row["id"], type=row["type"]) for row in rows]


class EscrowKeeper:
    """Escrow: deposits that back orders."""

    def __init__(self, db: sqlite3.Connection, events: Emitter) -> None:
        self._db = db
        self._events = events

    def deposit(self, order_id: str, deposit: int, required: int) -> escrow_pb2.Account:
        """Take a deposit, beside what is there. Raises ``DepositTooSmallError``."""
        if deposit < required:
            raise DepositTooSmallError(f"deposit {deposit}, {required} required")
        changed = "INSERT INTO escrow VALUES (?, ?, 0) ON CONFLICT DO UPDATE SET deposit = deposit + excluded.deposit"
        self._db.execute(changed, (order_id, deposit))
        return self.account(order_id)

    def settle(self, order_id: str, amount: int) -> escrow_pb2.Account:
        """Pay the provider from a deposit. Raises ``NotFoundError``, and ``DepositTooSmallError`` where not enough is left."""
        account = self.account(order_id)
        if account.settled + amount > account.deposit:
            raise DepositTooSmallError(f"{account.deposit - account.settled} left, {amount} to settle")
        self._db.execute("UPDATE escrow SET settled = settled + ? WHERE order_id = ?", (amount, order_id))
        self._events.emit("escrow.settled", order_id)
        return self.account(order_id)

    def withdraw(self, order_id: str) -> int:
        """Give the customer back what is left, and return how much that was. Raises ``NotFoundError``."""
        account = self.account(order_id)
        self._db.execute("UPDATE escrow SET deposit = settled WHERE order_id = ?", (order_id,))
        return account.deposit - account.settled

    def account(self, order_id: str) -> escrow_pb2.Account:
        """Return the account of an order. Raises ``NotFoundError``."""
        row = self._db.execute("SELECT * FROM escrow WHERE order_id = ?", (order_id,)).fetchone()
        if row is None:
            raise NotFoundError("no deposit was made for the order")
        return escrow_pb2.Account(order_id=order_id, deposit=row["deposit"], settled=row["settled"])


@dataclass(frozen=True, slots=True)
class Lease:
    """An order that a provider serves."""

    lease_id: str
    """Made from the order's id."""
    price: int
    """In the smallest unit of the chain's coin per block."""


class MarketKeeper:
    """Market: orders, bids and leases. It asks veid about the customer and escrow for the deposit."""

    def __init__(self, db: sqlite3.Connection, veid: VeidKeeper, escrow: EscrowKeeper, events: Emitter) -> None:
        self._db = db
        self._veid = veid
        self._escrow = escrow
        self._events = events

    def create_order(self, order: market_pb2.Order) -> market_pb2.Order:
        """Open an order. Raises ``IdentityError``, ``DepositTooSmallError`` and, for an id that is taken, ``OrderStateError``."""
        if self.order(order.id) is not None:
            raise OrderStateError("there is an order of that id")
        self._veid.check_level(order.account, VERIFIED_LEVEL)
        self._put(order, market_pb2.ORDER_STATE_OPEN)
        self._events.emit("order.created", order.id, cpu_units=order.cpu_units)
        self._escrow.deposit(order.id, order.deposit, DEPOSIT_PER_CPU * order.cpu_units)
        return order

    def fail_order(self, order: market_pb2.Order) -> None:
        """Keep an order whose transaction failed, so that its customer can be told; one that is there already stays as it is."""
        if self.order(order.id) is None:
            self._put(order, market_pb2.ORDER_STATE_FAILED)

    def create_bid(self, bid: market_pb2.Bid, bidder: str) -> Lease:
        """Take a bid, the first on an order, as its lease. Raises ``NotFoundError`` and ``OrderStateError``.

        ``bidder``: the account that bids; a name of a provider is that of the account whose bid was first taken under it.
        """
        order = self._in_state(bid.order_id, market_pb2.ORDER_STATE_OPEN)
        self._db.execute("INSERT OR IGNORE INTO providers VALUES (?, ?)", (bid.provider_id, bidder))
        lease = Lease(f"lease-{bid.order_id.removeprefix('order-')}", bid.price)
        self._db.execute("INSERT INTO leases VALUES (?, ?, ?, ?)", (lease.lease_id, bid.order_id, bid.provider_id, bid.price))
        self._put(order, market_pb2.ORDER_STATE_ACTIVE)
        self._events.emit(
            "lease.created",
            order.id,
            cpu_units=order.cpu_units,
            lease_id=lease.lease_id,
            provider_id=bid.provider_id,
            price=bid.price,
        )
        return lease

    def close_order(self, order_id: str) -> market_pb2.Order:
        """Close an order and give the rest of its deposit back. Raises ``NotFoundError`` and ``OrderStateError``."""
        order = self._in_state(order_id, market_pb2.ORDER_STATE_OPEN, market_pb2.ORDER_STATE_ACTIVE)
        self._escrow.withdraw(order_id)
        self._put(order, market_pb2.ORDER_STATE_CLOSED)
        self._events.emit("order.closed", order_id)
        return order

    def provider(self, provider_id: str) -> str | None:
        """Return the account that has a provider's name, or none where the name is free."""
        row = self._db.execute("SELECT account FROM providers WHERE id = ?", (provider_id,)).fetchone()
        return row["account"] if row else None

    def lessor(self, order_id: str) -> str | None:
        """Return the account of the provider that serves an order, or none where no bid was taken."""
        query = "SELECT account FROM leases JOIN providers ON providers.id = provider_id WHERE order_id = ?"
        row = self._db.execute(query, (order_id,)).fetchone()
        return row["account"] if row else None

    def order(self, order_id: str) -> market_pb2.Order | None:
        """Return an order, or none where no block knows it."""
        row = self._db.execute("SELECT * FROM orders WHERE id = ?", (order_id,)).fetchone()
        return None if row is None else market_pb2.Order(**dict(row))

    def orders(self, state: market_pb2.OrderState) -> list[market_pb2.Order]:
        """Return the orders in a state."""
        rows = self._db.execute("SELECT * FROM orders WHERE state = ? ORDER BY id", (state,))
        return [market_pb2.Order(**dict(row)) for row in rows]

    def _in_state(self, order_id: str, *states: market_pb2.OrderState) -> market_pb2.Order:
        order = self.order(order_id)
        if order is None:
            raise NotFoundError("there is no such order")
        if order.state not in states:
            raise OrderStateError(f"the order is {market_pb2.OrderState.Name(order.state)}")
        return order

    def _put(self, order: market_pb2.Order, state: market_pb2.OrderState) -> None:
        row = (order.id, order.account, order.cpu_units, order.deposit, state)
        self._db.execute("INSERT OR REPLACE INTO orders VALUES (?, ?, ?, ?, ?)", row)


@dataclass(frozen=True, slots=True)
class Keepers:
    """The keepers of one chain over one connection to its state."""

    veid: VeidKeeper
    escrow: EscrowKeeper
    market: MarketKeeper

    @classmethod
    def plain(cls, db: sqlite3.Connection, events: Emitter | None = None) -> Keepers:
        """Return keepers that make no spans, for those who ask over and over. Without ``events`` they are for reading alone."""
        emitter = events or _Silence()
        veid, escrow = VeidKeeper(db), EscrowKeeper(db, emitter)
        return cls(veid, escrow, MarketKeeper(db, veid, escrow, emitter))

    @classmethod
    def traced(cls, db: sqlite3.Connection, events: Emitter) -> Keepers:
        """Return keepers whose every call is a span, those from one module to another too."""
        veid = trace_keeper(VeidKeeper(db), attributes={"virtengine.account": "account", "virtengine.veid.level": "return"})
        escrow = trace_keeper(
            EscrowKeeper(db, events),
            attributes={
                "virtengine.order.id": "order_id",
                "virtengine.escrow.deposit": "deposit",
                "virtengine.escrow.required": "required",
            },
        )
        market = trace_keeper(
            MarketKeeper(db, veid, escrow, events),
            attributes={
                "virtengine.order.cpu_units": "order.cpu_units",
                "virtengine.provider.id": "bid.provider_id",
                "virtengine.bid.price": "bid.price",
                "virtengine.lease.id": "return.lease_id",
            },
        )
        return cls(veid, escrow, market)
