"""Figures that `check` tells programs are those in its words, and follow from what a span takes where it waits."""

from __future__ import annotations

import json
import math
from dataclasses import asdict

import pytest

from stacks.environment.figures import figures
from stacks.environment.sizing import acknowledge_seconds, kept_span_bytes, queue_room
from stacks.show.describe import describe
from tests.stacks import samples

each = pytest.mark.parametrize("name", [*samples.FILES, *samples.FURTHER])


@each
def test_figures_are_finite_and_of_one_sign(name: str) -> None:
    found = asdict(figures(samples.named(name).environment))
    assert all(value is None or (value >= 0 and math.isfinite(value)) for value in found.values()), found
    json.dumps(found, allow_nan=False)


def test_the_words_of_check_have_the_figures() -> None:
    environment = samples.named("prod").environment
    words, found = dict(describe(environment, samples.planned("prod"))), figures(environment)
    assert found.outage_seconds is not None
    assert f"covers {found.outage_seconds // 3600:.0f}h of outage" in words["gateway"]
    assert f"up to {found.spans_with_agent:,} spans" in words["agent"]
    assert f"{found.most_spans_per_second:,.0f} spans/s" in words["memory"]
    assert f"{found.disk_span_bytes:,.0f} B" in words["disk"]


def test_a_short_outage_is_said_in_seconds() -> None:
    changes = {"collectors.gateway.queue.size": "64Mi", "load.spans_per_second": 20_000, "backend.volume.size": "32Ti"}
    changes |= {"backend.sync_writes": False, "load.nodes": 60}
    environment = samples.named("prod", changes).environment
    covered = figures(environment).outage_seconds
    assert covered is not None
    assert covered < 120
    words = dict(describe(environment, samples.planned("prod", changes=changes)))["gateway"]
    assert words.endswith(f"covers {covered // 1:.0f}s of outage")


def test_a_kept_span_takes_its_part_of_a_resource_into_the_queue() -> None:
    small, large = (samples.named("prod", {"load.bytes_per_resource": size}).environment for size in (0, 1_000))
    assert kept_span_bytes(large) - kept_span_bytes(small) == 500
    room, kept = queue_room(10 * 2**30), figures(small).kept_spans_per_second
    assert figures(small).outage_seconds == pytest.approx(3 * room / (kept * kept_span_bytes(small)))


def test_a_gateway_may_be_away_for_what_its_answers_leave_of_the_queue() -> None:
    environment = samples.named("prod").environment
    node, room = 2_000 * 400 / 6, queue_room(2**30, 3)
    covered = figures(environment).absence_seconds
    assert covered == pytest.approx(room / node - 18.5)
    assert acknowledge_seconds(environment) > 18.5
