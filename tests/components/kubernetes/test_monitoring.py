"""Objects of monitoring: what each way of scraping makes of the pages of a plan, and where the servers of metrics are let to be reached."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.components.kubernetes import plans, rules

if TYPE_CHECKING:
    from components.workload import Plan

KINDS = ("PodMonitor", "ServiceMonitor", "PrometheusRule")


def planned(**monitoring: object) -> Plan:
    return plans.planned_with("prod-tempo", monitoring=monitoring)


@pytest.mark.parametrize(
    ("scraping", "kind", "endpoints"),
    [("monitors", "PodMonitor", "podMetricsEndpoints"), ("service-monitors", "ServiceMonitor", "endpoints")],
)
def test_each_workload_with_metrics_has_a_monitor_with_the_labels_asked_for(scraping: str, kind: str, endpoints: str) -> None:
    plan = planned(**rules.WATCHED | {"scraping": scraping})
    monitors = {m["metadata"]["name"]: m for m in plans.of_kind(plans.objects(plan), "PodMonitor", "ServiceMonitor")}
    assert monitors.keys() == {workload.name for workload in plan.workloads if workload.metrics}
    for name, monitor in monitors.items():
        assert monitor["kind"] == kind
        assert monitor["metadata"]["labels"].items() >= {"release": "prometheus", "app.kubernetes.io/name": name}.items()
        assert monitor["spec"]["selector"]["matchLabels"]["app.kubernetes.io/name"] == name
        ends = [(end["port"], end["path"], end["interval"]) for end in monitor["spec"][endpoints]]
        assert ends == [(page.port, page.path, "15s") for page in plan.workload(name).metrics]


def test_a_service_monitor_selects_the_one_service_that_has_its_ports() -> None:
    found = plans.objects(planned(scraping="service-monitors"))
    templates = plans.templates(found)
    for monitor in plans.of_kind(found, "ServiceMonitor"):
        wanted, name = monitor["spec"]["selector"]["matchLabels"].items(), monitor["metadata"]["name"]
        (service,) = (one for one in plans.of_kind(found, "Service") if one["metadata"]["labels"].items() >= wanted)
        assert service["metadata"]["labels"][monitor["spec"]["jobLabel"]] == name
        assert {port["name"] for port in service["spec"]["ports"]} == {end["port"] for end in monitor["spec"]["endpoints"]}
        assert service["spec"]["publishNotReadyAddresses"] is True
        assert templates[name]["metadata"]["labels"].items() >= service["spec"]["selector"].items()


@pytest.mark.parametrize("scraping", ["monitors", "service-monitors"])
def test_labels_by_which_a_prometheus_selects_never_say_whose_an_object_is(scraping: str) -> None:
    plan = planned(scraping=scraping, labels={"app.kubernetes.io/instance": "other"})
    for mapping in plans.of_kind(plans.objects(plan), *KINDS):
        assert mapping["metadata"]["labels"]["app.kubernetes.io/instance"] == plan.namespace


@pytest.mark.parametrize(
    ("monitoring", "there"),
    [({"scraping": "monitors"}, 1), ({"scraping": "service-monitors"}, 1), ({"scraping": "monitors", "alerts": False}, 0), ({}, 0)],
)
def test_rules_are_there_with_monitors_unless_they_are_not_wanted(monitoring: dict[str, object], there: int) -> None:
    assert len(plans.of_kind(plans.objects(planned(**monitoring)), "PrometheusRule")) == there


def test_annotated_pods_show_their_own_state_and_services_the_further_pages() -> None:
    plan = planned(scraping="annotations")
    found = plans.objects(plan)
    assert plans.of_kind(found, *KINDS) == []
    for name, template in plans.templates(found).items():
        pages, shown = plan.workload(name).metrics, template["metadata"]["annotations"]
        wanted = str(plan.workload(name).port(pages[0].port).number) if pages else None
        assert shown.get("prometheus.io/port") == wanted
        further = [s for s in plans.of_kind(found, "Service") if s["metadata"]["name"] in {f"{name}-{page.port}" for page in pages[1:]}]
        assert [s["metadata"]["annotations"]["prometheus.io/port"] for s in further] == [
            str(plan.workload(name).port(page.port).number) for page in pages[1:]
        ]


def test_nothing_is_scraped_and_no_pod_is_annotated_where_scraping_is_off() -> None:
    found = plans.objects(planned())
    assert plans.of_kind(found, *KINDS) == []
    assert [t for t in plans.templates(found).values() if "prometheus.io/scrape" in t["metadata"]["annotations"]] == []


def test_dashboards_are_config_maps_with_the_labels_of_the_environment() -> None:
    plan = planned(dashboards={"labels": {"grafana_dashboard": "yes"}})
    found = [m for m in plans.of_kind(plans.objects(plan), "ConfigMap") if "grafana_dashboard" in m["metadata"]["labels"]]
    assert {m["metadata"]["name"] for m in found} == {f"dashboard-{name}" for name in ("services", "flow", "sampling", "storage")}
    for mapping in found:
        (text,) = mapping["data"].values()
        assert json.loads(text)["panels"]


@pytest.mark.parametrize(
    ("url", "peer"),
    [
        ("http://prometheus.monitoring.svc:9090", {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}),
        (
            "http://prometheus.monitoring.svc.cluster.local:9090",
            {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}},
        ),
        ("https://metrics.example.org", None),
    ],
)
def test_the_user_interface_reaches_the_named_prometheus_and_nothing_else_new(url: str, peer: object) -> None:
    (policy,) = (
        m for m in plans.objects(planned(prometheus=url)) if m["kind"] == "NetworkPolicy" and m["metadata"]["name"] == "grafana-egress"
    )
    number = 9090 if ":9090" in url else 443
    rule = next(rule for rule in policy["spec"]["egress"] if {"protocol": "TCP", "port": number} in rule["ports"])
    assert rule.get("to") == ([peer] if peer else None)
