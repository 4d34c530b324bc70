"""Addresses of servers: a slash at the end means nothing where paths are joined, and one server has one spelling."""

from __future__ import annotations

from operator import attrgetter

import pytest

from stacks.environment.hosts import one_spelling
from tests.stacks import samples

SEARCH = {"kind": "opensearch", "servers": ["https://search.example.org:9200/"]}


@pytest.mark.parametrize(
    ("base", "key", "written"),
    [
        ("prod-otlp", "backend.endpoint", "https://store.example.org:4318/otlp/"),
        ("prod-otlp", "backend.ui_url", "https://grafana.example.org/"),
        ("prod-otlp", "backend.query_url", "https://tempo.example.org//"),
        ("prod", "monitoring.prometheus", "http://prometheus.monitoring.svc:9090/"),
        ("prod-tempo", "monitoring.loki", "http://loki.logging.svc:3100/"),
    ],
)
def test_an_address_that_paths_are_joined_to_ends_without_a_slash(base: str, key: str, written: str) -> None:
    assert attrgetter(key)(samples.named(base, {key: written}).environment) == written.rstrip("/")


def test_the_cleaner_asks_a_server_that_is_written_with_a_slash_for_paths_with_one() -> None:
    plan = samples.planned("prod-opensearch", changes={"backend.storage": SEARCH})
    (cleaner,) = plan.jobs
    assert cleaner.arguments[-1] == "https://search.example.org:9200"


def test_an_issuer_keeps_its_slash_because_tokens_name_it_so() -> None:
    named = samples.named("prod", {"access.oidc_issuer": "https://login.example.org/"})
    assert named.environment.access is not None
    assert named.environment.access.oidc_issuer == "https://login.example.org/"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://os.x.de:9200", "https://os.x.de:9200/"),
        ("https://os.x.de:9200", "https://OS.X.de:9200"),
        ("https://os.x.de:9200", "https://os.x.de.:9200"),
        ("https://os.x.de", "https://os.x.de:443"),
        ("http://os.x.de", "http://os.x.de:80"),
        ("https://os.x.de:9200", "http://os.x.de:9200"),
        ("https://[fd00::1]:9200", "https://[fd00:0:0::1]:9200"),
        ("c0.db.svc:9042", "c0.db.svc:09042"),
    ],
)
def test_spellings_of_one_server_are_one(one: str, other: str) -> None:
    assert one_spelling(one) == one_spelling(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("https://os.x.de", "https://os.x.de:9200"), ("https://x.de/a", "https://x.de/b"), ("c0:9042", "c1:9042"), ("c0:9042", "c0:9043")],
)
def test_servers_that_are_two_stay_so(one: str, other: str) -> None:
    assert one_spelling(one) != one_spelling(other)


def test_headers_that_http_alone_can_send_are_right_with_http() -> None:
    headers = {"x!": "a\tb"}
    named = samples.named("prod-otlp", {"backend.protocol": "http", "backend.headers": headers})
    assert named.environment.backend.model_dump()["headers"] == headers
