"""Servers on addresses of IPv6: each takes traffic, and a span passes through all of them."""

from __future__ import annotations

import socket
import time
from contextlib import closing
from typing import TYPE_CHECKING

import httpx
import pytest

from components.documents import ports
from components.documents.ports import BY_WORKLOAD
from components.local.files import hold_folder
from components.local.instances import Instance
from components.local.order import start_order
from components.local.ports import choose_ports
from components.local.supervisor import Supervisor
from stacks.plan.addresses import OnThisMachine
from stacks.plan.plan import plan
from tests.servers.conftest import named
from tests.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

ITSELF = "::1"
TRACE = "0af7651916cd43dd8448eb211c80319c"


class OnIPv6(OnThisMachine):
    """Processes on the loopback of IPv6."""

    def listen_host(self, workload: str) -> str:  # noqa: ARG002 - one machine
        return ITSELF

    def call_host(self, workload: str) -> str:  # noqa: ARG002 - one machine
        return ITSELF


def has_ipv6() -> bool:
    try:
        with closing(socket.create_server((ITSELF, 0), family=socket.AF_INET6)):
            return True
    except OSError:
        return False


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6 on its loopback")
def test_a_span_passes_servers_that_listen_on_ipv6_alone(programs: dict[str, Path], tmp_path: Path) -> None:
    environment = named("dev", target={"kind": "local"}).environment
    with hold_folder(tmp_path / "dev") as folder:
        usual = plan(environment, OnIPv6(str(folder.path)), name="dev")
        wanted = [(w.name, port) for w in usual.workloads for port in BY_WORKLOAD[w.name]]
        made = plan(environment, OnIPv6(str(folder.path), choose_ports(wanted, tmp_path / "ports.json")), name="dev")
        instances = [Instance(name, made.workload(name), ITSELF) for name in start_order(made)]
        with Supervisor(instances, programs, folder, print):
            for workload in made.workloads:
                number = workload.port(ports.TELEMETRY.name).number
                assert httpx.get(f"http://[{ITSELF}]:{number}/metrics").status_code == 200, workload.name
            now = time.time_ns()
            times = {"startTimeUnixNano": str(now), "endTimeUnixNano": str(now + 1000)}
            span = {"traceId": TRACE, "spanId": "b7ad6b7169203331", "name": "x", "kind": 1, **times}
            body = {"resourceSpans": [{"resource": {}, "scopeSpans": [{"spans": [span]}]}]}
            intake = made.workload("gateway").port(ports.OTLP_HTTP.name).number
            assert httpx.post(f"http://[{ITSELF}]:{intake}/v1/traces", json=body).status_code == 200
            query = f"http://[{ITSELF}]:{made.workload('jaeger').port(ports.JAEGER_QUERY.name).number}/api/traces/{TRACE}"
            until(lambda: httpx.get(query).status_code == 200, lambda: httpx.get(query).text, every=0.5)
