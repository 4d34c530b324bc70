"""What to do next about what the engine says: a sentence and a command for each of its errors that users meet."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_KNOWN: tuple[tuple[str, str, str], ...] = (
    (
        r"is currently locked by",
        "another `up` is running on it, or one was killed and could not tell",
        "if none is running: python -m stacks recover {name}",
    ),
    (
        r"pending operation|pending creates?|attempted to .* but it (was|did) not",
        "an earlier `up` was interrupted and the engine does not know what it has made",
        "python -m stacks recover {name}",
    ),
    (
        r"incorrect passphrase|decrypt(ing)? .*(failed|error)|could not decrypt|message authentication failed",
        "the secrets of the stack were encrypted with another passphrase",
        "export PULUMI_CONFIG_PASSPHRASE=… as it was, and try again",
    ),
    (
        r"passphrase must be set",
        "the state is kept where you configured it, and its passphrase is not known here",
        "export PULUMI_CONFIG_PASSPHRASE=…, or PULUMI_CONFIG_PASSPHRASE_FILE=…, and try again",
    ),
    (
        r"because it is protected|marked for protection",
        "the stored traces are protected, and nothing was deleted",
        "to delete them too: set environment.backend.protect: false in Pulumi.{name}.yaml, python -m stacks up {name}, and destroy again",
    ),
    (
        r"[Cc]annot connect to the Docker daemon|dial unix|failed to (ping|create) Docker|error during connect",
        "the Docker daemon does not answer at environment.target.host",
        "start it, or correct environment.target.host in Pulumi.{name}.yaml, and try again",
    ),
    (
        r"container name .* is already in use|network with name .* already exists",
        "something of that name is on the host and not in the state of this stack",
        "python -m stacks recover {name}, which settles what an interrupted `up` has made; what is not ours, remove with docker rm -f",
    ),
    (
        r"port is already allocated|address already in use",
        "another program listens on a port that the backbone publishes",
        "stop it (python -m stacks run takes the same ports), and try again",
    ),
    (
        r'context "[^"]*" does not exist|no context exists',
        "the kubeconfig has no such context",
        "kubectl config get-contexts, then correct environment.target.context in Pulumi.{name}.yaml",
    ),
    (
        r"cluster is unreachable|unreachable cluster|unable to load (schema|kubernetes client)|connection refused|no such host|i/o timeout",
        "the cluster does not answer",
        "kubectl cluster-info, and when it answers: python -m stacks up {name}",
    ),
    (
        r'\w "[^"]*" already exists|namespaces? [^"]* already exists|AlreadyExists',
        "something of that name is in the cluster and not in the state of this stack",
        "python -m stacks recover {name}, which takes over what an interrupted `up` has made; what is not ours, delete with kubectl",
    ),
    (
        r"(exec|plugin|provider).*(not found|no resource plugin|could not (find|install|download))|no resource plugin",
        "a plugin of the engine is missing and could not be installed",
        "let this machine reach get.pulumi.com, or put pulumi-resource-docker and pulumi-resource-kubernetes on PATH, and try again",
    ),
    (
        r"(manifest|pull access|repository).*(unknown|denied|does not exist|not found)|[Uu]nable to (read|find|pull).*image",
        "an image cannot be had",
        "docker pull it by hand to see why, or name a mirror in environment.images.registry of Pulumi.{name}.yaml",
    ),
    (
        r"Forbidden: field can not be less than",
        "a claim cannot shrink",
        "set the size in Pulumi.{name}.yaml to what it was, or more, and try again; less needs a new volume",
    ),
    (
        r"failed to fully initialize|Minimum number of (live )?Pods|timed out waiting to be Ready",
        "a server in the cluster does not take traffic",
        "kubectl --namespace NAMESPACE get pods, describe and logs of the one that is not ready; then: python -m stacks up {name}",
    ),
    (
        r"failed to be in healthy state|unhealthy",
        "a server does not take traffic",
        "look at its log: docker ps -a, docker logs NAME; then try again",
    ),
)

_CANCELLED = r"\b(update|preview|destroy|refresh) (was )?cancell?ed"
_AGAIN = {"refresh": "recover"}
"""What our verb is called that runs a command of the engine, where it has another name."""


def cancelled(said: str) -> bool:
    """Whether the engine says that it was interrupted. It does not where a step that had begun failed because of it."""
    return re.search(_CANCELLED, said) is not None


def interrupted(verb: str, name: str, unknown: Sequence[str] = (), *, at_once: bool = False) -> str:
    """What to do after the user interrupted a command of the engine.

    ``unknown`` is what it was making and has no note of; ``at_once`` says that it could note nothing any more.
    """
    if unknown:
        while_making = f"while it made {', '.join(unknown)}, which may be there without a note of it"
        return f"{name}: `{verb}` was interrupted {while_making}\nthen: python -m stacks recover {name}, which looks for it"
    if at_once:
        return f"{name}: `{verb}` was interrupted and could not note what it was doing\nthen: python -m stacks recover {name}"
    again = f"python -m stacks {_AGAIN.get(verb, verb)} {name}, which goes on from here"
    return f"{name}: `{verb}` was interrupted; what it had begun is noted\nthen: {again}"


def killed(ended: str, name: str) -> str:
    """What to do after the engine was ended by a signal, which left it no word to say."""
    return f"{name}: the engine was ended by {ended} and could not note what it was doing\nthen: python -m stacks recover {name}"


def hint(said: str, name: str, *, shown: bool = False) -> str:
    """What the engine said, what it means where that is known, and the next command.

    What was ``shown`` to the user as the engine said it is not said again.
    """
    lines = [line.rstrip() for line in said.strip().splitlines() if line.strip()]
    # A message that already names the next command is left alone; the engine says more after it, so that it is repeated at the end.
    if own := [line for line in lines if line.startswith("then: ")]:
        return own[-1] if shown else "\n".join(lines)
    known = next((found for found in _KNOWN if re.search(found[0], said)), None)
    if known is None:
        then = [f"then: correct what is said above, and try again: python -m stacks preview {name}"]
    else:
        then = [f"{name}: {known[1]}", f"then: {known[2].format(name=name)}"]
    return "\n".join([*([] if shown else lines), *then])
