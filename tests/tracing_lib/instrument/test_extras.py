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
    answer = _run("from tracing_lib import AsgiTracing, ContextThreadPoolExecutor, FollowsLinks, carry, trace_ante, trace_keeper, traced")
    assert (answer.returncode, answer.stderr) == (0, "")


@pytest.mark.parametrize(
    ("name", "extra"),
    [
        ("grpc_server_interceptor", "grpc"),
        ("grpc_client_interceptors", "grpc"),
        ("trace_servicer", "grpc"),
        ("trace_httpx", "http"),
        ("trace_websocket", "websockets"),
        ("waldur_client", "waldur"),
        ("TracedApiClient", "kubernetes"),
    ],
)
def test_a_name_that_needs_an_extra_says_which(name: str, extra: str) -> None:
    answer = _run(f"try: from tracing_lib import {name}\nexcept ModuleNotFoundError as error: print(error)")
    assert answer.stdout.startswith(f"{name}: ")
    assert answer.stdout.endswith(f"Next: pip install 'virtengine-tracing[{extra}]'\n")


def test_importing_the_library_imports_no_extra_that_is_installed() -> None:
    program = f"import sys\nfrom tracing_lib import traced, trace_keeper\nprint([name for name in {_PACKAGES!r} if name in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (answer.stdout, answer.stderr) == ("[]\n", "")
