"""The library follows the strategies of the real server, and their change."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from stacks.verify.machine import Machine
from stacks.verify.verify import verify
from tests.servers.conftest import named
from tests.waiting import until
from tracing_lib import TracingSettings, configure

if TYPE_CHECKING:
    from pathlib import Path

    from stacks.verify.findings import Name
    from tests.servers.conftest import Deploy

SERVICES = {
    "portal": {"ratio": "25 %", "operations": {"POST /orders": "50 %", "GET /health": "0 %"}},
    "market": {"traces_per_second": 2},
}
POLL_SECONDS = 1.0
ONLY: tuple[Name, ...] = ("strategies",)


def test_services_follow_the_strategy_server_and_a_change_of_its_file(deployed: Deploy, tmp_path: Path) -> None:
    environment = named("dev", sampling={"strategies": {"services": SERVICES, "poll_interval": "1s"}})
    with deployed(environment, state=tmp_path) as running:
        settings = TracingSettings.from_outputs(running.outputs, service_name="portal").model_copy(update={"targets": ()})
        assert settings.strategies_poll_seconds == POLL_SECONDS
        with (
            configure(settings, set_global=False) as portal,
            configure(settings.model_copy(update={"service_name": "market"}), set_global=False) as market,
        ):
            sampler = portal.provider.sampler.root  # type: ignore[attr-defined]
            until(lambda: sampler.operation("POST /orders").ratio == 0.5)
            assert [sampler.operation(name).ratio for name in ("GET /health", "anything")] == [0.0, 0.25]
            until(lambda: market.provider.sampler.root.operation("anything").goal.target == 2.0)  # type: ignore[attr-defined]

            assert [one.verdict for one in verify(Machine(environment, tmp_path), ONLY)] == ["kept"]
            document = tmp_path / "dev" / "sampling" / "documents" / "strategies.json"
            strategies = json.loads(document.read_text())
            changed = next(entry for entry in strategies["service_strategies"] if entry["service"] == "portal")
            changed["operation_strategies"][1]["param"] = 0.125
            document.write_text(json.dumps(strategies))
            until(lambda: sampler.operation("POST /orders").ratio == 0.125)
            broken = next(iter(verify(Machine(environment, tmp_path), ONLY)))
            assert (broken.verdict, "0.125 for POST /orders, planned 0.5" in broken.evidence) == ("broken", True)
