"""A probe of a deployed backbone: a span goes in by OTLP, and is waited for until it comes out by the query API."""

from __future__ import annotations

import http.client
import json
import math
import secrets
import ssl
import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from stacks.show.fetch import reached
from stacks.show.trace import QueryError, fetch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from stacks.environment.model import Environment
    from stacks.placement.outputs import Outputs
    from stacks.show.query import Trace

    Way = Callable[[str], AbstractContextManager[tuple[str, int]]]

SERVICE = "virtengine-tracing-probe"
"""``service.name`` of the probe's span, so that it is told apart from services."""

WAIT_SECONDS = 60.0
REQUEST_SECONDS = 10.0
MOST_SPANS = 2000
"""Spans sent where only the baseline can keep one: enough for a ratio of 1 % to lose all of them once in 10^8 probes."""

_ERROR = 2
"""Status code of a failed span (OTLP, ``Status.StatusCode``)."""


class ProbeError(Exception):
    """No span came through. The text says which part of the way failed and the next command."""


@dataclass(frozen=True, slots=True)
class Sent:
    """Spans that a backbone has taken: the ids of their traces, one of which the tail sampler of ``environment`` keeps."""

    environment: Environment
    ids: tuple[str, ...]


def probe(environment: Environment, outputs: Outputs, *, say: Callable[[str], None], wait_seconds: float = WAIT_SECONDS) -> Trace:
    """Send spans of which the tail sampler keeps one, and return the first trace that is stored. Raises ``ProbeError``."""
    sent = send(environment, outputs, wait_seconds=wait_seconds)
    spans = "a probe span" if len(sent.ids) == 1 else f"{len(sent.ids)} probe spans"
    say(f"{spans} went in at {outputs.otlp_http_endpoint}; waiting for {outputs.query_url}")
    return received(sent, outputs, wait_seconds=wait_seconds)


def send(
    environment: Environment,
    outputs: Outputs,
    *,
    wait_seconds: float = WAIT_SECONDS,
    way: Way | None = None,
    attributes: Mapping[str, str] | None = None,
    name: str = "probe",
) -> Sent:
    """Send spans of a ``name`` with these attributes until they are taken. Raises ``ProbeError``.

    ``way`` leads to a URL of the outputs; default: the one of the environment's target.
    """
    body, ids = _spans(environment, name, attributes)
    with _explained(environment), (way or partial(_way, environment))(outputs.otlp_http_endpoint) as found:
        _send(outputs, found, body, deadline=time.monotonic() + wait_seconds)
    return Sent(environment, tuple(ids))


def received(sent: Sent, outputs: Outputs, *, wait_seconds: float = WAIT_SECONDS, way: Way | None = None) -> Trace:
    """The first trace of sent spans that is stored, waited for by the same ``way``. Raises ``ProbeError``."""
    with _explained(sent.environment), (way or partial(_way, sent.environment))(outputs.query_url) as found:
        return _first(reached(outputs, *found), sent.ids, sent.environment, wait_seconds)


@contextmanager
def _explained(environment: Environment) -> Iterator[None]:
    """Add the next command to what failed on the way."""
    try:
        yield
    except ProbeError as error:
        raise ProbeError(f"{error}\nthen: look at what the gateway says: {_logs(environment)}") from None


@contextmanager
def _way(environment: Environment, url: str) -> Iterator[tuple[str, int]]:
    """Host and port that lead to a URL of the outputs from this machine; into a cluster, through its API server."""
    parts = urlsplit(url)
    host, port = str(parts.hostname), parts.port or (443 if parts.scheme == "https" else 80)
    target = environment.target
    if target.kind != "kubernetes" or not in_cluster(host):
        yield host, port
        return
    from stacks.deploy.cluster import forwarded

    service, namespace, *_ = host.split(".")
    with forwarded(target.context, namespace, service, port) as number:
        yield "127.0.0.1", number


def in_cluster(host: str) -> bool:
    """Whether a host is the name of a Service, which nothing outside of its cluster resolves."""
    return host.removesuffix(".cluster.local").endswith(".svc")


def _spans(environment: Environment, name: str = "probe", attributes: Mapping[str, str] | None = None) -> tuple[bytes, list[str]]:
    """A request of OTLP, and the ids of its traces: as many as it takes for one to be kept."""
    tail, now = environment.sampling.tail, time.time_ns()
    lasts = tail.slow + timedelta(seconds=1) if tail.slow is not None else timedelta(milliseconds=1)
    sure = tail.slow is not None or tail.errors or tail.baseline == 1
    # A share p of n spans is missed with probability (1 - p)^n; 10^-8 is less often than the daemon fails.
    count = 1 if sure else min(MOST_SPANS, math.ceil(math.log(1e-8) / math.log1p(-tail.baseline)))
    ids = [secrets.token_hex(16) for _ in range(count)]
    status = {"code": _ERROR, "message": "a probe, kept because it failed"} if tail.slow is None and tail.errors else {}
    start = now - round(lasts.total_seconds() * 1e9)
    spans = [
        {
            "traceId": trace_id,
            "spanId": secrets.token_hex(8),
            "name": name,
            "kind": 1,
            "startTimeUnixNano": str(start),
            "endTimeUnixNano": str(now),
            "status": status,
            "attributes": [{"key": key, "value": {"stringValue": value}} for key, value in (attributes or {}).items()],
        }
        for trace_id in ids
    ]
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": SERVICE}}]}
    return json.dumps({"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": spans}]}]}).encode(), ids


def _send(outputs: Outputs, way: tuple[str, int], body: bytes, *, deadline: float) -> None:
    """Post a request until it is taken; a server that has just come up may not listen yet."""
    while True:
        try:
            status, said = _post(outputs, way, body)
        except (OSError, http.client.HTTPException) as error:
            status, said = 0, str(error) or type(error).__name__
        if status // 100 == 2:  # noqa: PLR2004 - 2xx
            return
        if status // 100 == 4 or time.monotonic() > deadline:  # noqa: PLR2004 - 4xx: it would not be taken the next time either
            raise ProbeError(f"{outputs.otlp_http_endpoint}: does not take spans ({status or 'no answer'}: {said[:200]})")
        time.sleep(1)


def _post(outputs: Outputs, way: tuple[str, int], body: bytes) -> tuple[int, str]:
    parts = urlsplit(outputs.otlp_http_endpoint)
    connection = http.client.HTTPConnection(*way, timeout=REQUEST_SECONDS)
    headers = {"Content-Type": "application/json", "Host": parts.netloc}
    if outputs.otlp_token is not None:
        headers["Authorization"] = f"Bearer {outputs.otlp_token.get_secret_value()}"
    try:
        connection.connect()
        if parts.scheme == "https":
            trust = ssl.create_default_context(cadata=outputs.otlp_certificate)
            # The certificate is checked against the name that services use, wherever the way to it begins.
            connection.sock = trust.wrap_socket(connection.sock, server_hostname=parts.hostname)
        connection.request("POST", f"{parts.path.rstrip('/')}/v1/traces", body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode(errors="replace")
    finally:
        connection.close()


def _first(outputs: Outputs, ids: Sequence[str], environment: Environment, wait_seconds: float) -> Trace:
    deadline = time.monotonic() + wait_seconds + environment.sampling.tail.wait.total_seconds()
    last = "none was asked for"
    while time.monotonic() < deadline:
        for trace_id in ids:
            try:
                return fetch(outputs, trace_id, wait_seconds=0)
            except QueryError as error:
                last = str(error)
        time.sleep(0.5)
    raise ProbeError(f"{outputs.query_url}: the probe's span did not come out in time: {last}")


def _logs(environment: Environment) -> str:
    if environment.target.kind == "kubernetes":
        context = environment.target.context
        return f"kubectl --context {context} --namespace {environment.namespace} logs statefulset/gateway"
    return f"docker logs {environment.namespace}-gateway"
