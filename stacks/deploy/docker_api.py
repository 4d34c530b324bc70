"""A Docker daemon, asked directly: whether it answers, what is on it, and to remove what a killed ``up`` has left."""

from __future__ import annotations

import http.client
import json
import socket
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

ANSWER_SECONDS = 5.0
_GONE = 404


class DaemonError(Exception):
    """The daemon cannot be reached, or refuses. The text says what to do next."""


class _Unix(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=ANSWER_SECONDS)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket in place of a host."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def ping(host: str) -> None:
    """Return when the daemon at ``host`` answers; one behind ssh is not asked. Raises ``DaemonError``."""
    _request(host, "GET", "/_ping")


def container(host: str, name: str) -> tuple[str, dict[str, str]] | None:
    """Id and labels of a container, or None when there is none of that name. Raises ``DaemonError``."""
    found = _request(host, "GET", f"/containers/{quote(name, safe='')}/json")
    return None if found is None else (found["Id"], found["Config"].get("Labels") or {})


def inspected(host: str, name: str) -> dict[str, Any] | None:
    """A container as the daemon tells of it, or None when there is none of that name. Raises ``DaemonError``."""
    return _request(host, "GET", f"/containers/{quote(name, safe='')}/json")


def tags_of(host: str, image: str) -> tuple[str, ...]:
    """The references of an image, by its id. Raises ``DaemonError``."""
    found = _request(host, "GET", f"/images/{quote(image, safe='')}/json")
    return () if found is None else tuple(found.get("RepoTags") or ()) + tuple(found.get("RepoDigests") or ())


def archived(host: str, name: str, path: str) -> bytes | None:
    """A file of a container as a tar archive, or None when there is none at that path. Raises ``DaemonError``."""
    return _asked(host, "GET", f"/containers/{quote(name, safe='')}/archive?{urlencode({'path': path})}")


def network(host: str, name: str) -> tuple[str, dict[str, str]] | None:
    """Id and labels of a network, or None when there is none of that name. Raises ``DaemonError``."""
    found = _request(host, "GET", f"/networks/{quote(name, safe='')}")
    # The daemon takes the beginning of an id for a name as well.
    return None if found is None or found["Name"] != name else (found["Id"], found.get("Labels") or {})


def remove_container(host: str, name: str) -> None:
    """Remove a container, running or not; none of that name is as good. Raises ``DaemonError``."""
    _request(host, "DELETE", f"/containers/{quote(name, safe='')}?force=true")


def _request(host: str, method: str, path: str) -> dict[str, Any] | None:
    """Return the mapping in the daemon's answer, or None when it knows no such object, or answers in other form."""
    said = (_asked(host, method, path) or b"").decode(errors="replace").strip()
    found: dict[str, Any] | None = json.loads(said) if said.startswith("{") else None
    return found


def _asked(host: str, method: str, path: str) -> bytes | None:
    """Return the daemon's answer, or None when it knows no such object. A daemon behind ssh is not asked."""
    parts = urlsplit(host)
    if parts.scheme == "unix":
        connection: http.client.HTTPConnection = _Unix(parts.path)
    elif parts.scheme in {"tcp", "http"} and parts.hostname:
        connection = http.client.HTTPConnection(parts.hostname, parts.port or 2375, timeout=ANSWER_SECONDS)
    else:
        return None
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        said = answer.read()
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise DaemonError(
            f"{host}: the Docker daemon does not answer ({reason})\nthen: start it, or correct environment.target.host, and try again"
        ) from None
    finally:
        connection.close()
    if answer.status == _GONE:
        return None
    if answer.status // 100 != 2:  # noqa: PLR2004 - 2xx
        told = said.decode(errors="replace").strip()
        raise DaemonError(f"{host}: the Docker daemon answers {answer.status} to {method} {path}: {told}\nthen: see what it says")
    return said
