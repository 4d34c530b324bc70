"""Hints for errors of the engine: the next step and its command, for each error that users meet."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Place:
    """Names that a next command needs: the stack, the namespace of the backbone, and the context where the target is a cluster."""

    name: str
    namespace: str
    context: str | None = None

    @property
    def kubectl(self) -> str:
        """The beginning of a command on the cluster."""
        return f"kubectl --context {self.context}" if self.context else "kubectl"


@dataclass(frozen=True, slots=True)
class _Known:
    """An error of the engine: the pattern of its text, its meaning, and the next step.

    ``meaning`` and ``then`` may hold fields of ``Place``, ``{kubectl}`` and the groups of the pattern. ``NAMESPACE`` in a pattern is the
    namespace of the backbone.
    """

    pattern: str
    meaning: str
    then: str


_KNOWN: tuple[_Known, ...] = (
    _Known(
        r"is currently locked by",
        "another `up` is running on it, or one was killed and could not tell",
        "if none is running: python -m stacks recover {name}",
    ),
    _Known(
        r"pending operation|pending creates?|attempted to .* but it (was|did) not",
        "an earlier `up` was interrupted and the engine does not know what it has made",
        "python -m stacks recover {name}",
    ),
    _Known(
        r"incorrect passphrase|decrypt(ing)? .*(failed|error)|could not decrypt|message authentication failed",
        "the secrets of the stack were encrypted with another passphrase",
        "export PULUMI_CONFIG_PASSPHRASE=… as it was, and try again",
    ),
    _Known(
        r"passphrase must be set",
        "the state is kept where you configured it, and its passphrase is not known here",
        "export PULUMI_CONFIG_PASSPHRASE=…, or PULUMI_CONFIG_PASSPHRASE_FILE=…, and try again",
    ),
    _Known(
        r"because it is protected|marked for protection",
        "the stored traces are protected, and nothing was deleted",
        "to delete them too: environment.backend.protect: false in Pulumi.{name}.yaml, python -m stacks up {name}, and destroy again",
    ),
    # Before what a network says: a plugin and an image are fetched over one.
    _Known(
        r"no (?:resource|language) plugin '|(?:download|install|load|latest version for)[^\n]* plugin|(?:fetch|install)ing plugin",
        "a plugin of the engine is missing and could not be installed",
        "let this machine reach get.pulumi.com, or put pulumi-language-python, pulumi-resource-docker and pulumi-resource-kubernetes on "
        "PATH; then: python -m stacks preview {name}",
    ),
    _Known(
        r"ErrImagePull|ImagePullBackOff|InvalidImageName|ailed to pull|ble to pull|error pulling image"
        r"|(?:manifest|pull access|repository)[^\n]*(?:unknown|denied|does not exist|not found)|[Uu]nable to (?:read|find)[^\n]*image",
        "an image cannot be had",
        "correct environment.images in Pulumi.{name}.yaml (registry, digests, pull_secret), or push the image there; then: "
        "python -m stacks up {name}",
    ),
    _Known(
        r"[Cc]annot connect to the Docker daemon|dial unix|failed to (ping|create) Docker|error during connect",
        "the Docker daemon does not answer at environment.target.host",
        "start it, or correct environment.target.host in Pulumi.{name}.yaml, and try again",
    ),
    _Known(
        r"container name .* is already in use|network with name .* already exists",
        "something of that name is on the host and not in the state of this stack",
        "python -m stacks recover {name}, which settles what an interrupted `up` has made; what is not ours, remove with docker rm -f",
    ),
    _Known(
        r"port is already allocated|address already in use",
        "another program listens on a port that the backbone publishes",
        "stop it (python -m stacks run takes the same ports), and try again",
    ),
    _Known(
        r'context "[^"]*" does not exist|no context exists',
        "the kubeconfig has no such context",
        "kubectl config get-contexts, then correct environment.target.context in Pulumi.{name}.yaml",
    ),
    _Known(
        r'namespaces? "NAMESPACE" not found',
        "the namespace {namespace} was deleted, and the state of this stack does not know it",
        "python -m stacks recover {name}, which reads what is there; then: python -m stacks up {name}",
    ),
    _Known(
        r'namespaces? "(?P<missing>[^"]+)" not found',
        "the namespace {missing} is not in the cluster",
        "{kubectl} create namespace {missing}, or take it out of Pulumi.{name}.yaml; then: python -m stacks up {name}",
    ),
    _Known(
        r"exceeded quota: (?P<quota>[\w.-]+)",
        "the quota {quota} leaves no room for what is to be made",
        "{kubectl} --namespace {namespace} describe resourcequota {quota}; that of the backbone follows from environment.load.nodes and "
        "the resources in Pulumi.{name}.yaml",
    ),
    _Known(
        r'is forbidden: User "(?P<user>[^"]+)" cannot (?P<verb>\w+) resource "(?P<resource>[^"]+)"',
        "{user} may not {verb} {resource}",
        "give it the rights in docs/deploying.md, or name another context; then: python -m stacks preview {name}",
    ),
    _Known(
        r"is forbidden:|\bUnauthorized\b|must be logged in to the server",
        "the cluster refuses what the user of the context asks for",
        "{kubectl} auth whoami; the rights are in docs/deploying.md",
    ),
    _Known(
        r"cluster is unreachable|unreachable cluster|unable to load (schema|kubernetes client)|connection refused|no such host|i/o timeout",
        "the cluster does not answer",
        "{kubectl} cluster-info, and when it answers: python -m stacks up {name}",
    ),
    _Known(
        r'\w "[^"]*" already exists|namespaces? [^"]* already exists|AlreadyExists',
        "something of that name is in the cluster and not in the state of this stack",
        "python -m stacks recover {name}, which takes over what an interrupted `up` has made; what is not ours, delete with kubectl",
    ),
    _Known(
        r"Forbidden: field can not be less than",
        "a claim cannot shrink",
        "set the size in Pulumi.{name}.yaml to what it was, or more, and try again; less needs a new volume",
    ),
    _Known(
        r"failed to fully initialize|Minimum number of (live )?Pods|timed out waiting to be Ready",
        "a server in the cluster does not take traffic",
        "{kubectl} --namespace {namespace} get pods, describe and logs of the one that is not ready; then: python -m stacks up {name}",
    ),
    _Known(
        r"failed to be in healthy state|unhealthy",
        "a server does not take traffic",
        "docker ps --all --filter name={namespace}-, docker logs of the one that is not healthy; then: python -m stacks up {name}",
    ),
)

_CANCELLED = r"\b(update|preview|destroy|refresh) (was )?cancell?ed"
_AGAIN = {"refresh": "recover"}
"""Name of the verb of ``python -m stacks`` that runs a command of the engine, where the two names differ."""


def cancelled(said: str) -> bool:
    """Whether the engine says that it was interrupted. It does not where a step that had begun failed because of it."""
    return re.search(_CANCELLED, said) is not None


def interrupted(verb: str, name: str, unknown: Sequence[str] = (), *, at_once: bool = False) -> str:
    """Return the next step after the user interrupted a command of the engine.

    ``unknown`` is what it was making and has no note of; ``at_once`` says that it could note nothing any more.
    """
    if unknown:
        while_making = f"while it made {', '.join(unknown)}, which may be there without a note of it"
        return f"{name}: `{verb}` was interrupted {while_making}\nthen: python -m stacks recover {name}, which looks for it"
    if at_once:
        return f"{name}: `{verb}` was interrupted and could not note what it was doing\nthen: python -m stacks recover {name}"
    again = f"python -m stacks {_AGAIN.get(verb, verb)} {name}, which goes on from here"
    return f"{name}: `{verb}` was interrupted; what it had begun is noted\nthen: {again}"


def stopped(verdict: str, name: str, unknown: Sequence[str] = ()) -> str:
    """Return the next step after a command of the engine was stopped because it waited in vain.

    ``verdict`` ends with the next command; ``unknown`` is what the engine was making and has no note of, which comes before that.
    """
    if not unknown:
        return verdict
    return f"{verdict}\n{name}: {', '.join(unknown)} may be there without a note of it\nthen, before that: python -m stacks recover {name}"


def killed(ended: str, name: str) -> str:
    """Return the next step after a signal ended the engine, which then prints no error."""
    return f"{name}: the engine was ended by {ended} and could not note what it was doing\nthen: python -m stacks recover {name}"


def hint(said: str, place: Place, *, shown: bool = False) -> str:
    """The text of the engine, its meaning where that is known, and the next command.

    A text that was ``shown`` to the user already is not repeated.
    """
    lines = [line.rstrip() for line in said.strip().splitlines() if line.strip()]
    # A message that already names the next command is left alone; the engine says more after it, so that it is repeated at the end.
    if own := [line for line in lines if line.startswith("then: ")]:
        return own[-1] if shown else "\n".join(lines)
    return "\n".join([*([] if shown else lines), *_next(said, place)])


def _next(said: str, place: Place) -> list[str]:
    for known in _KNOWN:
        if found := re.search(known.pattern.replace("NAMESPACE", re.escape(place.namespace)), said):
            names = {**asdict(place), "kubectl": place.kubectl, **found.groupdict()}
            return [f"{place.name}: {known.meaning.format(**names)}", f"then: {known.then.format(**names)}"]
    return [f"then: correct what is said above, and try again: python -m stacks preview {place.name}"]
