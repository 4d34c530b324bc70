"""Every setting of a cluster at its edges, on a real API server that knows the kinds of the controllers."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import pytest

from tests.cluster import kinds
from tests.cluster.test_objects import apply_all, assert_within, namespace, pod
from tests.components.kubernetes import plans, rules

if TYPE_CHECKING:
    from collections.abc import Iterator

    from components.kubernetes.names import Object
    from components.workload import Plan
    from tests.cluster.server import ApiServer

LONG = "l" * 63
BY_SERVICES = rules.WATCHED | {"scraping": "service-monitors"}


@pytest.fixture(scope="module")
def cluster(api_server: ApiServer) -> Iterator[ApiServer]:
    """The API server with the kinds of the controllers and the priority class of the pods."""
    priority = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": "business-critical"}, "value": 1000}
    api_server.apply(priority)
    with api_server.defined(kinds.definitions()):
        yield api_server


def planned(name: str, **more: object) -> Plan:
    sections = rules.settings(**more)
    ingest = dict(sections["ingest"]) | {"namespaces": [f"{name}-one", f"{name}-two"]}  # type: ignore[call-overload]  # a mapping
    return plans.planned_with("prod", **sections | {"namespace": name, "ingest": ingest})


def test_an_environment_with_every_setting_of_a_cluster_is_kept_as_it_was_written(cluster: ApiServer) -> None:
    plan = planned("ruled")
    kept, warnings = apply_all(cluster, plan)
    assert warnings == []
    assert {"HTTPRoute", "Certificate", "ExternalSecret", "Instrumentation", "Deployment"} <= {kind for kind, _, _ in kept}
    for mapping in plans.objects(plan):
        head = mapping["metadata"]
        assert_within(mapping, kept[mapping["kind"], head.get("namespace", ""), head["name"]], mapping["kind"])
    again, _ = apply_all(cluster, plan)
    unlike = [name for name in kept if kept[name].get("spec") != again[name].get("spec")]
    assert unlike == []


def test_pods_with_every_rule_are_admitted_under_the_profile_restricted(cluster: ApiServer) -> None:
    plan = planned("ruled-pods")
    apply_all(cluster, plan)
    (quota,) = plans.of_kind(plans.objects(plan), "ResourceQuota")
    cluster.count_quota(quota)
    for name, template in plans.templates(plans.objects(plan)).items():
        answer = cluster.create(pod(template, name, plan.namespace, 0))
        assert answer.status_code == 201, answer.text
        assert "Warning" not in answer.headers
        assert answer.json()["spec"]["priority"] == 1000


EDGES: dict[str, object] = {
    "labels": {"a": "", f"{LONG}.example.org/{LONG}": LONG},
    "annotations": {"a": 'ü😀: "\n" ${x}', "b.example.org/C_d.e": "x" * 5000},
    "pods": {
        "node_selector": {f"example.org/{LONG}": ""},
        "tolerations": {"everything": {}, "x": {"key": f"example.org/{LONG}", "value": "", "effect": "PreferNoSchedule"}},
        "node_affinity": {
            **{
                operator: {"key": "a", "operator": operator, "values": values, "weight": weight}
                for weight, (operator, values) in enumerate(
                    {"In": ["", "b"], "NotIn": [LONG], "Exists": [], "DoesNotExist": [], "Gt": ["0"], "Lt": ["99999"]}.items(), start=95
                )
            },
            "needed": {"key": "a", "operator": "Lt", "values": ["1"]},
        },
        "pod_affinity": {
            f"{apart}-{weight}": {"labels": {"a": "", "b": LONG}, "apart": apart, **({"weight": weight} if weight else {})}
            for apart in (True, False)
            for weight in (None, 1, 100)
        },
        "zones": "required",
        "log_space": "16Mi",
    },
}


@pytest.mark.parametrize("addresses", ["ipv4", "dual"])
def test_edges_of_the_settings_of_a_cluster_are_accepted(cluster: ApiServer, addresses: str) -> None:
    target = {**EDGES, "kind": "kubernetes", "context": "test", "addresses": addresses}
    _, warnings = apply_all(cluster, planned(f"edges-{addresses}", target=target, images={}, monitoring=BY_SERVICES))
    assert warnings == []


@pytest.mark.parametrize(("addresses", "families"), [("ipv4", ["IPv4"]), ("ipv6", ["IPv6"]), ("dual", ["IPv4", "IPv6"])])
def test_services_have_addresses_of_the_families_of_the_target(cluster: ApiServer, addresses: str, families: list[str]) -> None:
    name = f"of-{addresses}"
    target = {"kind": "kubernetes", "context": "test", "addresses": addresses}
    plan = planned(name, target=target, images={})
    cluster.apply(namespace(name))
    for service in plans.of_kind(plans.objects(plan), "Service"):
        assert sorted(cluster.create(service).json()["spec"]["ipFamilies"]) == families


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("HTTPRoute", ("spec", "parentRefs", 0, "name")),
        ("Certificate", ("spec", "issuerRef")),
        ("ExternalSecret", ("spec", "data", 0, "secretKey")),
        ("Instrumentation", ("spec", "env", 0, "name")),
        ("PodMonitor", ("spec", "selector")),
        ("ServiceMonitor", ("spec", "endpoints")),
        ("PrometheusRule", ("spec", "groups", 0, "rules", 0, "expr")),
    ],
)
def test_an_object_of_a_controller_without_what_it_needs_is_refused(cluster: ApiServer, kind: str, path: tuple[str | int, ...]) -> None:
    for name in ("lacking", "lacking-one", "lacking-two"):
        cluster.apply(namespace(name))
    monitoring = BY_SERVICES if kind == "ServiceMonitor" else rules.WATCHED
    (mapping, *_) = plans.of_kind(plans.objects(planned("lacking", monitoring=monitoring)), kind)
    broken = copy.deepcopy(mapping)
    node = broken
    for part in path[:-1]:
        node = node[part]  # type: ignore[index]  # a list's position
    del node[path[-1]]  # type: ignore[arg-type]  # a list's position
    assert cluster.create(broken).status_code == 422
    unknown: Object = copy.deepcopy(mapping)
    unknown["spec"]["unheardOf"] = 1
    assert cluster.create(unknown).status_code == 400
