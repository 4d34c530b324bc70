"""The need of each tier as rows of a table, and how it grows as a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stacks.environment.scaling import tiers
from stacks.environment.units import approximate_bytes
from stacks.show.chart import Line, line_chart

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from stacks.environment.scaling import Tier
    from stacks.environment.source import Named

COLUMNS = ("tier", "replicas", "spans/s each", "CPU each", "memory each", "disk each", "received", "sent", "requests/s")
GROWTH_COLUMNS = ("spans/s", "agents", "gateways", "CPU of all", "memory of all", "kept spans/s", "disk of all", "received by gateways")
DECADES = range(2, 8)
"""Powers of ten of the spans per second that growth is shown for."""
_STEPS = 4
_DECIMAL = ((1e15, "PB"), (1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"))


def rows(found: Sequence[Tier]) -> Iterator[tuple[str, ...]]:
    """Yield a row for each tier."""
    for tier in found:
        more = f" (has {tier.configured:,})" if tier.configured != tier.replicas else ""
        yield (
            tier.name,
            f"{tier.replicas:,}{more}",
            f"{tier.spans_per_second:,.0f}",
            "" if tier.cores is None else f"{tier.cores:,.2f}",
            approximate_bytes(tier.memory) if tier.memory else "",
            approximate_bytes(tier.disk) if tier.disk else "",
            f"{approximate_bytes(tier.received)}/s",
            f"{approximate_bytes(tier.sent)}/s" if tier.sent else "",
            f"{tier.requests:,.0f}",
        )


def notes(found: Sequence[Tier]) -> Iterator[str]:
    """Yield the formulas of all tiers, and what stands against a load."""
    for tier in found:
        yield from (f"{tier.name}, {formula}" for formula in tier.formulas)
    yield from (f"{tier.name}: {tier.limit}" for tier in found if tier.limit is not None)


def growth_rows(named: Named) -> Iterator[tuple[str, ...]]:
    """Yield a row for each power of ten of the spans per second."""
    for power in DECADES:
        found = list(tiers(named.environment, 10**power))
        by_name = {tier.name: tier for tier in found}
        backend = named.environment.backend
        store = by_name[backend.kind if backend.name is None else f"{backend.kind}-{backend.name}"]
        yield (
            f"{10**power:,}",
            f"{by_name['agent'].replicas:,}" if "agent" in by_name else "",
            f"{by_name['gateway'].replicas:,}",
            f"{sum(tier.replicas * (tier.cores or 0) for tier in found):,.1f}",
            approximate_bytes(sum(tier.replicas * tier.memory for tier in found)),
            f"{store.replicas * store.spans_per_second:,.0f}",
            approximate_bytes(sum(tier.replicas * tier.disk for tier in found)),
            f"{approximate_bytes(by_name['gateway'].received)}/s",
        )


def picture(named: Named) -> str:
    """Memory and disk of all tiers from 10² to 10⁷ spans a second, as SVG."""
    rates = [10 ** (power + step / _STEPS) for power in DECADES for step in range(_STEPS)][: (len(DECADES) - 1) * _STEPS + 1]
    found = [{tier.name: tier for tier in tiers(named.environment, rate)} for rate in rates]
    lines = []
    for colour, name in enumerate(found[0]):
        amounts = {
            "memory": [at[name].replicas * at[name].memory for at in found],
            "disk": [at[name].replicas * at[name].disk for at in found],
        }
        lines += [
            Line(f"{name}: {what}", tuple(zip(rates, values, strict=True)), colour, dashed=what == "memory")
            for what, values in amounts.items()
            if all(values)
        ]
    return line_chart(f"{named.source}: all replicas of each tier", ("spans per second, before sampling", "bytes"), lines, _decimal)


def _decimal(value: float) -> str:
    """A power of ten of bytes with its unit."""
    unit, name = next(((unit, name) for unit, name in _DECIMAL if value >= unit), (1.0, "B"))
    return f"{value / unit:,.0f} {name}"
