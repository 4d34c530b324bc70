"""Consequences of changed settings: each is what the placements, the API server and the servers then do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from components.kubernetes.objects import workload_objects
from components.kubernetes.pods import template
from stacks.changes.diff import Difference, difference
from stacks.plan.plan import plan
from stacks.plan.targets import addresses_of
from tests.stacks import samples
from tests.stacks.environment import mutations

if TYPE_CHECKING:
    from collections.abc import Iterator

    from components.workload import Plan
    from stacks.environment.schema import Setting
    from stacks.environment.source import Named


def told(base: str, changes: samples.Changes, *, given: samples.Changes | None = None) -> dict[str, str | None]:
    """The consequence of each setting that a change of a base has."""
    found = difference(samples.named(base, given), samples.named(base, {**(given or {}), **changes}))
    return {change.key: change.consequence for change in found.changes}


SCALED = "collectors.gateway.autoscaling"
PLAIN_STORE = {"kind": "otlp", "endpoint": "http://store.example.org:4317", "ui_url": "https://ui.example.org"}
LINES: dict[str, tuple[str, samples.Changes, str, str]] = {
    "head ratio": ("prod", {"sampling.head_ratio": "50 %"}, "sampling.head_ratio", "running services follow within 1m"),
    "queue shrunk": ("prod", {"collectors.gateway.queue.size": "8Gi"}, "collectors.gateway.queue.size", "a claim cannot shrink"),
    "queue grown": ("prod", {"collectors.gateway.queue.size": "12Gi"}, "collectors.gateway.queue.size", "grows in place"),
    "queue of another class": (
        "prod",
        {"collectors.gateway.queue.storage_class": "slow"},
        "collectors.gateway.queue.storage_class",
        "what waits in them is lost",
    ),
    "log shrunk": ("prod-tempo-s3", {"backend.storage.wal.size": "5Gi"}, "backend.storage.wal.size", "a claim cannot shrink"),
    "log of another class": (
        "prod-tempo-s3",
        {"backend.storage.wal.storage_class": "slow"},
        "backend.storage.wal.storage_class",
        "what is not in the bucket yet is lost",
    ),
    "more gateways": ("prod", {"collectors.gateway.replicas": 5}, "collectors.gateway.replicas", "agents divide the traces anew"),
    "fewer gateways": (
        "prod",
        {"collectors.gateway.replicas": 2},
        "collectors.gateway.replicas",
        "the queues of those that go are deleted",
    ),
    "token off": ("prod", {"ingest.token_secret": None}, "ingest.token_secret", "whoever reaches the agents"),
    "another token": ("prod", {"ingest.token_secret": "other"}, "ingest.token_secret", "services are refused"),
    "another authority": ("prod", {"ingest.tls_secret": "other"}, "ingest.tls_secret", "do not trust its authority"),
    "consumers exchanged": ("prod", {"ingest.namespaces": ["a"]}, "ingest.namespaces", "pods of virtengine can no longer send"),
    "consumers added": ("prod", {"ingest.namespaces": ["a", "virtengine"]}, "ingest.namespaces", "pods of a may send"),
    "access off": ("prod", {"access": None}, "access.host", "nobody logs in any more"),
    "another host": ("prod", {"access.host": "other.example.org"}, "access.host", "the new redirect URL"),
    "another scope": ("prod", {"access.scopes": ["openid", "a"]}, "access.scopes", "from the next login on"),
    "operators removed": (
        "prod",
        {"access.operator_groups": ["a"]},
        "access.operator_groups",
        "people of tracing-operators alone are refused",
    ),
    "ingress closed": ("prod", {"access.ingress_namespaces": ["a"]}, "access.ingress_namespaces", "no longer be reached from traefik"),
    "ingress open": ("prod", {"access.ingress_namespaces": []}, "access.ingress_namespaces", "from every namespace"),
    "scrapers removed": (
        "prod",
        {"aggregation.scraper_namespaces": [], "monitoring.scraping": "off"},
        "aggregation.scraper_namespaces",
        "can no longer be scraped from monitoring",
    ),
    "shorter on Cassandra": (
        "prod-cassandra",
        {"retention.traces": "14d"},
        "retention.traces",
        "cqlsh -e 'ALTER TABLE jaeger_sample.traces WITH default_time_to_live = 1209600; ALTER TABLE jaeger_sample.service_names",
    ),
    "more copies on Cassandra": (
        "prod-cassandra",
        {"backend.storage.replication": 5},
        "backend.storage.replication",
        "ALTER KEYSPACE jaeger_sample WITH replication = {'class': 'NetworkTopologyStrategy', 'replication_factor': '5'};",
    ),
    "another keyspace": ("prod-cassandra", {"backend.storage.keyspace": "other"}, "backend.storage.keyspace", "can no longer be read here"),
    "default keyspace": ("prod-cassandra", {"backend.storage.keyspace": "jaeger_sample"}, "backend.storage.keyspace", "nothing moves"),
    "default prefix": ("prod-opensearch", {"backend.storage.index_prefix": "sample"}, "backend.storage.index_prefix", "nothing moves"),
    "another prefix": ("prod-opensearch", {"backend.storage.index_prefix": "x"}, "backend.storage.index_prefix", "no longer be read"),
    "search in clear": (
        "prod-opensearch",
        {"backend.storage.servers": ["http://a.example.org:9200"], "backend.storage.ca_secret": None},
        "backend.storage.servers",
        "spans and the password cross the network in clear",
    ),
    "bucket in clear": ("prod-tempo-s3", {"backend.storage.plain_http": True}, "backend.storage.plain_http", "in clear"),
    "Kafka in clear": (
        "prod-otlp",
        {"collectors.kafka.tls": False, "collectors.kafka.ca_secret": None},
        "collectors.kafka.tls",
        "spans cross the network in clear",
    ),
    "store in clear": (
        "prod-otlp",
        {"backend": PLAIN_STORE},
        "backend.endpoint",
        "go to the new one; spans cross the network in clear",
    ),
    "bucket of another name of the store": ("prod-tempo-s3", {"backend.name": "new"}, "backend.name", "in the bucket stays and is found"),
    "shorter on OpenSearch": ("prod-opensearch", {"retention.traces": "14d"}, "retention.traces", "next run of the job cleaner"),
    "longer on OpenSearch": ("prod-opensearch", {"retention.traces": "60d"}, "retention.traces", "stay until they are 60d old"),
    "more shards": ("prod-opensearch", {"backend.storage.shards": 5}, "backend.storage.shards", "indices of the next days"),
    "nodes cut": ("prod", {"load.nodes": 3}, "load.nodes", "the quota is cut to that of 3 nodes"),
    "another bucket": ("prod-tempo-s3", {"backend.storage": samples.GCS}, "backend.storage.kind", "stay in the bucket"),
    "largest trace": ("prod-tempo-s3", {"backend.limits": {"trace_size": "50M"}}, "backend.limits.trace_size", "left out from now on"),
    "retention of another": ("prod-otlp", {"retention.traces": "7d"}, "retention.traces", "nothing here deletes traces"),
    "another store": (
        "prod-otlp",
        {"backend.endpoint": "https://b:1"},
        "backend.endpoint",
        "those that wait in the gateways' queues go to",
    ),
    "off Kafka": ("prod-otlp", {"collectors.transport": "direct"}, "collectors.transport", "gateways read the topic on"),
    "off Kafka at once": (
        "prod-otlp",
        {"collectors.transport": "direct", "collectors.kafka": None},
        "collectors.transport",
        "stays on the topic and is not stored",
    ),
    "another topic": ("prod-otlp", {"collectors.kafka.topic": "a"}, "collectors.kafka.topic", "stays on the old topic"),
    "another group": ("prod-otlp", {"collectors.kafka.group": "a"}, "collectors.kafka.group", "stored a second time"),
    "more partitions": ("prod-otlp", {"collectors.kafka.partitions": 24}, "collectors.kafka.partitions", "--alter --partitions"),
    "fewer partitions": ("prod-otlp", {"collectors.kafka.partitions": 6}, "collectors.kafka.partitions", "make another one"),
    "gateways of a group": ("prod-otlp", {"collectors.gateway.replicas": 4}, "collectors.gateway.replicas", "share the topic anew"),
    "failures off": ("prod", {"sampling.tail.errors": False}, "sampling.tail.errors", "failed traces are kept no more than others"),
    "slower": ("prod", {"sampling.tail.slow": "5s"}, "sampling.tail.slow", "traces of 2s or more are kept no more than others below 5s; "),
    "slow off": ("prod", {"sampling.tail.slow": None}, "sampling.tail.slow", "traces of 2s or more are kept no more than others; "),
    "a shorter wait": ("prod", {"sampling.tail.wait": "5s"}, "sampling.tail.wait", "failures that come more than 5s after the first"),
    "wider noise": (
        "prod",
        {"sampling.tail.noise.probes.values": ["/healthz", "/readyz", "/metrics", "/orders"]},
        "sampling.tail.noise.probes.values",
        "traces with /orders in any span are dropped, failed ones too",
    ),
    "new noise": (
        "prod",
        {"sampling.tail.noise.more": {"attribute": "a", "values": [f"v{number}" for number in range(7)]}},
        "sampling.tail.noise.more.values",
        "traces with v0, v1, v2, v3, v4 and 2 more in any span are dropped",
    ),
    "nodes added": ("prod", {"load.nodes": 9}, "load.nodes", "the quota has room"),
}
"""Lines of what ``diff`` has to say: a base, the change, the setting, and a part of the sentence."""


def test_metrics_that_go_on_in_clear_are_said_to() -> None:
    given: samples.Changes = {"monitoring.remote_write": {"url": "https://mimir.example.org/push"}, "monitoring.scraping": "off"}
    found = told("prod", {"monitoring.remote_write": {"url": "http://mimir.example.org/push"}}, given=given)
    assert "cross the network in clear" in str(found["monitoring.remote_write.url"])


@pytest.mark.parametrize("line", LINES)
def test_the_consequence_of_a_change_is_said(line: str) -> None:
    base, changes, key, part = LINES[line]
    assert part in (told(base, changes)[key] or ""), told(base, changes)


@pytest.mark.parametrize(
    ("before", "after", "part"),
    [
        (None, {"max_replicas": 12}, "one gateway alone runs until"),
        ({"max_replicas": 6}, {"max_replicas": 12}, "each has a claim"),
        ({"max_replicas": 12}, {"max_replicas": 6}, "the queues of those that go are deleted"),
        ({"max_replicas": 12}, None, "gateways beyond it end"),
    ],
)
def test_another_bound_of_the_gateways_of_a_topic_tells_what_becomes_of_claims(before: object, after: object, part: str) -> None:
    found = told("prod-otlp", {SCALED: after}, given={SCALED: before})
    assert part in (found[f"{SCALED}.max_replicas"] or ""), found


def test_another_least_of_scaled_gateways_deletes_nothing() -> None:
    found = told("prod-otlp", {"collectors.gateway.replicas": 2}, given={SCALED: {"max_replicas": 12}})
    assert "nothing is deleted" in (found["collectors.gateway.replicas"] or "")


def test_a_topic_that_is_taken_up_loses_nothing_and_one_that_is_left_is_named() -> None:
    before = {"collectors.transport": "direct", "collectors.kafka": None}
    up = difference(samples.named("prod-otlp", before), samples.named("prod-otlp"))
    (said,) = [change.consequence for change in up.changes if change.consequence and change.key.startswith("collectors.")]
    assert "nothing is lost: gateways take both ways" in said
    left = difference(samples.named("prod-otlp", {"collectors.transport": "direct"}), samples.named("prod-otlp", before))
    assert [change.consequence for change in left.changes if change.consequence] == ["what is left on the topic is not read any more"]


def test_a_store_that_is_there_already_takes_the_retention_over() -> None:
    found = told("prod", {"backend": samples.settings("prod-otlp")["backend"], "access": samples.ABSENT})
    assert "the volume is protected" in str(found["backend.kind"])
    assert "the retention is that of https://tempo-distributor.tempo.svc:4317" in str(found["backend.kind"])


def test_tempo_into_a_bucket_tells_of_the_refused_claim_and_of_the_traces() -> None:
    bucket = samples.named("prod-tempo-s3")
    found = {change.key: change.consequence for change in difference(samples.named("prod-tempo"), bucket).changes}
    assert "a claim cannot shrink: the deployment refuses it (write backend.storage.wal.size:" in str(found["backend.storage.kind"])
    assert "the traces in it are not moved, and no longer found" in str(found["backend.storage.kind"])
    assert not [key for key, said in found.items() if key.startswith("backend.storage.") and said and key != "backend.storage.kind"]
    back = {change.key: change.consequence for change in difference(bucket, samples.named("prod-tempo")).changes}
    assert "those in the bucket stay there" in str(back["backend.storage.kind"])
    assert "cannot shrink" not in str(back["backend.storage.kind"])


@pytest.mark.parametrize(
    ("before", "after"), [("prod", "prod-tempo"), ("prod", "prod-tempo-s3"), ("prod-tempo-s3", "prod"), ("prod-cassandra", "prod-tempo")]
)
def test_another_backend_is_told_by_its_kind_alone(before: str, after: str) -> None:
    changes = difference(samples.named(before), samples.named(after)).changes
    assert [change.key for change in changes if change.key.startswith("backend.") and change.consequence] == ["backend.kind"]


@pytest.mark.parametrize(
    ("before", "after", "part"),
    [
        ("prod", "prod-cassandra", "the volume is protected and refuses to be deleted"),
        ("prod-opensearch", "prod", "stay in opensearch and are not moved"),
    ],
)
def test_another_store_of_jaeger_is_told_by_its_kind_alone(before: str, after: str, part: str) -> None:
    changes = difference(samples.named(before), samples.named(after)).changes
    told = {change.key: change.consequence for change in changes if change.key.startswith("backend.") and change.consequence}
    assert [key for key in told if key.startswith(("backend.storage", "backend.volume", "backend.query"))] == ["backend.storage.kind"]
    assert part in str(told["backend.storage.kind"])


@pytest.mark.parametrize("change", [{"target.context": "another"}, {"namespace": "another"}])
def test_another_cluster_or_namespace_removes_and_creates_every_workload(change: samples.Changes) -> None:
    found = difference(samples.named("prod"), samples.named("prod", change))
    names = {workload.name for workload in samples.planned("prod").workloads}
    assert {(w.workload, w.effect) for w in found.workloads} == {(name, effect) for name in names for effect in ("removed", "created")}


# Below: for a change of every setting, what the objects of the two plans say must happen is said.


def planned(named: Named) -> Plan:
    return plan(named.environment, addresses_of(named), name=named.name)


def claims(made: Plan) -> dict[str, tuple[int, str | None]]:
    """Size and class of each claim of a plan on a cluster."""
    if made.target != "kubernetes":
        return {}
    return {
        f"{volume.name}-{workload.name}-{ordinal}": (volume.size_bytes, volume.storage_class)
        for workload in made.workloads
        for volume in workload.volumes
        if volume.survives == "workload"
        for ordinal in range(workload.replicas)
    }


def demanded(old: Plan, new: Plan) -> Iterator[str]:
    """The words that one of the sentences has to have, for what the API server or the network will refuse or delete."""
    before, after = claims(old), claims(new)
    for name in before.keys() & after.keys():
        if after[name][0] < before[name][0]:
            yield "cannot shrink"
        if after[name][1] != before[name][1]:
            yield "made anew"
    if before.keys() - after.keys() and {w.name for w in old.workloads} == {w.name for w in new.workloads}:
        yield "deleted"
    for peer, where in old.outside.items():
        if old.target == "kubernetes" and set(where.namespaces) - set(new.outside[peer].namespaces) and not new.outside[peer].anywhere:
            yield "can no longer"
    if old.quota.pods > new.quota.pods and len(old.workloads) == len(new.workloads) and old.target == "kubernetes":
        replicas = [{workload.name: workload.most_replicas for workload in plan.workloads} for plan in (old, new)]
        if replicas[0] == replicas[1]:
            yield "cut"
        elif replicas[0]["gateway"] > replicas[1]["gateway"]:
            yield "queues of those that go"


def replaced(old: Plan, new: Plan) -> set[str]:
    """Workloads whose pods the API server replaces: the template of them is another."""
    both = {w.name: w for w in old.workloads}
    return {w.name for w in new.workloads if w.name in both and template(old, both[w.name]) != template(new, w)}


def untrue(found: Difference, old: Plan, new: Plan) -> Iterator[str]:
    """Words that no sentence may have, because of what the two plans are."""
    if any(change.effect == "restarts" for change in found.workloads):
        yield "nothing restarts"
    if not any(after[0] < before[0] for name, before in claims(old).items() if (after := claims(new).get(name))):
        yield "cannot shrink"
    if {store.kind for plan_ in (old, new) for store in plan_.stores} == {"jaeger"}:
        yield "bucket"


def both_ways(setting: Setting) -> Iterator[tuple[Named, Named]]:
    found = mutations.pair(setting)
    assert found is not None
    yield found.old, found.new
    yield found.new, found.old


@pytest.mark.parametrize("setting", mutations.each_once(), ids=lambda setting: setting.key)
def test_what_the_objects_of_a_changed_plan_bring_about_is_said(setting: Setting) -> None:
    for old, new in both_ways(setting):
        before, after = planned(old), planned(new)
        if old.environment.place != new.environment.place:
            continue
        found = difference(old, new)
        said = "\n".join(str(change.consequence) for change in found.changes)
        assert not [words for words in demanded(before, after) if words not in said], said
        assert not [words for words in untrue(found, before, after) if words in said], said
        # The queue of an agent goes with its pod, whatever replaces it.
        queued = old.environment.target.kind == "kubernetes" and old.environment.collectors.agent.queue is not None
        for effect in found.workloads:
            assert (effect.loses is not None) is (queued and (effect.workload, effect.effect) == ("agent", "restarts")), effect
        # A volume of another class is made anew, and its pod with it.
        restarting = {effect.workload for effect in found.workloads if effect.effect == "restarts" and effect.because != ("volume",)}
        assert before.target == "docker" or restarting == replaced(before, after)


def test_a_smaller_claim_is_an_object_that_the_api_server_is_asked_to_shrink() -> None:
    small, large = (samples.planned("prod", changes={"collectors.gateway.queue.size": size}) for size in ("8Gi", "12Gi"))
    sizes = [
        [
            one["spec"]["resources"]["requests"]["storage"]
            for one in workload_objects(side, side.workload("gateway"))
            if one["kind"] == "PersistentVolumeClaim"
        ]
        for side in (small, large)
    ]
    assert sizes == [["8Gi"] * 3, ["12Gi"] * 3]


@pytest.mark.parametrize(
    "changes", [{"sampling.tail.wait": "15s"}, {"sampling.tail.slow": "1s"}, {"sampling.tail.noise.probes.values": ["/healthz"]}]
)
def test_a_change_that_keeps_more_traces_threatens_with_no_loss(changes: dict[str, object]) -> None:
    (sentence,) = told("prod", changes).values()
    assert sentence is not None
    assert sentence.startswith("agents send the traces that wait")
