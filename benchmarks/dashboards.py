"""Pictures of the dashboards: each query of each panel, asked of the real Prometheus of the shape in small while VirtEngine runs on it.

``python -m benchmarks.dashboards`` (``make dashboards``) writes ``docs/pictures/dashboard-NAME.svg``. Grafana itself cannot be built here,
so the pictures are of its queries' data and not of its pages.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode
from urllib.request import ProxyHandler, build_opener

from components.dashboards.boards import boards
from components.dashboards.panels import WINDOW
from components.local.faults import Faults
from stacks.environment.source import ROOT
from stacks.placement.small import deploy
from stacks.plan.addresses import OnKubernetes
from stacks.plan.watching import subject
from tests.servers.conftest import named

if TYPE_CHECKING:
    from components.dashboards.panels import Board, Panel

PICTURES = ROOT / "docs" / "pictures"
POINTS = 40
MOST_LINES = 8
"""Lines of a panel that its picture has, the highest ones."""

SCALES = {"percentunit": (100.0, "%"), "bytes": (2.0**-20, "MiB"), "s": (1e3, "ms"), "ms": (1.0, "ms"), "none": (1.0, "")}
"""Factor and name of the unit in which a picture shows a unit of Grafana's; the others are amounts per second."""


@dataclass(frozen=True, slots=True)
class Line:
    """A series of a query: its name as the legend of the panel has it, and its values by seconds since the beginning."""

    name: str
    points: tuple[tuple[float, float], ...]

    @property
    def height(self) -> float:
        """The mean of its values."""
        return sum(value for _, value in self.points) / len(self.points)


@dataclass(frozen=True, slots=True)
class Prometheus:
    """A Prometheus at a base URL, asked for the seconds between two times."""

    url: str
    begun: float
    ended: float

    def lines(self, panel: Panel) -> list[Line]:
        """The lines of a panel, the highest first."""
        found = [line for query in panel.queries for line in self._asked(query.expression, query.legend)]
        return sorted(found, key=lambda line: -line.height)

    def _asked(self, expression: str, legend: str) -> list[Line]:
        filled = expression.replace(WINDOW, "20s").replace("$service", ".*")
        step = max(1.0, (self.ended - self.begun) / POINTS)
        asked = urlencode({"query": filled, "start": self.begun, "end": self.ended, "step": step})
        with build_opener(ProxyHandler({})).open(f"{self.url}/api/v1/query_range?{asked}", timeout=120) as answer:
            series = json.load(answer)["data"]["result"]
        told = [Line(_named(legend, one["metric"]), self._points(one["values"])) for one in series]
        return [line for line in told if line.points]

    def _points(self, values: list[list[Any]]) -> tuple[tuple[float, float], ...]:
        return tuple((at - self.begun, float(value)) for at, value in values if value != "NaN")


def _named(legend: str, labels: dict[str, str]) -> str:
    return re.sub(r"\{\{(\w+)\}\}", lambda found: labels.get(found[1], ""), legend)


def main() -> int:
    """Run VirtEngine on the shape of a cluster, and draw what each dashboard shows of it; 1 when a panel has no data."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.dashboards", description=__doc__)
    parser.add_argument("--orders", type=int, default=1500, metavar="N", help="orders that are placed, ten a second (default: 1500)")
    given = parser.parse_args()
    environment = named("prod", sampling={"tail": {"wait": "2s", "slow": "1s", "baseline": "50 %"}}, aggregation={"flush_interval": "2s"})
    shown = boards(subject(environment.environment, OnKubernetes(environment.environment.namespace)))
    with (
        tempfile.TemporaryDirectory(prefix="dashboards-") as folder,
        deploy(environment, nodes=2, say=_tell, state=Path(folder)) as running,
    ):
        begun = time.time()
        command = [sys.executable, "-m", "examples.virtengine", "--orders", str(given.orders)]
        outputs = os.environ | {"VIRTENGINE_TRACING_OUTPUTS": str(running.outputs_file)}
        subprocess.run(command, env=outputs, check=True, stdout=subprocess.DEVNULL)
        (listed,) = Faults(Path(folder) / environment.name).instances("prometheus")
        asked = Prometheus(f"http://{listed.address}:{listed.ports['prometheus']}", begun, time.time())
        empty = [title for board in shown for title in _drawn(board, {panel.title: asked.lines(panel) for panel in board.panels})]
    for title in empty:
        sys.stderr.write(f"NO DATA: {title}\n")
    return int(bool(empty))


def _drawn(board: Board, lines: dict[str, list[Line]]) -> list[str]:
    """Draw a dashboard, and give the titles of panels without data."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": board.name, "font.size": 8, "path.simplify_threshold": 1.0})
    from matplotlib import pyplot as plt

    rows = (len(board.panels) + 1) // 2
    figure, axes = plt.subplots(rows, 2, figsize=(11, 2.6 * rows), squeeze=False)
    for place, panel in zip(axes.flat, board.panels, strict=False):
        factor, unit = SCALES.get(panel.unit, (1.0, "1/s"))
        for line in lines[panel.title][:MOST_LINES]:
            place.plot([at for at, _ in line.points], [value * factor for _, value in line.points], label=line.name, linewidth=1.2)
        place.set_title(f"{panel.title}, {unit}" if unit else panel.title, loc="left", fontweight="bold")
        place.set_ylim(bottom=min(0.0, place.get_ylim()[0]))
        place.grid(linewidth=0.3)
        if lines[panel.title]:
            place.legend(fontsize=6, loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    for place in list(axes.flat)[len(board.panels) :]:
        place.set_axis_off()
    figure.suptitle(f"{board.title}, by seconds")
    figure.tight_layout()
    figure.savefig(PICTURES / f"dashboard-{board.name}.svg", metadata={"Date": None, "Creator": None})
    plt.close(figure)
    return [f"{board.title}: {title}" for title, found in lines.items() if not found]


def _tell(line: str) -> None:
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {line}\n")


if __name__ == "__main__":
    sys.exit(main())
