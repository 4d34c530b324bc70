"""Orders as VirtEngine in small makes them: recorded once from its real services, then multiplied, each with ids and a time of its own.

``python -m benchmarks.orders`` records some orders of each kind anew.
"""

from __future__ import annotations

import asyncio
import gzip
import http.client
import json
import queue
import random
import re
import ssl
import tempfile
import threading
import time
from collections import defaultdict
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from examples.virtengine.load import SHARES, Load
from examples.virtengine.oracle_program import find_oracle
from examples.virtengine.system import Options, System
from stacks.copies.archive import lines_of
from stacks.copies.export import Wanted, export
from stacks.environment.source import read
from stacks.placement.local import deploy
from stacks.rehearse.recording import Recorded, Trace, grouped, read_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from stacks.trial.load import Intake

RECORDING = Path(__file__).parent / "orders.jsonl.gz"
ORDER = "virtengine.order.id"
OWN = re.compile(
    r"(?<=order-)[0-9a-f]{12}|(?<=lease-)[0-9a-f]{12}|(?<=\bh:)[0-9a-f]{16}|\b[0-9A-F]{64}\b"
    r"|\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"
)
"""What is another in each order: the ids of the order and of its lease, accounts, hashes of transactions, and what Waldur calls things."""
_DIGIT = re.compile(rb"[0-9a-fA-F]")
PACES = (0.98, 1.02)
EACH = 6
"""Recorded orders of each kind."""
TICK_SECONDS = 0.2
TIMEOUT_SECONDS, STALL_SECONDS = 30.0, 300.0
AGAIN = frozenset({429, 502, 503, 504})


def record(path: Path, each: int) -> None:
    """Run the services, place so many orders of each kind, and write the traces of an order as one line, with its kind."""
    with tempfile.TemporaryDirectory() as folder, deploy(read("dev"), say=print, state=Path(folder)) as running:
        began, place = time.time(), Path(folder)
        with System(place / "virtengine", running.outputs_file, print, Options(oracle=find_oracle(print))) as system:
            load = Load(*(system.url(name) for name in ("portal", "provider-daemon", "chain")), seed=1, say=print)
            outcome = asyncio.run(load.run(each * len(SHARES), per_second=5, kinds=(*SHARES,) * each))
        kinds = {placed.id: placed.kind for placed in outcome.placed}
        time.sleep(2 * read("dev").environment.sampling.tail.wait.total_seconds())
        export(running.outputs, Wanted(began, time.time()), place / "all.jsonl.gz", lambda _progress: None)
        found = _by_order([json.loads(line) for line in lines_of(place / "all.jsonl.gz")])
    lines = [{"kind": kinds[order], "resourceSpans": [*map(_elsewhere, _groups(those))]} for order, those in sorted(found.items())]
    text = "".join(f"{json.dumps(line, separators=(',', ':'))}\n" for line in lines)
    path.write_bytes(gzip.compress(text.encode(), mtime=0))


def _by_order(documents: Sequence[Any]) -> Mapping[str, list[Any]]:
    """The traces of each order: those with its id, and those that are linked with one of them."""
    order_of: dict[str, str] = {}
    for document in documents:
        for span in _spans(document):
            for pair in span.get("attributes", ()):
                if pair["key"] == ORDER:
                    order_of[span["traceId"]] = pair["value"]["stringValue"]
    found: dict[str, list[Any]] = defaultdict(list)
    for document in documents:
        own = next(_spans(document))["traceId"]
        linked = (link["traceId"] for span in _spans(document) for link in span.get("links", ()))
        if order := next((order_of[trace] for trace in (own, *linked) if trace in order_of), None):
            found[order].append(document)
    return found


def _elsewhere(group: Any) -> Any:  # noqa: ANN401 - JSON
    """Spans without the name of the machine that recorded them."""
    for pair in group["resource"]["attributes"]:
        if pair["key"] == "host.name":
            pair["value"] = {"stringValue": "node-1"}
    return group


def _groups(documents: Sequence[Any]) -> Iterator[Any]:
    return (group for document in documents for group in document["resourceSpans"])


def _spans(document: Any) -> Iterator[Any]:  # noqa: ANN401 - JSON
    return (span for group in document["resourceSpans"] for scope in group["scopeSpans"] for span in scope["spans"])


@dataclass(frozen=True, slots=True)
class Shape:
    """A recorded order: its traces, each with the ids and names that its spans have, and when it began.

    ``ids`` of traces and ``span_ids`` are bytes. ``names`` are bytes of text, that of the order and whatever else is another in each
    order, as hashes of transactions are. The time is in nanoseconds since 1970.
    """

    traces: tuple[tuple[Trace, tuple[bytes, ...]], ...]
    ids: tuple[bytes, ...]
    span_ids: tuple[bytes, ...]
    names: tuple[bytes, ...]
    start: int


def shapes() -> Mapping[str, Sequence[Shape]]:
    """The recorded orders by kind."""
    found: dict[str, list[Shape]] = defaultdict(list)
    for line in lines_of(RECORDING):
        found[json.loads(line)["kind"]].append(_shape(read_lines(str(RECORDING), [line])))
    return found


def _shape(traces: Sequence[Trace]) -> Shape:
    ids = tuple(trace.id for trace in traces)
    spans = [one.span for trace in traces for one in trace.spans]
    span_ids = tuple(span.span_id for span in spans)
    texts = (pair.value.string_value for span in spans for pair in span.attributes)
    names = tuple(sorted({found.group().encode() for text in texts for found in OWN.finditer(text)}))
    encoded = [b"".join(one.span.SerializeToString() for one in trace.spans) for trace in traces]
    within = [tuple(one for one in (*ids, *span_ids, *names) if one in whole) for whole in encoded]
    return Shape(tuple(zip(traces, within, strict=True)), ids, span_ids, names, min(span.start_time_unix_nano for span in spans))


def orders(count: int, *, begin: float, per_second: float, seed: int = 1) -> Iterator[Trace]:
    """Yield the traces of so many orders, the kinds in the shares of the load generator.

    The first one starts at ``begin``, in seconds since 1970.
    """
    chance, known = random.Random(seed), shapes()  # noqa: S311 - to be repeated
    for number in range(count):
        kind = chance.choices(list(SHARES), list(SHARES.values()))[0]
        yield from _copies(chance.choice(known[kind]), chance, round((begin + number / per_second) * 1e9))


def _copies(shape: Shape, chance: random.Random, start: int) -> Iterator[Trace]:
    """The traces of an order with other ids and names of the same length, from another time on, in nanoseconds since 1970.

    Each order takes a little longer or shorter than the recorded one, because stores keep equal durations for nothing.
    """
    others = {one: chance.randbytes(len(one)) for one in (*shape.ids, *shape.span_ids)}
    others |= {name: _drawn(name, chance) for name in shape.names}
    pace = chance.uniform(*PACES)
    for trace, within in shape.traces:
        own = {old: others[old] for old in within}
        yield Trace(others[trace.id], tuple(_copy(one, own, lambda at: start + round((at - shape.start) * pace)) for one in trace.spans))


def _drawn(name: bytes, chance: random.Random) -> bytes:
    """Another name of the same form."""
    drawn = _DIGIT.sub(lambda _: b"%x" % chance.getrandbits(4), name)
    return drawn.upper() if name.isupper() else drawn


def _copy(one: Recorded, others: Mapping[bytes, bytes], moved: Callable[[int], int]) -> Recorded:
    encoded = one.span.SerializeToString()
    for old, new in others.items():
        encoded = encoded.replace(old, new)
    span = Span.FromString(encoded)
    _retime(span, moved)
    return Recorded(one.resource, one.scope, span)


def move(span: Span, delta: int) -> None:
    """Move a span by so many nanoseconds."""
    _retime(span, lambda at: at + delta)


def _retime(span: Span, moved: Callable[[int], int]) -> None:
    span.start_time_unix_nano = moved(span.start_time_unix_nano)
    span.end_time_unix_nano = moved(span.end_time_unix_nano)
    for event in span.events:
        event.time_unix_nano = moved(event.time_unix_nano)


def used_bytes(folder: Path) -> int:
    """Bytes that the files in a folder take on their disk; those of files that go meanwhile are not counted."""
    used = 0
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):
            used += path.stat().st_blocks * 512
    return used


def replay(traces: Sequence[Trace], intake: Intake, say: Callable[[str], None]) -> float:
    """Send each span when it ends, as the services did; the spans are moved to now. Return when it began, in seconds since 1970.

    The spans of one service go to one of the collectors of the intake. Each request is sent until it is taken.
    """
    spans = sorted((one for trace in traces for one in trace.spans), key=lambda one: one.span.end_time_unix_nano)
    began = time.time()
    delta = round((began + TICK_SECONDS) * 1e9) - spans[0].span.end_time_unix_nano
    for one in spans:
        move(one.span, delta)
    senders = {service: number % len(intake.urls) for number, service in enumerate(sorted({one.service for one in spans}))}
    said, at = began, 0
    with ExitStack() as stack:
        ways = [stack.enter_context(_Way(url, intake)) for url in intake.urls]
        while at < len(spans):
            time.sleep(TICK_SECONDS)
            now, until = time.time(), at
            while until < len(spans) and spans[until].span.end_time_unix_nano <= now * 1e9:
                until += 1
            for number, way in enumerate(ways):
                if those := [one for one in spans[at:until] if senders[one.service] == number]:
                    way.requests.put(ExportTraceServiceRequest(resource_spans=grouped(those)).SerializeToString())
            at = until
            if now > said + 10:
                say(f"{at:,} of {len(spans):,} spans sent, {now - spans[max(0, at - 1)].span.end_time_unix_nano / 1e9:.1f} s behind")
                said = now
    return began


class _Way:
    """A connection to one collector of the intake, on which ``requests`` are sent one after the other until the context ends."""

    def __init__(self, url: str, intake: Intake) -> None:
        parts, context = urlsplit(url), ssl.create_default_context(cadata=intake.certificate) if intake.certificate else None
        host, port = str(parts.hostname), parts.port
        self._connection = (
            http.client.HTTPSConnection(host, port, timeout=TIMEOUT_SECONDS, context=context)
            if context
            else http.client.HTTPConnection(host, port, timeout=TIMEOUT_SECONDS)
        )
        self._headers = {"Content-Type": "application/x-protobuf"} | ({"Authorization": f"Bearer {intake.token}"} if intake.token else {})

        self.requests: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._refused = 0
        self._thread = threading.Thread(target=self._send_all, name="orders", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.requests.put(None)
        self._thread.join()
        self._connection.close()
        if self._refused:
            raise SystemExit(f"the intake answers {self._refused} to recorded orders")

    def _send_all(self) -> None:
        """Send what is queued, each until it is taken, until None comes, which stands for the end."""
        while (body := self.requests.get()) is not None and not self._refused:
            deadline = time.monotonic() + STALL_SECONDS
            while (status := self._post(body)) in AGAIN and time.monotonic() < deadline:
                time.sleep(TICK_SECONDS)
            self._refused = 0 if status == http.client.OK else status

    def _post(self, body: bytes) -> int:
        """The status of the answer; without one, that of a server which is not there."""
        try:
            self._connection.request("POST", "/v1/traces", body, self._headers)
            answer = self._connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            return http.client.SERVICE_UNAVAILABLE
        return answer.status


if __name__ == "__main__":
    record(RECORDING, EACH)
