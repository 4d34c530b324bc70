"""Which tests start servers, and the sites that several folders test on, each started once.

Besides the folders that say so themselves, those that run services over HTTP, gRPC or in processes start servers.
"""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from examples.virtengine.daemon.adapters import waldur_models

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.sites.kubernetes import ApiServer
    from tests.sites.slurm import SlurmSite

# A loaded machine makes an example slow, and a large example is one that somebody chose to allow; neither is wrong.
settings.register_profile("loaded", deadline=None, suppress_health_check=list(HealthCheck))
settings.load_profile("loaded")

waldur_models.import_singly()

HERE = Path(__file__).parent

WITH_SERVICES = tuple(
    str(HERE / name)
    for name in (
        "engine",
        "servers",
        "examples",
        "components/local",
        "tracing_lib/doctor",
        "tracing_lib/testing",
        "tracing_lib/pages",
        "tracing_lib/privacy/test_real_surfaces.py",
        "tracing_lib/instrument",
        "tracing_lib/export/test_delivery.py",
        "tracing_lib/export/test_exit.py",
        "tracing_lib/test_provider.py",
        "tracing_lib/export/test_shutdown.py",
        "tracing_lib/sampling/test_strategies.py",
    )
)
SITES = frozenset({"api_server", "slurm"})
"""Fixtures that start servers."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark them, so that `make test-fast` leaves them out."""
    for item in items:
        # As text, because the parents of a path are made anew for each of some thousand tests.
        if str(item.path).startswith(WITH_SERVICES) or not SITES.isdisjoint(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.server)


@pytest.fixture
def foreground_signals() -> Iterator[None]:
    """Let the programs that a test starts receive SIGINT, SIGQUIT and SIGHUP, though the tests themselves run under ``nohup`` or ``&``.

    A program inherits that a signal is ignored. It does not inherit a handler: the signal has its default meaning there. So a handler is
    set in this process, for SIGHUP one that does nothing, because the tests are to outlive the terminal as before.
    """
    handlers = {signal.SIGINT: signal.default_int_handler, signal.SIGQUIT: lambda *_: None, signal.SIGHUP: lambda *_: None}
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(scope="session")
def api_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """A kube-apiserver of the tests' own, with an etcd that begins empty."""
    from tests.sites.kubernetes import running_api_server

    with running_api_server(tmp_path_factory.mktemp("kubernetes")) as server:
        yield server


@pytest.fixture(scope="session")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SlurmSite]:
    """SLURM's controller, node daemon and munge on this machine, under names and ports of the tests' own."""
    from tests.sites.slurm import running_site

    with running_site(tmp_path_factory.mktemp("slurm")) as site:
        yield site
