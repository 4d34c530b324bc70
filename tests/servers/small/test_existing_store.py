"""A gateway before a store that is there already: the agents of production in small, which want TLS and a token."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from components.documents.ports import BY_WORKLOAD
from components.local.files import hold_folder
from components.local.instances import Instance
from components.local.ports import free_ports
from components.local.programs import find_programs
from components.local.supervisor import Supervisor
from stacks.deploy.probe import Sent, received, send
from stacks.environment.source import ROOT
from stacks.placement.outputs import outputs
from stacks.plan.addresses import OnThisMachine
from stacks.plan.plan import plan
from tests.stacks import samples

if TYPE_CHECKING:
    from tests.servers.small.conftest import Cluster


@pytest.mark.parametrize("protocol", ["grpc", "http"])
def test_spans_reach_a_store_with_its_authority_and_token_and_are_read_by_its_api(
    production: Cluster, tmp_path: Path, protocol: str
) -> None:
    there = production.running.outputs
    assert there.otlp_token is not None
    store = {
        "kind": "otlp",
        "endpoint": there.otlp_grpc_endpoint if protocol == "grpc" else there.otlp_http_endpoint,
        "protocol": protocol,
        "ca_secret": "store-ca",
        "token_secret": "store-token",
        "ui_url": there.ui_url,
        "query_url": there.query_url,
        "query_protocol": "jaeger",
    }
    changes: samples.Changes = {
        "target": {"kind": "local"},
        "backend": store,
        "sampling.tail.wait": "1s",
        "sampling.tail.slow": "500ms",
    }
    environment = samples.named("dev", changes).environment
    wanted = [(name, port.name) for name in ("gateway", "sampling") for port in BY_WORKLOAD[name]]
    numbers = dict(zip(wanted, free_ports(len(wanted)), strict=True))
    placed = plan(environment, OnThisMachine(str(tmp_path), numbers), name="existing")
    gateway = placed.workload("gateway")
    for file in gateway.secret_files:
        path = Path(file.path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text({"ca.crt": str(there.otlp_certificate), "token": there.otlp_token.get_secret_value()}[file.key])
    programs = find_programs([gateway.server], toolchain=ROOT / "toolchain", say=print)
    with hold_folder(tmp_path / "held") as held, Supervisor([Instance("gateway", gateway)], programs, held, print):
        contract = outputs(placed)
        sent: Sent = send(environment, contract)
        assert received(sent, contract).trace_id in sent.ids
