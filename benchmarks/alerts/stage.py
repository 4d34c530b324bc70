"""A running shape of a cluster on which alerts are fired: its faults, its loads, and its Prometheus."""

from __future__ import annotations

import json
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode
from urllib.request import ProxyHandler, build_opener

from components.local.faults import Faults
from stacks.placement.outputs import Outputs
from stacks.trial.account import intake
from stacks.trial.load import Load
from tests.servers.small.web import Client

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from stacks.placement.local import Running
    from stacks.trial.load import Pace

SERVICE = "orders"
POLL_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Stage:
    """A running environment and the folder of its state."""

    running: Running
    folder: Path

    @property
    def faults(self) -> Faults:
        """Faults of it."""
        return Faults(self.folder)

    @contextmanager
    def load(self, pace: Pace) -> Iterator[None]:
        """Send a load while the context lasts."""
        load = Load(self.intake, pace, SERVICE).start()
        try:
            yield
        finally:
            load.stop()

    @property
    def intake(self) -> Any:  # noqa: ANN401 - a record of the trial
        """Where services send, with authority and token."""
        return intake(self.faults.instances(), Outputs.read(self.folder / "outputs.json"))

    def post(self, body: bytes, *, agent: int = 0) -> int:
        """Send an OTLP request to one agent, once; the status of its answer."""
        told = self.intake
        headers = {"Content-Type": "application/x-protobuf", "Authorization": f"Bearer {told.token}"}
        return Client(told.certificate).send("POST", f"{told.urls[agent]}/v1/traces", headers, body).status

    @contextmanager
    def people(self) -> Iterator[None]:
        """Somebody who is logged in looks at the user interface every second while the context lasts."""
        client, ui, ended = Client((self.folder / "authority.crt").read_text()), str(self.running.outputs.ui_url), threading.Event()
        client.log_in(ui, "operator")

        def look() -> None:
            while not ended.wait(1.0):
                with suppress(OSError):
                    client.get(f"{ui}/api/services")

        thread = threading.Thread(target=look, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def firing(self) -> dict[str, str]:
        """The alerts that fire now, each with its severity."""
        (prometheus,) = self.faults.instances("prometheus")
        url = f"http://{prometheus.address}:{prometheus.ports['prometheus']}/api/v1/alerts?{urlencode({})}"
        with build_opener(ProxyHandler({})).open(url, timeout=30) as answer:
            alerts = json.load(answer)["data"]["alerts"]
        return {alert["labels"]["alertname"]: alert["labels"]["severity"] for alert in alerts if alert["state"] == "firing"}

    def wait(self, wanted: set[str], seconds: float) -> tuple[float, set[str]]:
        """Wait until all ``wanted`` alerts have fired; the seconds that it took, and every alert that fired meanwhile."""
        begun, seen = time.monotonic(), set(self.firing())
        while not seen >= wanted and time.monotonic() - begun < seconds:
            time.sleep(POLL_SECONDS)
            seen |= set(self.firing())
        return time.monotonic() - begun, seen

    def quiet(self, seconds: float, *, but: set[str]) -> set[str]:
        """Wait until no alert fires ``but`` these; those that still do after so long."""
        begun = time.monotonic()
        while (left := set(self.firing()) - but) and time.monotonic() - begun < seconds:
            time.sleep(POLL_SECONDS)
        return left
