"""What the gateway acknowledged is stored, whatever happens to the servers."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tests.servers.conftest import named
from tests.servers.spans import Sender, wait_until_stored

if TYPE_CHECKING:
    from tests.servers.conftest import Deploy

TRACES, SPANS, PER_REQUEST = 1000, 10, 10
REQUESTS = TRACES // PER_REQUEST


def sent_in_part(sender: Sender, requests: range) -> None:
    """Send some of the requests, over a time in which earlier traces are decided on and delivered."""
    for _ in requests:
        assert sender.send(sender.trace(SPANS) for _ in range(PER_REQUEST))
        time.sleep(0.04)


def wait_until_some_are_stored(sender: Sender) -> None:
    """So that what follows comes while the rest of them is under way."""
    first = next(iter(sender.acknowledged))
    wait_until_stored(sender.outputs, {first: sender.acknowledged[first]})


def test_no_acknowledged_span_is_lost_when_jaeger_is_killed_and_away_for_10_s(deployed: Deploy) -> None:
    with deployed(named("dev")) as running:
        sender = Sender(running.outputs, seed=1)
        sent_in_part(sender, range(REQUESTS // 2))
        wait_until_some_are_stored(sender)
        running.supervisor.hold("jaeger")
        running.supervisor.kill("jaeger")
        sent_in_part(sender, range(REQUESTS // 2, REQUESTS))
        time.sleep(10)
        running.supervisor.release("jaeger")
        assert sum(map(len, sender.acknowledged.values())) == TRACES * SPANS
        wait_until_stored(running.outputs, sender.acknowledged)


def test_no_acknowledged_span_is_lost_when_the_gateway_is_restarted(deployed: Deploy) -> None:
    with deployed(named("dev")) as running:
        sender = Sender(running.outputs, seed=2)
        sent_in_part(sender, range(REQUESTS // 2))
        wait_until_some_are_stored(sender)
        running.supervisor.stop("gateway")
        assert not sender.send([sender.trace(SPANS)]), "a stopped gateway acknowledges nothing"
        running.supervisor.start("gateway")
        sent_in_part(sender, range(REQUESTS // 2, REQUESTS))
        assert sum(map(len, sender.acknowledged.values())) == TRACES * SPANS
        wait_until_stored(running.outputs, sender.acknowledged)


def test_undecided_traces_survive_a_gateway_stop_while_jaeger_is_away(deployed: Deploy) -> None:
    with deployed(named("dev")) as running:
        running.supervisor.stop("jaeger")
        sender = Sender(running.outputs, seed=3)
        assert sender.send(sender.trace(SPANS) for _ in range(50))
        running.supervisor.stop("gateway")
        running.supervisor.start("jaeger")
        running.supervisor.start("gateway")
        wait_until_stored(running.outputs, sender.acknowledged)


def test_traces_outlive_a_restart_of_the_whole_backbone(deployed: Deploy) -> None:
    with deployed(named("dev")) as running:
        sender = Sender(running.outputs, seed=4)
        assert sender.send([sender.trace()])
        wait_until_stored(running.outputs, sender.acknowledged)
        first = running.outputs
    with deployed(named("dev")) as running:
        assert running.outputs == first, "ports and addresses stay"
        wait_until_stored(running.outputs, sender.acknowledged)
