"""A rehearsal keeps what the real gateway keeps, names what a change would lose, and is the same each time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from benchmarks.orders import orders
from benchmarks.rehearsal import compared, kept_by
from stacks.environment.units import format_percent
from stacks.rehearse.sides import rehearse, side
from tests.servers.conftest import named
from tests.stacks.rehearse.recordings import all_of, recording

if TYPE_CHECKING:
    from pathlib import Path

    from stacks.environment.source import Named
    from tests.servers.conftest import Deploy

NOISE = {"probes": {"attribute": "http.route", "values": ["/healthz"]}}
ORDERS, LIMIT = 200, 20
KEEPING = {"wait": "10s", "errors": True, "slow": "1s", "baseline": "20 %", "noise": NOISE}


def environment(**tail: object) -> Named:
    return named("dev", sampling={"tail": KEEPING | tail})


def test_what_a_change_of_the_sampling_loses_is_named_the_worst_first(programs: dict[str, Path]) -> None:
    assert programs
    found = recording(200)
    traces = all_of(found)
    a, b = environment(), environment(wait="2s", baseline="10 %")
    first = rehearse(a, b, traces, say=print)
    assert first.kept[0].traces > first.kept[1].traces
    # The last span of a late trace comes after B has decided, and its failure keeps nothing.
    assert [one.cut for one in first.sides] == [0, len(found["late"])]
    assert (first.lost[0].kind, first.lost[0].name, first.lost[0].policy) == ("failed", "portal POST /orders", "errors")
    late = {trace.id.hex() for trace in found["late"]}
    assert first.lost[0].example in late
    assert len(late) / 2 < first.lost[0].traces <= len(late)
    assert {lost.kind for lost in first.lost[1:]} == {"other"}
    assert first.policies["errors"][0].traces == len(found["failed"]) + len(found["late"])
    assert first.policies["slow"][1].traces == len(found["slow"])
    # Late spans are counted as well: a series for each service, name, kind and status.
    spans = [one for trace in traces for one in trace.spans]
    combinations = {(one.service, one.span.name, one.span.kind, one.span.status.code) for one in spans}
    assert [one.series["traces_span_metrics_calls_total"] for one in first.sides] == [len(combinations)] * 2
    for one, kept in zip(first.sides, first.kept, strict=True):
        assert one.disk is not None
        assert f"{format_percent(round(kept.spans / len(spans), 4))} kept" in one.disk.arithmetic
    assert rehearse(a, b, traces, say=print).as_mapping() == first.as_mapping()


def test_a_rehearsal_of_orders_keeps_the_very_traces_that_the_gateway_keeps(deployed: Deploy, tmp_path: Path) -> None:
    # VirtEngine's own orders, at the speed of their recording; failed ones are kept, of the others as many as the limit lets pass.
    limited = environment(wait="6s", baseline="50 %", baseline_limit=LIMIT)
    traces = list(orders(ORDERS, begin=time.time(), per_second=ORDERS / 10))
    foreseen = side(limited, traces, say=print)
    with deployed(limited) as running:
        found = compared(foreseen, kept_by(tmp_path / limited.name, running.outputs, limited, traces, print), limited, traces)
    assert (found.missing, found.unforeseen) == (0, 0)
    assert found.rehearsed > found.limited_rehearsed > 0
    assert foreseen.limited
    # A gateway of a busy machine decides a little later, so that it has some seconds of the limit more or less; which traces it meets
    # then is chance.
    assert found.limited_spans_kept == pytest.approx(found.limited_spans_rehearsed, rel=0.05, abs=3 * LIMIT)
    assert found.limited_kept == pytest.approx(found.limited_rehearsed, rel=0.35)
