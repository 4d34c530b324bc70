"""A trace as a web page that needs no server. It stands in for the user interface, which a Jaeger built from its Go module lacks."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from components.local.files import write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tracing_lib.reading.trace import Span, Trace

HUES = (210, 30, 130, 270, 0, 175, 55, 320)
"""Colours of services, far from each other, in the order in which services appear."""

STYLE = """
:root { color-scheme: light dark; font: 14px/1.5 system-ui, sans-serif }
body { margin: 2rem auto; max-width: 90rem; padding: 0 1rem }
h1 { font-size: 1.1rem; font-weight: 600 } h1 code { font-weight: 400 }
details { border-bottom: 1px solid color-mix(in srgb, currentColor 12%, transparent) }
summary { display: grid; grid-template-columns: minmax(18rem, 36%) 1fr 6rem; gap: 1rem; padding: .2rem 0 }
summary { cursor: pointer; list-style: none }
summary:hover { background: color-mix(in srgb, currentColor 6%, transparent) }
.name { overflow: hidden; text-overflow: ellipsis; white-space: nowrap }
.service { color: var(--colour); font-weight: 600 }
.lane { position: relative; height: 1.1rem; align-self: center; background: color-mix(in srgb, currentColor 5%, transparent) }
.bar { position: absolute; height: 100%; min-width: 2px; background: var(--colour); border-radius: 2px }
.error .bar { outline: 2px solid #d33 } .error .name::after { content: " ✗"; color: #d33 }
.time { text-align: right; font-variant-numeric: tabular-nums }
table { margin: .3rem 0 .8rem 2rem; border-collapse: collapse } td { padding: .1rem 1rem .1rem 0; vertical-align: top }
td:first-child { opacity: .7 }
"""


def write_page(trace: Trace, folder: Path) -> Path:
    """Write the page of a trace into a folder, and return its path."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / f"{trace.trace_id}.html"
    write_atomically(path, page(trace))
    return path


def page(trace: Trace) -> str:
    """The page: a row for each span with its bar in time; a click shows its attributes."""
    begin, end = min(s.start_ns for s in trace.spans), max(s.end_ns for s in trace.spans)
    colours = {name: f"hsl({HUES[i % len(HUES)]} 55% 50%)" for i, name in enumerate(trace.services)}
    rows = "\n".join(_row(span, depth, begin, max(end - begin, 1), colours[span.service]) for span, depth in _in_order(trace))
    title = f"{len(trace.spans)} spans of {', '.join(trace.services)}"
    return (
        f'<!DOCTYPE html>\n<html lang="en"><meta charset="utf-8"><title>{escape(title)}</title><style>{STYLE}</style>\n'
        f"<h1>{escape(title)} · {(end - begin) / 1e6:.1f} ms · <code>{trace.trace_id}</code></h1>\n{rows}\n</html>\n"
    )


def _in_order(trace: Trace) -> Iterator[tuple[Span, int]]:
    """Return each span with its depth, parents before children, ordered by time."""
    below: dict[str, list[Span]] = {}
    for span in trace.spans:
        if span.parent_id:
            below.setdefault(span.parent_id, []).append(span)
    waiting = [(span, 0) for span in reversed(trace.roots)]
    while waiting:
        span, depth = waiting.pop()
        yield span, depth
        waiting += [(child, depth + 1) for child in reversed(below.get(span.span_id, []))]


def _row(span: Span, depth: int, begin: int, length: int, colour: str) -> str:
    left, width = (span.start_ns - begin) / length, span.duration_ns / length
    failed = ' class="error"' if span.status == "error" else ""
    facts = {"kind": span.kind, "status": span.status_message or span.status} | dict(span.attributes)
    cells = "".join(f"<tr><td>{escape(str(key))}</td><td>{escape(str(value))}</td></tr>" for key, value in facts.items())
    return (
        f'<details{failed} style="--colour: {colour}"><summary>'
        f'<span class="name" style="padding-left: {depth * 1.1:.1f}rem"><span class="service">{escape(span.service)}</span> '
        f"{escape(span.name)}</span>"
        f'<span class="lane"><span class="bar" style="left: {left:.3%}; width: {width:.3%}"></span></span>'
        f'<span class="time">{span.duration_ns / 1e6:.2f} ms</span></summary><table>{cells}</table></details>'
    )
