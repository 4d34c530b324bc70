"""A map of services: a box for each, and an arc for the calls from one to another."""

from __future__ import annotations

import math
from html import unescape
from typing import TYPE_CHECKING, Final

from stacks.show.markup import duration, text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from stacks.show.walk import Calls, ServiceRow

_CHARACTERS: Final = 19
"""Characters of a service's name on a line of its box."""
_LINE: Final = 19
_BOX: Final = 48
_BETWEEN: Final = 26
_ARCS: Final = 120
"""Width of the room for arcs on the right of the boxes, in pixels."""

_ARCS_APART: Final = 2
"""Arcs for each service, up to which they can be told apart."""


def service_map(services: Sequence[ServiceRow], calls: Iterable[Calls], colours: Mapping[str, str]) -> str:
    """Return the map as HTML. A box is a button, with which the page's script shows one service alone."""
    boxes, middles, top, numbers = [], {}, 0, {row.service: number for number, row in enumerate(services)}
    arcs = list(calls)
    # So many arcs hide each other's numbers, which are then shown for the chosen services alone.
    dense = " dense" if len(arcs) > _ARCS_APART * len(services) else ""
    for number, row in enumerate(services):
        lines = math.ceil(len(unescape(text(row.service))) / _CHARACTERS)
        height = _BOX + _LINE * max(lines - 1, 0)
        middles[row.service] = top + height // 2
        facts = f'<small title="its time without the spans below its own">{_facts(row)}</small>'
        boxes.append(
            f'<button type="button" aria-pressed="false" data-service="{number}" style="top: {top}px; height: {height}px; '
            f'--colour: {colours[row.service]}"><bdi>{text(row.service)}</bdi>{facts}</button>'
        )
        top += height + _BETWEEN
    return (
        f'<div class="map{dense}" style="height: {top}px">{"".join(boxes)}'
        f'<svg width="{_ARCS}" height="{top}" role="group" aria-label="calls between services">'
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" markerUnits="userSpaceOnUse" '
        f'orient="auto"><path d="M0 0 8 4 0 8z" fill="context-stroke"></path></marker></defs>'
        f"{''.join(_arc(one, middles, numbers) for one in arcs)}</svg></div>"
    )


def _facts(row: ServiceRow) -> str:
    errors = f' · <b class="failed">{row.errors} failed</b>' if row.errors else ""
    return f"{row.spans} span{'s' * (row.spans != 1)}{errors} · {duration(round(row.own_milliseconds * 1e6))}"


def _arc(one: Calls, middles: Mapping[str, int], numbers: Mapping[str, int]) -> str:
    """Draw an arc from caller to callee, the further the wider. Arcs of both directions leave and arrive beside each other."""
    down = middles[one.callee] > middles[one.caller]
    shift = (7 if down else -7) * (2 if one.by_link else 1)
    begin, end = middles[one.caller] + shift, middles[one.callee] + shift
    bulge = min(30 + abs(end - begin) * 0.2 + (14 if one.by_link else 0) + (0 if down else 8), _ARCS * 1.05)
    kind = " ".join(["call", *(["linked"] if one.by_link else []), *(["failed"] if one.errors else [])])
    between, sentence = f"{numbers[one.caller]} {numbers[one.callee]}", text(_sentence(one))
    return (
        f'<g class="{kind}" data-between="{between}" tabindex="0" role="img" aria-label="{sentence}"><title>{sentence}</title>'
        f'<path d="M1 {begin} C{bulge:.0f} {begin} {bulge:.0f} {end} 3 {end}" marker-end="url(#tip)"></path>'
        f'<text x="{bulge * 0.75 + 5:.0f}" y="{(begin + end) / 2 + 4:.0f}">{len(one.durations_ns)}×</text></g>'
    )


def _sentence(one: Calls) -> str:
    count = len(one.durations_ns)
    many = f"{count} {'linked trace' if one.by_link else 'call'}{'s' * (count != 1)}"
    failed = f", {one.errors} failed" if one.errors else ""
    return f"{one.caller} → {one.callee}: {many}{failed}, {duration(sum(one.durations_ns) // count)} on average"
