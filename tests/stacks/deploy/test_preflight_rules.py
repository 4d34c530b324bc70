"""Before anything is touched: kinds that the cluster lacks, and nodes that agents cannot be on, on a real API server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from stacks.deploy.cluster import ClusterError
from stacks.deploy.preflight import check
from tests.components.kubernetes import plans, rules

if TYPE_CHECKING:
    from collections.abc import Iterator

    from components.workload import Plan
    from tests.stacks.deploy.clusters import Cluster

TAINT = {"key": "dedicated", "value": "services", "effect": "NoSchedule"}
MASTER = {"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}


def planned(**sections: Any) -> Plan:  # noqa: ANN401 - sections of an environment
    ingest = plans.settings("prod")["ingest"] | {"namespaces": ["default"]} | sections.pop("ingest", {})
    return plans.planned_with("prod", namespace="not-there-yet", ingest=ingest, **sections)


@pytest.fixture
def nodes(cluster: Cluster) -> Iterator[None]:
    """Twenty nodes: one of the control plane, five for anything, fourteen that are kept for some services."""
    names = [f"node-{number}" for number in range(20)]
    for number, name in enumerate(names):
        taints = [MASTER] if number == 0 else [TAINT] if number > 5 else []
        labels = {"pool": "wide" if number > 10 else "narrow"}
        cluster.ask("POST", "/api/v1/nodes", {"metadata": {"name": name, "labels": labels}, "spec": {"taints": taints}})
    yield
    for name in names:
        cluster.ask("DELETE", f"/api/v1/nodes/{name}")


TOLERANT = {"tolerations": {"kept for services": TAINT}}


def collectors(pods: dict[str, Any]) -> dict[str, Any]:
    stored: dict[str, Any] = plans.settings("prod")["collectors"]
    return stored | {"agent": stored["agent"] | {"pods": pods}}


@pytest.mark.usefixtures("nodes")
def test_nodes_whose_taints_agents_do_not_tolerate_are_told(cluster: Cluster) -> None:
    (line,) = check(cluster.context, planned(), new=True)
    assert line.startswith("14 of 20 nodes take no agent, because of dedicated=services:NoSchedule;")
    assert "environment.collectors.agent.pods.tolerations" in line


@pytest.mark.usefixtures("nodes")
def test_agents_for_which_the_quota_has_no_room_are_refused_with_the_number_of_nodes(cluster: Cluster) -> None:
    with pytest.raises(ClusterError, match=r"environment.load.nodes: 19 nodes of \S+ take an agent[^\n]*\nthen: write nodes: 19,"):
        check(cluster.context, planned(collectors=collectors(TOLERANT)), new=True)
    enough = plans.settings("prod")["load"] | {"nodes": 19}
    assert check(cluster.context, planned(collectors=collectors(TOLERANT), load=enough), new=True) == []


@pytest.mark.usefixtures("nodes")
def test_nodes_that_agents_are_not_meant_for_count_for_nothing(cluster: Cluster) -> None:
    narrow = {"node_selector": {"pool": "narrow"}}
    (line,) = check(cluster.context, planned(collectors=collectors(narrow)), new=True)
    assert line.startswith("5 of 11 nodes take no agent")
    assert check(cluster.context, planned(collectors=collectors(narrow | TOLERANT)), new=True) == []


ASKED: dict[str, tuple[dict[str, Any], str, str]] = {
    "HTTPRoute": ({"access": rules.settings()["access"]}, "access.gateway", "the Gateway API"),
    "Certificate": ({"ingest": {"certificate": rules.ISSUER}}, "ingest.certificate or access.certificate", "cert-manager"),
    "ExternalSecret": (
        {
            "target": {
                "kind": "kubernetes",
                "context": "test",
                "external_secrets": {"store": "vault", "secrets": {"tracing-access": "login"}},
            }
        },
        "target.external_secrets",
        "the External Secrets Operator",
    ),
    "Instrumentation": (
        {"ingest": {"instrumentation": True}},
        "ingest.instrumentation",
        "the OpenTelemetry operator",
    ),
}


@pytest.mark.parametrize("kind", ASKED)
def test_a_kind_that_the_cluster_does_not_know_is_refused_with_its_setting(cluster: Cluster, kind: str) -> None:
    sections, key, controller = ASKED[kind]
    with pytest.raises(ClusterError) as refused:
        check(cluster.context, planned(**sections), new=True)
    wrong, then = str(refused.value).splitlines()
    assert wrong.startswith(f"environment.{key}: {cluster.context} does not know the kind {kind} of ")
    assert wrong.endswith(f"which is {controller}'s")
    assert then.startswith("then: install it, https://")
