"""A rehearsal as rows of a table, and as Markdown for a pull request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stacks.environment.units import approximate_bytes, format_duration, format_percent
from stacks.show.markdown import cell, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from stacks.environment.source import Named
    from stacks.rehearse.sides import Amount, Rehearsal

COLUMNS = ("", "traces A", "traces B", "spans A", "spans B", "bytes A", "bytes B")
LOST_COLUMNS = ("lost", "root", "traces", "kept by A for", "example")
_SHOWN = 20


def rows(found: Rehearsal) -> list[Sequence[str]]:
    """Rows of the kept amounts: in all, by policy and by service."""
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
    return [_row("kept", found.kept), ("of the recorded", *shares), *_rows("policy", found.policies), *_rows("service", found.services)]


def lost_rows(found: Rehearsal) -> list[Sequence[str]]:
    """Rows of the lost traces, the worst first."""
    shown = [(one.kind, one.name, f"{one.traces:,}", one.policy, one.example) for one in found.lost[:_SHOWN]]
    more = found.lost[_SHOWN:]
    return [*shown, *([("…", f"{len(more)} more roots", f"{sum(one.traces for one in more):,}", "", "")] if more else [])]


def notes(found: Rehearsal, old: Named, new: Named) -> Iterator[str]:
    """Sentences on the recording, on what is lost, and on how time was treated."""
    recorded = found.recorded
    yield f"{recorded.traces:,} traces were recorded: {recorded.spans:,} spans, {approximate_bytes(recorded.bytes)}."
    yield f"B loses {sum(one.traces for one in found.lost):,} traces that A keeps, and keeps {found.gained:,} that A loses."
    for letter, side, cut, dropped in zip("AB", (old, new), found.cut, found.limited, strict=True):
        tail = side.environment.sampling.tail
        if cut:
            yield f"{letter} decides on {cut:,} traces before their last span has ended ({format_duration(tail.wait)} after the first)."
        if tail.baseline_limit is not None:
            yield (
                f"{letter}'s limit of {tail.baseline_limit:,} spans/s and gateway drops {dropped:,} traces: reckoned on the clock of the "
                "recording, with a bucket for each gateway, because the rehearsal itself does not take that long."
            )


def markdown(found: Rehearsal, old: Named, new: Named) -> str:
    """The rehearsal for a pull request."""
    parts = [f"### Rehearsal: {cell(old.source)} → {cell(new.source)}", "", *(f"- {note}" for note in notes(found, old, new)), ""]
    if found.lost:
        parts += [*table(LOST_COLUMNS, lost_rows(found)), ""]
    parts += ["<details><summary>Kept under A and B</summary>", "", *table(COLUMNS, rows(found)), "", "</details>", ""]
    return "\n".join(parts)


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
