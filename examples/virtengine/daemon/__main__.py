"""``python -m examples.virtengine.daemon``: runs the provider daemon until SIGTERM."""

from __future__ import annotations

import argparse
import asyncio
import logging
from contextlib import closing
from pathlib import Path

from examples.virtengine import serving
from examples.virtengine.daemon import adapters, api, chain_client, prices
from examples.virtengine.daemon.bidding import Bidding
from examples.virtengine.daemon.jobs import Queue
from examples.virtengine.daemon.worker import Worker
from examples.virtengine.service import traced
from examples.virtengine.signing import kept_key


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(prog="python -m examples.virtengine.daemon", description=__doc__)
    made.add_argument("--port", type=int, required=True, help="of the HTTP API, on loopback")
    made.add_argument("--chain", required=True, metavar="HOST:PORT", help="the chain's events")
    made.add_argument("--chain-grpc", required=True, metavar="HOST:PORT", help="the chain's Msg services")
    made.add_argument("--oracle", metavar="HOST:PORT", help="the oracle of prices (default: none, a list of one's own)")
    made.add_argument("--state", type=Path, required=True, metavar="FOLDER", help="where the queue and the provider's key are kept")
    made.add_argument("--provider-id", default="provider-1", help="who bids (default: %(default)s)")
    made.add_argument("--concurrency", type=int, default=16, metavar="N", help="jobs at a time (default: %(default)s)")
    made.add_argument("--poll-seconds", type=float, default=0.02, help="before an adapter is first asked again (default: %(default)s)")
    made.add_argument("--longest-poll-seconds", type=float, default=0.5, help="the pause doubles up to this (default: %(default)s)")
    made.add_argument("--adapter", choices=["waldur", "kubernetes", "slurm"], default="waldur", help="(default: %(default)s)")
    waldur = made.add_argument_group("waldur")
    waldur.add_argument("--waldur", metavar="URL", help="address of Waldur, without /api")
    waldur.add_argument("--waldur-token-file", type=Path, metavar="FILE")
    waldur.add_argument("--waldur-offering", default="/api/marketplace-public-offerings/cpu/", metavar="PATH")
    waldur.add_argument("--waldur-project", default="/api/projects/virtengine/", metavar="PATH")
    kubernetes = made.add_argument_group("kubernetes")
    kubernetes.add_argument("--kubeconfig", type=Path, metavar="FILE", help="(default: what the environment names)")
    kubernetes.add_argument("--namespace", default="default", help="(default: %(default)s)")
    kubernetes.add_argument("--image", default="registry.k8s.io/pause:3.10", help="of the lease's container (default: %(default)s)")
    slurm = made.add_argument_group("slurm")
    slurm.add_argument("--slurm-conf", type=Path, metavar="FILE", help="(default: what SLURM finds itself)")
    slurm.add_argument("--slurm-script", type=Path, metavar="FILE", help="batch script of a lease (default: sleeps until it is cancelled)")
    slurm.add_argument("--slurm-option", action="append", default=[], metavar="OPTION", help="for sbatch, may be given again")
    return made


async def run(options: argparse.Namespace) -> None:
    """Follow the chain, do jobs and serve until SIGTERM; the first of these that fails ends the others."""
    options.state.mkdir(parents=True, exist_ok=True)
    key = kept_key(options.state / "provider.key")
    connected, priced = chain_client.connected(options.chain_grpc, key), prices.connected(options.oracle, key)
    with closing(Queue(options.state / "daemon.sqlite")) as queue:
        async with connected as chain, priced as list_, adapters.chosen(options) as adapter, asyncio.TaskGroup() as group:
            pauses = (options.poll_seconds, options.longest_poll_seconds)
            group.create_task(Worker(queue, adapter, chain, list_, concurrency=options.concurrency, poll_seconds=pauses).run())
            group.create_task(Bidding(options.provider_id, options.chain, chain, queue, list_).follow())
            await serving.serve(api.app(queue), options.port)


def main() -> None:
    """Run until SIGTERM."""
    serving.leave_on_sigterm()
    # A request to Waldur is a span; it need not be a line as well.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    arguments = parser()
    options = arguments.parse_args()
    if options.adapter == "waldur" and not options.waldur:
        arguments.error("--adapter waldur needs --waldur")
    with traced("provider-daemon"):
        asyncio.run(run(options))


if __name__ == "__main__":
    main()
