"""Charts as SVG, in the colours of the reader's light or dark theme."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from stacks.environment.units import format_percent
from stacks.show.markup import text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_WIDTH: Final = 760
_LEFT: Final = 190
_RIGHT: Final = 60
_BAR: Final = 12
_GAP: Final = 14
_HEAD: Final = 64
_NAME: Final = 26
"""Letters of a name that fit beside a bar; the whole name is its title."""
_PLOT_LEFT, _PLOT_RIGHT, _PLOT_HEIGHT = 80, 150, 340
_COLOURS: Final = ("#4477aa", "#ee7733", "#228833", "#aa3377", "#bbaa22", "#33aacc")
_STYLE: Final = (
    "text{font:13px sans-serif;fill:#222}"
    + "".join(f".s{number}{{fill:{colour}}}.l{number}{{stroke:{colour}}}" for number, colour in enumerate(_COLOURS))
    + ".line{fill:none;stroke-width:2}.grid{stroke:#8888;stroke-width:.5}.dashed{stroke-dasharray:5 3}"
    "@media(prefers-color-scheme:dark){svg{background:#111}text{fill:#ddd}}"
)


@dataclass(frozen=True, slots=True)
class Bars:
    """A name and a share, from 0 to 1, for each of the compared things."""

    name: str
    shares: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """A name and the points of a line, each of two numbers above 0; ``dashed`` tells it from another of its ``colour``, a number from 0."""

    name: str
    points: tuple[tuple[float, float], ...]
    colour: int
    dashed: bool = False


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


def line_chart(title: str, axes: tuple[str, str], lines: Sequence[Line], label: Callable[[float], str]) -> str:
    """Return a chart of lines over two logarithmic axes, whose names are given; ``label`` writes a number of the second one."""
    every = [point for line in lines for point in line.points]
    (low_x, high_x), (low_y, high_y) = (_decades([point[axis] for point in every]) for axis in (0, 1))
    width, bottom = _WIDTH - _PLOT_LEFT - _PLOT_RIGHT, _HEAD + _PLOT_HEIGHT

    def place(x: float, y: float) -> tuple[float, float]:
        right = (math.log10(x) - low_x) / (high_x - low_x) * width
        return _PLOT_LEFT + right, bottom - (math.log10(y) - low_y) / (high_y - low_y) * _PLOT_HEIGHT

    parts = [_text(10, 20, title, bold=True), _text(10, 44, axes[1])]
    for power in range(low_x, high_x + 1):
        x, _ = place(10**power, 10**low_y)
        parts += [f'<path class="grid" d="M{x:.1f} {_HEAD}V{bottom}"/>', _text(x, bottom + 18, f"{10**power:,}", anchor="middle")]
    for power in range(low_y, high_y + 1):
        _, y = place(10**low_x, 10**power)
        parts += [f'<path class="grid" d="M{_PLOT_LEFT} {y:.1f}h{width}"/>', _text(_PLOT_LEFT - 6, y + 4, label(10**power), anchor="end")]
    named_at = 0.0
    for line in sorted(lines, key=lambda line: -line.points[-1][1]):
        placed = [place(*point) for point in line.points]
        style = f"line l{line.colour}{' dashed' if line.dashed else ''}"
        parts.append(f'<path class="{style}" d="M{"L".join(f"{x:.1f} {y:.1f}" for x, y in placed)}"/>')
        # Names of lines that end close together stand below each other.
        named_at = max(placed[-1][1] + 4, named_at + 15)
        parts.append(_text(placed[-1][0] + 8, named_at, line.name))
    parts.append(_text(_PLOT_LEFT + width / 2, bottom + 38, axes[0], anchor="middle"))
    return _svg(max(bottom + 50, named_at + 20), title, parts)


def _decades(values: Sequence[float]) -> tuple[int, int]:
    """The powers of ten below and above all values."""
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return low, max(high, low + 1)


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
