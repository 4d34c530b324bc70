"""The library is imported, and most of it used, without any of the extras; a name that needs one says which."""

from __future__ import annotations

import subprocess
import sys

import pytest

_PACKAGES = ("grpc", "httpx", "websockets", "kubernetes", "waldur_api_client", "starlette", "google.protobuf.descriptor", "structlog")
_WITHOUT = f"import sys\nfor name in {_PACKAGES!r}: sys.modules[name] = None\n"


def _run(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", _WITHOUT + program], capture_output=True, text=True, check=False)


def test_without_any_extra_functions_keepers_asgi_and_context_are_there() -> None:
    answer = _run(
        "from tracing_lib import carry, traced\n"
        "from tracing_lib.instrument import JobContext, trace_ante, trace_keeper\n"
        "from tracing_lib.instrument.http import AsgiTracing\n"
        "from tracing_lib.instrument.remote import SlurmClient\n"
        "from tracing_lib.propagation import ContextThreadPoolExecutor, inject\n"
        "from tracing_lib.sampling import FollowsLinks\n"
    )
    assert (answer.returncode, answer.stderr) == (0, "")


@pytest.mark.parametrize(
    ("room", "name", "extra"),
    [
        ("grpc", "grpc_server_interceptor", "grpc"),
        ("grpc", "grpc_client_interceptors", "grpc"),
        ("grpc", "trace_aio_channel", "grpc"),
        ("grpc", "trace_servicer", "grpc"),
        ("http", "trace_httpx", "httpx"),
        ("websocket", "trace_websocket", "websockets"),
        ("remote", "waldur_client", "waldur"),
        ("remote", "TracedApiClient", "kubernetes"),
    ],
)
def test_a_name_that_needs_an_extra_says_which(room: str, name: str, extra: str) -> None:
    answer = _run(f"try: from tracing_lib.instrument.{room} import {name}\nexcept ModuleNotFoundError as error: print(error)")
    assert answer.stdout.startswith(f"tracing_lib.instrument.{room}.{name}: ")
    assert answer.stdout.endswith(f"Next: pip install 'virtengine-tracing[{extra}]'\n")


def test_importing_the_library_imports_no_extra_that_is_installed() -> None:
    program = (
        "import sys\n"
        "from tracing_lib import traced\n"
        "from tracing_lib.instrument import trace_keeper\n"
        f"print([name for name in {_PACKAGES!r} if name in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)
    assert (answer.stdout, answer.stderr) == ("[]\n", "")
