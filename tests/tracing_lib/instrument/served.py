"""A real uvicorn server for an ASGI application, on a port of its own."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import uvicorn

from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def served(app: Any) -> Iterator[str]:  # noqa: ANN401  uvicorn's own type of an application
    """Serve an application; yield host and port."""
    listener = socket.create_server(("127.0.0.1", 0))
    # Without a configuration of its own, because uvicorn's keeps what it logs from the root logger for the rest of the process.
    config = uvicorn.Config(app, lifespan="off", log_config=None, ws="websockets-sansio")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        until(lambda: server.started, "uvicorn to start", every=0.005)
        yield f"127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
