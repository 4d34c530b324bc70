"""Settings of a store that is there already and takes OTLP: a Tempo of its own chart, or a managed service."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from stacks.environment.hosts import BaseUrl, HeaderName, HeaderValue
from stacks.environment.store_section import StoreSection
from stacks.environment.units import ObjectName


class Otlp(StoreSection):
    """A store that is there already, of which nothing is deployed here. Its retention, its limits and its user interface are its own."""

    kind: Literal["otlp"] = Field(title="backend")
    """Kind of the backend."""
    endpoint: BaseUrl = Field(title="endpoint of the backend", examples=["https://otlp.example.org:4317"])
    """URL of its OTLP intake, with the port on which it listens, because policies see that one; `https` is TLS. With `protocol: http`
    the path `/v1/traces` is added. Required."""
    protocol: Literal["grpc", "http"] = Field(default="grpc", title="protocol of the backend")
    """Transport of OTLP. Default: `grpc`, which every store of traces takes."""
    ui_url: BaseUrl = Field(title="user interface of the backend", examples=["https://grafana.example.org"])
    """Address at which people look at traces. Required: no user interface is deployed here."""
    query_url: BaseUrl | None = Field(default=None, title="query API of the backend", examples=["https://tempo.example.org"])
    """Base URL of the API by which `trace`, `story`, `verify`, `export` and `rehearse` read traces. Required unless `query_protocol` is
    `none`; the headers that it asks for come from the variable `VIRTENGINE_TRACING_QUERY_HEADERS` of whoever reads. Default: none."""
    query_protocol: Literal["jaeger", "tempo", "none"] = Field(default="none", title="query protocol of the backend")
    """API at `query_url`: that of Jaeger v2 or that of Tempo. Default: `none`, since a managed service may have neither; the verbs that
    read traces then say so and name its user interface."""
    ca_secret: ObjectName | None = Field(default=None, title="authority of the backend", examples=["store-ca"])
    """Secret with the entry `ca.crt`, the PEM of the authority behind the certificate of the intake. Default: none, the public
    authorities."""
    token_secret: ObjectName | None = Field(default=None, title="token of the backend", examples=["store-token"])
    """Secret with the entry `token`, sent as bearer token; a rotated one is taken without a restart. Default: none."""
    headers: dict[HeaderName, HeaderValue] = Field(
        default_factory=dict, title="header to the backend", examples=[{"x-scope-orgid": "virtengine"}]
    )
    """Headers of each request whose values are no secrets, such as a tenant. Default: none."""
    headers_secret: ObjectName | None = Field(default=None, title="secret headers to the backend", examples=["store-headers"])
    """Secret with an entry for each of `secret_headers`, named as the header. Default: none."""
    secret_headers: tuple[HeaderName, ...] = Field(default=(), title="names of secret headers to the backend", strict=False)
    """Headers of each request whose values are in `headers_secret`, such as a key of an account. Default: none."""
