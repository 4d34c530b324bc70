"""What a killed ``up`` has left: what is taken over, what is removed, what is left alone, and the state that comes of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from stacks.deploy.leftovers import Found, Settled, begun, gone, may_be_ours, settle, unknown, with_taken_over
from stacks.environment.source import read
from stacks.plan.plan import plan
from stacks.plan.targets import addresses_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from components.workload import Plan

NAMESPACE = "virtengine-observability"
PROVIDER = "urn:pulumi:prod::p::pulumi:providers:kubernetes::kubernetes"


@dataclass
class Shelf:
    """A target that holds what it is given by its URN, and notes what is removed."""

    there: Mapping[str, Found]
    removed: list[str] = field(default_factory=list)

    def find(self, record: Mapping[str, Any]) -> Found | None:
        return self.there.get(record["urn"])

    def remove(self, record: Mapping[str, Any]) -> None:
        self.removed.append(record["urn"])


def record(kind: str, name: str, **more: object) -> dict[str, Any]:
    """A resource as the state has it."""
    inputs = {"kind": kind.rpartition(":")[2], "metadata": {"name": name, "namespace": NAMESPACE}}
    if kind.startswith("docker:"):
        inputs = {"name": name}
    return {"urn": f"urn::{name}", "type": kind, "custom": True, "inputs": inputs, "provider": f"{PROVIDER}::id", **more}


CLAIM = record("kubernetes:core/v1:PersistentVolumeClaim", "traces-jaeger-0", protect=True, parent="urn::backend")
SECRET = record("kubernetes:core/v1:Secret", "tracing-access")
CONTAINER = record("docker:index/container:Container", f"{NAMESPACE}-jaeger")
NETWORK = record("docker:index/network:Network", NAMESPACE)
OURS, STRANGER = Found("the-id", ours=True), Found("the-id", ours=False)
every = pytest.mark.parametrize("found", [CLAIM, SECRET, CONTAINER, NETWORK], ids=lambda found: found["type"])
noted_or_not = pytest.mark.parametrize("noted", [True, False])


@every
@noted_or_not
def test_what_is_not_labelled_as_ours_is_neither_taken_over_nor_removed(found: dict[str, Any], noted: bool) -> None:  # noqa: FBT001
    shelf = Shelf({found["urn"]: STRANGER})
    settled = settle(shelf, found, noted=noted)
    assert (settled.fate, settled.record, shelf.removed) == ("not ours", None, [])


@every
def test_what_was_never_made_is_only_forgotten(found: dict[str, Any]) -> None:
    shelf = Shelf({})
    assert (settle(shelf, found, noted=True).fate, shelf.removed) == ("never made", [])


@noted_or_not
def test_a_claim_of_ours_is_taken_over_with_its_protection_and_never_removed(noted: bool) -> None:  # noqa: FBT001
    shelf = Shelf({CLAIM["urn"]: OURS})
    settled = settle(shelf, CLAIM, noted=noted)
    assert settled.record == {**CLAIM, "id": "the-id"}
    assert (settled.fate, shelf.removed) == ("taken over", [])


def test_a_container_of_ours_is_removed_to_be_made_anew_and_the_network_is_kept() -> None:
    shelf = Shelf({CONTAINER["urn"]: OURS, NETWORK["urn"]: OURS})
    assert settle(shelf, CONTAINER, noted=True).fate == "removed"
    assert settle(shelf, NETWORK, noted=True).fate == "taken over"
    assert shelf.removed == [CONTAINER["urn"]]


def test_a_secret_is_taken_over_from_the_state_alone_since_only_that_has_its_values() -> None:
    shelf = Shelf({SECRET["urn"]: OURS})
    assert (settle(shelf, SECRET, noted=True).fate, shelf.removed) == ("taken over", [])
    assert (settle(shelf, SECRET, noted=False).fate, shelf.removed) == ("removed", [SECRET["urn"]])


def test_the_state_knows_what_was_taken_over_and_has_nothing_begun() -> None:
    provider, deleting = {"urn": PROVIDER, "type": "pulumi:providers:kubernetes"}, {"type": "deleting", "resource": SECRET}
    component = {"urn": "urn::backend", "type": "virtengine:tracing:Backend"}
    state: dict[str, Any] = {
        "manifest": {},
        "resources": [provider],
        "pending_operations": [*({"type": "creating", "resource": found} for found in (CLAIM, component)), deleting],
    }
    assert begun(state) == [CLAIM]
    depending = {"dependencies": [PROVIDER, "urn::lost"], "propertyDependencies": {"metadata": [PROVIDER, "urn::lost"], "spec": None}}
    taken = Settled("taken over", "the claim", {**CLAIM, "id": "ns/traces", **depending})
    after = with_taken_over(state, [taken, Settled("removed", "a container")])
    assert after["manifest"] == {}
    assert after["pending_operations"] == [deleting]
    first, claim = after["resources"]
    assert first == provider
    # What the state does not have would make it a state that the engine refuses.
    assert claim == {
        "urn": CLAIM["urn"],
        "custom": True,
        "id": "ns/traces",
        "type": CLAIM["type"],
        "inputs": CLAIM["inputs"],
        "protect": True,
        "provider": CLAIM["provider"],
        "dependencies": [PROVIDER],
        "propertyDependencies": {"metadata": [PROVIDER], "spec": []},
    }
    assert with_taken_over(after, [taken])["resources"] == after["resources"]


def test_nothing_is_taken_over_without_the_provider_that_could_read_it() -> None:
    state: dict[str, Any] = {"resources": [], "pending_operations": []}
    assert with_taken_over(state, [Settled("taken over", "the claim", CLAIM)])["resources"] == []


def test_what_replaces_another_is_taken_over_in_its_place() -> None:
    provider, account = {"urn": PROVIDER, "type": "pulumi:providers:kubernetes"}, {"urn": "urn::account"}
    server, caller = record("kubernetes:apps/v1:StatefulSet", "jaeger"), {"urn": "urn::caller", "dependencies": ["urn::jaeger"]}
    state: dict[str, Any] = {"resources": [provider, account, {**server, "pendingReplacement": True}, caller]}
    assert unknown(state, [server, CLAIM]) == [server, CLAIM]
    taken = Settled("taken over", "the server", {**server, "id": "ns/jaeger", "dependencies": ["urn::account"]})
    after = with_taken_over(state, [taken])["resources"]
    assert after == [provider, account, {**server, "id": "ns/jaeger", "dependencies": ["urn::account"]}, caller]
    assert unknown({"resources": after}, [server]) == []


def test_only_a_stack_that_made_the_namespace_takes_over_what_it_has_no_note_of() -> None:
    namespace = {"urn": "urn::ns", "type": "kubernetes:core/v1:Namespace", "inputs": {"metadata": {"name": NAMESPACE}}}
    other = {**namespace, "inputs": {"metadata": {"name": "another"}}}
    assert may_be_ours(CLAIM, {"resources": [namespace]}, NAMESPACE)
    assert may_be_ours(CONTAINER, {"resources": [NETWORK]}, NAMESPACE)
    without: list[dict[str, Any]] = [{}, {"resources": []}, {"resources": [other]}]
    assert not any(may_be_ours(CLAIM, state, NAMESPACE) for state in without)


def test_what_may_be_of_another_stack_is_left_alone_though_it_has_our_label() -> None:
    shelf = Shelf({SECRET["urn"]: OURS})
    assert (settle(shelf, SECRET, noted=False, may_be_ours=False).fate, shelf.removed) == ("not ours", [])


def test_what_lies_in_a_namespace_of_others_is_theirs_unless_the_state_notes_it() -> None:
    namespace = {"urn": "urn::ns", "type": "kubernetes:core/v1:Namespace", "inputs": {"metadata": {"name": NAMESPACE}}}
    consumer = record("kubernetes:core/v1:ConfigMap", "virtengine-tracing")
    consumer["inputs"]["metadata"]["namespace"] = "virtengine"
    role, other = (record("kubernetes:rbac.authorization.k8s.io/v1:ClusterRole", name) for name in (f"{NAMESPACE}-agent", "reader"))
    for found in (role, other):
        del found["inputs"]["metadata"]["namespace"]
    assert [found for found in (consumer, role, other) if may_be_ours(found, {"resources": [namespace]}, NAMESPACE)] == [role]


def _plan(name: str) -> Plan:
    named = read(name)
    return plan(named.environment, addresses_of(named), name=name)


def test_workloads_without_a_server_in_the_state_are_gone() -> None:
    on_host, in_cluster = _plan("dev"), _plan("prod")
    assert gone(on_host, {}) == ["gateway", "jaeger", "sampling"]
    assert gone(on_host, {"resources": [CONTAINER]}) == ["gateway", "sampling"]
    servers = [record("kubernetes:apps/v1:StatefulSet", name) for name in ("gateway", "jaeger")]
    # An account of that name makes no pods.
    account = record("kubernetes:core/v1:ServiceAccount", "agent")
    assert gone(in_cluster, {"resources": [*servers, account]}) == ["agent", "sampling", "access"]
