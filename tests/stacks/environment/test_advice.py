"""Advice on an environment that has too little is taken when it is followed."""

from __future__ import annotations

import re

import pytest

from stacks.environment.parse import BadEnvironmentError
from stacks.environment.source import named
from stacks.show.describe import describe
from tests.stacks import samples

HUGE: samples.Changes = {
    "load.spans_per_second": 1_000_000,
    "load.nodes": 1000,
    "retention.traces": "3650d",
    "backend.sync_writes": False,
    "sampling.tail.baseline": "0 %",
    "collectors.gateway.replicas": 64,
    "collectors.gateway.resources.memory": "8Gi",
    "collectors.agent.queue.size": "4Gi",
}
NO_BASELINE: samples.Changes = {"sampling.tail.baseline": "0 %", "load.spans_per_second": 5_000, "backend.volume.size": "10Gi"}
ALL_FAILED: samples.Changes = {"load.failed": "100 %", "backend.volume.size": "10Gi"}
MOSTLY_FAILED: samples.Changes = {"load.failed": "60 %", "backend.volume.size": "1Gi", "backend.sync_writes": False}
ALL_FAILED_FAST: samples.Changes = {
    "load.failed": "100 %",
    "load.spans_per_second": 20_000,
    "load.nodes": 60,
    "collectors.gateway.resources.memory": "32Gi",
}
FAST: samples.Changes = {"sampling.tail.baseline": "0 %", "load.failed": "100 %", "load.spans_per_second": 20_000, "load.nodes": 60}


def said(changes: samples.Changes) -> str:
    """What is refused of prod with these changes."""
    try:
        named(samples.settings("prod", changes), source="Pulumi.sample.yaml", name="sample")
    except BadEnvironmentError as refused:
        return "\n".join(f"{problem.key}: {problem.message}" for problem in refused.problems)
    return ""


def test_a_volume_that_no_disk_could_have_is_not_advised() -> None:
    (line, *_) = [line for line in said(HUGE).splitlines() if line.startswith("environment.backend.volume.size: ")]
    assert line.endswith("nothing has so much room: lower retention.traces or sampling.head_ratio")


@pytest.mark.parametrize("changes", [HUGE, NO_BASELINE, ALL_FAILED, MOSTLY_FAILED, FAST])
def test_a_lower_baseline_is_not_advised_where_it_keeps_no_fewer_or_not_few_enough(changes: samples.Changes) -> None:
    told = said(changes)
    assert "lower retention.traces or sampling.head_ratio" in told or "or lower sampling.head_ratio" in told
    assert "sampling.tail.baseline" not in told


def test_the_size_and_the_baseline_that_are_advised_are_taken() -> None:
    told = said({"backend.volume.size": "200Gi"})
    advised = re.search(r'write "(\w+)" or more, or lower retention.traces or sampling.tail.baseline', told)
    assert advised is not None
    assert said({"backend.volume.size": advised[1]}) == ""
    assert said({"backend.volume.size": "200Gi", "sampling.tail.baseline": "0.5 %"}) == ""


def test_of_the_second_store_its_own_retention_is_advised() -> None:
    changes: samples.Changes = {"load.spans_per_second": 8_000, "backend.also.retention": "360d", "backend.also.store.volume.size": "40Ti"}
    try:
        named(samples.settings("prod-move", changes), source="Pulumi.sample.yaml", name="sample")
    except BadEnvironmentError as refused:
        told = " ".join(problem.message for problem in refused.problems)
        assert "lower backend.also.retention" in told
    else:
        pytest.fail("is taken")


def test_beside_a_bucket_no_retention_is_advised_because_it_changes_nothing() -> None:
    told = said({"backend": {"kind": "tempo", "storage": samples.GCS | {"wal": {"size": "1Gi"}}}, **ALL_FAILED_FAST})
    assert "environment.backend.storage.wal.size: 1Gi cannot hold" in told
    assert '" or more, or lower sampling.head_ratio' in told


def test_a_queue_that_lasts_longer_than_any_calendar_covers_any_outage() -> None:
    changes: samples.Changes = {
        "load.spans_per_second": 0.001,
        "load.failed": "0 %",
        "load.slow": "0 %",
        "sampling.head_ratio": "0.00000001 %",
        "sampling.tail.baseline": "0.00000001 %",
        "collectors.gateway.queue.size": "4096Ti",
        "collectors.agent.queue.size": "4096Ti",
    }
    lines = dict(describe(samples.named("prod", changes).environment, samples.planned("prod", changes=changes)))
    assert "covers any outage" in lines["gateway"]
    assert "the share of a gateway that is away; a pod" in lines["agent"]
