"""The examples of the library's pages run, on the real other side where they talk to one."""

from __future__ import annotations

import io
import logging
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import propagate, trace
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from tests.tracing_lib.remote.conftest import waldur
from tracing_lib.propagation.baggage import OwnBaggagePropagator
from tracing_lib.testing.pytest_plugin import traces

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.sites.kubernetes import ApiServer
    from tests.sites.slurm import SlurmSite
    from tests.tracing_lib.receivers import Received
    from tests.tracing_lib.remote.waldur_server import WaldurServer
    from tracing_lib.testing.kit import RecordedTraces

__all__ = ["traces", "waldur"]

PAGES = Path(__file__).parents[3] / "docs" / "library"
_BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def _run(page: str, traces: RecordedTraces, **names: object) -> None:
    """Run the page's examples one after the other, as one program; line numbers are the page's."""
    text = (PAGES / page).read_text(encoding="utf-8")
    program = [""] * text.count("\n")
    blocks = list(_BLOCK.finditer(text))
    assert blocks, f"{page} has no example"
    for block in blocks:
        first = text.count("\n", 0, block.start(1))
        lines = block[1].splitlines()
        program[first : first + len(lines)] = lines
    scope: dict[str, Any] = {"traces": traces, "tracer": trace.get_tracer("page"), **names}
    exec(compile("\n".join(program), str(PAGES / page), "exec"), scope)  # noqa: S102  our own pages


@pytest.fixture
def _logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def _propagators_as_configured() -> Iterator[None]:
    """What configure sets for a process."""
    before = propagate.get_global_textmap()
    propagate.set_global_textmap(CompositePropagator([TraceContextTextMapPropagator(), OwnBaggagePropagator()]))
    yield
    propagate.set_global_textmap(before)


@pytest.mark.usefixtures("_propagators_as_configured")
@pytest.mark.parametrize("page", ["privacy.md", "jobs.md", "testing.md"])
def test_a_page_that_needs_no_server(page: str, traces: RecordedTraces) -> None:
    _run(page, traces)


@pytest.mark.usefixtures("_logging_as_before")
def test_the_page_on_logs(traces: RecordedTraces) -> None:
    _run("logs.md", traces, stream=io.StringIO())


def test_the_page_on_waldur(traces: RecordedTraces, waldur: WaldurServer) -> None:
    _run("waldur.md", traces, waldur_url=waldur.url, order_uuid=waldur.order())


@pytest.mark.server
@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_the_page_on_kubernetes(traces: RecordedTraces, api_server: ApiServer) -> None:
    from kubernetes.client import Configuration

    configuration = Configuration(host=api_server.url)
    configuration.verify_ssl = False
    configuration.api_key = {"authorization": f"Bearer {api_server.token}"}
    _run("kubernetes.md", traces, configuration=configuration)


@pytest.mark.server
def test_the_page_on_slurm(traces: RecordedTraces, slurm: SlurmSite) -> None:
    _run("slurm.md", traces, slurm_environment=slurm.environment, output=slurm.folder / "page.out")


def test_the_page_on_processors(traces: RecordedTraces, http_receiver: Received) -> None:
    _run("processors.md", traces, collector_url=http_receiver.url)
    assert http_receiver.names == ["register"]


def test_the_page_on_the_doctor(traces: RecordedTraces, http_receiver: Received) -> None:
    _run("doctor.md", traces, collector_url=http_receiver.url)


def test_the_readme_of_the_package(http_receiver: Received) -> None:
    (block,) = _BLOCK.findall((PAGES.parents[1] / "tracing_lib" / "README.md").read_text(encoding="utf-8"))
    environ = os.environ | {"OTEL_EXPORTER_OTLP_ENDPOINT": http_receiver.url}
    done = subprocess.run([sys.executable, "-c", block], capture_output=True, text=True, check=False, timeout=60, env=environ)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert sorted(http_receiver.names) == ["__main__.place_order", "check order"]
