"""A stack on a cluster whose pods run: what goes wrong, what is said of it, and that the next ``up`` succeeds when that was done."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from tests.engine.cluster import CONTEXT
from tests.engine.late import late

if TYPE_CHECKING:
    from tests.engine.cluster import Placed

WORKS = "came out: the backbone works"


def test_an_engine_killed_while_making_a_statefulset_is_recovered_from(placed: Placed) -> None:
    said = placed.ended(signal.SIGKILL, at="StatefulSet backend-jaeger creating", whom="engine", after=1)
    assert "the engine was ended by SIGKILL" in said
    assert f"then: python -m stacks recover {placed.namespace}" in said
    assert f"python -m stacks recover {placed.namespace}" in placed("up", fails=True)
    before = placed.pods()
    recovered = placed("recover")
    assert "taken over: StatefulSet jaeger" in recovered
    assert WORKS in placed("up")
    assert before.items() <= placed.pods().items()
    assert "0 to create" not in placed("up")
    placed("destroy")
    assert not placed.there()


def test_a_claim_that_the_engine_was_making_keeps_what_is_in_it(placed: Placed) -> None:
    placed.ended(signal.SIGKILL, at="PersistentVolumeClaim backend-traces-jaeger-0 creating", whom="engine")
    before = placed.claims()
    placed("recover")
    assert WORKS in placed("up")
    assert before.items() <= placed.claims().items()


def test_objects_that_a_state_has_forgotten_are_taken_over_and_no_pod_restarts(placed: Placed) -> None:
    assert WORKS in placed("up")
    pods, claims = placed.pods(), placed.claims()
    _forget(placed, "backend-jaeger", "backend-traces-jaeger-0", "tracing-intake-token")
    assert f"then: python -m stacks recover {placed.namespace}" in placed("up", fails=True)
    recovered = placed("recover")
    assert "taken over: StatefulSet jaeger" in recovered
    assert "taken over: PersistentVolumeClaim traces-jaeger-0" in recovered
    assert "removed: Secret intake-token" in recovered
    assert WORKS in placed("up")
    assert (placed.pods(), placed.claims()) == (pods, claims)


def test_what_was_taken_over_is_destroyed_in_its_order_without_an_up_between(placed: Placed) -> None:
    placed("up")
    before = _noted(placed, "backend-jaeger")
    _forget(placed, "backend-jaeger")
    assert _noted(placed, "backend-jaeger") == {}
    placed("recover")
    assert _noted(placed, "backend-jaeger") == before
    placed("destroy")
    assert not placed.there()


def test_no_secret_is_in_clear_in_what_is_printed_or_kept(placed: Placed) -> None:
    said = placed.ended(signal.SIGKILL, at="Secret tracing-intake-token creating", whom="engine") + placed("recover") + placed("up")
    kept = [file.read_text(errors="replace") for file in placed.state.rglob("*") if file.is_file()]
    for form in ("a-token", "YS10b2tlbg=="):
        assert not [text for text in (said, *kept) if form in text]


def test_an_up_that_was_interrupted_by_its_user_goes_on_from_there(placed: Placed) -> None:
    said = placed.ended(signal.SIGINT, at="StatefulSet backend-jaeger creating", whom="all", after=1)
    assert f"{placed.namespace}: `up` was interrupted" in said
    while WORKS not in said:
        said = placed.next(said)


def test_an_object_made_but_not_answered_is_found_by_the_next_step(placed: Placed, tmp_path: Path) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    with late(os.environ[CONTEXT], kubeconfig, "statefulsets") as made:
        at = "StatefulSet backend-jaeger creating"
        said = placed.ended(signal.SIGINT, at=at, whom="all", once=made, KUBECONFIG=str(kubeconfig))
    assert f"{placed.namespace}: `up` was interrupted while it made StatefulSet jaeger" in said
    # The state has the path of the kubeconfig, so that is where the cluster has to be found from now on.
    kubeconfig.write_text(Path(os.environ["KUBECONFIG"]).read_text())
    before = placed.pods()
    recovered = placed.next(said, KUBECONFIG=str(kubeconfig))
    assert "taken over: StatefulSet jaeger" in recovered
    assert WORKS in placed.next(recovered, KUBECONFIG=str(kubeconfig))
    assert before.items() <= placed.pods().items()


def test_a_wrong_context_is_said_with_those_that_there_are_and_then_up_succeeds(placed: Placed) -> None:
    placed.set("target", context="nowhere")
    said = placed("up", fails=True)
    assert f"environment.target.context: nowhere is not in the kubeconfig, which has {os.environ[CONTEXT]}" in said
    placed.set("target", context=os.environ[CONTEXT])
    assert WORKS in placed("up")


def test_a_cluster_that_does_not_answer_is_said_and_when_it_answers_up_succeeds(placed: Placed, tmp_path: Path) -> None:
    away = tmp_path / "kubeconfig"
    away.write_text(yaml.safe_dump(_unreachable(os.environ["KUBECONFIG"])))
    said = placed("up", fails=True, KUBECONFIG=str(away))
    assert f"{os.environ[CONTEXT]}: the cluster does not answer" in said
    assert f"then: kubectl --context {os.environ[CONTEXT]} cluster-info" in said
    assert WORKS in placed("up")


def test_a_missing_secret_is_said_before_anything_is_made(placed: Placed) -> None:
    document = yaml.safe_load(placed.file.read_text())
    del document["config"]["virtengine-tracing:intake-token.token"]
    placed.file.write_text(yaml.safe_dump(document))
    said = placed("up", fails=True)
    assert "intake-token.token: is a secret that" in said
    assert f"| python -m stacks secret {placed.namespace} intake-token.token" in said
    assert not placed.there()
    placed("secret", "intake-token.token", told="a-token")
    assert WORKS in placed("up")


def test_a_namespace_that_is_there_already_is_said_and_left_alone(placed: Placed) -> None:
    placed.core.create_namespace({"metadata": {"name": placed.namespace}})
    said = placed("up", fails=True)
    assert f"environment.namespace: {placed.namespace} exists already in {os.environ[CONTEXT]}" in said
    assert f"delete namespace {placed.namespace}" in said
    placed.core.delete_namespace(placed.namespace)
    while placed.there():
        pass
    assert WORKS in placed("up")


def _unreachable(kubeconfig: str) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(Path(kubeconfig).read_text())
    for cluster in document["clusters"]:
        cluster["cluster"]["server"] = "https://127.0.0.1:1"
    return document


def _noted(placed: Placed, name: str) -> dict[str, dict[str, Any]]:
    """What the state has of the objects of a name that decides whether and in which order they are deleted, by URN."""
    resources = json.loads(placed.pulumi("stack", "export"))["deployment"]["resources"]
    found = [one for one in resources if one["custom"] and one["urn"].endswith(f"::{name}")]
    keys = ("parent", "provider", "protect", "dependencies", "propertyDependencies")
    return {one["urn"]: {key: _in_order(one.get(key)) for key in keys} for one in found}


def _in_order(value: Any) -> Any:  # noqa: ANN401 - whatever a state has
    """The same for the same meaning: nothing is as good as empty, and the engine keeps no order."""
    if isinstance(value, dict):
        return {key: _in_order(one) for key, one in value.items() if one} or None
    return sorted(value) if isinstance(value, list) else value


def _forget(placed: Placed, *names: str) -> None:
    """Take resources out of the state, as a person does who answers ``pulumi refresh`` with "clear", or restores a backup."""
    exported = json.loads(placed.pulumi("stack", "export"))
    deployment = exported["deployment"]
    lost = {resource["urn"] for resource in deployment["resources"] if resource["urn"].rpartition("::")[2] in names}
    deployment["resources"] = [resource for resource in deployment["resources"] if resource["urn"] not in lost]
    for resource in deployment["resources"]:
        resource["dependencies"] = [urn for urn in resource.get("dependencies", []) if urn not in lost]
        resource.pop("propertyDependencies", None)
    placed.pulumi("stack", "import", told=json.dumps(exported))
