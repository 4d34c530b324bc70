"""A rehearsal as rows of a table, and as Markdown for a pull request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stacks.environment.units import approximate_bytes, format_duration, format_percent
from stacks.rehearse.sides import Service
from stacks.show.chart import Bars, bar_chart
from stacks.show.markdown import cell, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from stacks.environment.source import Named
    from stacks.rehearse.sides import Amount, Rehearsal

COLUMNS = ("", "traces A", "traces B", "spans A", "spans B", "bytes A", "bytes B")
LOST_COLUMNS = ("lost", "root", "traces", "kept by A for", "example")
_SHOWN = 20


def rows(found: Rehearsal, *, most: int | None = None) -> list[Sequence[str]]:
    """Rows of the kept amounts: in all, by policy and by service; of services the ``most`` with the most spans (default: all)."""
    whole, (a, b) = found.recorded, found.kept
    shares = [
        _share(part, all_)
        for part, all_ in (
            (a.traces, whole.traces),
            (b.traces, whole.traces),
            (a.spans, whole.spans),
            (b.spans, whole.spans),
            (a.bytes, whole.bytes),
            (b.bytes, whole.bytes),
        )
    ]
    largest = sorted(found.services, key=lambda name: -found.services[name].recorded.spans)[:most]
    services = {name: one.kept for name, one in found.services.items() if name in largest}
    more = len(found.services) - len(services)
    return [
        _row("kept", found.kept),
        ("of the recorded", *shares),
        *_rows("policy", found.policies),
        *_rows("service", services),
        *([(f"{more:,} more services", *[""] * 6)] if more else []),
    ]


def lost_rows(found: Rehearsal) -> list[Sequence[str]]:
    """Rows of the lost traces, the worst first."""
    shown = [(one.kind, one.name, f"{one.traces:,}", one.policy, one.example) for one in found.lost[:_SHOWN]]
    more = found.lost[_SHOWN:]
    return [*shown, *([("…", f"{len(more)} more roots", f"{sum(one.traces for one in more):,}", "", "")] if more else [])]


def notes(found: Rehearsal, old: Named, new: Named) -> Iterator[str]:
    """Sentences on the recording, on what is lost, on disk and series, and on how time was treated."""
    recorded = found.recorded
    yield f"{recorded.traces:,} traces were recorded: {recorded.spans:,} spans, {approximate_bytes(recorded.bytes)}."
    yield f"B loses {sum(one.traces for one in found.lost):,} traces that A keeps, and keeps {found.gained:,} that A loses."
    named = list(zip("AB", (old, new), found.sides, strict=True))
    for letter, environment, side in named:
        if side.disk is not None:
            yield f"{letter}'s disk, when as much is kept of its load: {side.disk.arithmetic} of {approximate_bytes(side.disk.provided)}."
        else:
            yield f"{letter} keeps its traces in a bucket or in a store elsewhere, whose size is not set here."
        yield f"{letter} makes {sum(side.series.values()):,} series of these spans in one collector{_places(environment)}."
    for letter, environment, side in named:
        tail = environment.environment.sampling.tail
        if side.cut:
            wait = format_duration(tail.wait)
            yield f"{letter} decides on {side.cut:,} traces before their last span has ended ({wait} after the first)."
        if tail.baseline_limit is not None:
            yield (
                f"{letter}'s limit of {tail.baseline_limit:,} spans/s and gateway drops {len(side.limited):,} traces: reckoned on the "
                "clock of the recording, with a bucket for each gateway, because the rehearsal itself does not take that long."
            )


def _places(named: Named) -> str:
    """The further collectors of a cluster, in words."""
    if named.environment.target.kind != "kubernetes":
        return ""
    return "; each agent has those of the services on its node, each gateway those of the graph and of kept traces"


def markdown(found: Rehearsal, old: Named, new: Named) -> str:
    """The rehearsal for a pull request."""
    parts = [f"### Rehearsal: {cell(old.source)} → {cell(new.source)}", "", *(f"- {note}" for note in notes(found, old, new)), ""]
    if found.lost:
        parts += [*table(LOST_COLUMNS, lost_rows(found)), ""]
    kept = table(COLUMNS, rows(found, most=_SHOWN))
    parts += ["<details><summary>Kept under A and B</summary>", "", *kept, "", "</details>", ""]
    return "\n".join(parts)


def picture(found: Rehearsal, old: Named, new: Named) -> str:
    """The share of each service's spans that both keep, as SVG; services with the most spans first."""
    services = sorted(found.services.items(), key=lambda pair: (-pair[1].recorded.spans, pair[0]))
    bars = [
        Bars(name, tuple(kept.spans / max(1, service.recorded.spans) for kept in service.kept))
        for name, service in [("all services", Service(found.recorded, found.kept)), *services]
    ]
    return bar_chart("Kept share of the spans", (f"A {old.source}", f"B {new.source}"), bars)


def _row(name: str, sides: tuple[Amount, Amount]) -> tuple[str, ...]:
    a, b = sides
    return (
        name,
        f"{a.traces:,}",
        f"{b.traces:,}",
        f"{a.spans:,}",
        f"{b.spans:,}",
        approximate_bytes(a.bytes),
        approximate_bytes(b.bytes),
    )


def _rows(what: str, named: Mapping[str, tuple[Amount, Amount]]) -> Iterator[tuple[str, ...]]:
    for name, sides in named.items():
        yield _row(f"{what} {name}", sides)


def _share(part: int, whole: int) -> str:
    return format_percent(round(part / whole, 4)) if whole else "none"
