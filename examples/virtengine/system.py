"""The services as processes of one supervisor, that of the local placement: started in order, kept up, stopped so that no span is lost."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from components.local.errors import StartError
from components.local.files import make_private
from components.local.health import answers
from components.local.keeper import Keeper, Member
from components.local.ports import choose_ports
from components.workload import Port
from examples.virtengine.service import HOST
from tracing_lib import Outputs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import TracebackType

SERVICES: Final = ("waldur", "chain", "provider-daemon", "portal")
"""Stopped in the reverse order: what calls before what is called."""
ORACLE: Final = "oracle"
"""The one service that is written in Go. It runs where its program is there, and then before all others."""
GRACE_SECONDS: Final = 60.0
"""From SIGTERM to SIGKILL: longer than a service takes to deliver its last spans, also on a loaded machine."""
START_SECONDS: Final = 180.0
"""For the first answer of a service that runs. One that ends is told at once, so that this bounds one that hangs."""
_POLL_SECONDS: Final = 0.05
_PORTS: Final = (
    (ORACLE, Port("http", 8088, "http")),
    (ORACLE, Port("grpc", 9190, "grpc")),
    ("waldur", Port("http", 8000, "http")),
    ("chain", Port("http", 26657, "http")),
    ("chain", Port("grpc", 9090, "grpc")),
    ("provider-daemon", Port("http", 8443, "http")),
    ("portal", Port("http", 8080, "http")),
)


@dataclass(frozen=True, slots=True)
class Options:
    """How the services run beside their tracing. Arguments are added to a service's own."""

    block_seconds: float = 1.0
    """Time between two blocks of the chain."""
    slow_seconds: float = 1.5
    """How long Waldur takes for a large order."""
    adapter: str = "waldur"
    """``waldur``, ``kubernetes`` or ``slurm``."""
    arguments: Mapping[str, Sequence[str]] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables of every service, beside the outputs file."""
    tracing: bool = True
    services: Sequence[str] = SERVICES
    """Which of them run."""
    oracle: Path | None = None
    """Program of the oracle; none where it does not run."""


class System:
    """A context in which the services run. ``folder`` keeps their state, ports and logs; ``outputs`` is the file of the stack's outputs."""

    def __init__(self, folder: Path, outputs: Path, say: Callable[[str], None], options: Options | None = None) -> None:
        self._folder = folder.absolute()
        self._outputs = outputs
        self._options = options or Options()
        self.services = (*([] if self._options.oracle is None else [ORACLE]), *self._options.services)
        """What runs, in the order of starting."""
        for name in ("logs", "pids", "state"):
            make_private(self._folder / name)
        self._ports = choose_ports(_PORTS, self._folder / "ports.json")
        self._keeper: Keeper | None = None
        self._say = say

    def __enter__(self) -> Self:
        self._keeper = Keeper([self._member(name) for name in self.services], self._say)
        try:
            *first, last = self.services
            for name in first:
                self._keeper.start(name)
            # What customers ask comes last: a call is refused at once while its channel waits before it connects again.
            for name in (*first, last):
                self.start(name)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Stop all services, those that call first. Again is harmless."""
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            for name in reversed(self.services):
                keeper.stop(name)
            keeper.close()

    def url(self, name: str) -> str:
        """The base URL of a service."""
        return f"http://{self._address(name)}"

    def log(self, name: str) -> Path:
        """The file that holds what a service has logged, over all starts."""
        return self._folder / "logs" / f"{name}.log"

    @property
    def keeper(self) -> Keeper:
        """What starts, stops and signals single services. Raises ``StartError`` outside of the context."""
        if self._keeper is None:
            raise StartError("the services are stopped; enter a new System to start them")
        return self._keeper

    def start(self, name: str) -> None:
        """Start a service and wait until it answers. Raises ``StartError`` with the end of its log when it does not."""
        keeper = self.keeper
        keeper.start(name)
        deadline = time.monotonic() + START_SECONDS
        while not answers(self._ports[name, "http"], "/healthz"):
            if keeper.ending(name) is not None or time.monotonic() > deadline:
                lines = "\n".join(keeper.last_lines(name, 15))
                raise StartError(f"{name} does not answer ({keeper.ending(name) or 'it runs'}); the end of its log is:\n{lines}")
            time.sleep(_POLL_SECONDS)
        keeper.supervise(name)

    def restart(self, name: str) -> None:
        """Stop a service by SIGTERM and start it again. Raises ``StartError``."""
        self.keeper.stop(name)
        self.start(name)

    def _address(self, name: str, port: str = "http") -> str:
        return f"{HOST}:{self._ports[name, port]}"

    def _arguments(self, name: str) -> list[str]:
        options, state = self._options, str(self._folder / "state")
        chain, grpc = self._address("chain"), self._address("chain", "grpc")
        own = {
            "waldur": ["--state", state, "--slow-seconds", str(options.slow_seconds)],
            "chain": ["--state", state, "--grpc-port", grpc.rpartition(":")[2], "--block-seconds", str(options.block_seconds)],
            "provider-daemon": ["--state", state, "--chain", chain, "--chain-grpc", grpc, "--adapter", options.adapter],
            "portal": ["--state", state, "--chain", grpc],
        }[name]
        if name == "provider-daemon" and options.adapter == "waldur":
            own += ["--waldur", self.url("waldur")]
        if name == "provider-daemon" and options.oracle is not None:
            own += ["--oracle", self._address(ORACLE, "grpc")]
        return ["--port", str(self._ports[name, "http"]), *own, *options.arguments.get(name, ())]

    def _command(self, name: str) -> tuple[str, ...]:
        if name == ORACLE:
            return (str(self._options.oracle), "-grpc", self._address(ORACLE, "grpc"), "-health", self._address(ORACLE))
        module = {"provider-daemon": "daemon"}.get(name, name)
        return (sys.executable, "-m", f"examples.virtengine.{module}", *self._arguments(name))

    def _tracing(self, name: str) -> dict[str, str]:
        """Variables that configure the tracing of a service: the outputs, or what any SDK is told of them."""
        if not self._options.tracing:
            return {"OTEL_SDK_DISABLED": "true"}
        if name == ORACLE:
            outputs, certificate = Outputs.read(self._outputs), self._folder / "state" / "otlp-ca.crt"
            if outputs.otlp_certificate is not None:
                certificate.write_text(outputs.otlp_certificate)
            return {**outputs.to_otel_environment(secrets=True, certificate_path=str(certificate)), "OTEL_SERVICE_NAME": ORACLE}
        return {"VIRTENGINE_TRACING_OUTPUTS": str(self._outputs)}

    def _member(self, name: str) -> Member:
        inherited = {key: os.environ[key] for key in ("PATH", "HOME", "TMPDIR", "LANG") if key in os.environ}
        root = str(Path(__file__).parents[2])
        return Member(
            name=name,
            command=self._command(name),
            environment={**inherited, "PYTHONPATH": root, **self._tracing(name), **self._options.environment},
            log=self.log(name),
            pid_file=self._folder / "pids" / f"{name}.pid",
            grace_seconds=GRACE_SECONDS,
        )
