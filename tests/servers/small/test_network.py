"""A Service in small: one address for several instances, of which one that is down is passed over."""

from __future__ import annotations

import dataclasses
import subprocess
import threading
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from components.documents.surroundings import Service, Target, network
from components.local.addresses import Block, hold_block
from components.local.health import answers
from stacks.placement.surroundings import lay_out
from tests.servers.small.web import Client
from tests.stacks import samples
from tests.waiting import STALL_SECONDS, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PORT = 5778


@contextmanager
def instance(address: str) -> Iterator[None]:
    """A server that tells its address."""

    class Handler(BaseHTTPRequestHandler):
        """Answers with the address of its server."""

        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(address.encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the overridden method
            pass

    with ThreadingHTTPServer((address, PORT), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


def test_a_service_divides_among_instances_and_passes_over_one_that_is_down(surroundings: dict[str, Path], tmp_path: Path) -> None:
    with hold_block(tmp_path) as block, ExitStack() as first, instance(block[3]):
        first.enter_context(instance(block[2]))
        behind = tuple(Target(f"{block[n]}:{PORT}", f"http://{block[n]}:{PORT}/") for n in (2, 3))
        document = tmp_path / "network.json"
        document.write_text(network(health=f"{block[1]}:13133", services=[Service(f"{block[1]}:{PORT}", behind)], ingress=None))
        with subprocess.Popen([surroundings["trial"], "network", document]) as program:
            try:
                until(lambda: answers(13133, "/", address=block[1]), "its health")
                asked = [Client(None).get(f"http://{block[1]}:{PORT}/").text for _ in range(4)]
                assert asked.count(block[2]) == asked.count(block[3]) == 2
                first.close()
                assert {Client(None).get(f"http://{block[1]}:{PORT}/").text for _ in range(4)} == {block[3]}
            finally:
                program.terminate()
                program.wait(timeout=STALL_SECONDS)


def test_a_workload_of_several_interchangeable_instances_has_a_service() -> None:
    plan = samples.planned("prod")
    two = tuple(dataclasses.replace(w, replicas=2) if w.spread == "replicated" else w for w in plan.workloads)
    layout = lay_out(dataclasses.replace(plan, workloads=two), Block("127.64.0"), nodes=3)
    assert layout.services.keys() == {"sampling", "access"}
    assert {name: len(addresses) for name, addresses in layout.instances.items()} == {
        "agent": 3,
        "gateway": 3,
        "jaeger": 1,
        "sampling": 2,
        "access": 2,
    }
    every = [address for addresses in layout.instances.values() for address in addresses] + [*layout.services.values()]
    assert len(set(every)) == len(every)
    assert not set(every) & {layout.network, layout.ingress, layout.issuer, layout.prometheus}
