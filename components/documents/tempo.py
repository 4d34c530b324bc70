"""The document of Tempo 3, monolithic (``target: all``). Tempo reads it strictly: an unknown key stops its start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from components.documents.text import expanded_text, go_duration, yaml_text

if TYPE_CHECKING:
    from components.documents.buckets import Bucket

Part = dict[str, Any]


_SHORTEST = 60
_COMPACTED = 3600
"""Seconds for which Tempo keeps a block that is over, or whose traces are in a larger one: its `compacted_block_retention`."""
_CUT, _COMPLETE, _RECLAIM, _BACKOFF = 30, 60, 150, 75
"""Seconds after which Tempo cuts a block, in which it may complete one, for which searches may still read one that is over, and that its
worker may wait before it asks for a job. A trace with a retention of a minute was found for 270 s, where this says 450."""


@dataclass(frozen=True, slots=True)
class Upkeep:
    """Seconds between two runs of the retention job, and between two looks at the list of blocks.

    ``in_memory`` is for how long a written block is in the live store, ``cleanup`` between two looks for such blocks that are over. The
    defaults are Tempo's own.
    """

    retention_job: int = 3600
    block_list: int = 300
    in_memory: int = 1200
    cleanup: int = 300

    def delay(self, retention_seconds: int) -> int:
        """Seconds after its retention at which a trace is no longer found, at the latest: in the blocks, and in the live store."""
        in_live_store = _CUT + _COMPLETE + self.in_memory + self.cleanup + _RECLAIM
        return _CUT + max(self.retention_job + _BACKOFF + self.block_list, in_live_store - retention_seconds)

    def on_disk(self, retention_seconds: int) -> int:
        """Seconds beyond its retention for which a trace takes room: until it is found no more, and in blocks that go later.

        It was in a block that a larger one took the place of, and is in one that is over; and there is its copy in the live store.
        """
        return self.delay(retention_seconds) + 2 * _COMPACTED + self.in_memory


_OWN = Upkeep()


def upkeep(retention_seconds: int) -> Upkeep:
    """The intervals that a retention needs: Tempo's own, or a fifth of a short retention, so that it ends by about the time it says."""
    share = max(_SHORTEST, retention_seconds // 5)
    # A block stays in memory until each look at the list has found it.
    in_memory = max(2 * _SHORTEST, retention_seconds)
    seconds = min(_OWN.retention_job, share), min(_OWN.block_list, share), min(_OWN.in_memory, in_memory), min(_OWN.cleanup, share)
    return Upkeep(*seconds)


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits above which Tempo refuses: bytes of a trace, bytes per second, bytes at once, and the seconds that one search may be over.

    Tempo's defaults are 5 MB, 15 MB/s, 20 MB and a week.
    """

    trace_bytes: int
    bytes_per_second: int
    burst_bytes: int
    search_seconds: int


def store(
    *,
    intake: str,
    query_host: str,
    query_port: int,
    grpc_host: str,
    grpc_port: int,
    telemetry_port: int,
    folder: str,
    bucket: Bucket | None,
    retention_seconds: int,
    limits: Limits,
) -> str:
    """The document of Tempo with its write-ahead log, and without a ``bucket`` its blocks too, in ``folder``.

    ``intake`` is the ``host:port`` of OTLP over gRPC. What deletion reads is the retention of ``backend_worker``; the scheduler's is
    kept equal.
    """
    retention = {"block_retention": go_duration(retention_seconds * 1000)}
    intervals = upkeep(retention_seconds)
    # By default it looks for an address of IPv4 alone by which its own parts would find it.
    inet6 = {"enable_inet6": True} if ":" in query_host else {}
    loopback = {"kvstore": {"store": "inmemory"}} | inet6
    ring = {"ring": inet6} if inet6 else {}
    querier, scheduler = _own_parts(grpc_host, grpc_port)
    # Its argument -config.expand-env goes with the keys of a bucket, and holds for the whole document.
    written = expanded_text if bucket is not None and bucket.expanded else yaml_text
    return written(
        {
            "target": "all",
            "stream_over_http_enabled": True,
            "server": _http(query_host, query_port)
            | {"grpc_listen_address": grpc_host, "grpc_listen_port": grpc_port, "log_format": "json"},
            "internal_server": _metrics_server(query_host, telemetry_port),
            "distributor": {
                "receivers": {"otlp": {"protocols": {"grpc": {"endpoint": intake}}}},
                "ring": loopback,
                # By default each text is cut to 2 kB, a stack trace with it.
                "max_attribute_bytes": 65_536,
            },
            "storage": {"trace": _storage(folder, bucket) | _unless_own("blocklist_poll", intervals.block_list, _OWN.block_list)},
            "live_store": _live_store(folder, intervals) | ring,
            **querier,
            "backend_scheduler": {
                "local_work_path": f"{folder}/scheduler",
                "provider": {
                    "compaction": {"compaction": retention},
                    **_unless_own("retention", intervals.retention_job, _OWN.retention_job, within="interval"),
                },
            },
            "backend_worker": {"compaction": retention, "finish_on_shutdown_timeout": "2s", **ring, **scheduler},
            "overrides": {"defaults": {"compaction": retention} | _limits(limits)},
            "usage_report": {"reporting_enabled": False},
        }
    )


def _http(host: str, port: int) -> Part:
    """Return where a server of Tempo takes HTTP."""
    return {"http_listen_address": host, "http_listen_port": port}


def _own_parts(host: str, port: int) -> tuple[Part, Part]:
    """Return where the querier and the worker find the frontend and the scheduler. By default they look for them on 127.0.0.1."""
    if host in {"127.0.0.1", "0.0.0.0"} or ":" in host:  # noqa: S104 - compared, not bound
        return {}, {}
    address = f"{host}:{port}"
    return {"querier": {"frontend_worker": {"frontend_address": address}}}, {"backend_scheduler_addr": address}


def _metrics_server(host: str, port: int) -> Part:
    """Return the server of Tempo's metrics. On the port of queries alone, who scrapes could read traces."""
    return {
        "enable": True,
        **_http(host, port),
        # Without it there are no metrics here.
        "register_instrumentation": True,
        # It brings a gRPC server that nothing asks.
        "grpc_listen_address": "localhost",
    }


def _live_store(folder: str, intervals: Upkeep) -> Part:
    """Return the place of spans that are in no block yet; by default it would be /var/tempo, on no volume."""
    return {
        "wal": {"path": f"{folder}/live"},
        "shutdown_marker_dir": f"{folder}/shutdown-marker",
        **_unless_own("complete_block_timeout", intervals.in_memory, _OWN.in_memory),
        # Under this name it has the time between two looks for blocks that are over.
        **_unless_own("flush_op_timeout", intervals.cleanup, _OWN.cleanup),
    }


def _unless_own(key: str, seconds: int, own: int, *, within: str | None = None) -> Part:
    """A duration under a key, or under ``within`` a mapping there; nothing where it is Tempo's own."""
    text = go_duration(seconds * 1000)
    return {} if seconds == own else {key: text if within is None else {within: text}}


def _limits(limits: Limits) -> Part:
    """Limits of the one tenant."""
    return {
        "ingestion": {
            # By default a tenant has 10,000 traces under way, and spans of more are refused for good.
            "max_traces_per_user": 0,
            "rate_limit_bytes": limits.bytes_per_second,
            "burst_size_bytes": limits.burst_bytes,
        },
        # Spans over it are left out of a trace without a word.
        "global": {"max_bytes_per_trace": limits.trace_bytes},
        "read": {
            # Search results would lose the leading zeros of trace ids.
            "left_pad_trace_ids": True,
            # By default a search over more than a week is refused, however long traces are kept.
            "max_search_duration": go_duration(limits.search_seconds * 1000),
        },
    }


def _storage(folder: str, bucket: Bucket | None) -> Part:
    log = {"wal": {"path": f"{folder}/wal"}}
    if bucket is None:
        return {"backend": "local", "local": {"path": f"{folder}/blocks"}} | log
    return bucket.storage() | log
