"""The HTTP session of the library: ``requests``, kept from preferring the environment of the process to the settings."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import requests


class SettingsSession(requests.Session):
    """A session whose certificates and token are what it was given. Proxies are still taken from the environment.

    ``certificate`` is PEM text of the CAs to trust; None: the public ones.
    """

    def __init__(self, certificate: str | None = None) -> None:
        super().__init__()
        # Ran (requests 2.34): without an auth of its own, a session replaces the bearer token by what ~/.netrc has for the host.
        self.auth = _unchanged
        self.certificate_path: str | None = None
        self._process = os.getpid()
        if certificate is not None:
            # `requests` takes CA certificates by path only, and reads them at every new connection.
            path = Path(tempfile.mkdtemp(prefix="virtengine-tracing-")) / "ca.pem"
            path.write_text(certificate, encoding="utf-8")
            self.verify = self.certificate_path = str(path)

    def merge_environment_settings(self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any) -> Any:  # noqa: ANN401  untyped there
        """Return what a request is sent with.

        Ran (requests 2.34): ``REQUESTS_CA_BUNDLE`` and ``CURL_CA_BUNDLE`` replace the certificates of a session; only those given with
        a request stay.
        """
        return super().merge_environment_settings(url, proxies, stream, self.verify if verify is None else verify, cert)

    def close(self) -> None:
        """Close the connections and remove the certificate's file, unless it is a parent process's."""
        super().close()
        if self.certificate_path is not None and self._process == os.getpid():
            shutil.rmtree(Path(self.certificate_path).parent, ignore_errors=True)


def _unchanged(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request
