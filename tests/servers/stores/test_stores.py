"""Real stores: what one Jaeger writes another shows, a killed one takes nothing along, and a retention ends what it is to end."""

from __future__ import annotations

import http.client
import json
import threading
import time
import urllib.error
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from components.local.jobs import run_once
from stacks.environment.sections import Retention
from stacks.environment.store_rules import too_long
from stacks.placement.small_store import with_own_store
from stacks.plan.addresses import OnKubernetes
from stacks.plan.trace_stores import jobs
from tests.servers.stores.running import Exporter, Sent, asked, before, found, reading, request, running, searched, spans_of
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from stacks.environment.source import Named
    from tests.servers.stores.running import Servers

SECONDS, REQUESTS_PER_SECOND, TRACES, SPANS = 5, 10, 10, 10
"""1,000 spans/s, in requests of ten traces."""
DAY = 86_400
SHORT_SECONDS = 15
"""A time to live that a test can wait for; an environment takes a minute or more."""


def new() -> str:
    return uuid4().hex


def appears(host: str, trace: str) -> None:
    """Wait until the three spans of a trace are found."""
    until(lambda: spans_of(host, trace) == 3, f"{trace} at {host}", every=0.3)


def what_one_writes_all_show(servers: Servers) -> None:
    for host in servers.takes:
        trace, exporter = new(), Exporter((host,))
        exporter.send(request("apart", [trace], spans=3, start=time.time()), Sent(), [trace])
        exporter.close()
        for shown in servers.shows:
            appears(shown, trace)


def a_killed_one_takes_nothing_along(servers: Servers) -> None:
    begun, sent, exporter = time.time(), Sent(), Exporter(servers.takes)
    with reading(servers.shows[1], "load") as outcomes, ThreadPoolExecutor(64) as pool:
        under_way = []
        for number in range(SECONDS * REQUESTS_PER_SECOND):
            time.sleep(max(0.0, begun + number / REQUESTS_PER_SECOND - time.time()))
            traces = [new() for _ in range(TRACES)]
            under_way.append(pool.submit(exporter.send, request("load", traces, spans=SPANS, start=time.time()), sent, traces))
            if number == SECONDS * REQUESTS_PER_SECOND // 2:
                servers.supervisor.kill("jaeger-0")
                servers.supervisor.kill("query-0")
        for one in under_way:
            one.result()
    exporter.close()
    assert sent.refused, "the killed one had requests under way"
    assert len(sent.acknowledged) == SECONDS * REQUESTS_PER_SECOND * TRACES
    assert outcomes
    assert set(outcomes) == {""}
    ended = time.time()

    def missing() -> list[str]:
        there: dict[str, int] = {}
        for second in range(int(ended - begun) + 1):
            there |= searched(servers.shows[1], "load", begun + second, begun + second + 1)
        left = [trace for trace in sent.acknowledged if there.get(trace) != SPANS]
        return [trace for trace in left if spans_of(servers.shows[1], trace) != SPANS]

    until(lambda: not missing(), lambda: f"{len(missing())} acknowledged traces", progress=lambda: len(missing()), every=1.0)
    servers.supervisor.wait_healthy("jaeger-0")
    servers.supervisor.wait_healthy("query-0")


def made_then(store: str, index: str, when: float) -> None:
    """Make an index as if at another time, which the store of the tests allows."""
    settings = json.dumps({"settings": {"index.creation_date": round(when * 1000)}}).encode()
    connection = http.client.HTTPConnection(store, 9200, timeout=60)
    with closing(connection):
        connection.request("PUT", f"/{index}", settings, {"Content-Type": "application/json"})
        assert json.loads(connection.getresponse().read())["acknowledged"]


def clean(named: Named, store: str, programs: Mapping[str, Path], folder: Path) -> None:
    """Run the job of an environment once."""
    environment = with_own_store(named.environment, store)
    (job,) = jobs(environment, OnKubernetes(environment.namespace), name=named.name)
    assert run_once(job, programs[job.server.program], folder, {}, threading.Event()) == 0


def test_two_jaegers_share_a_cassandra_that_forgets_by_its_time_to_live(tmp_path: Path) -> None:
    programs = found("cassandra")
    with running(before("cassandra"), tmp_path / "stores", programs) as servers:
        short = before("cassandra", retention__traces="1m", backend__storage__keyspace="short", backend__replicas=1)

        def shorter(text: str) -> str:
            return text.replace("_ttl: 1m", f"_ttl: {SHORT_SECONDS}s")

        with running(short, tmp_path / "short", programs, beside=servers, changed=shorter) as forgetful:
            trace, exporter = new(), Exporter(forgetful.takes)
            exporter.send(request("short", [trace], spans=3, start=time.time()), Sent(), [trace])
            exporter.close()
            assert spans_of(forgetful.shows[0], trace) == 3, "Cassandra has what was acknowledged"
            what_one_writes_all_show(servers)
            a_killed_one_takes_nothing_along(servers)
            until(lambda: spans_of(forgetful.shows[0], trace) == 0, "the end of a trace", every=0.5)
            assert searched(forgetful.shows[0], "short", time.time() - 600, time.time()) == {}


def test_two_jaegers_share_an_opensearch_whose_old_days_a_job_deletes(tmp_path: Path) -> None:
    programs = found("opensearch")
    with running(before("opensearch", retention__traces="7d"), tmp_path / "stores", programs) as servers:
        what_one_writes_all_show(servers)
        a_killed_one_takes_nothing_along(servers)
        old, fresh = time.time() - 3 * DAY, time.time()
        made_then(servers.store, f"stores-jaeger-span-{time.strftime('%Y-%m-%d', time.gmtime(old))}", old)
        kept = {new(): start for start in (old, fresh)}
        exporter = Exporter(servers.takes)
        for trace, start in kept.items():
            exporter.send(request("days", [trace], spans=3, start=start), Sent(), [trace])
        exporter.close()
        for trace in kept:
            appears(servers.shows[0], trace)
        for retention, left in (("7d", [3, 3]), ("1d", [0, 3])):
            clean(before("opensearch", retention__traces=retention), servers.store, programs, tmp_path)
            assert [spans_of(servers.shows[0], trace) for trace in kept] == left, (tmp_path / "logs/cleaner.log").read_text()
        assert "days" in asked(servers.shows[0], "/api/services")


def test_a_retention_that_check_takes_can_be_searched_and_a_day_more_cannot(tmp_path: Path) -> None:
    programs, prefix = found("opensearch"), "virtengine-production-eu"
    named = before("opensearch", backend__storage__index_prefix=prefix)
    aged = {
        days: named.environment.model_copy(update={"retention": Retention.model_validate({"traces": f"{days}d"})}) for days in range(1, 400)
    }
    longest = max(days for days, environment in aged.items() if not any(too_long(environment, named.name)))
    with running(replace(named, environment=aged[longest]), tmp_path / "longest", programs) as servers:
        what_one_writes_all_show(servers)
        assert asked(servers.shows[0], "/api/services")
        more = replace(named, environment=aged[longest + 1])
        with running(more, tmp_path / "more", programs, beside=servers) as others, pytest.raises(urllib.error.HTTPError):
            asked(others.shows[0], "/api/services")
