"""A cluster that a person offers to the tests by name, with pods that run: the node of ``tests/cluster/node``, or any other."""

from __future__ import annotations

import os
import shutil
import uuid
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from kubernetes import client as untyped

from stacks.deploy.cluster import ClusterError, client
from stacks.environment.model import KEY
from stacks.environment.source import ROOT
from tests.engine.verbs import Verbs
from tests.pem import certificate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONTEXT = "VIRTENGINE_TEST_CONTEXT"
"""Names the context of a cluster on which these tests may make namespaces of their own; its nodes have the images, or can pull them."""

PROGRAMS = ("pulumi", "pulumi-language-python", "pulumi-resource-kubernetes", "openssl")
TRIFLE = {"resources": {"cpu": "50m", "memory": "256Mi"}}
api: Any = untyped


class Placed(Verbs):
    """An environment on that cluster."""

    @property
    def core(self) -> Any:  # noqa: ANN401 - the client is not typed
        """The cluster's own API."""
        return api.CoreV1Api(client(os.environ[CONTEXT]))

    def pods(self) -> dict[str, str]:
        """The pods of the namespace: the uid of each by its name."""
        return {pod.metadata.name: pod.metadata.uid for pod in self.core.list_namespaced_pod(self.namespace).items}

    def claims(self) -> dict[str, str]:
        """The claims of the namespace: the uid of each by its name."""
        found = self.core.list_namespaced_persistent_volume_claim(self.namespace).items
        return {claim.metadata.name: claim.metadata.uid for claim in found}

    def there(self) -> bool:
        """Whether the namespace is there."""
        return any(found.metadata.name == self.namespace for found in self.core.list_namespace().items)


@pytest.fixture
def placed(tmp_path: Path) -> Iterator[Placed]:
    """Development in a namespace of its own, with TLS and a token; whatever a test leaves is deleted."""
    if why := _unable():
        pytest.skip(why)
    namespace = f"test-{uuid.uuid4().hex[:8]}"
    made = Placed(tmp_path / f"Pulumi.{namespace}.yaml", tmp_path / "state", namespace, {"PULUMI_HOME": str(tmp_path / "home")})
    made.file.write_text(yaml.safe_dump(_document(namespace, tmp_path), sort_keys=False))
    services = f"{namespace}-services"
    made.core.create_namespace({"metadata": {"name": services}})
    for entry, file in (("tls.crt", "tls.crt"), ("tls.key", "tls.key")):
        made("secret", f"intake.{entry}", told=(tmp_path / file).read_text())
    made("secret", "intake-token.token", told="a-token")
    yield made
    try:
        if made.there():
            made("recover")
            made("destroy")
    finally:
        made.core.delete_namespace(services)


def _document(namespace: str, folder: Path) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((ROOT / "Pulumi.dev.yaml").read_text())
    document["config"][KEY] |= {
        "namespace": namespace,
        "target": {"kind": "kubernetes", "context": os.environ[CONTEXT]},
        "ingest": {"namespaces": [f"{namespace}-services"], "tls_secret": "intake", "token_secret": "intake-token"},
        "load": {"spans_per_second": 20, "nodes": 1},
        "collectors": {"agent": TRIFLE, "gateway": {**TRIFLE, "replicas": 1, "queue": {"size": "1Gi"}}},
    }
    certified, _ = certificate(folder, f"agent.{namespace}.svc")
    document["config"][KEY.replace("environment", "intake.ca.crt")] = certified
    return document


def _unable() -> str | None:
    """Why the engine cannot be run here on a cluster."""
    if missing := [program for program in PROGRAMS if shutil.which(program) is None]:
        return f"{', '.join(missing)} not on PATH"
    if CONTEXT not in os.environ:
        return f"{CONTEXT} names no cluster with nodes; `python -m tests.cluster.node` starts one"
    try:
        api.VersionApi(client(os.environ[CONTEXT])).get_code(_request_timeout=60)
    except ClusterError as error:
        return str(error).splitlines()[0]
    except Exception as error:  # noqa: BLE001 - urllib3 and ssl have a dozen
        return f"{os.environ[CONTEXT]} does not answer: {str(error).splitlines()[0]}"
    return None
