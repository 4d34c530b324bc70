"""A gateway starts whatever has become of its queue file; what it cannot read is set aside and said."""

from __future__ import annotations

import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from components.documents import ports
from tests.servers.conftest import named
from tests.servers.damages import DAMAGES, counted
from tests.servers.spans import Sender, wait_until_stored
from tests.waiting import until

if TYPE_CHECKING:
    from stacks.placement.local import Running
    from tests.servers.conftest import Deploy

START_SECONDS = 30


def files_set_aside(running: Running) -> str | None:
    """The count of set aside queue files among the gateway's own metrics."""
    port = running.plan.workload("gateway").port(ports.TELEMETRY.name).number
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        return counted(answer.read().decode())


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_gateway_starts_with_a_damaged_queue_and_says_what_it_set_aside(deployed: Deploy, damage: str) -> None:
    with deployed(named("dev")) as running:
        supervisor = running.supervisor
        supervisor.stop("jaeger")
        sender = Sender(running.outputs, seed=6)
        for _ in range(20):
            assert sender.send(sender.trace(10) for _ in range(20))
        supervisor.stop("gateway")
        (volume,) = [volume for volume in running.plan.workload("gateway").volumes if volume.holds == "queue"]
        (file,) = Path(volume.path).glob("exporter_*")
        damaged = DAMAGES[damage](file.read_bytes())
        file.write_bytes(damaged)
        supervisor.start("jaeger")
        since = time.monotonic()
        supervisor.start("gateway")
        assert time.monotonic() - since < START_SECONDS
        # A server may answer for its health for a moment before it reads the page that ends it.
        until(lambda: any(event.what == "set aside" for event in supervisor.events), "the damaged file to be set aside")
        (aside,) = [event for event in supervisor.events if event.what == "set aside"]
        (kept,) = (Path(volume.path) / "damaged").iterdir()
        assert f"{len(damaged):,} bytes" in aside.detail
        assert str(kept) in aside.detail
        assert kept.read_bytes() == damaged
        after = Sender(running.outputs, seed=7)
        assert after.send([after.trace()])
        wait_until_stored(running.outputs, after.acknowledged)
        until(lambda: files_set_aside(running) == "1", "the metric")


def test_a_gateway_that_was_killed_keeps_its_queue(deployed: Deploy) -> None:
    with deployed(named("dev")) as running:
        running.supervisor.stop("jaeger")
        sender = Sender(running.outputs, seed=8)
        assert sender.send(sender.trace(10) for _ in range(50))
        running.supervisor.stop("gateway")
        running.supervisor.start("gateway")
        running.supervisor.kill("gateway")
        running.supervisor.start("jaeger")
        wait_until_stored(running.outputs, sender.acknowledged)
        assert not [event for event in running.supervisor.events if event.what == "set aside"]
