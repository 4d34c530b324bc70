"""What ``check`` calls right runs: each server's own validation takes the documents of environments at the edges of every setting.

``VIRTENGINE_TRACING_EDGES`` is how many environments are tried; default: 8, which takes 20 s of CPU.
"""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from stacks.environment.source import ROOT
from stacks.plan.plan import plan
from stacks.plan.targets import addresses_of
from tests.servers.edges import environments

if TYPE_CHECKING:
    from pathlib import Path

    from components.workload import Plan, Workload
    from stacks.environment.source import Named

AUTHORITY = ROOT / "tests/fixtures/authority.pem"
EDGES = int(os.environ.get("VIRTENGINE_TRACING_EDGES", "8"))
VALIDATE = {"otelcol-contrib": ("validate",), "jaeger": ("validate",), "oauth2-proxy": ("--config-test",)}
"""The arguments with which each server validates a document and ends."""


@pytest.fixture(scope="module")
def edges() -> list[tuple[Named, Plan]]:
    return [(named, plan(named.environment, addresses_of(named), name=named.name)) for named in environments(EDGES)]


def test_every_kind_of_target_and_backend_is_among_the_environments(edges: list[tuple[Named, Plan]]) -> None:
    kinds = {(named.environment.target.kind, named.environment.backend.kind) for named, _ in edges}
    assert {("docker", "jaeger"), ("kubernetes", "jaeger"), ("kubernetes", "tempo")} <= kinds


def test_what_check_calls_right_is_taken_by_the_servers(edges: list[tuple[Named, Plan]], programs: dict[str, Path], tmp_path: Path) -> None:
    tried: dict[tuple[str, str], str] = {}
    for named, made in edges:
        for workload in made.workloads:
            program, document = workload.server.program, workload.documents[0]
            if program in VALIDATE and (program, document.text) not in tried:
                tried[program, document.text] = refusal(programs[program], workload, tmp_path)
                assert tried[program, document.text] == "", f"{named.name} {workload.name}: {named.environment.model_dump_json()}"
    assert {program for program, _ in tried} == set(VALIDATE)
    assert len(tried) > 2 * EDGES


def refusal(program: Path, workload: Workload, folder: Path) -> str:
    """What a server says against the document that it reads at its start; nothing where it takes it."""
    document = folder / workload.documents[0].name
    text = workload.documents[0].text
    for file in workload.secret_files:
        text = text.replace(file.path, str(AUTHORITY))
    document.write_text(text)
    # Names that the pod is given; the secrets have the form that they must have.
    secrets = {variable.variable: "0123456789abcdef" for variable in workload.secret_variables}
    command = [str(program), *VALIDATE[workload.server.program], f"--config={document}"]
    given = os.environ | {"NODE_NAME": "node"} | secrets
    done = subprocess.run(command, env=given, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout[-1000:] + done.stderr[-1000:]
