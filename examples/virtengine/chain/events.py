"""Events: what the transactions of a block did, kept by number, told to every subscriber over a WebSocket in his own time."""

from __future__ import annotations

import asyncio
import json
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocketDisconnect

from tracing_lib.instrument import JobContext, continued
from tracing_lib.instrument.http import AsgiTracing

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

    from starlette.websockets import WebSocket

_AT_ONCE: Final = 100
"""Events that are read for a subscriber at a time."""


@dataclass(frozen=True, slots=True)
class Event:
    """An event as it is told."""

    sequence: int
    """Its number, without gaps, from 1."""
    text: str
    """JSON, with the number, the type, the order, the transaction and the height."""
    trace: str | None
    """Token of the transaction's span."""


class Events:
    """The events of the chain, kept beside its state."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._emitted: list[dict[str, str | int]] = []

    def emit(self, event: str, order_id: str, **fields: str | int) -> None:
        """Take an event of the transaction that is being executed."""
        self._emitted.append({"type": event, "order_id": order_id, **fields})

    def keep(self, tx_hash: str, height: int) -> None:
        """Keep the events of a transaction, whose span is the current one. Raises ``sqlite3.Error``."""
        job = JobContext.current()
        trace = job.token if job else None
        rows = [(json.dumps({**event, "tx_hash": tx_hash, "height": height}), trace) for event in self._emitted]
        self._db.executemany("INSERT INTO events (body, trace) VALUES (?, ?)", rows)
        self.drop()

    def drop(self) -> None:
        """Forget the events of a transaction that failed."""
        self._emitted.clear()

    def after(self, sequence: int) -> list[Event]:
        """Return the next events after a number, the first hundred."""
        rows = self._db.execute(
            "SELECT sequence, body, trace FROM events WHERE sequence > ? ORDER BY sequence LIMIT ?", (sequence, _AT_ONCE)
        )
        return [Event(number, json.dumps({"sequence": number, **json.loads(body)}), trace) for number, body, trace in rows]


class News:
    """Tells whoever waits that there is a new block, or that there will be no more."""

    def __init__(self) -> None:
        self.ended = False
        self._waiting: set[asyncio.Event] = set()

    @contextmanager
    def subscribe(self) -> Iterator[asyncio.Event]:
        """Yield an event that is set with every block; its reader clears it."""
        news = asyncio.Event()
        self._waiting.add(news)
        try:
            yield news
        finally:
            self._waiting.discard(news)

    def tell(self, *, ended: bool = False) -> None:
        """Wake everyone who waits."""
        self.ended = self.ended or ended
        for news in self._waiting:
            news.set()


def app(events: Events, news: News) -> AsgiTracing:
    """``/events?after=SEQUENCE``: every event after a number (default: all), those that there are and those to come, as JSON."""

    async def subscription(socket: WebSocket) -> None:
        after = socket.query_params.get("after", "0")
        if not after.isdecimal():
            await socket.close(reason="after is no number")
            return
        await socket.accept()
        async with asyncio.TaskGroup() as group:
            telling = group.create_task(_tell(socket, events, news, int(after)))
            async for _ in socket.iter_text():
                pass  # a subscriber has nothing to say; what ends the loop is that he leaves
            telling.cancel()

    return AsgiTracing(Starlette(routes=[WebSocketRoute("/events", subscription)]), envelope=True)


async def _tell(socket: WebSocket, events: Events, news: News, after: int) -> None:
    with news.subscribe() as fresh, suppress(WebSocketDisconnect):
        while True:
            fresh.clear()
            while found := events.after(after):
                for event in found:
                    # To the transaction's trace, now or when it is told again after years.
                    with continued(event.trace):
                        await socket.send_text(event.text)
                    after = event.sequence
            await fresh.wait()
