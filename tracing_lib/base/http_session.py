"""HTTP by ``requests``, with certificates and token from the settings and not from the environment of the process."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests

if TYPE_CHECKING:
    from pydantic import SecretStr


class SettingsSession(requests.Session):
    """A session that takes proxies from the environment, but neither certificates nor a token.

    ``certificate`` is PEM text of the CAs to trust; None: the public ones.
    """

    def __init__(self, certificate: str | None = None) -> None:
        super().__init__()
        # Ran (requests 2.34): a session without auth replaces the bearer token by the entry of ~/.netrc for the host.
        self.auth = _unchanged
        self.certificate_path: str | None = None
        self._process = os.getpid()
        if certificate is not None:
            # `requests` takes CA certificates as a path only, and reads the file at every new connection.
            path = Path(tempfile.mkdtemp(prefix="virtengine-tracing-")) / "ca.pem"
            path.write_text(certificate, encoding="utf-8")
            self.verify = self.certificate_path = str(path)

    def merge_environment_settings(self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any) -> Any:  # noqa: ANN401  untyped there
        """Return the settings of a request, with the session's certificates where the request has none.

        Ran (requests 2.34): ``REQUESTS_CA_BUNDLE`` and ``CURL_CA_BUNDLE`` replace the certificates of a session, but not those that are
        given with a request.
        """
        return super().merge_environment_settings(url, proxies, stream, self.verify if verify is None else verify, cert)

    def close(self) -> None:
        """Close the connections, and remove the file of the certificate if this process wrote it."""
        super().close()
        if self.certificate_path is not None and self._process == os.getpid():
            shutil.rmtree(Path(self.certificate_path).parent, ignore_errors=True)


def basic(user: str | None, token: SecretStr | None) -> tuple[str, str] | None:
    """Return the credentials of a request by HTTP basic authentication, with the token as password; None without a user or a token."""
    return None if user is None or token is None else (user, token.get_secret_value())


def _unchanged(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request
