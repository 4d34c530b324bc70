"""A cluster with rules of its own: each line of what such clusters ask for, in the objects of a plan."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import yaml

from components.kubernetes.scheduling import selected, tolerated
from components.scheduling import NodeAffinity, Scheduling, Toleration
from stacks.changes.diff import difference
from stacks.environment.source import ROOT, Named
from stacks.placement.manifests import kubernetes_objects
from tests.components.kubernetes import plans, rules

if TYPE_CHECKING:
    from components.kubernetes.names import Object
    from components.workload import Plan


@pytest.fixture(scope="module")
def plan() -> Plan:
    return plans.planned_with("prod", **rules.settings())


@pytest.fixture(scope="module")
def found(plan: Plan) -> list[Object]:
    return plans.objects(plan)


def one(found: list[Object], kind: str, name: str) -> Object:
    (mapping,) = (m for m in plans.of_kind(found, kind) if m["metadata"]["name"] == name)
    return mapping


def heads(found: list[Object]) -> list[dict[str, Any]]:
    """The metadata of every object and of every pod template."""
    return [m["metadata"] for m in found] + [template["metadata"] for template in plans.templates(found).values()]


def test_every_object_and_pod_carries_the_labels_and_annotations_of_the_environment(found: list[Object]) -> None:
    for head in heads(found):
        assert rules.TARGET["labels"].items() <= head["labels"].items(), head["name"]
        assert rules.TARGET["annotations"].items() <= head["annotations"].items(), head["name"]


def test_every_object_says_whose_it_is_and_a_workloads_its_version(plan: Plan, found: list[Object]) -> None:
    assert {head["labels"]["app.kubernetes.io/instance"] for head in heads(found)} == {plan.namespace}
    assert {head["labels"]["app.kubernetes.io/managed-by"] for head in heads(found)} == {"virtengine-tracing"}
    for name, template in plans.templates(found).items():
        assert template["metadata"]["labels"]["app.kubernetes.io/version"] == plan.workload(name).server.tag


def test_labels_that_change_never_choose_pods(found: list[Object]) -> None:
    steady = {"app.kubernetes.io/name", "app.kubernetes.io/part-of"}
    for mapping in plans.of_kind(found, "Deployment", "StatefulSet", "DaemonSet", "PodDisruptionBudget"):
        assert set(mapping["spec"]["selector"]["matchLabels"]) == steady
    assert {key for m in plans.of_kind(found, "Service") for key in m["spec"]["selector"]} == steady


def test_rules_for_all_pods_are_the_schedulers_own(found: list[Object]) -> None:
    for template in plans.templates(found).values():
        spec = template["spec"]
        assert spec["priorityClassName"] == "business-critical"
        assert spec["nodeSelector"] == {"example.org/pool": "tracing", "kubernetes.io/os": "linux"}
        assert spec["tolerations"] == [
            {"operator": "Exists", "effect": "NoExecute"},
            {"operator": "Exists", "key": "nvidia.com/gpu"},
            {"operator": "Equal", "key": "dedicated", "value": "tracing", "effect": "NoSchedule"},
        ]
        required, weighed = (f"{when}DuringSchedulingIgnoredDuringExecution" for when in ("required", "preferred"))
        nodes = spec["affinity"]["nodeAffinity"]
        (term,) = nodes[required]["nodeSelectorTerms"]
        assert [expression["key"] for expression in term["matchExpressions"]] == ["example.org/disk-gb", "example.org/lifecycle"]
        assert nodes[weighed][0]["weight"] == 10
        (apart,) = spec["affinity"]["podAntiAffinity"][required]
        assert (apart["namespaces"], apart["topologyKey"]) == (["data"], "kubernetes.io/hostname")
        assert spec["affinity"]["podAffinity"][weighed][0]["podAffinityTerm"]["labelSelector"] == {"matchLabels": {"app": "cache"}}


def test_a_workloads_own_rules_come_beside_those_of_all_and_win() -> None:
    own = {"priority_class": "node-critical", "tolerations": {"pool": {"key": "other"}, "edge": {"key": "edge"}}, "zones": "ignored"}
    collectors = plans.settings("prod")["collectors"]
    found = plans.objects(
        plans.planned_with("prod", target=rules.TARGET | {"external_secrets": None}, collectors=collectors | {"agent": {"pods": own}})
    )
    agent, gateway = (plans.templates(found)[name]["spec"] for name in ("agent", "gateway"))
    assert (agent["priorityClassName"], gateway["priorityClassName"]) == ("node-critical", "business-critical")
    assert [taint.get("key") for taint in agent["tolerations"]] == [None, "edge", "nvidia.com/gpu", "other"]
    assert [taint.get("key") for taint in gateway["tolerations"]] == [None, "nvidia.com/gpu", "dedicated"]
    assert agent["nodeSelector"] == gateway["nodeSelector"]


@pytest.mark.parametrize("variant", plans.VARIANTS)
def test_without_a_word_every_pod_is_on_linux_and_no_taint_is_tolerated(variant: str) -> None:
    for template in plans.templates(plans.objects(plans.planned(variant))).values():
        assert template["spec"]["nodeSelector"] == {"kubernetes.io/os": "linux"}
        assert "tolerations" not in template["spec"]
        assert "priorityClassName" not in template["spec"]


def test_the_order_of_names_in_the_file_changes_nothing() -> None:
    # Pulumi hands a stack file to the program with its keys sorted.
    def turned(value: Any) -> Any:  # noqa: ANN401 - any part of an environment
        return {key: turned(inner) for key, inner in reversed(value.items())} if isinstance(value, dict) else value

    one, other = (plans.planned_with("prod", **sections) for sections in (rules.settings(), turned(rules.settings())))
    assert one == other
    assert plans.objects(one) == plans.objects(other)


def zones_of(variant_found: list[Object], name: str) -> list[str]:
    constraints = plans.templates(variant_found)[name]["spec"].get("topologySpreadConstraints", [])
    return [c["whenUnsatisfiable"] for c in constraints if c["topologyKey"] == "topology.kubernetes.io/zone"]


def test_replicas_are_spread_over_zones_as_the_environment_says(found: list[Object]) -> None:
    usual = plans.objects(plans.planned("prod"))
    ignored = plans.objects(plans.planned_with("prod", target={"kind": "kubernetes", "context": "test", "pods": {"zones": "ignored"}}))
    for name in ("gateway", "sampling", "access"):
        assert zones_of(usual, name) == ["ScheduleAnyway"]
        assert zones_of(found, name) == ["DoNotSchedule"]
        assert zones_of(ignored, name) == []
    assert zones_of(usual, "agent") == zones_of(usual, "jaeger") == []


def test_a_pod_asks_for_the_disk_of_its_volumes_on_the_node_and_its_log(plan: Plan, found: list[Object]) -> None:
    for name, template in plans.templates(found).items():
        (container,) = template["spec"]["containers"]
        asked, capped = container["resources"]["requests"], container["resources"]["limits"]
        assert asked["ephemeral-storage"] == capped["ephemeral-storage"]
        there = sum(v.size_bytes for v in plan.workload(name).volumes if v.survives == "instance") + 64 * 2**20 + 512 * 2**20
        assert capped["ephemeral-storage"] == f"{there // 2**20}Mi"


def test_every_container_asks_for_cpu_and_is_capped_in_memory_and_disk_alone(found: list[Object]) -> None:
    pods = [template["spec"] for template in plans.templates(found).values()]
    containers = [container for pod in pods for container in (*pod.get("initContainers", ()), *pod["containers"])]
    assert len(containers) > len(pods) > 4
    for container in containers:
        asked, capped = container["resources"]["requests"], container["resources"]["limits"]
        assert asked.keys() == {"cpu", "memory", "ephemeral-storage"}, container["name"]
        assert capped.keys() == {"memory", "ephemeral-storage"}, container["name"]


def test_browsers_come_in_by_a_route_of_a_gateway_in_place_of_an_ingress(found: list[Object]) -> None:
    assert plans.of_kind(found, "Ingress") == []
    spec = one(found, "HTTPRoute", "access")["spec"]
    (parent,), (rule,) = spec["parentRefs"], spec["rules"]
    assert (parent["namespace"], parent["name"], parent["sectionName"]) == ("gateways", "public", "https")
    assert spec["hostnames"] == ["traces.virtengine.example"]
    assert [(backend["name"], backend["port"]) for backend in rule["backendRefs"]] == [("access", 4180)]
    assert plans.of_kind(plans.objects(plans.planned("prod")), "HTTPRoute") == []


FAMILIES = {
    "ipv4": ("0.0.0.0", {}),
    "ipv6": ("[::]", {"ipFamilyPolicy": "SingleStack", "ipFamilies": ["IPv6"]}),
    "dual": ("[::]", {"ipFamilyPolicy": "PreferDualStack"}),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_servers_and_services_are_of_the_families_of_the_cluster(family: str) -> None:
    host, fields = FAMILIES[family]
    target = {"kind": "kubernetes", "context": "test", "addresses": family}
    plan = plans.planned_with("prod", target=target, backend=plans.VOLUME)
    other = re.compile(r"(?<![\d.])0\.0\.0\.0" if family != "ipv4" else r"\[::\]")
    for workload in plan.workloads:
        text = "".join(document.text for document in workload.documents)
        assert not other.search(text), workload.name
        assert host in text or host.strip("[]") in text, workload.name
    for service in plans.of_kind(plans.objects(plan), "Service"):
        said = {name: service["spec"][name] for name in ("ipFamilyPolicy", "ipFamilies") if name in service["spec"]}
        assert said == fields
    tempo = yaml.safe_load(plan.workload("tempo").documents[0].text)
    assert tempo["distributor"]["ring"].get("enable_inet6", False) is (family != "ipv4")


def test_login_proxy_and_strategy_server_have_as_many_replicas_as_asked_for(found: list[Object]) -> None:
    assert {name: one(found, "Deployment", name)["spec"]["replicas"] for name in ("access", "sampling")} == {"access": 3, "sampling": 2}
    budgets = {m["metadata"]["name"] for m in plans.of_kind(found, "PodDisruptionBudget")}
    assert budgets == {"access", "sampling", "gateway"}


def test_grafana_is_made_again_elsewhere_when_its_node_is_lost(found: list[Object]) -> None:
    # A StatefulSet waits for a pod on a node that does not answer; a Deployment does not.
    assert one(found, "Deployment", "grafana")["spec"]["replicas"] == 1
    assert [m["metadata"]["name"] for m in plans.of_kind(found, "PersistentVolumeClaim") if "grafana" in m["metadata"]["name"]] == []


def test_tempo_is_scraped_where_no_trace_can_be_read_and_grafana_only_when_asked_for(plan: Plan, found: list[Object]) -> None:
    assert {e.destination: e.port.number for e in plan.edges if e.source == "scrapers" and e.destination in {"tempo", "grafana"}} == {
        "tempo": 3101,
        "grafana": 3000,
    }
    document = yaml.safe_load(plan.workload("tempo").documents[0].text)
    assert document["internal_server"]["http_listen_port"] == 3101
    assert {port["port"] for port in one(found, "Service", "tempo")["spec"]["ports"]} == {4317, 3200, 3101}
    usual = plans.planned("prod-tempo")
    assert {e.destination for e in usual.edges if e.source == "scrapers"} == {"agent", "gateway", "tempo", "sampling", "access"}


def test_issuers_and_stores_fill_the_secrets_that_the_environment_leaves_to_them(plan: Plan, found: list[Object]) -> None:
    spec = one(found, "Certificate", "tracing-ingest-tls")["spec"]
    assert (spec["secretName"], spec["issuerRef"]["name"]) == ("tracing-ingest-tls", "company")
    served = {urlsplit(url).hostname for url in (plan.endpoints.otlp_grpc, plan.endpoints.otlp_http, plan.endpoints.strategies)}
    assert served <= set(spec["dnsNames"])
    login = one(found, "ExternalSecret", "tracing-access")["spec"]
    assert [entry["secretKey"] for entry in login["data"]] == list(plan.secrets["tracing-access"])
    assert {entry["remoteRef"]["key"] for entry in login["data"]} == {"tracing/login"}
    assert one(found, "ExternalSecret", "mirror")["spec"]["target"]["template"]["type"] == "kubernetes.io/dockerconfigjson"
    assert plan.filled_elsewhere == {"tracing-ingest-tls", "tracing-access", "mirror"}


def test_the_certificate_of_the_host_is_for_the_host() -> None:
    access = plans.settings("prod")["access"] | {"certificate": {"name": "letsencrypt"}}
    found = plans.objects(plans.planned_with("prod", access=access))
    assert one(found, "Certificate", access["tls_secret"])["spec"]["dnsNames"] == [access["host"]]


def test_the_operator_tells_pods_what_the_configmap_beside_it_tells() -> None:
    ingest = plans.settings("prod")["ingest"] | {"namespaces": ["shop", "bank"], "instrumentation": True}
    plan = plans.planned_with("prod", ingest=ingest)
    authority = (ROOT / "tests/fixtures/authority.pem").read_text()
    objects = kubernetes_objects(plan, certificate=authority)["2-consumers"]
    told = {m["metadata"]["namespace"]: m for m in plans.of_kind(objects, "Instrumentation")}
    variables = {m["metadata"]["namespace"]: m["data"] for m in plans.of_kind(objects, "ConfigMap")}
    assert told.keys() == variables.keys() == {"shop", "bank"}
    spec, known = told["shop"]["spec"], variables["shop"]
    assert spec["exporter"]["endpoint"] == known["OTEL_EXPORTER_OTLP_ENDPOINT"]
    assert spec["exporter"]["tls"] == {"configMapName": "virtengine-tracing", "ca_file": "otlp-ca.crt"}
    assert known["otlp-ca.crt"] == authority
    assert ",".join(spec["propagators"]) == known["OTEL_PROPAGATORS"]
    assert spec["sampler"] == {"type": known["OTEL_TRACES_SAMPLER"], "argument": known["OTEL_TRACES_SAMPLER_ARG"]}
    assert spec["resource"]["resourceAttributes"] == {"deployment.environment.name": "prod"}
    environment = {entry["name"]: entry.get("value", entry.get("valueFrom")) for entry in spec["env"]}
    assert environment == {
        "OTEL_EXPORTER_OTLP_PROTOCOL": known["OTEL_EXPORTER_OTLP_PROTOCOL"],
        "OTEL_EXPORTER_OTLP_HEADERS": {"secretKeyRef": {"name": "virtengine-tracing", "key": "OTEL_EXPORTER_OTLP_HEADERS"}},
        # A collector without these pipelines answers 404.
        "OTEL_LOGS_EXPORTER": "none",
        "OTEL_METRICS_EXPORTER": "none",
    }


def test_without_token_and_certificate_the_operator_is_told_of_none() -> None:
    plan = plans.planned_with("prod", ingest={"namespaces": ["shop"], "instrumentation": True})
    (told,) = plans.of_kind(plans.objects(plan), "Instrumentation")
    assert "tls" not in told["spec"]["exporter"]
    assert [entry["name"] for entry in told["spec"]["env"] if "valueFrom" in entry] == []
    assert plans.of_kind(plans.objects(plans.planned("prod")), "Instrumentation") == []


def test_an_identity_of_the_pod_reaches_the_services_that_hand_it_out(found: list[Object]) -> None:
    assert one(found, "ServiceAccount", "tempo")["metadata"]["annotations"]["eks.amazonaws.com/role-arn"].startswith("arn:")
    egress = one(found, "NetworkPolicy", "tempo-egress")["spec"]["egress"]
    networks = {
        peer["ipBlock"]["cidr"] for rule in egress for peer in rule.get("to", []) if {"protocol": "TCP", "port": 80} in rule["ports"]
    }
    assert {"169.254.169.254/32", "169.254.170.23/32"} <= networks
    assert {port["port"] for rule in egress if "to" not in rule for port in rule["ports"]} == {9000, 443}
    keys = plans.objects(plans.planned("prod-tempo-s3"))
    assert "169.254.169.254" not in str(one(keys, "NetworkPolicy", "tempo-egress"))


def test_object_storage_of_ones_own_has_a_port_an_authority_or_no_tls(plan: Plan) -> None:
    document = yaml.safe_load(plan.workload("tempo").documents[0].text)["storage"]["trace"]["s3"]
    (file,) = plan.workload("tempo").secret_files
    assert (document["endpoint"], document["tls_ca_path"]) == ("storage.example.org:9000", file.path)
    assert (file.secret, file.key) == ("storage-ca", "ca.crt")
    storage = plans.BUCKET["storage"] | {"plain_http": True, "port": 80}  # type: ignore[operator]  # a mapping
    plain = plans.planned_with("prod", backend={"kind": "tempo", "storage": storage})
    assert yaml.safe_load(plain.workload("tempo").documents[0].text)["storage"]["trace"]["s3"]["insecure"] is True


def test_a_thousand_consumers_are_one_peer_by_name_and_one_configmap_by_label() -> None:
    names = [f"shop-{number}" for number in range(1000)]
    ingest = plans.settings("prod")["ingest"]
    by_name = plans.objects(plans.planned_with("prod", ingest=ingest | {"namespaces": names}))
    (rule,) = one(by_name, "NetworkPolicy", "agent-ingress")["spec"]["ingress"][:1]
    ((peer,)) = rule["from"]
    assert peer["namespaceSelector"]["matchExpressions"][0]["values"] == names
    by_label = plans.planned_with("prod", ingest=ingest | {"namespaces": [], "namespace_labels": {"tracing": "on"}})
    told = [m for m in plans.of_kind(plans.objects(by_label), "ConfigMap") if m["metadata"]["name"] == "virtengine-tracing"]
    assert [m["metadata"]["namespace"] for m in told] == [by_label.namespace]
    assert len(str(plans.objects(by_label))) < 200_000


@pytest.mark.parametrize(
    ("changes", "because"),
    [
        ({"labels": {"team": "tracing"}}, "labels"),
        ({"annotations": {"team": "tracing"}}, "annotations"),
        ({"pods": {"priority_class": "high"}}, "scheduling"),
        ({"pods": {"log_space": "1Gi"}}, "scheduling"),
    ],
)
def test_rules_for_pods_restart_every_workload_and_the_difference_says_so(changes: dict[str, object], because: str) -> None:
    target = plans.settings("prod")["target"]
    environments = (plans.environment("prod"), plans.environment("prod", target=target | changes))
    found = difference(*(Named("prod", "test", environment) for environment in environments))
    assert {change.workload for change in found.workloads if because in change.because} == {w.name for w in plans.planned("prod").workloads}
    before, after = (
        plans.templates(plans.objects(p)) for p in (plans.planned("prod"), plans.planned_with("prod", target=target | changes))
    )
    assert all(before[name] != after[name] for name in before)


def test_an_identity_is_taken_by_new_pods_alone_and_the_difference_says_how() -> None:
    storage = {"kind": "s3", "bucket": "traces", "endpoint": "s3.example.org", "service_account_annotations": {"a": "b"}}
    old, new = ({"kind": "tempo", "storage": storage | {"service_account_annotations": {"a": value}}} for value in ("b", "c"))
    environments = (plans.environment("prod", backend=backend) for backend in (old, new))
    found = difference(*(Named("prod", "test", environment) for environment in environments))
    assert found.workloads == ()
    assert [change.consequence for change in found.changes] == [
        "a pod takes its identity as it is made: kubectl rollout restart statefulset/tempo"
    ]


TAINT = {"key": "dedicated", "value": "gpu", "effect": "NoSchedule"}


@pytest.mark.parametrize(
    ("toleration", "right"),
    [
        (Toleration("dedicated", "gpu", "NoSchedule"), True),
        (Toleration("dedicated", None, None), True),
        (Toleration(None, None, "NoSchedule"), True),
        (Toleration(None, None, None), True),
        (Toleration("dedicated", "tracing", None), False),
        (Toleration("dedicated", None, "NoExecute"), False),
        (Toleration("other", None, None), False),
    ],
)
def test_a_taint_is_tolerated_as_the_scheduler_does(toleration: Toleration, right: bool) -> None:  # noqa: FBT001 - what is expected
    assert tolerated(TAINT, (toleration,)) is right
    assert tolerated(TAINT | {"effect": "PreferNoSchedule"}, ())


@pytest.mark.parametrize(
    ("operator", "values", "chosen"),
    [
        ("In", ("a", "b"), {"a"}),
        ("NotIn", ("a",), {"7", None}),
        ("Exists", (), {"a", "7"}),
        ("DoesNotExist", (), {None}),
        ("Gt", ("6",), {"7"}),
        ("Lt", ("8",), {"7"}),
    ],
)
def test_a_node_is_chosen_by_its_label_as_the_scheduler_does(operator: str, values: tuple[str, ...], chosen: set[str | None]) -> None:
    wanted = Scheduling(node_affinity=(NodeAffinity("pool", operator, values, None),))
    assert {value for value in ("a", "7", None) if selected({"pool": value} if value is not None else {}, wanted)} == chosen
    assert not selected({"kubernetes.io/os": "windows"}, Scheduling())
