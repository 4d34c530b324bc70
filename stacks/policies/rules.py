"""The policies, as pure functions of a stack's resources. Each names the setting that mends what it finds."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from pydantic_core import PydanticCustomError

from components.documents.ports import GRAFANA, JAEGER_QUERY, JAEGER_QUERY_GRPC, TEMPO_QUERY
from stacks.environment.sizing import needs
from stacks.environment.units import format_bytes, format_duration, size
from stacks.policies.resources import Resource, at, containers, documents, of_kind, pod_specs
from stacks.policies.settings import ImageBounds, RetentionBounds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stacks.environment.model import Environment
    from stacks.policies.settings import Bounds


@dataclass(frozen=True, slots=True)
class Violation:
    """A resource that breaks a policy: what is wrong with it, and the setting that would mend it."""

    resource: str
    wrong: str
    right: str


@dataclass(frozen=True, slots=True)
class Stack:
    """Resources of a stack, and the environment that they come from, where it is known."""

    resources: Sequence[Resource]
    environment: Environment | None = None


_CAPABILITY = "NET_BIND_SERVICE"
_UI_PORTS = frozenset({0, *(port.number for port in (GRAFANA, JAEGER_QUERY, JAEGER_QUERY_GRPC, TEMPO_QUERY))})
"""Ports on which Jaeger's query, Grafana and Tempo answer whoever asks; 0 stands for all."""
_LOOPBACK = re.compile(r"127\.|::1$|localhost$")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(h|ms|m|s)")
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


def restricted_pods(stack: Stack, _bounds: Bounds) -> Iterator[Violation]:
    """Find pods that Kubernetes' profile ``restricted`` refuses, and containers of Docker with rights of the host."""
    right = "take what changed the bundle's own pods out of the program, for example a transformation"
    for resource, spec in pod_specs(stack.resources):
        for wrong in _unrestricted(spec):
            yield Violation(str(resource), wrong, right)
    for resource in of_kind(stack.resources, "Namespace"):
        if at(resource.properties, "metadata", "labels").get("pod-security.kubernetes.io/enforce") != "restricted":
            yield Violation(str(resource), "does not enforce the profile restricted", right)
    for resource in of_kind(stack.resources, "Container"):
        if resource.properties.get("privileged") or "ALL" not in (at(resource.properties, "capabilities").get("drops") or ()):
            yield Violation(str(resource), "keeps capabilities of the host", right)


def _unrestricted(spec: Mapping[str, Any]) -> Iterator[str]:
    yield from (f"has {field}" for field in ("hostNetwork", "hostPID", "hostIPC") if spec.get(field))
    for volume in spec.get("volumes") or ():
        if "hostPath" in volume:
            yield f"mounts {at(volume, 'hostPath').get('path')} of the node"
    for container in containers(spec):
        yield from (f"container {container.get('name')} {wrong}" for wrong in _rights(container, at(spec, "securityContext")))


def _rights(container: Mapping[str, Any], of_pod: Mapping[str, Any]) -> Iterator[str]:
    own = at(container, "securityContext")
    capabilities, seccomp = at(own, "capabilities"), at(own, "seccompProfile") or at(of_pod, "seccompProfile")
    wrong = {
        "is privileged": bool(own.get("privileged")),
        "may gain privileges": own.get("allowPrivilegeEscalation") is not False,
        "may run as root": own.get("runAsNonRoot", of_pod.get("runAsNonRoot")) is not True,
        "runs as root": own.get("runAsUser", of_pod.get("runAsUser")) == 0,
        "keeps capabilities": "ALL" not in (capabilities.get("drop") or ()),
        "gets more capabilities": bool(set(capabilities.get("add") or ()) - {_CAPABILITY}),
        "has no seccomp profile": seccomp.get("type") not in {"RuntimeDefault", "Localhost"},
        "takes a port of the node": any(port.get("hostPort") for port in container.get("ports") or ()),
    }
    yield from (what for what, found in wrong.items() if found)


def image_digests(stack: Stack, bounds: Bounds) -> Iterator[Violation]:
    """Find images that are named by a tag, which may be another image tomorrow."""
    exempt = bounds.exempt if isinstance(bounds, ImageBounds) else ()
    users: dict[str, list[str]] = {}
    for resource, reference in _images(stack.resources):
        users.setdefault(reference, []).append(str(resource))
    for reference, names in users.items():
        if "@sha256:" not in reference and not any(map(reference.startswith, exempt)):
            yield Violation(", ".join(dict.fromkeys(names)), f"{reference} has no digest", "add its digest to environment.images.digests")


def _images(resources: Sequence[Resource]) -> Iterator[tuple[Resource, str]]:
    for resource, spec in pod_specs(resources):
        for container in containers(spec):
            yield resource, str(container.get("image", ""))
    for resource in of_kind(resources, "RemoteImage"):
        yield resource, str(resource.properties.get("name", ""))


def protected_store(stack: Stack, _bounds: Bounds) -> Iterator[Violation]:
    """Find claims of traces that ``destroy`` would delete."""
    for resource in of_kind(stack.resources, "PersistentVolumeClaim"):
        if resource.component == "backend" and not resource.protected:
            yield Violation(str(resource), "holds traces and is not protected", "set environment.backend.protect: true")


def ui_login(stack: Stack, _bounds: Bounds) -> Iterator[Violation]:
    """Find ways to the user interface that pass the login by."""
    right = "set environment.access, and let Ingress and HTTPRoute lead to the login proxy alone"
    roles = {resource.name: resource.component for resource in of_kind(stack.resources, "Service")}
    for resource in of_kind(stack.resources, "Ingress", "HTTPRoute"):
        for name in _targets(resource.properties.get("spec")):
            if roles.get(name) != "access":
                yield Violation(str(resource), f"leads to {name}, which asks nobody for a login", right)
    for resource in of_kind(stack.resources, "Service"):
        if (kind := at(resource.properties, "spec").get("type")) in {"LoadBalancer", "NodePort"}:
            yield Violation(str(resource), f"is open to the outside as a {kind}", right)
    for resource in of_kind(stack.resources, "NetworkPolicy"):
        ports = {port for port, peer in _admitted(resource) if _foreign(peer)}
        if resource.component in {"backend", "ui"} and (found := sorted(ports & _UI_PORTS)):
            yield Violation(str(resource), f"admits other namespaces to port {', '.join(map(str, found))}", right)
    yield from _published(stack)


def _published(stack: Stack) -> Iterator[Violation]:
    """Find ports of Docker that the neighbours of a machine reach."""
    for resource in of_kind(stack.resources, "Container"):
        for port in resource.properties.get("ports") or ():
            if not _LOOPBACK.match(str(port.get("ip", ""))):
                wrong = f"publishes port {port.get('external')} on {port.get('ip') or 'all addresses'}"
                yield Violation(str(resource), wrong, "publish on 127.0.0.1, or deploy to a cluster with environment.access")


def _targets(spec: Any) -> Iterator[str]:  # noqa: ANN401  an Ingress or an HTTPRoute
    """Yield the names of the Services that an Ingress or HTTPRoute leads to."""
    if isinstance(spec, Mapping):
        if "name" in (service := at(spec, "service")):
            yield str(service["name"])
        for reference in spec.get("backendRefs") or ():
            yield str(reference.get("name"))
        for key, value in spec.items():
            if key not in {"service", "backendRefs"}:
                yield from _targets(value)
    elif isinstance(spec, Sequence) and not isinstance(spec, str):
        for item in spec:
            yield from _targets(item)


def _admitted(policy: Resource) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Yield each port that a NetworkPolicy opens, with each peer that it opens it to; 0 stands for all ports."""
    for rule in at(policy.properties, "spec").get("ingress") or ():
        for port in rule.get("ports") or ({"port": 0},):
            for peer in rule.get("from") or ({"ipBlock": {"cidr": "0.0.0.0/0"}},):
                number = port.get("port")
                # The engine has every number as a float.
                yield int(number) if isinstance(number, int | float) else 0, peer


def _foreign(peer: Mapping[str, Any]) -> bool:
    """Whether a peer may be outside of the backbone's namespace."""
    return "namespaceSelector" in peer or "ipBlock" in peer


def intake(stack: Stack, _bounds: Bounds) -> Iterator[Violation]:
    """Find receivers and strategy servers that other namespaces reach without a certificate or without a token."""
    opened: dict[str, set[int]] = {}
    for policy in of_kind(stack.resources, "NetworkPolicy"):
        opened.setdefault(policy.component, set()).update(port for port, peer in _admitted(policy) if _foreign(peer))
    for resource, _, document in documents(stack.resources):
        for way, section in _entrances(document):
            number = int(str(section["endpoint"]).rpartition(":")[2]) if re.search(r":\d+$", str(section.get("endpoint"))) else 0
            if resource.kind == "ConfigMap" and number in opened.get(resource.component, set()):
                if not at(section, "tls"):
                    yield Violation(str(resource), f"{way} takes connections without TLS", "set environment.ingest.tls_secret")
                if not at(section, "auth"):
                    yield Violation(str(resource), f"{way} asks for no token", "set environment.ingest.token_secret")


def _entrances(document: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, receiver in at(document, "receivers").items():
        for protocol in at(receiver, "protocols"):
            yield f"receiver {name} ({protocol})", at(receiver, "protocols", protocol)
    for protocol in ("http", "grpc"):
        if section := at(document, "extensions", "remote_sampling", protocol):
            yield f"strategies ({protocol})", section


def retention(stack: Stack, bounds: Bounds) -> Iterator[Violation]:
    """Find stores that keep traces for longer or shorter than the company allows."""
    allowed = bounds if isinstance(bounds, RetentionBounds) else RetentionBounds()
    least, most = allowed.minimum, allowed.maximum
    right = f"set environment.retention.traces between {format_duration(least)} and {format_duration(most)}"
    for resource, _, document in documents(stack.resources):
        for text in _retentions(document):
            kept = _parsed(text)
            if not kept:
                yield Violation(str(resource), "keeps traces for ever", right)
            elif not least <= kept <= most:
                yield Violation(str(resource), f"keeps traces for {format_duration(kept)}", right)


def _retentions(document: Mapping[str, Any]) -> Iterator[str]:
    for backend in at(document, "extensions", "jaeger_storage", "backends").values():
        if badger := at(backend, "badger"):
            yield str(at(badger, "ttl").get("spans", "0s"))
        if schema := at(backend, "cassandra", "schema"):
            yield str(schema.get("trace_ttl", "0s"))
        for kind in ("opensearch", "elasticsearch"):
            if search := at(backend, kind):
                yield str(search.get("max_span_age", "0s"))
    for path in (("backend_worker", "compaction"), ("compactor", "compaction")):
        if section := at(document, *path):
            yield str(section.get("block_retention", "0s"))


def _parsed(text: str) -> timedelta:
    """Return a duration as Go writes it."""
    return timedelta(seconds=sum(float(number) * _SECONDS[unit] for number, unit in _DURATION.findall(text)))


def quotas(stack: Stack, _bounds: Bounds) -> Iterator[Violation]:
    """Find namespaces whose pods take what they want, and consumers who may make metric series without an end."""
    kinds = {resource.kind for resource in stack.resources}
    for resource in of_kind(stack.resources, "Namespace"):
        if missing := sorted({"LimitRange", "ResourceQuota"} - kinds):
            yield Violation(str(resource), f"has no {' and no '.join(missing)}", "deploy the objects of the namespace as they are rendered")
    for resource, _, document in documents(stack.resources):
        for name, connector in at(document, "connectors").items():
            if name.partition("/")[0] == "span_metrics" and not (connector or {}).get("aggregation_cardinality_limit"):
                right = "set environment.aggregation.span_metrics.cardinality_limit"
                yield Violation(str(resource), f"{name} bounds no consumer's series", right)


def disk(stack: Stack, _bounds: Bounds) -> Iterator[Violation]:
    """Find stores that are full before their retention is over."""
    if stack.environment is None:
        return
    claim = next((claim for claim in of_kind(stack.resources, "PersistentVolumeClaim") if claim.component == "backend"), None)
    for need in needs(stack.environment):
        if not need.key.endswith(".size"):
            continue
        provided = min(need.provided, _claimed(claim) or need.provided)
        if provided < need.needed:
            wrong = f"has {format_bytes(provided)}: {need.arithmetic}"
            yield Violation(str(claim or "the store"), wrong, f"set environment.{need.key}, or less environment.retention.traces")


def _claimed(claim: Resource | None) -> int | None:
    """Bytes that a claim asks for; None without one, and for a quantity in another form than the bundle's."""
    asked = at(claim.properties, "spec", "resources", "requests").get("storage") if claim is not None else None
    try:
        return size(asked) if isinstance(asked, str) else None
    except PydanticCustomError:
        return None
