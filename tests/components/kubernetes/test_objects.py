"""What a plan becomes on a cluster."""

from __future__ import annotations

import copy
import dataclasses
import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from components.kubernetes.names import quantity
from components.kubernetes.objects import protected_claims, workload_objects
from components.workload import Document, Health, Identity, Port, Resources, SecretFile, Server, Volume, Workload
from stacks.changes.diff import difference
from stacks.environment.source import Named
from stacks.placement.render import files, render
from tests.components.kubernetes import plans

if TYPE_CHECKING:
    from pathlib import Path

    from components.kubernetes.names import Object

each = pytest.mark.parametrize("variant", plans.VARIANTS)


def restarted(before: list[Object], after: list[Object]) -> set[str]:
    """The workloads whose pods a cluster makes anew: their template is another. A job makes its pods at each run."""
    old, new = plans.templates(before), plans.templates(after)
    jobs = {mapping["metadata"]["name"] for mapping in plans.of_kind(after, "CronJob")}
    return {name for name in old.keys() & new.keys() if old[name] != new[name]} - jobs


CHANGES: list[tuple[str, dict[str, object], set[str]]] = [
    ("prod", {"retention": {"traces": "14d"}}, {"jaeger"}),
    ("prod-tempo", {"retention": {"traces": "14d"}}, {"tempo"}),
    (
        "prod",
        {"ingest": {"namespaces": ["virtengine", "more"], "tls_secret": "tracing-ingest-tls", "token_secret": "tracing-ingest-token"}},
        set(),
    ),
    ("prod", {"ingest": {"namespaces": ["virtengine"]}}, {"agent", "sampling"}),
    ("prod", {"images": {"pull_secret": "mirror"}}, set()),
    ("prod", {"images": {"registry": "registry.example.org"}}, {"access", "agent", "gateway", "jaeger", "sampling"}),
    ("prod-cassandra", {"retention": {"traces": "14d"}}, {"jaeger", "query"}),
    ("prod-opensearch", {"retention": {"traces": "14d"}}, {"jaeger", "query"}),
    ("prod", {"aggregation": {"scraper_namespaces": ["other"]}}, {"agent"}),
    ("prod", {"access": None}, set()),
]


@pytest.mark.parametrize(("variant", "sections", "expected"), CHANGES)
def test_pods_restart_when_the_difference_says_so_and_only_then(variant: str, sections: dict[str, object], expected: set[str]) -> None:
    found = restarted(plans.objects(plans.planned(variant)), plans.objects(plans.planned_with(variant, **sections)))
    named = (Named(variant, "test", environment) for environment in (plans.environment(variant), plans.environment(variant, **sections)))
    told = {change.workload for change in difference(*named).workloads if change.effect == "restarts"}
    assert found == told == expected


def test_another_strategy_changes_what_is_served_and_restarts_nothing() -> None:
    sampling = copy.deepcopy(plans.settings("prod")["sampling"])
    sampling["strategies"]["services"]["portal"]["ratio"] = "50 %"
    before, after = plans.objects(plans.planned("prod")), plans.objects(plans.planned_with("prod", sampling=sampling))
    assert restarted(before, after) == set()
    maps = [{m["metadata"]["name"]: m["data"] for m in plans.of_kind(side, "ConfigMap")} for side in (before, after)]
    assert maps[0]["sampling"] != maps[1]["sampling"]
    (served,) = json.loads(maps[1]["sampling"]["strategies.json"])["service_strategies"]
    assert (served["service"], served["param"]) == ("portal", 0.5)


def test_more_gateways_bring_their_claims_and_restart_agents_alone() -> None:
    collectors = plans.settings("prod")["collectors"]
    more = collectors | {"gateway": collectors["gateway"] | {"replicas": 4}}
    load = plans.settings("prod")["load"] | {"spans_per_second": 100}
    before = plans.objects(plans.planned_with("prod", load=load))
    after = plans.objects(plans.planned_with("prod", load=load, collectors=more))
    assert restarted(before, after) == {"agent"}
    claims = {m["metadata"]["name"] for m in plans.of_kind(after, "PersistentVolumeClaim")}
    assert claims - {m["metadata"]["name"] for m in plans.of_kind(before, "PersistentVolumeClaim")} == {"queue-gateway-3"}


@each
def test_a_statefulset_finds_a_claim_of_the_planned_size_for_every_replica(variant: str) -> None:
    plan = plans.planned(variant)
    found = plans.objects(plan)
    claims = {m["metadata"]["name"]: m["spec"] for m in plans.of_kind(found, "PersistentVolumeClaim")}
    for mapping in plans.of_kind(found, "StatefulSet"):
        workload = plan.workload(mapping["metadata"]["name"])
        sizes = {v.name: quantity(v.size_bytes) for v in workload.volumes if v.survives == "workload"}
        for claim_template in mapping["spec"].get("volumeClaimTemplates", []):
            volume = claim_template["metadata"]["name"]
            for ordinal in range(workload.replicas):
                # The controller takes a claim of this name as that of the replica, and makes one only where there is none.
                claim = claims.pop(f"{volume}-{workload.name}-{ordinal}")
                assert claim["resources"]["requests"]["storage"] == sizes[volume]
        for volume in mapping["spec"]["template"]["spec"]["volumes"]:
            if "persistentVolumeClaim" in volume:
                claim = claims.pop(volume["persistentVolumeClaim"]["claimName"])
                assert claim["resources"]["requests"]["storage"] == sizes[volume["name"]]
    assert claims == {}


def test_gateways_of_a_topic_are_scaled_up_to_the_most_and_each_has_its_claim() -> None:
    collectors = plans.settings("prod-otlp")["collectors"]
    gateway = collectors["gateway"] | {"autoscaling": {"max_replicas": 12, "lag": 10_000}}
    found = plans.objects(plans.planned_with("prod-otlp", collectors=collectors | {"gateway": gateway}))
    (scaler,) = plans.of_kind(found, "HorizontalPodAutoscaler")
    spec = scaler["spec"]
    assert spec["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "gateway"}
    assert (spec["minReplicas"], spec["maxReplicas"]) == (3, 12)
    by_cpu, by_lag = spec["metrics"]
    assert by_cpu["resource"]["target"]["averageUtilization"] == 70
    topic = "virtengine-observability.spans"
    labels = {"consumergroup": topic, "topic": topic}
    assert by_lag["external"]["metric"] == {"name": "kafka_consumergroup_lag", "selector": {"matchLabels": labels}}
    assert by_lag["external"]["target"]["averageValue"] == quantity(10_000)
    (set_,) = [one["spec"] for one in plans.of_kind(found, "StatefulSet") if one["metadata"]["name"] == "gateway"]
    assert "replicas" not in set_, "each deployment would set back what the cluster has decided"
    assert set_["template"]["spec"]["terminationGracePeriodSeconds"] > 25, "the wait for an answer"
    claims = {one["metadata"]["name"] for one in plans.of_kind(found, "PersistentVolumeClaim")}
    assert claims == {f"queue-gateway-{ordinal}" for ordinal in range(12)}


def test_only_what_holds_traces_is_protected_where_the_environment_says_so() -> None:
    claims = {variant: sorted(name for w in plans.planned(variant).workloads for name in protected_claims(w)) for variant in plans.VARIANTS}
    assert claims == {
        "prod": ["traces-jaeger-0"],
        "prod-tempo": ["traces-tempo-0"],
        "prod-tempo-s3": ["traces-tempo-0"],
        "prod-cassandra": [],
        "prod-opensearch": [],
        "dev": [],
    }


@each
def test_only_what_asks_the_api_has_a_token_and_it_may_only_read(variant: str) -> None:
    found = plans.objects(plans.planned(variant))
    tokens = {name: template["spec"]["automountServiceAccountToken"] for name, template in plans.templates(found).items()}
    assert {name for name, has in tokens.items() if has} == {"agent"}
    rules = {m["kind"]: m["rules"] for m in plans.of_kind(found, "ClusterRole", "Role")}
    assert rules == {"ClusterRole": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}]}


@each
def test_a_folder_of_documents_is_mounted_whole_with_what_the_server_reads(variant: str) -> None:
    plan = plans.planned(variant)
    found = plans.objects(plan)
    maps = {m["metadata"]["name"]: m["data"] for m in plans.of_kind(found, "ConfigMap") if m["metadata"]["namespace"] == plan.namespace}
    for workload in plan.workloads:
        spec = plans.templates(found)[workload.name]["spec"]
        (container,) = spec["containers"]
        assert not [mount for mount in container["volumeMounts"] if "subPath" in mount]
        (volume,) = (v for v in spec["volumes"] if v["name"] == "documents")
        seen = {item["path"]: maps[volume["configMap"]["name"]][item["key"]] for item in volume["configMap"]["items"]}
        assert seen == {document.name: document.text for document in workload.documents}


@each
def test_the_quota_holds_all_that_the_plan_asks_for_and_a_rollout_of_it(variant: str) -> None:
    plan = plans.planned(variant)
    nodes = plans.environment(variant).load.nodes
    counts = {w.name: nodes if w.spread == "every-node" else w.replicas for w in plan.workloads}
    assert plan.quota.memory_bytes >= 2 * sum(w.resources.memory_bytes * counts[w.name] for w in plan.workloads)
    claims = [c["spec"]["resources"]["requests"]["storage"] for c in plans.of_kind(plans.objects(plan), "PersistentVolumeClaim")]
    hard = plans.of_kind(plans.objects(plan), "ResourceQuota")[0]["spec"]["hard"]
    assert int(hard["persistentvolumeclaims"]) == len(claims)
    assert hard["requests.storage"] == quantity(sum(int(size[:-2]) * {"Gi": 2**30, "Ti": 2**40}[size[-2:]] for size in claims))


def test_quantities_are_written_as_the_api_server_keeps_them() -> None:
    values = {500 * 2**30: "500Gi", 1536 * 2**20: "1536Mi", 10**9: "1G", 1500: "1500", 2**40: "1Ti", 0: "0", 10**6 + 1: "1000001"}
    assert {value: quantity(value) for value in values} == values


@each
def test_a_second_rendering_is_the_same_and_leaves_nothing_of_the_first(variant: str, tmp_path: Path) -> None:
    plan = plans.planned(variant)
    first = {path: path.read_bytes() for path in render(plan, tmp_path / "out")}
    assert {path: path.read_bytes() for path in render(plans.planned_with(variant), tmp_path / "out")} == first
    render(plans.planned("dev" if variant != "dev" else "prod"), tmp_path / "out")
    kept = {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert kept == files(plans.planned("dev" if variant != "dev" else "prod")).keys()


@each
def test_rendered_files_hold_every_object_once_and_no_secret(variant: str) -> None:
    plan = plans.planned(variant)
    rendered = [text for name, text in files(plan).items() if name.startswith("kubernetes/")]
    found = [mapping for text in rendered for mapping in yaml.safe_load_all(text)]
    assert found == plans.objects(plan)
    names = [(m["kind"], m["metadata"].get("namespace"), m["metadata"]["name"]) for m in found]
    assert len(names) == len(set(names))
    assert "Secret" not in {m["kind"] for m in found}
    assert [name for name in plan.secrets if f"# Secret {name} " not in rendered[0]] == []


def test_the_plan_of_another_target_has_no_manifests() -> None:
    docker = dataclasses.replace(plans.planned("dev"), target="docker")
    assert [name for name in files(docker) if name.startswith("kubernetes/")] == []


def _workload(**changes: Any) -> Workload:  # noqa: ANN401 - fields of a workload
    base: dict[str, Any] = {
        "name": "any",
        "role": "backend",
        "server": Server("any", "registry.example.org/any", "1"),
        "arguments": (),
        "documents": (Document("any.conf", "x"),),
        "documents_path": "/etc/any",
        "ports": (Port("main", 80, "http"),),
        "volumes": (),
        "health": Health("main", "/", start_seconds=7),
        "resources": Resources(1, 2**20),
        "grace_seconds": 3,
        "identity": Identity(7),
    }
    return Workload(**(base | changes))


def _pod(workload: Workload) -> Object:
    found = workload_objects(plans.planned("dev"), workload)
    pod: Object = plans.templates(found)["any"]["spec"]
    return pod


def test_any_workload_can_be_placed_whatever_its_role() -> None:
    for spread, kind in {"single": "StatefulSet", "ordered": "StatefulSet", "replicated": "Deployment", "every-node": "DaemonSet"}.items():
        found = workload_objects(plans.planned("dev"), _workload(spread=spread))
        assert [m["kind"] for m in plans.of_kind(found, "StatefulSet", "Deployment", "DaemonSet")] == [kind]
    # The probe at the start lasts at least as long as the server may take.
    (container,) = _pod(_workload())["containers"]
    assert container["startupProbe"]["periodSeconds"] * container["startupProbe"]["failureThreshold"] >= 7
    assert _pod(_workload())["terminationGracePeriodSeconds"] == 3


def test_pulumi_waits_for_a_whole_rollout_however_many_nodes_there_are() -> None:
    def awaited(**changes: Any) -> str | None:  # noqa: ANN401 - fields of a workload
        found = workload_objects(plans.planned("dev"), _workload(**changes))
        (controller,) = plans.of_kind(found, "StatefulSet", "Deployment", "DaemonSet")
        seconds: str | None = controller["metadata"].get("annotations", {}).get("pulumi.com/timeoutSeconds")
        return seconds

    slow = Health("main", "/", start_seconds=1_200)
    assert awaited() is None
    assert awaited(health=slow) == str(1_200 + 3 + 60)
    assert awaited(spread="ordered", replicas=3, health=slow) == str(3 * (1_200 + 3 + 60))
    # A tenth of the nodes at a time, rounded up, so that ten rounds are the most.
    assert awaited(spread="every-node", health=slow) == str(10 * (1_200 + 3 + 60))
    (daemons,) = plans.of_kind(workload_objects(plans.planned("dev"), _workload(spread="every-node")), "DaemonSet")
    assert daemons["spec"]["updateStrategy"]["rollingUpdate"] == {"maxSurge": "10%", "maxUnavailable": 0}


def test_a_probe_ends_a_container_within_the_time_of_one_whose_volumes_stay() -> None:
    pod = _pod(_workload(grace_seconds=45, restart_grace_seconds=2))
    (container,) = pod["containers"]
    graces = [container[f"{probe}Probe"].get("terminationGracePeriodSeconds") for probe in ("startup", "liveness", "readiness")]
    # The API server refuses a time of its own for the readiness probe, which ends nothing.
    assert (pod["terminationGracePeriodSeconds"], graces) == (45, [2, 2, None])
    (container,) = _pod(_workload())["containers"]
    assert not [name for name in ("startup", "liveness") if "terminationGracePeriodSeconds" in container[f"{name}Probe"]]


def test_files_of_several_secrets_share_the_folder_where_the_server_reads_them() -> None:
    secret_files = (SecretFile("a", "k", "/run/one/first"), SecretFile("b", "k", "/run/one/second"), SecretFile("a", "m", "/run/two/third"))
    pod = _pod(_workload(secret_files=secret_files))
    (container,) = pod["containers"]
    mounted = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    found = {
        (source["secret"]["name"], item["key"], f"{mounted[volume['name']]}/{item['path']}")
        for volume in pod["volumes"]
        for source in volume.get("projected", {}).get("sources", [])
        for item in source["secret"]["items"]
    }
    assert found == {(file.secret, file.key, file.path) for file in secret_files}


def test_a_volume_that_dies_with_the_pod_is_no_claim() -> None:
    scratch = Volume("scratch", "/s", 2**20, holds="scratch", survives="instance")
    found = workload_objects(plans.planned("dev"), _workload(volumes=(scratch,)))
    assert plans.of_kind(found, "PersistentVolumeClaim") == []
    assert {"name": "scratch", "emptyDir": {"sizeLimit": "1Mi"}} in plans.templates(found)["any"]["spec"]["volumes"]
