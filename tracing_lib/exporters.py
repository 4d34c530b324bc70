"""How ended spans are sent: the stock OTLP exporters, made from settings alone, with an account of what was delivered."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from tracing_lib.errors import SettingsError, explain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.sdk.trace import ReadableSpan

    from tracing_lib.settings import TracingSettings


class AccountingExporter(SpanExporter):
    """An exporter that counts what the collector acknowledged, and that refuses at once when it has been shut down.

    ``resources`` is closed with the exporter. Exports come one at a time (the batch processor holds a lock), shutdown from any thread.
    """

    def __init__(self, inner: SpanExporter, resources: ExitStack) -> None:
        self._inner = inner
        self._resources = resources
        self._closed = False
        self.delivered = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send the spans; ``FAILURE`` after the inner exporter's retries and time-out, or at once after ``shutdown``."""
        if self._closed:
            return SpanExportResult.FAILURE
        result = self._inner.export(spans)
        if result is SpanExportResult.SUCCESS:
            self.delivered += len(spans)
        return result

    def shutdown(self) -> None:
        """Close, and wake an export that waits to retry. Later calls do nothing."""
        if self._closed:
            return
        self._closed = True
        self._inner.shutdown()
        self._resources.close()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:  # noqa: ARG002  the interface's
        """Return true: nothing is held here."""
        return True


def build_exporter(settings: TracingSettings) -> AccountingExporter:
    """Return the exporter for the protocol that the settings name.

    Raises ``SettingsError`` when it is gRPC and its package is not installed.
    """
    with ExitStack() as stack:
        inner = _grpc(settings) if settings.protocol == "grpc" else _http(settings, stack)
        return AccountingExporter(inner, stack.pop_all())


def _headers(settings: TracingSettings) -> dict[str, str]:
    headers = {name: value.get_secret_value() for name, value in settings.headers.items()}
    if settings.token is not None:
        headers["authorization"] = f"Bearer {settings.token.get_secret_value()}"
    return headers


def _http(settings: TracingSettings, stack: ExitStack) -> SpanExporter:
    # Imported here because it brings `requests`, which a service on gRPC does not need.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    from tracing_lib.http_session import SettingsSession

    certificate_file = None
    if settings.certificate is not None:
        # `requests` takes CA certificates by path only, and reads them at every new connection.
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="virtengine-tracing-"))
        path = Path(folder) / "ca.pem"
        path.write_text(settings.certificate, encoding="utf-8")
        certificate_file = str(path)
    return OTLPSpanExporter(
        endpoint=f"{settings.endpoint.rstrip('/')}/v1/traces",
        certificate_file=certificate_file,
        headers=_headers(settings),
        timeout=settings.export_timeout_seconds,
        session=SettingsSession(),
    )


def _grpc(settings: TracingSettings) -> SpanExporter:
    try:
        import grpc
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
    except ImportError:
        wrong = "is grpc, and the gRPC exporter is not installed"
        right = "the extra virtengine-tracing[grpc], or protocol http/protobuf"
        raise SettingsError(explain("TracingSettings.protocol", wrong, right, "pip install 'virtengine-tracing[grpc]'")) from None
    credentials = None
    if settings.endpoint.startswith("https:"):
        credentials = grpc.ssl_channel_credentials(settings.certificate.encode() if settings.certificate else None)
    return OTLPSpanExporter(
        endpoint=settings.endpoint,
        insecure=credentials is None,
        credentials=credentials,
        headers=_headers(settings),
        timeout=settings.export_timeout_seconds,
    )
