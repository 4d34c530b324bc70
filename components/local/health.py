"""Whether a server takes traffic."""

from __future__ import annotations

import http.client

ANSWER_SECONDS = 2.0


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
