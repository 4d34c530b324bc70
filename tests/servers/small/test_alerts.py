"""Alerts and dashboards on the real servers: they ask for what is served, are quiet while all is well, and fire when it is not."""

from __future__ import annotations

import json
import time
from functools import partial
from typing import TYPE_CHECKING

import pytest

from components.dashboards.boards import Stored, Subject, boards
from components.dashboards.panels import WINDOW
from stacks.trial.account import intake
from stacks.trial.load import Load, Pace
from tests.servers.small.metrics import AFTER_A_FAULT, Prometheus, asked_for
from tests.waiting import until as until_

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers.small.conftest import Cluster

SERVICE, HOLDING_SECONDS = "orders", 16
until = partial(until_, every=0.5)


@pytest.fixture(scope="module")
def loaded(production: Cluster) -> Iterator[Prometheus]:
    """Prometheus while services send."""
    from stacks.placement.outputs import Outputs

    told = intake(production.instances(), Outputs.read(production.folder / "outputs.json"))
    load = Load(told, Pace(10, 600), SERVICE).start()
    prometheus = Prometheus(production)
    try:
        until(lambda: prometheus.query("traces_kept_calls_total"), "kept traces")
        yield prometheus
    finally:
        load.stop()
        # What is under way would be counted with the load of another test.
        until(lambda: not prometheus.query('rate(otelcol_receiver_accepted_spans_total{job="gateway"}[8s]) > 0'), "still gateways")


def test_no_alert_asks_for_a_metric_or_a_label_that_is_not_served(loaded: Prometheus, production: Cluster) -> None:
    production.client().get(str(production.running.outputs.ui_url))
    loaded.wait_for_all_that_alerts_ask_for()
    assert {name for _, name, _ in asked_for()} >= AFTER_A_FAULT


def test_no_alert_fires_while_nothing_fails(loaded: Prometheus) -> None:
    until(lambda: not loaded.firing(), loaded.firing)
    begin = time.time()
    # Longer than most alerts have to hold.
    until(lambda: time.time() > begin + HOLDING_SECONDS, "the time", progress=time.time)
    assert loaded.fired_since(begin) == set()


def test_every_panel_of_every_dashboard_is_answered_with_data(loaded: Prometheus, production: Cluster) -> None:
    subject = Subject(
        production.running.plan.namespace, "agent", (Stored("jaeger", "jaeger", embedded=True),), clustered=True, exemplars=True
    )
    for board in boards(subject):
        for panel in board.panels:
            for query in panel.queries:
                expression = query.expression.replace(WINDOW, "10s").replace("$service", SERVICE)
                until(lambda expression=expression: loaded.query(expression), f"{board.title}, {panel.title}: {expression}")  # type: ignore[misc]


def test_an_exemplar_leads_to_a_trace_that_is_stored(loaded: Prometheus, production: Cluster) -> None:
    query = f'traces_kept_duration_seconds_bucket{{service_name="{SERVICE}"}}'

    def traces() -> list[str]:
        found = loaded.get("query_exemplars", query=query, start=time.time() - 60, end=time.time())
        return [exemplar["labels"]["trace_id"] for series in found for exemplar in series["exemplars"]]

    trace = until(traces, "an exemplar")[0]
    until(lambda: production.client().get(f"{production.running.outputs.query_url}/api/traces/{trace}").status == 200, trace)


def test_the_tab_monitor_of_jaeger_shows_the_calls_of_a_service(loaded: Prometheus, production: Cluster) -> None:
    assert loaded
    url = f"{production.running.outputs.query_url}/api/metrics/calls?service={SERVICE}&lookback=60000&step=2000&ratePer=10000"
    until(lambda: json.loads(production.client().get(url).text)["metrics"][0]["metricPoints"], "points")


def test_a_backend_that_is_away_fires_its_alerts_and_they_end_when_it_is_back(loaded: Prometheus, production: Cluster) -> None:
    expected = {"TracingJaegerDown", "TracingGatewayDeliveryStalled"}
    assert not loaded.firing() & expected
    production.faults.refuse("jaeger-0")
    try:
        until(lambda: loaded.firing() >= expected, loaded.firing)
    finally:
        production.faults.release("jaeger-0")
    until(lambda: not loaded.firing() & expected, loaded.firing)
