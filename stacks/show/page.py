"""A trace as a web page: one file that needs no server and no network.

It stands in for the user interface, which a Jaeger built from its Go module lacks, and shows a story, which no user interface does.
"""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Final

from components.local.files import write_atomically
from stacks.show.details import details
from stacks.show.markup import duration, text
from stacks.show.servicemap import service_map
from stacks.show.stored import Trace
from stacks.show.timescale import Scale
from stacks.show.walk import calls, services, walk

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from stacks.show.walk import Place

_HUES: Final = (210, 30, 130, 270, 0, 175, 55, 320)
"""Colours of services, far from each other, in the order in which services appear."""
_FOLD_FROM: Final = 0.5
"""Share of the time without a span from which the page opens with waits folded, because spans would be too narrow to see."""
_STYLE: Final = Path(__file__).with_name("page.css").read_text(encoding="utf-8")
_SCRIPT: Final = Path(__file__).with_name("page.js").read_text(encoding="utf-8")
_ALLOWED: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
    f"script-src 'sha256-{base64.b64encode(hashlib.sha256(_SCRIPT.encode()).digest()).decode()}'"
)
"""Content security policy: nothing is loaded, and no script runs but the page's own."""
_HINT: Final = "An arc is the calls from one service to another, a dashed one by links. Choose services to show them and their calls alone."
_KEYS: Final = {
    "↑ ↓ or k j": "span above, below",
    "Home End": "first, last span",
    "Enter": "attributes, events and links of a span",
    "← →": "fold, unfold the spans below; then to the parent, to the first child",
    "e E": "next, previous error",
    "/": "search in names, attributes and events; Enter goes to the next match",
    "w": "fold waits, or not",
    "[ ]": "names narrower, wider",
    "d": "dark or light",
    "Esc": "end the search, show all services",
    "?": "these keys",
}


def write_page(trace: Trace, folder: Path, subject: str = "", beside: Sequence[str] = ()) -> Path:
    """Write the page of a trace into a folder, and return its path. The other parameters are those of ``page``."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / f"{trace.trace_id}.html"
    write_atomically(path, page(trace, subject, beside))
    return path


def page(trace: Trace, subject: str = "", beside: Sequence[str] = ()) -> str:
    """Return the page of a trace, or of the joined traces of a story.

    ``subject`` is what the traces are about, by default the trace's id. Each sentence of ``beside`` is shown below the heading. A span
    whose parent is of another trace is shown as reached by a link.
    """
    places, scale = list(walk(trace)), Scale(trace.spans)
    stored = Trace(trace.trace_id, tuple(span for span in trace.spans if span.kind != "link"))
    hues = {name: _HUES[number % len(_HUES)] for number, name in enumerate(trace.services)}
    colours = {name: f"light-dark(hsl({hue} 75% 28%), hsl({hue} 65% 70%))" for name, hue in hues.items()}
    heading = text(subject or f"trace {trace.trace_id}")
    return "\n".join(
        [
            f'<!DOCTYPE html>\n<html lang="en" class="{"folded" if scale.idle > _FOLD_FROM else ""}"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_ALLOWED}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{heading}</title><style>{_STYLE}</style></head><body>",
            f"<header><h1><bdi>{heading}</bdi></h1><p>{_summary(trace, scale)}</p>",
            "".join(f"<p><bdi>{text(sentence)}</bdi></p>" for sentence in beside),
            _controls(stored, scale),
            "</header>",
            f'<aside><h2>Services</h2>{service_map(services(stored), calls(places), colours)}<p class="hint">',
            f"{_HINT}</p></aside>",
            f"<main>{_axis(scale)}",
            *_rows(trace, places, scale, colours),
            "</main>",
            '<dialog><h2>Keys</h2><table class="keys">',
            "".join(f"<tr><td><kbd>{text(keys)}</kbd></td><td>{text(effect)}</td></tr>" for keys, effect in _KEYS.items()),
            '</table><form method="dialog"><button>Close</button></form></dialog>',
            f"<script>{_SCRIPT}</script></body></html>\n",
        ]
    )


def _summary(trace: Trace, scale: Scale) -> str:
    traces = len({span.trace_id for span in trace.spans if span.kind != "link"})
    spans = sum(span.kind != "link" for span in trace.spans)
    many = f"{traces} traces, joined by links · " if traces > 1 else ""
    return f"{many}{spans} span{'s' * (spans != 1)} · {duration(scale.end_ns - scale.begin_ns)} · trace <code>{text(trace.trace_id)}</code>"


def _controls(stored: Trace, scale: Scale) -> str:
    errors = sum(span.status == "error" for span in stored.spans)
    failed = f'<button type="button" id="errors" class="failed">✗ {errors} failed</button>' if errors else "<span>no errors</span>"
    checked = " checked" if scale.idle > _FOLD_FROM else ""
    waits = f'<label><input type="checkbox" id="fold"{checked}> fold waits ({scale.idle:.0%} of the time)</label>' if scale.waits else ""
    return (
        f'<div class="controls">{failed}<label>search <input type="search" id="search"></label><output id="found"></output>{waits}'
        '<button type="button" id="theme">dark or light</button><button type="button" id="help">keys: ?</button></div>'
    )


def _axis(scale: Scale) -> str:
    """The axis, and behind all rows the folded waits."""
    ticks = "".join(
        f'<span class="tick" style="left: {scale.true(scale.begin_ns + tick):.3%}">{duration(tick)}</span>' for tick in scale.ticks()
    )
    folds = [(scale.folded(wait.begin_ns), scale.folded(wait.end_ns), duration(wait.length_ns)) for wait in scale.waits]
    columns = "".join(f'<span class="column" style="left: {left:.3%}; width: {right - left:.3%}"></span>' for left, right, _ in folds)
    lengths = "".join(
        f'<span class="length" style="left: {left:.3%}; width: {right - left:.3%}" title="no span for {length}">{length}</span>'
        for left, right, length in folds
    )
    return (
        f'<div class="axis"><span>service and name</span><div class="ticks">{ticks}{lengths}</div><span class="time">duration</span></div>'
        f'<div class="behind" aria-hidden="true">{columns}</div><div id="split" title="[ ] or drag: width of names"></div>'
    )


def _rows(trace: Trace, places: Sequence[Place], scale: Scale, colours: Mapping[str, str]) -> Iterator[str]:
    numbers = {place.span.span_id: number for number, place in enumerate(places)}
    names = list(trace.services)
    for number, place in enumerate(places):
        span = place.span
        kinds = ["span", *(["error"] if span.status == "error" else []), *(["linked"] if place.by_link else [])]
        branch = '<button type="button" class="branch" aria-expanded="true" aria-label="spans below" tabindex="-1"></button>'
        yield (
            f'<details class="{" ".join(kinds)}" id="s{number}" data-depth="{place.depth}" data-service="{names.index(span.service)}" '
            f'style="--depth: {place.depth}; --colour: {colours[span.service]}"><summary>'
            f'<span class="name">{branch if place.has_children else ""}<span><bdi class="service">{text(span.service)}</bdi> '
            f"{_gap(place)}<bdi>{text(_name(place))}</bdi>{_marks(place)}</span></span>"
            f'<span class="lane">{_lane(place, scale)}</span>'
            f'<span class="time">{"" if span.kind == "link" else duration(span.duration_ns)}</span></summary>'
            f"{details(place, scale.begin_ns, numbers)}</details>"
        )


def _name(place: Place) -> str:
    # The mark of a link is drawn.
    return place.span.name.removeprefix("~> ") if place.by_link else place.span.name


def _gap(place: Place) -> str:
    """The link by which a span is reached, and how long after the span that it leads from it began."""
    if not place.by_link or place.parent is None:
        return ""
    wait = place.span.start_ns - place.parent.end_ns
    after = f" {duration(wait)} later" if wait > 0 else ""
    return f'<span class="gap" title="reached by a link, in a trace of its own">⤳{after}</span> '


def _marks(place: Place) -> str:
    failed = ' <b class="failed">✗ error</b>' if place.span.status == "error" else ""
    orphan = ' <span class="gap">parent not stored</span>' if place.span.parent_id and place.parent is None else ""
    return failed + orphan


def _lane(place: Place, scale: Scale) -> str:
    """The bar of a span, its events, and the wait before it when a link led to it."""
    span, parent = place.span, place.parent
    parts = []
    if place.by_link and parent is not None and span.start_ns > parent.end_ns:
        parts.append(f'<span class="wait" style="{_stretch(parent.end_ns, span.start_ns, scale)}"></span>')
    if span.kind != "link":
        parts.append(f'<span class="bar" style="{_stretch(span.start_ns, span.end_ns, scale)}"></span>')
    parts += [
        f'<span class="event" style="{_stretch(event.time_ns, event.time_ns, scale)}" title="{text(event.name)}"></span>'
        for event in span.events
    ]
    return "".join(parts)


def _stretch(begin_ns: int, end_ns: int, scale: Scale) -> str:
    """Both places and widths of a time, between which the style sheet chooses."""
    end_ns = max(begin_ns, end_ns)
    left, folded = scale.true(begin_ns), scale.folded(begin_ns)
    return (
        f"--left: {left:.3%}; --width: {scale.true(end_ns) - left:.3%}; "
        f"--folded-left: {folded:.3%}; --folded-width: {scale.folded(end_ns) - folded:.3%}"
    )
