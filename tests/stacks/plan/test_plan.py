"""What holds for every plan: of each environment on each target."""

from __future__ import annotations

import dataclasses
import json
import re
from functools import cache
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, get_args

import pytest
import yaml

from components.documents import ports
from components.workload import Document, OutsideName, Plan, Workload
from stacks.placement.outputs import outputs
from stacks.placement.render import files
from stacks.plan.addresses import Bound, OnThisMachine
from stacks.plan.plan import plan
from tests.stacks import samples

if TYPE_CHECKING:
    from collections.abc import Iterator


def clustered(target: str) -> bool:
    """Whether plans for a target have the shape of a cluster."""
    return samples.TARGETS[target].shape == "cluster"


EVERY = [(base, target) for base in samples.FILES for target in samples.TARGETS]
each = pytest.mark.parametrize(("base", "target"), EVERY, ids=[f"{base}-{target}" for base, target in EVERY])

LISTENS = re.compile(r"(?:0\.0\.0\.0|127\.0\.0\.1):(\d+)")


def answers_late(base: str, target: str) -> set[str]:
    """Workloads that answer for spans when these are safe, and call themselves to wait for it."""
    if not clustered(target):
        return set()
    return {"gateway", "jaeger"} if base == "prod-opensearch" else {"gateway"}


def texts(plan_: Plan) -> dict[str, str]:
    return {f"{w.name}/{d.name}": d.text for w in plan_.workloads for d in w.documents}


def bound_numbers(workload: Workload, host: str) -> set[int]:
    """The ports that the documents of a workload tell it to listen on, in each of the ways that its server writes it."""
    found: set[int] = set()
    for document in workload.documents:
        found |= {int(number) for number in re.findall(rf"{re.escape(host)}:(\d+)", document.text)}
        # The collector's and Jaeger's own metrics, Tempo's two servers, Grafana: host and port stand on lines of their own.
        pair = rf"(?:host|address|http_addr)(?:: | = ){re.escape(host)}\s+(?:\w*port)(?:: | = )(\d+)"
        found |= {int(number) for number in re.findall(pair, document.text)}
    return found


@each
def test_both_ends_of_every_edge_exist_and_its_port_is_one_of_its_destination(base: str, target: str) -> None:
    found = samples.planned(base, target)
    inside, outside = {w.name for w in found.workloads}, set(get_args(OutsideName))
    callers = inside | {job.name for job in found.jobs}
    assert found.edges
    for edge in found.edges:
        assert edge.source in callers | outside
        assert edge.destination in inside | outside
        assert {edge.source, edge.destination} & callers
        if edge.destination in inside:
            assert edge.port in found.workload(edge.destination).ports


@each
def test_every_workload_listens_on_its_ports_and_on_no_other(base: str, target: str) -> None:
    addresses = samples.TARGETS[target]
    found = samples.planned(base, target)
    for workload in found.workloads:
        bound = bound_numbers(workload, addresses.listen_host(workload.name))
        others = {port.number for w in found.workloads for port in w.ports if w.name != workload.name}
        wanted = {port.number for port in workload.ports}
        # In containers loopback is another address than the one that all ports are bound to.
        beside = (bound | bound_numbers(workload, "127.0.0.1")) - wanted
        itself = {ports.COPY, ports.FLUSH} if workload.name in answers_late(base, target) else set()
        assert wanted <= bound
        assert itself <= beside
        # On loopback what is called looks like what is listened on.
        assert beside - itself <= (others if target == "local" else set())


@each
def test_a_server_alone_reaches_by_loopback_the_ports_on_which_it_calls_itself(base: str, target: str) -> None:
    for workload in samples.planned(base, target).workloads:
        bound = Bound(samples.TARGETS[target], workload.name)
        own = {bound.own(number) for number in (ports.COPY, ports.FLUSH)}
        assert all(ip_address(place.partition(":")[0]).is_loopback for place in own)
        text = "".join(document.text for document in workload.documents)
        found = set(re.findall(rf"\S+:(?:{ports.COPY}|{ports.FLUSH})\b", text))
        assert found == (own if workload.name in answers_late(base, target) else set())


@each
def test_probes_and_edges_use_ports_of_the_workload(base: str, target: str) -> None:
    for workload in samples.planned(base, target).workloads:
        assert workload.port(workload.health.port).protocol == "http"
        assert len({port.name for port in workload.ports}) == len(workload.ports)
        assert all(len(port.name) <= 15 for port in workload.ports)


@pytest.mark.parametrize("base", samples.FILES)
def test_no_two_workloads_share_a_number_on_this_machine(base: str) -> None:
    numbers = [port.number for workload in samples.planned(base, "local").workloads for port in workload.ports]
    assert len(set(numbers)) == len(numbers)
    assert set(numbers) <= set(samples.numbers().values())


# On one machine all hosts are the same, and nothing asks for an edge.
@pytest.mark.parametrize(("base", "target"), [(base, target) for base, target in EVERY if target != "local"])
def test_nobody_calls_a_port_without_an_edge_for_it(base: str, target: str) -> None:
    """Between workloads: every ``host:port`` of another workload in a document is the destination of an edge from this one."""
    addresses, found = samples.TARGETS[target], samples.planned(base, target)
    for workload in found.workloads:
        # On loopback a workload is called at the address that it listens on.
        for other in (other for other in found.workloads if other != workload):
            host = re.escape(addresses.call_host(other.name))
            for number in re.findall(rf"\b{host}:(\d+)", "".join(d.text for d in workload.documents)):
                wanted = (workload.name, other.name, int(number))
                assert wanted in {(e.source, e.destination, e.port.number) for e in found.edges}


@each
def test_only_the_gateway_reaches_the_intake_of_the_backend(base: str, target: str) -> None:
    found = samples.planned(base, target)
    sources = {e.source for e in found.edges if e.destination == found.stores[0].kind and e.port.name == ports.OTLP_GRPC.name}
    assert sources == {"gateway"}


@each
def test_only_the_login_proxy_reaches_the_user_interface_where_there_is_one(base: str, target: str) -> None:
    found = samples.planned(base, target)
    shown = "query" if any(workload.name == "query" for workload in found.workloads) else "jaeger"
    ui, port = (shown, "query") if found.stores[0].kind == "jaeger" else ("grafana", "grafana")
    sources = {e.source for e in found.edges if (e.destination, e.port.name) == (ui, port)}
    there = any(workload.name == "access" for workload in found.workloads)
    assert there == (clustered(target) and base != "dev")
    assert sources == ({"access"} if there else {"operators"})
    # On one host operators read traces back by the query API too, which with Jaeger is the user interface's.
    on_host = {"jaeger": [shown], "tempo": ["tempo", "grafana"]}[found.stores[0].kind] if not clustered(target) else [ui]
    assert [e.destination for e in found.edges if e.source == "operators"] == (["access"] if there else on_host)


@each
def test_services_reach_the_collectors_and_the_strategies_alone(base: str, target: str) -> None:
    found = samples.planned(base, target)
    entry = "agent" if clustered(target) else "gateway"
    reached = {(e.destination, e.port.name) for e in found.edges if e.source == "consumers"}
    assert reached == {(entry, "otlp-grpc"), (entry, "otlp-http"), ("sampling", "strategies"), ("sampling", "strategies-grpc")}


@each
def test_scrapers_reach_metrics_and_nothing_else(base: str, target: str) -> None:
    for edge in samples.planned(base, target).edges:
        if edge.source == "scrapers":
            assert edge.port.name in {"telemetry", "span-metrics"}


@each
def test_agents_are_on_clusters_alone_and_one_host_has_one_of_each(base: str, target: str) -> None:
    found = samples.planned(base, target)
    agents = [w for w in found.workloads if w.name == "agent"]
    assert len(agents) == (1 if clustered(target) else 0)
    if not clustered(target):
        assert {w.replicas for w in found.workloads} == {1}
    assert found.workload("gateway").replicas == (samples.named(base).environment.collectors.gateway.replicas if agents else 1)


@each
def test_spans_are_redacted_where_services_send_them_and_nowhere_twice(base: str, target: str) -> None:
    found = samples.planned(base, target)
    redacting = [name for name, text in texts(found).items() if "redaction:" in text]
    assert redacting == (["agent/collector.yaml"] if clustered(target) else ["gateway/collector.yaml"])


@each
def test_the_urls_of_the_contract_lead_to_ports_of_the_plan(base: str, target: str) -> None:
    found, addresses = samples.planned(base, target), samples.TARGETS[target]
    ends = found.endpoints
    entry = "agent" if clustered(target) else "gateway"
    wanted = {
        ends.otlp_grpc: (entry, "otlp-grpc"),
        ends.otlp_http: (entry, "otlp-http"),
        ends.strategies.removesuffix("/api/sampling"): ("sampling", "strategies"),
        found.stores[0].query: ("query" if any(each.name == "query" for each in found.workloads) else found.stores[0].kind, "query"),
    }
    for url, (workload, port) in wanted.items():
        assert url.partition("://")[2] == f"{addresses.offer_host(workload)}:{found.workload(workload).port(port).number}"
    # Scraped from inside: on a Docker host nothing but the intake, the strategies and the user interface is published.
    inside = f"{addresses.call_host(entry)}:{found.workload(entry).port('span-metrics').number}"
    assert ends.span_metrics == f"http://{inside}/metrics"
    assert outputs(found).otlp_grpc_endpoint == ends.otlp_grpc


def retentions(found: Plan) -> list[str]:
    """Every place in the documents of the backend that speaks of how long something is kept."""
    text = "".join(d.text for w in found.workloads if w.name in {found.stores[0].kind, "query"} for d in w.documents)
    return re.findall(r"(?:block_retention|spans|\w+_ttl): (\d\S*)", text)


@pytest.mark.parametrize(("base", "places"), [("prod", 1), ("dev", 1), ("prod-tempo", 3), ("prod-tempo-s3", 3), ("prod-cassandra", 4)])
@pytest.mark.parametrize("target", samples.TARGETS)
def test_one_setting_changes_the_retention_everywhere(base: str, places: int, target: str) -> None:
    before = texts(samples.planned(base, target, {"load.spans_per_second": 1, "retention.traces": "5d"}))
    for written, go, seconds in (("31d", "744h", 2_678_400), ("1m", "1m", 60), ("36h", "36h", 129_600)):
        found = samples.planned(base, target, {"load.spans_per_second": 1, "retention.traces": written})
        assert retentions(found) == [go] * places
        assert found.stores[0].retention_seconds == outputs(found).retention_seconds == seconds
        stored = {f"{name}/{name}.yaml" for name in (found.stores[0].kind, "query") if name in {w.name for w in found.workloads}}
        assert {name for name, text in texts(found).items() if before[name] != text} == stored


def test_days_are_the_retention_of_indices_and_the_job_keeps_one_more() -> None:
    for days in (1, 7, 31):
        found = samples.planned("prod-opensearch", "kubernetes", {"load.spans_per_second": 1, "retention.traces": f"{days}d"})
        ages = [re.findall(r"max_span_age: (\S+)", samples.document(found, name, f"{name}.yaml")) for name in ("jaeger", "query")]
        assert ages == [[f"{24 * days}h"]] * 2
        assert [job.arguments[-2] for job in found.jobs] == [str(days + 1)]


@each
def test_no_document_or_argument_holds_the_value_of_a_secret(base: str, target: str) -> None:
    found = samples.planned(base, target)
    for workload in found.workloads:
        everything = [d.text for d in workload.documents] + list(workload.arguments) + list(workload.environment.values())
        for text in everything:
            assert not re.search(r"(?im)^\s*(client_secret|cookie_secret|token)\b", text)
            own = re.findall(r"(?m)^\s*(?:username|password): (.*)$", text)
            assert all(re.fullmatch(r"'\$\{env:STORE_\w+\}'", value) for value in own)
            keys = re.findall(r"(?m)^\s*(?:access_key|secret_key): (.*)$", text)
            assert all(re.fullmatch(r"'\$\{S3_\w+\}'", value) for value in keys)


def test_the_secrets_of_prod_are_named_where_they_are_used() -> None:
    found = samples.planned("prod-tempo-s3")
    as_files = {(w.name, s.secret, s.key) for w in found.workloads for s in w.secret_files}
    as_variables = {(w.name, s.secret, s.key) for w in found.workloads for s in w.secret_variables}
    assert as_files | as_variables == {
        ("agent", "tracing-ingest-tls", "tls.crt"),
        ("agent", "tracing-ingest-tls", "tls.key"),
        ("agent", "tracing-ingest-token", "token"),
        ("sampling", "tracing-ingest-tls", "tls.crt"),
        ("sampling", "tracing-ingest-tls", "tls.key"),
        ("sampling", "tracing-ingest-token", "token"),
        ("tempo", "tracing-bucket", "access-key"),
        ("tempo", "tracing-bucket", "secret-key"),
        ("access", "tracing-access", "client-secret"),
        ("access", "tracing-access", "cookie-secret"),
    }
    for name, document in (("agent", "collector.yaml"), ("sampling", "sampling.yaml")):
        assert all(secret.path in samples.document(found, name, document) for secret in found.workload(name).secret_files)


@cache
def _usual(base: str, target: str) -> Plan:
    """The plan with the ports that the constants give, on this machine as well."""
    return (
        plan(samples.named(base).environment, OnThisMachine("/state"), name="sample")
        if target == "local"
        else samples.planned(base, target)
    )


CONSTANTS = [
    pytest.param(workload, port.name, target, id=f"{workload}-{port.name}-{target}")
    for workload, of in ports.BY_WORKLOAD.items()
    for port in of
    for target in samples.TARGETS
    if workload not in {"agent", "access"} or clustered(target)
]


@pytest.mark.parametrize(("workload", "name", "target"), CONSTANTS)
def test_one_port_constant_moves_every_document_edge_and_endpoint(
    workload: str, name: str, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = {"tempo": "prod-tempo", "grafana": "prod-tempo", "query": "prod-cassandra"}.get(workload, "prod")
    environment = samples.named(base).environment
    addresses = OnThisMachine("/state") if target == "local" else samples.TARGETS[target]
    before = _usual(base, target)
    old = before.workload(workload).port(name)
    number = 54321
    moved = tuple(dataclasses.replace(p, number=number) if p == old else p for p in ports.BY_WORKLOAD[workload])
    monkeypatch.setattr(ports, "BY_WORKLOAD", dict(ports.BY_WORKLOAD) | {workload: moved})
    after = plan(environment, addresses, name="sample")
    assert after.workload(workload).port(old.name).number == number
    assert str(number) in "".join(d.text for d in after.workload(workload).documents)
    for before_edge, after_edge in zip(before.edges, after.edges, strict=True):
        hit = (before_edge.destination, before_edge.port.name) == (workload, old.name)
        assert after_edge.port.number == (number if hit else before_edge.port.number)
    # The documents differ in that number and nothing else: put back, they are those of before.
    assert {name: text.replace(str(number), str(old.number)) for name, text in texts(after).items()} == texts(before)
    ends_before, ends_after = (dataclasses.asdict(found.endpoints) for found in (before, after))
    assert {name: url and url.replace(str(number), str(old.number)) for name, url in ends_after.items()} == ends_before


@each
def test_nothing_restarts_for_a_document_that_is_reloaded_and_for_no_other_reason(base: str, target: str) -> None:
    for workload in samples.planned(base, target).workloads:
        for index, document in enumerate(workload.documents):
            changed = Document(document.name, f"{document.text}# changed\n", document.on_change)
            documents = (*workload.documents[:index], changed, *workload.documents[index + 1 :])
            again = dataclasses.replace(workload, documents=documents)
            assert (again.restart_checksum != workload.restart_checksum) == (document.on_change == "restart")
        assert dataclasses.replace(workload, replicas=9).restart_checksum == workload.restart_checksum


@each
def test_strategies_alone_are_reloaded(base: str, target: str) -> None:
    found = samples.planned(base, target)
    assert [d.name for w in found.workloads for d in w.documents if d.on_change == "reload"] == ["strategies.json"]


@each
def test_every_server_stays_within_its_memory_before_the_kernel_acts(base: str, target: str) -> None:
    found = samples.planned(base, target)
    for workload in found.workloads:
        limit = workload.resources.memory_bytes
        read = [yaml.safe_load(document.text) for document in workload.documents if document.name in {"collector.yaml", "jaeger.yaml"}]
        for limiter in (found["processors"]["memory_limiter"] for found in read if "processors" in found):
            limit = limiter["limit_mib"] * 2**20
            assert limiter["spike_limit_mib"] * 4 <= limiter["limit_mib"]
            assert limit <= workload.resources.memory_bytes * 0.9
        if "GOMEMLIMIT" in workload.environment:
            assert int(workload.environment["GOMEMLIMIT"].removesuffix("B")) == pytest.approx(0.8 * limit, rel=0.01)


@each
def test_a_gateway_decides_on_what_it_acknowledged_and_else_stops_at_once(base: str, target: str) -> None:
    gateway = samples.planned(base, target).workload("gateway")
    document = yaml.safe_load(gateway.documents[0].text)
    tail = document["processors"]["tail_sampling"]
    wait = int(tail["decision_wait"].removesuffix("s"))
    # A gateway that closes takes no more spans: the rest of what it still decided on would be decided on by its successor.
    assert gateway.grace_seconds < 3 if "otlp_grpc/copy" in document["exporters"] else gateway.grace_seconds > wait
    assert tail["num_traces"] >= tail["expected_new_traces_per_sec"]


@pytest.mark.parametrize("queue", [{"size": "1Gi"}, None])
def test_an_agent_stops_at_once_where_its_queue_stays_and_else_waits_for_answers(queue: dict[str, str] | None) -> None:
    agent = samples.planned("prod", "kubernetes", {"collectors.agent.queue": queue}).workload("agent")
    exporters = yaml.safe_load(agent.documents[0].text)["exporters"]
    longest = int(exporters["otlp_http/gateway-0"]["timeout"].removesuffix("s")) - 120 if queue else 8
    assert agent.grace_seconds > longest
    assert agent.grace_in_place == (2 if queue else agent.grace_seconds)


@each
def test_a_queue_leaves_room_on_its_volume(base: str, target: str) -> None:
    for workload in samples.planned(base, target).workloads:
        for volume in workload.volumes:
            if volume.holds == "queue":
                document = yaml.safe_load(workload.documents[0].text)
                queues = [e["sending_queue"] for e in document["exporters"].values() if "storage" in e.get("sending_queue", {})]
                assert 0.5 < sum(queue["queue_size"] for queue in queues) / volume.size_bytes < 0.9
                assert document["extensions"]["file_storage/queue"]["directory"] == volume.path


def _walk(value: Any) -> Iterator[str]:  # noqa: ANN401 - JSON
    if isinstance(value, dict):
        yield from value
    for child in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _walk(child)


@each
def test_a_rendered_plan_names_every_document_and_can_be_read_again(base: str, target: str) -> None:
    found = samples.planned(base, target)
    rendered = files(found)
    tree = json.loads(rendered["plan.json"])
    objects = {name for name in rendered if name.startswith("kubernetes/")}
    assert bool(objects) == (target == "kubernetes")
    watching = {name for name in rendered if name.startswith("monitoring/")}
    assert ("monitoring/scrape.yaml" in watching) == (target != "kubernetes")
    assert {f"{w['name']}/{d}" for w in tree["workloads"] for d in w["documents"]} == rendered.keys() - {"plan.json"} - objects - watching
    assert "text" not in set(_walk(tree))
    assert [w["image"] for w in tree["workloads"]] == [w.server.image for w in found.workloads]
