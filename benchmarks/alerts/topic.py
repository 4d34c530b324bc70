"""The faults of a topic between the collectors, of a store that stands elsewhere, and of Tempo."""

from __future__ import annotations

import json
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any
from urllib.request import ProxyHandler, Request, build_opener

import yaml

from benchmarks.alerts.scenario import Scenario, refused, unbroken
from benchmarks.repeated import repeated
from components.documents import kafka
from stacks.trial.load import Pace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from benchmarks.alerts.stage import Stage

GATEWAYS = ("gateway-0", "gateway-1", "gateway-2")
SESSION_SECONDS = 6
TRACES_AT_ONCE, BYTES_AT_ONCE, FETCHED_AT_ONCE = 8, 100_000, 20_000
MUCH = Pace(40, 3600, span_bytes=700, give_up_seconds=5)
"""More traces than three gateways decide on that hold eight each for two seconds."""
LARGE = Pace(2, 3600, spans=200, span_bytes=700)
"""Traces of twice the bytes that the environment lets Tempo keep of one."""


def _other_writer(stage: Stage) -> AbstractContextManager[None]:
    """An agent that writes another format."""
    return stage.edited("agent-1", _changed(lambda document: document["exporters"][kafka.EXPORTER]["traces"].update(encoding="otlp_json")))


def _unreachable(stage: Stage) -> AbstractContextManager[None]:
    """A gateway that looks for the brokers where there are none."""
    nowhere = [f"{stage.faults.find('gateway-2').address}:9"]
    return stage.edited("gateway-2", _changed(lambda document: document["receivers"][kafka.RECEIVER].update(brokers=nowhere)))


def _changed(change: Callable[[Any], object]) -> Callable[[str], str]:
    def edit(text: str) -> str:
        document = yaml.safe_load(text)
        change(document)
        return yaml.safe_dump(document, sort_keys=False)

    return edit


def _away_again_and_again(stage: Stage) -> AbstractContextManager[None]:
    """A gateway that is away for longer than a session, comes back, and goes."""

    def away() -> None:
        stage.faults.refuse("gateway-1")
        time.sleep(SESSION_SECONDS + 2)
        stage.faults.release("gateway-1")
        stage.faults.wait_healthy("gateway-1")

    return repeated(away, SESSION_SECONDS)


@contextmanager
def _little_room(stage: Stage) -> Iterator[None]:
    """Gateways with the bounds of hardly any memory: what they hold is decided on no faster than they read."""

    def bound(document: Any) -> None:  # noqa: ANN401 - a collector's document
        document["processors"]["tail_sampling"].update(num_traces=TRACES_AT_ONCE)
        # What is fetched at once would be decided on for longer than the shortened window of the rule, in which nothing else is read.
        document["receivers"][kafka.RECEIVER].update(max_fetch_size=FETCHED_AT_ONCE, max_partition_fetch_size=FETCHED_AT_ONCE)
        document["exporters"][kafka.TAKEN]["sending_queue"].update(queue_size=BYTES_AT_ONCE)

    with ExitStack() as stack:
        for name in GATEWAYS:
            stack.enter_context(stage.edited(name, _changed(bound)))
        yield


@contextmanager
def _no_writes(stage: Stage) -> Iterator[None]:
    """Indices that may not be written, as when the disk of the store is too full."""
    _block_writes(stage, blocked=True)
    try:
        yield
    finally:
        _block_writes(stage, blocked=False)


def _block_writes(stage: Stage, *, blocked: bool) -> None:
    store = stage.faults.find("store-0")
    body = json.dumps({"index.blocks.write": blocked}).encode()
    url = f"http://{store.address}:{store.ports['search']}/_all/_settings"
    request = Request(url, body, {"Content-Type": "application/json"}, method="PUT")
    with build_opener(ProxyHandler({})).open(request, timeout=60) as answer:
        answer.read()


STORE_ELSEWHERE = {
    "query-down": Scenario(
        title="The server that shows traces is away", alerts=("TracingQueryDown",), make=refused("query-0"), environment="search"
    ),
    "no-writes": Scenario(
        title="An index of the store may not be written", alerts=("TracingStoreRejects",), make=_no_writes, environment="search"
    ),
}

ON_TEMPO = {
    "tempo-down": Scenario(title="Tempo is away", alerts=("TracingTempoDown",), make=refused("tempo-0"), environment="tempo"),
    "large-traces": Scenario(
        title="Traces are larger than the limit of Tempo",
        alerts=("TracingStoreDiscards",),
        make=unbroken,
        load=LARGE,
        environment="tempo",
    ),
}

ON_A_TOPIC = {
    "little-room": Scenario(
        title="Gateways have too little memory for what comes",
        alerts=("TracingKafkaReadLate",),
        make=_little_room,
        load=MUCH,
        environment="kafka",
    ),
    "unreachable": Scenario(
        title="A gateway does not reach the brokers", alerts=("TracingGatewayIdle",), make=_unreachable, environment="kafka"
    ),
    "other-writer": Scenario(
        title="An agent writes another format to the topic", alerts=("TracingKafkaUnreadable",), make=_other_writer, environment="kafka"
    ),
    "moves": Scenario(
        title="A gateway is away for longer than its session again and again",
        alerts=("TracingKafkaRebalances",),
        make=_away_again_and_again,
        environment="kafka",
        stays=True,
    ),
    "nobody-reads": Scenario(
        title="All gateways are away for minutes",
        alerts=("TracingKafkaNotRead",),
        make=refused(*GATEWAYS),
        environment="kafka",
    ),
}
