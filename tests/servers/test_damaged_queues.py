"""A gateway starts whatever has become of its queue file; what it cannot read is set aside and said."""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.servers.conftest import named
from tests.servers.spans import Sender, wait_until_stored
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.servers.conftest import Deploy

PAGE = 4096
START_SECONDS = 30


def _overwritten(whole: bytes) -> bytes:
    """Random bytes over every page but the two headers, because which of the pages are in use differs from run to run."""
    return whole[: 2 * PAGE] + random.Random(1).randbytes(len(whole) - 2 * PAGE)  # noqa: S311 - no secret


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "pages overwritten": _overwritten,
    "pages zeroed": lambda whole: whole[: 2 * PAGE] + bytes(len(whole) - 2 * PAGE),
    "header zeroed": lambda whole: bytes(4 * PAGE) + whole[4 * PAGE :],
    "cut to a page": lambda whole: whole[:PAGE],
    "cut within a page": lambda whole: whole[:100],
    "another file": lambda whole: b"no database\n" * (len(whole) // 12),
}


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
