"""What ``check`` calls right runs: each server's own validation takes the documents of environments at the edges of every setting.

``VIRTENGINE_TRACING_EDGES`` is how many environments are tried; default: 8, which takes 20 s of CPU.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from stacks.environment.parse import BadEnvironmentError
from stacks.environment.source import named as environment_named
from stacks.plan.plan import plan
from stacks.plan.targets import addresses_of
from tests.servers.edges import environments
from tests.servers.validation import ARGUMENTS, validated
from tests.stacks import samples

if TYPE_CHECKING:
    from pathlib import Path

    from components.workload import Plan
    from stacks.environment.source import Named

EDGES = int(os.environ.get("VIRTENGINE_TRACING_EDGES", "8"))


@pytest.fixture(scope="module")
def edges() -> list[tuple[Named, Plan]]:
    return [(named, plan(named.environment, addresses_of(named), name=named.name)) for named in environments(EDGES)]


def test_every_kind_of_target_and_backend_is_among_the_environments(edges: list[tuple[Named, Plan]]) -> None:
    kinds = {(named.environment.target.kind, named.environment.backend.kind) for named, _ in edges}
    assert {("docker", "jaeger"), ("kubernetes", "jaeger"), ("kubernetes", "tempo")} <= kinds


def test_what_check_calls_right_is_taken_by_the_servers(edges: list[tuple[Named, Plan]], programs: dict[str, Path], tmp_path: Path) -> None:
    tried: set[tuple[str, str]] = set()
    for named, made in edges:
        for workload in made.workloads:
            program, document = workload.server.program, workload.documents[0]
            if program in ARGUMENTS and (program, document.text) not in tried:
                tried.add((program, document.text))
                done = validated(programs[program], workload, tmp_path)
                said = done.stdout[-1000:] + done.stderr[-1000:]
                assert done.returncode == 0, f"{said}\n{named.name} {workload.name}: {named.environment.model_dump_json()}"
    assert {program for program, _ in tried} == set(ARGUMENTS)
    assert len(tried) > 2 * EDGES


SERVERS = (
    *("cassandra:9042", "a:90", "a:9", "a--b:9042", "a.b:9042", "a.example.org:9042", "cassandra-0.cassandra.ns.svc:9042"),
    *("a.b.c.d.e:9042", "a.1:9042", "a-b.c-d.e--f:9042", "10.0.0.1:9042", "0.0.0.0:9042", "230.0.0.1:9042", "256.1.1.1:9042"),
)


def test_names_of_cassandra_that_check_takes_are_those_that_jaeger_takes(programs: dict[str, Path], tmp_path: Path) -> None:
    settings = samples.settings("prod")
    settings["backend"] = {"kind": "jaeger", "storage": {"kind": "cassandra", "servers": ["host:9042"], "datacenter": "dc1"}}
    known = environment_named(settings, source="hosts", name="hosts")
    workload = plan(known.environment, addresses_of(known), name="hosts").workload("jaeger")
    (document, *others) = workload.documents
    taken = {}
    for server in SERVERS:
        settings["backend"]["storage"]["servers"] = [server]
        try:
            environment_named(settings, source="hosts", name="hosts")
        except BadEnvironmentError:
            taken[server] = False
        else:
            taken[server] = True
        text = document.text.replace("host:9042", server)
        assert text != document.text
        changed = replace(workload, documents=(replace(document, text=text), *others))
        assert (validated(programs["jaeger"], changed, tmp_path).returncode == 0) == taken[server], server
    assert set(taken.values()) == {True, False}
