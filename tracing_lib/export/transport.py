"""How a request leaves: OTLP over HTTP or gRPC, one attempt at a time, and what its answer means.

Whether to try again, and when, is the specification's word (OTLP, "OTLP/HTTP Response" and "OTLP/gRPC Response"); trying again is done
in ``delivery``.
"""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

from tracing_lib.base.errors import SettingsError, explain
from tracing_lib.base.responses import CHUNK_BYTES, TooLongAnswerError, read_answer, rejected_spans, retry_after
from tracing_lib.export.accounts import REJECTED
from tracing_lib.export.retry_info import retry_info

if TYPE_CHECKING:
    from collections.abc import Sequence

    import grpc
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.export import SpanExporter
    from urllib3 import BaseHTTPResponse

    from tracing_lib.base.http_session import Poster, SettingsSession
    from tracing_lib.contract.settings import TracingSettings

_METHOD: Final = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
_OK: Final = 200
_OTHER_THAN_SUCCESS: Final = 300
_RETRYABLE_HTTP: Final = frozenset({429, 502, 503, 504})
_THROTTLING_HTTP: Final = frozenset({429, 503})
_RETRYABLE_GRPC: Final = frozenset({"CANCELLED", "DEADLINE_EXCEEDED", "ABORTED", "OUT_OF_RANGE", "UNAVAILABLE", "DATA_LOSS"})
_GZIP_LEVEL: Final = 1
"""Spans repeat themselves: level 1 finds most of that, and 6 takes three times as long for a tenth less."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one attempt came to."""

    kind: Literal["accepted", "again", "refused"]
    """Whether the collector has the request, may be asked again, or will never take it."""
    why: str = ""
    """The answer in words, for the log."""
    reason: str = ""
    """Under which name refused spans are accounted."""
    rejected: int = 0
    """Spans that were rejected in an accepted request (partial success)."""
    after_seconds: float | None = None
    """The pause that the collector asks for. None: it asks for none."""
    throttled: bool = False
    """Whether the collector says that it has too much to do, rather than being away."""


class Sender(Protocol):
    """Sends requests, one at a time, from the one thread that delivers."""

    def send(self, request: Any, seconds: float) -> Outcome:  # noqa: ANN401  bytes, or spans for the stock exporter
        """Send a request; take about so many seconds at most. Raises nothing that can be foreseen."""
        ...

    def close(self) -> None:
        """Close, from any thread, and wake ``send`` where the transport can. Later calls do nothing."""
        ...


def build_sender(settings: TracingSettings) -> Sender:
    """Return the sender for the protocol and the exporter that the settings name; nothing is connected before the first request.

    Raises ``SettingsError`` when it is gRPC and its package is not installed.
    """
    if settings.exporter == "stock":
        return StockSender(settings)
    return GrpcSender(settings) if settings.protocol == "grpc" else HttpSender(settings)


def _headers(settings: TracingSettings) -> dict[str, str]:
    headers = {name: value.get_secret_value() for name, value in settings.headers.items()}
    if settings.token is not None:
        headers["authorization"] = f"Bearer {settings.token.get_secret_value()}"
    return headers


class HttpSender:
    """OTLP over HTTP on one connection that is kept."""

    def __init__(self, settings: TracingSettings) -> None:
        # Imported here because it brings `requests`, which a service on gRPC does not need.
        from urllib3.exceptions import HTTPError

        from tracing_lib.base.http_session import SettingsSession

        self._open = SettingsSession
        self._error = HTTPError
        self._url = f"{settings.endpoint.rstrip('/')}/v1/traces"
        self._headers = {**_headers(settings), "content-type": "application/x-protobuf"}
        self._gzip = settings.compression == "gzip"
        if self._gzip:
            self._headers["content-encoding"] = "gzip"
        self._certificate = settings.certificate
        self._session: SettingsSession | None = None
        self._poster: Poster | None = None

    def send(self, request: bytes, seconds: float) -> Outcome:
        """Post a request; an answer that does not come in time counts as a collector that is away."""
        body = gzip.compress(request, _GZIP_LEVEL) if self._gzip else request
        try:
            poster = self._poster or self._connect()
            with poster.post(body, seconds) as response:
                return self._outcome(response, seconds)
        except (self._error, OSError) as error:  # `requests` derives its own from the latter
            return Outcome("again", f"no answer ({type(error).__name__})")

    def _connect(self) -> Poster:
        if self._session is None:
            self._session = self._open(self._certificate)
        self._poster = self._session.poster(self._url, self._headers)
        return self._poster

    @staticmethod
    def _outcome(response: BaseHTTPResponse, seconds: float) -> Outcome:
        try:
            answer = read_answer(response.stream(CHUNK_BYTES, decode_content=True), seconds)
        except TooLongAnswerError:
            answer = b""  # the status was said before
        status = response.status
        if _OK <= status < _OTHER_THAN_SUCCESS:
            rejected, message = rejected_spans(answer)
            return Outcome("accepted", message, REJECTED, rejected)
        if status in _RETRYABLE_HTTP:
            after = retry_after(response.headers.get("retry-after"))
            return Outcome("again", f"HTTP {status}", after_seconds=after, throttled=status in _THROTTLING_HTTP)
        return Outcome("refused", f"HTTP {status}", f"http_{status}")

    def close(self) -> None:
        """Close the connection. A request that hangs is left to its thread."""
        if self._session is not None:
            self._session.close()


class GrpcSender:
    """OTLP over gRPC: bytes in, bytes out, on a channel of its own."""

    def __init__(self, settings: TracingSettings) -> None:
        try:
            import grpc
        except ImportError:
            raise _without_grpc() from None
        self._grpc = grpc
        self._settings = settings
        self._metadata = tuple(_headers(settings).items())
        self._compression = grpc.Compression.Gzip if settings.compression == "gzip" else grpc.Compression.NoCompression
        self._channel: grpc.Channel | None = None
        self._call: Any = None

    def _connect(self) -> None:
        target = self._settings.endpoint.split("://", 1)[1].rstrip("/")
        # Else gRPC itself tries again, behind the back of the accounts' clock.
        options = [("grpc.enable_retries", 0)]
        if self._settings.endpoint.startswith("https:"):
            certificate = self._settings.certificate
            credentials = self._grpc.ssl_channel_credentials(certificate.encode() if certificate else None)
            self._channel = self._grpc.secure_channel(target, credentials, options, self._compression)
        else:
            self._channel = self._grpc.insecure_channel(target, options, self._compression)
        self._call = self._channel.unary_unary(_METHOD, request_serializer=None, response_deserializer=None)

    def send(self, request: bytes, seconds: float) -> Outcome:
        """Call the collector; ``RESOURCE_EXHAUSTED`` may be tried again only when the answer says after which pause."""
        if self._call is None:
            self._connect()
        try:
            answer = self._call(request, timeout=seconds, metadata=self._metadata)
        except self._grpc.RpcError as error:
            return self._failed(error)
        except ValueError:  # the channel was closed meanwhile
            return Outcome("again", "no answer (the channel is closed)")
        rejected, message = rejected_spans(answer)
        return Outcome("accepted", message, REJECTED, rejected)

    def _failed(self, error: grpc.RpcError) -> Outcome:
        code = error.code().name
        after = retry_info(error)
        throttled = code == "RESOURCE_EXHAUSTED" or after is not None
        if code in _RETRYABLE_GRPC or (code == "RESOURCE_EXHAUSTED" and after is not None):
            return Outcome("again", f"gRPC {code}", after_seconds=after, throttled=throttled)
        return Outcome("refused", f"gRPC {code}", f"grpc_{code.lower()}", throttled=throttled)

    def close(self) -> None:
        """Close the channel, which ends a call that is under way."""
        if self._channel is not None:
            self._channel.close()


class StockSender:
    """OpenTelemetry's own OTLP exporter, which encodes and tries again by itself."""

    def __init__(self, settings: TracingSettings) -> None:
        from opentelemetry.sdk.trace.export import SpanExportResult

        self._success = SpanExportResult.SUCCESS
        self._closed = False
        self._session: SettingsSession | None = None
        self._inner = self._grpc(settings) if settings.protocol == "grpc" else self._http(settings)

    def _http(self, settings: TracingSettings) -> SpanExporter:
        from opentelemetry.exporter.otlp.proto.http import Compression
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        from tracing_lib.base.http_session import SettingsSession

        self._session = SettingsSession(settings.certificate)
        return OTLPSpanExporter(
            endpoint=f"{settings.endpoint.rstrip('/')}/v1/traces",
            certificate_file=self._session.certificate_path,
            headers=_headers(settings),
            timeout=settings.export_timeout_seconds,
            compression=Compression.Gzip if settings.compression == "gzip" else Compression.NoCompression,
            session=self._session,
        )

    def _grpc(self, settings: TracingSettings) -> SpanExporter:
        try:
            import grpc
            from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
        except ImportError:
            raise _without_grpc() from None
        credentials = None
        if settings.endpoint.startswith("https:"):
            credentials = grpc.ssl_channel_credentials(settings.certificate.encode() if settings.certificate else None)
        return OTLPSpanExporter(
            endpoint=settings.endpoint,
            insecure=credentials is None,
            credentials=credentials,
            headers=_headers(settings),
            timeout=settings.export_timeout_seconds,
            compression=grpc.Compression.Gzip if settings.compression == "gzip" else grpc.Compression.NoCompression,
        )

    def send(self, request: Sequence[ReadableSpan], seconds: float) -> Outcome:  # noqa: ARG002  it has a time-out of its own
        """Export spans; a failure is final, for the exporter has tried again already."""
        if self._closed or self._inner.export(request) is not self._success:
            return Outcome("refused", "the stock exporter gave up", "export_failed")
        return Outcome("accepted")

    def close(self) -> None:
        """Close, and wake an export that waits to retry."""
        if not self._closed:
            self._closed = True
            self._inner.shutdown()
            if self._session is not None:
                self._session.close()


def _without_grpc() -> SettingsError:
    wrong = "is grpc, and the gRPC exporter is not installed"
    right = "the extra virtengine-tracing[grpc], or protocol http/protobuf"
    return SettingsError(explain("TracingSettings.protocol", wrong, right, "pip install 'virtengine-tracing[grpc]'"))
