"""HTTP by ``requests``, with certificates and token from the settings and not from the environment of the process."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import requests
from requests.adapters import HTTPAdapter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from urllib3 import BaseHTTPResponse, HTTPConnectionPool


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

    def poster(self, url: str, headers: Mapping[str, str]) -> Poster:
        """Return what posts to one address; it is closed with the session. Raises ``requests.RequestException`` for a wrong address."""
        made = Poster(self, url, headers)
        self.mount(url, made)
        return made

    def close(self) -> None:
        """Close the connections, and remove the file of the certificate if this process wrote it."""
        super().close()
        if self.certificate_path is not None and self._process == os.getpid():
            shutil.rmtree(Path(self.certificate_path).parent, ignore_errors=True)


class Poster(HTTPAdapter):
    """Posts to one address.

    `requests` works out anew for each request which headers, proxy, certificates and connections it takes: two thirds of the time of a
    request on loopback. Here that is done once.
    """

    def __init__(self, session: SettingsSession, url: str, headers: Mapping[str, str]) -> None:
        super().__init__()
        request = session.prepare_request(requests.Request("POST", url, headers))
        settings = session.merge_environment_settings(request.url, {}, True, None, None)  # noqa: FBT003  the interface of `requests`
        verify, proxies = settings["verify"], settings["proxies"]
        self._pool = cast("HTTPConnectionPool", self.get_connection_with_tls_context(request, verify, proxies))
        self.cert_verify(self._pool, request.url, verify, None)  # type: ignore[no-untyped-call]  # untyped there
        self._target = self.request_url(request, proxies)
        self._headers = {name: value for name, value in request.headers.items() if name != "Content-Length"}

    def post(self, body: bytes, seconds: float) -> BaseHTTPResponse:
        """Post once and follow no redirect; no step takes longer than so many seconds. Raises ``urllib3.exceptions.HTTPError``.

        Who reads the answer to its end keeps the connection for the next request, and who closes it before closes the connection.
        """
        return self._pool.urlopen(
            "POST",
            self._target,
            body,
            self._headers,
            retries=False,
            redirect=False,
            assert_same_host=False,
            timeout=seconds,
            preload_content=False,
        )

    def close(self) -> None:
        """Close the connections: `requests` leaves that to whoever forgets the pool last."""
        self._pool.close()
        super().close()


def _unchanged(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request
