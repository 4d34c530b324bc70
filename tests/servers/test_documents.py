"""The real servers take every generated document, and the running backbone does what the documents say."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import urllib.parse
import urllib.request
from typing import TYPE_CHECKING

import pytest

from components.documents import ports
from components.local.files import write_documents
from stacks.plan.addresses import OnDocker, OnKubernetes, OnThisMachine
from stacks.plan.plan import plan
from tests.servers.conftest import named
from tests.servers.spans import CLIENT, SERVER, Sender, stored, wait_until_stored
from tests.servers.validation import validated
from tests.waiting import STALL_SECONDS, until

if TYPE_CHECKING:
    from pathlib import Path

    from components.workload import Plan
    from stacks.plan.addresses import Addresses
    from tests.servers.conftest import Deploy

TARGETS: dict[str, Addresses] = {"kubernetes": OnKubernetes("observability"), "docker": OnDocker("observability")}


def get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=STALL_SECONDS) as response:  # noqa: S310 - loopback
        return str(response.read().decode())


def strategy(strategies_url: str, service: str) -> dict[str, object]:
    answer: dict[str, object] = json.loads(get(f"{strategies_url}?service={urllib.parse.quote(service)}"))
    return answer


@pytest.mark.parametrize("environment", ["dev", "prod"])
@pytest.mark.parametrize("target", [*TARGETS, "local"])
def test_validate_accepts_every_document(environment: str, target: str, programs: dict[str, Path], tmp_path: Path) -> None:
    addresses = TARGETS.get(target) or OnThisMachine(str(tmp_path))
    made = plan(named(environment).environment, addresses, name=environment)
    own = [workload for workload in made.workloads if workload.server.program in programs]
    assert own
    for workload in own:
        answer = validated(programs[workload.server.program], workload, tmp_path)
        assert answer.returncode == 0, f"{workload.name}: {answer.stdout}{answer.stderr}"
        assert "deprecated" not in (answer.stdout + answer.stderr).lower(), workload.name


@pytest.mark.parametrize("environment", ["dev", "prod"])
def test_the_servers_start_on_every_document_and_warn_of_nothing_deprecated(environment: str, deployed: Deploy) -> None:
    with deployed(named(environment)) as running:
        for workload in running.plan.workloads:
            log = running.supervisor.log(workload.name).read_text()
            assert "deprecat" not in log.lower(), workload.name
            assert '"level":"error"' not in log, workload.name


def test_the_servers_find_each_other_when_port_constants_change(deployed: Deploy, monkeypatch: pytest.MonkeyPatch) -> None:
    moved = {"otlp-grpc": 24317, "otlp-http": 24318, "query": 26686, "strategies": 25778, "health": 23133}
    changed = {
        workload: tuple(dataclasses.replace(port, number=moved.get(port.name, port.number)) for port in own)
        for workload, own in ports.BY_WORKLOAD.items()
    }
    monkeypatch.setattr(ports, "BY_WORKLOAD", changed)
    with deployed(named("dev")) as running:
        sender = Sender(running.outputs, seed=11)
        assert sender.send([sender.trace()])
        wait_until_stored(running.outputs, sender.acknowledged)
        used = {urllib.parse.urlsplit(url).port for url in (running.outputs.otlp_http_endpoint, running.outputs.query_url)}
        assert used & {24318, 26686}, "the changed constants are what was used, unless both were taken"


def test_a_trace_is_readable_before_its_retention_ends_and_not_after(deployed: Deploy) -> None:
    # Less than an environment may ask for, because the test waits for its end.
    dev = named("dev")
    short = dev.environment.retention.model_copy(update={"traces": dt.timedelta(seconds=10)})
    with deployed(dataclasses.replace(dev, environment=dev.environment.model_copy(update={"retention": short}))) as running:
        assert running.outputs.retention_seconds == 10
        sender = Sender(running.outputs, seed=12)
        assert sender.send([sender.trace()])
        (trace_id,) = sender.acknowledged
        until(lambda: stored(running.outputs, trace_id))
        until(lambda: stored(running.outputs, trace_id) is None, "the end of the retention", every=1)
        # That it is gone by its age and not by a fault of the backend, a new trace shows.
        assert sender.send([sender.trace()])
        wait_until_stored(running.outputs, {t: s for t, s in sender.acknowledged.items() if t != trace_id})


def test_failed_and_slow_traces_are_kept_and_noise_is_not_whatever_the_baseline(deployed: Deploy) -> None:
    noise = {"probes": {"attribute": "http.route", "values": ["/healthz"]}}
    with deployed(named("dev", sampling={"tail": {"baseline": "0 %", "noise": noise}})) as running:
        sender = Sender(running.outputs, seed=13)
        ordinary = sender.trace()
        failed, slow = sender.trace(failed=True), sender.trace(milliseconds=1000)
        failed_noise = sender.trace(failed=True, attributes={"http.route": "/healthz"})
        assert sender.send([ordinary, failed, slow, failed_noise])
        until(lambda: all(stored(running.outputs, kept[0].trace_id.hex()) for kept in (failed, slow)), "failed and slow ones")
        for dropped in (ordinary, failed_noise):
            assert stored(running.outputs, dropped[0].trace_id.hex()) is None


def test_the_baseline_keeps_its_share(deployed: Deploy) -> None:
    with deployed(named("dev", sampling={"tail": {"baseline": "20 %"}})) as running:
        sender = Sender(running.outputs, seed=14)
        for _ in range(20):
            assert sender.send(sender.trace(2) for _ in range(50))
        last = sender.trace(2, failed=True)
        assert sender.send([last])
        until(lambda: stored(running.outputs, last[0].trace_id.hex()))
        kept = sum(stored(running.outputs, trace_id) is not None for trace_id in sender.acknowledged) - 1
        # 1,000 draws at 20 %: four standard deviations are 51.
        assert 149 <= kept <= 251


def test_span_metrics_count_every_span_although_few_are_stored(deployed: Deploy) -> None:
    changes = {"sampling": {"tail": {"baseline": "0 %"}}, "aggregation": {"flush_interval": "1s"}}
    with deployed(named("dev", **changes)) as running:
        caller, called = Sender(running.outputs, seed=15, service="portal"), Sender(running.outputs, seed=16, service="chain")
        for _ in range(20):
            call, serve = caller.trace(1), called.trace(1)
            call[0].kind = CLIENT
            serve[0].trace_id, serve[0].parent_span_id, serve[0].kind = call[0].trace_id, call[0].span_id, SERVER
            assert caller.send([call])
            assert called.send([serve])

        def counted(metric: str) -> list[str]:
            return [line for line in get(running.outputs.span_metrics_url).splitlines() if line.startswith(f"{metric}{{")]

        def total(metric: str) -> float:
            return sum(float(line.rsplit(" ", 1)[1]) for line in counted(metric))

        spans, requests = "traces_span_metrics_calls_total", "traces_service_graph_request_total"
        until(lambda: total(spans) >= 40 and total(requests) >= 20, "40 spans and 20 requests", progress=lambda: total(spans), every=0.5)
        calls, edges = counted(spans), counted(requests)
        by_service = {
            service: sum(float(line.rsplit(" ", 1)[1]) for line in calls if f'service_name="{service}"' in line)
            for service in ("portal", "chain")
        }
        assert by_service == {"portal": 20, "chain": 20}
        (edge,) = edges
        assert 'client="portal"' in edge
        assert 'server="chain"' in edge
        assert edge.endswith(" 20")


def test_what_must_not_be_stored_is_masked_in_attributes_names_and_messages(deployed: Deploy) -> None:
    mail, token = "jane.roe@example.org", "Bearer abcdefghijklmnop"
    with deployed(named("dev")) as running:
        sender = Sender(running.outputs, seed=17)
        private = {"enduser.contact": mail, "http.request.header.authorization": token, "user.phone": "+1 202 555 0143", "order.id": "o-1"}
        assert sender.send([sender.trace(1, name=f"GET /users/{mail}", attributes=private, message=f"no account for {mail}")])
        (trace_id,) = sender.acknowledged
        until(lambda: stored(running.outputs, trace_id))
        text = get(f"{running.outputs.query_url}/api/v3/traces/{trace_id}")
    for secret in (mail, token, "202 555"):
        assert secret not in text
    assert "o-1" in text


def test_changed_strategies_are_served_without_a_restart(deployed: Deploy) -> None:
    with deployed(named("dev")) as running:
        before = running.supervisor.pid("sampling")
        assert strategy(running.outputs.strategies_url, "portal")["probabilisticSampling"] == {"samplingRate": 1}
        changed = plan_with(running.plan, {"services": {"portal": {"ratio": "25 %", "operations": {"GET /healthz": "1 %"}}}})
        write_documents(changed.workloads)
        operations = until(lambda: strategy(running.outputs.strategies_url, "portal").get("operationSampling"), "the new strategies")
        assert isinstance(operations, dict)
        assert operations["defaultSamplingProbability"] == 0.25
        assert operations["perOperationStrategies"] == [{"operation": "GET /healthz", "probabilisticSampling": {"samplingRate": 0.01}}]
        assert running.supervisor.pid("sampling") == before


def plan_with(running: Plan, strategies: dict[str, object]) -> Plan:
    """A running plan in which nothing but the strategies file is another."""
    changed = plan(named("dev", sampling={"strategies": strategies}).environment, TARGETS["docker"], name="dev")
    (text,) = (d.text for d in changed.workload("sampling").documents if d.name == "strategies.json")
    sampling = running.workload("sampling")
    documents = tuple(dataclasses.replace(d, text=text) if d.name == "strategies.json" else d for d in sampling.documents)
    workloads = tuple(dataclasses.replace(w, documents=documents) if w is sampling else w for w in running.workloads)
    return dataclasses.replace(running, workloads=workloads)


def test_two_environments_run_side_by_side(deployed: Deploy) -> None:
    with deployed(named("dev")) as one, deployed(named("prod")) as other:
        ends = [[end.otlp_grpc_endpoint, end.otlp_http_endpoint, end.query_url, end.strategies_url] for end in (one.outputs, other.outputs)]
        assert not set(ends[0]) & set(ends[1])
        sender = Sender(one.outputs, seed=18)
        assert sender.send([sender.trace(failed=True)])
        (trace_id,) = sender.acknowledged
        until(lambda: stored(one.outputs, trace_id))
        assert stored(other.outputs, trace_id) is None
