"""Stories: all traces of one thing, such as an order, found by an attribute and joined by their links."""

from __future__ import annotations

import math
import time
from collections import Counter
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from stacks.show.errors import QueryError, TraceNotFoundError, first_line
from stacks.show.search import Found, find_traces
from stacks.show.stored import Span, Trace
from stacks.show.trace import fetch
from stacks.show.tree import counted, summary, tree_lines

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from tracing_lib.contract.outputs import Outputs
POLL_SECONDS = 0.5
FETCH_SECONDS = 5.0
LINK_MARK = "~> "
"""Before what a link leads to, as in the library's test kit."""
SHOWN_DIGITS = 8


@dataclass(frozen=True, slots=True)
class Story:
    """The traces of one thing by start time, and the ids of those that their links name and that the store does not hold.

    A trace is absent because it was not sampled: not recorded at its head, or not kept by tail sampling. ``untold`` is a sentence for each
    part of the story that the store has and does not give.
    """

    subject: str
    traces: tuple[Trace, ...]
    absent: tuple[str, ...]
    untold: tuple[str, ...] = ()

    @property
    def services(self) -> tuple[str, ...]:
        """The services that took part, in order of their first span."""
        return tuple(dict.fromkeys(span.service for trace in self.traces for span in trace.spans))


@dataclass(frozen=True, slots=True)
class ServiceSummary:
    """Part of one service: its spans, how many failed, and the 95th percentile of the requests to it, in milliseconds.

    Requests are the spans that begin its part of a trace: their parent is another service's, or there is none.
    """

    service: str
    spans: int
    errors: int
    p95_milliseconds: float


def gather(outputs: Outputs, key: str, value: str, *, since: float, until: float) -> Story:
    """Return the story of the traces that have the attribute ``key`` with this value, as the store holds it now; perhaps without traces.

    ``since`` and ``until`` bound when its traces began, in seconds since 1970. A trace that is linked to and has not the attribute, such
    as that of the connection that an event came by, belongs to many things and is left out. Raises ``QueryError``.
    """
    found = find_traces(outputs, {key: value}, since=since, until=until)
    traces, untold = _readable(outputs, found, wait_seconds=0)
    linked = {link.trace_id for trace in traces for span in trace.spans for link in span.links} - set(found.trace_ids)
    absent: list[str] = []
    for trace_id in sorted(linked):
        try:
            fetch(outputs, trace_id, wait_seconds=0)
        except TraceNotFoundError:
            absent.append(trace_id)
        except QueryError as error:
            untold.append(f"whether trace {trace_id}, which a link names, is stored: {first_line(error)}")
    ordered = sorted(traces, key=lambda trace: trace.spans[0].start_ns)
    return Story(f"{key} {value}", tuple(ordered), tuple(absent), tuple(untold))


def _readable(outputs: Outputs, found: Found, *, wait_seconds: float) -> tuple[list[Trace], list[str]]:
    """Return the traces that can be read, and a sentence for each service and trace that cannot. Raises ``QueryError`` when none can."""
    untold = [f"the store lists a service {name!r} and does not search it" for name in found.unasked]
    untold += [f"a store cannot be searched: {why}" for why in found.silent]
    traces: list[Trace] = []
    last: QueryError | None = None
    for trace_id in found.trace_ids:
        try:
            traces.append(fetch(outputs, trace_id, wait_seconds=wait_seconds))
        except QueryError as error:
            last = error
            untold.append(f"trace {trace_id} cannot be read: {first_line(error)}")
    if last is not None and not traces:
        raise last
    if not found.silent and (cut := [trace for trace in traces if trace.untold]):
        untold.append(f"{counted(len(cut), 'trace')} may lack spans: {cut[0].untold[0]}")
    return traces, untold


def not_told(sentences: Iterable[str]) -> list[str]:
    """Return a line for each sentence about what a store has, or may have, and does not give."""
    return [f"not told: {sentence}" for sentence in sentences]


def wait_for(outputs: Outputs, key: str, value: str, services: Collection[str], *, since: float, seconds: float, settled: float) -> Story:
    """Return the story once all services are in it and nothing was added for ``settled`` seconds, or as it is after ``seconds``.

    ``settled`` is to be longer than the wait of tail sampling. Raises ``QueryError``.
    """
    deadline = time.monotonic() + seconds
    found, unchanged_since = gather(outputs, key, value, since=since, until=time.time()), time.monotonic()
    while time.monotonic() < deadline:
        if set(services) <= set(found.services) and time.monotonic() - unchanged_since >= settled:
            break
        time.sleep(POLL_SECONDS)
        again = gather(outputs, key, value, since=since, until=time.time())
        if again != found:
            found, unchanged_since = again, time.monotonic()
    return found


def joined(story: Story) -> Trace:
    """Return the story as one tree: each trace hangs from the span that its root links to, if that one began before it.

    What a link leads to is marked with ``~>``; where its trace is not stored, that stands in its place. Traces that no link joins to the
    earliest one are left out (``asides``). Raises ``ValueError`` for a story without traces.
    """
    if not story.traces:
        raise ValueError("a story without traces has no tree")
    begun = {trace.trace_id: position for position, trace in enumerate(story.traces)}
    known = {span.span_id for trace in story.traces for span in trace.spans}
    spans: list[Span] = []
    for trace in _told(story):
        roots = {span.span_id for span in trace.roots}
        for span in trace.spans:
            earlier = (
                link for link in span.links if begun.get(link.trace_id, len(begun)) < begun[trace.trace_id] and link.span_id in known
            )
            cause = next(earlier, None) if span.span_id in roots else None
            spans.append(replace(span, parent_id=cause.span_id, name=LINK_MARK + span.name) if cause else span)
            spans += _not_stored(span, story.absent)
    ordered = sorted(spans, key=lambda span: (span.start_ns, -span.end_ns))
    return Trace(story.traces[0].trace_id, tuple(ordered))


def tell(story: Story) -> str:
    """Return the story as text: a heading, the tree, and the traces beside it. Raises ``ValueError`` as ``joined``."""
    tree, apart = joined(story), asides(story)
    traces = counted(len(story.traces) - sum(apart.values()), "trace") + (f", {len(story.absent)} more not sampled" if story.absent else "")
    return "\n".join([f"{story.subject}: {traces}, {summary(tree)}", "", *tree_lines(tree), *beside(story)])


def beside(story: Story) -> list[str]:
    """Return a sentence for each thing that belongs to a story and is not in its tree."""
    also = [f"also {name}" + (f" × {count}" if count > 1 else "") for name, count in asides(story).items()]
    return also + not_told(story.untold)


def everything(outputs: Outputs, services: Collection[str], *, since: float) -> list[Trace]:
    """Return every stored trace in which one of the services took part, from ``since`` (seconds since 1970) on. Raises ``QueryError``."""
    found = find_traces(outputs, {}, since=since, until=time.time(), services=services)
    return _readable(outputs, found, wait_seconds=FETCH_SECONDS)[0]


def asides(story: Story) -> dict[str, int]:
    """Count the traces that touched the thing beside its story, such as a customer's look at it, by service and name of their root."""
    told = {trace.trace_id for trace in _told(story)}
    apart = (trace.roots[0] for trace in story.traces if trace.trace_id not in told)
    return dict(Counter(f"{root.name} ({root.service})" for root in apart))


def _told(story: Story) -> list[Trace]:
    """The traces that links join to the earliest linked one; the first trace alone where there is no link."""
    ids = {trace.trace_id for trace in story.traces}
    near: dict[str, set[str]] = {trace_id: set() for trace_id in ids}
    for trace in story.traces:
        for link in (link for span in trace.spans for link in span.links if link.trace_id in ids):
            near[trace.trace_id].add(link.trace_id)
            near[link.trace_id].add(trace.trace_id)
    first = next((trace.trace_id for trace in story.traces if near[trace.trace_id]), story.traces[0].trace_id)
    reached, waiting = {first}, [first]
    while waiting:
        new = near[waiting.pop()] - reached
        reached |= new
        waiting += new
    return [trace for trace in story.traces if trace.trace_id in reached]


def summaries(traces: Iterable[Trace]) -> list[ServiceSummary]:
    """Return a row for each service over all these traces, in the order in which they first appear."""
    spans: dict[str, list[Span]] = {}
    asked: dict[str, list[float]] = {}
    for trace in traces:
        services = {span.span_id: span.service for span in trace.spans}
        for span in trace.spans:
            spans.setdefault(span.service, []).append(span)
            if services.get(span.parent_id or "") != span.service:
                asked.setdefault(span.service, []).append(span.duration_ns / 1e6)
    return [
        ServiceSummary(name, len(own), sum(span.status == "error" for span in own), _percentile(asked.get(name, []), 0.95))
        for name, own in spans.items()
    ]


def as_mapping(story: Story) -> dict[str, object]:
    """Return a story for programs."""
    return asdict(story) | {"services": [asdict(row) for row in summaries(story.traces)]}


def _not_stored(span: Span, absent: Collection[str]) -> Iterator[Span]:
    for number, link in enumerate(span.links):
        if link.trace_id in absent:
            name = f"{LINK_MARK}trace {link.trace_id[:SHOWN_DIGITS]}… (not sampled)"
            yield Span(
                link.trace_id, f"{span.span_id}/{number}", span.span_id, span.service, name, "link", span.end_ns, span.end_ns, "unset"
            )


def _percentile(values: list[float], share: float) -> float:
    """Return the smallest value that is not exceeded by this share of all (nearest rank)."""
    ordered = sorted(values)
    return ordered[math.ceil(share * len(ordered)) - 1] if ordered else 0.0
