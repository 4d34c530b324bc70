"""Find resources that an interrupted ``up`` created but did not record, and report, import or delete them, so that the next run succeeds.

The engine notes in its state what it begins to make, and a killed one never notes that it was made. What it then wants to make again
is there already. Here each such thing is looked for on the target itself. What carries the label of this backbone is taken over into the
state, whatever it holds; only what holds nothing that is kept, and cannot be taken over, is removed. What carries no such label is left
alone and named.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

from components.docker.containers import PART_OF as DOCKER_LABEL
from components.docker.containers import physical_name
from components.kubernetes.names import PART_OF
from components.kubernetes.objects import CONTROLLERS
from stacks.deploy import cluster
from stacks.deploy import docker_api as daemon
from stacks.deploy.engine import STACK

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from components.workload import Plan
    from stacks.environment.model import Environment

    Record = Mapping[str, Any]

_CONTAINER, _NETWORK = "docker:index/container:Container", "docker:index/network:Network"
_NAMESPACE, _SECRET = "kubernetes:core/v1:Namespace", "kubernetes:core/v1:Secret"
_LABEL = "app.kubernetes.io/part-of"

MAKING = frozenset({"create", "create-replacement"})
"""The steps of the engine by which something new comes to be on the target."""

Fate = Literal["taken over", "removed", "not ours", "never made"]


@dataclass(frozen=True, slots=True)
class Settled:
    """Outcome of a creation that was interrupted. ``record`` is the entry of the state, where the resource is imported."""

    fate: Fate
    name: str
    record: Record | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """Something on the target: its id as the engine has it, and whether it carries the label of this backbone."""

    identity: str
    ours: bool


class Target(Protocol):
    """Target of a stack."""

    def find(self, record: Record) -> Found | None:
        """Return the object under a resource's name, or None. Return None too where a resource can be created while it exists."""

    def remove(self, record: Record) -> None:
        """Remove it."""


@dataclass(frozen=True, slots=True)
class Host:
    """The Docker daemon at ``address``, and the namespace of the backbone on it."""

    address: str
    namespace: str

    def find(self, record: Record) -> Found | None:
        """A container or the network; images and volumes are made again without harm to what is in them. Raises ``DaemonError``."""
        ask = {_CONTAINER: daemon.container, _NETWORK: daemon.network}.get(record["type"])
        found = None if ask is None else ask(self.address, record["inputs"]["name"])
        return None if found is None else Found(found[0], found[1].get(DOCKER_LABEL) == self.namespace)

    def remove(self, record: Record) -> None:
        """Remove a container. Raises ``DaemonError``."""
        daemon.remove_container(self.address, record["inputs"]["name"])


@dataclass(frozen=True, slots=True)
class Cluster:
    """The cluster of a context of the kubeconfig."""

    context: str

    def find(self, record: Record) -> Found | None:
        """An object of any kind. Raises ``ClusterError``."""
        if not record["type"].startswith("kubernetes:"):
            return None
        labels, head = cluster.labels_of(self.context, record["inputs"]), record["inputs"]["metadata"]
        identity = "/".join(filter(None, [head.get("namespace"), head["name"]]))
        return None if labels is None else Found(identity, labels.get(_LABEL) == PART_OF)

    def remove(self, record: Record) -> None:
        """Delete an object. Raises ``ClusterError``."""
        cluster.remove(self.context, record["inputs"])


def target_of(environment: Environment) -> Target:
    """Return the target of an environment. An environment of this machine has none."""
    target = environment.target
    if target.kind == "kubernetes":
        return Cluster(target.context)
    if target.kind == "docker":
        return Host(target.host, environment.namespace)
    raise ValueError(f"{target.kind} is no target of a deployment")


def gone(plan: Plan, state: Mapping[str, Any]) -> list[str]:
    """The workloads of a plan of which the state of its stack has no server any more, after a destroy that stopped halfway say."""
    there = {_name(record) for record in state.get("resources") or [] if record["type"] == _CONTAINER or _kind(record) in CONTROLLERS}
    on_host = plan.target == "docker"
    return [one.name for one in plan.workloads if (physical_name(plan, one.name) if on_host else one.name) not in there]


def outputs(state: Mapping[str, Any]) -> Mapping[str, Any]:
    """The outputs of a stack as its state has them, secrets encrypted; empty when nothing is deployed."""
    for record in state.get("resources") or []:
        if record["type"] == STACK:
            found: Mapping[str, Any] = record.get("outputs") or {}
            return found
    return {}


def _kind(record: Record) -> str:
    return str(record["type"]).rpartition(":")[2]


def begun(state: Mapping[str, Any]) -> list[Record]:
    """Return the creations that the state has as pending. Components are left out, because they are nothing on a target."""
    noted = [operation["resource"] for operation in state.get("pending_operations") or [] if operation["type"] == "creating"]
    return [record for record in noted if record.get("custom")]


def unknown(state: Mapping[str, Any], records: Iterable[Record]) -> list[Record]:
    """Return the resources of the target that are not in the state.

    One that was deleted to be replaced is still in it, marked, until the new one is made; that new one is not known.
    """
    known = {found["urn"] for found in state.get("resources") or [] if not (found.get("delete") or found.get("pendingReplacement"))}
    things = [record for record in records if record.get("custom") and not record["type"].startswith("pulumi:")]
    return [record for record in things if record["urn"] not in known]


def may_be_ours(record: Record, state: Mapping[str, Any], namespace: str) -> bool:
    """Whether a stack may have made something of which its state has no note.

    Only one that made the namespace, or the network, knows that what else carries our label in it can be nobody else's.
    """
    whole = [found for found in state.get("resources") or [] if found["type"] in {_NAMESPACE, _NETWORK}]
    return any(_name(found) == namespace for found in whole) and _within(record, namespace)


def _within(record: Record, namespace: str) -> bool:
    if not record["type"].startswith("kubernetes:"):
        return True  # names on a host begin with the namespace
    head = record["inputs"].get("metadata", {})
    # What is in no namespace carries it in its name.
    return bool(head.get("namespace") == namespace or ("namespace" not in head and str(head.get("name")).startswith(f"{namespace}-")))


def settle(target: Target, record: Record, *, noted: bool, may_be_ours: bool = True) -> Settled:
    """Look whether something was made, and take it over or remove it, or leave it alone where it is not ours.

    ``noted`` says that the record comes from the state, whole. Raises what the target's errors say.
    """
    found, name = target.find(record), called(record)
    if found is None:
        return Settled("never made", name)
    if not (found.ours and may_be_ours):
        return Settled("not ours", name)
    # A container is made anew whole. The values of a Secret are masked in what the engine tells of its steps.
    if record["type"] == _CONTAINER or (record["type"] == _SECRET and not noted):
        target.remove(record)
        return Settled("removed", name)
    return Settled("taken over", name, {**record, "id": found.identity})


def called(record: Record) -> str:
    """Return a resource's name for messages: its kind, and its name on the target."""
    return f"{_kind(record)} {_name(record)}"


def _name(record: Record) -> str:
    inputs = record.get("inputs") or {}
    return str(inputs.get("name") or inputs.get("metadata", {}).get("name") or record["urn"].rpartition("::")[2])


def with_taken_over(state: Mapping[str, Any], settled: Sequence[Settled]) -> dict[str, Any]:
    """A state that knows what was taken over, and has nothing begun any more. What a record refers to and no state has is left out."""
    kept = [operation for operation in state.get("pending_operations") or [] if operation["type"] != "creating"]
    resources = list(state.get("resources") or [])
    for record in (one.record for one in settled if one.record is not None):
        # What is to replace another takes its place, behind which others may refer to it; all else comes last.
        at = next((number for number, found in enumerate(resources) if found["urn"] == record["urn"]), len(resources))
        known = {resource["urn"] for resource in resources[:at]}
        free = at == len(resources) or resources[at].get("pendingReplacement")
        if free and record.get("provider", "").rpartition("::")[0] in known:
            resources[at : at + 1] = [_referring_to(known, record)]
    return {**state, "resources": resources, "pending_operations": kept}


def _referring_to(known: set[str], record: Record) -> dict[str, Any]:
    fields = {key: record[key] for key in _KEPT if record.get(key)}
    fields["dependencies"] = [urn for urn in record.get("dependencies") or [] if urn in known]
    if of_inputs := record.get("propertyDependencies"):
        fields["propertyDependencies"] = {name: [urn for urn in urns or [] if urn in known] for name, urns in of_inputs.items()}
    if fields.get("parent") not in known:
        fields.pop("parent", None)
    return fields


_KEPT = ("urn", "custom", "id", "type", "inputs", "parent", "protect", "provider")
"""Fields of a resource that the state needs, beside its dependencies. A refresh reads the others, or the next ``up`` sets them."""
