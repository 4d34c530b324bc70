"""What the gateway acknowledged is stored, whatever happens to the servers."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tests.servers.conftest import named
from tests.servers.spans import Sender, missing

if TYPE_CHECKING:
    from tests.servers.conftest import Deploy

TRACES, SPANS, PER_REQUEST = 1000, 10, 10
REQUESTS = TRACES // PER_REQUEST


def sent_in_part(sender: Sender, requests: range) -> None:
    """Send some of the requests, over a time in which earlier traces are decided on and delivered."""
    for _ in requests:
        assert sender.send(sender.trace(SPANS) for _ in range(PER_REQUEST))
        time.sleep(0.04)


def some_are_stored(sender: Sender) -> bool:
    first = next(iter(sender.acknowledged))
    return missing(sender.outputs, {first: sender.acknowledged[first]}, wait_seconds=20) == {}


def test_every_acknowledged_span_is_found_when_jaeger_is_killed_in_the_middle_and_away_for_30_seconds(deployed: Deploy) -> None:
    with deployed(named("dev")) as running:
        sender = Sender(running.outputs, seed=1)
        sent_in_part(sender, range(REQUESTS // 2))
        assert some_are_stored(sender), "the kill comes while the rest of them is under way"
        running.supervisor.hold("jaeger")
        running.supervisor.kill("jaeger")
        sent_in_part(sender, range(REQUESTS // 2, REQUESTS))
        time.sleep(30)
        running.supervisor.release("jaeger")
        assert sum(map(len, sender.acknowledged.values())) == TRACES * SPANS
        assert missing(running.outputs, sender.acknowledged, wait_seconds=60) == {}


def test_every_acknowledged_span_is_found_when_the_gateway_is_stopped_in_the_middle_and_started_again(deployed: Deploy) -> None:
    with deployed(named("dev")) as running:
        sender = Sender(running.outputs, seed=2)
        sent_in_part(sender, range(REQUESTS // 2))
        assert some_are_stored(sender), "the stop comes while the rest of them is under way"
        running.supervisor.stop("gateway")
        assert not sender.send([sender.trace(SPANS)]), "a stopped gateway acknowledges nothing"
        running.supervisor.start("gateway")
        sent_in_part(sender, range(REQUESTS // 2, REQUESTS))
        assert sum(map(len, sender.acknowledged.values())) == TRACES * SPANS
        assert missing(running.outputs, sender.acknowledged, wait_seconds=60) == {}


def test_what_waits_for_its_decision_survives_a_gateway_that_stops_while_jaeger_is_away(deployed: Deploy) -> None:
    with deployed(named("dev")) as running:
        running.supervisor.stop("jaeger")
        sender = Sender(running.outputs, seed=3)
        assert sender.send(sender.trace(SPANS) for _ in range(50))
        running.supervisor.stop("gateway")
        running.supervisor.start("jaeger")
        running.supervisor.start("gateway")
        assert missing(running.outputs, sender.acknowledged, wait_seconds=30) == {}


def test_traces_outlive_a_restart_of_the_whole_backbone(deployed: Deploy) -> None:
    with deployed(named("dev")) as running:
        sender = Sender(running.outputs, seed=4)
        assert sender.send([sender.trace()])
        assert missing(running.outputs, sender.acknowledged, wait_seconds=20) == {}
        first = running.outputs
    with deployed(named("dev")) as running:
        assert running.outputs == first, "ports and addresses stay"
        assert missing(running.outputs, sender.acknowledged, wait_seconds=5) == {}
