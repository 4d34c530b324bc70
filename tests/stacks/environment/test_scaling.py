"""Sizes at any rate follow from the arithmetic of `check`, and grow with the rate."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from stacks.cli.cli import main
from stacks.environment.figures import topic_bytes
from stacks.environment.scaling import at_rate, tiers
from stacks.environment.sizing import (
    away_seconds,
    disk_need,
    flow,
    log_need,
    most_spans_per_second,
    needs,
    queue_seconds,
    resident_bytes,
    too_small,
)
from stacks.environment.source import ROOT
from tests.stacks import samples

if TYPE_CHECKING:
    from pathlib import Path

    from stacks.environment.model import Environment

RATES = [10**power for power in range(2, 8)]
each = pytest.mark.parametrize("name", samples.FILES)


def environment(name: str) -> Environment:
    return samples.named(name).environment


@each
def test_sizes_at_the_expected_load_are_those_of_check(name: str) -> None:
    whole = environment(name)
    found = {tier.name: tier for tier in tiers(whole, whole.load.spans_per_second)}
    spans, disk = flow(whole), disk_need(whole) or log_need(whole)
    assert all(tier.replicas == tier.configured for tier in found.values())
    assert found["gateway"].memory == resident_bytes(whole, spans.recorded / spans.gateways)
    assert found[whole.backend.kind].disk == (disk.needed if disk else 0.0)
    assert found["gateway"].disk == pytest.approx(whole.collectors.gateway.queue.size)
    if whole.target.kind == "kubernetes" and whole.collectors.agent.queue is not None:
        assert found["agent"].disk == pytest.approx(whole.collectors.agent.queue.size)


@each
def test_no_need_shrinks_as_the_rate_grows_and_every_environment_of_it_has_room(name: str) -> None:
    before: dict[str, float] = {}
    for rate in RATES:
        found = list(tiers(environment(name), rate))
        now = {
            f"{tier.name} {what}": amount
            for tier in found
            for what, amount in (
                ("replicas", tier.replicas),
                ("memory", tier.replicas * tier.memory),
                ("disk", tier.replicas * tier.disk),
                ("received", tier.received),
                ("requests", tier.requests),
            )
        }
        assert [what for what in before if now[what] < before[what] * (1 - 1e-9)] == []
        before = now


def test_gateways_under_any_rate_have_the_memory_that_check_asks_for() -> None:
    for rate in RATES:
        scaled = at_rate(environment("prod"), rate)
        (memory,) = [need for need in needs(scaled) if need.key == "collectors.gateway.resources.memory"]
        assert memory.met
        assert flow(scaled).recorded / flow(scaled).gateways <= most_spans_per_second(scaled)


def test_queues_cover_the_same_outages_under_any_rate() -> None:
    usual = environment("prod")
    for rate in RATES:
        scaled = at_rate(usual, rate)
        found = {tier.name: tier for tier in tiers(usual, rate)}
        gateway = scaled.collectors.gateway.model_copy(
            update={"queue": scaled.collectors.gateway.queue.model_copy(update={"size": found["gateway"].disk})}
        )
        assert usual.collectors.agent.queue is not None
        queue = usual.collectors.agent.queue.model_copy(update={"size": found["agent"].disk})
        agent = scaled.collectors.agent.model_copy(update={"queue": queue})
        held = scaled.model_copy(update={"collectors": scaled.collectors.model_copy(update={"gateway": gateway, "agent": agent})})
        assert queue_seconds(held) == pytest.approx(queue_seconds(usual), rel=1e-4)  # whole bytes
        assert away_seconds(held) == pytest.approx(away_seconds(usual), rel=1e-4)


def test_before_a_store_elsewhere_each_server_and_each_copy_has_a_row() -> None:
    for name, store in (("prod-cassandra", "cassandra"), ("prod-opensearch", "opensearch")):
        whole = environment(name)
        found = {tier.name: tier for tier in tiers(whole, 2_000)}
        assert list(found) == ["agent", "gateway", "jaeger", "query", store]
        backend = whole.backend
        assert backend.kind == "jaeger"
        assert backend.storage.kind != "badger"
        assert found["query"].replicas == backend.query.replicas
        assert found[store].replicas == backend.storage.replication
        assert found["jaeger"].cores is not None
        # Each copy is whole, and has more than the bytes of its spans.
        assert found[store].disk > found[store].spans_per_second * whole.load.bytes_per_span * whole.retention.traces.total_seconds()
        more = {tier.name: tier for tier in tiers(whole, 4_000)}[store]
        times = more.spans_per_second / found[store].spans_per_second
        assert times > 1
        assert more.disk == pytest.approx(times * found[store].disk, rel=1e-3)
        assert more.cores == pytest.approx(times * (found[store].cores or 0.0), rel=1e-3)


def test_more_gateways_than_the_topic_has_partitions_are_named() -> None:
    found = {tier.name: tier for tier in tiers(samples.named("prod-otlp").environment, 10**6)}
    assert found["gateway"].limit == "the topic has 12 partitions, and as many gateways read it: give it more"


def test_a_store_that_cannot_take_a_rate_is_named_with_its_limit() -> None:
    assert [tier.limit for tier in tiers(environment("prod"), 2_000)] == [None, None, None]
    store = list(tiers(environment("prod"), 1_000_000))[-1]
    assert store.limit is not None
    assert "1,800 spans/s" in store.limit


def test_the_topic_has_a_row_and_gateways_have_room_for_what_they_take_of_it() -> None:
    kafka = {"servers": ["kafka.example.org:9092"], "replication": 3, "retention": "2h"}
    through = samples.named("prod", {"collectors.transport": "kafka", "collectors.kafka": kafka}).environment
    found = {tier.name: tier for tier in tiers(through, 2_000)}
    assert list(found) == ["agent", "kafka", "gateway", "jaeger"]
    assert found["kafka"].replicas * found["kafka"].disk == topic_bytes(through)
    assert found["gateway"].disk == pytest.approx(through.collectors.gateway.queue.size, rel=1e-4)


@each
def test_the_formula_of_a_gateways_memory_gives_its_figure(name: str) -> None:
    found = {tier.name: tier for tier in tiers(environment(name), 3_000)}["gateway"]
    (formula,) = [text for text in found.formulas if text.startswith("memory: ")]
    numbers = [float(text.replace(",", "")) for text in re.findall(r"[0-9][0-9,.]*", formula)]
    idle, rate, seconds, each_span, garbage = numbers
    assert idle * 2**20 + rate * seconds * each_span * garbage == pytest.approx(found.memory, rel=0.01)


def test_a_server_with_less_than_a_rate_needs_is_named_and_garbage_does_not_count() -> None:
    changes: samples.Changes = {"backend.resources.cpu": "1", "sampling.tail.baseline_limit": samples.ABSENT}
    slow, fast = (list(tiers(samples.named("prod-tempo", changes).environment, rate))[-1].limit for rate in (2_000, 2_000_000))
    assert slow is None
    assert fast is not None
    assert fast.startswith("backend.resources has 1 CPU and ")
    assert list(tiers(environment("dev"), 20))[-1].limit is None
    (gateway,) = [tier for tier in tiers(environment("dev"), 200_000) if tier.name == "gateway"]
    assert gateway.limit is not None
    assert gateway.limit.startswith("one host has one gateway")


def test_a_log_beside_a_bucket_that_is_too_small_for_the_load_is_refused() -> None:
    changes = {"load.spans_per_second": 60_000, "load.nodes": 200, "sampling.tail.baseline": "100 %"}
    busy = samples.named("prod-tempo-s3", changes | {"sampling.tail.baseline_limit": samples.ABSENT, "backend.storage.wal.size": "4Gi"})
    (message,) = [message for key, message in too_small(busy.environment) if key == "backend.storage.wal.size"]
    assert "what Tempo has beside its bucket" in message


def test_the_verb_prints_tiers_formulas_and_growth_and_draws_it(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["size", "prod", "--spans-per-second", "50000", "--picture", str(tmp_path / "growth.svg")]) == 0
    printed = capsys.readouterr().out
    for word in ("agent", "150 (has 6)", "CPU: ", "disk: ", "10,000,000", "gateway, replicas: "):
        assert word in printed
    root = ET.fromstring((tmp_path / "growth.svg").read_text())  # noqa: S314 - our own
    words = {element.text for element in root.iter() if element.text}
    assert {"agent: memory", "gateway: disk", "jaeger: disk", "10,000,000"} <= words
    assert (tmp_path / "growth.svg").read_text() == (ROOT / "docs" / "growth.svg").read_text(), "run: make reference"
    assert main(["size", "prod", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["spans_per_second"] == 2000
    assert [tier["name"] for tier in told["tiers"]] == ["agent", "gateway", "jaeger"]
    assert main(["size", "prod", "--picture", str(tmp_path / "none" / "growth.svg")]) == 2


def test_tempo_has_traces_on_its_disk_for_longer_than_they_are_found() -> None:
    short, month = (disk_need(samples.named("prod-tempo", {"retention.traces": age}).environment) for age in ("1h", "30d"))
    assert short is not None
    assert month is not None
    # Its blocks go an hour after nobody needs them, which a retention of a month does not feel.
    assert short.needed > 3 * month.needed / 720
    assert short.needed < month.needed / 150
    badger = [disk_need(samples.named("prod", {"retention.traces": age}).environment) for age in ("1h", "30d")]
    assert badger[0] is not None
    assert badger[1] is not None
    assert badger[0].needed == pytest.approx(badger[1].needed / 720)
