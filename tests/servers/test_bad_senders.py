"""What one sender gets wrong, or must not send, spoils nothing for the others: the collector's wall, as the backend then has it."""

from __future__ import annotations

import json
import math
import os
import time
import urllib.error
import urllib.parse
import urllib.request
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue, KeyValueList
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from components.documents import wall
from stacks.placement.local import Running, deploy
from tests.servers.conftest import named
from tests.servers.spans import attribute
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tracing_lib.contract.outputs import Outputs

DAY = 86_400 * 10**9
SECRET = "jane.roe@example.org"


@pytest.fixture(scope="module")
def running(programs: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Development with nothing sampled away and metrics within a second."""
    assert programs
    with deploy(named("dev", aggregation={"flush_interval": "1s"}), say=print, state=tmp_path_factory.mktemp("state")) as made:
        yield made


def fetched(outputs: Outputs, path: str) -> Any:  # noqa: ANN401 - JSON
    with urllib.request.urlopen(f"{outputs.query_url}{path}", timeout=5) as response:  # noqa: S310 - loopback
        return json.loads(response.read())


class Sending:
    """One request with a span for each call of ``add``, made of a resource, a scope and itself."""

    def __init__(self) -> None:
        self.request = ExportTraceServiceRequest()
        self._bytes: dict[bytes, bytes] = {}

    def add(self, name: str, resource: list[KeyValue], **parts: Any) -> Span:  # noqa: ANN401 - fields of a span
        into = self.request.resource_spans.add()
        into.resource.attributes.extend(resource)
        scope = into.scope_spans.add()
        scope.scope.name, scope.scope.version = parts.pop("scope", ("", ""))
        now = time.time_ns()
        defaults = {"start_time_unix_nano": now - 10**6, "end_time_unix_nano": now}
        made = Span(name=name, trace_id=os.urandom(16), span_id=os.urandom(8), **(defaults | parts))
        made.status.code = Status.STATUS_CODE_ERROR
        scope.spans.append(made)
        return made

    def garbled(self, text: str, as_bytes: bytes) -> str:
        """A text that the request will carry as these bytes of the same length, which protobuf for Python would not write."""
        assert len(text) == len(as_bytes)
        self._bytes[text.encode()] = as_bytes
        return text

    def to(self, outputs: Outputs) -> None:
        body = self.request.SerializeToString()
        for text, as_bytes in self._bytes.items():
            body = body.replace(text, as_bytes)
        headers = {"Content-Type": "application/x-protobuf"}
        request = urllib.request.Request(f"{outputs.otlp_http_endpoint}/v1/traces", body, headers)  # noqa: S310 - loopback
        with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310 - loopback
            assert response.status == 200


def stored(outputs: Outputs, span: Span) -> dict[str, Any]:
    """The trace of a span as the backend tells it, once it is there."""

    def there() -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = fetched(outputs, f"/api/v3/traces/{span.trace_id.hex()}")["result"]
        except urllib.error.HTTPError as error:
            error.close()
            return None
        return found

    found = until(there, f"{span.name} to be stored", every=0.2)
    assert found is not None
    return found


def test_services_without_a_readable_name_are_shown_under_one_that_can_be_asked_for(running: Running) -> None:
    sending = Sending()
    good = sending.add("good", [attribute("service.name", "portal")])
    nameless = [
        sending.add("absent", []),
        sending.add("empty", [attribute("service.name", "")]),
        sending.add("blank", [attribute("service.name", " \t")]),
        sending.add("garbled", [attribute("service.name", sending.garbled("QQQQ", b"\xff\xfe\x80\x81"))]),
    ]
    partly = sending.add("partly", [attribute("service.name", sending.garbled("cafQQ", b"caf\xe9\x00"))])
    number = sending.add("number", [attribute("service.name", 7)])
    sending.to(running.outputs)
    for span in (good, *nameless, partly, number):
        assert span.name in json.dumps(stored(running.outputs, span))
    services = fetched(running.outputs, "/api/services")["data"]
    assert sorted(services) == sorted(["portal", "unknown_service", "caf\ufffd\ufffd", "7"])
    for service in services:
        wanted = urllib.parse.quote(service)
        assert fetched(running.outputs, f"/api/traces?service={wanted}&lookback=1h&limit=20")["data"]


def test_text_that_is_none_is_mended_wherever_it_stands(running: Running) -> None:
    sending = Sending()
    bad = [sending.garbled(f"QQ{place}", b"\xc3\x28" + place.encode()) for place in ("name", "key", "value", "event", "scope")]
    name, key, value, event, scope = bad
    span = sending.add(
        name,
        [attribute("service.name", "portal"), attribute(f"resource.{key}", value)],
        scope=(scope, "1"),
        attributes=[attribute(key, value)],
        events=[Span.Event(name=event, attributes=[attribute(key, value)])],
    )
    sending.to(running.outputs)
    told = json.dumps(stored(running.outputs, span), ensure_ascii=False)
    for text in bad:
        assert f"\ufffd({text[2:]}" in told


def test_secrets_are_masked_in_every_text_that_a_span_has(running: Running) -> None:
    sending, keys = Sending(), ("userPassword", "passwordHash", "clientSecret", "customerEmail", "xAuthToken", "db.userPasswd")
    span = sending.add(
        "order",
        [attribute("service.name", "portal"), attribute(f"resource {SECRET}", "x")],
        scope=(f"scope {SECRET}", f"version {SECRET}"),
        trace_state=f"vendor={SECRET}",
        attributes=[
            *(attribute(key, "Jane Featherstone") for key in keys),
            attribute(f"seen {SECRET}", "x"),
            KeyValue(
                key="nested",
                value=AnyValue(
                    kvlist_value=KeyValueList(values=[KeyValue(key="userPassword", value=AnyValue(string_value="Featherstone"))])
                ),
            ),
        ],
        events=[Span.Event(name="read", attributes=[attribute(f"event {SECRET}", "x")])],
    )
    sending.to(running.outputs)
    told = json.dumps(stored(running.outputs, span))
    assert "Featherstone" not in told
    assert SECRET not in told
    for place in ("resource", "scope", "version", "seen", "event"):
        assert f"{place} ****" in told
    assert set(keys) <= set(told.replace('"', " ").split())


def test_a_number_that_json_has_no_form_for_spoils_no_search(running: Running) -> None:
    sending, service = Sending(), [attribute("service.name", "numbers")]
    odd = [KeyValue(key=f"odd{at}", value=AnyValue(double_value=value)) for at, value in enumerate((math.nan, math.inf, -math.inf))]
    even = KeyValue(key="even", value=AnyValue(double_value=1.5))
    bad = sending.add("bad", service, attributes=[*odd, even], events=[Span.Event(name="event", attributes=odd)])
    good = sending.add("good", service)
    sending.to(running.outputs)
    stored(running.outputs, good)
    stored(running.outputs, bad)
    found = fetched(running.outputs, "/api/traces?service=numbers&lookback=1h&limit=10")["data"]
    told = {tag["key"]: tag["value"] for trace in found for span in trace["spans"] for tag in span["tags"]}
    assert {name: told.get(name) for name in ("odd0", "odd1", "odd2", "even")} == {
        "odd0": "****",
        "odd1": "****",
        "odd2": "****",
        "even": 1.5,
    }


def test_what_becomes_a_label_is_cut_after_secrets_in_it_are_masked(running: Running) -> None:
    sending = Sending()
    # The address begins before the cut and ends behind it.
    name = "ü" * (wall.LONGEST_LABEL - 10) + f" {SECRET} " + "x" * 5000
    span = sending.add(name, [attribute("service.name", "long-" + "s" * 5000)])
    sending.to(running.outputs)
    told = json.dumps(stored(running.outputs, span), ensure_ascii=False)
    cut = "ü" * (wall.LONGEST_LABEL - 10) + " **** xxxx"
    assert len(cut) == wall.LONGEST_LABEL
    assert f'"{cut}"' in told
    assert "jane" not in told
    service = ("long-" + "s" * 5000)[: wall.LONGEST_LABEL]
    assert f'"{service}"' in told
    with urllib.request.urlopen(running.outputs.span_metrics_url, timeout=5) as response:  # noqa: S310 - loopback
        scraped = response.read().decode()
    assert "x" * 20 not in scraped


def test_a_span_larger_than_a_batch_is_cut_and_takes_no_other_trace_along(running: Running) -> None:
    sending, service = Sending(), [attribute("service.name", "long-values")]
    # The address begins before the cut and ends behind it.
    long = "ü" * (wall.LONGEST_VALUE // 2 - 4) + f" {SECRET} " + "x y " * 10_000
    events = [Span.Event(name=long, attributes=[attribute("long", long)])]
    huge = attribute("long", long + "ü" * 1_050_000)
    span = sending.add("long", service, attributes=[huge], events=events, status=Status(message=long))
    behind = [sending.add("short", service) for _ in range(20)]
    sending.to(running.outputs)
    for short in behind:
        stored(running.outputs, short)
    told = json.dumps(stored(running.outputs, span), ensure_ascii=False)
    cut = "ü" * (wall.LONGEST_VALUE // 2 - 4) + " **** x"
    assert len(cut.encode()) == wall.LONGEST_VALUE - 1
    assert told.count(f'"{cut}') == 4
    assert "jane" not in told
    assert len(told.encode()) < 5 * wall.LONGEST_VALUE


def test_a_span_without_times_adds_nothing_to_the_durations_of_its_service(running: Running) -> None:
    sending, now = Sending(), time.time_ns()
    service = [attribute("service.name", "clockless")]
    ago = now - 5 * 365 * DAY
    absurd = ("start", 0, now), ("both", 0, 0), ("early", 1, now), ("end", now, 0), ("late", now, now + 400 * DAY), ("years", ago, now)
    for name, start, end in absurd:
        sending.add(name, service, start_time_unix_nano=start, end_time_unix_nano=end)
    sending.add("wrapped", service, start_time_unix_nano=2**64 - 1, end_time_unix_nano=now)
    good = sending.add("good", service, start_time_unix_nano=now - 2 * 10**9, end_time_unix_nano=now)
    sending.to(running.outputs)
    stored(running.outputs, good)

    def durations(kind: str) -> float:
        with urllib.request.urlopen(running.outputs.span_metrics_url, timeout=5) as response:  # noqa: S310 - loopback
            lines = response.read().decode().splitlines()
        ours = [line for line in lines if 'service_name="clockless"' in line and f"duration_seconds_{kind}{{" in line]
        return sum(float(line.rsplit(" ", 1)[1]) for line in ours)

    counted = partial(durations, "count")
    until(lambda: counted() == 8, lambda: f"eight spans to be counted, where {counted():g} are", progress=counted, every=0.3)
    assert durations("sum") == pytest.approx(2.0, abs=0.1)


def test_an_end_of_the_future_becomes_the_start_which_stays(running: Running) -> None:
    sending, now = Sending(), time.time_ns()
    service = [attribute("service.name", "ahead")]
    ends = {"two days": now + 2 * DAY, "400 days": now + 400 * DAY, "31 years": now + 31 * 365 * DAY, "ever": 2**63 - 1}
    spans = [sending.add(name, service, start_time_unix_nano=now, end_time_unix_nano=end) for name, end in ends.items()]
    sending.to(running.outputs)
    for sent in spans:
        (group,) = stored(running.outputs, sent)["resourceSpans"]
        (span,) = group["scopeSpans"][0]["spans"]
        assert (sent.name, int(span["startTimeUnixNano"])) == (sent.name, now)
        # Jaeger makes a duration of nothing one of a nanosecond.
        assert int(span["endTimeUnixNano"]) - now <= 1
