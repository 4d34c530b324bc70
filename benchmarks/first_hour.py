"""One FastAPI application with this library, logfire and the community's distribution: ``python -m benchmarks.first_hour``.

Writes the table of ``docs/library/compared.md``. Each candidate runs in an environment of its own, with the versions of
``benchmarks/hour/pins`` (``--pin`` asks the registry for the newest). Exits with 1 where this library is behind in a row.
"""

from __future__ import annotations

import argparse
import ast
import gzip
import json
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Final

import httpx
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from benchmarks import sink
from benchmarks.rounds import turned

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.proto.trace.v1.trace_pb2 import Span

ROOT = Path(__file__).parents[1]
HOUR = ROOT / "benchmarks" / "hour"
PAGE = ROOT / "docs" / "library" / "compared.md"
BETWEEN = ("<!-- begin: python -m benchmarks.first_hour -->", "<!-- end -->")
BASE: Final = ("fastapi", "httpx", "python-multipart", "sqlalchemy<2.1", "uvicorn")
"""What the application needs. No instrumentation of SQLAlchemy knows 2.1."""
SERVER: Final = 2
"""``SPAN_KIND_SERVER``."""


@dataclass(frozen=True)
class Candidate:
    """A way to trace the application."""

    name: str
    wants: tuple[str, ...] = ()
    """Packages beside the application's."""
    module: str = "application"
    """Module of ``benchmarks/hour`` that uvicorn serves."""
    before: tuple[str, ...] = ()
    """Words before the command ``uvicorn``."""

    @property
    def pins(self) -> Path:
        """The file with the versions."""
        return HOUR / "pins" / f"{self.name.replace(' ', '-')}.txt"

    def lines(self) -> int:
        """Statements to write beside the import of the application."""
        statements = ast.parse((HOUR / f"{self.module}.py").read_text(encoding="utf-8")).body
        other = [each for each in statements if not re.match(r"from application import|__all__ =|['\"]", ast.unparse(each))]
        return 0 if self.module == "application" else len(other)


COMMUNITY = tuple(f"opentelemetry-instrumentation-{name}" for name in ("fastapi", "httpx", "sqlalchemy"))
PLAIN = Candidate("without tracing")
OURS = Candidate("this library", ("virtengine-tracing[fastapi,httpx,sqlalchemy]",), "ours")
OURS_BY_COMMAND = Candidate("this library by command", OURS.wants, before=("opentelemetry-instrument",))
LOGFIRE = Candidate("logfire", ("logfire[fastapi,httpx,sqlalchemy]",), "with_logfire")
DISTRIBUTION = Candidate("opentelemetry-distro", ("opentelemetry-distro[otlp]", *COMMUNITY), before=("opentelemetry-instrument",))
CANDIDATES = (OURS, OURS_BY_COMMAND, LOGFIRE, DISTRIBUTION)

CANARIES: Final = {
    "path": "jane.path-5501@example.org",
    "query": "Jane-Query-5502",
    "request header": "tok-header-5503",
    "cookie": "cookie-5504",
    "SQL parameter": "Jane-Parameter-5505",
    "literal in SQL": "Jane-Literal-5506",
    "body": "jane.body-5507@example.org",
    "name of a file": "jane-file-5508.pdf",
    "text of an exception": "Jane-Exception-5509",
    "header of a call": "tok-outgoing-5551",
    "query of a call": "note-outgoing-5552",
    "invalid body": "Jane-Invalid-5511",
    "user agent": "agent-5512",
}
"""What only the application may know, by the place where it stands in the requests."""

REQUESTS: Final = 10
"""Requests from outside, the one that waits for the start among them."""
CALLS: Final = 1
"""Requests that the application makes itself."""


@dataclass
class Sink:
    """What was exported, on whatever path."""

    bodies: list[tuple[str, bytes]] = field(default_factory=list)
    address: str = ""

    def spans(self) -> list[Span]:
        """All spans."""
        requests = [ExportTraceServiceRequest.FromString(body) for path, body in self.bodies if path.endswith("/v1/traces")]
        return [span for request in requests for group in request.resource_spans for scope in group.scope_spans for span in scope.spans]

    def places(self) -> list[str]:
        """Places whose canary was exported, as it is or percent-encoded."""
        everything = b"\n".join(body for _, body in self.bodies).lower()
        forms = {place: {text.lower(), text.lower().replace("@", "%40")} for place, text in CANARIES.items()}
        return [place for place, texts in forms.items() if any(text.encode() in everything for text in texts)]


@contextmanager
def collector() -> Iterator[Sink]:
    """Take what is exported over HTTP."""
    found = Sink()

    class Handler(sink.Handler):
        def do_POST(self) -> None:  # noqa: N802  the standard library's
            body = self._body()
            found.bodies.append((self.path, gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body))
            self._answer(200, b"", "application/x-protobuf")

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found.address = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield found
        finally:
            server.shutdown()


def uv(*arguments: str | Path) -> None:
    """Run uv; its words are shown where it fails."""
    done = subprocess.run([sys.executable, "-m", "uv", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)


def pin(candidate: Candidate) -> None:
    """Write the newest versions that fit together."""
    with tempfile.TemporaryDirectory() as folder:
        wanted = Path(folder, "wanted.in")
        extras = [text[text.index("[") + 1 : -1].split(",") for text in candidate.wants if text.startswith("virtengine-tracing")]
        wanted.write_text("\n".join([*BASE, *(each for each in candidate.wants if not each.startswith("virtengine-tracing"))]))
        options = [word for names in extras for name in names for word in ("--extra", name)]
        sources = [str(ROOT / "pyproject.toml"), str(wanted)] if extras else [str(wanted)]
        uv("pip", "compile", "-q", "-p", "3.11", "--no-annotate", "--no-header", *options, *sources, "-o", candidate.pins)


def environment(candidate: Candidate, folder: Path) -> Path:
    """Make the environment of a candidate, with the wheel of this tree where it wants it; return its folder of programs."""
    venv = folder / candidate.pins.stem
    uv("venv", "-q", "--allow-existing", "-p", sys.executable, venv)
    uv("pip", "install", "-q", "-p", venv, "-r", candidate.pins)
    if candidate.wants and candidate.wants[0].startswith("virtengine-tracing"):
        uv("build", "-q", "--wheel", "-o", folder / "dist", ROOT)
        uv("pip", "install", "-q", "-p", venv, "--no-deps", "--reinstall", *(folder / "dist").glob("*.whl"))
    return venv / "bin"


@contextmanager
def served(candidate: Candidate, programs: Path, collector_address: str) -> Iterator[str]:
    """Serve the application; give its address once it answers."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "VIRTENGINE_", "LOGFIRE_", "PYTHON"))}
    variables = {
        "OTEL_SERVICE_NAME": "shop",
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector_address,
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "PATH": f"{programs}:{os.environ['PATH']}",
    }
    # The socket is open before the service starts, so that its first answer is waited for and not asked for again and again.
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        port = listener.getsockname()[1]
        command = [*candidate.before, "uvicorn", f"{candidate.module}:app", "--fd", str(listener.fileno()), "--log-level", "critical"]
        process = subprocess.Popen(
            [str(programs / command[0]), *command[1:]],
            cwd=HOUR,
            env=clean | variables,
            pass_fds=[listener.fileno()],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    try:
        httpx.get(f"http://127.0.0.1:{port}/health", timeout=120).raise_for_status()
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


def exercise(address: str) -> None:
    """Send each request once."""
    canary = CANARIES
    headers = {"authorization": f"Bearer {canary['request header']}", "user-agent": canary["user agent"], "cookie": f"s={canary['cookie']}"}
    # A connection for each request, as uvicorn closes one after an error.
    with httpx.Client(base_url=address, headers=headers, timeout=30, limits=httpx.Limits(max_keepalive_connections=0)) as client:
        answers = [
            client.post("/customers", json={"email": canary["body"], "name": canary["SQL parameter"]}),
            client.post("/customers", json={"email": [canary["invalid body"]]}),
            client.get(f"/customers/{canary['path']}"),
            client.get("/search", params={"name": canary["literal in SQL"], "note": canary["query"]}),
            client.get("/export"),
            client.post("/upload", files={"file": (canary["name of a file"], b"%PDF")}),
            client.get("/checkout", params={"email": canary["body"]}),
            client.get("/broken", params={"name": canary["text of an exception"]}),
            client.get("/nowhere"),
        ]
    statuses = [answer.status_code for answer in answers]
    if statuses != [200, 422, 404, 200, 200, 200, 200, 500, 404]:
        raise SystemExit(f"the application answered {statuses}")


def settle(taken: Sink) -> None:
    """Wait until nothing more is exported: longer than the five seconds that a batch of the SDK waits."""
    before, since = -1, time.monotonic()
    while time.monotonic() - since < 8:  # noqa: PLR2004
        if len(taken.bodies) != before:
            before, since = len(taken.bodies), time.monotonic()
        time.sleep(0.1)


def packages(candidate: Candidate) -> int:
    """The packages that are installed for tracing alone."""

    def names(each: Candidate) -> set[str]:
        return {line.partition("==")[0] for line in each.pins.read_text(encoding="utf-8").splitlines()}

    return len(names(candidate) - names(PLAIN)) + ("virtengine-tracing[fastapi,httpx,sqlalchemy]" in candidate.wants)


@dataclass
class Found:
    """The figures of a candidate."""

    lines: int
    packages: int
    spans: list[Span]
    places: list[str]
    stopped: int
    """Spans that were exported when the service was stopped at once."""
    seconds: list[float]

    @property
    def names(self) -> Counter[str]:
        """Spans by name."""
        return Counter(span.name for span in self.spans)

    @property
    def twice(self) -> int:
        """Server spans more than there were requests."""
        return sum(span.kind == SERVER for span in self.spans) - REQUESTS - CALLS

    @property
    def traces(self) -> int:
        """Traces with a server span more than there were requests from outside."""
        return len({span.trace_id for span in self.spans if span.kind == SERVER}) - REQUESTS

    @property
    def bytes(self) -> int:
        """Bytes of the spans in OTLP."""
        return sum(span.ByteSize() for span in self.spans)


def measure(rounds: int, folder: Path) -> dict[str, Found]:
    """Run every candidate once for its spans, and in rounds for its start."""
    every = (PLAIN, *CANDIDATES)
    programs = {each.name: environment(each, folder) for each in every}
    found = {}
    for each in CANDIDATES:
        with collector() as taken:
            with served(each, programs[each.name], taken.address) as address:
                exercise(address)
                settle(taken)
            spans, places = taken.spans(), taken.places()
            taken.bodies.clear()
            with served(each, programs[each.name], taken.address) as address:
                exercise(address)
            found[each.name] = Found(each.lines(), packages(each), spans, places, len(taken.spans()), [])
    for name, seconds in starts(rounds, programs).items():
        found[name].seconds.extend(seconds)
    return found


def starts(rounds: int, programs: dict[str, Path]) -> dict[str, list[float]]:
    """Return the CPU seconds of start, one request and stop, above those without tracing. Wall time would measure the machine's load."""
    found: dict[str, list[float]] = {each.name: [] for each in CANDIDATES}
    with collector() as taken:
        for number in range(rounds):
            this = {}
            for each in turned((PLAIN, *CANDIDATES), number):
                before = os.times()
                with served(each, programs[each.name], taken.address):
                    pass
                after = os.times()
                this[each.name] = after.children_user + after.children_system - before.children_user - before.children_system
            for name, seconds in found.items():
                seconds.append(this[name] - this[PLAIN.name])
    return found


def table(found: dict[str, Found]) -> str:
    """The table of the page."""
    rows: list[tuple[str, list[str]]] = [
        ("Statements to write", [str(each.lines) for each in found.values()]),
        ("Words before `uvicorn`", [" ".join(f"`{word}`" for word in each.before) or "none" for each in CANDIDATES]),
        ("Packages that are added", [str(each.packages) for each in found.values()]),
        ("Start and stop, CPU added", [f"{statistics.median(each.seconds):.2f} s" for each in found.values()]),
        (f"Spans of {REQUESTS + CALLS} requests", [str(len(each.spans)) for each in found.values()]),
        ("of them when stopped at once (SIGTERM)", [str(each.stopped) for each in found.values()]),
        ("Bytes of them (OTLP)", [f"{each.bytes:,}" for each in found.values()]),
        ("Requests with two server spans", [str(each.twice) for each in found.values()]),
        ("Requests in two traces", [str(each.traces) for each in found.values()]),
        ("Personal data found", [f"{len(each.places)}: {', '.join(each.places)}" if each.places else "none" for each in found.values()]),
    ]
    head = f"| | {' | '.join(found)} |\n|---|{'---|' * len(found)}\n"
    text = head + "".join(f"| {title} | {' | '.join(cells)} |\n" for title, cells in rows)
    names = sorted({name for each in found.values() for name in each.names})
    text += f"\n| Span | {' | '.join(found)} |\n|---|{'---|' * len(found)}\n"
    for name in names:
        text += f"| `{shown(name)}` | {' | '.join(str(each.names[name] or '') for each in found.values())} |\n"
    return text


def shown(name: str) -> str:
    """Return a name for a cell, without the port that changes."""
    return re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT", name).replace("|", r"\|")


def behind(found: dict[str, Found]) -> list[str]:
    """Say in which rows this library is behind: a statement more than another, a start later by a fifth, canaries, twice."""
    ours, fewest = found[OURS.name], {name: each for name, each in found.items() if "this library" not in name}
    by_command = found[OURS_BY_COMMAND.name]
    told = []
    if by_command.lines > min(each.lines for each in fewest.values()):
        told.append("statements")
    for what, figure in (("packages", ours.packages), ("start", statistics.median(ours.seconds))):
        others = [each.packages if what == "packages" else statistics.median(each.seconds) for each in fewest.values()]
        if figure > min(others) * 1.2:
            told.append(what)
    for each in (ours, by_command):
        told += [f"personal data: {place}" for place in each.places]
        if each.twice or each.traces:
            told.append("twice")
        if each.stopped < len(each.spans):
            told.append("stopped")
    return told


def main() -> None:
    """Measure, print the table and write it to the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--pin", action="store_true", help="ask the registry for the newest versions first")
    parser.add_argument("--folder", type=Path, help="keep the environments there")
    options = parser.parse_args()
    if options.pin:
        for each in (PLAIN, *CANDIDATES):
            pin(each)
    with tempfile.TemporaryDirectory() as folder:
        found = measure(options.rounds, (options.folder or Path(folder)).absolute())
    text = table(found)
    print(text)
    page = PAGE.read_text(encoding="utf-8")
    before, after = page.index(BETWEEN[0]) + len(BETWEEN[0]), page.index(BETWEEN[1])
    versions = [line for line in DISTRIBUTION.pins.read_text().splitlines() if re.match(r"fastapi=|opentelemetry-distro=", line)]
    versions += [line for line in LOGFIRE.pins.read_text().splitlines() if line.startswith("logfire=")]
    said = f"Python {sys.version.split()[0]}, {', '.join(versions)}; {options.rounds} starts each, the median."
    PAGE.write_text(f"{page[:before]}\n\n{said}\n\n{text}\n{page[after:]}", encoding="utf-8")
    if told := behind(found):
        raise SystemExit(f"this library is behind: {json.dumps(told)}")


if __name__ == "__main__":
    main()
