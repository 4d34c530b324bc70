"""A load of OTLP over HTTP whose every trace is known: when it was sent, when it was acknowledged, and how often.

It sends as services do: half of the spans of a trace from each of two nodes, with TLS and token, each request again after a failure
that says so, and given up after a while.
"""

from __future__ import annotations

import http.client
import queue
import ssl
import threading
import time
from contextlib import closing
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from stacks.trial.traces import Template, Trace, new_trace

TICK_SECONDS = 0.1
SENDERS = 16
"""Requests that may be under way to one agent at once."""
AGAIN = frozenset({429, 502, 503, 504})
"""Status codes that OTLP calls retryable (specification, "OTLP/HTTP Response")."""
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 5.0


@dataclass(frozen=True, slots=True)
class Intake:
    """Endpoints for services: the base URLs of OTLP over HTTP of all agents, the PEM of their authority and the token, if any."""

    urls: tuple[str, ...]
    certificate: str | None = None
    token: str | None = None


@dataclass(frozen=True, slots=True)
class Pace:
    """Amount of a load: traces per second, spans per trace, bytes per span, and its seconds.

    ``timeout_seconds`` is how long an answer is waited for (the OpenTelemetry default is 10 s), ``give_up_seconds`` how long a request is
    repeated.
    """

    traces_per_second: float
    seconds: float
    spans: int = 10
    span_bytes: int = 270
    timeout_seconds: float = 10.0
    give_up_seconds: float = 60.0


@dataclass(slots=True)
class Sent:
    """A trace that was sent. ``acknowledged`` is when its last part was, in seconds since 1970; None while one is not."""

    trace: Trace
    parts: int
    acknowledged: float | None = None


@dataclass(frozen=True, slots=True)
class _Request:
    body: bytes
    traces: tuple[Sent, ...]
    made: float


@dataclass
class Load:
    """Sends traces of ``service`` at a pace, from ``start`` until ``stop`` or the end of its seconds.

    ``sent`` has every trace in the order of their starts. ``attempts`` counts requests, ``repeated`` those that were sent again.
    """

    intake: Intake
    pace: Pace
    service: str
    sent: list[Sent] = field(default_factory=list)
    attempts: int = 0
    repeated: int = 0

    def __post_init__(self) -> None:
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._queues: list[queue.SimpleQueue[_Request | None]] = [queue.SimpleQueue() for _ in self.intake.urls]
        self._context = ssl.create_default_context(cadata=self.intake.certificate) if self.intake.certificate else None
        self._threads = [
            threading.Thread(target=self._send_all, args=(number,), name=f"load {number}", daemon=True)
            for number in range(len(self._queues))
            for _ in range(SENDERS)
        ]
        self._producer = threading.Thread(target=self._produce, name="load", daemon=True)

    def start(self) -> Load:
        """Begin to send, and return at once."""
        for thread in (self._producer, *self._threads):
            thread.start()
        return self

    def stop(self) -> None:
        """Make no more traces, and wait until those that were made are acknowledged or given up."""
        self._stopping.set()
        self.wait()

    def wait(self) -> None:
        """Wait until all traces were made, and acknowledged or given up."""
        self._producer.join()
        for thread in self._threads:
            thread.join()

    @property
    def acknowledged(self) -> list[Sent]:
        """The traces that were acknowledged whole."""
        return [sent for sent in list(self.sent) if sent.acknowledged is not None]

    def _produce(self) -> None:
        """Make the traces of each tick, half of the spans of each for one agent, half for the next."""
        pace, agents = self.pace, len(self._queues)
        cut = pace.spans // 2 if agents > 1 else pace.spans
        parts = [numbers for numbers in (range(cut), range(cut, pace.spans)) if numbers]
        templates = [Template(self.service, numbers, spans=pace.spans, span_bytes=pace.span_bytes) for numbers in parts]
        begun, made, tick = time.monotonic(), 0, 0
        while not self._stopping.is_set() and (passed := time.monotonic() - begun) < pace.seconds:
            wanted = int(min(passed, pace.seconds) * pace.traces_per_second) - made
            if wanted:
                made, tick = made + wanted, tick + 1
                traces = [Sent(new_trace(time.time_ns()), len(parts)) for _ in range(wanted)]
                self.sent.extend(traces)
                for number, template in enumerate(templates):
                    body = template.encode([sent.trace for sent in traces])
                    self._queues[(tick + number) % agents].put(_Request(body, tuple(traces), time.monotonic()))
            self._stopping.wait(TICK_SECONDS)
        for requests in self._queues:
            for _ in range(SENDERS):
                requests.put(None)

    def _send_all(self, number: int) -> None:
        """Send what is queued for one agent, until None comes, which stands for the end."""
        url = urlsplit(self.intake.urls[number])
        with closing(self._connection(url.hostname or "", url.port or 0)) as connection:
            # Without a timeout: in Python 3.11 `SimpleQueue.get` of several threads may wait for ever when its time is up as it looks.
            while (request := self._queues[number].get()) is not None:
                self._send(connection, request)

    def _connection(self, host: str, port: int) -> http.client.HTTPConnection:
        if self._context is not None:
            return http.client.HTTPSConnection(host, port, timeout=self.pace.timeout_seconds, context=self._context)
        return http.client.HTTPConnection(host, port, timeout=self.pace.timeout_seconds)

    def _send(self, connection: http.client.HTTPConnection, request: _Request) -> None:
        """Send until it is acknowledged, refused for good, or given up."""
        pause = FIRST_PAUSE_SECONDS
        while (status := self._post(connection, request.body)) is None or status in AGAIN:
            if time.monotonic() - request.made > self.pace.give_up_seconds:
                return
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
            with self._lock:
                self.repeated += 1
        if status == http.client.OK:
            now = time.time()
            with self._lock:
                for sent in request.traces:
                    sent.parts -= 1
                    if not sent.parts:
                        sent.acknowledged = now

    def _post(self, connection: http.client.HTTPConnection, body: bytes) -> int | None:
        """The status of an answer; None where there was none."""
        headers = {"Content-Type": "application/x-protobuf"}
        if self.intake.token:
            headers["Authorization"] = f"Bearer {self.intake.token}"
        with self._lock:
            self.attempts += 1
        try:
            connection.request("POST", "/v1/traces", body, headers)
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            connection.close()
            return None
        return answer.status
