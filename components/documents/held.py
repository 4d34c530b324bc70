"""The late acknowledgement of a gateway: an agent is answered when its spans are decided on, and keeps them in its queue until then.

A tail sampler holds traces in memory, so a gateway that is killed forgets those that wait. What it has not answered for is sent again.

The collector has no part that only waits. An exporter that answers for its result (``wait_for_result``) and flushes by time alone does
wait, but what joins a batch late waits briefly. So there are two in a row: the first flushes every ``first_seconds``, and each of its
flushes is a batch of its own to the second, which waits for all of ``second_seconds``. Between them the spans go over loopback, stripped
of what is not needed to count them, because a batch is ordered by no other means.

A pipeline hands spans to those that change them first. So the tail sampler stands behind a processor that could, and has every span
before the copy that waits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Part = dict[str, Any]

WAITING_MEBIBYTES = 1024
"""Largest message on loopback: the flush of one period, stripped."""

_UNLIMITED = 10**9
"""Spans; more than memory holds."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Loopback ``host:port`` of the two receivers, and the seconds that the tail sampler takes for a decision."""

    copy: str
    flush: str
    decision_seconds: int

    @property
    def second_seconds(self) -> int:
        """Shortest wait: a decision comes up to a second late, and what was kept goes to the queue on disk after it."""
        return self.decision_seconds + 2

    @property
    def first_seconds(self) -> int:
        """Period of the first; longer than the wait of the second, so that no two of its flushes meet there."""
        return self.second_seconds + 1

    @property
    def longest_seconds(self) -> int:
        """Longest time until an acknowledgement."""
        return self.first_seconds + self.second_seconds


def receivers(hold: Hold) -> Part:
    """The two ends on loopback."""
    ends = {"otlp/copy": hold.copy, "otlp/flush": hold.flush}
    return {name: {"protocols": {"grpc": {"endpoint": end, "max_recv_msg_size_mib": WAITING_MEBIBYTES}}} for name, end in ends.items()}


def processors() -> Part:
    """Components that give a span to the tail sampler first, and remove the copy."""
    return {
        "resource/first": {"attributes": [{"key": "virtengine.none", "action": "delete"}]},
        "transform/strip": {
            "error_mode": "ignore",
            "trace_statements": [
                {"context": "span", "statements": ["keep_keys(span.attributes, [])", 'set(span.name, "")']},
                {"context": "spanevent", "statements": ["keep_keys(spanevent.attributes, [])", 'set(spanevent.name, "")']},
            ],
        },
    }


def exporters(hold: Hold) -> Part:
    """The copy, and the two that wait; the last one writes nothing anywhere."""
    return loopback(hold, "otlp_grpc") | {
        "debug/waited": {
            "verbosity": "basic",
            "use_internal_logger": False,
            "output_paths": ["/dev/null"],
            "sending_queue": waiting(hold.second_seconds),
        },
    }


def loopback(hold: Hold, kind: str) -> Part:
    """The exporters of a ``kind`` that send the copy to the first and to the second end on loopback; the second waits."""
    return {f"{kind}/copy": _to(hold.copy, {"enabled": False}), f"{kind}/flush": _to(hold.flush, waiting(hold.first_seconds))}


def pipelines() -> Part:
    """The way of the copy."""
    return {
        "traces/copy": {"receivers": ["otlp/copy"], "processors": ["transform/strip"], "exporters": ["otlp_grpc/flush"]},
        "traces/flush": {"receivers": ["otlp/flush"], "exporters": ["debug/waited"]},
    }


def _to(endpoint: str, queue: Part) -> Part:
    return {
        "endpoint": endpoint,
        "tls": {"insecure": True},
        "compression": "none",
        # The one that is called answers when it has waited; the agent's own time-out bounds the whole.
        "timeout": "0s",
        "sending_queue": queue,
        "retry_on_failure": {"enabled": False},
    }


def waiting(seconds: int) -> Part:
    """Queue of an exporter that answers when a batch has waited so long."""
    return {
        "wait_for_result": True,
        "sizer": "items",
        "queue_size": _UNLIMITED,
        "batch": {"flush_timeout": f"{seconds}s", "min_size": _UNLIMITED},
    }
