"""Transport of one request, by OTLP over HTTP or gRPC, and the meaning of its response.

Whether to try again, and after which pause, follows the OTLP specification ("OTLP/HTTP Response" and "OTLP/gRPC Response"). The
processor tries again.
"""

from __future__ import annotations

import gzip
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from tracing_lib.base.errors import SettingsError, explain
from tracing_lib.base.responses import CHUNK_BYTES, TooLongAnswerError, read_answer, rejected_spans, retry_after
from tracing_lib.export.accounts import REJECTED

if TYPE_CHECKING:
    import grpc
    from urllib3 import BaseHTTPResponse

    from tracing_lib.contract.settings import TracingSettings

_METHOD: Final = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
_SUCCESS: Final = range(200, 300)
_RETRYABLE_HTTP: Final = frozenset({429, 502, 503, 504})
_THROTTLING_HTTP: Final = frozenset({429, 503})
_RETRYABLE_GRPC: Final = frozenset({"CANCELLED", "DEADLINE_EXCEEDED", "ABORTED", "OUT_OF_RANGE", "UNAVAILABLE", "DATA_LOSS"})
_TOO_LARGE_HTTP: Final = 413
_TOO_LARGE_GRPC: Final = "larger than max"
"""In the details of ``RESOURCE_EXHAUSTED``, by every implementation of gRPC."""
_DETAILS_FIELD: Final = 3
_GZIP_LEVEL: Final = 1
"""Spans repeat themselves: level 1 finds most of that, and 6 takes three times as long for a tenth less."""


@dataclass(frozen=True, slots=True)
class ExportResult:
    """The result of one attempt."""

    kind: Literal["accepted", "again", "smaller", "refused"]
    """Whether the collector has the request, may be asked again, may take its spans in smaller requests, or will never take it."""
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


def build_transport(settings: TracingSettings) -> HttpTransport | GrpcTransport:
    """Return the transport for the protocol of the settings. It connects at the first request, and is for one thread, save ``close``.

    Raises ``SettingsError`` when the protocol is gRPC and its package is not installed.
    """
    return GrpcTransport(settings) if settings.protocol == "grpc" else HttpTransport(settings)


def request_headers(settings: TracingSettings) -> dict[str, str]:
    """Return the headers, or for gRPC the metadata, of every request: those of the settings, and the token."""
    headers = {name: value.get_secret_value() for name, value in settings.headers.items()}
    if settings.token is not None:
        headers["authorization"] = f"Bearer {settings.token.get_secret_value()}"
    return headers


class HttpTransport:
    """OTLP over HTTP on one connection that is kept."""

    def __init__(self, settings: TracingSettings) -> None:
        # Imported here because it brings `urllib3`, which a service on gRPC does not need.
        from tracing_lib.base.http_session import UNREACHABLE, SettingsSession

        self._unreachable = UNREACHABLE
        self._url = f"{settings.endpoint.rstrip('/')}/v1/traces"
        self._headers = {**request_headers(settings), "content-type": "application/x-protobuf"}
        self._gzip = settings.compression == "gzip"
        if self._gzip:
            self._headers["content-encoding"] = "gzip"
        self._session = SettingsSession(settings.certificate)
        self._closed = False

    def send(self, request: bytes, seconds: float) -> ExportResult:
        """Post a request; an answer that does not come in time counts as a collector that is away."""
        if self._closed:  # the session would connect anew
            return ExportResult("again", "no answer (the connection is closed)")
        body = gzip.compress(request, _GZIP_LEVEL) if self._gzip else request
        try:
            with closing(self._session.request("POST", self._url, body, headers=self._headers, seconds=seconds)) as response:
                return self._outcome(response, seconds)
        except self._unreachable as error:
            return ExportResult("again", f"no answer ({type(error).__name__})")

    @staticmethod
    def _outcome(response: BaseHTTPResponse, seconds: float) -> ExportResult:
        try:
            answer = read_answer(response.stream(CHUNK_BYTES), seconds)
        except TooLongAnswerError:
            answer = b""  # the status was said before
        status = response.status
        if status in _SUCCESS:
            rejected, message = rejected_spans(answer)
            return ExportResult("accepted", message, REJECTED, rejected)
        if status in _RETRYABLE_HTTP:
            after = retry_after(response.headers.get("retry-after"))
            return ExportResult("again", f"HTTP {status}", after_seconds=after, throttled=status in _THROTTLING_HTTP)
        return ExportResult("smaller" if status == _TOO_LARGE_HTTP else "refused", f"HTTP {status}", f"http_{status}")

    def close(self) -> None:
        """Close the connection. A request that hangs is left to its thread."""
        self._closed = True
        self._session.close()


class GrpcTransport:
    """OTLP over gRPC: bytes in, bytes out, on a channel of its own."""

    def __init__(self, settings: TracingSettings) -> None:
        try:
            import grpc
        except ImportError:
            wrong = "is grpc, and the gRPC exporter is not installed"
            right = "the extra virtengine-tracing[grpc], or protocol http/protobuf"
            raise SettingsError(explain("TracingSettings.protocol", wrong, right, "pip install 'virtengine-tracing[grpc]'")) from None
        self._grpc = grpc
        self._settings = settings
        self._metadata = tuple(request_headers(settings).items())
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

    def send(self, request: bytes, seconds: float) -> ExportResult:
        """Call the collector; ``RESOURCE_EXHAUSTED`` may be tried again only when the answer says after which pause."""
        if self._call is None:
            self._connect()
        try:
            answer = self._call(request, timeout=seconds, metadata=self._metadata)
        except self._grpc.RpcError as error:
            return self._failed(error)
        except ValueError:  # the channel was closed meanwhile
            return ExportResult("again", "no answer (the channel is closed)")
        rejected, message = rejected_spans(answer)
        return ExportResult("accepted", message, REJECTED, rejected)

    def _failed(self, error: grpc.RpcError) -> ExportResult:
        code = error.code().name
        after = _retry_info(error)
        too_large = code == "RESOURCE_EXHAUSTED" and _TOO_LARGE_GRPC in (error.details() or "")
        throttled = not too_large and (code == "RESOURCE_EXHAUSTED" or after is not None)
        if code in _RETRYABLE_GRPC or (code == "RESOURCE_EXHAUSTED" and after is not None):
            return ExportResult("again", f"gRPC {code}", after_seconds=after, throttled=throttled)
        return ExportResult("smaller" if too_large else "refused", f"gRPC {code}", f"grpc_{code.lower()}", throttled=throttled)

    def close(self) -> None:
        """Close the channel, which ends a call that is under way."""
        if self._channel is not None:
            self._channel.close()


def _retry_info(error: grpc.RpcError) -> float | None:
    """Return the seconds that a ``google.rpc.RetryInfo`` among the details of a gRPC error asks to wait; None without one."""
    details = next((pair.value for pair in error.trailing_metadata() or () if pair.key == "grpc-status-details-bin"), None)
    if details is None:
        return None
    from google.protobuf.any_pb2 import Any as Detail
    from google.protobuf.empty_pb2 import Empty
    from google.protobuf.message import DecodeError
    from google.protobuf.unknown_fields import UnknownFieldSet  # not google.rpc.Status: Pulumi has its own, and a process can load one
    from google.rpc.error_details_pb2 import RetryInfo  # type: ignore[import-untyped]  # googleapis-common-protos has no types

    info = RetryInfo()
    with suppress(DecodeError, TypeError):
        for field in UnknownFieldSet(Empty.FromString(details)):  # type: ignore[attr-defined]  # not in its stub
            if field.field_number == _DETAILS_FIELD and Detail.FromString(field.data).Unpack(info):
                return float(info.retry_delay.seconds + info.retry_delay.nanos / 1e9)
    return None
