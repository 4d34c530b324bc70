"""What the portal keeps: persons with the keys that it holds for them, and what they wrote to their orders."""

from __future__ import annotations

import sqlite3
from dataclasses import astuple, dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from examples.virtengine.signing import Key

if TYPE_CHECKING:
    from pathlib import Path

_SCHEMA: Final = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
CREATE TABLE IF NOT EXISTS customers (
    account TEXT PRIMARY KEY, key BLOB NOT NULL, name TEXT NOT NULL, email TEXT NOT NULL, phone TEXT NOT NULL, document TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS orders (id TEXT PRIMARY KEY, account TEXT NOT NULL REFERENCES customers, note TEXT NOT NULL);
"""
_KEYS_AT_HAND: Final = 1024


class UnknownCustomerError(Exception):
    """Nobody has registered and been given this account."""


class UnknownOrderError(Exception):
    """No customer has placed this order."""


@dataclass(frozen=True, slots=True)
class Customer:
    """A person, as nobody but the portal knows her."""

    name: str
    email: str
    phone: str
    document: str


class Customers:
    """Customers in a file that only its owner can read. All methods raise ``sqlite3.Error``.

    What one of them has taken when it returns outlives a crash of the machine.
    """

    def __init__(self, path: Path) -> None:
        path.touch(mode=0o600)  # what SQLite makes beside it has the same mode
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.executescript(_SCHEMA)
        self._loaded = lru_cache(_KEYS_AT_HAND)(Key.of)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def add(self, customer: Customer, key: Key) -> None:
        """Keep a customer and the key that signs for her."""
        self._db.execute("INSERT INTO customers VALUES (?, ?, ?, ?, ?, ?)", (key.account, key.secret, *astuple(customer)))

    def add_order(self, order_id: str, account: str, note: str) -> None:
        """Keep whose an order is, and what she wrote to it."""
        self._db.execute("INSERT INTO orders VALUES (?, ?, ?)", (order_id, account, note))

    def key(self, account: str) -> Key:
        """Return the key of an account. Raises ``UnknownCustomerError``."""
        row = self._db.execute("SELECT key FROM customers WHERE account = ?", (account,)).fetchone()
        if row is None:
            raise UnknownCustomerError
        return self._loaded(*row)

    def key_of_order(self, order_id: str) -> Key:
        """Return the key of the account that placed an order. Raises ``UnknownOrderError``."""
        row = self._db.execute("SELECT account FROM orders WHERE id = ?", (order_id,)).fetchone()
        if row is None:
            raise UnknownOrderError
        return self.key(*row)
