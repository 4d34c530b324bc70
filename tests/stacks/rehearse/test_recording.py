"""Recordings are read in every form that holds the same traces, and what is none is refused with its place."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from stacks.rehearse.recording import RecordingError, read_file, write_file
from stacks.rehearse.report import markdown
from stacks.rehearse.sides import Amount, Lost, Rehearsal, limited
from tests.stacks import samples
from tests.stacks.rehearse.recordings import LATE_SECONDS, all_of, recording

if TYPE_CHECKING:
    from pathlib import Path

    from stacks.rehearse.recording import Trace


def told(traces: list[Trace]) -> list[tuple[bytes, list[str]]]:
    return [(trace.id, [f"{one.service} {one.span}" for one in trace.spans]) for trace in traces]


def test_a_recording_that_is_written_is_read_back_the_same_in_every_form(tmp_path: Path) -> None:
    traces, lines = all_of(recording(20)), tmp_path / "lines.jsonl"
    traces[0].spans[0].span.links.add(trace_id=traces[1].id, span_id=traces[1].spans[0].span.span_id)
    write_file(lines, traces)
    assert told(read_file(lines)) == told(traces)
    groups = [group for line in lines.read_text().splitlines() for group in json.loads(line)["resourceSpans"]]
    for form in ({"resourceSpans": groups}, {"result": {"resourceSpans": groups}}, {"batches": groups}):
        whole = tmp_path / "whole.json"
        whole.write_text(json.dumps(form, indent=2))
        assert told(read_file(whole)) == told(traces)


def test_a_trace_knows_its_root_its_failure_and_what_came_in_time() -> None:
    found = recording(20)
    assert {kind: {trace.failed for trace in those} for kind, those in found.items()} == {
        "ordinary": {False},
        "failed": {True},
        "slow": {False},
        "noise": {False},
        "late": {True},
    }
    late, slow = found["late"][0], found["slow"][0]
    assert late.name == "portal POST /orders"
    assert [len(late.before(wait)) for wait in (LATE_SECONDS - 1, LATE_SECONDS + 1)] == [3, 4]
    assert slow.seconds == pytest.approx(3, abs=0.01)


@pytest.mark.parametrize(
    ("text", "wrong"), [("{", "line 1: is no JSON"), ("[1]", "holds no traces of OTLP"), ('{"a": 1}\n{"b"', "line 2: is")]
)
def test_a_file_that_is_no_recording_is_refused_with_its_place(tmp_path: Path, text: str, wrong: str) -> None:
    file = tmp_path / "traces.jsonl"
    file.write_text(text)
    with pytest.raises(RecordingError) as refused:
        read_file(file)
    assert str(file) in str(refused.value)
    assert wrong in str(refused.value)
    assert "\nthen: " in str(refused.value)
    with pytest.raises(RecordingError, match="cannot be read"):
        read_file(tmp_path / "missing")


def test_the_limit_lets_a_bucket_pass_and_then_its_rate_for_each_gateway() -> None:
    # 100 traces/s of 4 spans for 20 s, over three gateways, which let 10 spans/s pass each, and a burst of 100.
    environment = samples.named("prod", {"sampling.tail.baseline_limit": 10}).environment
    traces = sorted(all_of(recording(2000)), key=lambda one: (one.arrived, one.id))
    passed = limited(traces, environment)
    spans = sum(len(trace.before(10)) for trace in traces if trace.id in passed)
    assert spans == pytest.approx(3 * (100 + 20 * 10), rel=0.03)
    assert limited(traces, environment) == passed
    assert len(limited(traces, samples.named("prod", {"sampling.tail.baseline_limit": 10_000}).environment)) == 2000


def test_markdown_of_a_rehearsal_cannot_break_out_of_its_cells() -> None:
    amount = Amount(1, 2, 3)
    name = "portal <img src=x> | `a` [b](c) @all\n# h"
    found = Rehearsal(amount, (amount, amount), {"x": (amount, amount)}, {}, (Lost("failed", name, 1, "ab", "errors"),), 0, (0, 1), (0, 5))
    text = markdown(found, samples.named("prod"), samples.named("prod"))
    row = next(line for line in text.splitlines() if line.startswith("| failed"))
    assert row == r"| failed | portal &lt;img src=x&gt; \| \`a\` \[b\](c) &#64;all \# h | 1 | errors | ab |"
    assert "B decides on 1 traces before their last span has ended (10s after the first)" in text
    assert "limit of 500 spans/s and gateway drops 5 traces" in text
