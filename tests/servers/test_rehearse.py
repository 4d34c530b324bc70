"""A rehearsal keeps what the real gateway keeps, names what a change would lose, and is the same each time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from benchmarks.orders import orders
from benchmarks.rehearsal import compared, send, stored
from stacks.environment.units import format_percent
from stacks.rehearse.report import markdown
from stacks.rehearse.sides import comparison, rehearse, side
from tests.servers.conftest import named
from tests.stacks.rehearse.recordings import all_of, recording, text

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
    before = side(a, traces, say=print)
    first = comparison(a, (before, side(b, traces, say=print)), traces)
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
    # Without the policy of failures, or with noise that is their route too, the review names failed traces as well.
    failed = {trace.id.hex() for kind in ("failed", "late") for trace in found[kind]}
    wide = {"orders": {"attribute": "http.route", "values": ["/orders"]}}
    for changed in (environment(errors=False), environment(noise=NOISE | wide)):
        lost = comparison(a, (before, side(changed, traces, say=print)), traces)
        assert lost.lost[0].example in failed
        row = next(line for line in markdown(lost, a, changed).splitlines() if line.startswith("| failed | portal POST /orders |"))
        assert row.endswith(f"| {lost.lost[0].traces} | errors | {lost.lost[0].example} |")


def test_huge_spans_cycles_and_spans_without_an_end_are_decided_on(programs: dict[str, Path]) -> None:
    assert programs
    odd = all_of(recording(4))
    for number, trace in enumerate(odd):
        first, last = trace.spans[0].span, trace.spans[-1].span
        match number % 4:
            case 0:  # each span is the parent of the other
                last.parent_span_id = first.span_id
            case 1:
                first.end_time_unix_nano = 0
            case 2:
                # Larger than the largest batch of an exporter, which would drop it, and all traces behind it in the same batch.
                first.attributes.append(text("huge", "ü" * 1_100_000))
            case 3:
                first.start_time_unix_nano, last.end_time_unix_nano = last.end_time_unix_nano + 10**12, 2**63
    everything = environment(baseline="100 %", noise={})
    assert set(side(everything, odd, say=print).kept) == {trace.id for trace in odd}


def test_a_rehearsal_of_orders_keeps_the_very_traces_that_the_gateway_keeps(deployed: Deploy, tmp_path: Path) -> None:
    # VirtEngine's own orders, at the speed of their recording; failed ones are kept, of the others as many as the limit lets pass.
    limited = environment(wait="6s", baseline="50 %", baseline_limit=LIMIT)
    traces = list(orders(ORDERS, begin=time.time(), per_second=ORDERS / 10))
    foreseen = side(limited, traces, say=print)
    with deployed(limited) as running:
        sent = send(tmp_path / limited.name, running.outputs, limited, traces, print)
        found = compared(foreseen, stored(running.outputs, traces, sent), limited, traces)
    assert (found.missing, found.unforeseen) == (0, 0)
    assert found.rehearsed > found.limited_rehearsed > 0
    assert foreseen.limited
    # A gateway of a busy machine decides a little later, so that it has some seconds of the limit more or less; which traces it meets
    # then is chance.
    assert found.limited_spans_kept == pytest.approx(found.limited_spans_rehearsed, rel=0.05, abs=3 * LIMIT)
    assert found.limited_kept == pytest.approx(found.limited_rehearsed, rel=0.35)
