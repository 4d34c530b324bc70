"""A move from Badger to OpenSearch and back, with real servers and under load: one command finds every trace throughout."""

from __future__ import annotations

import json
import threading
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from components.documents.images import SERVERS
from components.local.addresses import hold_block
from components.local.files import hold_folder
from components.local.supervisor import Supervisor
from stacks.cli.cli import main
from stacks.placement.local import deploy
from stacks.placement.small_store import SEARCH, own_store
from stacks.placement.surroundings import STORE
from stacks.plan.sharing import read_alone
from tests.servers.conftest import built
from tests.servers.spans import Sender
from tests.servers.stores.running import found
from tests.stacks import samples
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import pytest

    from stacks.placement.local import Running

KEY, VALUE = "virtengine.move", "under-way"
PAUSE_SECONDS = 0.25
BADGER = samples.settings("dev")["backend"]


def search(address: str) -> dict[str, Any]:
    storage = {"kind": "opensearch", "servers": [f"http://{address}:{SEARCH.number}"], "replication": 1}
    return {"kind": "jaeger", "name": "search", "storage": storage, "resources": {"memory": "512Mi"}}


@dataclass
class Place:
    """A stack file, which is written anew for each step, the state of what runs, and the load that goes on meanwhile."""

    folder: Path
    capsys: pytest.CaptureFixture[str]
    sender: Sender | None = None

    @property
    def file(self) -> Path:
        return self.folder / "Pulumi.move.yaml"

    def tell(self, *arguments: str, fails: int = 0) -> str:
        """What a command prints that succeeds, or for want of what it looks for ``fails``."""
        self.capsys.readouterr()
        status = main([*arguments, "--state", str(self.folder / "state")])
        told = self.capsys.readouterr()
        assert status in {0, fails}, told.err
        return told.out

    def stored(self) -> dict[str, int]:
        """The spans of each trace of the load that one command finds."""
        told = self.tell("story", VALUE, str(self.file), "--attribute", KEY, "--json", fails=1)
        return {trace["trace_id"]: len(trace["spans"]) for trace in json.loads(told)["traces"]} if told else {}

    def is_whole(self) -> None:
        """Every trace that was acknowledged until now is found."""
        assert self.sender is not None
        wanted = {trace: len(spans) for trace, spans in dict(self.sender.acknowledged).items()}
        found: dict[str, int] = {}

        def all_are() -> bool:
            found.update(self.stored())
            return wanted.items() <= found.items()

        until(all_are, lambda: f"{len(wanted.items() - found.items())} of {len(wanted)} traces", progress=lambda: len(found), every=0.5)


@contextmanager
def step(place: Place, backend: dict[str, Any]) -> Iterator[Running]:
    """Run the environment with these stores; the load goes on before, meanwhile and after."""
    settings = samples.settings("dev", {"backend": backend, "retention.traces": "7d"})
    place.file.write_text(samples.text(settings))
    with deploy(read_alone(str(place.file)), say=print, state=place.folder / "state") as running:
        yield running
        came = len(place.sender.acknowledged) if place.sender is not None else 0
        if place.sender is not None:
            sender = place.sender
            until(lambda: len(sender.acknowledged) > came + 10, "traces of this step", progress=lambda: len(sender.acknowledged))
            place.is_whole()


@contextmanager
def loaded(sender: Sender) -> Iterator[None]:
    """Send one trace after the other until the context ends, each until it is acknowledged."""
    ending = threading.Event()

    def send() -> None:
        while not ending.wait(PAUSE_SECONDS):
            trace = sender.trace(3, attributes={KEY: VALUE})
            while not sender.send([trace]) and not ending.wait(0.2):
                pass

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        ending.set()
        thread.join()


@contextmanager
def opensearch(folder: Path, programs: Mapping[str, Path]) -> Iterator[str]:
    """A real OpenSearch; its address."""
    with hold_folder(folder) as held, hold_block(held.path) as block:
        environment = samples.named("prod-opensearch").environment
        with Supervisor(own_store(environment, block[STORE], held.path), programs, held, print):
            yield block[STORE]


def copied(place: Place) -> None:
    """Copy what the second store alone has into the first, as one does who cannot wait for its retention."""
    place.is_whole()
    file = place.folder / f"{time.time_ns()}.jsonl.gz"
    place.tell("export", str(place.file), str(file), "--hours", "1", "--also")
    place.tell("import", str(place.file), str(file))


def test_a_move_from_badger_to_opensearch_and_back_loses_no_trace_from_sight(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    built({"otelcol-contrib": SERVERS["otelcol-contrib"]})
    programs, place = found("opensearch"), Place(tmp_path, capsys)
    with opensearch(tmp_path / "search", programs) as address, ExitStack() as load:
        new = search(address)
        with step(place, BADGER) as running:
            place.sender = Sender(running.outputs, seed=1)
            load.enter_context(loaded(place.sender))
        with step(place, new | {"also": {"store": BADGER}}) as running:
            running.supervisor.hold("jaeger-search")
            running.supervisor.kill("jaeger-search")
            came = len(place.sender.acknowledged)
            until(lambda: len(place.sender.acknowledged) > came + 10, "traces meanwhile")  # type: ignore[union-attr]  # it sends
            place.is_whole()
            running.supervisor.release("jaeger-search")
            copied(place)
        with step(place, new):
            pass
        with step(place, BADGER | {"also": {"store": new}}):
            copied(place)
        with step(place, BADGER):
            pass
