"""What the tests of the library share."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.tracing_lib import receivers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the tests' result from depending on the variables of the person who runs them."""
    import os

    for name in [name for name in os.environ if name.startswith(("OTEL_", "VIRTENGINE_"))]:
        monkeypatch.delenv(name)


@pytest.fixture
def http_receiver() -> Iterator[receivers.Received]:
    with receivers.http_receiver() as received:
        yield received


@pytest.fixture
def grpc_receiver() -> Iterator[receivers.Received]:
    with receivers.grpc_receiver() as received:
        yield received


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return certificate and key of a server on loopback that is its own CA."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not on PATH: it makes the certificate")
    folder = tmp_path_factory.mktemp("tls")
    chain, key = folder / "server.pem", folder / "server.key"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"]
    subprocess.run([*command, *names, "-out", chain, "-keyout", key], check=True, capture_output=True)
    return chain, key
