"""Whether a server takes traffic."""

from __future__ import annotations

import http.client
from urllib.parse import urlsplit

ANSWER_SECONDS = 2.0
HTTP_PORT = 80


def answers(port: int, path: str, *, address: str = "127.0.0.1", seconds: float = ANSWER_SECONDS) -> bool:
    """Whether GET http://address:port/path is answered with 2xx within ``seconds``. Proxies in the environment are not asked."""
    connection = http.client.HTTPConnection(address, port, timeout=seconds)
    try:
        connection.request("GET", path)
        return connection.getresponse().status // 100 == 2  # noqa: PLR2004 - 2xx
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def answers_url(url: str, *, seconds: float = ANSWER_SECONDS) -> bool:
    """Whether GET of a URL such as http://127.0.0.1:13133/status is answered with 2xx within ``seconds``."""
    parts = urlsplit(url)
    return answers(parts.port or HTTP_PORT, parts.path, address=parts.hostname or "", seconds=seconds)
