"""The API server as the tests speak to it: server-side apply with strict validation, as Pulumi's provider does."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from components.kubernetes.names import Object

_PLURALS = {"NetworkPolicy": "networkpolicies", "Ingress": "ingresses", "PriorityClass": "priorityclasses"}


def path_of(mapping: Object) -> str:
    """The path of the collection that an object belongs to."""
    version, kind = mapping["apiVersion"], mapping["kind"]
    namespace = mapping["metadata"].get("namespace")
    within = f"/namespaces/{namespace}" if namespace else ""
    return f"/{'apis' if '/' in version else 'api'}/{version}{within}/{_PLURALS.get(kind, kind.lower() + 's')}"


class ApiServer:
    """A running API server."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http

    def apply(self, mapping: Object) -> tuple[Object, list[str]]:
        """Apply an object, unknown fields refused; what is kept of it, and what the server warns of."""
        answer = self._http.patch(
            f"{path_of(mapping)}/{mapping['metadata']['name']}",
            params={"fieldManager": "tests", "fieldValidation": "Strict"},
            headers={"Content-Type": "application/apply-patch+yaml"},
            # The server reads it as YAML, which knows no pairs of escapes for one character.
            content=json.dumps(mapping, ensure_ascii=False).encode(),
        )
        assert answer.status_code in {200, 201}, answer.text
        kept: Object = answer.json()
        return kept, answer.headers.get_list("Warning")

    def create(self, mapping: Object) -> httpx.Response:
        """Ask for an object; the answer may be a refusal."""
        return self._http.post(path_of(mapping), params={"fieldValidation": "Strict"}, json=mapping)

    @contextmanager
    def defined(self, definitions: list[Object]) -> Iterator[None]:
        """Define kinds, whose objects are served until the block ends; the kinds and all their objects are gone after it."""
        for definition in definitions:
            self.apply(definition)
        paths = [f"/apis/{d['spec']['group']}/{d['spec']['versions'][0]['name']}/{d['spec']['names']['plural']}" for d in definitions]
        until(lambda: all(self._http.get(path).status_code == 200 for path in paths), ", ".join(paths), every=0.2)
        try:
            yield
        finally:
            for definition in definitions:
                self.delete(definition)
            until(lambda: all(self._http.get(path).status_code == 404 for path in paths), ", ".join(paths), every=0.2)

    def count_quota(self, quota: Object) -> None:
        """Begin to count against a quota, which is otherwise a controller's work."""
        hard = quota["spec"]["hard"]
        status = {"status": {"hard": hard, "used": dict.fromkeys(hard, "0")}}
        answer = self._http.patch(
            f"{path_of(quota)}/{quota['metadata']['name']}/status",
            headers={"Content-Type": "application/merge-patch+json"},
            content=json.dumps(status),
        )
        assert answer.status_code == 200, answer.text

    def delete(self, mapping: Object) -> None:
        """Delete an object at once."""
        answer = self._http.delete(f"{path_of(mapping)}/{mapping['metadata']['name']}", params={"gracePeriodSeconds": 0})
        assert answer.status_code == 200, answer.text
