"""The doctor on real sockets: a collector with and without TLS and token, and none at all; the whole stack in tests/servers."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from tests.tracing_lib import receivers
from tests.tracing_lib.samples import mapping
from tracing_lib.__main__ import main
from tracing_lib.doctor import SERVICE, Diagnosis, diagnose_environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def _verdicts(found: Diagnosis) -> dict[str, str]:
    """Return the verdicts on the path; on recorder and attributes there are tests of their own."""
    return {check.name: check.verdict for check in found.checks if check.name not in {"recorder", "attributes"}}


def _then(found: Diagnosis, name: str) -> str:
    return next(check.then for check in found.checks if check.name == name)


def _examine(endpoint: str, **variables: str) -> Diagnosis:
    return diagnose_environment({"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, **variables}, wait_seconds=0.1)


@contextmanager
def _answering(answer: dict[str, object], *, status: int = 200) -> Iterator[str]:
    """A server that gives every GET the same answer, and refuses exports with the status."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._send(200, json.dumps(answer).encode())

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self._send(status, b"")

        def _send(self, code: int, body: bytes) -> None:
            self.send_response(code)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def date_time_string(self, timestamp: float | None = None) -> str:  # noqa: ARG002  the interface's
            return "Mon, 01 Jan 2024 00:00:00 GMT"

        def log_message(self, *_: object) -> None:
            """Say nothing: a test's output is its failures."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_collector_that_takes_the_test_span_is_healthy(http_receiver: receivers.Received) -> None:
    found = _examine(http_receiver.url, OTEL_TRACES_SAMPLER="always_off")
    assert _verdicts(found) == {
        "name resolution": "ok",
        "connection": "ok",
        "tls": "skipped",
        "token": "ok",
        "clock": "ok",
        "test span in": "ok",
        "test span out": "skipped",
        "strategies": "skipped",
    }
    assert found.healthy
    resource, span = http_receiver.spans[0]
    assert (resource["service.name"], span.name, receivers.attributes(span.attributes)) == (
        SERVICE,
        "probe",
        {"virtengine.doctor.probe": "doctor", "sampler.type": "probabilistic", "sampler.param": 1.0},
    )


def test_every_setting_is_shown_with_its_source_and_no_secret(http_receiver: receivers.Received) -> None:
    outputs = json.dumps(
        mapping(otlp_http_endpoint=http_receiver.url, strategies_url="http://127.0.0.1:9/x", query_url="http://127.0.0.1:9")
    )
    found = diagnose_environment({"VIRTENGINE_TRACING_OUTPUTS_JSON": outputs, "OTEL_TRACES_SAMPLER": "always_on"}, wait_seconds=0.0)
    shown = {setting.name: (setting.value, setting.source) for setting in found.settings}
    assert shown["endpoint"] == (http_receiver.url, "outputs")
    assert shown["head_ratio"] == ("1.0", "OTEL_TRACES_SAMPLER")
    assert shown["shutdown_seconds"] == ("2.0", "default")
    assert shown["token"] == ("set, not shown", "outputs")
    assert "s3cr3t" not in found.to_json() + found.to_text()
    assert _verdicts(found)["strategies"] == _verdicts(found)["test span out"] == "failed"


def test_over_grpc_the_test_span_tells(grpc_receiver: receivers.Received) -> None:
    found = _examine(grpc_receiver.url, OTEL_EXPORTER_OTLP_PROTOCOL="grpc")
    assert (found.healthy, _verdicts(found)["test span in"], grpc_receiver.names) == (True, "ok", ["probe"])


def test_tls_is_checked_against_the_certificate_that_was_given(certificate: tuple[Path, Path]) -> None:
    with receivers.http_receiver(certificate) as received:
        distrusted = _examine(received.url)
        trusted = _examine(received.url, OTEL_EXPORTER_OTLP_CERTIFICATE=str(certificate[0]))
    assert _verdicts(distrusted) == {
        "name resolution": "ok",
        "connection": "ok",
        "tls": "failed",
        "test span": "skipped",
        "strategies": "skipped",
    }
    assert "OTEL_EXPORTER_OTLP_CERTIFICATE" in _then(distrusted, "tls")
    assert (_verdicts(trusted)["tls"], _then(trusted, "tls")) == ("warning", "renew the certificate"), "it is valid for two days"
    assert trusted.healthy
    assert ssl.OPENSSL_VERSION


def test_plain_http_under_an_https_endpoint_is_named(http_receiver: receivers.Received) -> None:
    found = _examine(http_receiver.url.replace("http:", "https:"))
    assert (_verdicts(found)["tls"], "should be http" in _then(found, "tls")) == ("failed", True)


@pytest.mark.parametrize(("variables", "told"), [({}, "none is set"), ({"VIRTENGINE_TRACING_TOKEN": "wrong-1"}, "refused")])
def test_a_refused_token_is_told_from_one_that_is_missing(variables: dict[str, str], told: str) -> None:
    with receivers.http_receiver(status=401) as received:
        found = _examine(received.url, **variables)
    check = next(check for check in found.checks if check.name == "token")
    assert (check.verdict, told in check.found, "--show-secrets" in check.then) == ("failed", True, True)
    assert not found.healthy
    assert "wrong-1" not in found.to_json()


def test_a_name_that_is_not_known_and_a_port_that_is_closed_are_different_findings() -> None:
    unknown = _examine("http://collector.invalid:4318")
    assert _verdicts(unknown) == {"name resolution": "failed", "test span": "skipped", "strategies": "skipped"}
    closed = _examine("http://127.0.0.1:9")
    assert (_verdicts(closed)["name resolution"], _verdicts(closed)["connection"]) == ("ok", "failed")


def test_a_clock_that_is_wrong_and_a_strategy_that_is_served_are_told() -> None:
    strategy: dict[str, object] = {"strategyType": "PROBABILISTIC", "probabilisticSampling": {"samplingRate": 0.25}}
    with _answering(strategy) as url:
        outputs = json.dumps(mapping(otlp_http_endpoint=url, strategies_url=f"{url}/api/sampling", query_url=url))
        found = diagnose_environment({"VIRTENGINE_TRACING_OUTPUTS_JSON": outputs}, wait_seconds=0.0)
    assert _verdicts(found)["clock"] == "warning"
    assert next(check.found for check in found.checks if check.name == "strategies") == "served: a ratio of 0.25"
    assert _verdicts(found)["test span in"] == "ok"
    assert _verdicts(found)["test span out"] == "failed"


@pytest.mark.parametrize("backend", ["jaeger", "tempo"])
def test_the_test_span_is_read_back_from_the_query_api(backend: str) -> None:
    with _answering({"result": {"resourceSpans": [{"resource": {"name": SERVICE}}]}}) as url:
        outputs = json.dumps(mapping(otlp_http_endpoint=url, strategies_url=url, query_url=url, backend=backend))
        found = diagnose_environment({"VIRTENGINE_TRACING_OUTPUTS_JSON": outputs}, wait_seconds=0.0)
    assert _verdicts(found)["test span out"] == "ok"


def test_the_exit_status_and_json_are_for_programs(
    http_receiver: receivers.Received, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", http_receiver.url)
    assert main(["doctor", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["healthy"] is True
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    assert main(["doctor"]) == 1
    assert "failed   connection: 127.0.0.1:9 does not accept connections" in capsys.readouterr().out
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "ftp://x")
    assert main(["doctor", "--json"]) == 2
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" in json.loads(capsys.readouterr().out)["error"]


def test_the_doctor_says_whether_the_fast_way_runs_and_why_not(monkeypatch: pytest.MonkeyPatch) -> None:
    assert {check.name: check.verdict for check in _examine("http://127.0.0.1:9").checks}["recorder"] in {"ok", "warning"}
    monkeypatch.setenv("VIRTENGINE_TRACING_FAST", "off")
    (check,) = [check for check in _examine("http://127.0.0.1:9").checks if check.name == "recorder"]
    assert (check.verdict, "VIRTENGINE_TRACING_FAST is off" in check.found) == ("warning", True)


def test_the_doctor_of_a_service_lists_the_attributes_that_stay(http_receiver: receivers.Received) -> None:
    program = """
from tracing_lib import TracingSettings, configure
from tracing_lib.doctor import diagnose
settings = TracingSettings.from_environment(service_name="portal")
before = diagnose(settings).checks[-1]
tracing = configure(settings)
fine = diagnose(settings).checks[-1]
tracing.tracer("t").start_span("hello world", attributes={"order.id": "order-7"}).end()
check = diagnose(settings).checks[-1]
print(before.verdict, fine.verdict, check.verdict, check.found, check.then, sep="\\n")
"""
    environ = os.environ | {"OTEL_EXPORTER_OTLP_ENDPOINT": http_receiver.url}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=120, env=environ)
    told = 'tracing_lib.declare(tracing_lib.Attribute("order.id", "what it means"))'
    expected = ["skipped", "ok", "warning", "these stay in the process: order.id (1)", told]
    assert (done.stdout.splitlines(), done.returncode) == (expected, 0), done.stderr
