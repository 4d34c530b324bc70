"""Consequences of changed settings of the stores that stand elsewhere: what becomes of the spans that they hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stacks.environment.units import format_duration

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import timedelta

    from stacks.environment.model import Environment

TTL_TABLES = (
    "traces",
    "service_names",
    "operation_names_v2",
    "service_operation_index",
    "service_name_index",
    "duration_index",
    "tag_index",
    "dependencies_v2",
)
"""Tables of a keyspace of Jaeger to which it gives a time to live (2.13 and 2.20, v004-go-tmpl.cql.tmpl)."""


def altered(keyspace: str, retention: timedelta) -> str:
    """Statements by which the tables of a keyspace get another time to live, as `cqlsh` takes them."""
    seconds = round(retention.total_seconds())
    return " ".join(f"ALTER TABLE {keyspace}.{table} WITH default_time_to_live = {seconds};" for table in TTL_TABLES)


def retention(old: Environment, new: Environment) -> str | None:
    """Consequence of another retention for the spans that a store elsewhere holds; None on a store of the backend's own.

    The keyspace is written out in both environments.
    """
    backend, before, after = new.backend, old.retention.traces, new.retention.traces
    if backend.kind != "jaeger" or backend.storage.kind == "badger":
        return None
    if backend.storage.kind == "cassandra":
        keyspace = str(backend.storage.keyspace)
        return (
            f"on Cassandra spans already written keep their {format_duration(before)}, and so do new ones until the tables, which are made "
            f"once, are altered: cqlsh -e '{altered(keyspace, after)}'"
        )
    gone = format_duration(after)
    if after < before:
        return (
            f"traces older than {gone} are no longer found once Jaeger has restarted, and their indices are deleted by the next run of the "
            "job cleaner, which is daily"
        )
    return f"the indices that are still there stay until they are {gone} old, and are found that long"


def _moved(_was: object, _becomes: object, _old: Environment, _new: Environment) -> str:
    return "traces stored so far stay where they are, are not moved, and can no longer be read here"


def _same_data(_was: object, _becomes: object, _old: Environment, _new: Environment) -> str:
    return "traces stored so far are found as long as these are servers of the same store"


def _copies(_was: object, _becomes: object, _old: Environment, new: Environment) -> str | None:
    backend = new.backend
    if backend.kind != "jaeger" or backend.storage.kind == "badger":
        return None
    if backend.storage.kind == "cassandra":
        factor = backend.storage.replication
        strategy = f"{{'class': 'NetworkTopologyStrategy', 'replication_factor': '{factor}'}}"
        return (
            'a keyspace that is there keeps its own until it is altered: cqlsh -e "ALTER KEYSPACE '
            f'{backend.storage.keyspace} WITH replication = {strategy};", then nodetool repair'
        )
    return "holds for the indices of the next days"


def _next_days(_was: object, _becomes: object, _old: Environment, _new: Environment) -> str:
    return "holds for the indices of the next days"


def _encryption(_was: object, becomes: object, _old: Environment, _new: Environment) -> str:
    return "spans and the password cross the network in clear" if becomes else "the store has to offer TLS, or no span is stored"


def _scaled(was: object, becomes: object, _old: Environment, _new: Environment) -> str:
    if isinstance(was, int) and (not isinstance(becomes, int) or becomes < was):
        return "replicas beyond it end, without a loss, and the quota is cut to it"
    if was is None:
        return "the quota has room for as many; one alone runs until the HorizontalPodAutoscaler has set the least, while gateways queue"
    return "the quota has room for as many"


RULES: Mapping[str, Callable[[object, object, Environment, Environment], str | None]] = {
    "backend.storage.keyspace": _moved,
    "backend.storage.index_prefix": _moved,
    "backend.storage.servers": _same_data,
    "backend.storage.replication": _copies,
    "backend.storage.shards": _next_days,
    "backend.storage.plain_text": _encryption,
    "backend.autoscaling.max_replicas": _scaled,
}
