"""A Waldur client whose requests are spans: the generated ``waldur-api-client``, on HTTP clients of our own.

Needs the extra ``virtengine-tracing[waldur]``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import httpx
from waldur_api_client import AuthenticatedClient

from tracing_lib.base import conventions
from tracing_lib.instrument.http_spans import CLIENT_ERRORS, set_status
from tracing_lib.instrument.remote.calls import client_span
from tracing_lib.instrument.source import TracerSource
from tracing_lib.propagation.baggage import inject

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

    from opentelemetry.trace import Span, TracerProvider
    from opentelemetry.util.types import AttributeValue

REQUEST_ID: Final = "virtengine.waldur.request_id"
RESOURCE_TYPE: Final = "virtengine.waldur.resource_type"
OBJECT_UUID: Final = "virtengine.waldur.uuid"

_LITERAL: Final = re.compile(r"[a-z][a-z_-]*[a-z]")
_HEX_UUID: Final = re.compile(r"[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def route_of(path: str) -> str:
    """Return the template of a Waldur path: words stay, a UUID becomes ``{uuid}``, anything else ``{key}``.

    Waldur's routes are ``/api/<collection>/{uuid}/<action>/`` throughout (read in waldur-api-client 8.1.3).
    """
    parts = []
    for part in path.split("/"):
        if not part or _LITERAL.fullmatch(part):
            parts.append(part)
        else:
            parts.append("{uuid}" if _HEX_UUID.fullmatch(part.lower()) else "{key}")
    return "/".join(parts)


def _described(request: httpx.Request) -> tuple[str, dict[str, AttributeValue]]:
    path = request.url.path
    template = route_of(path)
    described: dict[str, AttributeValue] = {
        conventions.HTTP_REQUEST_METHOD: request.method,
        conventions.URL_TEMPLATE: template,
        conventions.SERVER_ADDRESS: request.url.host,
        conventions.SERVER_PORT: request.url.port or (443 if request.url.scheme == "https" else 80),
    }
    collection = template.removeprefix("/api/").partition("/")[0]
    if _LITERAL.fullmatch(collection):
        described[RESOURCE_TYPE] = collection
    if found := next((part for part in path.lower().split("/") if _HEX_UUID.fullmatch(part)), None):
        described[OBJECT_UUID] = str(UUID(found))
    return f"{request.method} {template}", described


def _answered(span: Span, response: httpx.Response) -> None:
    set_status(span, response.status_code, CLIENT_ERRORS)
    if request_id := response.headers.get("x-request-id"):
        span.set_attribute(REQUEST_ID, request_id)


class TracedHttpClient(httpx.Client):
    """``httpx.Client`` with a client span for each request of a Waldur client."""

    def __init__(self, source: TracerSource, **options: Any) -> None:  # noqa: ANN401  httpx's own
        super().__init__(**options)
        self._source = source

    def send(self, request: httpx.Request, **options: Any) -> httpx.Response:  # noqa: ANN401  httpx's own
        """Send a request in a span. Raises httpx's errors."""
        name, described = _described(request)
        with client_span(self._source, name, described) as span:
            inject(request.headers, to=str(request.url))
            response = super().send(request, **options)
            _answered(span, response)
            return response


class TracedAsyncHttpClient(httpx.AsyncClient):
    """``httpx.AsyncClient`` with a client span for each request of a Waldur client."""

    def __init__(self, source: TracerSource, **options: Any) -> None:  # noqa: ANN401  httpx's own
        super().__init__(**options)
        self._source = source

    async def send(self, request: httpx.Request, **options: Any) -> httpx.Response:  # noqa: ANN401  httpx's own
        """Send a request in a span. Raises httpx's errors."""
        name, described = _described(request)
        with client_span(self._source, name, described) as span:
            inject(request.headers, to=str(request.url))
            response = await super().send(request, **options)
            _answered(span, response)
            return response


def waldur_client(
    base_url: str,
    token: str,
    *,
    timeout_seconds: float = 30.0,
    verify: bool | str | ssl.SSLContext = True,
    httpx_options: Mapping[str, Any] | None = None,
    tracer_provider: TracerProvider | None = None,
) -> AuthenticatedClient:
    """Return a client for the functions of ``waldur_api_client.api``, plain and asynchronous, whose every request is a span.

    ``base_url`` is Waldur's address without ``/api``; ``timeout_seconds`` limits connecting, and each wait for data; ``verify`` is
    httpx's. Spans go to ``tracer_provider``, by default the global one; they are named by route, and hold neither query nor body.
    """
    options = {
        "base_url": base_url,
        "headers": {"Authorization": f"Token {token}"},
        "timeout": timeout_seconds,
        "verify": verify,
        **(httpx_options or {}),
    }
    source = TracerSource("tracing_lib.instrument.remote.waldur", tracer_provider)
    client = AuthenticatedClient(base_url=base_url, token=token)
    client.set_httpx_client(TracedHttpClient(source, **options))
    client.set_async_httpx_client(TracedAsyncHttpClient(source, **options))
    return client
