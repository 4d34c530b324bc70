"""Consequences of a changed setting for data and services, where they are not plain from the setting itself."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import TYPE_CHECKING

from components.documents.tempo import upkeep
from stacks.changes import stores, transport
from stacks.environment.sizing import answers_late
from stacks.environment.units import approximate_bytes, format_bytes, format_duration

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from stacks.environment.model import Environment


_NAMED = 5
"""Names that a sentence has; of more it gives the number."""


def consequence(key: str, was: object, becomes: object, old: Environment, new: Environment) -> str | None:
    """Consequence of a change of the setting ``key`` (``*`` for chosen names), or None where the sentence says it all."""
    section = key.partition(".")[0]
    moved = old.place != new.place
    if moved and section == "backend":
        return None  # said once, of the target: nothing of the old backend is touched
    if _of_another_kind(key, old, new):
        return None  # said once, of the kind: the settings of another kind come and go with it
    rule = _RULES.get(key)
    return rule(was, becomes, old, new) if rule is not None else _SECTIONS.get(section)


def _of_another_kind(key: str, old: Environment, new: Environment) -> bool:
    """Whether a setting of the backend belongs to one of two kinds of which one takes the place of the other."""
    if key.startswith("backend.") and old.backend.kind != new.backend.kind:
        return key not in {"backend.kind", "backend.protect"}
    if key.startswith(("backend.volume.", "backend.query.")) and _storage(old) != _storage(new):
        return True
    return key.startswith("backend.storage.") and _storage(old) != _storage(new) and key != "backend.storage.kind"


def _storage(environment: Environment) -> str | None:
    """Kind of the storage of the traces; None of a store that is there already."""
    return environment.backend.storage.kind if environment.backend.kind != "otlp" else None


def _retention(_was: object, _becomes: object, old: Environment, new: Environment) -> str:
    before, after = old.retention.traces, new.retention.traces
    if new.backend.kind == "otlp":
        return "nothing here deletes traces: set it on the store too, which keeps what it keeps"
    if (elsewhere := stores.retention(old, new)) is not None:
        return elsewhere
    if new.backend.kind == "jaeger":
        # Badger stamps the expiry on a span when it is written.
        return f"on Badger spans already written keep their {format_duration(before)}"
    if after < before:
        seconds = round(after.total_seconds())
        delay = timedelta(minutes=math.ceil(upkeep(seconds).delay(seconds) / 60))
        return f"on Tempo traces older than {format_duration(after)} are no longer found after {format_duration(delay)} at the latest"
    return f"on Tempo the traces that are still stored stay until they are {format_duration(after)} old"


def _kind(_was: object, _becomes: object, old: Environment, new: Environment) -> str:
    told = _left_behind(old)
    return f"{told}; from then on the retention is that of {new.backend.endpoint}" if new.backend.kind == "otlp" else told


def _left_behind(old: Environment) -> str:
    """Fate of the traces in a backend that gives way to one of another kind."""
    if old.backend.kind == "otlp":
        return "traces stored so far stay in the store that is there already, and are read there alone"
    if _volume(old) is None:
        return f"traces stored so far stay in {_storage(old)} and are not moved"
    if _in_bucket(old):
        return "traces stored so far stay in the bucket and are not moved; the volume of the write-ahead log is " + (
            "protected and refuses to be deleted" if _has_protection(old) else "deleted, with what is not in the bucket yet"
        )
    if _has_protection(old):
        return f"traces stored so far stay where they are and are not moved; {_protected(old)}"
    return "traces stored so far are not moved, and are deleted with their volume"


def _storage_kind(was: object, becomes: object, old: Environment, new: Environment) -> str | None:
    if stores.same_data(old, new):
        return "these are the same servers and the same indices: traces stored so far stay and are found"
    before, after = _volume(old), _volume(new)
    if old.backend.kind != "tempo" or new.backend.kind != "tempo" or before is None or after is None:
        # Said of the kind of the backend, where that is another one too.
        return _kind(was, becomes, old, new) if old.backend.kind == new.backend.kind else None
    if was != "volume" and becomes != "volume":
        told = "traces stored so far stay in the bucket and are no longer found; the claim of the write-ahead log stays"
    elif becomes != "volume":
        told = "the claim of the traces becomes that of the write-ahead log; the traces in it are not moved, and no longer found"
    else:
        told = "the claim of the write-ahead log becomes that of the traces; those in the bucket stay there, and are no longer found"
    if _on_cluster(old, new) and after < before:
        least = format_bytes(before)
        key = "backend.storage.wal.size" if becomes != "volume" else "backend.storage.size"
        return f"{_SHRINKS} (write {key}: {least} or more); then {told}"
    return told


_SHRINKS = "a claim cannot shrink: the deployment refuses it"


def _on_cluster(old: Environment, new: Environment) -> bool:
    return old.target == new.target and new.target.kind == "kubernetes"


def _in_bucket(environment: Environment) -> bool:
    return environment.backend.kind == "tempo" and environment.backend.storage.kind != "volume"


def _has_protection(environment: Environment) -> bool:
    return environment.backend.kind != "otlp" and environment.backend.protect


def _protected(old: Environment) -> str:
    return "the volume is protected and refuses to be deleted" if _has_protection(old) else "the volume is deleted with them"


def _renamed(_was: object, _becomes: object, old: Environment, _new: Environment) -> str:
    # A queue belongs to the exporter of a store, which has its name.
    waiting = "what waits for it in the gateways' queues is not delivered"
    if old.backend.kind == "otlp":
        return f"what is stored stays where it is; {waiting}"
    if _volume(old) is None:
        return f"its workloads are made anew under the other name; what is stored stays and is found; {waiting}"
    anew = "its workloads and its claim are made anew under the other name"
    if _in_bucket(old):
        log = "is protected and refuses to be deleted" if _has_protection(old) else "is deleted, with what is not in the bucket yet"
        return f"{anew}: what is in the bucket stays and is found; the volume of the write-ahead log {log}; {waiting}"
    return f"{anew}: {_left_behind(old)}; {waiting}"


def _elsewhere(_was: object, _becomes: object, _old: Environment, _new: Environment) -> str:
    return "the backbone is made anew there; traces stored so far are not moved, and services need the new outputs"


def _volume_size(_was: object, _becomes: object, old: Environment, new: Environment) -> str | None:
    before, after = _volume(old), _volume(new)
    if before is None or after is None or not _on_cluster(old, new):
        return None  # a host's volumes have no size
    return _sized(before, after)


def _sized(before: int, after: int) -> str:
    if after < before:
        return f"{_SHRINKS}; make a new volume"
    return f"{approximate_bytes(after - before)} more; grows in place where the storage class allows it"


def _queue_size(_was: object, _becomes: object, old: Environment, new: Environment) -> str | None:
    if not _on_cluster(old, new):
        return None
    return _sized(old.collectors.gateway.queue.size, new.collectors.gateway.queue.size)


def _queue_class(_was: object, _becomes: object, old: Environment, new: Environment) -> str | None:
    return "the claims are made anew, and what waits in them is lost" if _on_cluster(old, new) else None


def _volume(environment: Environment) -> int | None:
    """Size of the volume of the backend: of its traces, or of the write-ahead log of traces in a bucket; None for a store elsewhere."""
    backend = environment.backend
    if backend.kind == "otlp":
        return None
    if backend.kind == "jaeger":
        return backend.volume.size if backend.volume is not None else None
    return backend.storage.size if backend.storage.kind == "volume" else backend.storage.wal.size


def _gateways(was: object, becomes: object, old: Environment, new: Environment) -> str:
    if old.collectors.gateway.autoscaling is not None and new.collectors.gateway.autoscaling is not None:
        return "the least of them: gateways come or go where the load does not ask for more, and nothing is deleted"
    if old.collectors.transport == new.collectors.transport == "kafka":
        shared = "gateways share the topic anew: traces under way on what moves are decided in two pieces"
        fewer = isinstance(was, int) and isinstance(becomes, int) and becomes < was
        return f"{shared}; the queues of those that go are deleted, with what they had taken and not decided on" if fewer else shared
    anew = "agents divide the traces anew: traces under way are decided in two pieces"
    if isinstance(was, int) and isinstance(becomes, int) and becomes < was:
        return (
            f"{anew}; what agents still hold for those that go is lost with the agents' pods, and the queues of those that go are deleted "
            "once they have stopped, with what they could not deliver"
        )
    return anew


def _agent_queue(_was: object, becomes: object, _old: Environment, new: Environment) -> str:
    kafka = new.collectors.transport == "kafka"
    lost = f"the agents' pods are replaced, which loses what {'Kafka' if kafka else 'a gateway that is away'} has not taken"
    if becomes is None and kafka:
        return f"{lost}; agents then acknowledge what Kafka has, and while it is away senders are refused and repeat"
    if becomes is None:
        return (
            f"{lost}; agents then acknowledge what a gateway has taken: a killed gateway loses the traces of "
            f"{format_duration(new.sampling.tail.wait)}, and while one is away senders are refused and repeat"
        )
    return lost


def _queue_sync(_was: object, becomes: object, _old: Environment, _new: Environment) -> str | None:
    return None if becomes else "a power cut can damage the queue's file, which is then set aside with all that is in it"


def _storage_class(_was: object, _becomes: object, old: Environment, new: Environment) -> str | None:
    if not _on_cluster(old, new):
        return None
    if _in_bucket(old):
        return f"the claim is made anew, and what is not in the bucket yet is lost; {_protected(old)}"
    return f"the claim is made anew and the traces in it are lost; {_protected(old)}"


def _bucket(_was: object, _becomes: object, _old: Environment, _new: Environment) -> str:
    return "traces in the old bucket can no longer be read"


def _protect(_was: object, becomes: object, _old: Environment, new: Environment) -> str | None:
    return None if becomes or new.backend.kind == "otlp" else "`pulumi destroy` would delete the stored traces"


def _sync_writes(_was: object, becomes: object, _old: Environment, _new: Environment) -> str | None:
    return None if becomes else "a power cut loses what was acknowledged last"


def _trace_size(_was: object, _becomes: object, _old: Environment, _new: Environment) -> str:
    return "spans of a trace beyond it are left out from now on; stored traces stay as they are"


def _intake_rate(_was: object, _becomes: object, _old: Environment, _new: Environment) -> str:
    return "what is over is refused, and waits in the gateways' queues"


def _endpoint(was: object, becomes: object, old: Environment, new: Environment) -> str:
    return "; ".join(filter(None, (_existing(was, becomes, old, new), stores.in_clear(was, becomes, "spans"))))


def _metrics(was: object, becomes: object, old: Environment, new: Environment) -> str | None:
    if old.monitoring.remote_write is None or new.monitoring.remote_write is None:
        return None
    return stores.in_clear(was, becomes, "series, and the token that the store asks for,")


def _existing(_was: object, _becomes: object, _old: Environment, _new: Environment) -> str:
    return "traces stored so far stay where they are; those that wait in the gateways' queues go to the new one"


def _poll(_was: object, _becomes: object, _old: Environment, new: Environment) -> str:
    return f"running services follow within {format_duration(new.sampling.strategies.poll_interval)}"


def _tail(_was: object, _becomes: object, old: Environment, _new: Environment) -> str:
    if answers_late(old):
        return "agents send the traces that wait as the gateways restart again, and the new rules hold for them"
    return "traces that wait as the gateways restart are decided at once, on what has come"


def _errors(was: object, becomes: object, old: Environment, new: Environment) -> str:
    lost = "failed traces are kept no more than others, so most are lost (rehearse shows which); "
    return f"{lost if not becomes else ''}{_tail(was, becomes, old, new)}"


def _slow(was: object, becomes: object, old: Environment, new: Environment) -> str:
    before, after = old.sampling.tail.slow, new.sampling.tail.slow
    fewer = before is not None and (after is None or after > before)
    lost = f"traces of {format_duration(before)} or more are kept no more than others" if before is not None and fewer else ""
    if after is not None and lost:
        lost += f" below {format_duration(after)}"
    return f"{lost}; {_tail(was, becomes, old, new)}" if lost else _tail(was, becomes, old, new)


def _wait(was: object, becomes: object, old: Environment, new: Environment) -> str:
    before, after = old.sampling.tail.wait, new.sampling.tail.wait
    lost = (
        f"failures that come more than {format_duration(after)} after the first span of their trace keep nothing; "
        if after < before
        else ""
    )
    return f"{lost}{_tail(was, becomes, old, new)}"


def _noise(was: object, becomes: object, old: Environment, new: Environment) -> str:
    dropped = f"traces with {_listed(come)} in any span are dropped, failed ones too; " if (come := _gone_and_come(was, becomes)[1]) else ""
    return f"{dropped}{_tail(was, becomes, old, new)}"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")


def _identity(_was: object, _becomes: object, _old: Environment, _new: Environment) -> str:
    return "a pod takes its identity as it is made: kubectl rollout restart statefulset/tempo"


def _families(_was: object, _becomes: object, _old: Environment, new: Environment) -> str | None:
    target = new.target
    if target.kind == "kubernetes" and target.addresses == "dual":
        return "Services get an address of the second family, where the cluster has one"
    return "a cluster refuses another first family for a Service that is there: delete the Services of the namespace before"


def _way_in(_was: object, _becomes: object, _old: Environment, _new: Environment) -> str:
    return "the Ingress gives way to an HTTPRoute, or the other way round; the host's address in DNS has to follow"


def _by_labels(_was: object, _becomes: object, _old: Environment, _new: Environment) -> str:
    return "nothing is placed in those namespaces: what their services need is in the ConfigMap of the backbone's own namespace"


def _outputs(_was: object, _becomes: object, _old: Environment, _new: Environment) -> str:
    return "services take it when they read the outputs again"


def _token(was: object, becomes: object, _old: Environment, _new: Environment) -> str:
    if becomes is None:
        return "whoever reaches the agents and the strategy server may send and ask; services need no token any more"
    if was is None:
        return "services without it are refused, and ask for strategies in vain, until they read the outputs again"
    return "services are refused, and ask for strategies in vain, until they read the outputs again"


def _certificate(was: object, becomes: object, _old: Environment, _new: Environment) -> str:
    if becomes is None:
        return "spans and strategies cross the network in clear; services are refused until they read the outputs again"
    if was is None:
        return "services that send in plain text are refused until they read the outputs again"
    return "services that do not trust its authority are refused until they read the outputs again"


def _senders(was: object, becomes: object, _old: Environment, _new: Environment) -> str | None:
    gone, come = _gone_and_come(was, becomes)
    told = [f"pods of {', '.join(come)} may send, and find how in the ConfigMap that is made there"] if come else []
    told += [f"pods of {', '.join(gone)} can no longer send, and their ConfigMap and Secret are deleted"] if gone else []
    return "; ".join(told) or None


def _scrapers(was: object, becomes: object, _old: Environment, _new: Environment) -> str | None:
    gone, _ = _gone_and_come(was, becomes)
    return f"metrics can no longer be scraped from {', '.join(gone)}" if gone else None


def _ingresses(was: object, becomes: object, _old: Environment, new: Environment) -> str | None:
    gone, _ = _gone_and_come(was, becomes)
    if new.access is None:
        return None
    return "the login proxy is reached from every namespace" if not becomes else _cut_off(gone)


def _cut_off(gone: Sequence[str]) -> str | None:
    return f"the login proxy can no longer be reached from {', '.join(gone)}" if gone else None


def _gone_and_come(was: object, becomes: object) -> tuple[list[str], list[str]]:
    """The names of a list that are no longer there, and those that are new."""
    before, after = ([str(name) for name in side] if isinstance(side, list) else [] for side in (was, becomes))
    return [name for name in before if name not in after], [name for name in after if name not in before]


def _host(_was: object, _becomes: object, old: Environment, new: Environment) -> str:
    if new.access is None:
        return "nobody logs in any more: the user interface is reached by port-forward alone, by those whom the cluster lets"
    if old.access is None:
        return "the user interface is reached by those whom the issuer tells to be operators, beside port-forward"
    return "the issuer must know the new redirect URL, or logins end there"


def _at_login(_was: object, _becomes: object, old: Environment, new: Environment) -> str | None:
    return "holds from the next login on; the issuer must know it" if old.access and new.access else None


def _operators(was: object, becomes: object, old: Environment, new: Environment) -> str | None:
    gone, _ = _gone_and_come(was, becomes)
    if not gone or old.access is None or new.access is None:
        return None
    return f"people of {', '.join(gone)} alone are refused at their next request"


def _nodes(was: object, becomes: object, old: Environment, new: Environment) -> str | None:
    if not _on_cluster(old, new) or not isinstance(was, int) or not isinstance(becomes, int):
        return _LOAD
    if becomes < was:
        return f"the quota is cut to that of {becomes:,} nodes: on nodes beyond it agents are refused, and the services there lose spans"
    return "the quota has room for as many agents"


def _series(_was: object, _becomes: object, _old: Environment, _new: Environment) -> str:
    return "the series begin anew with other labels"


def _histograms(_was: object, _becomes: object, _old: Environment, _new: Environment) -> str:
    return "histograms begin anew; quantiles over the change mix both"


_LOAD = "the estimate by which volumes are checked and buffers sized"

_RULES: Mapping[str, Callable[[object, object, Environment, Environment], str | None]] = {
    "target.kind": _elsewhere,
    "target.context": _elsewhere,
    "target.host": _elsewhere,
    "namespace": _elsewhere,
    "backend.kind": _kind,
    "backend.name": _renamed,
    "backend.volume.size": _volume_size,
    "backend.volume.storage_class": _storage_class,
    "backend.storage.kind": _storage_kind,
    "backend.storage.size": _volume_size,
    "backend.storage.storage_class": _storage_class,
    "backend.storage.wal.size": _volume_size,
    "backend.storage.wal.storage_class": _storage_class,
    "backend.storage.bucket": _bucket,
    "backend.storage.endpoint": _bucket,
    "backend.storage.port": _bucket,
    "backend.storage.account": _bucket,
    "backend.limits.trace_size": _trace_size,
    "backend.limits.intake_rate": _intake_rate,
    "backend.limits.burst": _intake_rate,
    "backend.endpoint": _endpoint,
    "backend.query_url": _outputs,
    "backend.query_protocol": _outputs,
    "backend.ui_url": _outputs,
    "backend.headers.*": _existing,
    "backend.protect": _protect,
    "collectors.gateway.replicas": _gateways,
    "collectors.agent.queue": _agent_queue,
    "collectors.agent.queue.size": _agent_queue,
    "collectors.agent.queue.sync_writes": _agent_queue,
    "collectors.agent.queue.when_full": _agent_queue,
    "collectors.gateway.queue.size": _queue_size,
    "collectors.gateway.queue.storage_class": _queue_class,
    "collectors.gateway.queue.sync_writes": _queue_sync,
    "backend.sync_writes": _sync_writes,
    "sampling.head_ratio": _poll,
    "sampling.strategies.services.*.ratio": _poll,
    "sampling.strategies.services.*.traces_per_second": _poll,
    "sampling.strategies.services.*.operations.*": _poll,
    "sampling.strategies.poll_interval": _outputs,
    "sampling.targets.*.*.traces_per_second": _outputs,
    "sampling.targets.*.*.floor": _outputs,
    "sampling.targets.*.*.ceiling": _outputs,
    "sampling.tail.wait": _wait,
    "sampling.tail.errors": _errors,
    "sampling.tail.slow": _slow,
    "sampling.tail.baseline": _tail,
    "sampling.tail.baseline_limit": _tail,
    "sampling.tail.noise.*.attribute": _tail,
    "sampling.tail.noise.*.values": _noise,
    "aggregation.span_metrics.dimensions": _series,
    "aggregation.span_metrics.buckets": _histograms,
    "aggregation.service_graph.dimensions": _series,
    "aggregation.service_graph.buckets": _histograms,
    "retention.traces": _retention,
    "target.addresses": _families,
    "backend.storage.service_account_annotations.*": _identity,
    "access.gateway.name": _way_in,
    "ingest.namespace_labels.*": _by_labels,
    "ingest.namespaces": _senders,
    "ingest.tls_secret": _certificate,
    "ingest.token_secret": _token,
    "aggregation.scraper_namespaces": _scrapers,
    "access.host": _host,
    "access.ingress_namespaces": _ingresses,
    "access.operator_groups": _operators,
    "access.scopes": _at_login,
    "access.groups_claim": _at_login,
    "load.nodes": _nodes,
    "monitoring.remote_write.url": _metrics,
    **stores.RULES,
    **transport.RULES,
}

_SECTIONS: Mapping[str, str] = {"load": _LOAD}
"""Consequence for every setting of a section that has no rule of its own."""
