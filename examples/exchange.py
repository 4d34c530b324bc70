"""A small exchange between three VirtEngine services, each a process of its own, traced through the public names of ``tracing_lib``.

``python -m examples.exchange`` reads ``VIRTENGINE_TRACING_OUTPUTS``, starts ``portal`` (HTTP), ``chain`` (gRPC) and ``provider-daemon``
(HTTP) on free loopback ports, sends orders to the portal, ends the services with SIGTERM, and prints the ids of the traces.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import httpx

from examples.service import HOST

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_MODULES: Final = {"portal": "examples.portal", "chain": "examples.chain", "provider-daemon": "examples.provider_daemon"}
_FAILING_SHARE: Final = 0.3
_STOP_SECONDS: Final = 10.0
_SAMPLED: Final = 1


class ExchangeError(Exception):
    """A service did not start, or did not end in order."""


@contextmanager
def services() -> Iterator[dict[str, str]]:
    """Run the three services; yield their addresses by name; end them with SIGTERM. Raises ``ExchangeError``."""
    # A name in the environment would be every service's.
    environ = {name: value for name, value in os.environ.items() if name != "OTEL_SERVICE_NAME"}
    processes: dict[str, subprocess.Popen[str]] = {}
    try:
        for name, module in _MODULES.items():
            command = [sys.executable, "-m", module]
            processes[name] = subprocess.Popen(command, env=environ, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        addresses = {name: f"{HOST}:{_port(name, process)}" for name, process in processes.items()}
        for process in processes.values():
            _tell(process, addresses)
        yield addresses
    finally:
        failed = _stopped(processes)
    if failed:
        raise ExchangeError(f"did not end in order: {', '.join(failed)}")


def _port(name: str, process: subprocess.Popen[str]) -> int:
    line = process.stdout.readline() if process.stdout else ""
    if not line:
        raise ExchangeError(f"{name} did not start (status {process.wait(_STOP_SECONDS)}); its message is above")
    port: int = json.loads(line)["port"]
    return port


def _tell(process: subprocess.Popen[str], addresses: dict[str, str]) -> None:
    if process.stdin:
        process.stdin.write(json.dumps(addresses) + "\n")
        process.stdin.flush()


def _stopped(processes: dict[str, subprocess.Popen[str]]) -> list[str]:
    """End every service, close its pipes, and return the names of those that were killed or failed."""
    for process in processes.values():
        process.terminate()
    failed = []
    for name, process in processes.items():
        try:
            status = process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            status = process.wait()
        if status:
            failed.append(name)
        for pipe in (process.stdin, process.stdout):
            if pipe:
                pipe.close()
    return failed


def orders(number: int, seed: int) -> Iterator[dict[str, object]]:
    """Yield orders, the first an ordinary one; of the others, a seeded share has too little in escrow and will fail."""
    generator = random.Random(seed)  # noqa: S311  repeatable, nothing secret
    for position in range(number):
        cpu_units = generator.randint(1, 16)
        deposit = cpu_units * 10
        if position and generator.random() < _FAILING_SHARE:
            deposit //= 2
        yield {"id": f"order-{seed}-{position + 1}", "cpu_units": cpu_units, "deposit": deposit}


def send(portal: str, number: int, seed: int, say: Callable[[str], object]) -> list[str]:
    """Send orders by plain HTTP, as a customer without tracing would; return the ids of the traces that were sampled."""
    trace_ids = []
    with httpx.Client(base_url=f"http://{portal}", timeout=10) as client:
        for order in orders(number, seed):
            answer = client.post("/orders", json=order)
            # W3C Trace Context, level 2: version-traceid-spanid-flags
            _, trace_id, _, flags = answer.headers["traceresponse"].split("-")
            sampled = bool(int(flags, 16) & _SAMPLED)
            if sampled:
                trace_ids.append(trace_id)
            outcome = answer.json().get("lease") or answer.json().get("error")
            say(f"{order['id']}: {answer.status_code} {outcome}; trace {trace_id}{'' if sampled else ' (not sampled)'}\n")
    return trace_ids


def main(arguments: list[str] | None = None) -> int:
    """Run the exchange. The last line of stdout is a JSON object with ``trace_ids`` and ``services``; progress goes to stderr."""
    parser = argparse.ArgumentParser(prog="python -m examples.exchange", description=__doc__)
    parser.add_argument("--orders", type=int, default=1, metavar="N", help="how many orders to send (default: 1)")
    parser.add_argument("--seed", type=int, default=1, help="seed of the orders' sizes and failures (default: 1)")
    parser.add_argument("--json", action="store_true", help="print the JSON object alone, no progress")
    parsed = parser.parse_args(arguments)

    def say(text: str) -> None:
        if not parsed.json:
            sys.stderr.write(text)

    try:
        say("starting portal (HTTP), chain (gRPC) and provider-daemon (HTTP)\n")
        with services() as addresses:
            trace_ids = send(addresses["portal"], parsed.orders, parsed.seed, say)
    except (ExchangeError, httpx.HTTPError) as error:
        sys.stderr.write(f"exchange: {error}\n")
        return 1
    sys.stdout.write(json.dumps({"trace_ids": trace_ids, "services": list(_MODULES)}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
