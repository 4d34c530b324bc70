"""Environments whose store or transport cannot work: what is changed in prod, and what must be said of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.stacks.environment.bad import Bad
from tests.stacks.environment.bad_environments import TOKEN
from tests.stacks.samples import ABSENT, AZURE, GCS

if TYPE_CHECKING:
    from collections.abc import Mapping

EXISTING = {"kind": "otlp", "endpoint": "https://store.example.org:4317", "ui_url": "https://ui.example.org"}
S3 = {"kind": "s3", "bucket": "traces", "endpoint": "s3.example.org"}
PLAINLY = EXISTING | {"endpoint": "http://store.example.org:4317"}
KAFKA = {"servers": ["kafka.example.org:9093"]}


def _backend(id_: str, key: str, backend: Mapping[str, object], wrong: str, right: str, **more: object) -> Bad:
    """A backend in place of prod's own, which has no user interface to guard."""
    access = {} if backend["kind"] == "tempo" else {"access": ABSENT}
    return Bad(id_, f"environment.{key}", wrong, right, {"backend": backend, **access, **more})


def _tempo(id_: str, key: str, storage: Mapping[str, object], wrong: str, right: str, **limits: object) -> Bad:
    return _backend(id_, f"backend.{key}", {"kind": "tempo", "storage": storage, "limits": limits}, wrong, right)


def _kafka(id_: str, key: str, section: Mapping[str, object], wrong: str, right: str, **more: object) -> Bad:
    changes = {"collectors.transport": "kafka", "collectors.kafka": {**KAFKA, **section}, **more}
    return Bad(id_, f"environment.collectors.{key}", wrong, right, changes)


NO_ANNOTATION = AZURE | {"service_account_annotations": {}}
TRANSPORTS = [
    _tempo(
        "largest trace below the expected", "limits.trace_size", GCS, "1Ki is less than a trace", 'write "1Mi" or more', trace_size="1Ki"
    ),
    _tempo("intake below what is kept", "limits.intake_rate", GCS, "1Ki is less than what", 'write "1Mi" or more', intake_rate="1Ki"),
    _tempo("burst below a batch", "limits.burst", GCS, "1Mi is less than what a gateway sends", 'write "2Mi" or more', burst="1Mi"),
    _tempo("account of Azure", "storage.account", AZURE | {"account": "My-Account"}, "not the name of a storage account", "3 to 24"),
    *(
        _tempo(f"bucket {name}", "storage.bucket", S3 | {"bucket": name}, "is not the name of a bucket", "no address")
        for name in ("a..b", "a.-b", "a-.b", "192.168.1.1")
    ),
    *(
        _tempo(f"bucket {name} of Google", "storage.bucket", GCS | {"bucket": name}, "that Google keeps", '"goog"')
        for name in ("goog-x", "our-google-traces", "g00gle-traces")
    ),
    *(
        _tempo(f"container {name}", "storage.bucket", AZURE | {"bucket": name}, "not the name of a container", 'single "-"')
        for name in ("a.b.c", "a--b", "-ab", "a" * 64)
    ),
    _tempo("emulator of Azure", "storage.endpoint", AZURE | {"endpoint": "azurite.example.org"}, "in plain HTTP", '"blob."'),
    _tempo("nobody on Azure", "storage.service_account_annotations", NO_ANNOTATION, "name no identity", "credentials_secret"),
    _tempo("client of a pod", "storage.client_id", AZURE | {"client_id": "0"}, "is of use with identity: node", "leave it out"),
    _backend("API without a URL", "backend.query_url", EXISTING | {"query_protocol": "tempo"}, "is missing", 'query_protocol: "none"'),
    _backend("URL without an API", "backend.query_protocol", EXISTING | {"query_url": "http://q"}, "asks nothing", 'write "jaeger" or'),
    _backend(
        "token of a store in clear",
        "backend.token_secret",
        PLAINLY | {"token_secret": "t"},
        "cross the network in clear",
        "an https endpoint",
    ),
    _backend("authority of nothing", "backend.ca_secret", PLAINLY | {"ca_secret": "t"}, "goes with TLS alone", "an https endpoint"),
    _backend("header without a Secret", "backend.headers_secret", EXISTING | {"secret_headers": ["x-key"]}, "is missing", "write both"),
    _backend("Secret without a header", "backend.secret_headers", EXISTING | {"headers_secret": "t"}, "is missing", "write both"),
    _backend(
        "two tokens",
        "backend.token_secret",
        EXISTING | {"token_secret": "t", "headers": {"authorization": "x"}},
        "is named too",
        "keep one",
    ),
    _backend(
        "header twice",
        "backend.headers.x-key",
        EXISTING | {"headers": {"x-key": "a"}, "headers_secret": "t", "secret_headers": ["x-key"]},
        "stands in backend.secret_headers too",
        "keep one",
    ),
    _backend("token of the intake", "backend.token_secret", EXISTING | {"token_secret": TOKEN}, "which services know", "one of its own"),
    _backend("header with a blank", "backend.headers.x key", EXISTING | {"headers": {"x key": "a"}}, "not the name of a header", "x-scope"),
    *(
        _backend(id_, "backend.headers.x-scope", EXISTING | {"headers": {"x-scope": value}}, "is not the value of a header", "of ASCII")
        for id_, value in (("header of two lines", "a\nb"), ("header of other letters", "größe"), ("header that rings", "a\x07b"))
    ),
    _backend(
        "header of gRPC with a sign", "backend.headers.x!", EXISTING | {"headers": {"x!": "a"}}, "no header of gRPC", "protocol: http"
    ),
    _backend("header of gRPC with a tab", "backend.headers.x", EXISTING | {"headers": {"x": "a\tb"}}, "has a tab", "write a blank"),
    _backend(
        "secret header of gRPC with a sign",
        "backend.secret_headers.0",
        EXISTING | {"headers_secret": "t", "secret_headers": ["x*"]},
        "no header of gRPC",
        "protocol: http",
    ),
    Bad(
        "tenant of other letters",
        "environment.monitoring.remote_write.tenant",
        "is not the value of a header",
        "of ASCII",
        {"monitoring.remote_write": {"url": "https://mimir.example.org/api/v1/push", "tenant": "größe"}},
    ),
    Bad("login before nothing", "environment.access", "no user interface to guard", "leave it out", {"backend": EXISTING}),
    Bad("Kafka that is not named", "environment.collectors.kafka", "is required", "its servers", {"collectors.transport": "kafka"}),
    _kafka("fewer partitions than gateways", "kafka.partitions", {"partitions": 2}, "fewer than the 3 gateways", "write 3 or more"),
    _kafka("session below a broker's least", "kafka.session_timeout", {"session_timeout": "2s"}, "out of the bounds", "6s to 30m"),
    _kafka("topic that forgets", "kafka.retention", {"retention": "1m"}, "spans could go before", 'write "3m" or more'),
    _kafka("authority of plain text", "kafka.ca_secret", {"tls": False, "ca_secret": "t"}, "of no use without TLS", "write tls: true"),
    _kafka(
        "password in clear",
        "kafka.sasl.mechanism",
        {"tls": False, "sasl": {"mechanism": "PLAIN", "secret": "t"}},
        "the password in clear",
        "write tls: true",
    ),
    _kafka("server without a port", "kafka.servers.0", {"servers": ["kafka"]}, "not a host with its port", "kafka.svc:9093"),
    _kafka("topic with a blank", "kafka.topic", {"topic": "my spans"}, "not the name of a topic", "200 at most"),
    _kafka(
        "queue that loses before Kafka",
        "agent.queue.when_full",
        {},
        "one queue to Kafka",
        'write "refuse"',
        **{"collectors.agent.queue.when_full": "lose"},
    ),
    _kafka(
        "no room for what is taken",
        "gateway.queue.size",
        {},
        "is less than the queue of a gateway",
        "or more",
        **{"collectors.gateway.queue.size": "64Mi"},
    ),
    _kafka(
        "more gateways than partitions",
        "gateway.autoscaling.max_replicas",
        {},
        "13 are more than the 12 partitions",
        "write 12 or less",
        **{"collectors.gateway.autoscaling": {"max_replicas": 13}},
    ),
    _kafka(
        "most gateways below the least",
        "gateway.autoscaling.max_replicas",
        {},
        "2 is less than the gateways",
        "write 3 or more",
        **{"collectors.gateway.autoscaling": {"max_replicas": 2}},
    ),
    _kafka(
        "gateways for nothing",
        "gateway.autoscaling.cpu",
        {},
        "0 % is not a whole percentage of 1 % or more",
        '"70 %"',
        **{"collectors.gateway.autoscaling": {"max_replicas": 4, "cpu": "0 %"}},
    ),
    _kafka(
        "a share of CPU that rounds to nothing",
        "gateway.autoscaling.cpu",
        {},
        "0.4 % is not a whole percentage of 1 % or more",
        '"1 %"',
        **{"collectors.gateway.autoscaling": {"max_replicas": 4, "cpu": "0.4 %"}},
    ),
    Bad(
        "gateways scaled without a topic",
        "environment.collectors.gateway.autoscaling",
        "agents that send directly have a share for each gateway",
        "write transport: kafka",
        {"collectors.gateway.autoscaling": {"max_replicas": 4}},
    ),
    Bad(
        "Kafka on one host",
        "environment.collectors.kafka",
        "of no use on one host",
        "leave it out",
        {"target": {"kind": "local"}, "collectors.kafka": KAFKA},
    ),
]
