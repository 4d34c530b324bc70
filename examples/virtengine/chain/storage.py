"""What the chain keeps: the state that blocks make, and beside it the transactions that wait for theirs.

They are two files because each has one writer: a transaction is admitted while a block is being written.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Final

from examples.virtengine.chain.transactions import Transaction

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_STATE: Final = """
CREATE TABLE IF NOT EXISTS blocks (height INTEGER PRIMARY KEY);
CREATE TABLE IF NOT EXISTS transactions (hash TEXT PRIMARY KEY, height INTEGER NOT NULL, error TEXT);
CREATE TABLE IF NOT EXISTS events (sequence INTEGER PRIMARY KEY AUTOINCREMENT, body TEXT NOT NULL, trace TEXT);
CREATE TABLE IF NOT EXISTS scopes (account TEXT, id TEXT, type INTEGER NOT NULL, PRIMARY KEY (account, id));
CREATE TABLE IF NOT EXISTS escrow (order_id TEXT PRIMARY KEY, deposit INTEGER NOT NULL, settled INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS orders (
    id TEXT PRIMARY KEY, account TEXT NOT NULL, cpu_units INTEGER NOT NULL, deposit INTEGER NOT NULL, state INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS providers (id TEXT PRIMARY KEY, account TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS leases (
    id TEXT PRIMARY KEY, order_id TEXT NOT NULL UNIQUE, provider_id TEXT NOT NULL, price INTEGER NOT NULL
);
"""
_MEMPOOL: Final = """
CREATE TABLE IF NOT EXISTS waiting (
    position INTEGER PRIMARY KEY AUTOINCREMENT, hash TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, message BLOB NOT NULL,
    account TEXT, requester TEXT
);
"""


def open_state(folder: Path) -> sqlite3.Connection:
    """Open the state for its one writer, the blocks; make it where there is none. Raises ``sqlite3.Error``."""
    return _open(folder / "chain-state.sqlite", _STATE)


def open_committed(folder: Path) -> sqlite3.Connection:
    """Open the state as of the last block, for reading alone. Raises ``sqlite3.Error``."""
    connection = _open(folder / "chain-state.sqlite", "")
    connection.execute("PRAGMA query_only = ON")
    return connection


def executed(db: sqlite3.Connection, tx_hash: str) -> bool:
    """Whether a block has executed a transaction, be it that it failed."""
    return db.execute("SELECT 1 FROM transactions WHERE hash = ?", (tx_hash,)).fetchone() is not None


def _open(path: Path, schema: str) -> sqlite3.Connection:
    """Open a database in which whatever was committed outlives a crash of the machine."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.executescript(schema)
    return connection


class Mempool:
    """The transactions that were admitted and wait for their block, in order of admission."""

    def __init__(self, folder: Path) -> None:
        self._db = _open(folder / "chain-mempool.sqlite", _MEMPOOL)

    def add(self, tx: Transaction, requester: str | None) -> None:
        """Keep a transaction: when this returns, it will be executed, whatever happens to the process. Raises ``sqlite3.Error``."""
        row = (tx.hash, tx.kind, tx.message.SerializeToString(), tx.account, requester)
        self._db.execute("INSERT INTO waiting (hash, kind, message, account, requester) VALUES (?, ?, ?, ?, ?)", row)

    def waiting(self) -> list[Transaction]:
        """Every transaction that waits."""
        rows = self._db.execute("SELECT hash, kind, message, requester FROM waiting ORDER BY position")
        return [Transaction.stored(*row) for row in rows]

    def remove(self, done: Iterable[Transaction]) -> None:
        """Forget transactions, all at once."""
        self._db.execute("BEGIN")
        self._db.executemany("DELETE FROM waiting WHERE hash = ?", [(tx.hash,) for tx in done])
        self._db.execute("COMMIT")

    def size(self) -> int:
        """Return how many transactions wait."""
        return int(self._db.execute("SELECT count(*) FROM waiting").fetchone()[0])

    def holds(self, tx_hash: str) -> bool:
        """Whether a transaction waits."""
        return self._db.execute("SELECT 1 FROM waiting WHERE hash = ?", (tx_hash,)).fetchone() is not None

    def mentions(self, account: str) -> bool:
        """Whether a transaction about an account waits."""
        return self._db.execute("SELECT 1 FROM waiting WHERE account = ?", (account,)).fetchone() is not None

    def close(self) -> None:
        """Close the file."""
        self._db.close()
