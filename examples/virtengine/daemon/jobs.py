"""The daemon's memory: leases, their jobs, and how far the chain's events were read. It survives the process."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PROVISION: Final = "provision"
RELEASE: Final = "release"

_SCHEMA: Final = """
PRAGMA journal_mode = WAL;
-- A power cut may take the last commits, whole; the chain then tells the same events again.
PRAGMA synchronous = NORMAL;
CREATE TABLE IF NOT EXISTS position (sequence INTEGER NOT NULL);
INSERT INTO position SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM position);
CREATE TABLE IF NOT EXISTS leases (
    order_id TEXT PRIMARY KEY, lease_id TEXT NOT NULL, cpu_units INTEGER NOT NULL, price INTEGER NOT NULL, handle TEXT
);
CREATE TABLE IF NOT EXISTS jobs (
    id INTEGER PRIMARY KEY, order_id TEXT NOT NULL REFERENCES leases, kind TEXT NOT NULL, trace TEXT,
    state TEXT NOT NULL DEFAULT 'queued', attempt INTEGER NOT NULL DEFAULT 0, UNIQUE (order_id, kind)
);
CREATE INDEX IF NOT EXISTS waiting ON jobs (state, id);
UPDATE jobs SET state = 'queued' WHERE state = 'running';
"""

_CLAIM: Final = """
UPDATE jobs SET state = 'running', attempt = attempt + 1 WHERE id = (
    SELECT id FROM jobs AS next WHERE state = 'queued' AND NOT EXISTS (
        SELECT 1 FROM jobs WHERE order_id = next.order_id AND id < next.id AND state IN ('queued', 'running')
    ) ORDER BY id LIMIT 1
) RETURNING id
"""

_LEASE: Final = "order_id, lease_id, cpu_units, price, handle"
_JOB: Final = f"SELECT id, kind, trace, attempt, {_LEASE} FROM jobs JOIN leases USING (order_id) WHERE id = ?"  # noqa: S608  a constant


@dataclass(frozen=True)
class Lease:
    """An order that this provider won."""

    order_id: str
    lease_id: str
    cpu_units: int
    price: int
    """For the lease, in the smallest unit of the chain's coin."""
    handle: str | None = None
    """What the adapter made, in its own words; none before it made anything."""


@dataclass(frozen=True)
class Job:
    """One attempt at a job."""

    id: int
    kind: str
    trace: str | None
    """Token of who asked for it; none when that was done without tracing."""
    attempt: int
    """From 1; more than 1 after the daemon ended in the middle."""
    lease: Lease


class Queue:
    """Jobs in SQLite, for one event loop. What ran when the process ended is queued again by the next one to open the file."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path)
        self._db.executescript(_SCHEMA)
        self._changed = asyncio.Event()

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @property
    def position(self) -> int:
        """Sequence of the last event whose effects are stored; 0 before the first."""
        found: int = self._db.execute("SELECT sequence FROM position").fetchone()[0]
        return found

    @contextmanager
    def effects_of(self, sequence: int) -> Iterator[None]:
        """Store what the block adds together with the event's sequence: both or neither. Nothing may be awaited inside."""
        with self._db:
            yield
            self._db.execute("UPDATE position SET sequence = ?", (sequence,))
        self._changed.set()

    def add_lease(self, lease: Lease) -> None:
        """Keep a lease that was won; one that is known stays as it is."""
        row = (lease.order_id, lease.lease_id, lease.cpu_units, lease.price)
        self._db.execute("INSERT OR IGNORE INTO leases (order_id, lease_id, cpu_units, price) VALUES (?, ?, ?, ?)", row)

    def add(self, kind: str, order_id: str, trace: str | None) -> None:
        """Queue a job for a lease; a second one of its kind is left out."""
        self._db.execute("INSERT OR IGNORE INTO jobs (order_id, kind, trace) VALUES (?, ?, ?)", (order_id, kind, trace))

    def lease(self, order_id: str) -> Lease | None:
        """The lease of an order, or none when another provider has it."""
        row = self._db.execute(f"SELECT {_LEASE} FROM leases WHERE order_id = ?", (order_id,)).fetchone()  # noqa: S608  a constant
        return Lease(*row) if row else None

    async def next(self) -> Job:
        """Wait for a job and begin an attempt. Jobs of one order are given out one after the other, in the order of their making."""
        while True:
            self._changed.clear()
            with self._db:
                claimed = self._db.execute(_CLAIM).fetchone()
            if claimed:
                job_id, kind, trace, attempt, *lease = self._db.execute(_JOB, claimed).fetchone()
                return Job(job_id, kind, trace, attempt, Lease(*lease))
            await self._changed.wait()

    def made(self, order_id: str, handle: str) -> None:
        """Remember what the adapter made for an order."""
        with self._db:
            self._db.execute("UPDATE leases SET handle = ? WHERE order_id = ?", (handle, order_id))

    def finish(self, job: Job, *, failed: bool) -> None:
        """End a job: it is not attempted again."""
        with self._db:
            self._db.execute("UPDATE jobs SET state = ? WHERE id = ?", ("failed" if failed else "done", job.id))
        self._changed.set()

    def jobs(self, order_id: str) -> list[dict[str, object]]:
        """Kind, state (queued, running, done, failed) and attempt of an order's jobs, the oldest first."""
        rows = self._db.execute("SELECT kind, state, attempt FROM jobs WHERE order_id = ? ORDER BY id", (order_id,))
        return [{"kind": kind, "state": state, "attempt": attempt} for kind, state, attempt in rows]
