"""``configure`` against real collectors: what arrives, with which resource, sampled how."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import certifi
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags
from pydantic import SecretStr

from tests.tracing_lib import receivers
from tests.tracing_lib.recorders import said_of_the_recorder
from tracing_lib import TracingSettings, configure

if TYPE_CHECKING:
    from pathlib import Path

    from tests.tracing_lib.receivers import Received
    from tracing_lib.contract.outputs import Protocol

PROTOCOLS: list[Protocol] = ["http/protobuf", "grpc"]


def _settings(endpoint: str, **values: object) -> TracingSettings:
    return TracingSettings(service_name="portal", endpoint=endpoint, **values)  # type: ignore[arg-type]


@pytest.fixture(params=PROTOCOLS)
def arriving(request: pytest.FixtureRequest) -> tuple[Protocol, Received]:
    """Return each protocol with a collector that speaks it."""
    protocol: Protocol = request.param
    received: Received = request.getfixturevalue("grpc_receiver" if protocol == "grpc" else "http_receiver")
    return protocol, received


def test_a_span_arrives_with_its_parent_and_the_resource_of_the_settings(arriving: tuple[Protocol, Received]) -> None:
    protocol, received = arriving
    settings = _settings(received.url, protocol=protocol, service_version="1.2.3", environment="dev", instance_id="i-1")
    with configure(settings, set_global=False) as tracing:
        tracer = tracing.tracer("virtengine.market", "0.1")
        with tracer.start_as_current_span("outer"), tracer.start_as_current_span("inner"):
            pass
    spans = {span.name: span for _, span in received.spans}
    assert spans["inner"].parent_span_id == spans["outer"].span_id
    assert spans["inner"].trace_id == spans["outer"].trace_id
    resource = received.spans[0][0]
    assert resource == {
        "service.name": "portal",
        "service.version": "1.2.3",
        "service.namespace": "virtengine",
        "service.instance.id": "i-1",
        "deployment.environment.name": "dev",
        "host.name": socket.gethostname(),
        "process.pid": os.getpid(),
        "telemetry.sdk.language": "python",
        "telemetry.sdk.name": "opentelemetry",
        "telemetry.sdk.version": resource["telemetry.sdk.version"],
    }


def test_http_spans_go_to_the_traces_path_below_the_base(http_receiver: Received) -> None:
    for base in (http_receiver.url, http_receiver.url + "/", http_receiver.url + "/prefix"):
        with configure(_settings(base), set_global=False) as tracing:
            tracing.tracer("t").start_span("s").end()
    assert http_receiver.paths == ["/v1/traces", "/v1/traces", "/prefix/v1/traces"]


def test_a_span_arrives_by_itself_soon_after_it_ended(http_receiver: Received) -> None:
    with configure(_settings(http_receiver.url, export_interval_seconds=0.1), set_global=False) as tracing:
        tracing.tracer("t").start_span("s").end()
        http_receiver.wait_for(1)


def test_declared_resource_attributes_of_the_operator_stay_and_others_never_leave(
    http_receiver: Received, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(
        "OTEL_RESOURCE_ATTRIBUTES",
        "cloud.region=eu-1,team=of-jane,service.name=other,process.command_line=--password=hunter2,process.owner=root",
    )
    with configure(_settings(http_receiver.url), set_global=False) as tracing:
        tracing.tracer("t").start_span("s").end()
    resource = http_receiver.spans[0][0]
    assert (resource["cloud.region"], resource["service.name"]) == ("eu-1", "portal")
    assert "team" not in resource, "undeclared"
    assert not {"process.command_line", "process.owner"} & set(resource)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_token_is_sent_and_the_certificate_is_checked(
    protocol: Protocol, certificate: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    # Both would win over a session's own settings in `requests`.
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", certifi.where())
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login somebody password else\n")
    run = receivers.grpc_receiver if protocol == "grpc" else receivers.http_receiver
    with run(certificate) as received:
        settings = _settings(received.url, protocol=protocol, token=SecretStr("abc"), certificate=certificate[0].read_text())
        with configure(settings, set_global=False) as tracing:
            tracing.tracer("t").start_span("trusted").end()
        # Without the certificate the public CAs are asked, which do not know this one.
        with configure(_settings(received.url, protocol=protocol, shutdown_seconds=1.0), set_global=False) as tracing:
            tracing.tracer("t").start_span("not trusted").end()
    assert received.names == ["trusted"]
    assert received.authorizations == ["Bearer abc"]
    assert list((tmp_path / "temporary").iterdir()) == []


def test_the_head_ratio_decides_about_new_traces(http_receiver: Received) -> None:
    with configure(_settings(http_receiver.url, head_ratio=0.25, queue_size=8000), set_global=False) as tracing:
        for _ in range(4000):
            tracing.tracer("t").start_span("root").end()
    # Four standard deviations of a binomial with n = 4000, p = 0.25 are 110.
    assert 890 <= len(http_receiver.spans) <= 1110


@pytest.mark.parametrize(("ratio", "flags", "arrives"), [(0.0, TraceFlags.SAMPLED, True), (1.0, TraceFlags.DEFAULT, False)])
def test_the_callers_decision_wins_over_the_head_ratio(
    http_receiver: Received,
    ratio: float,
    flags: int,
    arrives: bool,  # noqa: FBT001  a parameter of a table
) -> None:
    caller = SpanContext(trace_id=0xABC, span_id=0xDEF, is_remote=True, trace_flags=TraceFlags(flags))
    with configure(_settings(http_receiver.url, head_ratio=ratio), set_global=False) as tracing:
        tracing.tracer("t").start_span("child", context=trace.set_span_in_context(NonRecordingSpan(caller))).end()
    assert http_receiver.names == (["child"] if arrives else [])


def test_a_provider_that_is_not_global_leaves_the_global_one_alone(http_receiver: Received) -> None:
    with configure(_settings(http_receiver.url), set_global=False) as tracing:
        assert trace.get_tracer_provider() is not tracing.provider


_GLOBAL = """
import os, sys
os.environ["OTEL_PROPAGATORS"] = "none"  # what OpenTelemetry would go by without us
from opentelemetry import baggage, propagate, trace
from tracing_lib import AlreadyConfiguredError, TracingSettings, configure
from tracing_lib.propagation.baggage import inject

settings = TracingSettings(service_name="portal", endpoint=sys.argv[1])
tracing = configure(settings)
assert configure(TracingSettings(service_name="portal", endpoint=sys.argv[1])) is tracing
try:
    configure(TracingSettings(service_name="other", endpoint=sys.argv[1]))
except AlreadyConfiguredError as error:
    assert "already traced as 'portal'" in str(error), error
else:
    raise SystemExit("a second configuration was taken")

arriving = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "baggage": "virtengine.order.id=order-7,tenant=blue"}
caller = propagate.extract(arriving)
assert baggage.get_all(caller) == {"virtengine.order.id": "order-7"}
with trace.get_tracer("t").start_as_current_span("server", context=caller) as span:
    leaving = {}
    inject(leaving, to="http://localhost:80/", context=trace.set_span_in_context(span, caller))
assert leaving["traceparent"].split("-")[1] == "0af7651916cd43dd8448eb211c80319c", leaving
assert leaving["baggage"] == "virtengine.order.id=order-7", leaving
assert sorted(leaving) == ["baggage", "traceparent"], leaving
"""


def _run(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False)


def test_the_global_configuration_propagates_is_taken_once_and_flushes_at_exit(http_receiver: Received) -> None:
    answer = _run(_GLOBAL, http_receiver.url)
    assert (answer.returncode, answer.stderr) == (0, said_of_the_recorder())
    assert [(span.name, span.trace_id.hex()) for _, span in http_receiver.spans] == [("server", "0af7651916cd43dd8448eb211c80319c")]


@pytest.mark.parametrize(
    ("program", "says"),
    [
        ("configure(settings).shutdown(); configure(settings)", "was shut down"),
        ("trace.set_tracer_provider(TracerProvider()); configure(settings)", "opentelemetry.sdk.trace.TracerProvider"),
    ],
)
def test_a_process_that_cannot_be_configured_is_told_why(program: str, says: str) -> None:
    head = (
        "from opentelemetry import trace; from opentelemetry.sdk.trace import TracerProvider;"
        "from tracing_lib import *; settings = TracingSettings(service_name='portal');"
    )
    answer = _run(head + program)
    assert answer.returncode == 1
    assert "AlreadyConfiguredError: configure: " in answer.stderr
    assert says in answer.stderr


def test_without_the_grpc_package_the_error_names_the_extra() -> None:
    program = (
        "import sys; sys.modules['grpc'] = None\n"
        "from tracing_lib import SettingsError, TracingSettings, configure\n"
        "try: configure(TracingSettings(service_name='portal', protocol='grpc'))\n"
        "except SettingsError as error: print(error)"
    )
    assert "pip install 'virtengine-tracing[grpc]'" in _run(program).stdout


def test_http_does_not_need_the_grpc_package(http_receiver: Received) -> None:
    program = (
        "import sys; sys.modules['grpc'] = None\n"
        "from tracing_lib import TracingSettings, configure\n"
        "with configure(TracingSettings(service_name='portal', endpoint=sys.argv[1])) as tracing:\n"
        "    tracing.tracer('t').start_span('s').end()"
    )
    assert _run(program, http_receiver.url).returncode == 0
    assert http_receiver.names == ["s"]


def test_disabled_tracing_sends_nothing_and_still_carries_context(http_receiver: Received) -> None:
    caller = SpanContext(trace_id=0xABC, span_id=0xDEF, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))
    with configure(_settings(http_receiver.url, enabled=False), set_global=False) as tracing:
        span = tracing.tracer("t").start_span("s", context=trace.set_span_in_context(NonRecordingSpan(caller)))
        span.end()
    assert span.get_span_context().trace_id == 0xABC
    assert http_receiver.spans == []
    assert tracing.shutdown().complete


class _Own(SpanProcessor):
    """A processor of the user's own, which notes what is asked of it."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def on_end(self, span: ReadableSpan) -> None:
        self.told.append(span.name)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:  # noqa: ARG002  the interface's
        self.told.append("flush")
        return True

    def shutdown(self) -> None:
        self.told.append("shutdown")


@pytest.mark.parametrize("fast", ["on", "off"])
@pytest.mark.parametrize("flush", ["handle", "provider"])
def test_a_users_own_processor_is_flushed_and_ended_though_the_collector_is_away(
    fast: str, flush: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIRTENGINE_TRACING_FAST", fast)
    settings = TracingSettings(service_name="a", endpoint="http://127.0.0.1:9", shutdown_seconds=0.2)
    own = _Own()
    with configure(settings, set_global=False) as tracing:
        provider: Any = tracing.provider
        provider.add_span_processor(own)
        tracing.tracer("t").start_span("mine").end()
        assert not (tracing.flush(0.1) if flush == "handle" else provider.force_flush(100))
    assert own.told == ["mine", "flush", "shutdown"]
