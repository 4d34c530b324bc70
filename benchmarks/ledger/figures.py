"""The table of the figures that `check`, `size`, `diff` and `rehearse` print: the row that holds each, or why it has none.

The places are those in what a command prints with ``--json``: ``*`` stands for any name or number of a list, ``**`` for all below.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """A place of figures in the output of a command.

    ``row`` is the key of the entries that hold it, empty where there is none; ``why`` says then why.
    """

    command: str
    place: str
    row: str = ""
    why: str = ""


_WORDS = "says in words what figures of the same command are, which have rows"
_FILE = "is what the file of the environment says"
_KAFKA = "is an upper bound of a failure that tests/servers/test_kafka.py makes"
_SAME = "follows from which traces are kept, which have rows"
_INPUT = "is counted in the recording, and foresees nothing"
_DISK = "sides.*.disk.needed"

_SUMMARY = (
    *("target", "intake", "sampling", "agent", "gateway", "kafka", "backend", "start", "disk", "memory", "metrics", "access", "servers"),
)

FIGURES = (
    Figure("check", "settings.**", why=_FILE),
    Figure("check", "source", why="names the file"),
    Figure("check", "environment", why="names the file"),
    *(Figure("check", f"summary.{word}", why=_WORDS) for word in _SUMMARY),
    Figure("check", "policies.**", why="judges, and foresees nothing; that the engine judges alike is tested"),
    Figure("check", "figures.recorded_spans_per_second", row="tiers.*.spans_per_second"),
    Figure("check", "figures.kept_spans_per_second", row="figures.kept_share"),
    Figure("check", "figures.kept_share", row="figures.kept_share"),
    Figure("check", "figures.most_spans_per_second", row="figures.most_spans_per_second"),
    Figure("check", "figures.bytes_in_use", why="is part of what is resident, which has a row; no server tells it apart"),
    Figure("check", "figures.bytes_resident", row="figures.bytes_resident"),
    Figure("check", "figures.bytes_needed", why="is the memory at which the most spans pass, which has a row, at the expected load"),
    Figure("check", "figures.kept_span_bytes", row="figures.kept_span_bytes"),
    Figure("check", "figures.outage_seconds", row="figures.outage_seconds"),
    Figure("check", "figures.absence_seconds", row="figures.absence_seconds"),
    Figure("check", "figures.start_seconds", why="is an upper bound, for a slow disk, of what docs/sizing.md measures"),
    Figure("check", "figures.spans_with_agent", row="figures.spans_with_agent"),
    Figure("check", "figures.disk_span_bytes", row="figures.disk_span_bytes"),
    Figure("check", "figures.disk_bytes_needed", row=_DISK),
    Figure("check", "figures.topic_bytes", why="is the load times the retention of a topic, of which Kafka compresses what it can"),
    Figure("check", "figures.traces_cut", why=_KAFKA),
    Figure("size", "source", why="names the file"),
    Figure("size", "environment", why="names the file"),
    Figure("size", "spans_per_second", why="is what was asked for"),
    Figure("size", "tiers.*.replicas", row="figures.most_spans_per_second"),
    Figure("size", "tiers.*.configured", why=_FILE),
    Figure("size", "tiers.*.spans_per_second", row="tiers.*.spans_per_second"),
    Figure("size", "tiers.*.cores", row="tiers.*.cores"),
    Figure("size", "tiers.*.memory", row="tiers.*.memory"),
    Figure("size", "tiers.*.disk", row="tiers.*.disk"),
    Figure("size", "tiers.*.received", why="is spans a second times their bytes, of which both have rows; no server counts it"),
    Figure("size", "tiers.*.sent", row="figures.kept_span_bytes"),
    Figure("size", "tiers.*.requests", why="is a mean that no server counts at the level of metrics that it runs with"),
    Figure("size", "tiers.*.formulas.*", why=_WORDS),
    Figure("size", "tiers.*.limit", why=_WORDS),
    Figure("diff", "changes.*.key", why="names a setting"),
    Figure("diff", "changes.*.old.**", why=_FILE),
    Figure("diff", "changes.*.new.**", why=_FILE),
    Figure("diff", "changes.*.sentence", why=_FILE),
    Figure("diff", "changes.*.consequence", why="says in words what happens to data, which tests/engine and tests/servers make happen"),
    Figure("diff", "workloads.*.workload", why="names a workload"),
    Figure("diff", "workloads.*.effect", row="workloads.*.effect"),
    Figure("diff", "workloads.*.because.*", why="names what differs in the plan"),
    Figure("diff", "workloads.*.waits", why="says in words what figures.start_seconds is"),
    Figure("diff", "workloads.*.loses", why="says in words what docs/reliability.md measures"),
    Figure("rehearse", "recorded.*", why=_INPUT),
    Figure("rehearse", "kept.*.traces", row="kept.*.traces"),
    Figure("rehearse", "kept.*.spans", row="kept.*.spans"),
    Figure("rehearse", "kept.*.bytes", why=_SAME),
    Figure("rehearse", "policies.*.*.traces", row="policies.*.*.traces"),
    Figure("rehearse", "policies.*.*.spans", row="policies.*.*.spans"),
    Figure("rehearse", "policies.*.*.bytes", why=_SAME),
    Figure("rehearse", "services.*.recorded.*", why=_INPUT),
    Figure("rehearse", "services.*.kept.*.spans", row="services.*.kept.*.spans"),
    Figure("rehearse", "services.*.kept.*.traces", why=_SAME),
    Figure("rehearse", "services.*.kept.*.bytes", why=_SAME),
    Figure("rehearse", "lost.*.kind", why=_SAME),
    Figure("rehearse", "lost.*.name", why=_SAME),
    Figure("rehearse", "lost.*.traces", why=_SAME),
    Figure("rehearse", "lost.*.example", why=_SAME),
    Figure("rehearse", "lost.*.policy", why=_SAME),
    Figure("rehearse", "gained", why=_SAME),
    Figure("rehearse", "sides.*.limited", row="sides.*.limited"),
    Figure("rehearse", "sides.*.cut", why="is counted in the recording; tests/servers/test_rehearse.py has traces that are cut"),
    Figure("rehearse", "sides.*.series.*", row="sides.*.series.*"),
    Figure("rehearse", "sides.*.disk.needed", row=_DISK),
    Figure("rehearse", "sides.*.disk.provided", why=_FILE),
    Figure("rehearse", "sides.*.disk.key", why="names a setting"),
    Figure("rehearse", "sides.*.disk.what", why=_FILE),
    Figure("rehearse", "sides.*.disk.arithmetic", why=_WORDS),
)


def matches(place: str, path: tuple[str, ...]) -> bool:
    """Whether a place is that of a path in the output of a command."""
    parts = place.split(".")
    if parts[-1] == "**":
        return len(path) >= len(parts) - 1 and _same(parts[:-1], path[: len(parts) - 1])
    return len(parts) == len(path) and _same(parts, path)


def _same(parts: list[str], path: tuple[str, ...]) -> bool:
    return all(part in {"*", step} for part, step in zip(parts, path, strict=True))
