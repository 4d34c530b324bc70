"""The API server, spoken to with the standard library alone."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Api:
    """An API server, the certificate that it shows and the token of its administrator."""

    url: str
    certificate: Path
    token: str

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The answer to a request, as JSON; HTTP errors are raised as urllib does."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}{path}", data=data, method=method)  # noqa: S310 - the URL is the rig's own
        request.add_header("Authorization", f"Bearer {self.token}")
        request.add_header("Content-Type", "application/json")
        context = ssl.create_default_context(cafile=str(self.certificate))
        with urllib.request.urlopen(request, timeout=10, context=context) as answer:  # noqa: S310
            return dict(json.load(answer))

    def get(self, path: str) -> dict[str, Any]:
        """An object or a list."""
        return self.call("GET", path)

    def create(self, path: str, body: Mapping[str, Any]) -> None:
        """Create an object that may be there already."""
        try:
            self.call("POST", path, body)
        except urllib.error.HTTPError as error:
            if error.code != HTTPStatus.CONFLICT:
                raise

    def ready(self) -> bool:
        """Whether the server takes requests."""
        request = urllib.request.Request(f"{self.url}/readyz")  # noqa: S310
        request.add_header("Authorization", f"Bearer {self.token}")
        try:
            context = ssl.create_default_context(cafile=str(self.certificate))
            with urllib.request.urlopen(request, timeout=2, context=context) as answer:  # noqa: S310
                return bool(answer.status == HTTPStatus.OK)
        except OSError:
            return False

    def write_kubeconfig(self, path: Path, context: str) -> None:
        """A kubeconfig whose one context has the given name."""
        cluster = {"server": self.url, "certificate-authority": str(self.certificate)}
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": context, "cluster": cluster}],
            "users": [{"name": "admin", "user": {"token": self.token}}],
            "contexts": [{"name": context, "context": {"cluster": context, "user": "admin"}}],
            "current-context": context,
        }
        path.write_text(json.dumps(document, indent=2))
        path.chmod(0o600)
