"""The account of a load on an environment that runs on this machine: what was sent, what became of it, and how long that took."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import uuid4

from components.local.errors import NotRunningError
from components.local.instances import read_listing
from stacks.placement.outputs import Outputs
from stacks.trial.counters import Counters
from stacks.trial.load import Intake, Load, Pace
from stacks.trial.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from components.local.instances import Listed

SETTLED_SECONDS = 60.0
"""A trace that has not come for so long after the last one that has is taken for lost."""


TAKEN = 'receiver="otlp"'
"""The receiver by which agents reach a gateway; its others are a gateway's own."""


@dataclass(frozen=True, slots=True)
class Account:
    """Account of a load: sent, acknowledged, readable, twice, counted.

    Traces: ``sent``, ``acknowledged`` as a whole, ``readable`` of those in the backend, ``late`` of those more than ``late_after`` seconds
    after their start. Spans: ``stored_twice`` in the backend, ``counted`` by span metrics of those ``spans`` that were sent, and those
    that each gateway took (``taken``). Seconds: ``slowest`` from the start of a trace until it could be read, ``whole_after`` from the
    fault until the last late trace could be read, 0 where none was late and None where some are missing.
    """

    sent: int
    acknowledged: int
    readable: int
    late: int
    late_after: float
    spans: int
    stored_twice: int
    counted: int
    taken: Mapping[str, int]
    slowest: float
    whole_after: float | None

    @property
    def lost(self) -> int:
        """Traces that were acknowledged and cannot be read."""
        return self.acknowledged - self.readable

    def rows(self) -> Mapping[str, object]:
        """The account in the words of operators, in the order of a load's way."""
        whole = "not yet" if self.whole_after is None else f"{self.whole_after:.0f} s"
        return {
            "traces sent": self.sent,
            "acknowledged whole": self.acknowledged,
            "of these readable": self.readable,
            "of these lost": self.lost,
            f"readable later than {self.late_after:g} s": self.late,
            "slowest to be readable": f"{self.slowest:.0f} s",
            "spans sent": self.spans,
            **{f"taken by {name}": spans for name, spans in self.taken.items()},
            "counted by span metrics": self.counted,
            "stored twice": self.stored_twice,
            "whole again after the fault": whole,
        }


@dataclass(slots=True)
class Trial:
    """A load under way: where it goes, who watches it, and when the fault was."""

    folder: Path
    load: Load
    store: Store
    metrics: Counters
    own: Counters
    late_after: float
    faults: list[float] = field(default_factory=list)

    def fault(self) -> None:
        """Note that the fault is now; the first note counts."""
        self.faults.append(time.time())

    def settle(self, *, seconds: float = SETTLED_SECONDS) -> Account:
        """Wait until the load is sent and every acknowledged trace can be read, or none has come for so long; give the account."""
        self.load.wait()
        self.store.wait(seconds=seconds)
        self._let_counters_settle()
        self.store.stop()
        twice = self.store.twice()
        self.metrics.stop()
        self.own.stop()
        return self._account(twice)

    def _let_counters_settle(self) -> None:
        """Wait until span metrics have stood still, since they are handed on at intervals."""
        before, since = -1.0, time.monotonic()
        while time.monotonic() - since < self.late_after:
            counted = sum(self._counted().values())
            if counted != before:
                before, since = counted, time.monotonic()
            time.sleep(1.0)

    def _counted(self) -> Mapping[str, float]:
        return self.metrics.grown("traces_span_metrics_calls_total", f'service_name="{self.load.service}"')

    def _account(self, twice: int) -> Account:
        load, found = self.load, self.store.found
        read = [(sent, found[sent.trace.id].first) for sent in load.acknowledged if sent.trace.id in found]
        waited = [(first - sent.trace.start / 1e9, first) for sent, first in read if first is not None]
        late = [first for seconds, first in waited if seconds > self.late_after]
        whole = max(late) - self.faults[0] if late and self.faults else 0.0
        return Account(
            sent=len(load.sent),
            acknowledged=len(load.acknowledged),
            readable=len(read),
            late=len(late),
            late_after=self.late_after,
            spans=len(load.sent) * load.pace.spans,
            stored_twice=twice,
            counted=round(sum(self._counted().values())),
            taken={name: round(value) for name, value in self.own.grown("otelcol_receiver_accepted_spans_total", TAKEN).items()},
            slowest=max((seconds for seconds, _ in waited), default=0.0),
            whole_after=None if len(read) < len(load.acknowledged) else whole,
        )


@contextmanager
def trial(folder: Path, pace: Pace, *, late_after: float) -> Iterator[Trial]:
    """Send a load to the environment whose state is in ``folder``, and watch what becomes of it, for as long as the context lasts.

    A trace that can be read more than ``late_after`` seconds after its start is late. Raises NotRunningError when nothing runs there.
    """
    listed = read_listing(folder)
    outputs = Outputs.read(folder / "outputs.json")
    if outputs.backend != "jaeger":
        raise NotRunningError(f"{folder.name}: traces are read back from Jaeger alone; run an environment with that backend")
    gateways = [instance for instance in listed if instance.workload == "gateway"]
    load = Load(intake(listed, outputs), pace, f"trial-{uuid4().hex[:8]}")
    started = Trial(
        folder,
        load,
        Store(str(outputs.query_url), load).start(),
        _counters([instance for instance in listed if "span-metrics" in instance.ports], "span-metrics").start(),
        _counters(gateways, "telemetry").start(),
        late_after,
    )
    load.start()
    try:
        yield started
    finally:
        load.stop()
        started.store.stop()
        started.metrics.stop()
        started.own.stop()


def intake(listed: tuple[Listed, ...], outputs: Outputs) -> Intake:
    """Return the endpoints for services of all nodes: the agents, or on one host the gateway."""
    entries = [instance for instance in listed if instance.workload == "agent"] or [i for i in listed if i.workload == "gateway"]
    scheme = str(outputs.otlp_http_endpoint).partition("://")[0]
    token = outputs.otlp_token.get_secret_value() if outputs.otlp_token else None
    urls = tuple(f"{scheme}://{instance.address}:{instance.ports['otlp-http']}" for instance in entries)
    return Intake(urls, str(outputs.otlp_certificate) if outputs.otlp_certificate else None, token)


def _counters(instances: list[Listed], port: str) -> Counters:
    return Counters({instance.instance: f"http://{instance.address}:{instance.ports[port]}/metrics" for instance in instances})
