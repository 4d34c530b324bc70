"""The promises of a running shape: all kept while nothing is wrong, and of each that is broken by hand, that one alone is told."""

from __future__ import annotations

import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from components.local import authority
from stacks.placement.small import deploy
from stacks.trial.account import intake
from stacks.trial.load import Load, Pace
from stacks.trial.traces import Template, new_trace
from stacks.verify.findings import NAMES
from stacks.verify.machine import Machine
from stacks.verify.verify import verify
from tests.servers.conftest import named
from tests.servers.small.conftest import Cluster
from tests.servers.small.metrics import Prometheus
from tests.waiting import STALL_SECONDS, load_per_core, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import tzinfo

    from stacks.environment.source import Named
    from stacks.verify.findings import Finding, Name

Mapping_ = dict[str, Any]
MOST_SECONDS = 60
DECIDED = 300


def environment() -> Named:
    """Prod with short waits, two gateways, and volumes so small that a file can fill them."""
    read = named(
        "prod",
        collectors={"gateway": {"replicas": 2, "queue": {"size": "64Mi"}}},
        sampling={"tail": {"wait": "1s", "slow": "500ms", "baseline": "50 %"}, "strategies": {"poll_interval": "1s"}},
        aggregation={"flush_interval": "2s"},
        monitoring={"interval": "1s", "remote_write": {"url": "http://metrics.example.org/api/v1/write"}},
    )
    backend = read.environment.backend
    assert backend.kind == "jaeger"
    small = backend.model_copy(update={"volume": backend.volume.model_copy(update={"size": 64 * 2**20})})
    return replace(read, environment=read.environment.model_copy(update={"backend": small}))


@dataclass(frozen=True)
class Shape(Cluster):
    """A running shape whose documents are edited, and the authority behind its certificates."""

    named: Named
    authority: authority.Authority
    edits: set[str] = field(default_factory=set)

    def verified(self, *only: Name) -> dict[str, Finding]:
        return {
            finding.promise: finding for finding in verify(Machine(self.named, self.folder.parent), only or NAMES, seconds=STALL_SECONDS)
        }

    def document(self, instance: str, name: str = "collector.yaml") -> Path:
        return self.folder / instance / "documents" / name

    @contextmanager
    def edited(self, instance: str, name: str, change: Callable[[str], str]) -> Iterator[None]:
        """A document that is changed, with its server started anew; it has the old one back at the next ``settle``, or at its next edit."""
        path = self.document(instance, name)
        before = path.read_text()
        after = change(before)
        assert after != before
        path.write_text(after)
        self.edits.add(instance)
        self.settle(instance)
        try:
            yield
        finally:
            path.write_text(before)

    def settle(self, edited: str | None = None) -> None:
        """Start anew whose document was restored, and the one that is ``edited``, together: nothing is asked of how they end."""
        supervisor = self.running.supervisor
        for name in self.edits:
            supervisor.kill(name)
            supervisor.stop(name)
        with ThreadPoolExecutor() as pool:
            list(pool.map(supervisor.start, self.edits))
        self.edits.intersection_update({edited})

    @contextmanager
    def filled(self, folder: Path, size: int) -> Iterator[None]:
        """A file that takes room on a volume."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "filling").write_bytes(os.urandom(2**20) * (size // 2**20))
        try:
            yield
        finally:
            (folder / "filling").unlink()


def parsed(change: Callable[[Mapping_], object]) -> Callable[[str], str]:
    """A change of a YAML document as a mapping."""

    def edit(text: str) -> str:
        document = yaml.safe_load(text)
        change(document)
        return yaml.safe_dump(document, sort_keys=False)

    return edit


def short_retention(document: Mapping_) -> None:
    document["extensions"]["jaeger_storage"]["backends"]["traces"]["badger"]["ttl"]["spans"] = "24h"


def policy_deleted(document: Mapping_) -> None:
    policies = document["processors"]["tail_sampling"]["policies"]
    document["processors"]["tail_sampling"]["policies"] = [policy for policy in policies if policy["name"] != "errors"]


def alert_deleted(document: Mapping_) -> None:
    for group in document["groups"]:
        group["rules"] = [rule for rule in group["rules"] if rule["alert"] != "TracingGatewayDown"]


def token_removed(document: Mapping_) -> None:
    for protocol in document["receivers"]["otlp"]["protocols"].values():
        del protocol["auth"]


def redaction_off(document: Mapping_) -> None:
    pipeline = document["service"]["pipelines"]["traces"]
    pipeline["processors"] = [name for name in pipeline["processors"] if name not in {"redaction", "transform/privacy"}]


def older(document: Mapping_) -> None:
    document["processors"]["batch"]["send_batch_size"] = 1000


def port_opened(address: str) -> Callable[[Mapping_], None]:
    def change(document: Mapping_) -> None:
        document["receivers"]["otlp/open"] = {"protocols": {"http": {"endpoint": f"{address}:14999"}}}
        document["service"]["pipelines"]["traces"]["receivers"].append("otlp/open")

    return change


def strategies_for_all(document: Mapping_) -> None:
    del document["extensions"]["remote_sampling"]["http"]["auth"]


def without_login(text: str) -> str:
    return text + 'skip_auth_routes = [".*"]\n'


@contextmanager
def expiring(shape: Shape) -> Iterator[None]:
    """A certificate of 30 days that was issued 25 days ago, at the agent."""
    files, now = shape.folder / "secrets" / "ingest", datetime.now(UTC)
    before = {name: (files / name).read_text() for name in ("tls.crt", "tls.key")}

    class Earlier(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]  # not of this class
            return (now - timedelta(days=25)).astimezone(tz)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(authority, "datetime", Earlier)
        pair = shape.authority.issue((shape.faults.find("agent-0").address,))
    (files / "tls.crt").write_text(pair.certificate)
    (files / "tls.key").write_text(pair.key)
    shape.edits.add("agent-0")
    shape.settle("agent-0")
    try:
        yield
    finally:
        for name, text in before.items():
            (files / name).write_text(text)


@pytest.fixture
def shape(surroundings: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shape]:
    assert surroundings
    made: list[authority.Authority] = []
    original = authority.Authority.__init__

    def remembered(self: authority.Authority, name: str) -> None:
        original(self, name)
        made.append(self)

    monkeypatch.setattr(authority.Authority, "__init__", remembered)
    with deploy(environment(), nodes=1, say=print, state=tmp_path) as running:
        yield Shape(running, tmp_path / "prod", environment(), made[0])


def broken(found: dict[str, Finding]) -> dict[str, str]:
    return {name: finding.evidence for name, finding in found.items() if finding.verdict == "broken"}


def assert_agents_write_what_a_prometheus_would_scrape(shape: Shape) -> None:
    prometheus = Prometheus(shape)
    wanted = {
        (shape.running.plan.namespace, one.workload, one.instance, page.port)
        for workload in shape.running.plan.workloads
        for page in workload.metrics
        for one in shape.instances(workload.name)
    }

    def up() -> set[tuple[str, ...]]:
        labels = ("namespace", "job", "pod", "endpoint")
        found = prometheus.query('up{job!="cluster"} == 1')
        return {tuple(series["metric"][label] for label in labels) for series in found}

    until(lambda: up() == wanted, lambda: up() ^ wanted, every=0.5)
    shape.client().get(str(shape.running.outputs.ui_url))
    prometheus.wait_for_all_that_alerts_ask_for()


def test_all_is_kept_and_each_promise_that_is_broken_by_hand_is_told_alone(shape: Shape) -> None:
    decide(shape)
    assert_agents_write_what_a_prometheus_would_scrape(shape)
    since = time.monotonic()
    found = shape.verified()
    assert time.monotonic() - since < MOST_SECONDS * load_per_core()
    assert {name: (one.verdict, one.evidence) for name, one in found.items() if one.verdict != "kept"} == {}
    for promise, evidence, fault in faults(shape):
        with fault:
            told = shape.verified()
        assert list(broken(told)) == [promise], broken(told)
        assert evidence in told[promise].evidence, told[promise]
        assert told[promise].then
    shape.settle()
    assert broken(shape.verified()) == {}
    too_old(shape)
    assert list(broken(told := shape.verified())) == ["retention"], broken(told)
    assert "began more than" in told["retention"].evidence


def faults(shape: Shape) -> Iterator[tuple[str, str, Any]]:
    """A promise, what its evidence names, and the fault that breaks it."""
    address = shape.faults.find("gateway-0").address
    queue = Path(shape.faults.find("gateway-1").volumes["queue"])
    traces = Path(shape.faults.find("jaeger-0").volumes["traces"])
    yield "queue", "gateway-1", shape.filled(queue / "damaged", 60 * 2**20)
    yield "disk", "jaeger-0", shape.filled(traces, 60 * 2**20)
    yield "servers", "prometheus-0 does not run", down(shape, "prometheus-0")
    yield "documents", "was changed", changed_late(shape.document("agent-0"))
    yield "alerts", "TracingGatewayDown is not loaded", shape.edited("prometheus-0", "alerts.yaml", parsed(alert_deleted))
    yield "documents", "gateway-1: gateway/collector.yaml: processors.batch", shape.edited("gateway-1", "collector.yaml", parsed(older))
    yield "sampling", "policies.errors", shape.edited("gateway-0", "collector.yaml", parsed(policy_deleted))
    yield "ports", f"{address}:14999", shape.edited("gateway-0", "collector.yaml", parsed(port_opened(address)))
    yield "retention", '"24h", planned "720h"', shape.edited("jaeger-0", "jaeger.yaml", parsed(short_retention))
    yield "strategies-access", "without the token", shape.edited("sampling-0", "sampling.yaml", parsed(strategies_for_all))
    yield "strategies", "portal a ratio of 0.5", strategy_changed(shape)
    yield "intake", "without the token", shape.edited("agent-0", "collector.yaml", parsed(token_removed))
    yield "privacy", "can be read in trace", shape.edited("agent-0", "collector.yaml", parsed(redaction_off))
    yield "certificates", "agent-0: 5 days left", expiring(shape)
    yield "login", "answers 200", shape.edited("access-0", "oauth2-proxy.cfg", without_login)


def decide(shape: Shape) -> None:
    """Send traces, so that there is a share, and wait until they were decided on."""
    from stacks.placement.outputs import Outputs

    told = intake(shape.faults.instances(), Outputs.read(shape.folder / "outputs.json"))
    Load(told, Pace(DECIDED, 1, spans=1), "verify").start().wait()
    until(lambda: shape.verified("share")["share"].verdict == "kept", lambda: shape.verified("share"), every=0.5)


@contextmanager
def down(shape: Shape, name: str) -> Iterator[None]:
    shape.faults.refuse(name)
    yield
    shape.faults.release(name)
    shape.faults.wait_healthy(name)


@contextmanager
def changed_late(path: Path) -> Iterator[None]:
    """A document that has the planned text now, and was written after its server had read another."""
    before = path.stat()
    path.touch()
    yield
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@contextmanager
def strategy_changed(shape: Shape) -> Iterator[None]:
    """A strategy that is changed where the server reads it again by itself."""
    shape.settle()
    path = shape.document("sampling-0", "strategies.json")
    before = path.read_text()
    document = json.loads(before)
    document["service_strategies"][0]["param"] = 0.5
    path.write_text(json.dumps(document))
    until(lambda: "tells portal" in shape.verified("strategies")["strategies"].evidence, "the changed strategy", every=0.5)
    yield
    path.write_text(before)
    until(lambda: shape.verified("strategies")["strategies"].verdict == "kept", "the planned strategy", every=0.5)


def too_old(shape: Shape) -> None:
    """Store a trace that began before the retention."""
    import ssl
    import urllib.request

    from stacks.placement.outputs import Outputs

    outputs = Outputs.read(shape.folder / "outputs.json")
    assert outputs.otlp_token is not None
    trace = new_trace(time.time_ns() - 40 * 86_400 * 10**9)
    request = urllib.request.Request(  # noqa: S310 - loopback
        f"{outputs.otlp_http_endpoint}/v1/traces",
        Template("late", range(1), spans=1).encode([trace]),
        {"Content-Type": "application/x-protobuf", "Authorization": f"Bearer {outputs.otlp_token.get_secret_value()}"},
    )
    with urllib.request.urlopen(request, context=ssl.create_default_context(cadata=str(outputs.otlp_certificate))) as answer:  # noqa: S310
        assert answer.status == 200
    until(lambda: "late" in services(shape), "the old trace to be stored")


def services(shape: Shape) -> str:
    import urllib.request

    with urllib.request.urlopen(f"{shape.running.outputs.query_url}/api/services") as answer:  # noqa: S310 - loopback
        text: str = answer.read().decode()
    return text
