"""Consequences of changed settings of the stores that stand elsewhere: what becomes of the spans that they hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stacks.environment.places import home_of, servers_of
from stacks.environment.units import format_duration
from stacks.plan.remote import place_in_store, place_key, remote

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import timedelta

    from stacks.environment.model import Environment
    from stacks.plan.remote import Remote

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


def same_data(old: Environment, new: Environment) -> bool:
    """Whether two stores would find each other's traces: those that are elsewhere and have one place there, whatever they are called.

    Keyspaces and index prefixes are written out in both environments.
    """
    one, other = old.backend, new.backend
    if one.kind == "otlp" or other.kind == "otlp":
        return one.kind == other.kind == "otlp" and servers_of([one.endpoint]) == servers_of([other.endpoint])
    if (bucket := _bucket_of(old)) is not None:
        return bucket == _bucket_of(new)
    first, second = remote(old), remote(new)
    return first is not None and second is not None and _one_place(first, second)


def _bucket_of(environment: Environment) -> tuple[str | None, str] | None:
    """The bucket of the traces with where its name means it; None without one."""
    backend = environment.backend
    if backend.kind != "tempo" or backend.storage.kind == "volume":
        return None
    return home_of(backend.storage), backend.storage.bucket


def _one_place(one: Remote, other: Remote) -> bool:
    places = [(place_key(each), place_in_store(each, "")) for each in (one, other)]
    return places[0] == places[1] and bool(servers_of(one.servers) & servers_of(other.servers))


def _moved(_was: object, _becomes: object, old: Environment, new: Environment) -> str:
    first, second = remote(old), remote(new)
    if first is not None and second is not None and place_in_store(first, "") == place_in_store(second, ""):
        return "it is what it is by default: nothing moves"
    return "traces stored so far stay where they are, are not moved, and can no longer be read here"


def _servers(was: object, becomes: object, _old: Environment, _new: Environment) -> str:
    found = "traces stored so far are found as long as these are servers of the same store"
    return "; ".join(filter(None, (found, in_clear(was, becomes, "spans and the password"))))


def in_clear(was: object, becomes: object, what: str) -> str | None:
    """Consequence of another scheme of one or more URLs; ``what`` is sent to them. None where the scheme is the same."""
    before, after = ({str(url).partition("://")[0] for url in (side if isinstance(side, list) else [side])} for side in (was, becomes))
    if before == {"https"} and after == {"http"}:
        return f"{what} cross the network in clear"
    return "the server has to offer TLS, or none of it arrives" if (before, after) == ({"http"}, {"https"}) else None


def _plain_http(_was: object, becomes: object, _old: Environment, _new: Environment) -> str:
    if becomes:
        return "traces cross the network in clear, and with them the id of the key, though not the key itself, which signs alone"
    return "the object storage has to offer TLS, or no block is stored"


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
    "backend.storage.servers": _servers,
    "backend.storage.replication": _copies,
    "backend.storage.shards": _next_days,
    "backend.storage.plain_text": _encryption,
    "backend.storage.plain_http": _plain_http,
    "backend.autoscaling.max_replicas": _scaled,
}
