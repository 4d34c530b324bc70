"""The whole of VirtEngine in small on the whole backbone: real collector, real Jaeger, four services, customers."""

from __future__ import annotations

import asyncio
import json
import re
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from examples.virtengine.load import Load
from examples.virtengine.system import SERVICES, Options, System
from stacks.show.fetch import fetch_trace
from stacks.show.search import find_traces
from stacks.show.story import Story, gather
from tests.servers.conftest import deployed, named, programs
from tests.waiting import STALL_SECONDS, load_per_core, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from examples.virtengine.load import Outcome
    from stacks.placement.local import Running
    from stacks.show.stored import Trace
    from tests.servers.conftest import Deploy
    from tracing_lib import Outputs

    Town = Callable[..., AbstractContextManager["VirtEngine"]]

__all__ = ["deployed", "programs"]

ORDER = "virtengine.order.id"
ENDED = re.compile(r"tracing ended: (\d+) spans, (\d+) delivered")
SETTLED_SECONDS = 5.0
"""Longer than the tail-sampling wait of these tests, and what storing takes on a machine without other load."""


@dataclass(frozen=True)
class VirtEngine:
    """The backbone and the services on it."""

    running: Running
    system: System
    options: Options
    since: float

    @property
    def outputs(self) -> Outputs:
        return self.running.outputs

    def load(self, orders: int, *, kinds: tuple[str, ...] = (), per_second: float = 10.0, seed: int = 1) -> Outcome:
        """Place orders and follow each to its end."""
        return self.run(self.loading(seed), orders, kinds=kinds, per_second=per_second)

    def run(self, load: Load, orders: int, *, kinds: tuple[str, ...] = (), per_second: float = 10.0) -> Outcome:
        """Place orders by a load generator of one's own."""
        return asyncio.run(load.run(orders, per_second=per_second, kinds=kinds))

    def loading(self, seed: int = 1) -> Load:
        addresses = (self.system.url(name) for name in ("portal", "provider-daemon", "chain"))
        # A slow order is one to which nothing happens for so long.
        return Load(*addresses, seed=seed, say=print, stall_seconds=STALL_SECONDS + self.options.slow_seconds)

    def story(self, order_id: str, *services: str) -> Story:
        """The story of an order over these services, as it is stored."""
        told = gather(self.outputs, ORDER, order_id, since=self.since, until=time.time())
        assert set(told.services) >= set(services)
        return told

    def delivered(self) -> int:
        """How many spans the services' own accounts call delivered, over all their lives. Fails where one lost any."""
        found = [ENDED.fullmatch(str(line["message"])) for name in SERVICES for line in self.lines(name)]
        ends = [(int(match[1]), int(match[2])) for match in found if match]
        assert len(ends) >= len(SERVICES)
        assert all(ended == sent for ended, sent in ends), ends
        return sum(sent for _, sent in ends)

    def end(self) -> None:
        """Stop the services, and wait until every span that they delivered is stored. For an environment that drops no trace."""
        self.system.close()
        sent = self.delivered()

        def kept() -> int:
            return _spans(self.stored())

        until(lambda: kept() >= sent, lambda: f"{sent} spans to be stored, of which {kept()} are", progress=kept, every=1)
        assert kept() == sent

    def stored(self) -> list[Trace]:
        """Every trace of the services that is stored now."""
        ids = find_traces(self.outputs, {}, since=self.since, until=time.time(), services=SERVICES).trace_ids
        return [fetch_trace(self.outputs, trace_id, wait_seconds=STALL_SECONDS) for trace_id in ids]

    def settled(self) -> list[Trace]:
        """Every stored trace, once nothing is added any more."""
        found, before = self.stored(), -1
        while _spans(found) != before:
            before = _spans(found)
            time.sleep(SETTLED_SECONDS * load_per_core())
            found = self.stored()
        return found

    def lines(self, service: str) -> list[dict[str, Any]]:
        """What a service has logged, each line an object."""
        return [json.loads(line) for line in self.system.log(service).read_text().splitlines()]


def _spans(traces: list[Trace]) -> int:
    return sum(len(trace.spans) for trace in traces)


@pytest.fixture
def virtengine(deployed: Deploy, tmp_path: Path) -> Town:
    """Runs the services on an environment with changed settings."""

    @contextmanager
    def run(options: Options | None = None, **changes: object) -> Iterator[VirtEngine]:
        chosen = options or Options(block_seconds=0.25)
        with deployed(named("dev", **changes), state=tmp_path / "backbone") as running:
            since = time.time() - 1
            with System(tmp_path / "virtengine", running.outputs_file, print, chosen) as system:
                yield VirtEngine(running, system, chosen, since)

    return run
