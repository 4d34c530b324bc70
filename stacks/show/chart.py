"""Charts as SVG, in the colours of the reader's light or dark theme."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from stacks.environment.units import format_percent
from stacks.show.markup import text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_WIDTH: Final = 760
_LEFT: Final = 190
_RIGHT: Final = 60
_BAR: Final = 12
_GAP: Final = 14
_HEAD: Final = 64
_NAME: Final = 26
"""Letters of a name that fit beside a bar; the whole name is its title."""
_STYLE: Final = (
    "text{font:13px sans-serif;fill:#222}.s0{fill:#4477aa}.s1{fill:#ee7733}"
    "@media(prefers-color-scheme:dark){svg{background:#111}text{fill:#ddd}}"
)


@dataclass(frozen=True, slots=True)
class Bars:
    """A name and a share, from 0 to 1, for each of the compared things."""

    name: str
    shares: tuple[float, ...]


def bar_chart(title: str, compared: Sequence[str], rows: Sequence[Bars]) -> str:
    """Return a chart with a group of horizontal bars for each row."""
    group = _BAR * len(compared) + _GAP
    parts = [_text(10, 20, title, bold=True), *_legend(compared)]
    for number, row in enumerate(rows):
        top = _HEAD + number * group
        shown = row.name if len(row.name) <= _NAME else f"{row.name[: _NAME - 1]}…"
        parts.append(f"<g><title>{text(row.name)}</title>{_text(_LEFT - 8, top + group / 2, shown, anchor='end')}</g>")
        for index, share in enumerate(row.shares):
            width, place = share * (_WIDTH - _LEFT - _RIGHT), top + index * _BAR
            parts.append(f'<rect class="s{index}" x="{_LEFT}" y="{place}" width="{width:.1f}" height="{_BAR - 1}"/>')
            parts.append(_text(_LEFT + width + 6, place + _BAR - 2, format_percent(round(share, 3))))
    return _svg(_HEAD + len(rows) * group, title, parts)


def _legend(compared: Sequence[str]) -> Iterator[str]:
    for index, name in enumerate(compared):
        x = 10 + index * (_WIDTH - 20) // len(compared)
        yield f'<rect class="s{index}" x="{x}" y="34" width="12" height="12"/>{_text(x + 18, 45, name)}'


def _text(x: float, y: float, words: str, *, anchor: str = "start", bold: bool = False) -> str:
    style = ' font-weight="bold"' if bold else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{style}>{text(words)}</text>'


def _svg(height: float, title: str, parts: Sequence[str]) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height:.0f}" role="img" aria-label="{text(title)}">'
    return "\n".join([head, f"<style>{_STYLE}</style>", *parts, "</svg>", ""])
