"""Before anything is touched: what a deployment cannot do on a real API server is said, all of it, with the next command."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml

from components.kubernetes.place import _KINDS
from stacks.deploy import rights
from stacks.deploy.cluster import ClusterError, client
from stacks.deploy.preflight import CONTROLLERS, check
from stacks.environment.source import ROOT
from stacks.placement.manifests import kubernetes_objects
from stacks.placement.outputs import consumer_config, outputs
from tests.stacks.deploy.clusters import ruled

if TYPE_CHECKING:
    from pathlib import Path

    from tests.stacks.deploy.clusters import Cluster

PAGE = ROOT / "docs" / "deploying.md"
LACKING = ("clusterroles", "clusterrolebindings", "limitranges", "resourcequotas")


def test_a_kubeconfig_without_a_current_context_is_enough(cluster: Cluster) -> None:
    assert "current-context" not in yaml.safe_load(cluster.kubeconfig.read_text())
    check(cluster.context, cluster.plan("not-there-yet", cluster.namespace()), new=True)


def test_two_kubeconfigs_are_read_as_kubectl_reads_them(cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "other").write_text("apiVersion: v1\nkind: Config\ncontexts: []\n")
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path / 'other'}:{cluster.kubeconfig}")
    check(cluster.context, cluster.plan("not-there-yet"), new=True)


def test_an_unknown_context_is_said_with_those_that_there_are(cluster: Cluster) -> None:
    with pytest.raises(ClusterError, match=f"nowhere is not in the kubeconfig, which has {cluster.context}"):
        client("nowhere")


@pytest.mark.parametrize("text", [None, "", "- no mapping: ["])
def test_a_kubeconfig_that_is_none_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None) -> None:
    file = tmp_path / "kubeconfig"
    if text is not None:
        file.write_text(text)
    monkeypatch.setenv("KUBECONFIG", str(file))
    with pytest.raises(ClusterError, match="then: name your kubeconfig: export KUBECONFIG="):
        client("anywhere")


def test_missing_consumer_namespaces_are_named_with_the_command_that_makes_them(cluster: Cluster) -> None:
    there = cluster.namespace()
    with pytest.raises(ClusterError) as refused:
        check(cluster.context, cluster.plan("not-there-yet", there, "shop", "portal"), new=True)
    told = str(refused.value).splitlines()
    assert told[0].startswith("environment.ingest.namespaces: shop, portal: not in ")
    make = f"kubectl --context {cluster.context} create namespace"
    assert told[-1] == f"then: {make} shop && {make} portal"


def test_a_namespace_that_is_there_already_is_refused_for_a_new_stack_alone(cluster: Cluster) -> None:
    name = cluster.namespace()
    with pytest.raises(ClusterError, match=f"environment.namespace: {name} exists already"):
        check(cluster.context, cluster.plan(name), new=True)
    check(cluster.context, cluster.plan(name), new=False)


def test_a_namespace_that_is_being_deleted_is_waited_for(cluster: Cluster) -> None:
    name = cluster.namespace()
    cluster.ask("DELETE", f"/api/v1/namespaces/{name}")
    with pytest.raises(ClusterError, match=f"is being deleted in .*\nthen: kubectl --context .* wait --for=delete namespace/{name}"):
        check(cluster.context, cluster.plan(name), new=True)


def test_a_claim_on_its_way_out_is_told_before_a_deployment_ends_its_pod(cluster: Cluster) -> None:
    name = cluster.namespace()
    claims = f"/api/v1/namespaces/{name}/persistentvolumeclaims"
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, "volumeName": "pv-7"}
    # While a pod uses it, a claim keeps this finalizer, and is only marked as being deleted.
    held = {"metadata": {"name": "traces-jaeger-0", "finalizers": ["kubernetes.io/pvc-protection"]}, "spec": spec}
    cluster.ask("POST", claims, held)
    check(cluster.context, cluster.plan(name), new=False)
    cluster.ask("DELETE", f"{claims}/traces-jaeger-0")
    with pytest.raises(ClusterError) as refused:
        check(cluster.context, cluster.plan(name), new=False)
    assert f"{name}: traces-jaeger-0: being deleted" in str(refused.value)
    assert 'patch persistentvolume pv-7 --patch \'{"spec":{"persistentVolumeReclaimPolicy":"Retain"}}\'' in str(refused.value)
    assert f"python -m stacks recover {name}" in str(refused.value)


def test_a_namespace_that_another_backbone_tells_where_to_send_is_refused_by_name(cluster: Cluster) -> None:
    shop = cluster.namespace()
    first, second = cluster.plan("first", shop), cluster.plan("second", shop)
    told = {"metadata": {"name": "virtengine-tracing"}, "data": consumer_config(outputs(first))}
    cluster.ask("POST", f"/api/v1/namespaces/{shop}/configmaps", told)
    check(cluster.context, first, new=True)
    with pytest.raises(ClusterError, match=rf"{shop} \(by first\)[^\n]*\nthen: take {shop} out of ingest.namespaces here"):
        check(cluster.context, second, new=True)


def test_an_object_of_somebody_elses_in_a_consumers_namespace_is_left_alone(cluster: Cluster) -> None:
    shop = cluster.namespace()
    cluster.ask("POST", f"/api/v1/namespaces/{shop}/configmaps", {"metadata": {"name": "virtengine-tracing"}})
    with pytest.raises(ClusterError, match=rf"{shop} \(by something else than a backbone\)"):
        check(cluster.context, cluster.plan("first", shop), new=True)


def test_a_user_is_told_every_right_that_is_missing_before_anything_is_touched(cluster: Cluster) -> None:
    # What the role "admin" has, and the right to make namespaces.
    known = [{**rule, "resources": [one for one in rule["resources"] if one not in LACKING]} for rule in ruled(PAGE.read_text())]
    user, shop = cluster.user(*(rule for rule in known if rule["resources"])), cluster.namespace()
    with pytest.raises(ClusterError) as refused:
        check(user, cluster.plan("not-there-yet", shop), new=True)
    told = str(refused.value).splitlines()
    whole, inside = (next(line for line in told if line.startswith(f"  in {place}:")) for place in ("the whole cluster", "not-there-yet"))
    group = "rbac.authorization.k8s.io"
    assert whole == f"  in the whole cluster: create, delete, get, patch clusterrolebindings.{group}, clusterroles.{group}"
    assert inside == "  in not-there-yet: create, delete, get, patch limitranges, resourcequotas"
    assert told[-1].startswith("then: give it the ClusterRole in docs/deploying.md")


def test_the_rights_on_the_page_are_enough_and_none_is_too_much(cluster: Cluster) -> None:
    user, shop = cluster.user(*ruled(PAGE.read_text())), cluster.namespace()
    wanted = cluster.plan("not-there-yet", shop)
    check(user, wanted, new=True)
    objects = [mapping for those in kubernetes_objects(wanted).values() for mapping in those]
    asked = {(right.group, right.resource, right.verb) for right in rights.needed(wanted, objects)}
    shown = {
        (group, resource, verb)
        for rule in ruled(PAGE.read_text())
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    assert shown == asked


def test_each_kind_that_a_plan_can_have_has_rights() -> None:
    assert set(rights.RESOURCES) == {kind for _, kind in _KINDS} | set(CONTROLLERS)


def test_a_right_in_one_namespace_is_enough_for_what_is_in_it(cluster: Cluster) -> None:
    user, shop = cluster.user(), cluster.namespace()
    right = rights.Right(shop, "", "configmaps", "patch")
    assert rights.missing(user, [right]) == [right]
    edits = cluster.user({"apiGroups": [""], "resources": ["configmaps"], "verbs": ["patch"]})
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": edits}
    binding = {"metadata": {"name": "edits"}, "roleRef": role}
    account = {"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": cluster.account(user)}
    cluster.ask("POST", f"/apis/rbac.authorization.k8s.io/v1/namespaces/{shop}/rolebindings", binding | {"subjects": [account]})
    assert rights.missing(user, [right]) == []
    assert rights.missing(user, [rights.Right("elsewhere", "", "configmaps", "patch")]) != []
