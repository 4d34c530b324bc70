"""Recordings are read in every form that holds the same traces, and what is none is refused with its place."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
import yaml
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope

from stacks.rehearse.gateway import by_second, compressed, rehearsing
from stacks.rehearse.recording import RecordingError, grouped, read_file
from stacks.rehearse.report import COLUMNS, markdown, picture, rows
from stacks.rehearse.sides import Amount, Lost, Rehearsal, Service, Side, limited
from stacks.show.tables import print_rows
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


TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "00f067aa0ba902b7"


def line(**changed: object) -> str:
    """A trace of one span as a line; of the span some fields are others, or missing where they are None."""
    times = {"startTimeUnixNano": "1700000000000000000", "endTimeUnixNano": "1700000001000000000"}
    span = {"traceId": TRACE, "spanId": SPAN, "name": "step"} | times | changed
    spans = [{key: value for key, value in span.items() if value is not None}]
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}) + "\n"


def damaged() -> bytes:
    """A compressed recording of which some bytes are others."""
    whole = bytearray(gzip.compress(line().encode() * 500))
    whole[40:44] = b"\xff" * 4
    return bytes(whole)


@pytest.mark.parametrize(
    ("content", "wrong"),
    [
        (damaged(), "cannot be read"),
        (gzip.compress(line().encode() * 50)[:-20], "cannot be read"),
        (b"\x1f\x8b", "cannot be read"),
        (b"\xff\xfe{}", "cannot be read"),
        (b"[" * 200_000, "line 1: is JSON of more levels"),
        (b"\n" + b'{"a":' * 5_000, "line 2: is JSON of more levels"),
        (b"[1]", "line 1: is a list and holds no traces"),
        (b"null", "line 1: is null and holds no traces"),
        (line(traceId=None).encode(), 'the span "step" has no ids'),
        (line(traceId="0" * 32).encode(), "one is all zero"),
        (line(spanId="0" * 16).encode(), "one is all zero"),
        (line(traceId="ab", name="\x1b[31m").encode(), r'the span "\x1b[31m" has no ids'),
        (line(links=[{"traceId": "ab"}]).encode(), "has no ids"),
    ],
)
def test_a_damaged_recording_is_refused_with_its_place(tmp_path: Path, content: bytes, wrong: str) -> None:
    file = tmp_path / "traces.jsonl"
    file.write_bytes(content)
    with pytest.raises(RecordingError) as refused:
        read_file(file)
    assert str(file) in str(refused.value)
    assert wrong in str(refused.value)
    assert "\nthen: " in str(refused.value)


def test_an_empty_file_holds_no_trace_and_a_mark_of_the_encoding_is_read_over(tmp_path: Path) -> None:
    file = tmp_path / "traces.jsonl"
    for content, traces in ((b"", 0), (b"\n \n", 0), (b"\xef\xbb\xbf" + line().encode(), 1), (gzip.compress(b""), 0)):
        file.write_bytes(content)
        assert len(read_file(file)) == traces


def test_a_span_without_an_end_has_ended_as_it_started(tmp_path: Path) -> None:
    file = tmp_path / "traces.jsonl"
    file.write_text(
        line() + line(spanId="1" * 16, endTimeUnixNano=None) + line(spanId="2" * 16, startTimeUnixNano=None, endTimeUnixNano=None)
    )
    (trace,) = read_file(file)
    assert trace.arrived == 1_700_000_000
    assert [len(trace.before(wait)) for wait in (0.5, 1.5)] == [2, 3]


def test_spans_are_grouped_by_resource_and_then_by_scope_as_sdks_send_them() -> None:
    spans = [one for trace in all_of(recording(4)) for one in trace.spans]
    groups = grouped(spans)
    assert len(groups) == len({one.service for one in spans})
    assert sum(len(scope.spans) for group in groups for scope in group.scope_spans) == len(spans)
    assert all(len(group.scope_spans) == 1 for group in groups)
    other = replace(spans[0], scope=InstrumentationScope(name="other"))
    assert [len(group.scope_spans) for group in grouped([spans[0], other])] == [2]


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
NAME = "portal <img src=x> | `a` [b](c) @all !1 $x$\n# h\x1b[2J\u202e" + "z" * 1_000


def rehearsal(services: dict[str, Service]) -> Rehearsal:
    sides = (Side({}, frozenset(), 0, {"a": 1}, None), Side({}, frozenset({b"1", b"2"}), 1, {"a": 2, "b": 1}, None))
    lost = (Lost("failed", NAME, 1, "ab", "errors"),)
    return Rehearsal(AMOUNT, (AMOUNT, AMOUNT), {"x": (AMOUNT, AMOUNT)}, services, lost, 0, sides)


def test_markdown_of_a_rehearsal_cannot_break_out_of_its_cells() -> None:
    text = markdown(rehearsal({}), samples.named("prod"), samples.named("prod"))
    row = next(line for line in text.splitlines() if line.startswith("| failed"))
    start = r"| failed | portal &lt;img src=x&gt; \| \`a\` \[b\](c) &#64;all \!1 &#36;x&#36; \# h\\x1b\[2J\\u202e"
    assert row.startswith(start)
    assert row.endswith("z… | 1 | errors | ab |")
    assert len(row) < 400
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


@pytest.mark.parametrize("name", [*samples.FILES, *samples.FURTHER])
def test_every_kind_of_environment_can_be_rehearsed_before_a_plain_sink(name: str, tmp_path: Path) -> None:
    named = samples.named(name)
    gateway, numbers = rehearsing(replace(named, environment=compressed(named.environment, baseline_alone=False)), tmp_path)
    (document,) = gateway.documents
    (sink,) = {number for (owner, port), number in numbers.items() if owner != "gateway" and port == "otlp-grpc"}
    exporter = yaml.safe_load(document.text)["exporters"]["otlp_grpc"]
    assert (exporter["endpoint"], exporter["tls"]) == (f"127.0.0.1:{sink}", {"insecure": True})
    assert not gateway.secret_files
    assert not gateway.secret_variables


def test_names_of_services_cannot_command_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    one = Service(AMOUNT, (AMOUNT, AMOUNT))
    print_rows(COLUMNS, rows(rehearsal({NAME: one})), "A a, B b")
    said = capsys.readouterr().out
    assert r"\x1b[2J" in said
    assert all(letter.isprintable() for written in said.splitlines() for letter in written)
