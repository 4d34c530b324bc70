"""Settings that only a cluster has: its context, what its objects carry, where pods run, and the controllers that serve them."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from pydantic import Field

from stacks.environment.section import Section
from stacks.environment.units import (
    Bytes,
    Identifier,
    Interval,
    Label,
    LabelKey,
    LabelValue,
    ObjectName,
    Text,
)


class Toleration(Section):
    """A taint of nodes on which pods may run all the same."""

    key: LabelKey | None = Field(default=None, title="taint")
    """Key of the taint. Default: none, every key."""
    value: LabelValue | None = Field(default=None, title="value of the taint")
    """Value of the taint, together with `key`. Default: none, every value."""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = Field(default=None, title="effect of the taint")
    """Effect of the taint. Default: none, every effect."""


class NodeAffinity(Section):
    """A condition on the labels of the nodes where pods run."""

    key: LabelKey = Field(title="node label", examples=["node.kubernetes.io/instance-type"])
    """Label of the node. Required."""
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"] = Field(default="In", title="comparison of the node label")
    """Comparison of the label's value with `values`. Default: `In`."""
    values: tuple[LabelValue, ...] = Field(default=(), title="values of the node label", strict=False)
    """Values to compare with: one or more with `In` and `NotIn`, one whole number with `Gt` and `Lt`, none with the others. Default:
    none."""
    weight: int | None = Field(default=None, ge=1, le=100, title="weight of the node label")
    """Weight of a preference, 1 to 100. Default: none, which makes it a condition: without such a node the pod waits."""


class PodAffinity(Section):
    """A condition on the pods beside which pods run, or from which they stay away."""

    labels: dict[LabelKey, LabelValue] = Field(title="label of the neighbours", min_length=1)
    """Labels of those pods. Default: none, which is refused, because they would be all pods."""
    namespaces: tuple[Label, ...] = Field(default=(), title="namespaces of the neighbours", strict=False)
    """Namespaces of those pods. Default: none, the backbone's own."""
    topology_key: LabelKey = Field(default="kubernetes.io/hostname", title="topology of the neighbours")
    """Node label whose value two nodes share that count as one place. Default: `kubernetes.io/hostname`, each node by itself."""
    apart: bool = Field(default=True, title="distance from the neighbours")
    """Whether to stay away from those pods or to be where they are. Default: true, because neighbours that take much of a node are the
    usual reason."""
    weight: int | None = Field(default=None, ge=1, le=100, title="weight of the neighbours")
    """Weight of a preference, 1 to 100. Default: none, which makes it a condition: without such a place the pod waits."""


class Pods(Section):
    """Rules for the pods of a workload on a cluster.

    Those of `target.pods` hold for every workload; a workload's own come beside them, and win where both say something of one name.
    """

    priority_class: ObjectName | None = Field(default=None, title="priority class")
    """PriorityClass of the pods. Kubernetes only. Default: none, the cluster's own default; for agents one above the services' is worth
    having, since a node that is full evicts them otherwise."""
    node_selector: dict[LabelKey, LabelValue] = Field(default_factory=dict, title="node selector")
    """Labels that a node must have. Kubernetes only. Default: none beside `kubernetes.io/os: linux`, which every workload has."""
    tolerations: dict[Text, Toleration] = Field(default_factory=dict, title="toleration")
    """Taints of nodes on which the pods may run, by a name of yours. Kubernetes only. Default: none, for agents too beside the taints of
    nodes under pressure, which Kubernetes adds; services on nodes with a taint that agents do not tolerate reach no agent, and `preview`
    names those nodes."""
    node_affinity: dict[Text, NodeAffinity] = Field(default_factory=dict, title="node affinity")
    """Conditions on the labels of nodes, by a name of yours; all of those without a weight must hold. Kubernetes only. Default: none."""
    pod_affinity: dict[Text, PodAffinity] = Field(default_factory=dict, title="pod affinity")
    """Conditions on other pods nearby, by a name of yours. Kubernetes only. Default: none; replicas of a workload are on nodes of their own
    without it."""
    zones: Literal["ignored", "preferred", "required"] | None = Field(default=None, title="spread over zones")
    """Spread of replicas over zones (`topology.kubernetes.io/zone`). Kubernetes only. Default: `preferred`, so that a zone that is lost
    takes a share of the replicas; `required` lets a replica wait rather than share a zone that has more than others."""
    log_space: Bytes | None = Field(default=None, title="log space")
    """Bytes on the node for the log of a pod, beside its volumes, which together are its request and limit of ephemeral storage. Kubernetes
    only. Default: 128Mi; a kubelet keeps 5 files of 10Mi unless it is told otherwise."""


class Issuer(Section):
    """An issuer of cert-manager."""

    name: ObjectName = Field(title="issuer", examples=["letsencrypt"])
    """Name of the issuer. Required."""
    kind: Literal["ClusterIssuer", "Issuer"] = Field(default="ClusterIssuer", title="kind of the issuer")
    """`ClusterIssuer`, or `Issuer` in the backbone's namespace. Default: `ClusterIssuer`, because that namespace is made with the
    backbone."""


class GatewayReference(Section):
    """A Gateway of the Gateway API, by which browsers come in. It is its owner's, who lets routes of this namespace attach to it."""

    name: ObjectName = Field(title="Gateway", examples=["public"])
    """Name of the Gateway. Required."""
    namespace: Label = Field(title="namespace of the Gateway", examples=["gateways"])
    """Namespace of the Gateway. Required."""
    listener: ObjectName | None = Field(default=None, title="listener of the Gateway")
    """Name of its listener for HTTPS, whose certificate covers the host. Default: none, every listener that takes the host."""


class ExternalSecrets(Section):
    """Secrets that the External Secrets Operator fills from a store, so that the stack file holds none of them."""

    store: ObjectName = Field(title="secret store", examples=["vault"])
    """Name of the store. Required."""
    kind: Literal["ClusterSecretStore", "SecretStore"] = Field(default="ClusterSecretStore", title="kind of the secret store")
    """`ClusterSecretStore`, or `SecretStore` in the backbone's namespace. Default: `ClusterSecretStore`, since that namespace is made with
    the backbone."""
    refresh: Interval = Field(default=timedelta(hours=1), title="refresh of secrets")
    """Interval at which the store is read. Default: 1 h, as the operator's own. Pods that read an entry at their start have to be restarted
    by whoever rotates it."""
    secrets: dict[ObjectName, Text] = Field(title="secret in the store", min_length=1)
    """Key of the store by the name of the Secret, which takes each of its entries from the property of that name. Default:
    none, which is refused, because a store would then be for nothing."""


class Kubernetes(Section):
    """A cluster."""

    kind: Literal["kubernetes"] = Field(title="target")
    """Kind of the target."""
    context: Identifier = Field(title="Kubernetes context", examples=["virtengine-prod"])
    """Context of the kubeconfig, one that `kubectl config get-contexts` lists. Required: a stack never deploys to whatever context
    happens to be current."""
    labels: dict[LabelKey, LabelValue] = Field(default_factory=dict, title="label")
    """Labels of all objects, pods included. Default: none beside those that Kubernetes recommends (`app.kubernetes.io/name` and others),
    which are set."""
    annotations: dict[LabelKey, Text] = Field(default_factory=dict, title="annotation")
    """Annotations of all objects, pods included. Default: none beside those that the bundle needs."""
    addresses: Literal["ipv4", "ipv6", "dual"] = Field(default="ipv4", title="addresses")
    """Families of addresses: `ipv4`, `ipv6` for a cluster that has no other, or `dual`, where servers take both and Services have an
    address of each. Default: `ipv4`, with Services of the cluster's own default family."""
    pods: Pods = Field(default=Pods(), title="common")
    """Rules for the pods of every workload."""
    external_secrets: ExternalSecrets | None = None
    """Secrets that the External Secrets Operator fills. Default: none, the stack fills them."""
