"""The collectors' documents: the order of the pipeline, and what tail sampling keeps."""

from __future__ import annotations

import itertools
import re
import string
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from components.documents import shards, wall
from components.documents.attributes import any_of, patterns
from components.documents.text import go_duration
from stacks.environment.sizing import HELD_BYTES_PER_SPAN_BYTE, IDLE_BYTES, SPANS_PER_SECOND
from tests.stacks import samples


def collector(role: str, target: str = "kubernetes", base: str = "prod", changes: samples.Changes | None = None) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(samples.document(samples.planned(base, target, changes), role, "collector.yaml"))
    return document


ASCII = string.ascii_letters + string.digits + string.punctuation + " \n"
EVERY = [("agent", "kubernetes"), ("gateway", "kubernetes"), ("gateway", "docker"), ("gateway", "local")]
each = pytest.mark.parametrize(("role", "target"), EVERY)


@each
def test_nothing_is_taken_before_the_memory_limiter_has_seen_it(role: str, target: str) -> None:
    document = collector(role, target)
    for pipeline in document["service"]["pipelines"].values():
        if "otlp" in pipeline["receivers"]:
            assert pipeline["processors"][0] == "memory_limiter"


@each
def test_what_is_declared_is_used_and_what_is_used_is_declared(role: str, target: str) -> None:
    document = collector(role, target)
    pipelines = document["service"]["pipelines"].values()
    connectors = set(document.get("connectors", {}))

    def used(part: str) -> set[str]:
        return {name for pipeline in pipelines for name in pipeline.get(part, [])}

    assert used("receivers") == set(document["receivers"]) | connectors
    assert used("exporters") == set(document["exporters"]) | connectors
    assert used("processors") == set(document["processors"])
    assert set(document["service"]["extensions"]) == set(document["extensions"])


def test_an_agent_redacts_after_it_has_enriched() -> None:
    order = collector("agent")["service"]["pipelines"]["traces"]["processors"]
    assert order == ["memory_limiter", "k8s_attributes", "transform/repair", "redaction", "transform/privacy"]


@pytest.mark.parametrize("target", ["docker", "local"])
def test_on_one_host_spans_are_redacted_before_they_are_counted(target: str) -> None:
    traces = collector("gateway", target)["service"]["pipelines"]["traces"]
    assert traces["processors"] == ["memory_limiter", "transform/repair", "redaction", "transform/privacy"]
    assert {"span_metrics", "service_graph"} < set(traces["exporters"])


@pytest.mark.parametrize("target", samples.TARGETS)
def test_spans_are_counted_where_services_send_and_calls_before_tail_sampling(target: str) -> None:
    document = collector("gateway", target)
    traces, sampled = (document["service"]["pipelines"][name] for name in ("traces", "traces/sampled"))
    assert "service_graph" in traces["exporters"]
    assert "tail_sampling" not in traces["processors"]
    assert (sampled["receivers"], sampled["exporters"]) == (["forward"], ["otlp_grpc", "span_metrics/kept"])
    clustered = target in {"kubernetes", "small"}
    entry = collector("agent", target) if clustered else document
    assert "span_metrics" in entry["service"]["pipelines"]["traces"]["exporters"]
    assert ("span_metrics" in document["connectors"]) != clustered, "a span that is sent again is counted once"


@each
def test_what_was_acknowledged_waits_on_disk_and_is_never_given_up(role: str, target: str) -> None:
    document = collector(role, target)
    delivering = {
        name: exporter
        for name, exporter in document["exporters"].items()
        if name.startswith("otlp_") and name not in {"otlp_grpc/copy", "otlp_grpc/flush"}
    }
    assert len(delivering) == (3 if role == "agent" else 1)
    for exporter in delivering.values():
        assert exporter["sending_queue"]["storage"] == "file_storage/queue"
        assert exporter["sending_queue"]["sizer"] == "bytes"
        assert exporter["retry_on_failure"]["max_elapsed_time"] == "0s"
    # Before the tail sampler a batch processor would hold in memory what was acknowledged.
    for name, pipeline in document["service"]["pipelines"].items():
        assert "batch" not in pipeline.get("processors", []) or name == "traces/sampled"


def test_each_gateway_has_a_pipeline_a_queue_and_a_share_of_its_own() -> None:
    document = collector("agent")
    pipelines = {name: part for name, part in document["service"]["pipelines"].items() if name.startswith("traces/")}
    assert [part["exporters"] for part in pipelines.values()] == [[f"otlp_http/gateway-{index}"] for index in range(3)]
    endpoints = [document["exporters"][f"otlp_http/gateway-{index}"]["endpoint"] for index in range(3)]
    assert endpoints == [f"http://gateway-{index}.gateway.virtengine-observability.svc:4318" for index in range(3)]


@pytest.mark.parametrize(
    ("changes", "loses"),
    [
        ({}, False),
        ({"collectors.agent.queue.when_full": "lose"}, True),
        ({"collectors.agent.queue": None}, False),
        ({"collectors.agent.queue.when_full": "lose", "collectors.gateway.replicas": 1}, False),
    ],
)
def test_a_full_shard_loses_its_own_where_the_setting_says_so_and_there_are_others(changes: samples.Changes, loses: bool) -> None:  # noqa: FBT001 - a parameter of the test
    document = collector("agent", changes=changes)
    before = [found["processors"][-1:] for name, found in document["service"]["pipelines"].items() if name.startswith("traces/gateway-")]
    assert [last == ["batch/handover"] for last in before] == [loses] * len(before)
    # A batch that waited for others would hold in memory what was acknowledged.
    assert document["processors"].get("batch/handover") == ({"timeout": "0s", "send_batch_size": 0} if loses else None)


def test_a_single_gateway_gets_every_span_without_a_filter() -> None:
    document = collector("agent", changes={"collectors.gateway.replicas": 1})
    assert not [name for name in document["processors"] if name.startswith("filter")]


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8, 64])
def test_the_shares_of_the_gateways_leave_no_gap_and_do_not_overlap(count: int) -> None:
    bounds = [re.findall(r"(<|>=) (-?\d+)", shards.others(index, count)) for index in range(count)]
    lows = [int(value) for found in bounds for sign, value in found if sign == "<"]
    highs = [int(value) for found in bounds for sign, value in found if sign == ">="]
    assert lows == highs == sorted(set(lows))
    assert len(lows) == count - 1
    sizes = [high - low for low, high in itertools.pairwise([-(2**63), *lows, 2**63])]
    assert max(sizes) - min(sizes) <= 1


def fnv(text: bytes) -> int:
    """The 64-bit hash FNV-1a as the transformation language has it: a signed integer."""
    value = 14695981039346656037
    for byte in text:
        value = ((value ^ byte) * 1099511628211) & (2**64 - 1)
    return value - 2**64 if value >> 63 else value


def test_the_hash_that_the_tests_compare_with_is_fnv_1a() -> None:
    # The published value of the hash of "a".
    assert fnv(b"a") == 0xAF63DC4C8601EC8C - 2**64


@given(st.binary(min_size=16, max_size=16), st.sampled_from([1, 2, 3, 5, 8, 64]))
def test_the_shard_of_a_trace_is_the_one_whose_filter_leaves_it(trace_id: bytes, count: int) -> None:
    value = fnv(trace_id.hex().encode())
    kept = []
    for index in range(count):
        bounds = re.findall(r"(<|>=) (-?\d+)", shards.others(index, count))
        if not any(value < int(bound) if sign == "<" else value >= int(bound) for sign, bound in bounds):
            kept.append(index)
    assert kept == [shards.shard_of(trace_id, count)]


@pytest.mark.parametrize("wait", ["3s", "10s", "30s"])
def test_agents_find_a_returned_gateway_within_half_of_the_wait_of_a_trace(wait: str) -> None:
    changes: samples.Changes = {"sampling.tail.wait": wait}
    exporter = collector("agent", changes=changes)["exporters"]["otlp_http/gateway-0"]
    # The collector makes each pause longer or shorter by up to half of it.
    assert 1.5 * seconds(exporter["retry_on_failure"]["max_interval"]) <= max(0.75, seconds(wait) / 2)
    assert exporter["retry_on_failure"]["max_elapsed_time"] == "0s"


def test_a_gateway_waits_until_the_backend_has_written_all_that_is_under_way() -> None:
    exporter = collector("gateway")["exporters"]["otlp_grpc"]
    batch, consumers = exporter["sending_queue"]["batch"]["max_size"], 10
    spans = consumers * batch / samples.named("prod").environment.load.bytes_per_span
    assert seconds(exporter["timeout"]) > 2 * spans / SPANS_PER_SECOND[True]


@pytest.mark.parametrize(("nodes", "memory"), [(2, "2Gi"), (6, "2Gi"), (100, "2Gi"), (6, "512Mi"), (40, "16Gi")])
def test_what_agents_send_without_an_answer_fits_in_the_memory_of_a_gateway(nodes: int, memory: str) -> None:
    changes: samples.Changes = {"load.nodes": nodes, "collectors.gateway.resources.memory": memory}
    queue = collector("agent", changes=changes)["exporters"]["otlp_http/gateway-0"]["sending_queue"]
    gateway = collector("gateway", changes=changes)
    limiter = gateway["processors"]["memory_limiter"]
    room = (limiter["limit_mib"] - limiter["spike_limit_mib"]) * 2**20 - IDLE_BYTES
    sent = nodes * queue["num_consumers"] * queue["batch"]["min_size"]
    # The sampler holds a span for the wait besides the wait of its request, so less than all of the room is for requests.
    assert sent * HELD_BYTES_PER_SPAN_BYTE["answered"] < room
    flush = seconds(queue["batch"]["flush_timeout"])
    assert queue["num_consumers"] * flush >= 2 * 25, "batches that go by time alone wait for no answer"


@pytest.mark.parametrize("replicas", [1, 3, 8])
@pytest.mark.parametrize("bytes_per_span", [200, 400, 1000])
def test_full_requests_for_gateways_that_are_away_leave_an_agent_room_to_take_more(replicas: int, bytes_per_span: int) -> None:
    changes: samples.Changes = {"load.bytes_per_span": bytes_per_span, "load.nodes": 2, "collectors.gateway.replicas": replicas}
    agent = collector("agent", changes=changes)
    limiter = agent["processors"]["memory_limiter"]
    room = (limiter["limit_mib"] - limiter["spike_limit_mib"]) * 2**20 - IDLE_BYTES
    held = 0
    for index in range(replicas):
        queue = agent["exporters"][f"otlp_http/gateway-{index}"]["sending_queue"]
        # A request is joined to others until there are so many bytes, and is not cut.
        held += queue["num_consumers"] * max(queue["batch"]["min_size"], 512 * bytes_per_span // replicas)
    # 4.1 were measured for each byte whose gateway is away (decision 0109).
    assert 4.1 * held < room


def test_a_gateway_that_answers_late_does_not_close_the_connection_before() -> None:
    for target, expected in (("kubernetes", "0s"), ("small", "0s"), ("docker", None)):
        http = collector("gateway", target)["receivers"]["otlp"]["protocols"]["http"]
        assert http.get("write_timeout") == expected


def test_a_gateway_answers_after_the_decision_and_before_the_agents_time_out() -> None:
    gateway, agent = collector("gateway"), collector("agent")
    first, second = (
        seconds(gateway["exporters"][name]["sending_queue"]["batch"]["flush_timeout"]) for name in ("otlp_grpc/flush", "debug/waited")
    )
    wait = seconds(gateway["processors"]["tail_sampling"]["decision_wait"])
    assert wait + 1 < second < first
    assert all(gateway["exporters"][name]["sending_queue"]["wait_for_result"] for name in ("otlp_grpc/flush", "debug/waited"))
    for exporter in (agent["exporters"][f"otlp_http/gateway-{index}"] for index in range(3)):
        assert seconds(exporter["timeout"]) > first + second
        batch = seconds(exporter["sending_queue"]["batch"]["flush_timeout"])
        assert exporter["sending_queue"]["num_consumers"] * batch >= 2 * (first + second), "what waits for its answer blocks nothing else"


def test_an_agent_without_a_queue_is_answered_at_once_and_gives_up_before_senders_do() -> None:
    changes: samples.Changes = {"collectors.agent.queue": None}
    gateway, agent = collector("gateway", changes=changes), collector("agent", changes=changes)
    assert set(gateway["exporters"]) == {"otlp_grpc", "prometheus"}
    assert "file_storage/queue" not in agent["extensions"]
    for name, exporter in agent["exporters"].items():
        if name != "prometheus":
            assert exporter["sending_queue"] == {"enabled": False}
            assert seconds(exporter["retry_on_failure"]["max_elapsed_time"]) < 10


@pytest.mark.parametrize(("target", "role"), [("kubernetes", "gateway"), ("local", "gateway"), ("kubernetes", "agent")])
@pytest.mark.parametrize("sync", [True, False])
def test_queues_are_written_through_as_the_setting_says(target: str, role: str, sync: bool) -> None:  # noqa: FBT001 - a parameter of the test
    changes: samples.Changes = {f"collectors.{role}.queue.sync_writes": sync}
    storage = collector(role, target, changes=changes)["extensions"]["file_storage/queue"]
    assert storage["fsync"] is sync
    assert storage["compaction"]["on_start"] is False, "a full queue would be copied before the collector is ready"


def test_a_stop_decides_on_what_waits_and_memory_alone_holds_senders_back() -> None:
    document = collector("gateway")
    tail, limiter = document["processors"]["tail_sampling"], document["processors"]["memory_limiter"]
    assert tail["drop_pending_traces_on_shutdown"] is False
    assert tail["block_on_overflow"] is True
    refused_at = (limiter["limit_mib"] - limiter["spike_limit_mib"]) * 2**20
    assert tail["num_traces"] * 400 * HELD_BYTES_PER_SPAN_BYTE["decided"] > 0.95 * (refused_at - IDLE_BYTES)
    assert tail["num_traces"] == collector("gateway", changes={"load.spans_per_second": 20})["processors"]["tail_sampling"]["num_traces"]


def seconds(duration: str) -> float:
    unit = duration.lstrip("0123456789.")
    return float(duration.removesuffix(unit)) * {"ms": 0.001, "s": 1, "m": 60}[unit]


def policies(changes: samples.Changes, base: str = "prod") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = collector("gateway", base=base, changes=changes)["processors"]["tail_sampling"]["policies"]
    return found


def test_the_policies_of_prod_are_those_of_its_file() -> None:
    noise, errors, slow, baseline = policies({})
    (matching,) = noise["drop"]["drop_sub_policy"]
    assert (noise["name"], noise["type"]) == ("noise-probes", "drop")
    assert matching["string_attribute"] == {"key": "http.route", "values": ["/healthz", "/readyz", "/metrics"]}
    assert errors["status_code"] == {"status_codes": ["ERROR"]}
    assert slow["type"] == "latency"
    assert baseline["type"] == "and"
    share, limit = baseline["and"]["and_sub_policy"]
    assert share["probabilistic"] == {"sampling_percentage": 5.0}
    assert limit["rate_limiting"] == {"spans_per_second": 500, "burst_capacity": 1000}


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"sampling.tail.errors": False}, ["noise-probes", "slow", "baseline"]),
        ({"sampling.tail.slow": None}, ["noise-probes", "errors", "baseline"]),
        ({"sampling.tail.noise": {}}, ["errors", "slow", "baseline"]),
        ({"sampling.tail.baseline": "0 %"}, ["noise-probes", "errors", "slow"]),
    ],
)
def test_a_rule_that_is_off_has_no_policy(changes: samples.Changes, names: list[str]) -> None:
    assert [policy["name"] for policy in policies(changes)] == names


def test_noise_is_dropped_before_any_rule_could_keep_it() -> None:
    two = {name: {"attribute": "http.route", "values": ["/a"]} for name in ("zeta", "alpha")}
    assert [policy["name"] for policy in policies({"sampling.tail.noise": two})][:2] == ["noise-alpha", "noise-zeta"]


def test_a_baseline_without_a_limit_is_a_share_alone() -> None:
    *_, baseline = policies({"sampling.tail.baseline_limit": None})
    assert (baseline["type"], baseline["probabilistic"]) == ("probabilistic", {"sampling_percentage": 5.0})


@pytest.mark.parametrize(("written", "percent"), [("0.1 %", 0.1), ("33.3 %", 33.3), ("100 %", 100.0), ("7 %", 7.0)])
def test_a_share_reaches_the_collector_without_rounding(written: str, percent: float) -> None:
    share = policies({"sampling.tail.baseline": written, "load.spans_per_second": 10})[-1]["and"]["and_sub_policy"][0]
    assert share["probabilistic"]["sampling_percentage"] == percent


@pytest.mark.parametrize(("slow", "threshold"), [("2s", 1999), ("1500ms", 1499), ("1ms", 0)])
def test_a_trace_exactly_as_long_as_the_threshold_is_slow(slow: str, threshold: int) -> None:
    (policy,) = [policy for policy in policies({"sampling.tail.slow": slow}) if policy["name"] == "slow"]
    # The collector keeps what is longer than its threshold.
    assert policy["latency"]["threshold_ms"] == threshold


@pytest.mark.parametrize(("limit", "spans", "saved"), [(500, 10, 1000), (4, 10, 100), (1, 1, 10), (1, 2.5, 25), (9, 5000, 50_000)])
def test_the_limit_of_the_baseline_lets_traces_of_the_expected_size_pass(limit: int, spans: float, saved: int) -> None:
    changes = {"sampling.tail.baseline_limit": limit, "load.spans_per_trace": spans}
    rate = policies(changes)[-1]["and"]["and_sub_policy"][1]["rate_limiting"]
    assert rate == {"spans_per_second": limit, "burst_capacity": saved}


def test_noise_that_reads_as_a_number_also_drops_attributes_that_are_numbers() -> None:
    values = ["404", "-1", "1.5", "true", "1e3", "0x1", "007", "007a", "yes"]
    texts, typed = policies({"sampling.tail.noise": {"codes": {"attribute": 'a"b', "values": values}}})[:2]
    assert texts["drop"]["drop_sub_policy"][0]["string_attribute"]["values"] == values
    (same,) = typed["drop"]["drop_sub_policy"]
    conditions = same["ottl_condition"]["span"]
    assert sorted(conditions) == sorted(
        f'{c}.attributes["a\\"b"] == {v}' for c in ("span", "resource") for v in ("404", "-1", "1.5", "true")
    )


def test_metrics_are_those_of_the_settings() -> None:
    changes = {
        "aggregation.span_metrics.buckets": ["5ms", "1s", "90s"],
        "aggregation.service_graph.buckets": ["10ms", "2m"],
        "aggregation.service_graph.dimensions": ["rpc.method"],
        "aggregation.service_graph.wait": "7s",
        "aggregation.flush_interval": "20s",
        "aggregation.span_metrics.expiry": "30m",
        "aggregation.span_metrics.cardinality_limit": 77,
    }
    spans = collector("agent", changes=changes)["connectors"]["span_metrics"]
    graph = collector("gateway", changes=changes)["connectors"]["service_graph"]
    alone = collector("gateway", "docker", changes=changes)["connectors"]
    assert (alone["span_metrics"], alone["service_graph"]) == (spans, graph)
    assert spans["histogram"]["explicit"]["buckets"] == ["5ms", "1s", "90s"]
    assert [dimension["name"] for dimension in spans["dimensions"]] == ["rpc.method", "http.response.status_code"]
    assert spans["aggregation_cardinality_limit"] == 77
    assert (spans["metrics_flush_interval"], spans["metrics_expiration"]) == ("20s", "30m")
    assert graph["latency_histogram_buckets"] == ["10ms", "2m"]
    assert graph["dimensions"] == ["rpc.method"]
    assert graph["store"]["ttl"] == "7s"


@pytest.mark.parametrize(("tls", "token"), [("tls", "token"), ("tls", None), (None, None)])
def test_the_intake_asks_for_what_the_file_names(tls: str | None, token: str | None) -> None:
    document = collector("agent", changes={"ingest.tls_secret": tls, "ingest.token_secret": token})
    for protocol in document["receivers"]["otlp"]["protocols"].values():
        assert ("tls" in protocol) == (tls is not None)
        assert protocol.get("auth") == ({"authenticator": "bearertokenauth"} if token else None)
    assert ("bearertokenauth" in document["extensions"]) == (token is not None)
    for protocol in collector("gateway")["receivers"]["otlp"]["protocols"].values():
        assert not {"tls", "auth"} & set(protocol)


def test_redaction_carries_every_privacy_rule_and_masks_names_and_messages_too() -> None:
    processors = collector("agent")["processors"]
    redaction = processors["redaction"]

    def read(patterns: list[str]) -> list[str]:
        return [pattern.replace("$$", "$") for pattern in patterns]

    assert read(redaction["blocked_key_patterns"]) == patterns("key")
    assert read(redaction["blocked_values"]) == [*patterns("value"), wall.NO_NUMBERS]
    assert redaction["allow_all_keys"] is True
    statements = str(processors["transform/privacy"]["trace_statements"])
    for field in ("span.name", "span.status.message", "span.trace_state", "spanevent.name", "scope.name", "scope.version"):
        assert statements.count(f"replace_pattern({field}, ") == (2 if field == "span.name" else 1), "the second cuts its length"
    for context in ("resource", "scope", "span", "spanevent"):
        assert statements.count(f'replace_all_patterns({context}.attributes, "key", ') == 1


@given(
    st.text(ASCII, max_size=40), st.sampled_from(["", "Bearer abcdefgh12345678", "jane@example.org", "password=hunter2", "\n", "xprv9s21"])
)
@settings(max_examples=200, derandomize=True, database=None, deadline=None)
def test_one_pattern_of_all_rules_matches_where_any_of_them_does(noise: str, secret: str) -> None:
    for text in (noise, noise + secret, f"{secret} {noise}"):
        assert bool(re.search(any_of("value"), text)) == any(re.search(pattern, text) for pattern in patterns("value"))


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [(0, "0ms"), (1, "1ms"), (250, "250ms"), (1000, "1s"), (90_000, "90s"), (60_000, "1m"), (3_600_000, "1h"), (2_592_000_000, "720h")],
)
def test_durations_are_written_as_go_reads_them(milliseconds: int, text: str) -> None:
    assert go_duration(milliseconds) == text


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [(250, "250ms"), (1500, "1.5s"), (5000, "5s"), (60_000, "1m0s"), (300_000, "5m0s"), (3_600_000, "1h0m0s"), (3_661_000, "1h1m1s")],
)
def test_durations_are_also_written_as_go_prints_them(milliseconds: int, text: str) -> None:
    assert go_duration(milliseconds, as_printed=True) == text
