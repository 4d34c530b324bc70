"""Results that people compare, as tables. Imported only to print one, because the table library costs more to import than a plan."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from stacks.environment.units import printable
from stacks.show.page import write_page
from stacks.show.story import beside, joined, not_told, summaries, tell
from stacks.show.trace import links, render_tree
from stacks.show.walk import services

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from components.documents.series import Series
    from components.local.instances import Listed
    from stacks.changes.diff import Difference
    from stacks.show.stored import Trace
    from stacks.show.story import Story
    from tracing_lib.contract.outputs import Outputs

PIPED_WIDTH = 160


def _print(*parts: RenderableType) -> None:
    """Print to the width of the terminal; without one, wide enough that little is folded in a file."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = PIPED_WIDTH
    with console.capture() as capture:
        for part in parts:
            console.print(part, soft_wrap=isinstance(part, Text))
    sys.stdout.writelines(f"{line.rstrip()}\n" for line in capture.get().splitlines())
    sys.stdout.flush()


def _table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def print_findings(found: Sequence[tuple[str, ...]]) -> None:
    """Print what policies found: of each finding policy, level, resource, what is wrong with it, and what would be right."""
    if not found:
        _print(Text("every policy is kept"))
        return
    table = _table("policy", "level", "resource", "what is wrong", "what would be right")
    for finding in found:
        table.add_row(*map(Text, finding))
    _print(table)


def print_difference(found: Difference, old: str, new: str) -> None:
    """Print changed settings, their consequences, and the effect on each workload."""
    if not found:
        _print(Text(f"{old} and {new} are the same"))
        return
    changes = _table("change", "what it means")
    for change in found.changes:
        changes.add_row(Text(change.sentence), Text(change.consequence or ""))
    if not found.workloads:
        _print(changes, Text("nothing restarts"))
        return
    means = any(effect.means for effect in found.workloads)
    effects = _table("workload", "", "because of", *(["what it means"] if means else []))
    for effect in found.workloads:
        effects.add_row(effect.workload, effect.effect, Text(", ".join(effect.because)), *([Text(effect.means)] if means else []))
    _print(changes, effects)


def print_series(found: Iterable[Series]) -> None:
    """Print the metrics that are made of traces, with their labels and the bounds of their buckets."""
    table = _table("metric", "", "labels", "buckets up to, seconds")
    for one in found:
        table.add_row(one.name, one.kind, ", ".join(one.labels), ", ".join(f"{bound:g}" for bound in one.bounds))
    _print(table)


def print_instances(listed: Iterable[Listed]) -> None:
    """Print a row for each process of an environment."""
    table = _table("instance", "pid", "address", "ports")
    for instance in listed:
        ports = ", ".join(f"{name} {number}" for name, number in instance.ports.items())
        table.add_row(instance.instance, str(instance.pid or "down"), instance.address, ports)
    _print(table)


def print_pairs(heading: str, rows: Mapping[str, object]) -> None:
    """Print a row for each phrase and its value."""
    table = _table(heading, "")
    table.columns[1].justify = "right"
    for what, value in rows.items():
        table.add_row(what, str(value))
    _print(table)


def print_rows(columns: Sequence[str], rows: Iterable[Sequence[str]], heading: str, closing: Sequence[str] = ()) -> None:
    """Print rows of text under their columns, below a heading, and sentences after them."""
    table = _table(*columns)
    for row in rows:
        # Names of spans and services come from whoever sends them.
        table.add_row(*(Text(printable(text)) for text in row))
    _print(Text(heading), table, *map(Text, closing))


def print_trace(outputs: Outputs, trace: Trace, pages: Path) -> None:
    """Print a trace as a tree, a table by service, and where to look at it; its page goes into the folder ``pages``."""
    table = _table("service", "spans", "errors", "own time")
    for column in table.columns[1:]:
        column.justify = "right"
    for row in services(trace):
        table.add_row(row.service, str(row.spans), str(row.errors), f"{row.own_milliseconds:.1f} ms")
    where = [Text(f"{word:<4} {url}") for word, url in links(outputs, trace, pages)]
    _print(Text(render_tree(trace)), table, *where, *map(Text, not_told(trace.untold)))


def print_story(story: Story, pages: Path) -> None:
    """Print a story as one tree over its linked traces, and where to look at it; its page goes into the folder ``pages``."""
    _print(Text(tell(story)), Text(""), Text(f"page {write_page(joined(story), pages, story.subject, beside(story)).as_uri()}"))


def print_summaries(heading: str, traces: Iterable[Trace]) -> None:
    """Print a row for each service over all these traces."""
    table = _table("service", "spans", "errors", "p95")
    for column in table.columns[1:]:
        column.justify = "right"
    for row in summaries(traces):
        table.add_row(row.service, str(row.spans), str(row.errors), f"{row.p95_milliseconds:.1f} ms")
    _print(Text(heading), table)
