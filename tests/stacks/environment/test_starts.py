"""A store that reads what it has as it starts is given the time, and its queue has to cover it."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from stacks.changes.diff import difference
from stacks.environment.parse import BadEnvironmentError
from stacks.environment.sizing import queue_seconds
from stacks.environment.source import named
from stacks.environment.starts import STORE_SECONDS, reading_seconds, store_start_seconds, stored_spans, too_slow
from tests.stacks import samples

BUSY: samples.Changes = {
    "sampling.tail.baseline": "100 %",
    "sampling.tail.baseline_limit": samples.ABSENT,
    "load.spans_per_second": 1_500,
    "backend.volume.size": "8Ti",
}


def test_a_start_reads_in_proportion_to_what_is_stored_and_only_badger_does() -> None:
    environment = samples.named("prod").environment
    assert 2_000 < reading_seconds(environment) < 6_000
    longer = samples.named("prod", {"retention.traces": "60d", "backend.volume.size": "2Ti"}).environment
    assert reading_seconds(longer) == pytest.approx(2 * reading_seconds(environment), abs=1)
    assert stored_spans(longer) == 2 * stored_spans(environment)
    for other in ("prod-tempo", "prod-opensearch", "prod-cassandra", "prod-otlp"):
        assert reading_seconds(samples.named(other).environment) == 0


@pytest.mark.parametrize("name", ["dev", "prod"])
def test_the_time_that_a_start_is_given_covers_a_full_volume(name: str) -> None:
    environment = samples.named(name).environment
    given = samples.planned(name).workload("jaeger").health.start_seconds
    assert given >= STORE_SECONDS + reading_seconds(environment)
    backend = environment.backend
    assert backend.kind == "jaeger"
    assert backend.volume is not None
    assert given == store_start_seconds(backend.volume.size)


def test_another_load_leaves_the_probe_as_it_is_and_a_larger_volume_mostly_does() -> None:
    given = {samples.planned("prod", changes={"load.spans_per_second": rate}).workload("jaeger").health for rate in (100, 2_000, 3_500)}
    assert len(given) == 1
    sizes = [2**exponent for exponent in range(30, 46)]
    assert len({store_start_seconds(size) for size in sizes}) <= len(sizes) / 2
    assert all(store_start_seconds(size) <= store_start_seconds(2 * size) for size in sizes)


def test_a_queue_that_does_not_cover_a_start_is_refused_and_the_advised_one_is_taken() -> None:
    whole = samples.settings("prod", {**BUSY, "collectors.gateway.queue.size": "1Gi"})
    with pytest.raises(BadEnvironmentError) as refused:
        named(whole, source="Pulumi.busy.yaml", name="busy")
    (line,) = [line for line in str(refused.value).splitlines() if "collectors.gateway.queue.size" in line]
    assert "a start of Jaeger on Badger takes up to" in line
    advised = re.search(r'write "(\w+)" or more', line)
    assert advised is not None
    taken = named(samples.settings("prod", {**BUSY, "collectors.gateway.queue.size": advised[1]}), source="Pulumi.busy.yaml", name="busy")
    assert queue_seconds(taken.environment) >= reading_seconds(taken.environment)


def test_of_a_store_that_cannot_take_the_load_no_queue_is_asked_for() -> None:
    environment = samples.named("prod").environment
    load = environment.load.model_copy(update={"spans_per_second": 1_000_000.0, "nodes": 300})
    assert list(too_slow(environment.model_copy(update={"load": load, "sampling": environment.sampling}))) == []


def test_diff_says_how_long_a_store_that_restarts_shows_nothing() -> None:
    found = difference(samples.named("prod"), samples.named("prod", {"retention.traces": "31d"}))
    (jaeger,) = [one for one in found.workloads if one.workload == "jaeger"]
    assert jaeger.effect == "restarts"
    assert jaeger.waits is not None
    assert "nothing is shown meanwhile" in jaeger.means
    assert replace(jaeger, waits=None).means == ""
