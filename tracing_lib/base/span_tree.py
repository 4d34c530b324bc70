"""Recorded spans as a tree of text, for the test kit and the console."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from opentelemetry.trace import SpanKind, StatusCode

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from opentelemetry.sdk.trace import ReadableSpan

_INDENT: Final = "  "
_KINDS: Final = {SpanKind.SERVER: "server", SpanKind.CLIENT: "client", SpanKind.PRODUCER: "producer", SpanKind.CONSUMER: "consumer"}


def render(spans: Sequence[ReadableSpan], *, attributes: Sequence[str] | None = (), durations: bool = False) -> str:
    """Return spans as text, one line each, children below their parent, in the order in which they started.

    A line has the span's name, its kind unless internal (``(client)``), with ``durations`` its milliseconds, the chosen ``attributes``
    (``key=value``; None: all), ``! TYPE`` for an error, and ``~> NAME`` for each link to one of the
    spans (``~> elsewhere`` for others).
    """
    names = {_key(span): span.name for span in spans}
    children: dict[tuple[int, int] | None, list[ReadableSpan]] = {}
    for span in sorted(spans, key=lambda each: each.start_time or 0):
        parent = (span.parent.trace_id, span.parent.span_id) if span.parent is not None else None
        children.setdefault(parent if parent in names else None, []).append(span)
    lines: list[str] = []

    def add(span: ReadableSpan, depth: int) -> None:
        lines.append(_INDENT * depth + _line(span, names, attributes, durations=durations))
        for child in children.get(_key(span), ()):
            add(child, depth + 1)

    for root in children.get(None, ()):
        add(root, 0)
    return "\n".join(lines)


def _key(span: ReadableSpan) -> tuple[int, int]:
    assert span.context is not None  # noqa: S101  the SDK gives every span one
    return (span.context.trace_id, span.context.span_id)


def _line(span: ReadableSpan, names: Mapping[tuple[int, int], str], attributes: Sequence[str] | None, *, durations: bool) -> str:
    parts = [span.name]
    if span.kind in _KINDS:
        parts.append(f"({_KINDS[span.kind]})")
    if durations:
        parts.append(f"{((span.end_time or 0) - (span.start_time or 0)) / 1e6:.1f} ms")
    recorded: Mapping[str, object] = span.attributes or {}
    parts += [f"{key}={recorded[key]}" for key in (recorded if attributes is None else attributes) if key in recorded]
    if span.status.status_code is StatusCode.ERROR:
        parts.append(f"! {(span.attributes or {}).get('error.type') or span.status.description or 'error'}")
    parts += [f"~> {names.get((link.context.trace_id, link.context.span_id), 'elsewhere')}" for link in span.links]
    return " ".join(parts)
