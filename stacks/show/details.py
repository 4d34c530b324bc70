"""Facts of one span on the page of its trace: attributes, events, links and resource."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from stacks.show.markup import duration, text, value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stacks.show.stored import AttributeValue, Event, Link, Span
    from stacks.show.walk import Place


def details(place: Place, begin_ns: int, numbers: Mapping[str, int]) -> str:
    """Return the facts of a span as HTML.

    ``begin_ns`` is when the trace began. ``numbers`` has the number of each span's row on the page by span id, for links to it.
    """
    span = place.span
    if span.kind == "link":
        return f'<div class="facts"><p>The linked trace <code>{text(span.trace_id)}</code> was not sampled, and is not stored.</p></div>'
    message = f'<p class="failed">{text(span.status_message)}</p>' if span.status_message else ""
    return "".join(
        [
            f'<div class="facts">{message}',
            _section("Span", _plain(_identity(span, begin_ns))),
            _section("Attributes", _values(span.attributes)),
            *(_event(event, span.start_ns) for event in span.events),
            *(_link(link, numbers) for link in span.links),
            f"<details><summary>Resource</summary><table>{_values(span.resource)}</table></details>" if span.resource else "",
            "</div>",
        ]
    )


def _identity(span: Span, begin_ns: int) -> dict[str, str]:
    # Nanoseconds since 1970 that no calendar has are shown as they are.
    try:
        at = datetime.fromtimestamp(span.start_ns / 1e9, UTC).isoformat(sep=" ", timespec="milliseconds")
    except (OverflowError, ValueError, OSError):
        at = str(span.start_ns)
    facts = {
        "kind": span.kind,
        "status": span.status,
        "start": f"{at}, {_after(span.start_ns - begin_ns)} after the first span",
        "duration": duration(span.duration_ns),
        "trace": span.trace_id,
        "span": span.span_id,
    }
    return facts | ({"parent": span.parent_id} if span.parent_id else {})


def _section(heading: str, rows: str) -> str:
    return f"<h3>{heading}</h3><table>{rows}</table>" if rows else ""


def _plain(facts: Mapping[str, str]) -> str:
    return "".join(f"<tr><td>{text(key)}</td><td>{text(fact)}</td></tr>" for key, fact in facts.items())


def _values(attributes: Mapping[str, AttributeValue]) -> str:
    return "".join(
        f"<tr><td><bdi>{text(key)}</bdi></td><td><bdi>{value(attribute)}</bdi></td></tr>" for key, attribute in sorted(attributes.items())
    )


def _event(event: Event, begin_ns: int) -> str:
    failed = ' class="failed"' if event.name == "exception" else ""
    after = _after(event.time_ns - begin_ns)
    return f"<h3>Event at {after}: <bdi{failed}>{text(event.name)}</bdi></h3><table>{_values(event.attributes)}</table>"


def _link(link: Link, numbers: Mapping[str, int]) -> str:
    number = numbers.get(link.span_id)
    where = f"span <code>{text(link.span_id)}</code> of trace <code>{text(link.trace_id)}</code>"
    shown = where if number is None else f'<a href="#s{number}">{where}</a>'
    return f"<h3>Link to {shown}</h3><table>{_values(link.attributes)}</table>"


def _after(nanoseconds: int) -> str:
    return duration(nanoseconds) if nanoseconds >= 0 else f"-{duration(-nanoseconds)}"
