"""``python -m examples.virtengine.waldur``: a server shaped like Waldur's marketplace, for the real ``waldur-api-client``."""

from __future__ import annotations

import argparse
import asyncio
import datetime as dt
import sqlite3
import time
import uuid
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

from examples.virtengine import serving
from examples.virtengine.service import traced
from tracing_lib import current_span
from tracing_lib.instrument.http import AsgiTracing

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send

FAST_SECONDS: Final = 0.02
"""How long an order is executing."""
SLOW_FROM_CPU_UNITS: Final = 64
MOST_CPU_UNITS: Final = 128
"""Orders for more are erred."""

_SCHEMA: Final = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
CREATE TABLE IF NOT EXISTS orders (
    uuid TEXT PRIMARY KEY, resource_uuid TEXT UNIQUE NOT NULL, name TEXT NOT NULL, cpu_units INTEGER NOT NULL, created REAL NOT NULL,
    terminated INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS names ON orders (name);
"""
_NOT_FOUND: Final = JSONResponse({"detail": "Not found."}, status_code=404)


class Marketplace:
    """Orders and their resources. A state is not kept but follows from the time: nothing has to run while nobody asks."""

    def __init__(self, path: Path, slow_seconds: float) -> None:
        self._db = sqlite3.connect(path)
        self._db.row_factory = sqlite3.Row
        self._db.executescript(_SCHEMA)
        self._slow_seconds = slow_seconds

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    async def create(self, request: Request) -> JSONResponse:
        """``POST /api/marketplace-orders/``: 201 with the order, 400 for one that wants no CPU units."""
        body = await request.json()
        name, cpu_units = body.get("attributes", {}).get("name", ""), body.get("limits", {}).get("cpu")
        if not isinstance(cpu_units, int):
            return JSONResponse({"limits": ["cpu: This field is required."]}, status_code=400)
        current_span().set_attributes({"virtengine.order.id": name, "virtengine.order.cpu_units": cpu_units})
        made = str(uuid.uuid4())
        with self._db:
            row = (made, str(uuid.uuid4()), name, cpu_units, time.time())
            self._db.execute("INSERT INTO orders (uuid, resource_uuid, name, cpu_units, created) VALUES (?, ?, ?, ?, ?)", row)
        return JSONResponse(self._order(self._one("uuid", made)), status_code=201)

    async def search(self, request: Request) -> JSONResponse:
        """``GET /api/marketplace-orders/``: all orders, or those for a resource of the name ``resource_name``."""
        name = request.query_params.get("resource_name")
        rows = self._db.execute("SELECT * FROM orders WHERE name = ifnull(?, name) ORDER BY created", (name,))
        return JSONResponse([self._order(row) for row in rows])

    async def order(self, request: Request) -> JSONResponse:
        """``GET /api/marketplace-orders/{uuid}/``."""
        row = self._one("uuid", request.path_params["uuid"])
        return JSONResponse(self._order(row)) if row else _NOT_FOUND

    async def resource(self, request: Request) -> JSONResponse:
        """``GET /api/marketplace-resources/{uuid}/``."""
        row = self._one("resource_uuid", request.path_params["uuid"])
        return JSONResponse({"uuid": row["resource_uuid"], "name": row["name"], "state": self._resource_state(row)}) if row else _NOT_FOUND

    async def terminate(self, request: Request) -> JSONResponse:
        """``POST /api/marketplace-resources/{uuid}/terminate/``: 409 unless the resource is there and in order."""
        row = self._one("resource_uuid", request.path_params["uuid"])
        if row is None:
            return _NOT_FOUND
        if self._resource_state(row) != "OK":
            return JSONResponse({"detail": "The resource is in a wrong state."}, status_code=409)
        with self._db:
            self._db.execute("UPDATE orders SET terminated = 1 WHERE uuid = ?", (row["uuid"],))
        return JSONResponse({"order_uuid": str(uuid.uuid4())})

    def _one(self, column: str, value: str) -> Any:  # noqa: ANN401  a row, by the names of its columns
        return self._db.execute(f"SELECT * FROM orders WHERE {column} = ?", (value,)).fetchone()  # noqa: S608  constants of this module

    def _state(self, row: sqlite3.Row) -> str:
        slow = SLOW_FROM_CPU_UNITS <= row["cpu_units"] <= MOST_CPU_UNITS
        if time.time() < row["created"] + (self._slow_seconds if slow else FAST_SECONDS):
            return "executing"
        return "erred" if row["cpu_units"] > MOST_CPU_UNITS else "done"

    def _resource_state(self, row: sqlite3.Row) -> str:
        return "Terminated" if row["terminated"] else {"executing": "Creating", "erred": "Erred", "done": "OK"}[self._state(row)]

    def _order(self, row: sqlite3.Row) -> dict[str, object]:
        return {
            "uuid": row["uuid"],
            "type": "Create",
            "state": self._state(row),
            "created": dt.datetime.fromtimestamp(row["created"], dt.UTC).isoformat(),
            "resource_name": row["name"],
            "marketplace_resource_uuid": row["resource_uuid"],
            "limits": {"cpu": row["cpu_units"]},
        }


class Entrance:
    """ASGI middleware: counts the requests to an application, and answers 401 to those without the token."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._expected = f"Token {token}".encode()
        self.requests = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in, or not."""
        self.requests += 1
        if dict(scope["headers"]).get(b"authorization") == self._expected:
            await self._app(scope, receive, send)
        else:
            refusal = JSONResponse({"detail": "Invalid token."}, status_code=401)
            await refusal(scope, receive, send)


def app(marketplace: Marketplace, token: str) -> Starlette:
    """The API under ``/api``, traced; ``GET /stats`` tells how many requests it had since the start, untraced."""
    routes = [
        Route("/api/marketplace-orders/", marketplace.create, methods=["POST"]),
        Route("/api/marketplace-orders/", marketplace.search),
        Route("/api/marketplace-orders/{uuid}/", marketplace.order),
        Route("/api/marketplace-resources/{uuid}/", marketplace.resource),
        Route("/api/marketplace-resources/{uuid}/terminate/", marketplace.terminate, methods=["POST"]),
    ]
    entrance = Entrance(Starlette(routes=routes), token)

    async def stats(_request: Request) -> JSONResponse:
        return JSONResponse({"requests": entrance.requests})

    return Starlette(routes=[Route("/stats", stats), Mount("/", AsgiTracing(entrance))])


def main() -> None:
    """Serve until SIGTERM."""
    serving.leave_on_sigterm()
    parser = argparse.ArgumentParser(prog="python -m examples.virtengine.waldur", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="on loopback")
    parser.add_argument("--state", type=Path, required=True, metavar="FOLDER", help="where orders are kept")
    parser.add_argument("--slow-seconds", type=float, default=1.5, help="for orders of 64 CPU units and more (default: %(default)s)")
    parser.add_argument("--token-file", type=Path, metavar="FILE", help="holds the token of the API (default: the token is 'example')")
    options = parser.parse_args()
    options.state.mkdir(parents=True, exist_ok=True)
    token = options.token_file.read_text().strip() if options.token_file else "example"
    with traced("waldur"), closing(Marketplace(options.state / "waldur.sqlite", options.slow_seconds)) as marketplace:
        asyncio.run(serving.serve(app(marketplace, token), options.port))


if __name__ == "__main__":
    main()
