"""Recordings are read in every form that holds the same traces, and what is none is refused with its place."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from stacks.rehearse.gateway import by_second
from stacks.rehearse.recording import RecordingError, read_file
from stacks.rehearse.report import markdown, picture
from stacks.rehearse.sides import Amount, Lost, Rehearsal, Service, Side, limited
from tests.stacks import samples
from tests.stacks.rehearse.recordings import LATE_SECONDS, all_of, recording, write_lines

if TYPE_CHECKING:
    from pathlib import Path

from stacks.rehearse.recording import Trace


def told(traces: list[Trace]) -> list[tuple[bytes, list[str]]]:
    return [(trace.id, [f"{one.service} {one.span}" for one in trace.spans]) for trace in traces]


def test_a_recording_that_is_written_is_read_back_the_same_in_every_form(tmp_path: Path) -> None:
    traces, lines = all_of(recording(20)), tmp_path / "lines.jsonl"
    traces[0].spans[0].span.links.add(trace_id=traces[1].id, span_id=traces[1].spans[0].span.span_id)
    write_lines(lines, traces)
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
    found = all_of(recording(2000))
    traces = by_second(dict.fromkeys((trace.id for trace in found), "baseline"), found)
    passed = limited(traces, environment)
    spans = sum(len(trace.before(10)) for trace in traces if trace.id in passed)
    assert spans == pytest.approx(3 * (100 + 20 * 10), rel=0.03)
    assert limited(traces, environment) == passed
    assert len(limited(traces, samples.named("prod", {"sampling.tail.baseline_limit": 10_000}).environment)) == 2000


AMOUNT = Amount(1, 2, 3)
NAME = "portal <img src=x> | `a` [b](c) @all\n# h"


def rehearsal(services: dict[str, Service]) -> Rehearsal:
    sides = (Side({}, frozenset(), 0, {"a": 1}, None), Side({}, frozenset({b"1", b"2"}), 1, {"a": 2, "b": 1}, None))
    lost = (Lost("failed", NAME, 1, "ab", "errors"),)
    return Rehearsal(AMOUNT, (AMOUNT, AMOUNT), {"x": (AMOUNT, AMOUNT)}, services, lost, 0, sides)


def test_markdown_of_a_rehearsal_cannot_break_out_of_its_cells() -> None:
    text = markdown(rehearsal({}), samples.named("prod"), samples.named("prod"))
    row = next(line for line in text.splitlines() if line.startswith("| failed"))
    assert row == r"| failed | portal &lt;img src=x&gt; \| \`a\` \[b\](c) &#64;all \# h | 1 | errors | ab |"
    assert "B decides on 1 traces before their last span has ended (10s after the first)" in text
    assert "limit of 500 spans/s and gateway drops 2 traces" in text
    assert "- B makes 3 series of these spans in one collector; each agent has" in text


def test_a_rehearsal_of_many_services_fits_a_comment_on_github() -> None:
    services = {f"service-{number:04}-{'x' * 200}": Service(AMOUNT, (AMOUNT, AMOUNT)) for number in range(2000)}
    text = markdown(rehearsal(services), samples.named("prod"), samples.named("prod"))
    assert len(text) < 65_536
    assert "| 1,980 more services |" in text


def test_the_picture_of_a_rehearsal_is_svg_with_the_share_of_each_service() -> None:
    half = Service(Amount(4, 8, 9), (Amount(2, 4, 5), Amount(1, 1, 1)))
    root = ET.fromstring(picture(rehearsal({NAME: half}), samples.named("prod"), samples.named("dev")))  # noqa: S314 - our own
    words = [text for element in root.iter() for text in [element.text] if text]
    assert {"all services", "50 %", "12.5 %"} <= set(words)
    bars = [float(element.attrib["width"]) for element in root.iter() if element.tag.endswith("rect") and "x" in element.attrib]
    assert bars[4:] == pytest.approx([bars[2] / 2, bars[2] / 8], abs=0.1)
