"""The documents of what stands before and behind gateways: object storage of Tempo, a store that is there already, a topic of Kafka."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from components.documents.kafka import LARGEST_BATCH, LARGEST_RECORD, partition_of
from stacks.plan.backends import delivery
from tests.stacks import samples

Part = dict[str, Any]
EXISTING: Part = {"kind": "otlp", "endpoint": "https://store.example.org:4317", "ui_url": "https://ui.example.org"}


def document(workload: str, changes: samples.Changes, base: str = "prod-otlp", target: str = "kubernetes") -> Part:
    name = "tempo.yaml" if workload == "tempo" else "collector.yaml"
    found: Part = yaml.safe_load(samples.document(samples.planned(base, target, changes), workload, name))
    return found


def exporter(backend: Part) -> tuple[str, Part]:
    found = document("gateway", {"backend": backend})["exporters"]
    (name,) = found.keys() & {"otlp_grpc", "otlp_http"}
    return name, found[name]


STORAGES: dict[str, tuple[Part, Part, set[str]]] = {
    "Google Cloud by identity": (samples.GCS, {"bucket_name": "virtengine-traces"}, set()),
    "Google Cloud by a key": (samples.GCS | {"credentials_secret": "k"}, {"bucket_name": "virtengine-traces"}, {"k/key.json"}),
    "Azure by the identity of the pod": (samples.AZURE, {"use_federated_token": True}, set()),
    "Azure by that of a node": (
        samples.AZURE | {"identity": "node", "client_id": "a-b"},
        {"use_managed_identity": True, "user_assigned_id": "a-b"},
        set(),
    ),
    "Azure by a key": (samples.AZURE | {"credentials_secret": "k"}, {"storage_account_key": "${AZURE_ACCOUNT_KEY}"}, {"k/account-key"}),
}


@pytest.mark.parametrize("case", STORAGES)
def test_a_bucket_is_named_with_what_shows_who_asks(case: str) -> None:
    storage, wanted, secrets = STORAGES[case]
    plan = samples.planned("prod-tempo-s3", changes={"backend.storage": storage})
    workload = plan.workload("tempo")
    place = yaml.safe_load(workload.documents[0].text)["storage"]["trace"]
    named = {"container_name": "traces", "endpoint_suffix": "blob.core.windows.net", "storage_account_name": "virtenginetraces"}
    assert place[place["backend"]] == wanted | (named if storage["kind"] == "azure" else {})
    read = {f"{file.secret}/{file.key}" for file in workload.secret_files}
    read |= {f"{variable.secret}/{variable.key}" for variable in workload.secret_variables}
    assert read == secrets
    assert ("-config.expand-env=true" in workload.arguments) == bool(workload.secret_variables)
    assert all(workload.environment["GOOGLE_APPLICATION_CREDENTIALS"] == file.path for file in workload.secret_files)
    assert workload.identity.annotations == storage["service_account_annotations"]
    assert bool(workload.identity.labels) == (case == "Azure by the identity of the pod")


@pytest.mark.parametrize(
    ("storage", "reached"),
    [
        (samples.GCS, {("object-storage", 443), ("instance-identity", 80), ("instance-identity", 988)}),
        (samples.GCS | {"credentials_secret": "k"}, {("object-storage", 443)}),
        (samples.AZURE, {("object-storage", 443)}),
        (samples.AZURE | {"identity": "node"}, {("object-storage", 443), ("instance-identity", 80)}),
        (
            {"kind": "s3", "bucket": "traces", "endpoint": "minio.example.org", "port": 9000},
            {("object-storage", 9000), ("object-storage", 443), ("instance-identity", 80)},
        ),
    ],
)
def test_tempo_reaches_its_bucket_and_what_hands_out_its_identity(storage: Part, reached: set[tuple[str, int]]) -> None:
    plan = samples.planned("prod-tempo-s3", changes={"backend.storage": storage})
    outside = {"object-storage", "instance-identity"}
    assert {
        (edge.destination, edge.port.number) for edge in plan.edges if edge.source == "tempo" and edge.destination in outside
    } == reached


def test_limits_of_tempo_follow_from_the_load_unless_they_are_set() -> None:
    def limits(changes: samples.Changes) -> tuple[Any, ...]:
        found = document("tempo", changes, "prod-tempo-s3")["overrides"]["defaults"]
        taken = found["ingestion"]
        read = found["read"]["max_search_duration"]
        return found["global"]["max_bytes_per_trace"], taken["rate_limit_bytes"], taken["burst_size_bytes"], read

    assert limits({"retention.traces": "29d"}) == (5_000_000, 15_000_000, 20_000_000, "697h")
    assert limits({"load.spans_per_trace": 10_000, "load.spans_per_second": 1e6})[:3] == (40_000_000, 130_075_000, 130_075_000)
    given = {"trace_size": "50M", "intake_rate": "30M", "burst": "40M", "search_range": "7d"}
    assert limits({"backend.limits": given}) == (50_000_000, 30_000_000, 40_000_000, "168h")


def test_a_store_that_is_there_already_is_sent_to_as_it_says() -> None:
    assert exporter(EXISTING)[0] == "otlp_grpc"
    assert exporter(EXISTING)[1]["endpoint"] == "store.example.org:4317"
    assert "tls" not in exporter(EXISTING)[1]
    plain = exporter(EXISTING | {"endpoint": "http://store.example.org"})[1]
    assert (plain["endpoint"], plain["tls"]) == ("store.example.org:80", {"insecure": True})
    name, http = exporter(EXISTING | {"protocol": "http", "endpoint": "https://store.example.org/otlp"})
    assert (name, http["endpoint"]) == ("otlp_http", "https://store.example.org/otlp")


def test_headers_and_token_of_a_store_are_named_and_never_written() -> None:
    found = document("gateway", {"collectors.kafka": None, "collectors.transport": "direct"})
    sent = found["exporters"]["otlp_grpc"]
    assert sent["headers"] == {"x-scope-orgid": "virtengine", "x-account-key": "${env:BACKEND_HEADER_0}"}
    assert sent["tls"]["ca_file"] == "/etc/virtengine-tracing-backend/ca.crt"
    assert found["extensions"][sent["auth"]["authenticator"]] == {"filename": "/etc/virtengine-tracing-backend/token"}
    assert sent["auth"]["authenticator"] in found["service"]["extensions"]


@pytest.mark.parametrize("target", samples.TARGETS)
def test_nothing_is_deployed_for_a_store_that_is_there_already(target: str) -> None:
    plan = samples.planned("prod-otlp", target)
    assert {workload.role for workload in plan.workloads} <= {"agent", "gateway", "sampling"}
    assert plan.stores[0].query == "http://tempo-query-frontend.tempo.svc:3200"
    assert (plan.stores[0].ui, plan.stores[0].query_protocol) == ("https://grafana.virtengine.example", "tempo")
    assert [edge.source for edge in plan.edges if edge.destination == "trace-store"] == ["gateway"]
    assert plan.outside["trace-store"].namespaces == ("tempo",)


def test_a_dashboard_asks_for_the_exporter_that_the_store_has() -> None:
    environment = samples.named("prod-otlp", {"backend": EXISTING | {"protocol": "http"}}).environment
    assert delivery(environment, samples.TARGETS["kubernetes"]).exporter == "otlp_http"


def test_agents_write_each_trace_whole_to_one_partition_for_all_brokers_in_step() -> None:
    agent = document("agent", {})
    written = agent["exporters"]["kafka"]
    assert written["partition_traces_by_id"] is True
    assert written["producer"]["required_acks"] == -1
    assert written["producer"]["allow_auto_topic_creation"] is False
    assert written["sending_queue"]["storage"] in agent["service"]["extensions"]
    assert written["sending_queue"]["batch"]["max_size"] == LARGEST_BATCH < LARGEST_RECORD == written["producer"]["max_message_bytes"]
    assert not [name for name in agent["exporters"] if name.startswith("otlp_http")]


def test_a_gateway_commits_what_is_on_its_disk_and_answers_itself_when_it_is_decided() -> None:
    gateway = document("gateway", {})
    read, taken = gateway["receivers"]["kafka"], gateway["exporters"]["otlp_http/taken"]
    assert read["autocommit"] == {"enable": False}
    assert read["message_marking"] == {"after": True, "on_error": False, "on_permanent_error": True}
    assert gateway["service"]["pipelines"]["traces/taken"]["exporters"] == ["otlp_http/taken"]
    assert taken["sending_queue"]["storage"] == "file_storage/taken" in gateway["service"]["extensions"]
    assert taken["endpoint"] == "http://127.0.0.1:4318"
    assert "otlp_grpc/copy" in gateway["exporters"]
    one, other = (gateway["extensions"][f"file_storage/{name}"] for name in ("queue", "taken"))
    assert one["directory"] == other["directory"]


def test_a_gateway_is_the_same_member_after_a_restart() -> None:
    workload = samples.planned("prod-otlp").workload("gateway")
    assert document("gateway", {})["receivers"]["kafka"]["group_instance_id"] == f"${{env:{workload.instance_variable}}}"


def test_what_is_taken_and_what_is_kept_fit_on_the_volume_of_a_gateway() -> None:
    gateway, workload = document("gateway", {}), samples.planned("prod-otlp").workload("gateway")
    sizes = [gateway["exporters"][name]["sending_queue"]["queue_size"] for name in ("otlp_grpc", "otlp_http/taken")]
    assert sum(sizes) <= 0.8 * workload.volumes[0].size_bytes


def test_gateways_read_a_topic_also_while_agents_send_directly() -> None:
    changes: samples.Changes = {"collectors.transport": "direct"}
    assert "kafka" in document("gateway", changes)["receivers"]
    assert "kafka" not in document("agent", changes)["exporters"]
    plan = samples.planned("prod-otlp", changes=changes)
    assert [edge.source for edge in plan.edges if edge.destination == "kafka"] == ["gateway"]
    assert "agent" in {edge.source for edge in samples.planned("prod-otlp").edges if edge.destination == "gateway"}


@pytest.mark.parametrize("target", ["docker", "local"])
def test_one_host_has_no_topic(target: str) -> None:
    assert "kafka" not in document("gateway", {}, target=target)["receivers"]


def test_the_partition_of_a_trace_is_that_of_the_exporter() -> None:
    # As Go's hash/fnv has them, with the remainder of the exporter's own partitioner.
    assert [partition_of(bytes([number]) * 16, 12) for number in range(1, 7)] == [3, 5, 3, 1, 1, 9]
