"""Panels and dashboards by Grafana's foundation SDK, in the form that all dashboards here share."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from grafana_foundation_sdk.builders import dashboard as dashboards
from grafana_foundation_sdk.builders import prometheus, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import DataSourceRef, VariableRefresh

from components.documents.text import json_text

if TYPE_CHECKING:
    from collections.abc import Sequence

TAG = "virtengine-tracing"
WINDOW = "$__rate_interval"
"""Range of a rate; Grafana puts in one that holds a few scrapes."""

_SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
_WIDTH, _HEIGHT = 12, 8
"""Of the 24 columns of a dashboard, and in its rows."""


@dataclass(frozen=True, slots=True)
class Query:
    """A query in PromQL, and the name of its series, in which ``{{label}}`` stands for a label."""

    expression: str
    legend: str
    exemplars: bool = False


@dataclass(frozen=True, slots=True)
class Panel:
    """A diagram over time. ``unit`` is one of Grafana's, such as ``s``, ``bytes``, ``percentunit``."""

    title: str
    meaning: str
    unit: str
    queries: tuple[Query, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """A list at the head of a dashboard: the values of ``label`` of a metric, of which panels show those that are chosen."""

    name: str
    metric: str
    label: str


@dataclass(frozen=True, slots=True)
class Board:
    """A dashboard: its name in files and links, and its panels in reading order."""

    name: str
    title: str
    panels: tuple[Panel, ...]
    choices: tuple[Choice, ...] = ()


def text(board: Board) -> str:
    """A dashboard as Grafana reads it from a file."""
    source = dashboards.DatasourceVariable("datasource").type("prometheus").label("Prometheus")
    built = (
        dashboards.Dashboard(board.title)
        .uid(f"{TAG}-{board.name}")
        .tags([TAG])
        .readonly()
        .refresh("30s")
        .time("now-1h", "now")
        .timezone("browser")
        .with_variable(source)
    )
    for choice in board.choices:
        variable = (
            dashboards.QueryVariable(choice.name)
            .query(f"label_values({choice.metric}, {choice.label})")
            .datasource(_SOURCE)
            .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
            .multi(multi=True)
            .include_all(include_all=True)
        )
        built = built.with_variable(variable)
    for panel in board.panels:
        built = built.with_panel(_chart(panel))
    return json_text(json.loads(JSONEncoder(sort_keys=True).encode(built.build())))


def _chart(panel: Panel) -> timeseries.Panel:
    chart = (
        timeseries.Panel()
        .title(panel.title)
        .description(panel.meaning)
        .unit(panel.unit)
        .axis_soft_min(0)
        .datasource(_SOURCE)
        .span(_WIDTH)
        .height(_HEIGHT)
    )
    for number, query in enumerate(panel.queries):
        chart = chart.with_target(_target(query, "ABCDEFGH"[number]))
    return chart


def _target(query: Query, ref: str) -> prometheus.Dataquery:
    return prometheus.Dataquery().expr(query.expression).legend_format(query.legend).exemplar(query.exemplars).range().ref_id(ref)


def texts(boards: Sequence[Board]) -> dict[str, str]:
    """The file of each dashboard by its name."""
    return {f"{board.name}.json": text(board) for board in boards}
