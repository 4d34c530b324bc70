"""The HTTP session of the exporter: ``requests``, kept from preferring the environment of the process to the settings."""

from __future__ import annotations

from typing import Any

import requests


class SettingsSession(requests.Session):
    """A session whose certificates and token are what it was given. Proxies are still taken from the environment."""

    def __init__(self) -> None:
        super().__init__()
        # Ran (requests 2.34): without an auth of its own, a session replaces the bearer token by what ~/.netrc has for the host.
        self.auth = _unchanged

    def merge_environment_settings(self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any) -> Any:  # noqa: ANN401  untyped there
        """Return what a request is sent with.

        Ran (requests 2.34): ``REQUESTS_CA_BUNDLE`` and ``CURL_CA_BUNDLE`` replace the certificates of a session; only those given with
        a request stay.
        """
        return super().merge_environment_settings(url, proxies, stream, self.verify if verify is None else verify, cert)


def _unchanged(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request
