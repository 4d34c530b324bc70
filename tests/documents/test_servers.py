"""The documents of the other servers: Jaeger, the strategies, Tempo, Grafana, oauth2-proxy, and the images of all."""

from __future__ import annotations

import configparser
import json
import tomllib
from typing import Any

import pytest
import yaml

from components.documents import images, jaeger, sampling, tempo, text
from components.documents.buckets import S3Bucket
from components.workload import Document
from tests.stacks import samples


def written(workload: str, name: str, base: str = "prod", changes: samples.Changes | None = None, target: str = "kubernetes") -> str:
    return samples.document(samples.planned(base, target, changes), workload, name)


def parsed(workload: str, name: str, base: str = "prod", changes: samples.Changes | None = None) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(written(workload, name, base, changes))
    return document


def test_equal_values_give_equal_bytes_and_no_anchors() -> None:
    shared = {"a": [1, 2]}
    document = {"z": shared, "a": shared, "text": "5 % – ü"}
    assert text.yaml_text(document) == text.yaml_text({"z": {"a": [1, 2]}, "a": {"a": [1, 2]}, "text": "5 % – ü"})
    assert text.yaml_text(document).startswith("z:")
    assert "5 % – ü" in text.yaml_text(document)
    for base in samples.FILES:
        for workload in samples.planned(base).workloads:
            for found in workload.documents:
                assert "&id" not in found.text
                assert found.text.endswith("\n")


@pytest.mark.parametrize("base", samples.FILES)
@pytest.mark.parametrize("target", samples.TARGETS)
def test_planning_twice_gives_the_same_bytes(base: str, target: str) -> None:
    again = samples.planned(base, target, {"namespace": samples.settings(base).get("namespace", "virtengine-observability")})
    assert again == samples.planned(base, target)


def test_a_checksum_is_that_of_the_text_alone() -> None:
    one = Document("a.yaml", "a: 1\n")
    assert one.checksum == Document("b.yaml", "a: 1\n", "reload").checksum
    assert one.checksum != Document("a.yaml", "a: 2\n").checksum


def test_badger_writes_before_it_acknowledges_where_the_file_says_so() -> None:
    for base, sync in (("prod", True), ("dev", False)):
        badger = parsed("jaeger", "jaeger.yaml", base)["extensions"]["jaeger_storage"]["backends"]["traces"]["badger"]
        assert badger["consistency"] is sync
        assert badger["ephemeral"] is False


def test_jaeger_holds_nothing_in_memory_that_it_has_acknowledged() -> None:
    document = parsed("jaeger", "jaeger.yaml")
    (pipeline,) = document["service"]["pipelines"].values()
    assert "processors" not in pipeline
    assert "queue" not in document["exporters"]["jaeger_storage_exporter"]


def test_keys_and_values_of_badger_are_on_the_volume_of_the_traces() -> None:
    for target in samples.TARGETS:
        workload = samples.planned("prod", target).workload("jaeger")
        (volume,) = workload.volumes
        badger = yaml.safe_load(workload.documents[0].text)["extensions"]["jaeger_storage"]["backends"]["traces"]["badger"]
        assert set(badger["directories"].values()) == {f"{volume.path}/keys", f"{volume.path}/values"}


def test_the_strategy_server_reads_the_file_that_stands_beside_it() -> None:
    for target in samples.TARGETS:
        workload = samples.planned("prod", target).workload("sampling")
        remote = yaml.safe_load(workload.documents[0].text)["extensions"]["remote_sampling"]
        assert remote["file"]["path"] == f"{workload.documents_path}/strategies.json"
        assert [d.name for d in workload.documents] == ["sampling.yaml", "strategies.json"]


@pytest.mark.parametrize(("poll", "reload"), [("5s", "5s"), ("60s", "10s"), ("10s", "10s")])
def test_strategies_are_read_again_at_least_as_often_as_services_ask(poll: str, reload: str) -> None:
    document = parsed("sampling", "sampling.yaml", changes={"sampling.strategies.poll_interval": poll})
    assert document["extensions"]["remote_sampling"]["file"]["reload_interval"] == reload


@pytest.mark.parametrize(
    ("token", "certificate"), [("tracing-ingest-token", "tracing-ingest-tls"), (None, "tracing-ingest-tls"), (None, None)]
)
def test_strategies_ask_for_what_the_intake_asks_for(token: str | None, certificate: str | None) -> None:
    changes = {"ingest.token_secret": token, "ingest.tls_secret": certificate}
    plan = samples.planned("prod", changes=changes)
    intake = yaml.safe_load(plan.workload("agent").documents[0].text)["receivers"]["otlp"]["protocols"]["http"]
    extensions = yaml.safe_load(plan.workload("sampling").documents[0].text)["extensions"]
    for server in (extensions["remote_sampling"]["http"], extensions["remote_sampling"]["grpc"]):
        assert server.get("tls") == intake.get("tls")
        assert ("auth" in server) == ("auth" in intake) == (token is not None)
    assert ("basicauth" in extensions) == (token is not None)
    assert plan.endpoints.strategies.startswith("https://" if certificate else "http://")
    assert plan.endpoints.strategies_user == (jaeger.STRATEGIES_USER if token else None)


def test_strategies_on_one_host_are_in_plain_text_as_its_intake_is() -> None:
    for target in ("local", "docker"):
        plan = samples.planned("prod", target)
        assert not plan.workload("sampling").secret_files
        assert not plan.workload("sampling").secret_variables
        assert (plan.endpoints.strategies.partition(":")[0], plan.endpoints.strategies_user) == ("http", None)


def test_the_strategies_of_prod_are_those_of_its_file() -> None:
    assert json.loads(written("sampling", "strategies.json")) == {
        "service_strategies": [
            {
                "service": "portal",
                "type": "probabilistic",
                "param": 1.0,
                "operation_strategies": [{"operation": "GET /healthz", "type": "probabilistic", "param": 0.001}],
            }
        ],
        "default_strategy": {"type": "probabilistic", "param": 1.0},
    }


def test_strategies_follow_the_format_of_jaegers_file_whatever_their_order() -> None:
    services = {
        "zeta": sampling.Strategy(None, 5, {}),
        "alpha": sampling.Strategy(0.25, None, {"b": 0.5, "a": 1.0}),
    }
    found = sampling.strategies(0.1, services)
    assert found == sampling.strategies(0.1, dict(reversed(services.items())))
    assert json.loads(found) == {
        "service_strategies": [
            {
                "service": "alpha",
                "type": "probabilistic",
                "param": 0.25,
                "operation_strategies": [
                    {"operation": "a", "type": "probabilistic", "param": 1.0},
                    {"operation": "b", "type": "probabilistic", "param": 0.5},
                ],
            },
            {"service": "zeta", "type": "ratelimiting", "param": 5},
        ],
        "default_strategy": {"type": "probabilistic", "param": 0.1},
    }


def test_a_strategy_server_needs_no_disk() -> None:
    served = jaeger.Strategies("/s.json", 5000, http="h:1", grpc="h:2")
    document = yaml.safe_load(jaeger.strategy_server(jaeger.Operation("127.0.0.1:1", "127.0.0.1", 2), served))
    (backend,) = document["extensions"]["jaeger_storage"]["backends"].values()
    assert set(backend) == {"memory"}
    assert samples.planned("prod").workload("sampling").volumes == ()


@pytest.mark.parametrize("base", ["prod-tempo", "prod-tempo-s3"])
def test_tempo_keeps_the_same_retention_in_scheduler_worker_and_overrides(base: str) -> None:
    document = parsed("tempo", "tempo.yaml", base)
    places = [
        document["backend_scheduler"]["provider"]["compaction"]["compaction"],
        document["backend_worker"]["compaction"],
        document["overrides"]["defaults"]["compaction"],
    ]
    assert [place["block_retention"] for place in places] == ["720h"] * 3
    assert set(document["overrides"]) == {"defaults"}
    assert document["target"] == "all"
    assert document["usage_report"] == {"reporting_enabled": False}


@pytest.mark.parametrize("minutes", [1, 5, 60, 300, 1440])
def test_tempo_forgets_within_seven_minutes_or_two_fifths_of_a_retention(minutes: int) -> None:
    found = tempo.upkeep(minutes * 60)
    assert found.delay(minutes * 60) <= max(420, minutes * 60 * 2 // 5)
    # Else a block is in memory no more, and not yet in the list.
    assert found.in_memory >= 2 * found.block_list or found == tempo.Upkeep()


def test_tempo_keeps_its_own_intervals_for_a_long_retention() -> None:
    assert tempo.upkeep(7 * 86400) == tempo.Upkeep()


def test_the_limits_of_tempo_follow_from_the_load_and_the_retention() -> None:
    def defaults(changes: samples.Changes) -> dict[str, Any]:
        found: dict[str, Any] = parsed("tempo", "tempo.yaml", "prod-tempo", changes)["overrides"]["defaults"]
        return found

    usual = defaults({})
    assert usual["global"]["max_bytes_per_trace"] == 5_000_000
    assert usual["ingestion"]["rate_limit_bytes"] == 15_000_000
    assert usual["read"]["max_search_duration"] == "721h"
    large = defaults({"load.spans_per_trace": 50_000, "retention.traces": "1m"})
    assert large["global"]["max_bytes_per_trace"] == 10 * 50_000 * 400
    assert large["read"]["max_search_duration"] == "61m"
    busy = defaults({"sampling.tail.baseline": "100 %", "sampling.tail.baseline_limit": None, "load.spans_per_second": 50_000})
    assert busy["ingestion"]["rate_limit_bytes"] == busy["ingestion"]["burst_size_bytes"] == 10 * 50_000 * (400 + 330 / 2 + 40)


def test_tempo_keeps_blocks_where_the_file_says_and_its_log_on_the_volume() -> None:
    on_disk, in_bucket = (parsed("tempo", "tempo.yaml", base)["storage"]["trace"] for base in ("prod-tempo", "prod-tempo-s3"))
    (volume,) = samples.planned("prod-tempo").workload("tempo").volumes
    assert (on_disk["backend"], on_disk["local"]) == ("local", {"path": f"{volume.path}/blocks"})
    assert on_disk["wal"] == in_bucket["wal"] == {"path": f"{volume.path}/wal"}
    assert in_bucket["backend"] == "s3"
    assert in_bucket["s3"]["bucket"] == "virtengine-traces-prod"
    assert in_bucket["s3"]["region"] == "eu-central-1"
    assert "local" not in in_bucket


def test_tempo_reads_the_keys_of_a_bucket_from_its_environment_or_not_at_all() -> None:
    with_keys = samples.planned("prod-tempo-s3").workload("tempo")
    storage = yaml.safe_load(with_keys.documents[0].text)["storage"]["trace"]["s3"]
    assert {storage["access_key"], storage["secret_key"]} == {f"${{{s.variable}}}" for s in with_keys.secret_variables}
    assert "-config.expand-env=true" in with_keys.arguments
    without = samples.planned("prod-tempo-s3", changes={"backend.storage.credentials_secret": None}).workload("tempo")
    assert "_key:" not in without.documents[0].text
    assert without.secret_variables == ()
    assert not any("expand-env" in argument for argument in without.arguments)


def test_parts_of_tempo_find_each_other_where_it_listens_on_an_address_of_its_own() -> None:
    small, *usual = (yaml.safe_load(written("tempo", "tempo.yaml", "prod-tempo", target=target)) for target in ("small", "kubernetes"))
    own = f"{small['server']['grpc_listen_address']}:{small['server']['grpc_listen_port']}"
    assert small["querier"]["frontend_worker"]["frontend_address"] == own
    assert small["backend_worker"]["backend_scheduler_addr"] == own
    assert not any("querier" in document or "backend_scheduler_addr" in document["backend_worker"] for document in usual)


def test_a_bucket_without_a_region_names_none() -> None:
    document = tempo.store(
        intake="h:1",
        query_host="h",
        query_port=2,
        grpc_host="h",
        grpc_port=3,
        telemetry_port=4,
        folder="/t",
        bucket=S3Bucket("b", "e", None, credentials=False),
        retention_seconds=60,
        limits=tempo.Limits(1, 2, 3, 4),
    )
    assert "region" not in document
    assert document.count("block_retention: 1m\n") == 3


def test_grafana_reads_traces_from_tempo_and_asks_for_no_second_login() -> None:
    plan = samples.planned("prod-tempo")
    source, *others = parsed("grafana", "datasources/tempo.yaml", "prod-tempo")["datasources"]
    assert [other["type"] for other in others] == ["prometheus", "loki"]
    assert source["url"] == plan.stores[0].query
    assert (source["type"], source["editable"], source["isDefault"]) == ("tempo", False, True)
    settings = configparser.ConfigParser(interpolation=None)
    settings.read_string(written("grafana", "grafana.ini", "prod-tempo"))
    assert settings["auth.anonymous"]["enabled"] == "true"
    assert settings["auth"]["disable_login_form"] == "true"
    assert settings["server"]["root_url"] == "https://traces.virtengine.example/"
    assert settings["analytics"]["reporting_enabled"] == "false"
    assert settings["paths"]["provisioning"] == plan.workload("grafana").documents_path


def test_grafana_is_its_own_address_where_no_proxy_stands_before_it() -> None:
    for target in ("docker", "local"):
        assert "root_url" not in written("grafana", "grafana.ini", "prod-tempo", target=target)


@pytest.mark.parametrize("base", ["prod", "prod-tempo"])
def test_the_login_proxy_lets_the_groups_of_the_file_through_and_nobody_else(base: str) -> None:
    document = tomllib.loads(written("access", "oauth2-proxy.cfg", base, {"access.operator_groups": ["a", 'b"c', "ü"]}))
    assert document["allowed_groups"] == ["a", 'b"c', "ü"]
    assert document["oidc_issuer_url"] == "https://login.virtengine.example/realms/operators"
    assert document["redirect_url"] == "https://traces.virtengine.example/oauth2/callback"
    assert not {"skip_auth_routes", "skip_auth_regex", "authenticated_emails_file"} & set(document)
    (upstream,) = document["upstreams"]
    plan = samples.planned(base)
    ui, port = ("jaeger", "query") if base == "prod" else ("grafana", "grafana")
    assert upstream.rstrip("/") == f"http://{ui}.{plan.namespace}.svc:{plan.workload(ui).port(port).number}"


def test_the_login_proxy_trusts_the_named_authority_of_an_issuer_else_public_ones() -> None:
    assert "provider_ca_files" not in tomllib.loads(written("access", "oauth2-proxy.cfg"))
    changes = {"access.oidc_ca_secret": "login-ca"}
    document = tomllib.loads(written("access", "oauth2-proxy.cfg", changes=changes))
    (file,) = samples.planned("prod", "kubernetes", changes).workload("access").secret_files
    assert (file.secret, file.key) == ("login-ca", "ca.crt")
    assert document["provider_ca_files"] == [file.path]


def test_the_login_proxy_guards_its_cookie_and_holds_no_secret() -> None:
    document = tomllib.loads(written("access", "oauth2-proxy.cfg"))
    assert document["reverse_proxy"] is True
    assert (document["cookie_secure"], document["cookie_httponly"], document["code_challenge_method"]) == (True, True, "S256")
    assert document["cookie_name"].startswith("__Host-")
    assert not {"client_secret", "cookie_secret"} & set(document)
    variables = {secret.variable for secret in samples.planned("prod").workload("access").secret_variables}
    assert variables == {"OAUTH2_PROXY_CLIENT_SECRET", "OAUTH2_PROXY_COOKIE_SECRET"}


def test_an_image_is_named_by_registry_repository_version_and_the_digest_of_the_user() -> None:
    plain = images.server("jaeger", registry=None, digests={})
    assert plain.image == f"docker.io/jaegertracing/jaeger:{plain.tag}"
    digest = "sha256:" + "1" * 64
    pinned = images.server("jaeger", registry="mirror.example.org/proxy", digests={"jaeger": digest})
    assert pinned.image == f"mirror.example.org/proxy/jaegertracing/jaeger:{plain.tag}@{digest}"
    assert images.server("tempo", registry=None, digests={"jaeger": digest}).digest is None


def test_every_image_has_a_version_that_does_not_move() -> None:
    for program, server in images.SERVERS.items():
        assert server.program == program
        assert any(character.isdigit() for character in server.tag)
        assert server.tag not in {"latest", "main", "stable"}
        assert server.repository.count("/") == 2
        assert server.digest is None


def test_a_mirror_and_digests_reach_every_workload() -> None:
    for base in ("prod", "prod-tempo"):
        programs = {workload.server.program for workload in samples.planned(base).workloads}
        digests = {program: "sha256:" + f"{index}" * 64 for index, program in enumerate(programs)}
        plan = samples.planned(base, changes={"images": {"registry": "mirror.example.org", "digests": digests}})
        for workload in plan.workloads:
            assert workload.server.image.startswith("mirror.example.org/")
            assert workload.server.image.endswith(digests[workload.server.program])
