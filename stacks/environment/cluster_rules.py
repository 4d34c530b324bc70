"""Rules across the settings that only a cluster has."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeVar

from stacks.environment.cluster import Pods
from stacks.environment.section import Section
from stacks.environment.units import format_bytes, format_percent, shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from stacks.environment.cluster import Kubernetes, NodeAffinity
    from stacks.environment.model import Environment

Broken = tuple[str, str]
"""The key below ``environment``, and what is wrong and would be right."""

_RECOMMENDED = frozenset(f"app.kubernetes.io/{name}" for name in ("name", "instance", "version", "component", "part-of", "managed-by"))
_OURS = ("virtengine.io/", "pod-security.kubernetes.io/")
_OS = "kubernetes.io/os"
_OF_EVERY_CLUSTER = frozenset({"default", "kube-system", "kube-public", "kube-node-lease"})
_LEAST_LOG = 16 * 2**20
"""Room for a file of a pod's log, which the kubelet turns over at 10Mi, and what comes meanwhile; a pod that takes more is evicted."""

_Found = TypeVar("_Found")


def broken_cluster_rules(environment: Environment) -> Iterator[Broken]:
    """Every rule of a cluster that an environment breaks."""
    for key, pods in _within(environment, Pods):
        yield from _pods(key, pods)
    yield from _access(environment)
    yield from _shared(environment)
    yield from _certificates(environment)
    yield from _remote_write(environment)
    if environment.target.kind == "kubernetes":
        if environment.namespace in _OF_EVERY_CLUSTER:
            yield "namespace", f"{shown(environment.namespace)} is there on every cluster and not ours to make; write a name of its own"
        yield from _scraping(environment)
        yield from _metadata(environment.target)
        yield from _external(environment, environment.target)


def secrets_named(environment: Environment) -> Mapping[str, str]:
    """The names of the Secrets that an environment names, each with the key of a setting that does."""
    return {name: key for key, name in _within(environment, str) if key.rpartition(".")[2].endswith("secret")}


def _within(section: Section, kind: type[_Found], key: str = "") -> Iterator[tuple[str, _Found]]:
    """Every value of a kind in a section and the sections below it, with its key."""
    for name in type(section).model_fields:
        value, place = getattr(section, name), f"{key}.{name}".lstrip(".")
        if isinstance(value, kind):
            yield place, value
        elif isinstance(value, Section):
            yield from _within(value, kind, place)


def _shared(environment: Environment) -> Iterator[Broken]:
    """Secrets that two settings name for entries of different kinds, or that two issuers would write."""
    named: dict[str, str] = {}
    for key, name in _within(environment, str):
        section, _, kind = key.rpartition(".")
        if not kind.endswith("secret"):
            continue
        other = named.setdefault(name, key)
        issued = all(getattr(getattr(environment, part, None), "certificate", None) for part in (section, other.rpartition(".")[0]))
        if other != key and (other.rpartition(".")[2] != kind or (kind == "tls_secret" and issued)):
            yield key, f"{shown(name)} is the Secret of {other} already; name one of its own"


def _pods(key: str, pods: Pods) -> Iterator[Broken]:
    if pods.log_space is not None and pods.log_space < _LEAST_LOG:
        room = f'write "{format_bytes(_LEAST_LOG)}" or more'
        yield f"{key}.log_space", f"{format_bytes(pods.log_space)} is less than a log takes before it is turned over; {room}"
    if pods.node_selector.get(_OS, "linux") != "linux":
        yield f"{key}.node_selector", f"{_OS} is linux for every server here; leave it out"
    for name, taint in pods.tolerations.items():
        if taint.value is not None and taint.key is None:
            yield f"{key}.tolerations.{name}.value", "stands without the key of the taint; write key too, or leave the value out"
    for name, condition in pods.node_affinity.items():
        if (right := _operands(condition)) is not None:
            yield f"{key}.node_affinity.{name}.values", f"{len(condition.values)} do not go with {condition.operator}; write {right}"


def _operands(condition: NodeAffinity) -> str | None:
    """Return the values that a condition must have, in words; None where it has them."""
    match condition.operator:
        case "In" | "NotIn":
            return None if condition.values else "one or more"
        case "Exists" | "DoesNotExist":
            return "none" if condition.values else None
        case "Gt" | "Lt":
            whole = len(condition.values) == 1 and condition.values[0].isascii() and condition.values[0].isdigit()
            return None if whole else "one whole number"


def _access(environment: Environment) -> Iterator[Broken]:
    access = environment.access
    if access is None:
        return
    if access.gateway is None and access.tls_secret is None:
        yield (
            "access.tls_secret",
            'is required with an Ingress; write the Secret with the host certificate, for example "traces-tls"',
        )
    if access.gateway is not None and access.tls_secret is not None:
        yield "access.tls_secret", "is of no use behind a Gateway, whose listener holds the certificate of the host; leave it out"
    if access.gateway is not None and access.ingress_class is not None:
        yield "access.ingress_class", "is of no use behind a Gateway; leave it out"


def _certificates(environment: Environment) -> Iterator[Broken]:
    for key, section in (("ingest", environment.ingest), ("access", environment.access)):
        if section is not None and section.certificate is not None and section.tls_secret is None:
            yield f"{key}.certificate", f"has no Secret to be written to; name one in {key}.tls_secret"


def _scraping(environment: Environment) -> Iterator[Broken]:
    scraping = environment.monitoring.scraping
    if scraping != "off" and not environment.aggregation.scraper_namespaces:
        yield (
            "aggregation.scraper_namespaces",
            f"is required with monitoring.scraping: {scraping}, because no scraper would be let in; name the namespace of your Prometheus",
        )


def _remote_write(environment: Environment) -> Iterator[Broken]:
    store = environment.monitoring.remote_write
    if store is None:
        return
    if environment.target.kind != "kubernetes":
        yield (
            "monitoring.remote_write",
            "is what agents do, and one host has none; leave it out, and scrape what monitoring/scrape.yaml lists",
        )
    if store.url.startswith("http:") and (store.token_secret or store.ca_secret):
        what = "ca_secret is of no use" if store.token_secret is None else "the token would cross the network in clear"
        yield "monitoring.remote_write.url", f"is plain HTTP, so that {what}; write https, or leave the Secret out"


def _metadata(target: Kubernetes) -> Iterator[Broken]:
    for name, given in (("labels", target.labels), ("annotations", target.annotations)):
        for key in given:
            if key in _RECOMMENDED or key.startswith(_OURS):
                yield f"target.{name}.{key}", "is set here already; leave it out"


def _external(environment: Environment, target: Kubernetes) -> Iterator[Broken]:
    if target.external_secrets is None:
        return
    known = secrets_named(environment)
    issued = {section.tls_secret for section in (environment.ingest, environment.access) if section is not None and section.certificate}
    for name in target.external_secrets.secrets:
        key = f"target.external_secrets.secrets.{name}"
        if name not in known:
            yield key, f"nothing reads a Secret of that name; what is read: {', '.join(sorted(known)) or 'none'}"
        elif name == environment.ingest.token_secret:
            yield key, "the token stays with the stack, because services in other namespaces and the probe are told it; leave it out"
        elif name in issued:
            yield key, f"{shown(name)} is written by cert-manager, as {known[name].rpartition('.')[0]}.certificate says; keep one of them"


def broken_processor_share(key: str, share: float) -> Iterator[Broken]:
    """The rule of a HorizontalPodAutoscaler, which counts a share of the requested CPU in whole percent, from 1."""
    percent = round(share * 100)
    if not percent or not math.isclose(share * 100, percent):
        right = format_percent(max(1, percent) / 100) if share else "70 %"
        yield (
            key,
            f'{format_percent(share)} is not a whole percentage of 1 % or more, and Kubernetes knows no other; write for example "{right}"',
        )
