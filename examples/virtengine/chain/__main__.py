"""chain: transactions over gRPC, events over a WebSocket, a block every second."""

from __future__ import annotations

import argparse
import asyncio
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final

import grpc
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

from examples.virtengine import serving
from examples.virtengine.chain import events as chain_events
from examples.virtengine.chain import services, storage
from examples.virtengine.chain.ante import Admission
from examples.virtengine.chain.blocks import Blocks
from examples.virtengine.chain.events import Events, News
from examples.virtengine.chain.keepers import Keepers
from examples.virtengine.service import HOST, traced

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import ASGIApp

_GRACE_SECONDS: Final = 2.0


async def run(options: argparse.Namespace) -> None:
    """Serve until SIGTERM; what was admitted by then waits for the next start."""
    folder: Path = options.state
    with (
        closing(storage.open_state(folder)) as db,
        closing(storage.open_committed(folder)) as read,
        closing(storage.Mempool(folder)) as mempool,
    ):
        events, news, committed = Events(db), News(), Keepers.plain(read)
        blocks = Blocks(db, mempool, Keepers.traced(db, events), events, news)
        server = grpc.aio.server()
        services.add_to_server(server, Admission(read, mempool, committed), committed, news)
        server.add_insecure_port(f"{HOST}:{options.grpc_port}")
        await server.start()
        async with asyncio.TaskGroup() as group:
            making = group.create_task(blocks.run(options.block_seconds))
            try:
                await serving.serve(_with_mempool(mempool, chain_events.app(Events(read), news)), options.port)
            finally:
                news.tell(ended=True)
                await server.stop(_GRACE_SECONDS)
                blocks.end()
                await making


def _with_mempool(mempool: storage.Mempool, app: ASGIApp) -> Starlette:
    """Add ``GET /num_unconfirmed_txs``, CometBFT's name: how many transactions wait for a block. It makes no span."""

    async def waiting(_request: Request) -> JSONResponse:
        return JSONResponse({"n_txs": mempool.size()})

    return Starlette(routes=[Route("/num_unconfirmed_txs", waiting), Mount("/", app)])


def main() -> None:
    """Serve until SIGTERM."""
    serving.leave_on_sigterm()
    parser = argparse.ArgumentParser(prog="python -m examples.virtengine.chain", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="of events, on loopback")
    parser.add_argument("--grpc-port", type=int, required=True, help="of the modules' services, on loopback")
    parser.add_argument("--state", type=Path, required=True, metavar="FOLDER", help="where state and mempool are kept")
    parser.add_argument("--block-seconds", type=float, default=1.0, help="time between two blocks (default: %(default)s)")
    options = parser.parse_args()
    options.state.mkdir(parents=True, exist_ok=True)
    with traced("chain"):
        asyncio.run(run(options))


if __name__ == "__main__":
    main()
