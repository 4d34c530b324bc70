"""The runs of the ledger, each of which gives some entries."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.ledger import engine, loads, queues, rehearsed, stores

if TYPE_CHECKING:
    from collections.abc import Mapping

    from benchmarks.ledger.entries import Entry

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Run:
    """A run: its title, a sentence on what is done, and its maker, the last two for a share of the usual amount.

    ``keys`` are those of its entries. ``unable`` is why it cannot be made here, empty where it can.
    """

    title: str
    how: Callable[[float], str]
    make: Callable[[Say, float], Iterator[Entry]]
    keys: tuple[str, ...]
    unable: Callable[[], str] = str
    needs_engine: bool = False


_ORDERS = (
    *("policies.*.*.traces", "kept.*.traces", "sides.*.series.*", "figures.kept_share", "sides.*.disk.needed", "figures.bytes_resident"),
    *("tiers.*.memory", "tiers.*.spans_per_second", "tiers.*.cores", "figures.spans_with_agent"),
)

RUNS: Mapping[str, Run] = {
    "orders-share": Run(
        "Orders under a baseline without a limit",
        rehearsed.how,
        rehearsed.share,
        (*_ORDERS, "services.*.kept.*.spans", "kept.*.spans"),
    ),
    "orders-limit": Run(
        "Orders under a limit on the baseline's rate",
        rehearsed.how,
        rehearsed.limit,
        (*_ORDERS, "policies.*.*.spans", "sides.*.limited"),
    ),
    "store-badger": Run("Spans in Badger", stores.how, stores.badger, ("figures.disk_span_bytes", "tiers.*.memory", "tiers.*.cores")),
    "expected-load": Run("The load that production expects", loads.how, loads.expected, ("figures.bytes_resident",)),
    "overload": Run(
        "More than a gateway's memory holds",
        loads.how_overload,
        loads.overload,
        ("figures.bytes_resident", "figures.most_spans_per_second"),
    ),
    "gateway-queue": Run(
        "The store is away until a gateway's queue is full",
        queues.how_gateway,
        queues.gateway,
        ("figures.outage_seconds", "figures.kept_span_bytes", "tiers.*.disk"),
    ),
    "agent-queue": Run(
        "A gateway is away until the queues of agents are full",
        queues.how_agent,
        queues.agent,
        ("figures.absence_seconds", "tiers.*.disk"),
    ),
    "restarts": Run(
        "Edits of a stack on Docker",
        engine.how,
        engine.restarts,
        ("workloads.*.effect", ""),
        engine.unable,
        needs_engine=True,
    ),
}
