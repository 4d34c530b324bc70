"""The wheel and the source distribution hold the library alone, and the page "your first trace" runs in an empty environment."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import httpx
import pytest

from tests.waiting import until

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "library" / "first-trace.md").read_text(encoding="utf-8")
BLOCKS = dict(re.findall(r"^```python\n# (\w+\.py)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE))

pytestmark = pytest.mark.server


def run(*command: str | Path, cwd: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a command that must end well within ten minutes."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "VIRTENGINE_", "PYTHON"))}
    done = subprocess.run(command, cwd=cwd, env=clean | environ, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the files that are committed, as a user has them."""
    folder = tmp_path_factory.mktemp("source")
    names = run("git", "ls-files", "-z", "tracing_lib", "docs/library", cwd=ROOT).stdout.split("\0")
    for name in [*filter(None, names), "pyproject.toml", "hatch_build.py", "LICENSE", "CHANGELOG.md", ".gitignore", "README.md"]:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes((ROOT / name).read_bytes())
    return folder


def built(source: Path, *options: str, **environ: str) -> Path:
    """Build a distribution and return its path."""
    folder = source.with_name(f"{source.name}-{'-'.join(options).strip('-')}-{environ.get('CC', '').strip('/').replace('/', '-')}")
    run(sys.executable, "-m", "uv", "build", *options, "--out-dir", folder, source, cwd=source, **environ)
    (made,) = (path for path in folder.iterdir() if path.suffix in {".whl", ".gz"})
    return made


@pytest.fixture(scope="module")
def environment(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel and two extras and nothing else, and its Python."""
    folder = tmp_path_factory.mktemp("environment")
    run(sys.executable, "-m", "uv", "venv", folder / "venv", "--python", sys.executable, cwd=folder)
    install(folder, f"virtengine-tracing[fastapi,httpx,sqlalchemy] @ {built(source, '--wheel').as_uri()}", "uvicorn")
    for name, block in BLOCKS.items():
        (folder / name).write_text(block, encoding="utf-8")
    return folder


def install(folder: Path, *what: str) -> None:
    run(sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", folder / "venv", *what, cwd=folder)


def test_the_wheel_holds_the_library_and_the_module_that_was_built_for_it(source: Path) -> None:
    with zipfile.ZipFile(built(source, "--wheel")) as wheel:
        names = [name for name in wheel.namelist() if ".dist-info/" not in name]
    assert {name.partition("/")[0] for name in names} == {"tracing_lib"}
    assert {Path(name).suffix for name in names} <= {".py", ".pyi", ".so", ".json", ".typed", ".md"}
    assert sum(name.endswith(".so") for name in names) == 1
    assert list(source.rglob("*.so")) == [], "nothing is left in the source tree"


def test_the_source_distribution_holds_the_library_and_its_pages_alone(source: Path) -> None:
    with tarfile.open(built(source, "--sdist")) as archive:
        names = [name.partition("/")[2] for name in archive.getnames()]
    allowed = ("tracing_lib/", "docs/library/")
    beside = {"CHANGELOG.md", "LICENSE", "PKG-INFO", "hatch_build.py", "pyproject.toml", ".gitignore"}
    assert [name for name in names if not name.startswith(allowed) and name not in beside] == []


def test_the_first_span_of_the_page_is_a_tree_on_the_console(environment: Path) -> None:
    told = run("venv/bin/python", "hello.py", cwd=environment).stderr
    line = 'tracing_lib.declare(tracing_lib.Attribute("greeting.count", "what it means", tracing_lib.Shape.NUMBER))'
    assert re.search(r"^trace [0-9a-f]{32}\nhello world [0-9.]+ ms\n  say it [0-9.]+ ms\n", told, re.MULTILINE)
    assert line in told
    imports, blank, rest = BLOCKS["hello.py"].partition("\n\n")
    text = f"{imports}\n{line}{blank}{rest}"
    (environment / "declared.py").write_text(text, encoding="utf-8")
    again = run("venv/bin/python", "declared.py", cwd=environment).stderr
    assert re.search(r"^  say it [0-9.]+ ms greeting.count=1$", again, re.MULTILINE)
    assert "stays in this process" not in again


def test_the_service_of_the_page_is_traced_by_one_call(environment: Path) -> None:
    with served(environment) as (address, log):
        assert httpx.get(f"{address}/checkout", timeout=30).json() == {"id": "7"}
        until(lambda: "GET /checkout (server)" in log.read_text(), "the trace on the console")
    told = log.read_text()
    inner, outer = re.findall(r"^trace (\w+)\n(GET /\S+) \(server\).*(?:\n  GET \(client\).*)?", told, re.MULTILINE)
    assert (inner[1], outer[1]) == ("GET /orders/{order_id}", "GET /checkout")
    assert inner[0] == outer[0], "one trace"
    assert told.count("(server)") == 2, "one server span for a request, though FastAPI has spans of its own"
    assert told.count("  GET (client)") == 1


class served:  # noqa: N801  a context manager
    """The page's service under uvicorn: its address and its log."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> tuple[str, Path]:
        log = self._folder / "uvicorn.log"
        with log.open("w") as output:
            command = ["venv/bin/uvicorn", "app:app", "--port", "0"]
            self._process = subprocess.Popen(command, cwd=self._folder, stdout=output, stderr=subprocess.STDOUT)
        until(lambda: "Uvicorn running on" in log.read_text(), "uvicorn to start")
        found = re.search(r"http://127\.0\.0\.1:\d+", log.read_text())
        assert found
        return found[0], log

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(30)


def test_statements_of_sqlalchemy_leave_as_their_shape(environment: Path) -> None:
    program = """
import sqlalchemy
from tracing_lib import configure, traced
print(configure(console=True).instrument(skip=["grpc"]))
engine = sqlalchemy.create_engine("sqlite://")
@traced(name="work")
def work():
    with engine.connect() as connection:
        connection.execute(sqlalchemy.text("SELECT 'Jane Doe' AS name, 4711 AS number"))
work()
"""
    done = run("venv/bin/python", "-c", program, cwd=environment)
    assert "sqlalchemy" in done.stdout
    assert "SELECT ? AS name, ? AS number" in done.stderr
    assert re.search(r"^work [^\n]*\n(  [^\n]+\n)*  SELECT [^\n]*\(client\)", done.stderr, re.MULTILINE), done.stderr
    assert done.stderr.count("\ntrace ") + done.stderr.startswith("trace ") == 1, done.stderr
    assert "Jane" not in done.stderr
    assert "4711" not in done.stderr


def test_without_a_compiler_the_package_works_and_says_so(source: Path, environment: Path) -> None:
    wheel = built(source, "--wheel", CC="/bin/false")
    assert wheel.name.endswith("-py3-none-any.whl")
    install(environment, "--no-deps", "--reinstall", str(wheel))
    done = run("venv/bin/python", "hello.py", cwd=environment)
    assert "spans are recorded by OpenTelemetry's own SDK, at more cost: its module in C cannot be imported" in done.stderr
    assert re.search(r"^hello world [0-9.]+ ms\n  say it", done.stderr, re.MULTILINE)
    assert done.stderr.count("at more cost") == 1
