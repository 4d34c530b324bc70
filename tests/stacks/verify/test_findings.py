"""A verdict says no more than was seen, each line has its section in the runbook, and counters are read as they are meant."""

from __future__ import annotations

import json
import math
import re
import threading
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from components.local import authority
from stacks.environment.source import ROOT
from stacks.trial.counters import samples as read_samples
from stacks.verify import verify as whole
from stacks.verify.alerts import alerts
from stacks.verify.certificates import _judge
from stacks.verify.counters import _held_against
from stacks.verify.findings import NAMES, SENTENCES, Account
from stacks.verify.look import Look
from stacks.verify.verify import CHECKS
from tests.stacks import samples
from tests.waiting import STALL_SECONDS

if TYPE_CHECKING:
    from cryptography import x509

    from stacks.verify.findings import Name


def verdict(**seen: object) -> str:
    return Account("queue", **seen).finding().verdict  # type: ignore[arg-type]


def test_a_promise_is_kept_only_when_all_of_it_was_seen() -> None:
    assert verdict(facts=["a"]) == "kept"
    assert verdict() == "cannot be told"
    assert verdict(facts=["a"], unseen=["b"]) == "cannot be told"
    assert verdict(facts=["a"], unseen=["b"], faults=["c"]) == "broken"
    assert verdict(absent="nobody asks for it") == "not promised"
    assert verdict(absent="nobody asks for it", faults=["c"]) == "broken"


def test_a_broken_promise_names_the_first_faults_and_counts_the_others() -> None:
    found = Account("queue", faults=["a", "b", "a", "c", "d"], then="do this").finding()
    assert found.evidence == "a; b; c; and 1 more"
    assert found.then == "do this; the cause: docs/operating.md, verify: queue"


def test_every_promise_has_a_sentence_a_check_and_a_section_in_the_runbook() -> None:
    page = (ROOT / "docs" / "operating.md").read_text()
    sections = re.findall(r"^### verify: ([a-z-]+)\n(.*?)(?=^##)", page, re.MULTILINE | re.DOTALL)
    assert [name for name, _ in sections] == list(NAMES) == list(SENTENCES)
    assert {name for names in CHECKS for name in names} == set(NAMES)
    lacking = [name for name, text in sections if not (name == "strategies-access" or all(f"- {word}" in text for word in PARTS))]
    assert lacking == []


def test_a_server_that_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    planned, ended = samples.named("prod"), threading.Event()
    site: Any = SimpleNamespace(environment=planned.environment, plan=samples.planned("prod"), again="", instances=tuple)
    hanging = planned.environment.sampling.tail.wait.total_seconds()
    monkeypatch.setattr(whole, "CHECKS", {("queue",): lambda *_: ended.wait(STALL_SECONDS)})
    only: tuple[Name, ...] = ("queue",)
    (found,) = whole.verify(site, only, seconds=0.2 - hanging)
    assert (found.verdict, "no answer within" in found.evidence) == ("cannot be told", True)
    ended.set()


def test_a_check_that_fails_itself_is_told_at_its_line_and_leaves_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: object) -> None:
        raise KeyError("nodeName")

    site: Any = SimpleNamespace(environment=samples.named("prod").environment, plan=samples.planned("prod"), again="", instances=tuple)
    monkeypatch.setattr(whole, "CHECKS", {("disk",): failing, ("share",): lambda _, account: account.facts.append("seen")})
    only: tuple[Name, ...] = ("disk", "share")
    found = {one.promise: one for one in whole.verify(site, only)}
    assert (found["disk"].verdict, found["share"].verdict) == ("cannot be told", "kept")
    assert "the check itself failed: KeyError: 'nodeName'" in found["disk"].evidence


PARTS = ("Cause:", "Check:", "Cure:")


@pytest.mark.parametrize(
    ("status", "namespaces", "expected", "evidence"),
    [
        (200, {"TracingA": "here", "TracingB": "here"}, "kept", "2 alerts are loaded"),
        (200, {"TracingA": "here", "TracingB": "there"}, "broken", "TracingB is not loaded"),
        (401, {}, "cannot be told", "answers 401"),
    ],
)
def test_alerts_are_those_of_the_backbone_in_the_prometheus_that_is_named(
    status: int, namespaces: dict[str, str], expected: str, evidence: str
) -> None:
    rules = [{"name": name, "labels": {"namespace": namespace}} for name, namespace in namespaces.items()]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            assert self.path == "/prometheus/api/v1/rules?type=alert"
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps({"data": {"groups": [{"rules": rules}]}}).encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the overridden method
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        site: Any = SimpleNamespace(
            alerts=frozenset({"TracingA", "TracingB"}),
            prometheus="http://prometheus.monitoring.svc:9090/prometheus",
            plan=SimpleNamespace(namespace="here"),
            way=lambda _: nullcontext(("127.0.0.1", server.server_port)),
        )
        account = Account("alerts")
        alerts(Look(site), account)
        server.shutdown()
        thread.join()
    found = account.finding()
    assert (found.verdict, evidence in found.evidence) == (expected, True), found


@pytest.mark.parametrize(
    ("planned", "counted", "count", "limit", "expected"),
    [
        (0.05, 0.05, 10_000, "", "kept"),
        (0.05, 0.06, 10_000, "", "kept"),
        (0.05, 0.08, 10_000, "", "broken"),
        (0.05, 0.02, 10_000, "", "broken"),
        (0.05, 0.02, 10_000, "limited", "kept"),
        (0.05, 0.08, 10_000, "limited", "broken"),
        (0.5, 0.6, 300, "", "kept"),
        (1.0, 0.99, 10_000, "", "broken"),
        (1.0, 1.0, 10_000, "", "kept"),
    ],
)
def test_a_share_is_broken_when_chance_does_not_explain_it(planned: float, counted: float, count: float, limit: str, expected: str) -> None:
    account = Account("share")
    _held_against(account, planned, counted, count, limited=bool(limit))
    assert account.finding().verdict == expected


def test_labels_of_a_sample_are_read_with_their_escapes() -> None:
    text = '# HELP a b\na_total{x="1",y="a \\"b\\" {}"} 2.5e+03\nb 1\nnan_one{x=""} NaN\n'
    assert [(one.name, dict(one.labels), one.value) for one in read_samples(text)] == [
        ("a_total", {"x": "1", "y": 'a \\"b\\" {}'}, 2500.0),
        ("b", {}, 1.0),
    ]
    assert not math.isnan(2500.0)


def certificate(monkeypatch: pytest.MonkeyPatch, life: timedelta, left: timedelta) -> x509.Certificate:
    from cryptography import x509 as parser

    begun = datetime.now(UTC) - life + left

    class Then(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]  # noqa: ARG003 - the signature that is overridden
            return begun

    monkeypatch.setattr(authority, "datetime", Then)
    monkeypatch.setattr(authority, "VALIDITY", life)
    return parser.load_pem_x509_certificate(authority.Authority("test").issue(("127.0.0.1",)).certificate.encode())


@pytest.mark.parametrize(
    ("life", "left", "expected"),
    [(365, 15, "kept"), (365, 13, "broken"), (365, -1, "broken"), (8, 3, "kept"), (8, 1, "broken")],
)
def test_a_certificate_is_looked_after_in_time(monkeypatch: pytest.MonkeyPatch, life: int, left: int, expected: str) -> None:
    account = Account("certificates")
    _judge(account, "it", certificate(monkeypatch, timedelta(days=life), timedelta(days=left)))
    assert account.finding().verdict == expected
    assert f"{abs(left)} days" in account.finding().evidence
