"""A request to a server by a way that is not that of its name, and the trust that it is made with."""

from __future__ import annotations

import http.client
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stacks.verify.site import Way

ANSWER_SECONDS = 10.0
FAILURES = (OSError, http.client.HTTPException)
"""Failures of a request; a certificate that is not trusted is among them (``ssl.SSLCertVerificationError``)."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a request."""

    status: int
    headers: http.client.HTTPMessage
    text: str


def blind() -> ssl.SSLContext:
    """A trust in any certificate, for looking at one, or at what is behind it."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def ask(
    way: Way,
    path: str,
    *,
    trust: ssl.SSLContext | None,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
) -> Answer:
    """The answer to a request over TLS, or in plain text where ``trust`` is None. Redirects are not followed. Raises ``FAILURES``."""
    connection = http.client.HTTPConnection(way.host, way.port, timeout=ANSWER_SECONDS)
    try:
        connection.connect()
        if trust is not None:
            connection.sock = trust.wrap_socket(connection.sock, server_hostname=way.name)
        connection.request(method, path, body, {"Host": way.name} | dict(headers or {}))
        answer = connection.getresponse()
        return Answer(answer.status, answer.headers, answer.read().decode(errors="replace"))
    finally:
        connection.close()


def certificate(way: Way) -> bytes:
    """The certificate that a server shows, DER. Raises ``FAILURES``."""
    connection = http.client.HTTPConnection(way.host, way.port, timeout=ANSWER_SECONDS)
    try:
        connection.connect()
        connection.sock = shown = blind().wrap_socket(connection.sock, server_hostname=way.name)
        return shown.getpeercert(binary_form=True) or b""
    finally:
        connection.close()
