"""Delivery of kept traces to a store: the collector's exporter, what secures it, and what it shows of itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from components.documents.text import Quoted

if TYPE_CHECKING:
    from collections.abc import Mapping

Part = dict[str, Any]


DELIVERY_SECONDS, DELIVERY_BYTES = 120, 2_097_152
"""Time for which a gateway waits for the backend's answer to a batch, and the largest batch. Ten are under way at once, which a backend
that writes synchronously takes most of a minute for after an outage. A batch that is sent again before that is written twice."""

LEAST_DELIVERY_BYTES, FLUSH_MILLISECONDS = 262_144, 200
"""Bytes, and age in ms, at which a batch is sent."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A store that takes OTLP: ``host:port`` with ``protocol: grpc``, a base URL with ``http``.

    ``name`` tells it from another store, None where it has none. ``authority`` and ``token`` are the paths of a PEM and of a bearer token.
    ``headers`` are sent as they are; of ``secret_headers`` each has its value in an environment variable. ``answer_seconds`` is how long
    the store may take to answer.
    ``least_bytes`` and ``most_bytes`` bound a batch, ``consumers`` is how many are under way at once, None for the exporter's own 10.
    """

    endpoint: str
    protocol: Literal["grpc", "http"] = "grpc"
    secured: bool = False
    authority: str | None = None
    token: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    secret_headers: Mapping[str, str] = field(default_factory=dict)
    answer_seconds: int = DELIVERY_SECONDS
    least_bytes: int = LEAST_DELIVERY_BYTES
    most_bytes: int = DELIVERY_BYTES
    consumers: int | None = None
    name: str | None = None

    @property
    def exporter(self) -> str:
        """Name of the exporter, under which its queue is on the disk: that of one store is found again when it is the only one."""
        return f"otlp_{self.protocol}" if self.name is None else f"otlp_{self.protocol}/{self.name}"

    @property
    def authenticator(self) -> str:
        """Name of the extension that sends the token; it reads a rotated one by itself."""
        return "bearertokenauth/backend" if self.name is None else f"bearertokenauth/{self.name}"

    def extensions(self) -> Part:
        """The extension with the token, where there is one."""
        return {self.authenticator: {"filename": self.token}} if self.token is not None else {}

    def part(self, sending: Part) -> Part:
        """The exporter's section with its queue and its retries."""
        variables = {name: Quoted(f"${{env:{variable}}}") for name, variable in self.secret_headers.items()}
        headers = {**self.headers, **variables}
        return {
            "endpoint": self.endpoint,
            **self._tls(),
            **({"headers": headers} if headers else {}),
            **({"auth": {"authenticator": self.authenticator}} if self.token is not None else {}),
            **sending,
        }

    def _tls(self) -> Part:
        if not self.secured:
            return {"tls": {"insecure": True}}
        return {"tls": {"ca_file": self.authority, "reload_interval": "1h"}} if self.authority is not None else {}
