"""Consequences of a changed setting for data and services, where they are not plain from the setting itself."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from components.documents.tempo import upkeep
from stacks.environment.units import approximate_bytes, format_duration

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from stacks.environment.model import Environment


def consequence(key: str, was: object, becomes: object, old: Environment, new: Environment) -> str | None:
    """Consequence of a change of the setting ``key`` (``*`` for chosen names), or None where the sentence says it all."""
    section = key.partition(".")[0]
    moved = (old.target, old.namespace) != (new.target, new.namespace)
    if moved and section == "backend":
        return None  # said once, of the target: nothing of the old backend is touched
    rule = _RULES.get(key)
    return rule(was, becomes, old, new) if rule is not None else _SECTIONS.get(section)


def _retention(_was: object, _becomes: object, old: Environment, new: Environment) -> str:
    before, after = old.retention.traces, new.retention.traces
    if new.backend.kind == "jaeger":
        # Badger stamps the expiry on a span when it is written.
        return f"on Badger spans already written keep their {format_duration(before)}"
    if after < before:
        delay = timedelta(seconds=upkeep(round(after.total_seconds())).delay)
        return f"on Tempo traces older than {format_duration(after)} are no longer found after {format_duration(delay)} at the latest"
    return f"on Tempo the traces that are still stored stay until they are {format_duration(after)} old"


def _kind(_was: object, _becomes: object, old: Environment, _new: Environment) -> str:
    return f"traces stored so far stay where they are and are not moved; {_protected(old)}"


def _protected(old: Environment) -> str:
    return "the volume is protected and refuses to be deleted" if old.backend.protect else "the volume is deleted with them"


def _elsewhere(_was: object, _becomes: object, _old: Environment, _new: Environment) -> str:
    return "the backbone is made anew there; traces stored so far are not moved, and services need the new outputs"


def _volume_size(_was: object, _becomes: object, old: Environment, new: Environment) -> str | None:
    before, after = _volume(old), _volume(new)
    if before is None or after is None or old.backend.kind != new.backend.kind:
        return None  # another volume, which is said of the kind
    if after < before:
        return "a claim cannot shrink: the deployment refuses it; make a new volume"
    return f"{approximate_bytes(after - before)} more; grows in place where the storage class allows it"


def _volume(environment: Environment) -> int | None:
    backend = environment.backend
    if backend.kind == "jaeger":
        return backend.volume.size
    return backend.storage.size if backend.storage.kind == "volume" else None


def _gateways(was: object, becomes: object, _old: Environment, _new: Environment) -> str:
    anew = "agents divide the traces anew: traces under way are decided in two pieces"
    if isinstance(was, int) and isinstance(becomes, int) and becomes < was:
        return (
            f"{anew}; what agents still hold for those that go is lost with the agents' pods, and the queues of those that go are deleted "
            "once they have stopped, with what they could not deliver"
        )
    return anew


def _agent_queue(_was: object, becomes: object, _old: Environment, new: Environment) -> str:
    lost = "the agents' pods are replaced, which loses what a gateway that is away has not taken"
    if becomes is None:
        return (
            f"{lost}; agents then acknowledge what a gateway has taken: a killed gateway loses the traces of "
            f"{format_duration(new.sampling.tail.wait)}, and while one is away senders are refused and repeat"
        )
    return lost


def _queue_sync(_was: object, becomes: object, _old: Environment, _new: Environment) -> str | None:
    return None if becomes else "a power cut can damage the queue's file, which is then set aside with all that is in it"


def _storage_class(_was: object, _becomes: object, old: Environment, _new: Environment) -> str:
    return f"the claim is made anew and the traces in it are lost; {_protected(old)}"


def _bucket(_was: object, _becomes: object, _old: Environment, _new: Environment) -> str:
    return "traces in the old bucket can no longer be read"


def _protect(_was: object, becomes: object, _old: Environment, _new: Environment) -> str | None:
    return None if becomes else "`pulumi destroy` would delete the stored traces"


def _sync_writes(_was: object, becomes: object, _old: Environment, _new: Environment) -> str | None:
    return None if becomes else "a power cut loses what was acknowledged last"


def _poll(_was: object, _becomes: object, _old: Environment, new: Environment) -> str:
    return f"running services follow within {format_duration(new.sampling.strategies.poll_interval)}; nothing restarts"


def _tail(_was: object, _becomes: object, _old: Environment, _new: Environment) -> str:
    return "traces that wait as the gateways restart are decided at once, on what has come"


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


def _series(_was: object, _becomes: object, _old: Environment, _new: Environment) -> str:
    return "the series begin anew with other labels"


def _histograms(_was: object, _becomes: object, _old: Environment, _new: Environment) -> str:
    return "histograms begin anew; quantiles over the change mix both"


_RULES: Mapping[str, Callable[[object, object, Environment, Environment], str | None]] = {
    "target.kind": _elsewhere,
    "target.context": _elsewhere,
    "target.host": _elsewhere,
    "namespace": _elsewhere,
    "backend.kind": _kind,
    "backend.volume.size": _volume_size,
    "backend.volume.storage_class": _storage_class,
    "backend.storage.kind": _kind,
    "backend.storage.size": _volume_size,
    "backend.storage.storage_class": _storage_class,
    "backend.storage.bucket": _bucket,
    "backend.storage.endpoint": _bucket,
    "backend.storage.port": _bucket,
    "backend.protect": _protect,
    "collectors.gateway.replicas": _gateways,
    "collectors.agent.queue": _agent_queue,
    "collectors.agent.queue.size": _agent_queue,
    "collectors.agent.queue.sync_writes": _agent_queue,
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
    "sampling.tail.wait": _tail,
    "sampling.tail.errors": _tail,
    "sampling.tail.slow": _tail,
    "sampling.tail.baseline": _tail,
    "sampling.tail.baseline_limit": _tail,
    "sampling.tail.noise.*.attribute": _tail,
    "sampling.tail.noise.*.values": _tail,
    "aggregation.span_metrics.dimensions": _series,
    "aggregation.span_metrics.buckets": _histograms,
    "aggregation.service_graph.dimensions": _series,
    "aggregation.service_graph.buckets": _histograms,
    "retention.traces": _retention,
    "target.addresses": _families,
    "backend.storage.service_account_annotations.*": _identity,
    "access.gateway.name": _way_in,
    "ingest.namespace_labels.*": _by_labels,
    "ingest.tls_secret": _outputs,
    "ingest.token_secret": _outputs,
}

_SECTIONS: Mapping[str, str] = {"load": "the estimate by which volumes are checked and buffers sized"}
"""Consequence for every setting of a section that has no rule of its own."""
