"""Services as processes, in the environment that the supervisor gives them, and what they leave behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

import httpx

from tests.tracing_lib.samples import mapping

if TYPE_CHECKING:
    from types import TracebackType

ROOT = Path(__file__).parents[3]
READY_SECONDS = 60.0
INHERITED = ("PATH", "HOME", "TMPDIR", "LANG")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
        return port


def outputs(folder: Path, receiver: str, **changes: object) -> Path:
    """Write an outputs file by which every trace goes to ``receiver``; nobody serves strategies."""
    path = folder / "outputs.json"
    stated = mapping(otlp_http_endpoint=receiver, head_ratio=1.0, strategies_url="http://127.0.0.1:9/", targets=[], **changes)
    path.write_text(json.dumps(stated))
    return path


class Service:
    """``python -m MODULE --port N ...``; entering waits until it is healthy, leaving kills it where it still runs."""

    def __init__(self, module: str, folder: Path, outputs_file: Path | None, *arguments: object) -> None:
        self.port = free_port()
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
        until = time.monotonic() + READY_SECONDS
        while not self._healthy():
            assert self._process.poll() is None, self.log.read_text()
            assert time.monotonic() < until, f"not healthy after {READY_SECONDS} s: {self.log.read_text()}"
            time.sleep(0.05)

    def _healthy(self) -> bool:
        try:
            return httpx.get(f"{self.url}/healthz").status_code == 200
        except httpx.TransportError:
            return False

    def terminate(self) -> int:
        """End it by SIGTERM; return its status."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(10)

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def lines(self) -> list[dict[str, object]]:
        """What it logged, each line an object."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]
