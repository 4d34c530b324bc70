"""Test storage: a folder of this machine for every claim, made when the claim asks and removed when nobody claims it any more."""

from __future__ import annotations

import shutil
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tests.cluster.node.api import Api

PROVISIONER = "virtengine.local/folder"
POLL_SECONDS = 0.5
CLASSES = "/apis/storage.k8s.io/v1/storageclasses"
VOLUMES = "/api/v1/persistentvolumes"


class Storage:
    """Serves the claims of its storage classes, the first of which is the default, until it is closed."""

    def __init__(self, api: Api, folder: Path, classes: Sequence[str]) -> None:
        self._api, self._folder, self._classes = api, folder, frozenset(classes)
        self._closed = threading.Event()
        shutil.rmtree(folder, ignore_errors=True)  # of claims that an earlier cluster knew
        for position, name in enumerate(classes):
            annotations = {"storageclass.kubernetes.io/is-default-class": "true"} if position == 0 else {}
            metadata = {"name": name, "annotations": annotations}
            api.create(CLASSES, {"metadata": metadata, "provisioner": PROVISIONER, "reclaimPolicy": "Delete"})
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        """Serve no more."""
        self._closed.set()

    def _serve(self) -> None:
        while not self._closed.wait(POLL_SECONDS):
            try:
                self._provide()
                self._reclaim()
            except OSError:
                continue  # the API server is asked again, as controllers do

    def _provide(self) -> None:
        for claim in self._api.get("/api/v1/persistentvolumeclaims")["items"]:
            if claim["spec"].get("storageClassName") in self._classes and not claim["spec"].get("volumeName"):
                path = self._folder / claim["metadata"]["uid"]
                path.mkdir(parents=True, exist_ok=True)
                path.chmod(0o777)  # fsGroup has no effect on a folder of the machine
                self._api.create(VOLUMES, volume(claim, path))

    def _reclaim(self) -> None:
        for item in self._api.get(VOLUMES)["items"]:
            if item["spec"]["storageClassName"] in self._classes and item["status"].get("phase") == "Released":
                shutil.rmtree(item["spec"]["hostPath"]["path"], ignore_errors=True)
                self._api.call("DELETE", f"{VOLUMES}/{item['metadata']['name']}")


def volume(claim: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """The volume for one claim: a folder, bound to that claim alone."""
    metadata, wanted = claim["metadata"], claim["spec"]
    return {
        "metadata": {"name": f"folder-{metadata['uid']}", "annotations": {"pv.kubernetes.io/provisioned-by": PROVISIONER}},
        "spec": {
            "capacity": wanted["resources"]["requests"],
            "accessModes": wanted["accessModes"],
            "storageClassName": wanted["storageClassName"],
            "persistentVolumeReclaimPolicy": "Delete",
            "hostPath": {"path": str(path)},
            "claimRef": {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                **{key: metadata[key] for key in ("namespace", "name", "uid")},
            },
        },
    }
