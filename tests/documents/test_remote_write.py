"""Remote write: each page of metrics is scraped by one agent, with the labels of a PodMonitor, and reached by it alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from stacks.environment.parse import BadEnvironmentError
from stacks.plan.addresses import InSmall, OnKubernetes
from stacks.plan.plan import plan
from tests.servers.conftest import named

if TYPE_CHECKING:
    from components.workload import Plan
    from stacks.plan.addresses import Addresses

STORE = {
    "url": "https://mimir.metrics.svc:8443/api/v1/push",
    "token_secret": "metrics-token",
    "ca_secret": "metrics-ca",
    "tenant": "tracing",
}


def planned(addresses: Addresses | None = None, **store: object) -> Plan:
    environment = named("prod", monitoring={"remote_write": STORE | store}).environment
    return plan(environment, addresses or OnKubernetes(environment.namespace), name="prod")


def document(of: Plan) -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load(of.workload("agent").documents[0].text)
    return read


def jobs(of: Plan) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = document(of)["receivers"]["prometheus"]["config"]["scrape_configs"]
    return found


def test_an_agent_asks_for_the_pods_of_its_own_node_and_namespace() -> None:
    (job,) = jobs(planned())
    (discovery,) = job["kubernetes_sd_configs"]
    assert discovery["namespaces"] == {"names": [planned().namespace]}
    assert discovery["selectors"] == [{"role": "pod", "field": "spec.nodeName=${env:NODE_NAME}"}]
    assert planned().workload("agent").node_variable == "NODE_NAME"
    assert [one["target_label"] for one in job["relabel_configs"][2:]] == ["namespace", "job", "pod", "endpoint"]
    # The collector would put a variable in for a single dollar.
    assert {one["replacement"] for one in job["relabel_configs"][2:]} == {"$$1"}


def test_every_page_of_metrics_of_the_shape_in_small_is_scraped_by_one_agent() -> None:
    on_cluster = planned()
    placed = {w.name: tuple(f"127.0.0.{10 * number + one}" for one in range(2)) for number, w in enumerate(on_cluster.workloads, start=1)}
    scraped = [
        (labels["pod"], labels["endpoint"], target)
        for index in range(2)
        for job in jobs(planned(InSmall("/state", placed, index=index)))
        for config in job["static_configs"]
        for labels, target in [(config["labels"], config["targets"][0])]
    ]
    wanted = [
        (f"{workload.name}-{one}", page.port, f"{placed[workload.name][one]}:{workload.port(page.port).number}")
        for workload in on_cluster.workloads
        for one in range(2)
        for page in workload.metrics
    ]
    assert sorted(scraped) == sorted(wanted)


def test_agents_reach_the_store_and_each_page_of_metrics_and_show_the_token() -> None:
    of = planned()
    reached = {(edge.destination, edge.port.number) for edge in of.edges if edge.source == "agent"}
    assert ("metrics-store", 8443) in reached
    pages = {(workload.name, workload.port(page.port).number) for workload in of.workloads for page in workload.metrics}
    # A pod always reaches itself.
    assert reached >= {page for page in pages if page[0] != "agent"}
    assert not [edge for edge in of.edges if edge.source == edge.destination]
    assert of.outside["metrics-store"].namespaces == ("metrics",)
    paths = {file.key: file.path for file in of.workload("agent").secret_files if file.secret.startswith("metrics-")}
    exporter = document(of)["exporters"]["prometheusremotewrite"]["http"]
    assert document(of)["extensions"][exporter["auth"]["authenticator"]]["filename"] == paths["token"]
    assert exporter["tls"]["ca_file"] == paths["ca.crt"]
    assert exporter["headers"] == {"X-Scope-OrgID": "tracing"}


def test_without_a_store_nothing_is_scraped_by_agents() -> None:
    environment = named("prod").environment
    of = plan(environment, OnKubernetes(environment.namespace), name="prod")
    assert "prometheus" not in document(of)["receivers"]
    assert not [edge for edge in of.edges if edge.source == "agent" and edge.port.name == "telemetry"]


@pytest.mark.parametrize(
    ("base", "changes", "told"),
    [
        ("dev", {}, "is what agents do, and one host has none"),
        ("prod", {"url": "http://mimir.metrics.svc:8080/api/v1/push"}, "the token would cross the network in clear"),
        ("prod", {"url": "http://mimir.metrics.svc:8080/api/v1/push", "token_secret": None}, "ca_secret is of no use"),
    ],
)
def test_a_store_that_cannot_be_written_to_as_asked_is_refused(base: str, changes: dict[str, object], told: str) -> None:
    with pytest.raises(BadEnvironmentError, match=told):
        named(base, monitoring={"remote_write": STORE | changes})
