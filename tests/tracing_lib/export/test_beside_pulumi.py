"""A process that hosts components of Pulumi, whose SDK has a ``google.rpc.Status`` of its own, and whose spans leave by gRPC."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
HOST = "import pulumi.provider.experimental.server"
PAUSE = """
from types import SimpleNamespace
from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo
from tracing_lib.export.transport import _retry_info

def asked(details):
    return _retry_info(SimpleNamespace(trailing_metadata=lambda: [SimpleNamespace(key="grpc-status-details-bin", value=details)]))

detail = Any()
detail.Pack(RetryInfo(retry_delay=Duration(seconds=2, nanos=500_000_000)))
content = detail.SerializeToString()
status = b"\\x08\\x0e\\x12\\x01x\\x1a" + bytes((len(content),)) + content
another = b"\\x1a\\x00"  # a detail of another kind
assert [asked(each) for each in (status, another + status, another, b"")] == [2.5, 2.5, None, None]
assert [asked(each) for each in (b"\\x18\\x01", b"\\x1a\\x02\\xff\\xff", b"\\xff")] == [None] * 3, "none of them is a Status"
"""


@pytest.mark.skipif(find_spec("pulumi") is None, reason="pulumi is not installed")
@pytest.mark.parametrize("parts", [(HOST, PAUSE), (PAUSE, HOST)], ids=["pulumi first", "pulumi last"])
def test_a_collector_s_pause_is_read_in_a_host_of_pulumi(parts: tuple[str, str]) -> None:
    done = subprocess.run([sys.executable, "-c", "\n".join(parts)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
