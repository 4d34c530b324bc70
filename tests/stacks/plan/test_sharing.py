"""Two environments never share a place in a store, and each has its own without a word."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from components.documents.images import SERVERS, STORES, SURROUNDINGS
from components.local.build import RECIPES
from stacks.environment.parse import BadEnvironmentError
from stacks.environment.source import ROOT
from stacks.environment.store_names import default_index_prefix, default_keyspace
from stacks.plan.remote import TRIED
from stacks.plan.sharing import read_alone
from stacks.show.describe import describe
from tests.stacks import samples

if TYPE_CHECKING:
    from pathlib import Path

PLACES = {"prod-cassandra": ("keyspace", "jaeger_one"), "prod-opensearch": ("index_prefix", "one")}


def write(folder: Path, name: str, base: str, changes: samples.Changes | None = None) -> str:
    path = folder / f"Pulumi.{name}.yaml"
    path.write_text(samples.text(samples.settings(base, changes)))
    return str(path)


@pytest.mark.parametrize("base", PLACES)
def test_a_place_of_another_stack_file_on_the_same_servers_is_refused(tmp_path: Path, base: str) -> None:
    key, place = PLACES[base]
    one, other = write(tmp_path, "one", base), write(tmp_path, "two", base)
    assert read_alone(one).name == "one", "by default each has its own"
    write(tmp_path, "two", base, {f"backend.storage.{key}": place})
    with pytest.raises(BadEnvironmentError, match=rf"backend.storage.{key}: \"{place}\" is that of two .*; write another") as refused:
        read_alone(one)
    assert f"then: python -m stacks check {one}" in str(refused.value)
    with pytest.raises(BadEnvironmentError, match="is that of one "):
        read_alone(other)


def test_a_place_of_the_same_name_on_other_servers_is_another_place(tmp_path: Path) -> None:
    same = {"backend.storage.keyspace": "jaeger_one"}
    one = write(tmp_path, "one", "prod-cassandra")
    write(tmp_path, "two", "prod-cassandra", same | {"backend.storage.servers": ["elsewhere.example.org:9042"]})
    write(tmp_path, "three", "prod-opensearch", {"backend.storage.index_prefix": "jaeger_one"})
    (tmp_path / "Pulumi.broken.yaml").write_text("config: [")
    assert read_alone(one).name == "one"


def test_a_place_is_found_shared_however_its_server_is_written(tmp_path: Path) -> None:
    prefix = {"backend.storage.index_prefix": "x"}
    servers: samples.Changes = {"backend.storage.servers": ["https://OpenSearch.example.org"]}
    other: samples.Changes = {"backend.storage.servers": ["https://opensearch.example.org:443/"]}
    one = write(tmp_path, "one", "prod-opensearch", {**prefix, **servers})
    write(tmp_path, "two", "prod-opensearch", {**prefix, **other})
    with pytest.raises(BadEnvironmentError, match="is that of two "):
        read_alone(one)


def test_of_names_that_make_one_keyspace_no_absent_key_is_to_be_left_out(tmp_path: Path) -> None:
    one = write(tmp_path, "a-b", "prod-cassandra")
    write(tmp_path, "a_b", "prod-cassandra")
    with pytest.raises(BadEnvironmentError) as refused:
        read_alone(one)
    assert refused.value.problems[0].message.endswith("as those of this one; write another")


S3 = {"kind": "s3", "bucket": "traces", "endpoint": "s3.example.org"}
AMAZON = [{**S3, "endpoint": endpoint} for endpoint in ("s3.amazonaws.com", "s3.dualstack.eu-central-1.amazonaws.com")]
GOOGLE = [{**S3, "endpoint": "storage.googleapis.com"}, {"kind": "gcs", "bucket": "traces"}]
BUCKETS = {"s3": (S3, S3), "amazon": AMAZON, "google": GOOGLE, "azure": (samples.AZURE, samples.AZURE)}


@pytest.mark.parametrize("pair", BUCKETS)
def test_a_bucket_of_another_stack_file_is_refused(tmp_path: Path, pair: str) -> None:
    first, second = BUCKETS[pair]
    one = write(tmp_path, "one", "prod-tempo-s3", {"backend.storage": first})
    write(tmp_path, "two", "prod-tempo-s3", {"backend.storage": second})
    with pytest.raises(BadEnvironmentError, match=r'backend.storage.bucket: "traces" is that of two .* deleted.*; write one of its own'):
        read_alone(one)


@pytest.mark.parametrize("changed", [{"endpoint": "s3.example.com"}, {"port": 9000}, {"bucket": "others"}])
def test_a_bucket_of_the_same_name_elsewhere_is_another_bucket(tmp_path: Path, changed: dict[str, object]) -> None:
    one = write(tmp_path, "one", "prod-tempo-s3", {"backend.storage": S3})
    write(tmp_path, "two", "prod-tempo-s3", {"backend.storage": {**S3, **changed}})
    assert read_alone(one).name == "one"


def test_a_topic_of_another_stack_file_is_refused_also_by_default(tmp_path: Path) -> None:
    one = write(tmp_path, "one", "prod-otlp")
    write(tmp_path, "two", "prod-otlp")
    with pytest.raises(BadEnvironmentError) as refused:
        read_alone(one)
    (problem,) = refused.value.problems
    assert problem.key == "environment.collectors.kafka.topic"
    assert '.spans" is that of two ' in problem.message
    assert '.one.spans"' in problem.message
    write(tmp_path, "two", "prod-otlp", {"collectors.kafka.topic": "two.spans"})
    assert read_alone(one).name == "one"


def test_a_group_of_another_topic_on_the_same_kafka_is_refused(tmp_path: Path) -> None:
    one = write(tmp_path, "one", "prod-otlp", {"collectors.kafka.topic": "one.spans", "collectors.kafka.group": "gateways"})
    two: samples.Changes = {"collectors.kafka.topic": "two.spans", "collectors.kafka.group": "gateways"}
    write(tmp_path, "two", "prod-otlp", two)
    with pytest.raises(BadEnvironmentError, match=r'collectors.kafka.group: "gateways" is that of two .*; write another'):
        read_alone(one)
    write(tmp_path, "two", "prod-otlp", {**two, "collectors.kafka.servers": ["elsewhere.example.org:9093"]})
    assert read_alone(one).name == "one"


@pytest.mark.parametrize(
    ("name", "keyspace", "prefix"),
    [("prod", "jaeger_prod", "prod"), ("Prod-EU.1", "jaeger_prod_eu_1", "prod-eu.1"), ("-", "jaeger__", "tracing")],
)
def test_the_name_of_an_environment_makes_a_legal_place(name: str, keyspace: str, prefix: str) -> None:
    assert (default_keyspace(name), default_index_prefix(name)) == (keyspace, prefix)
    assert len(default_keyspace(name * 60)) <= 48


def test_check_names_the_store_its_place_and_the_version_that_was_tried() -> None:
    lines = {base: dict(describe(samples.named(base).environment, samples.planned(base)))["backend"] for base in PLACES}
    assert "before cassandra (tried with 5.0.6), keyspace jaeger_sample at cassandra-0.cassandra" in lines["prod-cassandra"]
    assert "2 to 6 × Jaeger 2.20.0" in lines["prod-opensearch"]
    assert "before opensearch (tried with 2.19.3), indices sample at https://" in lines["prod-opensearch"]
    other = {"backend.storage.kind": "elasticsearch"}
    told = dict(describe(samples.named("prod-opensearch", other).environment, samples.planned("prod-opensearch", changes=other)))["backend"]
    assert "elasticsearch (not tried here)" in told


def test_check_names_the_versions_that_the_toolchain_has() -> None:
    badger = re.search(r"dgraph-io/badger/v4 v(\S+)", (ROOT / "toolchain/jaeger/go.mod").read_text())
    assert badger is not None
    servers = {**SERVERS, **STORES, **SURROUNDINGS}
    assert {name: servers[name].tag for name in ("tempo", "cassandra", "opensearch", "kafka")} | {
        "badger": f"{badger[1]} in Jaeger {RECIPES['jaeger'].version}"
    } == TRIED
    for base, word, said in (
        ("prod", "backend", f"Badger (tried with {TRIED['badger']})"),
        ("prod-tempo", "backend", "(tried with 3.0.3)"),
        ("prod-otlp", "kafka", "Kafka 3.9.1"),
    ):
        assert said in dict(describe(samples.named(base).environment, samples.planned(base)))[word]
