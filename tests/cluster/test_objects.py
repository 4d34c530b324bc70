"""Every object of a stack on a real API server: accepted, left alone by a second apply, its pods under ``restricted``."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import pytest

from tests.components.kubernetes import plans

if TYPE_CHECKING:
    from components.kubernetes.names import Object
    from components.workload import Plan
    from tests.cluster.server import ApiServer

each = pytest.mark.parametrize("variant", [*plans.VARIANTS, *plans.FURTHER])


def planned(variant: str, test: str) -> Plan:
    """The plan of a variant in a namespace of the test's own."""
    return plans.planned_with(variant, namespace=f"{test}-{variant}")


def namespace(name: str) -> Object:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def apply_all(server: ApiServer, plan: Plan) -> tuple[dict[tuple[str, str, str], Object], list[str]]:
    """Apply every object of a plan; what is kept, and every warning."""
    for consumers in plan.outside["consumers"].namespaces:
        server.apply(namespace(consumers))
    kept, warnings = {}, []
    for mapping in plans.objects(plan):
        stored, warned = server.apply(mapping)
        head = mapping["metadata"]
        kept[mapping["kind"], head.get("namespace", ""), head["name"]] = stored
        warnings += [f"{mapping['kind']} {head['name']}: {warning}" for warning in warned]
    return kept, warnings


def pod(template: Object, workload: str, namespace: str, number: int) -> Object:
    """A pod as a controller makes it of a template; the claims of a StatefulSet's replicas are put in."""
    made = copy.deepcopy(template)
    made["metadata"] |= {"name": f"{workload}-{number}", "namespace": namespace}
    mounted = {mount["name"] for container in made["spec"]["containers"] for mount in container["volumeMounts"]}
    for volume in sorted(mounted - {volume["name"] for volume in made["spec"]["volumes"]}):
        claim = {"claimName": f"{volume}-{workload}-{number}"}
        made["spec"]["volumes"].append({"name": volume, "persistentVolumeClaim": claim})
    return {"apiVersion": "v1", "kind": "Pod", **made}


@each
def test_every_object_is_accepted_without_warning_and_applied_twice_unchanged(api_server: ApiServer, variant: str) -> None:
    plan = planned(variant, "twice")
    first, warnings = apply_all(api_server, plan)
    assert warnings == []
    (second, _), (third, _) = apply_all(api_server, plan), apply_all(api_server, plan)

    def content(kept: Object) -> Object:
        return kept | {"metadata": {name: value for name, value in kept["metadata"].items() if name != "resourceVersion"}}

    assert [name for name in first if content(first[name]) != content(second[name])] == []
    # The server writes a new claim once more, unchanged; from then on not even the version of an object moves.
    assert [name for name in first if second[name] != third[name]] == []


@each
def test_the_server_keeps_every_value_as_it_was_written(api_server: ApiServer, variant: str) -> None:
    plan = planned(variant, "kept")
    kept, _ = apply_all(api_server, plan)
    for mapping in plans.objects(plan):
        head = mapping["metadata"]
        assert_within(mapping, kept[mapping["kind"], head.get("namespace", ""), head["name"]], mapping["kind"])


def assert_within(written: object, kept: object, place: str) -> None:
    """Whatever was written is in what is kept, which has defaults beside it."""
    if isinstance(written, dict):
        assert isinstance(kept, dict), place
        for name, value in written.items():
            assert_within(value, kept.get(name), f"{place}.{name}")
    elif isinstance(written, list):
        assert isinstance(kept, list), place
        assert len(written) == len(kept), place
        for index, (one, other) in enumerate(zip(written, kept, strict=True)):
            assert_within(one, other, f"{place}.{index}")
    else:
        assert written == kept, place


@each
def test_twice_the_pods_of_a_plan_pass_the_quota_and_one_more_does_not(api_server: ApiServer, variant: str) -> None:
    plan = planned(variant, "pods")
    apply_all(api_server, plan)
    (quota,) = plans.of_kind(plans.objects(plan), "ResourceQuota")
    api_server.count_quota(quota)
    nodes = plans.environment(variant).load.nodes
    templates = plans.templates(plans.objects(plan))
    for workload in plan.workloads:
        count = nodes if workload.spread == "every-node" else workload.most_replicas
        for number in range(2 * count):
            answer = api_server.create(pod(templates[workload.name], workload.name, plan.namespace, number))
            assert answer.status_code == 201, answer.text
            assert "Warning" not in answer.headers
            assert answer.json()["status"]["qosClass"] == "Burstable"
    for job in plan.jobs:
        for number in range(2):
            answer = api_server.create(pod(templates[job.name], job.name, plan.namespace, number))
            assert answer.status_code == 201, answer.text
            assert "Warning" not in answer.headers
    answer = api_server.create(pod(templates["sampling"], "sampling", plan.namespace, 99))
    assert answer.status_code == 403
    assert "exceeded quota" in answer.text


@pytest.mark.parametrize("field", ["runAsNonRoot", "seccompProfile", "allowPrivilegeEscalation", "capabilities"])
def test_a_pod_without_one_of_the_restrictions_is_refused(api_server: ApiServer, field: str) -> None:
    plan = planned("dev", "loose")
    apply_all(api_server, plan)
    (quota,) = plans.of_kind(plans.objects(plan), "ResourceQuota")
    api_server.count_quota(quota)
    made = pod(plans.templates(plans.objects(plan))["sampling"], "sampling", plan.namespace, 0)
    for context in (made["spec"]["securityContext"], made["spec"]["containers"][0]["securityContext"]):
        context.pop(field, None)
    answer = api_server.create(made)
    assert answer.status_code == 403
    assert 'violates PodSecurity "restricted:latest"' in answer.json()["message"]


def test_a_field_that_the_api_does_not_know_is_refused(api_server: ApiServer) -> None:
    (service, *_) = plans.of_kind(plans.objects(planned("dev", "strict")), "Service")
    api_server.apply(namespace("strict-dev"))
    service["spec"]["internalTraficPolicy"] = "Local"
    answer = api_server.create(service)
    assert answer.status_code == 400
    assert "unknown field" in answer.text
