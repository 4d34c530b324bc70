"""A running shape of a cluster on which alerts are fired: its faults, its loads, and its Prometheus."""

from __future__ import annotations

import json
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from http.client import HTTPException
from typing import TYPE_CHECKING, Any
from urllib.request import ProxyHandler, build_opener

from components.alerts.parts import COLLECTOR
from components.local.faults import Faults
from stacks.placement.outputs import Outputs
from stacks.trial.account import intake
from stacks.trial.load import Load
from tests.servers.small.web import Client
from tests.waiting import load_per_core, until

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from pathlib import Path

    from stacks.placement.local import Running
    from stacks.trial.load import Pace

SERVICE = "orders"
POLL_SECONDS = 0.5
RISE_SECONDS, MOST_RISES = 15.0, 3
"""Time after which a load that fires nothing is doubled, on a machine that does nothing else; and how often it is."""


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

    @contextmanager
    def rising(self, pace: Pace, alerts: Collection[str]) -> Iterator[None]:
        """Send a load while the context lasts, and double it until what a rule of ``alerts`` reads is above its threshold.

        What fills a memory depends on how fast the machine empties it.
        """
        ended, loads = threading.Event(), [Load(self.intake, pace, SERVICE).start()]

        def rise() -> None:
            while len(loads) <= MOST_RISES and not ended.wait(RISE_SECONDS * min(3.0, load_per_core())):
                if not self._alerts("pending", "firing") & set(alerts):
                    more = replace(pace, traces_per_second=sum(load.pace.traces_per_second for load in loads))
                    loads.append(Load(self.intake, more, SERVICE).start())

        thread = threading.Thread(target=rise, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
            for load in loads:
                load.stop()

    @contextmanager
    def edited(self, instance: str, change: Callable[[str], str]) -> Iterator[None]:
        """A collector that runs with another document while the context lasts."""
        path = self.folder / instance / "documents" / COLLECTOR
        before = path.read_text(encoding="utf-8")
        after = change(before)
        if after == before:
            raise ValueError(f"{path}: is as it was")
        self._start_with(instance, path, after)
        try:
            yield
        finally:
            self._start_with(instance, path, before)
            self.faults.wait_healthy(instance)

    def _start_with(self, instance: str, path: Path, text: str) -> None:
        path.write_text(text, encoding="utf-8")
        self.start_again(instance)

    def start_again(self, instance: str) -> None:
        """Kill a server and start it at once."""
        supervisor = self.running.supervisor
        supervisor.kill(instance)
        supervisor.stop(instance)
        supervisor.start(instance)

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

    def firing(self) -> set[str]:
        """The alerts that fire now."""
        return self._alerts("firing")

    def settled(self, wanted: set[str], seconds: float) -> set[str]:
        """Wait until none of these alerts fires or is about to, as some do until each server was scraped; those that still do."""
        begun = time.monotonic()
        while (left := self._alerts("pending", "firing") & wanted) and time.monotonic() - begun < seconds:
            time.sleep(POLL_SECONDS)
        return left

    def _alerts(self, *states: str) -> set[str]:
        (prometheus,) = self.faults.instances("prometheus")
        url = f"http://{prometheus.address}:{prometheus.ports['prometheus']}/api/v1/alerts"
        alerts = until(lambda: _answered(url), url, every=POLL_SECONDS)["data"]["alerts"]
        return {alert["labels"]["alertname"] for alert in alerts if alert["state"] in states}

    def wait(self, wanted: set[str], seconds: float) -> Iterator[str]:
        """Give each alert that fires, as soon as it does, until all ``wanted`` have or so many seconds are over."""
        begun, seen = time.monotonic(), set[str]()
        while not seen >= wanted and time.monotonic() - begun < seconds:
            new = self.firing() - seen
            seen |= new
            yield from sorted(new)
            time.sleep(POLL_SECONDS)

    def quiet(self, seconds: float, *, but: set[str]) -> set[str]:
        """Wait until no alert fires ``but`` these; those that still do after so long."""
        begun = time.monotonic()
        while (left := self.firing() - but) and time.monotonic() - begun < seconds:
            time.sleep(POLL_SECONDS)
        return left


def _answered(url: str) -> Any:  # noqa: ANN401 - a document of JSON
    """The document at a URL; None while a busy machine does not give it."""
    try:
        with build_opener(ProxyHandler({})).open(url, timeout=30) as answer:
            return json.load(answer)
    except (OSError, HTTPException):
        return None
