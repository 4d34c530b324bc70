"""The library follows the strategies of the real server, and their change."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.servers.conftest import named
from tests.waiting import until
from tracing_lib import TracingSettings, configure

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.conftest import Deploy

SERVICES = {
    "portal": {"ratio": "25 %", "operations": {"POST /orders": "50 %", "GET /health": "0 %"}},
    "market": {"traces_per_second": 2},
}
POLL_SECONDS = 1.0


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

            document = tmp_path / "dev" / "sampling" / "documents" / "strategies.json"
            strategies = json.loads(document.read_text())
            changed = next(entry for entry in strategies["service_strategies"] if entry["service"] == "portal")
            changed["operation_strategies"][1]["param"] = 0.125
            document.write_text(json.dumps(strategies))
            until(lambda: sampler.operation("POST /orders").ratio == 0.125)
