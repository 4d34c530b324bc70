"""HTTP as the services speak it: a health check that makes no span, and an end in order with SIGTERM."""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING, Final

import uvicorn
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from examples.virtengine.service import HOST

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import ASGIApp


_GRACE_SECONDS: Final = 2
"""For requests that are being served at SIGTERM."""
_KEPT_SECONDS: Final = 75
"""How long an idle connection is kept: longer than clients keep it (httpx: 5 s), which else may send a request into one that is closing."""


def leave_on_sigterm() -> None:
    """Make SIGTERM leave the main function with status 0, so that ``with`` blocks end. To be called before anything else."""
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(0))


async def _healthy(_request: Request) -> PlainTextResponse:
    return PlainTextResponse("ok")


async def serve(app: ASGIApp, port: int) -> None:
    """Serve ``app`` on loopback, and ``GET /healthz`` outside of it, until SIGTERM, which is then raised again."""
    around = Starlette(routes=[Route("/healthz", _healthy), Mount("/", app)])
    config = uvicorn.Config(
        around,
        host=HOST,
        port=port,
        lifespan="off",
        ws="websockets-sansio",
        log_config=None,
        log_level="warning",
        timeout_graceful_shutdown=_GRACE_SECONDS,
        timeout_keep_alive=_KEPT_SECONDS,
    )
    await uvicorn.Server(config).serve()
