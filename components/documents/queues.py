"""Queues of the collectors on disk, and the exporters behind them by which spans reach gateways."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from components.documents.text import go_duration

Part = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue on disk: its folder, the bytes that it may hold, and whether each entry is written through to the disk (fsync).

    ``loses`` tells whether one of several full queues loses what comes next for its gateway, and does not refuse. ``name`` tells it from
    another queue of the collector in the same folder.
    """

    folder: str
    bytes: int
    sync_writes: bool
    loses: bool = False
    name: str = "queue"

    @property
    def extension(self) -> str:
        """Name of the extension that keeps it."""
        return f"file_storage/{self.name}"


@dataclass(frozen=True, slots=True)
class Gateways:
    """The gateways as an agent sees them: the ``host:port`` of OTLP over HTTP of each.

    ``acknowledge_seconds`` is the longest time until a gateway acknowledges what it took, ``decision_seconds`` the tail-sampling wait,
    ``underway_bytes`` what each takes of one agent before it acknowledges any of it, ``request_bytes`` the part of a full request
    of a service that is for one of them.
    """

    endpoints: tuple[str, ...]
    acknowledge_seconds: int
    decision_seconds: float
    underway_bytes: int
    request_bytes: int


RETRY: Part = {"enabled": True, "initial_interval": "1s", "max_interval": "15s", "max_elapsed_time": "0s"}
"""Retries without an end: giving up sooner than the queue is full would lose what was acknowledged."""


def room(queue: Queue, *, shards: int = 1) -> Part:
    """A queue on disk, or one of several with equal shares of its bytes."""
    return {"storage": queue.extension, "sizer": "bytes", "queue_size": queue.bytes // shards}


SILENCE_SECONDS = 120
"""Timeout after which a connection to a gateway that hangs is closed, and unanswered requests are sent again."""

FLUSH_SECONDS = 1
"""Longest time that an agent waits for a batch to fill. Half as long, an outage of a gateway would make twice as many batches. Only so many
are under way at once, and those that come later may be decided apart from the rest of their traces."""

LEAST_BATCH_BYTES, USUAL_BATCH_BYTES, MOST_BATCH_BYTES = 8_192, 65_536, 1_048_576
_MOST_CONSUMERS = 10_000
"""Batches that an agent has under way at once to a gateway, whatever the wait: the collector starts a goroutine for each at its start."""
MEMORY_BYTES_PER_BYTE = 4
"""Bytes of memory that an agent takes for each byte of a batch that waits for its acknowledgement. Measured: 3 with VirtEngine's orders,
4.1 with 72 MB in spans of 400 bytes whose gateway is away."""


MEETING_SHARE = 0.4
"""Share of the tail-sampling wait within which all agents have sent a returned gateway what they keep for it. The spans of a trace come
from several agents, and those that come after the decision on the trace follow it without being looked at."""

JITTER = 0.5
"""Part of a pause before a retry by which the exporter makes it shorter or longer, at random; the collector's default."""

LONGEST_PAUSE_MILLISECONDS, SHORTEST_PAUSE_MILLISECONDS = 5000, 500


def _pause_milliseconds(gateways: Gateways) -> int:
    """Longest pause between two attempts to send to a gateway."""
    wanted = round(1000 * gateways.decision_seconds * MEETING_SHARE / (1 + JITTER))
    return min(LONGEST_PAUSE_MILLISECONDS, max(SHORTEST_PAUSE_MILLISECONDS, wanted))


_BRIEFLY: Part = {"enabled": True, "initial_interval": "500ms", "max_interval": "2s", "max_elapsed_time": "8s"}
"""Retries within the 10 s that OpenTelemetry's SDKs wait: what is away for a moment is waited for, after that the sender repeats."""


def batch_bytes(request_bytes: int) -> int:
    """Bytes of a batch of an agent under load: a usual one, or all of a request, which the exporter joins to others and does not cut."""
    return min(MOST_BATCH_BYTES, max(USUAL_BATCH_BYTES, request_bytes))


def to_gateway(memory_bytes: int, queue: Queue | None, gateways: Gateways, endpoint: str) -> Part:
    """The exporter to one gateway of a collector that refuses spans at ``memory_bytes``."""
    # Over HTTP, because a gRPC channel pauses up to two minutes between attempts to connect, which no setting shortens: agents would find a
    # returned gateway minutes apart, and traces would be decided in pieces.
    reach: Part = {"endpoint": f"http://{endpoint}", "write_buffer_size": 4096, "idle_conn_timeout": "30s"}
    if queue is None:
        return reach | {"timeout": "4s", "sending_queue": {"enabled": False}, "retry_on_failure": _BRIEFLY}
    count = len(gateways.endpoints)
    # Half of the agent's memory is for batches that wait for their acknowledgement, and a gateway's memory bounds them as well: what it
    # would refuse is kept back here, because refused batches are sent again at random, so that traces are decided in pieces.
    underway = min(gateways.underway_bytes, memory_bytes // 2 // MEMORY_BYTES_PER_BYTE // count)
    # At a small load a batch goes every second. Twice as many have room as are acknowledged meanwhile.
    fewest = 2 * gateways.acknowledge_seconds // FLUSH_SECONDS
    size = min(batch_bytes(gateways.request_bytes), max(LEAST_BATCH_BYTES, underway // fewest))
    consumers = min(_MOST_CONSUMERS, max(fewest, underway // size))
    batch = {"flush_timeout": f"{FLUSH_SECONDS}s", "min_size": size, "max_size": MOST_BATCH_BYTES}
    pause = go_duration(_pause_milliseconds(gateways))
    return reach | {
        # Above the longest wait: a batch that is sent again although it was taken would be decided on twice.
        "timeout": f"{gateways.acknowledge_seconds + SILENCE_SECONDS}s",
        "sending_queue": room(queue, shards=count) | {"num_consumers": consumers, "batch": batch},
        "retry_on_failure": RETRY | {"initial_interval": pause, "max_interval": pause},
    }


def to_topic(queue: Queue | None, most_bytes: int) -> Part:
    """The queue and the retries of an exporter to a topic, whose records have ``most_bytes`` at most."""
    if queue is None:
        return {"timeout": "4s", "sending_queue": {"enabled": False}, "retry_on_failure": _BRIEFLY}
    batch = {"flush_timeout": f"{FLUSH_SECONDS}s", "min_size": USUAL_BATCH_BYTES, "max_size": most_bytes}
    return {"timeout": "10s", "sending_queue": room(queue) | {"batch": batch}, "retry_on_failure": RETRY}


def storage(queue: Queue) -> Part:
    """The extension that keeps a queue in its folder."""
    return {
        "directory": queue.folder,
        "create_directory": True,
        "fsync": queue.sync_writes,
        # The file of an emptied queue keeps its size until it is compacted. At the start it may be full, and a copy of all of it would need
        # as much disk again and delay the start; once it is all but empty the copy is small.
        "compaction": {"directory": queue.folder, "on_start": False, "on_rebound": True, "cleanup_on_start": True},
    }
