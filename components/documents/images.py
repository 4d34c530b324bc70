"""Every server, its image and its version, named once."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from components.workload import Server

if TYPE_CHECKING:
    from collections.abc import Mapping

_CLEANER = "docker.io/jaegertracing/jaeger-es-index-cleaner"

SERVERS: Mapping[str, Server] = {
    server.program: server
    for server in (
        Server("otelcol-contrib", "docker.io/otel/opentelemetry-collector-contrib", "0.159.0", entrypoint="/otelcol-contrib"),
        Server("jaeger", "docker.io/jaegertracing/jaeger", "2.20.0"),
        Server("jaeger-es-index-cleaner", _CLEANER, "2.20.0", entrypoint="/go/bin/es-index-cleaner-linux"),
        Server("tempo", "docker.io/grafana/tempo", "3.0.3"),
        # Its image starts a script that takes other arguments.
        Server("grafana", "docker.io/grafana/grafana", "12.3.0", entrypoint="grafana"),
        Server("oauth2-proxy", "quay.io/oauth2-proxy/oauth2-proxy", "v7.15.6"),
    )
}
"""Servers by the name of their program."""

TOOLBOX = Server("busybox", "docker.io/library/busybox", "1.37.0-musl")
"""Program that starts servers which keep queues, and on a Docker host prepares volumes and checks health: static, so that it runs in the
servers' own images."""


SURROUNDINGS: Mapping[str, Server] = {
    "prometheus": Server("prometheus", "docker.io/prom/prometheus", "v3.16.0"),
    "kafka": Server("kafka", "docker.io/apache/kafka", "3.9.1"),
    "trial": Server("trial", "", "1"),
}
"""Servers that stand around a backbone when the shape of a cluster runs on one machine. ``trial`` is this repository's own."""

STORES: Mapping[str, Server] = {
    "cassandra": Server("cassandra", "docker.io/library/cassandra", "5.0.6"),
    "opensearch": Server("opensearch", "docker.io/opensearchproject/opensearch", "2.19.3"),
}
"""Stores that stand elsewhere, and beside a backbone in the shape of a cluster on one machine."""

TEST_SERVERS: Mapping[str, Server] = {
    "kube-apiserver": Server("kube-apiserver", "registry.k8s.io/kube-apiserver", "v1.36.3"),
    "promtool": Server("promtool", "docker.io/prom/prometheus", "v3.16.0"),
    "actionlint": Server("actionlint", "", "1.7.12"),
}
"""Servers and programs that only tests run. promtool checks rules of Prometheus, and actionlint workflows of GitHub Actions."""


def server(program: str, *, registry: str | None, digests: Mapping[str, str]) -> Server:
    """A server whose image comes from a mirror and is pinned by a digest, where there is one.

    A mirror stands in place of the host of the image's own registry, as containerd's and Harbor's proxies expect.
    """
    known = TOOLBOX if program == TOOLBOX.program else SERVERS[program]
    repository = known.repository
    if registry is not None:
        repository = f"{registry}/{repository.split('/', 1)[1]}"
    return replace(known, repository=repository, digest=digests.get(program))
