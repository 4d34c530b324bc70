"""Diagnosis of the path from a service to its tracing stack: one check for each step, with the next action for a failure.

``python -m tracing_lib doctor`` prints it. ``diagnose`` returns it to programs.
"""

from __future__ import annotations

import json
import os
import socket
import ssl
import time
from contextlib import closing
from dataclasses import asdict, dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import urlencode, urlsplit

from tracing_lib.base.errors import ContractError, SettingsError
from tracing_lib.base.http_session import UNREACHABLE, SettingsSession, basic
from tracing_lib.contract import environment
from tracing_lib.contract.settings import TracingSettings
from tracing_lib.export.transport import request_headers
from tracing_lib.sampling.strategies import StrategyError, parse_strategy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from urllib3 import BaseHTTPResponse

    from tracing_lib.contract.outputs import Outputs

Verdict = Literal["ok", "warning", "failed", "skipped"]
"""Result of a check. ``failed`` makes the exit status 1; a check is ``skipped`` when it cannot be run."""
SERVICE: Final = "tracing-doctor"
"""Service name of the test span, by which alerts and dashboards can exclude it."""
_SECONDS: Final = 5.0
_SKEW_SECONDS: Final = 2.0
_CERTIFICATE_DAYS: Final = 14
_DAY: Final = 86_400
_UNAUTHORIZED: Final = (401, 403)
_NOT_FOUND: Final = 404
_ERRORS: Final = 400
"""First status that HTTP calls an error."""
_TRACES: Final = {"jaeger": "/api/v3/traces/", "tempo": "/api/v2/traces/"}
_POLL_SECONDS: Final = 0.2
_SECRET: Final = frozenset({"token", "hash_key", "headers"})


@dataclass(frozen=True, slots=True)
class Setting:
    """Setting with the source of its value."""

    name: str
    value: str
    """The value as text; for a secret, whether it is set."""
    source: str
    """Name of the environment variable, ``outputs``, or ``default``."""


@dataclass(frozen=True, slots=True)
class Check:
    """Result of one step of the diagnosis."""

    name: str
    verdict: Verdict
    found: str
    """The finding in one sentence, without secrets."""
    then: str = ""
    """The next action; empty if none is needed."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The settings of a service and the results of all checks."""

    settings: tuple[Setting, ...]
    checks: tuple[Check, ...]

    @property
    def healthy(self) -> bool:
        """Whether no check failed."""
        return all(check.verdict != "failed" for check in self.checks)

    def to_json(self) -> str:
        """Return the diagnosis as JSON: ``healthy``, ``settings``, ``checks``."""
        return json.dumps({"healthy": self.healthy, **asdict(self)}, indent=2, ensure_ascii=False)

    def to_text(self) -> str:
        """Return the diagnosis as text, for a terminal."""
        wide = max((len(setting.name) for setting in self.settings), default=0)
        lines = [f"{setting.name:<{wide}}  {setting.value}  ({setting.source})" for setting in self.settings]
        lines.append("")
        for check in self.checks:
            lines.append(f"{check.verdict:<8} {check.name}: {check.found}")
            if check.then:
                lines.append(f"{'':<8} next: {check.then}")
        return "\n".join(lines)


def diagnose_environment(environ: Mapping[str, str] | None = None, *, wait_seconds: float = 10.0) -> Diagnosis:
    """Diagnose the tracing that environment variables configure; default: those of this process.

    ``wait_seconds`` is the time to wait for the stored test span. Raises ``ContractError`` for outputs, and ``SettingsError`` for a
    variable, that cannot be used.
    """
    variables = {**(os.environ if environ is None else environ), "OTEL_SERVICE_NAME": SERVICE}
    settings = TracingSettings.from_environment(variables)
    values, places = environment.read(variables)
    outputs = environment.outputs_of(variables, without_token=True)
    sources = {name: places.get(name, "outputs" if outputs is not None and name in values else "default") for name in _shown_fields()}
    sources["service_name"] = "doctor"
    return diagnose(settings, outputs, sources=sources, wait_seconds=wait_seconds)


def diagnose(
    settings: TracingSettings, outputs: Outputs | None = None, *, sources: Mapping[str, str] | None = None, wait_seconds: float = 10.0
) -> Diagnosis:
    """Diagnose the path from a service with these settings to its collector and, given ``outputs``, to the store and the strategies.

    ``sources`` has the source of each setting. ``wait_seconds`` is the time to wait for the stored test span. The test span is of the
    service ``tracing-doctor`` and has the status error, because tail sampling keeps failed spans. A fault on the path is a failed check
    and raises nothing.
    """
    described = tuple(Setting(name, _shown(settings, name), (sources or {}).get(name, "given")) for name in _shown_fields())
    checks = [*_reach(settings)]
    reached = all(check.verdict != "failed" for check in checks)
    if reached:
        checks += [*_collector(settings)]
        sent, trace_id = _span_in(settings)
        checks.append(sent)
        checks.append(_span_out(outputs, trace_id if sent.verdict == "ok" else None, wait_seconds))
    else:
        checks.append(Check("test span", "skipped", "the collector cannot be reached"))
    checks.append(_strategies(outputs, settings))
    checks += [_recorder(), _attributes()]
    return Diagnosis(described, tuple(checks))


def _shown_fields() -> list[str]:
    return [name for name in TracingSettings.model_fields if name not in {"privacy", "certificate"}]


def _shown(settings: TracingSettings, name: str) -> str:
    value = getattr(settings, name)
    if name in _SECRET:
        return "set, not shown" if value else "not set"
    return "not set" if value is None else ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _reach(settings: TracingSettings) -> Iterator[Check]:
    """Check name resolution, connection and TLS, each only after the one before it passed."""
    parts = urlsplit(settings.endpoint)
    default = 4317 if settings.protocol == "grpc" else (443 if parts.scheme == "https" else 80)
    host, port = parts.hostname or "", parts.port or default
    try:
        addresses = sorted({str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)})
    except OSError as error:
        then = "check the spelling of the endpoint and the resolver of this host (in Kubernetes: <service>.<namespace>.svc)"
        yield Check("name resolution", "failed", f"{host} cannot be resolved ({error.strerror or error})", then)
        return
    yield Check("name resolution", "ok", f"{host} resolves to {', '.join(addresses)}")
    try:
        connection = socket.create_connection((host, port), timeout=_SECONDS)
    except OSError as error:
        then = "start the stack (make run), or check the port and the network policies between this host and the collector"
        yield Check("connection", "failed", f"{host}:{port} does not accept connections ({error.strerror or error})", then)
        return
    with connection:
        yield Check("connection", "ok", f"{host}:{port} accepts connections")
        yield _tls(settings, connection, host)


def _tls(settings: TracingSettings, connection: socket.socket, host: str) -> Check:
    if not settings.endpoint.startswith("https:"):
        return Check("tls", "skipped", "the endpoint is http, without TLS")
    context = ssl.create_default_context(cadata=settings.certificate)
    try:
        with context.wrap_socket(connection, server_hostname=host) as secured:
            certificate = secured.getpeercert() or {}
            version = secured.version()
    except ssl.SSLCertVerificationError as error:
        then = "set the CA by otlp_certificate or OTEL_EXPORTER_OTLP_CERTIFICATE, and an endpoint whose name is in the certificate"
        return Check("tls", "failed", f"the certificate is not trusted ({error.verify_message})", then)
    except OSError as error:
        return Check(
            "tls", "failed", f"the port does not speak TLS ({error})", "check whether the endpoint should be http, or have another port"
        )
    days = (ssl.cert_time_to_seconds(str(certificate.get("notAfter"))) - time.time()) / _DAY
    found = f"{version}, certificate valid for {days:.0f} days"
    if days < _CERTIFICATE_DAYS:
        return Check("tls", "warning", found, "renew the certificate")
    return Check("tls", "ok", found)


def _collector(settings: TracingSettings) -> Iterator[Check]:
    """Check by an empty export whether the collector accepts the token, and whether its clock agrees. Skipped over gRPC."""
    if settings.protocol == "grpc":
        yield Check("token", "skipped", "over gRPC the test span checks it")
        yield Check("clock", "skipped", "a gRPC response has no date")
        return
    url = f"{settings.endpoint.rstrip('/')}/v1/traces"
    headers = {**request_headers(settings), "content-type": "application/x-protobuf"}
    try:
        started = time.monotonic()
        answer = _answer("POST", url, b"", headers=headers, certificate=settings.certificate)
    except UNREACHABLE as error:
        then = "check that the port is that of OTLP over HTTP (4318), not of gRPC (4317)"
        yield Check("token", "failed", f"{url} does not respond as HTTP ({type(error).__name__})", then)
        return
    yield _token(answer.status, given=settings.token is not None)
    yield _clock(answer.headers.get("date"), time.monotonic() - started)


def _answer(
    method: str, url: str, body: bytes | None = None, *, headers: Mapping[str, str] | None = None, certificate: str | None = None
) -> BaseHTTPResponse:
    """Return a response with its body. Raises ``UNREACHABLE``."""
    with closing(SettingsSession(certificate)) as session:
        answer = session.request(method, url, body, headers=headers, seconds=_SECONDS)
        answer.read(cache_content=True)
        return answer


def _token(status: int, *, given: bool) -> Check:
    if status in _UNAUTHORIZED:
        wrong = "the token is refused" if given else "the collector requires a token, and none is set"
        return Check("token", "failed", f"{wrong} (status {status})", "set otlp_token of pulumi stack output --json --show-secrets")
    if status == _NOT_FOUND:
        return Check(
            "token", "failed", "the endpoint has no /v1/traces (status 404)", "set the endpoint to the base URL, without /v1/traces"
        )
    if status >= _ERRORS:
        return Check("token", "failed", f"an empty export is refused (status {status})", "read the log of the collector")
    return Check("token", "ok", "accepted" if given else "none is set, and none is required")


def _clock(date: str | None, seconds: float) -> Check:
    if date is None:
        return Check("clock", "skipped", "the response has no date")
    # The date is cut to whole seconds, and was written at an unknown time between request and response.
    skew = time.time() - seconds / 2 - (parsedate_to_datetime(date).timestamp() + 0.5)
    found = f"this clock and the collector's differ by {abs(skew):.1f} s"
    if abs(skew) > _SKEW_SECONDS:
        return Check("clock", "warning", found, "synchronise the clocks of both hosts, because spans of different hosts are out of order")
    return Check("clock", "ok", "this clock and the collector's agree within a second or so")


def _span_in(settings: TracingSettings) -> tuple[Check, str]:
    from opentelemetry.trace import Status, StatusCode

    from tracing_lib.provider import configure

    try:
        tracing = configure(settings.model_copy(update={"service_name": SERVICE, "head_ratio": 1.0, "enabled": True}), set_global=False)
    except SettingsError as error:
        return Check("test span in", "failed", "the exporter cannot be built", str(error)), ""
    span = tracing.tracer("tracing_lib.doctor").start_span("probe", attributes={"virtengine.doctor.probe": "doctor"})
    span.set_status(Status(StatusCode.ERROR, "DoctorProbe"))
    trace_id = f"{span.get_span_context().trace_id:032x}"
    span.end()
    report = tracing.shutdown(deadline_seconds=_SECONDS)
    if report.complete:
        return Check("test span in", "ok", f"trace {trace_id} was acknowledged in {report.seconds:.2f} s"), trace_id
    then = "see the checks above, and read the log of the collector (memory_limiter refuses spans when memory is short)"
    return Check("test span in", "failed", f"not acknowledged within {report.seconds:.1f} s", then), trace_id


def _span_out(outputs: Outputs | None, trace_id: str | None, wait_seconds: float) -> Check:
    if outputs is None:
        return Check("test span out", "skipped", f"the query address is unknown; set the outputs of the stack ({environment.OUTPUTS})")
    if trace_id is None:
        return Check("test span out", "skipped", "no test span was accepted")
    if (path := _TRACES.get(outputs.query_protocol or outputs.backend)) is None:
        return Check("test span out", "skipped", f"the store has no query API that is known here; look for {trace_id} at {outputs.ui_url}")
    url = f"{outputs.query_url.rstrip('/')}{path}{trace_id}"
    started, wrong = time.monotonic(), _not_stored(url)
    while wrong and time.monotonic() - started < wait_seconds:
        time.sleep(_POLL_SECONDS)
        wrong = _not_stored(url)
    if wrong:
        then = "wait longer than the decision of tail sampling (--wait 60), and check the queue of the gateway and the store"
        return Check("test span out", "failed", f"{url} {wrong}", then)
    return Check("test span out", "ok", f"read back from {outputs.query_url} after {time.monotonic() - started:.1f} s")


def _not_stored(url: str) -> str:
    """Return why the query API does not have the test span, in words; an empty string when it has."""
    try:
        answer = _answer("GET", url)
    except UNREACHABLE as error:
        return f"cannot be reached ({type(error).__name__})"
    if answer.status >= _ERRORS and answer.status != _NOT_FOUND:
        return f"answered with status {answer.status}"
    return "" if SERVICE.encode() in answer.data else "has no trace: it is not stored yet, or this is not the address of the query API"


def _recorder() -> Check:
    from tracing_lib.provider import why_not_fast

    if why := why_not_fast():
        then = "install the package where a C compiler and the headers of Python are, with the release of OpenTelemetry that it names"
        return Check("recorder", "warning", f"spans are recorded by OpenTelemetry's own SDK, at more cost: {why}", then)
    return Check("recorder", "ok", "spans are recorded by the module in C")


def _attributes() -> Check:
    """Report the attributes that stay in this process; a doctor that runs in a process of its own sees none of a service's."""
    from tracing_lib.provider import running

    tracing = running()
    if tracing is None:
        then = "call tracing_lib.doctor.diagnose in the service, or traces.assert_nothing_withheld in its tests"
        return Check("attributes", "skipped", "this process records no spans of a service", then)
    undecided = [found for found in tracing.withheld() if found.then]
    if undecided:
        found = ", ".join(f"{each.key} ({each.count})" for each in undecided)
        return Check("attributes", "warning", f"these stay in the process: {found}", "; ".join(each.then for each in undecided))
    return Check("attributes", "ok", "every attribute leaves, or stays by decision")


def _strategies(outputs: Outputs | None, settings: TracingSettings) -> Check:
    if outputs is None:
        return Check("strategies", "skipped", "the address of sampling strategies is unknown")
    try:
        url = f"{outputs.strategies_url}?{urlencode({'service': settings.service_name})}"
        headers = basic(outputs.strategies_user, settings.token)
        answer = _answer("GET", url, headers=headers, certificate=outputs.otlp_certificate)
        served = parse_strategy(answer.data if answer.status < _ERRORS else b"")
    except (*UNREACHABLE, StrategyError) as error:
        then = "check the sampling workload; until it responds, services keep the ratio that they started with"
        return Check("strategies", "failed", f"{outputs.strategies_url} serves no strategy ({type(error).__name__})", then)
    goal, several = served.default, "by operation, otherwise " if served.operations else ""
    rate = f"a ratio of {goal.ceiling:g}" if goal.target is None else f"{goal.target:g} traces a second"
    return Check("strategies", "ok", f"served: {several}{rate}")


def run(environ: Mapping[str, str], *, as_json: bool, wait_seconds: float, say: Callable[[str], object]) -> int:
    """Pass the diagnosis as text or JSON to ``say``. Return the exit status: 0 healthy, 1 failed, 2 for settings that cannot be used."""
    try:
        found = diagnose_environment(environ, wait_seconds=wait_seconds)
    except (ContractError, SettingsError) as error:
        say(json.dumps({"healthy": False, "error": str(error)}) if as_json else str(error))
        return 2
    say(found.to_json() if as_json else found.to_text())
    return 0 if found.healthy else 1
