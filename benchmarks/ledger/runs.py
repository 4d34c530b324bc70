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

    ``unable`` is why it cannot be made here, empty where it can.
    """

    title: str
    how: Callable[[float], str]
    make: Callable[[Say, float], Iterator[Entry]]
    unable: Callable[[], str] = str
    needs_engine: bool = False


RUNS: Mapping[str, Run] = {
    "orders-share": Run("Orders under a baseline without a limit", rehearsed.how, rehearsed.share),
    "orders-limit": Run("Orders under a limit on the baseline's rate", rehearsed.how, rehearsed.limit),
    "store-badger": Run("Spans in Badger", stores.how, stores.badger),
    "expected-load": Run("The load that production expects", loads.how, loads.expected),
    "overload": Run("More than a gateway's memory holds", loads.how_overload, loads.overload),
    "gateway-queue": Run("The store is away until a gateway's queue is full", queues.how_gateway, queues.gateway),
    "agent-queue": Run("A gateway is away until the queues of agents are full", queues.how_agent, queues.agent),
    "restarts": Run("Edits of a stack on Docker", engine.how, engine.restarts, engine.unable, needs_engine=True),
}
