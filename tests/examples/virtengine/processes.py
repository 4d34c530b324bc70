"""Services as processes, in the environment that the supervisor gives them, and what they leave behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Self

import httpx
from websockets.sync.client import connect

from components.local.ports import free_ports
from tests.tracing_lib.samples import mapping
from tests.waiting import STALL_SECONDS, cpu_ticks, until

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

ROOT = Path(__file__).parents[3]
INHERITED = ("PATH", "HOME", "TMPDIR", "LANG")

get: Callable[..., httpx.Response] = partial(httpx.get, timeout=STALL_SECONDS)
post: Callable[..., httpx.Response] = partial(httpx.post, timeout=STALL_SECONDS)
delete: Callable[..., httpx.Response] = partial(httpx.delete, timeout=STALL_SECONDS)
"""Requests to a service, which answers late on a loaded machine."""
websocket = partial(connect, open_timeout=STALL_SECONDS, ping_timeout=STALL_SECONDS, close_timeout=STALL_SECONDS)
"""The same for a WebSocket; each ``recv`` is to be given the time as well."""


def outputs(folder: Path, receiver: str, **changes: object) -> Path:
    """Write an outputs file by which every trace goes to ``receiver``; nobody serves strategies."""
    path = folder / "outputs.json"
    stated = mapping(otlp_http_endpoint=receiver, head_ratio=1.0, strategies_url="http://127.0.0.1:9/", targets=[], **changes)
    path.write_text(json.dumps(stated))
    return path


class Service:
    """``python -m MODULE --port N ...``; entering waits until it is healthy, leaving kills it where it still runs."""

    def __init__(self, module: str, folder: Path, outputs_file: Path | None, *arguments: object) -> None:
        (self.port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / f"{module.rpartition('.')[2]}.log"
        self._command = [sys.executable, "-m", module, "--port", str(self.port), *map(str, arguments)]
        tracing = {"VIRTENGINE_TRACING_OUTPUTS": str(outputs_file)} if outputs_file else {"OTEL_SDK_DISABLED": "true"}
        # The one variable that the supervisor does not give: a test waits for spans.
        tracing["OTEL_BSP_SCHEDULE_DELAY"] = "100"
        inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
        self._environment = {**inherited, **tracing, "PYTHONPATH": str(ROOT)}
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._process is not None and self._process.poll() is None:
            self.kill()

    def start(self) -> None:
        """Start it, again on the same port, and wait until it answers."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(self._command, env=self._environment, stdout=log, stderr=log)
        process = self._process
        until(
            lambda: process.poll() is not None or self._healthy(),
            lambda: f"{self.log.stem} to be healthy: {self.log.read_text()}",
            progress=self.used,
            every=0.05,
        )
        assert process.poll() is None, self.log.read_text()

    def _healthy(self) -> bool:
        try:
            return get(f"{self.url}/healthz").status_code == 200
        except httpx.TransportError:
            return False

    def used(self) -> int:
        """Return the CPU time that the service has used, in clock ticks."""
        assert self._process is not None
        return cpu_ticks(self._process.pid)

    def terminate(self) -> int:
        """End it by SIGTERM; return its status."""
        assert self._process is not None
        process = self._process
        process.send_signal(signal.SIGTERM)
        until(lambda: process.poll() is not None, f"{self.log.stem} to end", progress=self.used)
        return process.wait()

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def lines(self) -> list[dict[str, object]]:
        """What it logged, each line an object."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]
