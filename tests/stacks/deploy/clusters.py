"""An API server as a deployment meets it: a kubeconfig, environments of a test's own, and users with chosen rights."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import yaml

from stacks.environment.model import KEY
from stacks.environment.source import ROOT, Named, read
from stacks.plan.plan import plan
from stacks.plan.targets import addresses_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from components.workload import Plan
    from tests.sites.kubernetes import ApiServer

RBAC = "/apis/rbac.authorization.k8s.io/v1"


@dataclass
class Cluster:
    """An API server, and the kubeconfig of its users; ``context`` is the administrator's, and none is current."""

    server: ApiServer
    folder: Path
    context: str

    @property
    def kubeconfig(self) -> Path:
        """The file with a context for each user."""
        return self.folder / "kubeconfig"

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - httpx's own
        """What the API server answers to its administrator."""
        head = {"Authorization": f"Bearer {self.server.token}"}
        with httpx.Client(base_url=self.server.url, headers=head, verify=False, timeout=60) as client:  # noqa: S501
            answer = client.request(method, path, json=body, **more)
        assert answer.is_success, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def namespace(self, prefix: str = "test") -> str:
        """A new namespace, with the account of its pods, which is otherwise a controller's work."""
        name = f"{prefix}-{uuid.uuid4().hex[:8]}"
        self.ask("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
        self.ask("POST", f"/api/v1/namespaces/{name}/serviceaccounts", {"metadata": {"name": "default"}})
        return name

    def status(self, path: str, status: Mapping[str, Any]) -> None:
        """Write the status of an object, as its kubelet or controller would."""
        merge = {"Content-Type": "application/merge-patch+json"}
        self.ask("PATCH", f"{path}/status", headers=merge, content=json.dumps({"status": status}))

    def user(self, *rules: Mapping[str, Any], roles: tuple[str, ...] = ()) -> str:
        """The context of a new user who has these rules and ClusterRoles in the whole cluster."""
        name, within = f"user-{uuid.uuid4().hex[:8]}", self.namespace("users")
        accounts = f"/api/v1/namespaces/{within}/serviceaccounts"
        self.ask("POST", accounts, {"metadata": {"name": name}})
        self.ask("POST", f"{RBAC}/clusterroles", {"metadata": {"name": name}, "rules": list(rules)})
        subject = {"kind": "ServiceAccount", "name": name, "namespace": within}
        for role in (name, *roles):
            reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role}
            binding = {"metadata": {"name": f"{name}-{role}"}, "roleRef": reference, "subjects": [subject]}
            self.ask("POST", f"{RBAC}/clusterrolebindings", binding)
        request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600}}
        self.login(name, self.ask("POST", f"{accounts}/{name}/token", request)["status"]["token"])
        return name

    def account(self, user: str) -> str:
        """The name under which the API server knows a user that ``user`` has made."""
        found = self.ask("GET", f"{RBAC}/clusterrolebindings/{user}-{user}")["subjects"][0]
        return f"system:serviceaccount:{found['namespace']}:{found['name']}"

    def login(self, context: str, token: str) -> None:
        """Add a context to the kubeconfig."""
        known = yaml.safe_load(self.kubeconfig.read_text()) if self.kubeconfig.exists() else {"users": [], "contexts": []}
        cluster = {"server": self.server.url, "certificate-authority": str(self.server.certificates)}
        known |= {"apiVersion": "v1", "kind": "Config", "clusters": [{"name": "test", "cluster": cluster}]}
        known["users"].append({"name": context, "user": {"token": token}})
        known["contexts"].append({"name": context, "context": {"cluster": "test", "user": context}})
        self.kubeconfig.write_text(yaml.safe_dump(known))

    def environment(self, namespace: str, *consumers: str, context: str | None = None, **sections: object) -> Named:
        """Production on this API server, in a namespace of its own; without ``consumers`` the services are in ``default``."""
        document = yaml.safe_load((ROOT / "Pulumi.prod.yaml").read_text())
        settings = document["config"][KEY]
        settings |= {"namespace": namespace, "target": {"kind": "kubernetes", "context": context or self.context}} | sections
        settings["ingest"]["namespaces"] = list(consumers) or ["default"]
        file = self.folder / f"Pulumi.{namespace}.yaml"
        file.write_text(yaml.safe_dump(document, sort_keys=False))
        return read(str(file))

    def plan(self, namespace: str, *consumers: str) -> Plan:
        """The plan of such an environment."""
        named = self.environment(namespace, *consumers)
        return plan(named.environment, addresses_of(named), name=named.name)


def ruled(document: str) -> list[dict[str, Any]]:
    """The rules of the ClusterRole that a page shows."""
    shown = document.partition("```yaml\n")[2].partition("```")[0]
    rules: list[dict[str, Any]] = yaml.safe_load(shown)["rules"]
    return rules
